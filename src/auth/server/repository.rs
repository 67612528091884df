//! SQL of access.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    auth::dto::Role,
    server::{
        Actor,
        database::{InstanceTx, Statement, TenantTx},
    },
    shared::{KeyId, UserId},
};

#[derive(sqlx::FromRow)]
pub struct UserRow {
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub is_instance_admin: bool,
    /// Whether it was last written down more than a minute ago that the session was seen.
    pub is_stale: bool,
}

/// A person, with what proves that it is they.
#[derive(sqlx::FromRow)]
pub struct Account {
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub is_instance_admin: bool,
    pub password_hash: Option<String>,
}

impl Account {
    pub fn into_actor(self) -> Actor {
        Actor::User {
            user_id: self.user_id,
            email: self.email,
            display_name: self.display_name,
            is_instance_admin: self.is_instance_admin,
        }
    }
}

/// Of accounts that are open: whoever looks for somebody to let in finds no other.
const ACCOUNT: &str = "SELECT user_id, email, display_name, is_instance_admin, password_hash FROM users \
                       WHERE closed_at IS NULL";

/// The account of an address, which is in lower case. `None` where it is closed, too.
pub async fn account(tx: &mut InstanceTx, email: &str) -> sqlx::Result<Option<Account>> {
    let sql = format!("{ACCOUNT} AND email = $1");
    sqlx::query_as(AssertSqlSafe(sql)).bind(email).fetch_optional(tx.conn()).await
}

/// Whether this is still the person's password, which then stays so until the transaction ends: a session must not
/// be opened by one that was changed while it was checked.
pub async fn still_has(tx: &mut InstanceTx, user: UserId, hash: Option<&str>) -> sqlx::Result<bool> {
    let found: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM users WHERE user_id = $1 AND password_hash IS NOT DISTINCT FROM $2 AND closed_at IS NULL \
         FOR SHARE",
    )
    .bind(user)
    .bind(hash)
    .fetch_optional(tx.conn())
    .await?;
    Ok(found.is_some())
}

/// Counts refused sign-ins of an account, or, where `account` is empty, of addresses that have none. How many there were
/// in this hour, with these, is given.
pub async fn count_refusals(tx: &mut InstanceTx, account: &str, more: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO sign_in_refusals AS r (account, hour, refusals) VALUES ($1, date_trunc('hour', now()), $2) \
         ON CONFLICT (account) DO UPDATE SET hour = excluded.hour, \
         refusals = CASE WHEN r.hour = excluded.hour THEN r.refusals + $2 ELSE $2 END RETURNING refusals",
    )
    .bind(account)
    .bind(more)
    .fetch_one(tx.conn())
    .await
}

/// The account that a link is for, while it holds.
pub async fn account_of_link(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    purpose: &str,
) -> sqlx::Result<Option<Account>> {
    let sql = format!(
        "{ACCOUNT} AND user_id = (SELECT user_id FROM sign_in_links WHERE token_hash = $1 AND purpose = $2 \
         AND used_at IS NULL AND expires_at > now())"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(hash.as_slice()).bind(purpose).fetch_optional(tx.conn()).await
}

/// A new person. `None` where the address has an account already.
pub async fn insert_user(
    conn: &mut PgConnection,
    email: &str,
    display_name: &str,
    password_hash: Option<&str>,
    is_instance_admin: bool,
) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar(
        "INSERT INTO users (email, display_name, password_hash, is_instance_admin) VALUES ($1, $2, $3, $4) \
         ON CONFLICT ON CONSTRAINT uq_eivs_users_email DO NOTHING RETURNING user_id",
    )
    .bind(email)
    .bind(display_name)
    .bind(password_hash)
    .bind(is_instance_admin)
    .fetch_optional(conn)
    .await
}

/// Keeps others from changing a person until the transaction ends. First of all, as where a password is changed: that
/// deletes links after it.
pub async fn hold(tx: &mut InstanceTx, user: UserId) -> sqlx::Result<()> {
    sqlx::query("SELECT FROM users WHERE user_id = $1 FOR NO KEY UPDATE")
        .bind(user)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn set_password(tx: &mut InstanceTx, user: UserId, hash: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET password_hash = $2 WHERE user_id = $1")
        .bind(user)
        .bind(hash)
        .execute(tx.conn())
        .await?;
    delete_links(tx, user).await
}

/// As `set_password`, where `old` is still the person's. `false` where it was changed or reset while it was checked. One
/// statement: two who first made sure of it, and set it then, would wait for each other.
pub async fn replace_password(
    tx: &mut InstanceTx,
    user: UserId,
    old: Option<&str>,
    hash: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE users SET password_hash = $3 WHERE user_id = $1 AND password_hash IS NOT DISTINCT FROM $2",
    )
    .bind(user)
    .bind(old)
    .bind(hash)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    delete_links(tx, user).await?;
    Ok(true)
}

/// Whoever asked for a link before does not get in by it after.
async fn delete_links(tx: &mut InstanceTx, user: UserId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_links WHERE user_id = $1").bind(user).execute(tx.conn()).await.map(drop)
}

/// Ends every way in that the person had: password, links, sessions.
pub async fn clear_password(tx: &mut InstanceTx, user: UserId) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET password_hash = NULL WHERE user_id = $1")
        .bind(user)
        .execute(tx.conn())
        .await?;
    delete_links(tx, user).await?;
    delete_sessions(tx, user, None).await
}

/// Ends every way in that anybody may have to the account, identities of providers included. The sessions go last: who is
/// signing in at this moment by one of the others is waited for before, and has one by then.
pub async fn clear_ways_in(tx: &mut InstanceTx, user: UserId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM user_identities WHERE user_id = $1").bind(user).execute(tx.conn()).await?;
    clear_password(tx, user).await
}

/// An account as whoever manages accounts has it, also one that is closed.
#[derive(sqlx::FromRow)]
pub struct ManagedAccount {
    pub user_id: UserId,
    pub is_instance_admin: bool,
    pub is_closed: bool,
}

/// The account of an address, which is in lower case, kept from being changed until the transaction ends.
pub async fn hold_any(tx: &mut InstanceTx, email: &str) -> sqlx::Result<Option<ManagedAccount>> {
    sqlx::query_as(
        "SELECT user_id, is_instance_admin, closed_at IS NOT NULL AS is_closed FROM users WHERE email = $1 \
         FOR NO KEY UPDATE",
    )
    .bind(email)
    .fetch_optional(tx.conn())
    .await
}

/// The installation's administrators whose accounts are open, kept from being changed until the transaction ends: two
/// who take each other's rights wait.
pub async fn hold_instance_admins(tx: &mut InstanceTx) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar(
        "SELECT user_id FROM users WHERE is_instance_admin AND closed_at IS NULL ORDER BY user_id \
         FOR NO KEY UPDATE",
    )
    .fetch_all(tx.conn())
    .await
}

pub async fn set_closed(tx: &mut InstanceTx, user: UserId, is_closed: bool) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET closed_at = CASE WHEN $2 THEN now() END WHERE user_id = $1")
        .bind(user)
        .bind(is_closed)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn set_instance_admin(
    tx: &mut InstanceTx,
    user: UserId,
    is_instance_admin: bool,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE users SET is_instance_admin = $2 WHERE user_id = $1")
        .bind(user)
        .bind(is_instance_admin)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// An account in the list of all.
#[derive(sqlx::FromRow)]
pub struct ListedAccount {
    pub user_id: UserId,
    pub email: String,
    pub display_name: String,
    pub is_instance_admin: bool,
    pub closed_at: Option<DateTime<Utc>>,
    pub last_sign_in_at: Option<DateTime<Utc>>,
}

/// All accounts, by address. When they were last signed in to, the audit log knows: sessions go.
pub async fn accounts(tx: &mut InstanceTx) -> sqlx::Result<Vec<ListedAccount>> {
    sqlx::query_as(
        "SELECT u.user_id, u.email, u.display_name, u.is_instance_admin, u.closed_at, s.last_sign_in_at \
         FROM users u LEFT JOIN ( \
           SELECT object_id, max(occurred_at) AS last_sign_in_at FROM instance_audit_log \
           WHERE action = 'session.create' GROUP BY object_id) s \
         ON s.object_id = u.display_name || ' <' || u.email || '>' ORDER BY u.email",
    )
    .fetch_all(tx.conn())
    .await
}

/// Ends all sessions of a person but one.
pub async fn delete_sessions(tx: &mut InstanceTx, user: UserId, but: Option<[u8; 32]>) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND ($2::bytea IS NULL OR token_hash <> $2)")
        .bind(user)
        .bind(but.as_ref().map(<[u8; 32]>::as_slice))
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Who holds a key: a tenant's, or, where it names no tenant, the installation's.
#[derive(sqlx::FromRow)]
pub struct KeyRow {
    pub tenant_id: Option<String>,
    pub tenant_is_active: Option<bool>,
    pub key_id: KeyId,
    pub name: String,
    pub role: Option<Role>,
    /// Whether its use was last written down more than a minute ago.
    pub is_stale: bool,
}

/// The key with this hash, if it holds. Its use is written down by `tenant_key_used` or `instance_key_used`.
pub async fn key(statement: &mut Statement, hash: &[u8; 32]) -> sqlx::Result<Option<KeyRow>> {
    sqlx::query_as("SELECT tenant_id, tenant_is_active, key_id, name, role, is_stale FROM caller_by_key($1)")
        .bind(hash.as_slice())
        .fetch_optional(statement.conn())
        .await
}

pub async fn tenant_key_used(tx: &mut TenantTx, id: KeyId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("UPDATE api_keys SET last_used_at = now() WHERE tenant_id = $1 AND key_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn instance_key_used(statement: &mut Statement, id: KeyId) -> sqlx::Result<()> {
    sqlx::query("UPDATE instance_api_keys SET last_used_at = now() WHERE key_id = $1")
        .bind(id)
        .execute(statement.conn())
        .await
        .map(drop)
}

/// The person whose session this is, if it lives and their account is open.
pub async fn session_user(
    statement: &mut Statement,
    hash: &[u8; 32],
    idle_minutes: i32,
) -> sqlx::Result<Option<UserRow>> {
    sqlx::query_as(
        "SELECT u.user_id, u.email, u.display_name, u.is_instance_admin, \
         s.last_seen_at < now() - interval '1 minute' AS is_stale FROM sessions s JOIN users u USING (user_id) \
         WHERE s.token_hash = $1 AND s.expires_at > now() AND s.last_seen_at > now() - make_interval(mins => $2) \
         AND u.closed_at IS NULL",
    )
    .bind(hash.as_slice())
    .bind(idle_minutes)
    .fetch_optional(statement.conn())
    .await
}

/// Keeps a session alive.
pub async fn session_seen(statement: &mut Statement, hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query("UPDATE sessions SET last_seen_at = now() WHERE token_hash = $1")
        .bind(hash.as_slice())
        .execute(statement.conn())
        .await
        .map(drop)
}

pub async fn insert_session(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    user: UserId,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE expires_at < now()").execute(tx.conn()).await?;
    sqlx::query("INSERT INTO sessions (token_hash, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash.as_slice())
        .bind(user)
        .bind(expires_at)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Gives a person's session another token. `false` where it has ended.
pub async fn renew_session(
    tx: &mut InstanceTx,
    user: UserId,
    old: &[u8; 32],
    new: &[u8; 32],
) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE sessions SET token_hash = $3 WHERE user_id = $1 AND token_hash = $2")
        .bind(user)
        .bind(old.as_slice())
        .bind(new.as_slice())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn delete_session(tx: &mut InstanceTx, hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sessions WHERE token_hash = $1")
        .bind(hash.as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Uses the link up. The row lock lets one of two who open it at once through.
pub async fn take_link(tx: &mut InstanceTx, hash: &[u8; 32], purpose: &str) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar(
        "UPDATE sign_in_links SET used_at = now() \
         WHERE token_hash = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > now() RETURNING user_id",
    )
    .bind(hash.as_slice())
    .bind(purpose)
    .fetch_optional(tx.conn())
    .await
}

/// Whether a link for this purpose was made in the last five minutes and still holds.
pub async fn has_new_link(tx: &mut InstanceTx, user: UserId, purpose: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM sign_in_links WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL \
         AND expires_at > now() AND created_at > now() - interval '5 minutes')",
    )
    .bind(user)
    .bind(purpose)
    .fetch_one(tx.conn())
    .await
}

/// A new link beside those that the person has.
pub async fn add_link(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    user: UserId,
    purpose: &str,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sign_in_links (token_hash, user_id, purpose, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(hash.as_slice())
    .bind(user)
    .bind(purpose)
    .bind(expires_at)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// A link of a start, beside those of other starts. It signs in.
pub async fn add_first_link(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    user: UserId,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO sign_in_links (token_hash, user_id, purpose, expires_at, is_of_start) \
         VALUES ($1, $2, 'sign_in', $3, true)",
    )
    .bind(hash.as_slice())
    .bind(user)
    .bind(expires_at)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Ends the links of all starts.
pub async fn delete_first_links(tx: &mut InstanceTx) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_links WHERE is_of_start").execute(tx.conn()).await.map(drop)
}

/// Whether a link is one of a start, and an administrator has another way in by now.
pub async fn is_outlived(tx: &mut InstanceTx, hash: &[u8; 32]) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM sign_in_links WHERE token_hash = $1 AND is_of_start) AND EXISTS ( \
           SELECT FROM users u WHERE u.is_instance_admin AND u.closed_at IS NULL AND (u.password_hash IS NOT NULL \
             OR EXISTS (SELECT FROM user_identities i WHERE i.user_id = u.user_id)))",
    )
    .bind(hash.as_slice())
    .fetch_one(tx.conn())
    .await
}

/// Takes back a link that nobody got.
pub async fn delete_link(tx: &mut InstanceTx, hash: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_links WHERE token_hash = $1")
        .bind(hash.as_slice())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Ends the person's other links for the same purpose.
pub async fn delete_other_links(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    user: UserId,
    purpose: &str,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_links WHERE user_id = $2 AND purpose = $3 AND token_hash <> $1")
        .bind(hash.as_slice())
        .bind(user)
        .bind(purpose)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Ends all but so many of the person's links for a purpose, the oldest first.
pub async fn keep_links(tx: &mut InstanceTx, user: UserId, purpose: &str, most: i64) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM sign_in_links WHERE user_id = $1 AND purpose = $2 AND token_hash NOT IN ( \
           SELECT token_hash FROM sign_in_links WHERE user_id = $1 AND purpose = $2 \
           ORDER BY created_at DESC LIMIT $3)",
    )
    .bind(user)
    .bind(purpose)
    .bind(most)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// A new link; the person's earlier ones for the same purpose end.
pub async fn insert_link(
    tx: &mut InstanceTx,
    hash: &[u8; 32],
    user: UserId,
    purpose: &str,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM sign_in_links WHERE user_id = $1 AND purpose = $2")
        .bind(user)
        .bind(purpose)
        .execute(tx.conn())
        .await?;
    add_link(tx, hash, user, purpose, expires_at).await
}

/// Whether somebody has a password, or an administrator comes by another way (OIDC).
pub async fn any_way_in(tx: &mut InstanceTx) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM users WHERE password_hash IS NOT NULL) OR EXISTS ( \
           SELECT FROM user_identities JOIN users USING (user_id) WHERE is_instance_admin)",
    )
    .fetch_one(tx.conn())
    .await
}

/// The first administrator whose account is open, made where there is none. Several servers may start at once.
pub async fn ensure_first_admin(tx: &mut InstanceTx) -> sqlx::Result<UserId> {
    sqlx::query(
        "INSERT INTO users (email, display_name, is_instance_admin) \
         SELECT 'admin@localhost', 'Administrator', true \
         WHERE NOT EXISTS (SELECT FROM users WHERE is_instance_admin AND closed_at IS NULL) \
         ON CONFLICT ON CONSTRAINT uq_eivs_users_email DO NOTHING",
    )
    .execute(tx.conn())
    .await?;
    sqlx::query_scalar(
        "SELECT user_id FROM users WHERE is_instance_admin AND closed_at IS NULL ORDER BY user_id LIMIT 1",
    )
    .fetch_one(tx.conn())
    .await
}

pub async fn role(tx: &mut TenantTx, user: UserId) -> sqlx::Result<Option<Role>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT role FROM memberships WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant.as_str())
        .bind(user)
        .fetch_optional(tx.conn())
        .await
}
