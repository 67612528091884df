//! SQL of mailboxes, their domains and their signs of life.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use crate::{
    datasources::dto::MASK,
    mailboxes::dto::{Heartbeat, ImapAccount, Mailbox, MailboxInput, MailboxKind, MailboxState},
    server::{TenantTx, database::Statement},
    shared::{MailboxId, TenantId},
};

#[derive(Clone, sqlx::FromRow)]
pub struct Row {
    pub mailbox_id: MailboxId,
    pub name: String,
    pub kind: MailboxKind,
    pub address: Option<String>,
    /// Its password masked.
    pub imap: Option<Json<ImapAccount>>,
    /// Encrypted.
    pub password: Option<Vec<u8>>,
    pub is_active: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    last_seen_at: Option<DateTime<Utc>>,
    last_message_at: Option<DateTime<Utc>>,
    stored: i64,
    on_server: Option<i64>,
    left_there: i64,
    unreadable: i64,
    problem: Option<String>,
    failing_since: Option<DateTime<Utc>>,
}

impl Row {
    pub fn into_mailbox(self, tenant: &TenantId) -> Mailbox {
        let state = match (self.is_active, &self.problem, self.last_seen_at) {
            (false, ..) => MailboxState::Inactive,
            (_, Some(_), _) => MailboxState::Failing,
            (_, None, None) => MailboxState::Waiting,
            (_, None, Some(_)) => MailboxState::Ok,
        };
        Mailbox {
            mailbox_id: self.mailbox_id,
            tenant_id: tenant.clone(),
            name: self.name,
            kind: self.kind,
            address: self.address,
            imap: self.imap.map(|json| json.0),
            is_active: self.is_active,
            created_at: self.created_at,
            updated_at: self.updated_at,
            heartbeat: Heartbeat {
                state,
                last_seen_at: self.last_seen_at,
                last_message_at: self.last_message_at,
                messages_stored: self.stored,
                messages_on_server: self.on_server,
                messages_left: self.left_there,
                messages_unreadable: self.unreadable,
                problem: self.problem,
                failing_since: self.failing_since,
            },
        }
    }
}

/// A tenant's mailboxes with their signs of life, narrowed by `$rest`; `$1` is the tenant.
macro_rules! of_tenant {
    ($rest:literal) => {
        concat!(
            "SELECT m.*, h.last_seen_at, h.last_message_at, h.stored, h.on_server, h.left_there, h.problem, \
             h.failing_since, (SELECT count(*) FROM mailbox_leftovers l WHERE l.tenant_id = $1 \
               AND l.mailbox_id = m.mailbox_id AND l.uid_validity = h.uid_validity AND NOT l.is_stored) AS unreadable \
             FROM mailboxes m JOIN mailbox_heartbeats h USING (tenant_id, mailbox_id) \
             WHERE m.tenant_id = $1 ",
            $rest
        )
    };
}

/// By id, after `after`.
pub async fn list(
    tx: &mut TenantTx,
    active_only: bool,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(of_tenant!(
        "AND (NOT $2 OR m.is_active) AND m.mailbox_id > coalesce($3, 0) ORDER BY m.mailbox_id LIMIT $4"
    ))
    .bind(tenant.as_str())
    .bind(active_only)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// `lock` keeps it from being changed or deleted until the transaction ends.
pub async fn find(tx: &mut TenantTx, id: MailboxId, lock: bool) -> sqlx::Result<Option<Row>> {
    let tenant = tx.tenant().clone();
    let sql = if lock {
        of_tenant!("AND m.mailbox_id = $2 FOR UPDATE OF m")
    } else {
        of_tenant!("AND m.mailbox_id = $2")
    };
    sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(tx.conn()).await
}

pub async fn count(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT count(*) FROM mailboxes WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

/// The account as it is stored: the password stands apart.
fn masked(account: &ImapAccount) -> Json<ImapAccount> {
    Json(ImapAccount { password: MASK.to_owned(), ..account.clone() })
}

/// Without its password, whose encryption needs the id.
pub async fn insert(tx: &mut TenantTx, input: &MailboxInput) -> sqlx::Result<MailboxId> {
    let tenant = tx.tenant().clone();
    let id: MailboxId = sqlx::query_scalar(
        "INSERT INTO mailboxes (tenant_id, name, kind, address, imap, is_active) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING mailbox_id",
    )
    .bind(tenant.as_str())
    .bind(&input.name)
    .bind(input.kind.as_str())
    .bind(&input.address)
    .bind(input.imap.as_ref().map(masked))
    .bind(input.is_active)
    .fetch_one(tx.conn())
    .await?;
    sqlx::query("INSERT INTO mailbox_heartbeats (tenant_id, mailbox_id) VALUES ($1, $2)")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(id)
}

pub async fn update(tx: &mut TenantTx, id: MailboxId, input: &MailboxInput) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE mailboxes SET name = $3, address = $4, imap = $5, is_active = $6, updated_at = now() \
         WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&input.name)
    .bind(&input.address)
    .bind(input.imap.as_ref().map(masked))
    .bind(input.is_active)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn set_password(tx: &mut TenantTx, id: MailboxId, sealed: &[u8]) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("UPDATE mailboxes SET password = $3 WHERE tenant_id = $1 AND mailbox_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn delete(tx: &mut TenantTx, id: MailboxId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM mailboxes WHERE tenant_id = $1 AND mailbox_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Until the transaction ends, nobody else says which the tenant's domains are.
pub async fn lock_domains(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('mail domains of ' || $1, 0))")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// By name.
pub async fn domains(tx: &mut TenantTx) -> sqlx::Result<Vec<String>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT domain FROM mail_domains WHERE tenant_id = $1 ORDER BY domain")
        .bind(tenant.as_str())
        .fetch_all(tx.conn())
        .await
}

/// Puts these in the place of those that there are. One that is another tenant's is left out.
pub async fn set_domains(tx: &mut TenantTx, domains: &[String]) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM mail_domains WHERE tenant_id = $1 AND domain <> ALL ($2)")
        .bind(tenant.as_str())
        .bind(domains)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "INSERT INTO mail_domains (tenant_id, domain) SELECT $1, unnest($2::text[]) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(domains)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Whose mail it is.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Recipient {
    #[sqlx(try_from = "String")]
    pub tenant_id: TenantId,
    pub mailbox_id: MailboxId,
    pub name: String,
    pub address: String,
    /// Whether its tenant is active.
    pub is_open: bool,
}

/// The active mailboxes with one of these addresses. The database shows none but those: whoever names an address knows
/// it.
pub async fn by_addresses(statement: &mut Statement, addresses: &[String]) -> sqlx::Result<Vec<Recipient>> {
    sqlx::query_as(
        "WITH asked AS MATERIALIZED (SELECT set_config('app.recipients', $1, true) AS list) \
         SELECT found.* FROM asked CROSS JOIN LATERAL ( \
           SELECT m.tenant_id, m.mailbox_id, m.name, m.address, t.is_active AS is_open \
           FROM mailboxes m JOIN tenants t USING (tenant_id) \
           WHERE m.kind = 'smtp' AND m.address = ANY (string_to_array(asked.list, E'\\n')) AND m.is_active \
           OFFSET 0) AS found",
    )
    .bind(addresses.join("\n"))
    .fetch_all(statement.conn())
    .await
}

/// At which addresses the tenant reads mail: those of active mailboxes, and the names of accounts elsewhere whose folder was
/// seen, which need not be addresses.
pub async fn addresses(tx: &mut TenantTx) -> sqlx::Result<Vec<String>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT coalesce(m.address, m.imap ->> 'username') FROM mailboxes m \
         JOIN mailbox_heartbeats h USING (tenant_id, mailbox_id) WHERE m.tenant_id = $1 AND m.is_active \
         AND (m.kind = 'smtp' OR h.last_seen_at IS NOT NULL AND m.imap ->> 'username' NOT LIKE '*%')",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await
}

/// Notes that a message came by it, and keeps it from being deleted until the transaction ends. A message names its
/// mailbox without a foreign key: what comes by one that is gone fails here. One that is not new is no sign that a mailbox
/// works again: it may be met at each try.
pub async fn message_came(tx: &mut TenantTx, id: MailboxId, is_new: bool) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE mailbox_heartbeats SET last_seen_at = now(), \
         problem = CASE WHEN NOT $3 THEN problem END, \
         failing_since = CASE WHEN NOT $3 THEN failing_since END, \
         last_message_at = CASE WHEN $3 THEN now() ELSE last_message_at END, \
         stored = stored + CASE WHEN $3 THEN 1 ELSE 0 END WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(is_new)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}
