//! SQL of people who are known by an OpenID provider.

use super::repository::Account;
use crate::{server::database::InstanceTx, shared::UserId};

/// How long the provider's answer is waited for: minutes.
pub const ATTEMPT_MINUTES: i32 = 10;

/// What must be remembered of a sign-in until the provider's answer comes.
#[derive(sqlx::FromRow)]
pub struct AttemptRow {
    pub nonce: String,
    pub verifier: String,
}

/// Those that were never answered go with the next one's beginning.
pub async fn insert_attempt(
    tx: &mut InstanceTx,
    browser: &[u8; 32],
    state: &[u8; 32],
    attempt: &AttemptRow,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM oidc_attempts WHERE expires_at < now()").execute(tx.conn()).await?;
    sqlx::query(
        "INSERT INTO oidc_attempts (browser_hash, state_hash, nonce, verifier, expires_at) \
         VALUES ($1, $2, $3, $4, now() + make_interval(mins => $5))",
    )
    .bind(browser.as_slice())
    .bind(state.as_slice())
    .bind(&attempt.nonce)
    .bind(&attempt.verifier)
    .bind(ATTEMPT_MINUTES)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Uses the attempt up. One of another browser or another state stays: a forged answer must not end a true one.
pub async fn take_attempt(
    tx: &mut InstanceTx,
    browser: &[u8; 32],
    state: &[u8; 32],
) -> sqlx::Result<Option<AttemptRow>> {
    sqlx::query_as(
        "DELETE FROM oidc_attempts WHERE browser_hash = $1 AND state_hash = $2 AND expires_at > now() \
         RETURNING nonce, verifier",
    )
    .bind(browser.as_slice())
    .bind(state.as_slice())
    .fetch_optional(tx.conn())
    .await
}

/// Whether the issuer knows this person, by whichever subject.
pub async fn is_known(tx: &mut InstanceTx, issuer: &str, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM user_identities WHERE issuer = $1 AND user_id = $2)")
        .bind(issuer)
        .bind(user)
        .fetch_one(tx.conn())
        .await
}

/// The person whom the issuer knows by this subject, if their account is open.
pub async fn use_identity(tx: &mut InstanceTx, issuer: &str, subject: &str) -> sqlx::Result<Option<Account>> {
    sqlx::query_as(
        "UPDATE user_identities i SET last_used_at = now() FROM users u \
         WHERE i.issuer = $1 AND i.subject = $2 AND u.user_id = i.user_id AND u.closed_at IS NULL \
         RETURNING u.user_id, u.email, u.display_name, u.is_instance_admin, u.password_hash",
    )
    .bind(issuer)
    .bind(subject)
    .fetch_optional(tx.conn())
    .await
}

/// `false`, and nothing is done, where the subject is known already, or the person is known to the issuer by another
/// subject.
pub async fn insert_identity(
    tx: &mut InstanceTx,
    issuer: &str,
    subject: &str,
    user: UserId,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO user_identities (issuer, subject, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(issuer)
    .bind(subject)
    .bind(user)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
