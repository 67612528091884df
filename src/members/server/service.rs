//! Business rules of members. An invitation is to an address; whoever holds its link and proves to be that person
//! becomes a member. What accounts there are is told to nobody.

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::repository::{self, Held};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::{
        authority::Permission,
        dto::Role,
        server::{
            accounts, password,
            repository::{self as access, Account},
            service as auth,
        },
    },
    members::dto::{Invitation, InvitationInput, InvitationMade, InvitationShown, Member, MemberInput},
    server::{
        Actor, AppState, Error, Result, TenantContext,
        etag::{IfMatch, Versioned},
        origin::Origin,
        paging::Page,
        token,
    },
    shared::{InvitationId, Problem, TenantId, UserId, validate::Checks},
};

/// An invitation that is not accepted ends after this.
const INVITATION_DAYS: i64 = 7;

impl Versioned for Member {}

/// By user id.
///
/// # Errors
/// 403.
pub async fn list(ctx: &TenantContext, page: Page<i64>) -> Result<Vec<Member>> {
    ctx.require(Permission::Members)?;
    Ok(repository::list(&mut ctx.begin().await?, page.cursor, page.limit).await?)
}

/// # Errors
/// 403, 404.
pub async fn get(ctx: &TenantContext, user: UserId) -> Result<Member> {
    ctx.require(Permission::Members)?;
    repository::find(&mut ctx.begin().await?, user).await?.ok_or_else(|| not_found(user).into())
}

/// Gives a member another role, from the next request on.
///
/// # Errors
/// 403, 404; 400 where nobody would be left to administer the tenant; 412.
pub async fn set_role(
    ctx: &TenantContext,
    user: UserId,
    input: &MemberInput,
    if_match: &IfMatch,
) -> Result<Member> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let admins = repository::lock_admins(&mut tx).await?;
    let before = repository::find(&mut tx, user).await?.ok_or_else(|| not_found(user))?;
    if_match.check(&before)?;
    if input.role != Role::Admin {
        refuse_last(&admins, user)?;
    }
    repository::set_role(&mut tx, user, input.role).await?;
    // Or an invitation that was kept would undo it.
    repository::take_back_for(&mut tx, &before.email).await?;
    let after = Member { role: input.role, ..before.clone() };
    ctx.audit(&mut tx, Event::updated("member.update", &before.email, &before, &after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// # Errors
/// 403, 404; 400 where nobody would be left to administer the tenant; 412.
pub async fn remove(ctx: &TenantContext, user: UserId, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let admins = repository::lock_admins(&mut tx).await?;
    let before = repository::find(&mut tx, user).await?.ok_or_else(|| not_found(user))?;
    if_match.check(&before)?;
    refuse_last(&admins, user)?;
    repository::delete(&mut tx, user).await?;
    repository::take_back_for(&mut tx, &before.email).await?;
    ctx.audit(&mut tx, Event::deleted("member.delete", &before.email, &before)).await?;
    Ok(tx.commit().await?)
}

/// By id.
///
/// # Errors
/// 403.
pub async fn invitations(ctx: &TenantContext, page: Page<i64>) -> Result<Vec<Invitation>> {
    ctx.require(Permission::Members)?;
    Ok(repository::invitations(&mut ctx.begin().await?, page.cursor, page.limit).await?)
}

/// Invites a person, by mail where the installation sends any; else the link is answered, this once. An earlier
/// invitation of the same address ends.
///
/// # Errors
/// 403, 422.
pub async fn invite(ctx: &TenantContext, input: InvitationInput) -> Result<InvitationMade> {
    ctx.require(Permission::Members)?;
    let mut checks = Checks::default();
    let input = InvitationInput { email: checks.email("email", &input.email), ..input };
    checks.finish()?;
    let link = token::generate("");
    let ends = Utc::now() + TimeDelta::days(INVITATION_DAYS);
    let by = ctx.actor.label();
    let mut tx = ctx.begin().await?;
    let invitation = repository::invite(&mut tx, &input, &token::hash_of(&link), &by, ends).await?;
    ctx.audit(&mut tx, Event::created("invitation.create", &invitation.email, &invitation)).await?;
    tx.commit().await?;
    let address = format!("{}/invitation/{}", ctx.app.config.base_url(ctx.app.addr), link.expose_secret());
    if ctx.app.senders.mailer().is_none() {
        return Ok(InvitationMade { invitation, mailed: false, link: Some(address) });
    }
    let text = format!(
        "{by} invites you to work for {tenant} on {name}.\n\nAccept within a week:\n{address}\n",
        tenant = ctx.tenant,
        name = ctx.app.config.app_name,
    );
    // Never answered as well: who can read it is who can read the person's mail, and nobody else.
    let mailed = accounts::mail(&ctx.app, &invitation.email, "An invitation", text).await.is_ok();
    Ok(InvitationMade { invitation, mailed, link: None })
}

/// Takes an invitation back.
///
/// # Errors
/// 403, 404.
pub async fn take_back(ctx: &TenantContext, id: InvitationId) -> Result<()> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let gone =
        repository::take_back(&mut tx, id).await?.ok_or_else(|| Problem::not_found("Invitation", id))?;
    ctx.audit(&mut tx, Event::deleted("invitation.delete", &gone.email, &gone)).await?;
    Ok(tx.commit().await?)
}

/// What an invitation says, to whoever holds its link.
///
/// # Errors
/// 404 for a link that does not hold (any more).
pub async fn shown(app: &AppState, link: &str) -> Result<InvitationShown> {
    let held = held(app, link).await?;
    Ok(InvitationShown {
        tenant: held.tenant_name,
        email: held.email,
        role: held.role,
        invited_by: held.invited_by,
    })
}

/// Who accepts an invitation.
pub enum Guest<'a> {
    /// Signed in already.
    SignedIn(&'a Actor),
    /// By the password of the account of the invited address; where there is none, it is made with this password.
    Password { name: &'a str, password: &'a SecretString, before: Option<&'a str> },
}

/// Makes the holder of the link a member, and opens a session for whoever had none.
///
/// # Errors
/// 404 for a link that does not hold (any more); 403 for somebody else than who was invited; 401 for a wrong
/// password; 422 for a new one that is too weak; 429.
pub async fn accept(
    app: &AppState,
    origin: &Origin,
    link: &str,
    guest: Guest<'_>,
) -> Result<Option<SecretString>> {
    let held = held(app, link).await?;
    let tenant: TenantId = held.tenant_id.parse().map_err(Error::internal)?;
    match guest {
        Guest::SignedIn(Actor::User { user_id, email, .. }) if *email == held.email => {
            join(app, origin, &tenant, link, &held, *user_id).await?;
            Ok(None)
        }
        Guest::SignedIn(_) => {
            Err(Problem::forbidden("This invitation is for somebody else: sign out, and open it again")
                .into())
        }
        Guest::Password { name, password, before } => {
            app.throttle.check(&held.email, origin.address)?;
            let account = person(app, origin, &held, name, password).await?;
            join(app, origin, &tenant, link, &held, account.user_id).await?;
            let mut tx = app.database.instance().await?;
            if !access::still_has(&mut tx, account.user_id, account.password_hash.as_deref()).await? {
                return Err(wrong().into());
            }
            let how = json!({"by": "invitation"});
            let session = auth::open_session(app, &mut tx, origin, account, how, before).await?;
            tx.commit().await?;
            Ok(Some(session))
        }
    }
}

/// The invited person's account, if the password holds; a new one, if there is none.
async fn person(
    app: &AppState,
    origin: &Origin,
    held: &Held,
    name: &str,
    word: &SecretString,
) -> Result<Account> {
    // First, and whether there is an account or not: what is refused here does not tell. Nor is a name that is left out
    // refused, which whoever has an account need not give.
    let mut checks = Checks::default();
    let name = checks.name("display_name", if name.trim().is_empty() { &held.email } else { name });
    checks.finish()?;
    password::check("password", word, &[&held.email, &name])?;
    let mut tx = app.database.instance().await?;
    let account = access::account(&mut tx, &held.email).await?;
    drop(tx);
    if let Some(account) = account {
        if app.passwords.verify(word, account.password_hash.clone()).await? {
            return Ok(account);
        }
        // With those at the sign-in: it is the same password that is guessed.
        accounts::note_refusal(app, origin, &held.email, true, "invitation").await?;
        return Err(wrong().into());
    }
    let hash = app.passwords.hash(word).await?;
    let mut tx = app.database.instance().await?;
    let made = access::insert_user(tx.conn(), &held.email, &name, Some(&hash), false).await?;
    // Made by another request in this moment, with a password of its own.
    let user_id = made.ok_or_else(wrong)?;
    let account = Account {
        user_id,
        email: held.email.clone(),
        display_name: name,
        is_instance_admin: false,
        password_hash: Some(hash),
    };
    let detail = json!({"display_name": account.display_name, "by": "invitation"});
    let event = Event::done("user.create", &held.email, detail);
    audit::record_instance(&mut tx, &Actor::System, origin, event).await?;
    tx.commit().await?;
    Ok(account)
}

fn wrong() -> Problem {
    Problem::new(401, "The password is not that of this account")
}

async fn join(
    app: &AppState,
    origin: &Origin,
    tenant: &TenantId,
    link: &str,
    held: &Held,
    user: UserId,
) -> Result<()> {
    let mut tx = app.database.tenant(tenant).await?;
    let admins = repository::lock_admins(&mut tx).await?;
    let role = repository::accept(&mut tx, &token::hash(link)).await?.ok_or_else(gone)?;
    if role != Role::Admin {
        refuse_last(&admins, user)?;
    }
    repository::join(&mut tx, user, role).await?;
    let member = repository::find(&mut tx, user).await?.ok_or_else(|| not_found(user))?;
    let actor = Actor::User {
        user_id: user,
        email: member.email.clone(),
        display_name: member.display_name.clone(),
        is_instance_admin: false,
    };
    let detail = json!({"role": role, "invited_by": held.invited_by});
    audit::record(&mut tx, &actor, origin, Event::done("invitation.accept", member.email, detail)).await?;
    Ok(tx.commit().await?)
}

async fn held(app: &AppState, link: &str) -> Result<Held> {
    let hash = token::hash(link);
    let mut tx = app.database.by_key_hash(&hash).await?;
    repository::held(&mut tx, &hash).await?.ok_or_else(|| gone().into())
}

fn refuse_last(admins: &[UserId], user: UserId) -> Result<(), Problem> {
    if admins == [user] {
        return Err(Problem::business_rule(
            "This is the tenant's last administrator: make another one first",
        ));
    }
    Ok(())
}

fn gone() -> Problem {
    Problem::new(404, "This invitation was used or taken back, or has expired")
}

fn not_found(user: UserId) -> Problem {
    Problem::not_found("Member", user)
}
