//! Business rules of members. An invitation is to an address; whoever holds its link and proves to be that person
//! becomes a member. What accounts there are is told to nobody.

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    mails::{self, Counted, NotYet},
    repository::{self, Held, NewInvitation},
};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::{
        authority::Permission,
        dto::Role,
        server::{accounts, password, service::Account},
    },
    keys::server::service::{self as keys, StillWorking},
    members::dto::{
        Invitation, InvitationInput, InvitationMade, InvitationShown, Member, MemberInput, People,
    },
    server::{
        Actor, AppState, CallerContext, Database, Error, Result, TenantContext, TenantTx,
        config::InvitationLinks,
        database::InstanceTx,
        error::chain,
        etag::{IfMatch, Versioned},
        origin::Origin,
        paging::Page,
        token,
    },
    shared::{InvitationId, Problem, TenantId, UserId, validate::Checks},
    tenants::server::service as tenants,
};

/// An invitation that is not accepted ends after this.
const INVITATION_DAYS: i64 = 7;
/// So many invitations of a tenant are open at once.
const MAX_OPEN: i64 = 500;

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

/// Who has a part in the tenant, and who may get one: the first page of each.
///
/// # Errors
/// 403.
pub async fn people(ctx: &TenantContext) -> Result<People> {
    let members = list(ctx, Page::first()).await?;
    let invitations = invitations(ctx, Page::first()).await?;
    let makers: Vec<String> = members.iter().map(|member| Actor::identity_of_user(member.user_id)).collect();
    let made = keys::working(&mut ctx.begin().await?, &makers).await?;
    let keys = members
        .iter()
        .zip(&makers)
        .filter_map(|(member, maker)| {
            let (_, count) = made.iter().find(|(other, _)| other == maker)?;
            Some((member.user_id, *count))
        })
        .collect();
    Ok(People { members, invitations, keys })
}

/// Gives a member another role, from the next request on. With that of an administrator the invitations end that they
/// made, unless they administer the installation, and so this tenant, all the same. The API keys that they made belong
/// to programs: `revokes_keys` says whether they end, too.
///
/// # Errors
/// 403, 404; 400 where nobody would be left to administer the tenant; 412.
pub async fn set_role(
    ctx: &TenantContext,
    user: UserId,
    input: &MemberInput,
    revokes_keys: bool,
    if_match: &IfMatch,
) -> Result<Member> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let admins = repository::lock_admins(&mut tx).await?;
    let before = repository::lock(&mut tx, user).await?.ok_or_else(|| not_found(user))?;
    if_match.check(&before)?;
    if input.role != Role::Admin {
        refuse_last(&admins, user)?;
    }
    if !repository::set_role(&mut tx, user, input.role).await? {
        return Err(not_found(user).into());
    }
    let is_admin = input.role == Role::Admin || repository::hold_instance_admin(tx.conn(), user).await?;
    let ends = Ends::of_person(user, !is_admin, revokes_keys);
    // Or an invitation that was kept, of their address or another of theirs, would undo it.
    end_made(&mut tx, (&ctx.actor, &ctx.origin), Some(&before.email), &ends).await?;
    let after = Member { role: input.role, ..before.clone() };
    ctx.audit(&mut tx, Event::updated("member.update", &before.email, &before, &after)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Ends a person's part in the tenant, and the invitations that they made, unless they administer the installation, and
/// so this tenant, all the same. The API keys that they made belong to programs: `revokes_keys` says whether they end,
/// too.
///
/// # Errors
/// 403, 404; 400 where nobody would be left to administer the tenant; 412.
pub async fn remove(ctx: &TenantContext, user: UserId, revokes_keys: bool, if_match: &IfMatch) -> Result<()> {
    ctx.require(Permission::Members)?;
    let mut tx = ctx.begin().await?;
    let admins = repository::lock_admins(&mut tx).await?;
    let before = repository::lock(&mut tx, user).await?.ok_or_else(|| not_found(user))?;
    if_match.check(&before)?;
    refuse_last(&admins, user)?;
    repository::delete(&mut tx, user).await?;
    let is_admin = repository::hold_instance_admin(tx.conn(), user).await?;
    let ends = Ends::of_person(user, !is_admin, revokes_keys);
    end_made(&mut tx, (&ctx.actor, &ctx.origin), Some(&before.email), &ends).await?;
    ctx.audit(&mut tx, Event::deleted("member.delete", &before.email, &before)).await?;
    Ok(tx.commit().await?)
}

/// Ends what a person made who administers the installation no longer, or whose account is closed, in each tenant that
/// they do not administer as a member: the invitations, and, where `revokes_keys`, the API keys, with what these made.
/// So do the keys of the installation that they made, then, and what these made in any tenant. Gives how many of all
/// these keys still work. Each tenant is a transaction of its own.
///
/// # Errors
/// The database's; what was ended by then has ended.
pub async fn end_made_by_former(
    database: &Database,
    user: UserId,
    revokes_keys: bool,
) -> Result<StillWorking> {
    let (maker, origin) = (Actor::identity_of_user(user), Origin::default());
    let by = (&Actor::System, &origin);
    let mut tx = database.instance().await?;
    if revokes_keys {
        keys::revoke_instance_made_by(&mut tx, by, &maker).await?;
    }
    let instance_keys = keys::instance_keys_of(&mut tx, &maker).await?;
    let of_installation = keys::working_instance(&mut tx, &maker).await?;
    let tenants = tenants::ids(&mut tx).await?;
    tx.commit().await?;
    let mut of_tenants = Vec::new();
    for tenant in tenants {
        let mut tx = database.tenant(&tenant).await?;
        let mut makers = instance_keys.clone();
        let mut ends = Ends::default();
        if repository::hold_role(&mut tx, user).await? != Some(Role::Admin) {
            makers.push(maker.clone());
            ends.invitations_of.push(maker.clone());
        }
        if revokes_keys {
            ends = Ends::all_of(makers.clone());
        }
        end_made(&mut tx, by, None, &ends).await?;
        let working: i64 = keys::working(&mut tx, &makers).await?.iter().map(|(_, count)| count).sum();
        tx.commit().await?;
        if working > 0 {
            of_tenants.push((tenant, working));
        }
    }
    Ok(StillWorking { of_installation, of_tenants })
}

/// Ends the keys and invitations that were made by these keys of the installation, which can make no more. Each tenant
/// is a transaction of its own.
///
/// # Errors
/// The database's; what was ended by then has ended.
pub async fn end_made_by_instance_keys(
    database: &Database,
    by: (&Actor, &Origin),
    makers: Vec<String>,
) -> Result<()> {
    let tenants = tenants::ids(&mut database.instance().await?).await?;
    let ends = Ends::all_of(makers);
    for tenant in tenants {
        let mut tx = database.tenant(&tenant).await?;
        end_made(&mut tx, by, None, &ends).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Ends the keys and invitations that were made by this key, which can make no more.
///
/// # Errors
/// The database's.
pub async fn end_made_by_key(ctx: &TenantContext, tx: &mut TenantTx, maker: String) -> Result<()> {
    end_made(tx, (&ctx.actor, &ctx.origin), None, &Ends::all_of(vec![maker])).await
}

/// What ends of that which was made in a tenant.
#[derive(Default)]
struct Ends {
    /// Whose invitations.
    invitations_of: Vec<String>,
    /// Whose keys, and with each what that made.
    keys_of: Vec<String>,
}

impl Ends {
    /// What a person made.
    fn of_person(user: UserId, invitations: bool, keys: bool) -> Self {
        let theirs = |ends: bool| ends.then(|| Actor::identity_of_user(user)).into_iter().collect();
        Self { invitations_of: theirs(invitations), keys_of: theirs(keys) }
    }

    /// All that these made.
    fn all_of(makers: Vec<String>) -> Self {
        Self { invitations_of: makers.clone(), keys_of: makers }
    }
}

/// Ends this, and the invitation of this address, if one is given.
async fn end_made(tx: &mut TenantTx, by: (&Actor, &Origin), email: Option<&str>, ends: &Ends) -> Result<()> {
    // Before the invitations: whoever invites by one of them has it in hand, and then waits for those.
    let mut makers = keys::revoke_made_by(tx, by, &ends.keys_of).await?;
    makers.extend_from_slice(&ends.invitations_of);
    take_back_all(tx, by, email, &makers).await
}

async fn take_back_all(
    tx: &mut TenantTx,
    (actor, origin): (&Actor, &Origin),
    email: Option<&str>,
    makers: &[String],
) -> Result<()> {
    for gone in repository::take_back_all(tx, email, makers).await? {
        let event = Event::deleted("invitation.delete", &gone.email, &gone);
        audit::record(tx, actor, origin, event).await?;
    }
    Ok(())
}

/// Makes sure that the caller is an administrator still, and stays one until the transaction ends: whoever takes that
/// away at this moment, or closes their account, then sees what they make.
///
/// # Errors
/// 403.
pub async fn hold_caller(ctx: &TenantContext, tx: &mut TenantTx) -> Result<()> {
    let is_one = match &ctx.actor {
        Actor::User { user_id, is_instance_admin: true, .. } => {
            repository::hold_instance_admin(tx.conn(), *user_id).await?
        }
        Actor::User { user_id, .. } => {
            repository::hold_role(tx, *user_id).await?.is_some_and(|role| role.may(Permission::Members))
        }
        Actor::TenantKey { key_id, .. } => keys::hold(tx, *key_id).await?,
        Actor::InstanceKey { key_id, .. } => keys::hold_instance(tx.conn(), *key_id).await?,
        Actor::Token { .. } | Actor::System => true,
    };
    if is_one { Ok(()) } else { Err(Problem::forbidden("You no longer administer this tenant").into()) }
}

/// As `hold_caller`, of whoever administers the installation.
///
/// # Errors
/// 403.
pub async fn hold_instance_caller(ctx: &CallerContext, tx: &mut InstanceTx) -> Result<()> {
    let is_one = match &ctx.actor {
        Actor::User { user_id, .. } => repository::hold_instance_admin(tx.conn(), *user_id).await?,
        Actor::InstanceKey { key_id, .. } => keys::hold_instance(tx.conn(), *key_id).await?,
        Actor::System => true,
        Actor::TenantKey { .. } | Actor::Token { .. } => false,
    };
    if is_one { Ok(()) } else { Err(Problem::forbidden("You no longer administer the installation").into()) }
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
/// 403, 422; 400 where too many are open; 429 where the tenant, or the address, was sent too many.
pub async fn invite(ctx: &TenantContext, input: InvitationInput) -> Result<InvitationMade> {
    ctx.require(Permission::Members)?;
    let mut checks = Checks::default();
    let input = InvitationInput { email: checks.email("email", &input.email), ..input };
    checks.finish()?;
    let link = token::generate("");
    // Who vouches for an address is responsible for all tenants that the account will count in.
    let makes_account = is_link_enough(&ctx.app) || ctx.actor.is_instance_admin();
    let new = NewInvitation {
        hash: &token::hash_of(&link),
        invited_by: &ctx.actor.label(),
        made_by: &ctx.actor.identity(),
        makes_account,
        expires_at: Utc::now() + TimeDelta::days(INVITATION_DAYS),
    };
    let sends_mail = ctx.app.senders.mailer().is_some();
    let mut tx = ctx.begin().await?;
    hold_caller(ctx, &mut tx).await?;
    repository::lock_invitations(&mut tx).await?;
    if repository::count_others(&mut tx, &input.email).await? >= MAX_OPEN {
        let sentence = format!("A tenant can have at most {MAX_OPEN} open invitations. Take some back first");
        return Err(Problem::business_rule(sentence).into());
    }
    let counted = if sends_mail { Some(count_mail(&mut tx, &input.email).await?) } else { None };
    let invitation = repository::invite(&mut tx, &input, &new).await?;
    let tenant = repository::tenant_name(&mut tx).await?;
    ctx.audit(&mut tx, Event::created("invitation.create", &invitation.email, &invitation)).await?;
    tx.commit().await?;
    let address = format!("{}/invitation/{}", ctx.app.config.base_url(ctx.app.addr), link.expose_secret());
    let Some(counted) = counted else {
        return Ok(InvitationMade { invitation, mailed: false, link: Some(address), makes_account });
    };
    // Never answered as well: who can read it is who can read the person's mail, and nobody else.
    // To its end, though the request's time may be over before: what was not mailed is not to stay counted.
    let (of, email) = (ctx.clone(), invitation.email.clone());
    let mailed = tokio::spawn(async move { mail(&of, &email, &tenant, &address, &counted).await });
    let mailed = mailed.await.unwrap_or(false);
    Ok(InvitationMade { invitation, mailed, link: None, makes_account })
}

/// Whether an invitation's link is enough for an account, whoever invites: it goes by mail, so that only who reads the
/// person's mail has it, or the installation says so.
fn is_link_enough(app: &AppState) -> bool {
    app.senders.mailer().is_some() || app.config.identity.invitation_links == InvitationLinks::Tenant
}

async fn count_mail(tx: &mut TenantTx, email: &str) -> Result<Counted> {
    let (sentence, wait) = match mails::count(tx, email).await? {
        Ok(counted) => return Ok(counted),
        Err(NotYet::Tenant(wait)) => {
            (format!("At most {} invitations of a tenant are mailed within a day", mails::A_DAY), wait)
        }
        Err(NotYet::Address(wait)) => {
            ("An invitation was mailed to this address a moment ago".to_owned(), wait)
        }
    };
    let seconds = wait.as_secs() + 1;
    let minutes = match seconds.div_ceil(60) {
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    };
    let problem = Problem::new(429, format!("{sentence}. Try again in {minutes}"));
    Err(Problem { retry_after: Some(seconds), ..problem }.into())
}

/// Mails an invitation. Nothing in its text is a tenant's to choose, for strangers to read in the installation's name:
/// a person is named by their address, and a program not at all. `false` where it did not go.
async fn mail(ctx: &TenantContext, email: &str, tenant: &str, address: &str, counted: &Counted) -> bool {
    let invites = match &ctx.actor {
        Actor::User { email, .. } => format!("{email} invites you"),
        _ => "You are invited".to_owned(),
    };
    let text = format!(
        "{invites} to work for {tenant} on {name}.\n\nAccept within a week:\n{address}\n",
        name = ctx.app.config.app_name,
    );
    let Err(fault) = accounts::mail(&ctx.app, email, "An invitation", text).await else { return true };
    // What the relay refused for good counts: it is asked no more often for that.
    if !fault.permanent
        && let Err(error) = take_off(ctx, email, counted).await
    {
        tracing::warn!(error = %chain(&error), "an invitation that was not mailed stays counted");
    }
    false
}

async fn take_off(ctx: &TenantContext, email: &str, counted: &Counted) -> Result<()> {
    let mut tx = ctx.begin().await?;
    mails::take_off(&mut tx, counted, email).await?;
    Ok(tx.commit().await?)
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
        makes_account: makes_account(app, &held),
        tenant: held.tenant_name,
        email: held.email,
        role: held.role,
        invited_by: held.invited_by,
    })
}

/// One of before does not say: its link went by mail, if the installation sends any.
fn makes_account(app: &AppState, held: &Held) -> bool {
    held.makes_account.unwrap_or_else(|| is_link_enough(app))
}

/// Who accepts an invitation.
pub enum Guest<'a> {
    /// Signed in already.
    SignedIn(&'a Actor),
    /// By the password of the account of the invited address; where there is none, it is made with this password, if
    /// the invitation's link is enough for that.
    Password { name: &'a str, password: &'a SecretString, before: Option<&'a str> },
}

/// Makes the holder of the link a member, and opens a session for whoever had none.
///
/// # Errors
/// 404 for a link that does not hold (any more); 403 for somebody else than who was invited; 401 for a wrong
/// password, and where there is no account and the link is not enough for one; 422 for a new one that is too weak; 429.
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
            let session = accounts::open_by_password(app, origin, account, "invitation", before).await?;
            session.map(Some).ok_or_else(|| wrong().into())
        }
    }
}

/// The invited person's account, if the password holds; a new one, if there is none and the invitation makes one.
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
    let account = accounts::find(app, &held.email).await?;
    if account.is_some() || !makes_account(app, held) {
        // Looked at where there is no account, too: neither the answer nor its time tells.
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        let holds = app.passwords.verify(word, stored).await?;
        let is_known = account.is_some();
        if let Some(account) = account.filter(|_| holds) {
            return Ok(account);
        }
        // With those at the sign-in: it is the same password that is guessed.
        accounts::note_refusal(app, origin, &held.email, is_known, "invitation").await?;
        return Err(wrong().into());
    }
    let hash = app.passwords.hash(word).await?;
    let made = accounts::create_with_password(app, origin, &held.email, &name, hash, "invitation").await?;
    // Where there is none: made by another request in this moment, with a password of its own.
    made.ok_or_else(|| wrong().into())
}

fn wrong() -> Problem {
    Problem::new(401, "The password is not that of an account with this address")
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
    let actor = actor_of(&member);
    if role != Role::Admin && !repository::hold_instance_admin(tx.conn(), user).await? {
        // As where somebody else takes the role from them.
        take_back_all(&mut tx, (&actor, origin), None, &[actor.identity()]).await?;
    }
    let detail = json!({"role": role, "invited_by": held.invited_by});
    audit::record(&mut tx, &actor, origin, Event::done("invitation.accept", member.email, detail)).await?;
    Ok(tx.commit().await?)
}

async fn held(app: &AppState, link: &str) -> Result<Held> {
    let hash = token::hash(link);
    let mut tx = app.database.by_key_hash(&hash).await?;
    repository::held(&mut tx, &hash).await?.ok_or_else(|| gone().into())
}

/// The member as who acts.
fn actor_of(member: &Member) -> Actor {
    Actor::User {
        user_id: member.user_id,
        email: member.email.clone(),
        display_name: member.display_name.clone(),
        is_instance_admin: false,
    }
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
