//! Signing in by password, and what people do with their passwords.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

pub use super::repository::ListedAccount;
use super::{
    oidc, password,
    repository::{self, Account, ManagedAccount},
    service,
};
use crate::{
    audit::server::service::{self as audit, Event},
    deliveries::server::senders::Fault,
    keys::server::service::StillWorking,
    members::server::service as members,
    server::{
        Actor, AppState, CallerContext, Database, Result, database::InstanceTx, error::chain, origin::Origin,
        queue, token,
    },
    shared::{FieldError, Problem, UserId, validate::Checks},
    tenants::server::service as tenants,
};

/// Says the same whether there is such an account or not.
const WRONG: &str = "The email or the password is wrong";
/// Of refused sign-ins with addresses that have no account, so many of an hour are listed one by one.
const LISTED: i64 = 9;
/// So often a mail is tried that somebody asked for who forgot their password: for minutes, of the link's hour.
const RESET_TRIES: i32 = 6;
/// A reset link that is not used ends after this.
const RESET_HOURS: i64 = 1;

/// Opens a session for whoever knows the password. The session that the browser had before ends.
///
/// # Errors
/// 401, in the same words and the same time whether there is such an account or not; 429.
pub async fn sign_in(
    app: &AppState,
    origin: &Origin,
    email: &str,
    password: &SecretString,
    before: Option<&str>,
) -> Result<SecretString> {
    // Nobody has an address with NUL in it, and PostgreSQL could not even be asked for one.
    let email = email.trim().to_lowercase().replace('\0', "\u{fffd}");
    app.throttle.check(&email, origin.address)?;
    let account = find(app, &email).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let holds = app.passwords.verify(password, stored).await?;
    let is_known = account.is_some();
    let Some(account) = account.filter(|_| holds) else {
        let (app, origin) = (app.clone(), origin.clone());
        // Aside, so that the answer does not tell by its time how it is counted.
        tokio::spawn(async move {
            if let Err(error) = note_refusal(&app, &origin, &email, is_known, "password").await {
                tracing::error!(error = %chain(&error), "a refused sign-in could not be noted");
            }
        });
        return Err(Problem::new(401, WRONG).into());
    };
    let session = open_by_password(app, origin, account, "password", before).await?;
    session.ok_or_else(|| Problem::new(401, WRONG).into())
}

/// The account of an address, which is in lower case. `None` where it is closed, too.
///
/// # Errors
/// The database's.
pub async fn find(app: &AppState, email: &str) -> Result<Option<Account>> {
    Ok(repository::account(&mut app.database.instance().await?, email).await?)
}

/// A session of whoever knows the password of the account as it was found, `by` which way they came in. `None` where the
/// password was changed since. The session that the browser had before ends.
///
/// # Errors
/// The database's.
pub async fn open_by_password(
    app: &AppState,
    origin: &Origin,
    account: Account,
    by: &str,
    before: Option<&str>,
) -> Result<Option<SecretString>> {
    let mut tx = app.database.instance().await?;
    if !repository::still_has(&mut tx, account.user_id, account.password_hash.as_deref()).await? {
        return Ok(None);
    }
    let session = service::open_session(app, &mut tx, origin, account, json!({"by": by}), before).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// A new person with a password, `by` whose doing. `None` where the address has an account already.
///
/// # Errors
/// The database's.
pub async fn create_with_password(
    app: &AppState,
    origin: &Origin,
    email: &str,
    display_name: &str,
    hash: String,
    by: &str,
) -> Result<Option<Account>> {
    let mut tx = app.database.instance().await?;
    let made = repository::insert_user(tx.conn(), email, display_name, Some(&hash), false).await?;
    let Some(user_id) = made else { return Ok(None) };
    let detail = json!({"display_name": display_name, "by": by});
    audit::record_instance(&mut tx, &Actor::System, origin, Event::done("user.create", email, detail))
        .await?;
    tx.commit().await?;
    Ok(Some(Account {
        user_id,
        email: email.to_owned(),
        display_name: display_name.to_owned(),
        is_instance_admin: false,
        password_hash: Some(hash),
    }))
}

/// Refused sign-ins of addresses that have no account, which this server has not counted yet.
#[derive(Debug, Default)]
pub struct Refusals {
    strangers: AtomicI64,
    turn: Mutex<()>,
}

/// Counts a refused sign-in, and lists it, unless so many were before it in this hour that a stranger would fill the audit
/// log, whose entries stay: of an account the first, the tenth, the hundredth and so on; of all addresses that have none,
/// together, the first few too. What is listed says how many there were, and `by` which way the last was tried.
///
/// # Errors
/// The database's.
pub async fn note_refusal(
    app: &AppState,
    origin: &Origin,
    email: &str,
    is_known: bool,
    by: &str,
) -> Result<()> {
    if is_known {
        return count(app, origin, email, (email, 1), by).await;
    }
    // They have one row: who writes it takes along what comes meanwhile, rather than that all wait for it, each with a
    // connection.
    let Refusals { strangers, turn } = &app.refusals;
    strangers.fetch_add(1, Ordering::SeqCst);
    while strangers.load(Ordering::SeqCst) > 0 {
        let Ok(_turn) = turn.try_lock() else { break };
        let more = strangers.swap(0, Ordering::SeqCst);
        if more > 0 {
            count(app, origin, email, ("", more), by).await?;
        }
    }
    Ok(())
}

/// Counts refusals of an account, of which `email` is the last, and lists it where it is time.
async fn count(
    app: &AppState,
    origin: &Origin,
    email: &str,
    (account, more): (&str, i64),
    by: &str,
) -> Result<()> {
    let is_known = !account.is_empty();
    let mut tx = app.database.instance().await?;
    let refusals = repository::count_refusals(&mut tx, account, more).await?;
    if (refusals - more + 1..=refusals).any(|n| is_listed(n, is_known)) {
        let detail = match refusals {
            ..10 => json!({"by": by}),
            _ => json!({
                "by": by,
                "refusals_this_hour": refusals,
                "of": if is_known { "this account" } else { "all addresses without an account" },
                "note": "further ones are counted, and listed at ten times as many",
            }),
        };
        // Cut off: whoever tries may write anything there.
        let name: String = email.chars().take(100).collect();
        let event = Event::done("session.refuse", name, detail);
        audit::record_instance(&mut tx, &Actor::System, origin, event).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether the audit log tells of the refusal that was the `n`th of its hour.
fn is_listed(n: i64, is_known: bool) -> bool {
    let mut powers_of_ten = std::iter::successors(Some(1_i64), |power| power.checked_mul(10));
    powers_of_ten.any(|power| power == n) || !is_known && n <= LISTED
}

/// Sets the caller's password. All other sessions of the person end, and `session` goes on under another token, which is
/// given: a copy of the old one, as a thief may have it, lets nobody in any more. `None` where it has ended meanwhile.
///
/// # Errors
/// 403 for a caller that is no person, and, naming `new_password`, for one whom the provider alone lets in; 422 naming
/// `current_password`, also where it was the person's until just now, or `new_password`; 429.
pub async fn change_password(
    ctx: &CallerContext,
    session: Option<&str>,
    current: &SecretString,
    new: &SecretString,
) -> Result<Option<SecretString>> {
    let Actor::User { user_id, email, display_name, .. } = &ctx.actor else {
        return Err(Problem::forbidden("Only a person has a password").into());
    };
    ctx.app.throttle.check(email, ctx.origin.address)?;
    let mut tx = ctx.app.database.instance().await?;
    let account = repository::account(&mut tx, email).await?.ok_or_else(Problem::unauthorized)?;
    let provider = provider_instead(&ctx.app, &mut tx, &account).await?;
    drop(tx);
    if let Some(name) = provider {
        // Or it would still let in who is shut out there.
        let detail = format!("You sign in with {name}");
        let errors = vec![FieldError::new("new_password", "is not needed")];
        return Err(Problem { errors, ..Problem::forbidden(detail) }.into());
    }
    let wrong = || Problem::invalid_field("current_password", "is wrong");
    // Who came by a link may have none yet.
    let stored = account.password_hash;
    if stored.is_some() && !ctx.app.passwords.verify(current, stored.clone()).await? {
        return Err(wrong().into());
    }
    password::check("new_password", new, &[email, display_name])?;
    let hash = ctx.app.passwords.hash(new).await?;
    let mut tx = ctx.app.database.instance().await?;
    // Whoever knows the old one must not undo a reset that came while it was checked.
    if !repository::replace_password(&mut tx, *user_id, stored.as_deref(), &hash).await? {
        return Err(wrong().into());
    }
    let renewed = token::generate("");
    let to = token::hash_of(&renewed);
    let goes_on = match session {
        Some(session) => repository::renew_session(&mut tx, *user_id, &token::hash(session), &to).await?,
        None => false,
    };
    repository::delete_sessions(&mut tx, *user_id, goes_on.then_some(to)).await?;
    ctx.audit(&mut tx, Event::done("password.change", email, json!(null))).await?;
    tx.commit().await?;
    Ok(goes_on.then_some(renewed))
}

/// What the provider is called, for a person who signs in with it in the place of a password.
async fn provider_instead(app: &AppState, tx: &mut InstanceTx, account: &Account) -> Result<Option<String>> {
    if account.password_hash.is_some() {
        return Ok(None);
    }
    let provider = oidc::provider_of(app, tx, account.user_id).await?;
    Ok(provider.filter(|provider| provider.is_connected).map(|provider| provider.name))
}

/// Mails a link for a new password, if there is such an account, or, to whom a provider lets in instead, that it does.
/// Answers the same, and as soon, if there is none.
///
/// # Errors
/// 400 where the installation sends no mail; 422; 429.
pub async fn forgot(app: &AppState, origin: &Origin, email: &str) -> Result<()> {
    let mut checks = Checks::default();
    let email = checks.email("email", email);
    checks.finish()?;
    if app.senders.mailer().is_none() {
        return Err(Problem::business_rule(
            "This installation sends no mail: its administrator can give you a link for a new password",
        )
        .into());
    }
    app.throttle.check(&email, origin.address)?;
    let (app, origin) = (app.clone(), origin.clone());
    // Aside, so that the answer does not tell by its time what is found.
    tokio::spawn(async move {
        if let Err(error) = mail_reset(&app, &origin, &email).await {
            tracing::warn!(error = %error.into_problem().detail, "a reset could not be mailed");
        }
    });
    Ok(())
}

async fn mail_reset(app: &AppState, origin: &Origin, email: &str) -> Result<()> {
    let mut tx = app.database.instance().await?;
    let Some(account) = repository::account(&mut tx, email).await? else { return Ok(()) };
    // Anybody can ask. It neither floods the person's mailbox, nor ends a link that is about to be used.
    if repository::has_new_link(&mut tx, account.user_id, "reset").await? {
        return Ok(());
    }
    let provider = provider_instead(app, &mut tx, &account).await?;
    let link = new_reset(&mut tx, account.user_id).await?;
    let event = Event::done("password.forgot", email, json!(null));
    audit::record_instance(&mut tx, &Actor::System, origin, event).await?;
    tx.commit().await?;
    let (subject, text) = match &provider {
        // The link is told to nobody then: by it the next who asks finds that a mail went.
        Some(provider) => ("How you sign in", by_provider_words(app, provider)),
        None => ("A new password", reset_words(app, &link)),
    };
    if !mail_patiently(app, email, subject, &text).await {
        // Whoever asks again gets another one.
        let mut tx = app.database.instance().await?;
        repository::delete_link(&mut tx, &token::hash_of(&link)).await?;
        tx.commit().await?;
        return Err(Problem::new(503, "The mail could not be sent").into());
    }
    Ok(())
}

fn reset_words(app: &AppState, link: &SecretString) -> String {
    format!(
        "Somebody, probably you, asked for a new password on {name}.\n\n\
         Choose one here, within the hour:\n{base}/reset/{link}\n\n\
         If it was not you, there is nothing to do: your password stays as it is.\n",
        name = app.config.app_name,
        base = app.config.base_url(app.addr),
        link = link.expose_secret(),
    )
}

fn by_provider_words(app: &AppState, provider: &str) -> String {
    format!(
        "Somebody, probably you, asked for a new password on {name}.\n\n\
         You sign in with {provider}, and have no password here. If that no longer\n\
         works, ask an administrator of the installation.\n\n\
         If it was not you, there is nothing to do.\n",
        name = app.config.app_name,
    )
}

/// Sends a mail that nobody waits for: what fails for now is tried again, as deliveries are. Whether it went.
async fn mail_patiently(app: &AppState, to: &str, subject: &str, text: &str) -> bool {
    for tries in 1..=RESET_TRIES {
        match mail(app, to, subject, text.to_owned()).await {
            Ok(()) => return true,
            Err(fault) if fault.permanent => return false,
            Err(_) if tries < RESET_TRIES => {
                tokio::time::sleep(queue::backoff(app.config.deliveries.retry_base, tries)).await;
            }
            Err(_) => {}
        }
    }
    false
}

/// A link with which this person sets a new password. All end when one is used.
///
/// # Errors
/// The database's.
async fn new_reset(tx: &mut InstanceTx, user: UserId) -> Result<SecretString> {
    let link = token::generate("");
    let expires_at = Utc::now() + TimeDelta::hours(RESET_HOURS);
    repository::add_link(tx, &token::hash_of(&link), user, "reset", expires_at).await?;
    Ok(link)
}

/// A new person, and the link with which they set their password. With an administrator of the installation, the links of
/// starts end: there is another way in now.
///
/// # Errors
/// 409 for an address that has an account, 422.
pub async fn create_by_hand(
    database: &Database,
    email: &str,
    display_name: &str,
    is_instance_admin: bool,
) -> Result<SecretString> {
    let mut checks = Checks::default();
    let email = checks.email("email", email);
    let name = checks.name("display_name", display_name);
    checks.finish()?;
    let mut tx = database.instance().await?;
    let user = repository::insert_user(tx.conn(), &email, &name, None, is_instance_admin).await?;
    let user = user.ok_or_else(|| Problem::already_exists("Account", &email))?;
    let link = new_reset(&mut tx, user).await?;
    if is_instance_admin {
        repository::delete_first_links(&mut tx).await?;
    }
    let detail = json!({"display_name": name, "is_instance_admin": is_instance_admin});
    let event = Event::done("user.create", email, detail);
    audit::record_instance(&mut tx, &Actor::System, &Origin::default(), event).await?;
    tx.commit().await?;
    Ok(link)
}

/// A link with which a person sets a new password, made on the server's own machine.
///
/// # Errors
/// 404; 409 where the account is closed.
pub async fn reset_by_hand(database: &Database, email: &str) -> Result<SecretString> {
    let email = email.trim().to_lowercase();
    let mut tx = database.instance().await?;
    let account = hold_open(&mut tx, &email).await?;
    let link = new_reset(&mut tx, account.user_id).await?;
    let event = Event::done("password.reset_link", email, json!(null));
    audit::record_instance(&mut tx, &Actor::System, &Origin::default(), event).await?;
    tx.commit().await?;
    Ok(link)
}

/// All accounts by address, each with how many tenants the person is a member of.
///
/// # Errors
/// The database's.
pub async fn list_by_hand(database: &Database) -> Result<Vec<(ListedAccount, usize)>> {
    let accounts = repository::accounts(&mut database.instance().await?).await?;
    let mut listed = Vec::with_capacity(accounts.len());
    for account in accounts {
        let tenants = tenants::memberships(database, account.user_id).await?.len();
        listed.push((account, tenants));
    }
    Ok(listed)
}

/// Closes an account: nobody is let in by it from the next request on, and every way in that there was has ended. So do
/// the invitations that the person made, and, where `revokes_keys`, the API keys, with what these made. What they did
/// and their memberships stay. Gives how many keys that they made still work. Of an account that is closed already, the
/// rest is done again: it may have been broken off, or be asked for now.
///
/// # Errors
/// 404; 400 where nobody would be left to administer the installation.
pub async fn close_by_hand(database: &Database, email: &str, revokes_keys: bool) -> Result<StillWorking> {
    let email = email.trim().to_lowercase();
    let mut tx = database.instance().await?;
    let admins = repository::hold_instance_admins(&mut tx).await?;
    let account = hold_any(&mut tx, &email).await?;
    if !account.is_closed {
        refuse_last(&admins, account.user_id)?;
        repository::set_closed(&mut tx, account.user_id, true).await?;
        repository::clear_ways_in(&mut tx, account.user_id).await?;
        let event = Event::done("user.close", email, json!(null));
        audit::record_instance(&mut tx, &Actor::System, &Origin::default(), event).await?;
    }
    // First, so that they make nothing meanwhile.
    tx.commit().await?;
    members::end_made_by_former(database, account.user_id, revokes_keys).await
}

/// Opens a closed account again, with the rights that it had, and gives the link with which the person sets a password.
///
/// # Errors
/// 404; 409 where it is open.
pub async fn open_by_hand(database: &Database, email: &str) -> Result<SecretString> {
    let email = email.trim().to_lowercase();
    let mut tx = database.instance().await?;
    let account = hold_any(&mut tx, &email).await?;
    if !account.is_closed {
        return Err(Problem::new(409, format!("The account of {email} is open")).into());
    }
    repository::set_closed(&mut tx, account.user_id, false).await?;
    // Whoever was signing in while it was closed has nothing of it either.
    repository::clear_ways_in(&mut tx, account.user_id).await?;
    let link = new_reset(&mut tx, account.user_id).await?;
    let event = Event::done("user.open", email, json!(null));
    audit::record_instance(&mut tx, &Actor::System, &Origin::default(), event).await?;
    tx.commit().await?;
    Ok(link)
}

/// Makes a person an administrator of the installation, and gives the link with which they set a password. Every way
/// into the account ends first: whoever made it, as by another's invitation, may have set what opens it.
///
/// # Errors
/// 404; 409 where the account is closed, or is an administrator's already.
pub async fn promote_by_hand(database: &Database, email: &str) -> Result<SecretString> {
    let email = email.trim().to_lowercase();
    let mut tx = database.instance().await?;
    let account = hold_open(&mut tx, &email).await?;
    if account.is_instance_admin {
        let detail = format!("{email} is an administrator of the installation already");
        return Err(Problem::new(409, detail).into());
    }
    repository::clear_ways_in(&mut tx, account.user_id).await?;
    set_instance_admin(&mut tx, account.user_id, &email, true).await?;
    repository::delete_first_links(&mut tx).await?;
    let link = new_reset(&mut tx, account.user_id).await?;
    tx.commit().await?;
    Ok(link)
}

/// Takes the rights of an administrator of the installation, from the person's next request on. With them end the
/// invitations that the person made into tenants where they are no administrator otherwise, and, where `revokes_keys`,
/// the API keys of these tenants and of the installation, with what these made. Gives how many of these keys still
/// work. Of a person who has no such rights already, the rest is done again: it may have been broken off, or be asked
/// for now.
///
/// # Errors
/// 404; 400 where nobody would be left to administer the installation.
pub async fn demote_by_hand(database: &Database, email: &str, revokes_keys: bool) -> Result<StillWorking> {
    let email = email.trim().to_lowercase();
    let mut tx = database.instance().await?;
    let admins = repository::hold_instance_admins(&mut tx).await?;
    let account = hold_any(&mut tx, &email).await?;
    if account.is_instance_admin {
        refuse_last(&admins, account.user_id)?;
        set_instance_admin(&mut tx, account.user_id, &email, false).await?;
    }
    // First, so that they make nothing meanwhile.
    tx.commit().await?;
    members::end_made_by_former(database, account.user_id, revokes_keys).await
}

async fn set_instance_admin(tx: &mut InstanceTx, user: UserId, email: &str, to: bool) -> Result<()> {
    repository::set_instance_admin(tx, user, to).await?;
    let of = |is_instance_admin: bool| json!({"is_instance_admin": is_instance_admin});
    let event = Event::updated("user.update", email, &of(!to), &of(to));
    audit::record_instance(tx, &Actor::System, &Origin::default(), event).await
}

/// # Errors
/// 404.
async fn hold_any(tx: &mut InstanceTx, email: &str) -> Result<ManagedAccount> {
    let account = repository::hold_any(tx, email).await?;
    account.ok_or_else(|| Problem::not_found("Account", email).into())
}

/// # Errors
/// 404; 409 where the account is closed.
async fn hold_open(tx: &mut InstanceTx, email: &str) -> Result<ManagedAccount> {
    let account = hold_any(tx, email).await?;
    if account.is_closed {
        return Err(Problem::new(409, format!("The account of {email} is closed")).into());
    }
    Ok(account)
}

fn refuse_last(admins: &[UserId], user: UserId) -> Result<(), Problem> {
    if admins == [user] {
        return Err(Problem::business_rule(
            "This is the installation's last administrator: make another one first",
        ));
    }
    Ok(())
}

/// Sets a password by a link, uses it up, and ends all sessions of the person.
///
/// # Errors
/// 404 for a link that does not hold (any more); 422 naming `new_password`, and the link holds on.
pub async fn reset(app: &AppState, origin: &Origin, link: &str, new: &SecretString) -> Result<()> {
    let gone = || Problem::new(404, "This link has been used, or has expired");
    let hash = token::hash(link);
    let mut tx = app.database.instance().await?;
    let account = repository::account_of_link(&mut tx, &hash, "reset").await?.ok_or_else(gone)?;
    drop(tx);
    password::check("new_password", new, &[&account.email, &account.display_name])?;
    let stored = app.passwords.hash(new).await?;
    let mut tx = app.database.instance().await?;
    repository::hold(&mut tx, account.user_id).await?;
    let user = repository::take_link(&mut tx, &hash, "reset").await?.ok_or_else(gone)?;
    repository::set_password(&mut tx, user, &stored).await?;
    repository::delete_sessions(&mut tx, user, None).await?;
    let actor = account.into_actor();
    audit::record_instance(
        &mut tx,
        &actor,
        origin,
        Event::done("password.reset", actor.label(), json!(null)),
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Sends a mail of the installation's own, in its turn among these.
///
/// # Errors
/// `Fault`, which is in the log.
pub async fn mail(app: &AppState, to: &str, subject: &str, text: String) -> std::result::Result<(), Fault> {
    let sent = async {
        let mailer = app.senders.mailer();
        let mailer = mailer.ok_or_else(|| Fault::permanent("This installation sends no mail"))?;
        let _turn = app.senders.notice_turn().await?;
        mailer.notice(to, subject, text).await.map(drop)
    };
    sent.await.inspect_err(|fault: &Fault| tracing::warn!(fault = %fault.note, "a mail could not be sent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_are_refused_few_are_listed() {
        let listed = |is_known| (1..=20_000).filter(|n| is_listed(*n, is_known)).collect::<Vec<_>>();
        assert_eq!(listed(true), [1, 10, 100, 1_000, 10_000]);
        assert_eq!(listed(false), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1_000, 10_000]);
    }
}
