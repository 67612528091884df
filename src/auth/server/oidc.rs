//! People who sign in with an OpenID provider.
//!
//! An attempt is kept on the server and not in a sealed cookie, so that it can be used once, whoever has the cookie,
//! and so that neither nonce nor verifier ever leaves the server. The cookie holds 190 random bits, which bind the
//! attempt to the browser that began it; the table holds their hash.

use secrecy::SecretString;
use serde_json::json;

use super::{
    oidc_provider::{Fault, Person, Provider},
    oidc_repository::{self as repository, AttemptRow},
    repository::{self as access, Account},
    service::{actor_of_session, open_session},
};
use crate::{
    audit::server::service::{self as audit, Event},
    auth::dto::{FormOutcome, MyProvider, SignInWays},
    members::server::service as members,
    server::{
        Actor, AppState, Error, Result, config::OidcConfig, database::InstanceTx, origin::Origin, token,
    },
    shared::{Problem, UserId},
};

/// Where the provider sends people back to, below the installation's address.
pub const CALLBACK: &str = "/sign-in/oidc/callback";

/// A sign-in that is begun.
pub struct Attempt {
    /// The provider's page.
    pub location: String,
    /// For the cookie.
    pub browser: SecretString,
}

/// What the provider's answer holds, as it stands in the address (RFC 6749, section 4.1.2; RFC 9207).
pub struct Answer<'a> {
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    pub error: Option<&'a str>,
    pub issuer: Option<&'a str>,
}

/// The browser that brings it.
pub struct Browser<'a> {
    /// What the attempt's cookie holds.
    pub attempt: Option<&'a str>,
    /// The session that it had before, which ends.
    pub session: Option<&'a str>,
    /// The page of ours that the person wants.
    pub next: &'a str,
}

/// How a sign-in ends: with a session's token, or not.
pub type Outcome = std::result::Result<SecretString, FormOutcome>;

/// The ways to sign in that the installation offers.
pub fn ways(app: &AppState) -> SignInWays {
    let provider = app.issuers.provider.as_ref();
    SignInWays { provider: provider.map(|provider| provider.settings().name.clone()) }
}

/// The provider, where there is one, and whether it knows this person.
///
/// # Errors
/// The database's.
pub async fn provider_of(app: &AppState, tx: &mut InstanceTx, user: UserId) -> Result<Option<MyProvider>> {
    let Some(provider) = &app.issuers.provider else { return Ok(None) };
    let settings = provider.settings();
    let is_connected = repository::is_known(tx, &settings.issuer, user).await?;
    Ok(Some(MyProvider { name: settings.name.clone(), is_connected }))
}

/// Begins a sign-in.
///
/// # Errors
/// 404 where no provider is configured; the database's.
pub async fn begin(app: &AppState) -> Result<std::result::Result<Attempt, FormOutcome>> {
    let provider = provider(app)?;
    let begun = match provider.begin(&redirect(app)).await {
        Ok(begun) => begun,
        Err(fault) => return Ok(Err(told(fault))),
    };
    let browser = token::generate("");
    let attempt = AttemptRow { nonce: begun.nonce, verifier: begun.verifier };
    let mut tx = app.database.instance().await?;
    repository::insert_attempt(&mut tx, &token::hash_of(&browser), &token::hash(&begun.state), &attempt)
        .await?;
    tx.commit().await?;
    Ok(Ok(Attempt { location: begun.location, browser }))
}

/// Ends a sign-in by the provider's answer.
///
/// # Errors
/// 404 where no provider is configured; the database's.
pub async fn finish(
    app: &AppState,
    origin: &Origin,
    browser: &Browser<'_>,
    answer: Answer<'_>,
) -> Result<Outcome> {
    let provider = provider(app)?;
    let (Some(attempt), Some(state)) = (browser.attempt, answer.state) else {
        return Ok(Err(FormOutcome::Expired));
    };
    let mut tx = app.database.instance().await?;
    let attempt = repository::take_attempt(&mut tx, &token::hash(attempt), &token::hash(state)).await?;
    // Used, whatever comes of it; and no transaction stays open while a foreign server is asked.
    tx.commit().await?;
    let Some(attempt) = attempt else { return Ok(Err(FormOutcome::Expired)) };
    let settings = provider.settings();
    if answer.issuer.is_some_and(|issuer| issuer != settings.issuer) {
        return Ok(Err(told(Fault::Refused("its answer is another issuer's".into()))));
    }
    let code = match (answer.error, answer.code) {
        (Some("access_denied"), _) => return Ok(Err(FormOutcome::Denied)),
        (Some(error), _) => return Ok(Err(told(Fault::Refused(error.to_owned())))),
        (None, None) => return Ok(Err(told(Fault::Refused("its answer holds no code".into())))),
        (None, Some(code)) => code.to_owned(),
    };
    let person = match provider.redeem(&redirect(app), code, attempt.nonce, attempt.verifier).await {
        Ok(person) => person,
        Err(fault) => return Ok(Err(told(fault))),
    };
    let Some(email) = &person.verified_email else { return Ok(Err(FormOutcome::Unverified)) };
    let is_welcome = settings.create_users || is_invited(app, browser.next, email).await?;
    let signed_in = signed_in(app, browser.session).await?;
    let mut tx = app.database.instance().await?;
    let account = identify(&mut tx, origin, settings, &person, email, (is_welcome, signed_in)).await?;
    let Some(account) = account else {
        return Ok(Err(FormOutcome::Unknown));
    };
    let how = json!({"by": "oidc", "issuer": settings.issuer, "subject": person.subject});
    let session = open_session(app, &mut tx, origin, account, how, browser.session).await?;
    tx.commit().await?;
    Ok(Ok(session))
}

/// Whether the page that the person wants is an invitation of this address: whoever holds its link and is that person,
/// as the provider says, may have an account. Accepting it is the page's.
async fn is_invited(app: &AppState, next: &str, email: &str) -> Result<bool> {
    let Some(link) = next.strip_prefix("/invitation/") else { return Ok(false) };
    match members::shown(app, link).await {
        Ok(invitation) => Ok(comparable(email).is_some_and(|email| email == invitation.email)),
        Err(Error::Problem(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whose session the browser has, if it lives.
async fn signed_in(app: &AppState, session: Option<&str>) -> Result<Option<UserId>> {
    let Some(session) = session else { return Ok(None) };
    match actor_of_session(app, session, true).await? {
        Some(Actor::User { user_id, .. }) => Ok(Some(user_id)),
        _ => Ok(None),
    }
}

/// Whom of ours the provider means. The subject decides; an address is looked at once, when the subject is new. A new
/// person gets an account where they are welcome.
async fn identify(
    tx: &mut InstanceTx,
    origin: &Origin,
    settings: &OidcConfig,
    person: &Person,
    email: &str,
    (is_welcome, signed_in): (bool, Option<UserId>),
) -> Result<Option<Account>> {
    if let Some(account) = repository::use_identity(tx, &settings.issuer, &person.subject).await? {
        return Ok(Some(account));
    }
    let Some(email) = comparable(email) else { return Ok(None) };
    let user = match access::account(tx, &email).await? {
        // Both are proven: the account by its session, and the address by the provider. The password stays.
        Some(account) if signed_in == Some(account.user_id) => account.user_id,
        Some(account) if settings.link_by_email => {
            // Whoever made the account may not have been this person: from here on the provider is the way in.
            access::clear_password(tx, account.user_id).await?;
            account.user_id
        }
        // Someone who can make the provider vouch for this address would get into the account. Unless the account was
        // made at this moment, for the same person in another tab: then the subject is known by now.
        Some(_) => return Ok(repository::use_identity(tx, &settings.issuer, &person.subject).await?),
        None if is_welcome => {
            let name = person.name.as_deref().and_then(displayable).unwrap_or(&email);
            match access::insert_user(tx.conn(), &email, name, None, false).await? {
                Some(user) => {
                    let detail = json!({"display_name": name, "is_instance_admin": false});
                    let event = Event::done("user.create", &email, detail);
                    audit::record_instance(tx, &Actor::System, origin, event).await?;
                    user
                }
                // Taken at this moment: by the same person in another tab, or by someone else.
                None => return Ok(repository::use_identity(tx, &settings.issuer, &person.subject).await?),
            }
        }
        None => return Ok(None),
    };
    // It is there already where the same person came by another tab at this moment. It is refused where the provider
    // knew the account by another subject, and gave its address to someone else since.
    if repository::insert_identity(tx, &settings.issuer, &person.subject, user).await? {
        let detail = json!({"issuer": settings.issuer, "subject": person.subject});
        let event = Event::done("identity.link", &email, detail);
        audit::record_instance(tx, &Actor::System, origin, event).await?;
    }
    Ok(repository::use_identity(tx, &settings.issuer, &person.subject).await?)
}

/// The address in lower case. One beyond ASCII is compared with none: letters that only look alike, or become alike in
/// lower case (the Kelvin sign), would lead into another person's account.
fn comparable(email: &str) -> Option<String> {
    let (local, domain) = email.rsplit_once('@')?;
    let is_address = !local.is_empty() && !domain.is_empty() && email.len() <= 254;
    (is_address && email.bytes().all(|b| b.is_ascii_graphic())).then(|| email.to_ascii_lowercase())
}

/// A name as `Checks::name` takes it.
fn displayable(name: &str) -> Option<&str> {
    let name = name.trim();
    (!name.is_empty() && name.chars().count() <= 200 && !name.chars().any(char::is_control)).then_some(name)
}

fn provider(app: &AppState) -> Result<&Provider> {
    app.issuers
        .provider
        .as_ref()
        .ok_or_else(|| Problem::new(404, "This installation has no provider to sign in with").into())
}

/// From the configuration and never from the request's `Host`, which the sender writes.
fn redirect(app: &AppState) -> String {
    format!("{}{CALLBACK}", app.config.base_url(app.addr))
}

/// What the person is told of a fault; the rest is for the log.
fn told(fault: Fault) -> FormOutcome {
    match fault {
        Fault::Unavailable(reason) => {
            tracing::warn!(reason, "the OpenID provider cannot be asked");
            FormOutcome::Unavailable
        }
        Fault::Refused(reason) => {
            // Some of it is the provider's or a stranger's own text: cut, and escaped by the debug form.
            let reason: String = reason.chars().take(300).collect();
            tracing::warn!(?reason, "a sign-in with the OpenID provider was refused");
            FormOutcome::Provider
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_cannot_be_mistaken_is_compared() {
        assert_eq!(comparable("Ann@Acme.example").as_deref(), Some("ann@acme.example"));
        for bad in ["", "@", "ann", "ann@", "@acme.example", "ann@acme.example\n", "a nn@acme.example"] {
            assert_eq!(comparable(bad), None, "{bad:?}");
        }
        assert_eq!(comparable("ann@\u{212a}yoto.example"), None, "the Kelvin sign in lower case is a k");
        assert_eq!(comparable("\u{430}nn@acme.example"), None, "a Cyrillic a");
        assert_eq!(comparable(&format!("{}@a.example", "a".repeat(300))), None);
    }
}
