//! SQL of API keys.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use crate::{
    auth::dto::Role,
    keys::dto::ApiKey,
    server::{
        TenantTx,
        database::{Conn, InstanceTx},
    },
    shared::KeyId,
};

#[derive(sqlx::FromRow)]
struct Row {
    key_id: KeyId,
    name: String,
    #[sqlx(default)]
    role: Option<Role>,
    prefix: String,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            key_id: row.key_id,
            name: row.name,
            role: row.role,
            prefix: row.prefix,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// What is stored of a new key.
pub struct NewKey {
    pub name: String,
    /// How it begins.
    pub prefix: String,
    pub hash: [u8; 32],
    pub expires_at: Option<DateTime<Utc>>,
    /// Who makes it, by name.
    pub created_by: String,
    /// Who makes it, as no other is called: by `Actor::identity`.
    pub made_by: String,
}

const COLUMNS: &str = "key_id, name, prefix, created_by, created_at, expires_at, last_used_at, revoked_at";
const HOLDS: &str = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";

/// By id, after `after`.
pub async fn list(
    tx: &mut TenantTx,
    active_only: bool,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<ApiKey>> {
    let tenant = tx.tenant().clone();
    let sql = format!(
        "SELECT role, {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND (NOT $2 OR {HOLDS}) \
         AND key_id > coalesce($3, 0) ORDER BY key_id LIMIT $4"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(active_only)
        .bind(after)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn find(tx: &mut TenantTx, id: KeyId) -> sqlx::Result<Option<ApiKey>> {
    let tenant = tx.tenant().clone();
    let sql = format!("SELECT role, {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND key_id = $2");
    let row: Option<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.as_str()).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(Into::into))
}

/// Each key that one of `$2` made, and with it what that key made, and so on, whether it works or not: what a key makes
/// is in the end its own maker's. A key is named as `Actor::identity` has it.
const MADE: &str = "WITH RECURSIVE made (maker, key_id) AS ( \
      SELECT made_by, key_id FROM api_keys WHERE tenant_id = $1 AND made_by = ANY ($2) \
      UNION SELECT made.maker, k.key_id FROM made \
      JOIN api_keys k ON k.tenant_id = $1 AND k.made_by = 'key ' || made.key_id)";

/// How many keys that each of these made work; who is not named made none.
pub async fn working(tx: &mut TenantTx, makers: &[String]) -> sqlx::Result<Vec<(String, i64)>> {
    let tenant = tx.tenant().clone();
    let sql = format!(
        "{MADE} SELECT maker, count(*) FROM made JOIN api_keys USING (key_id) \
         WHERE tenant_id = $1 AND {HOLDS} GROUP BY maker"
    );
    sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.as_str()).bind(makers).fetch_all(tx.conn()).await
}

/// The keys that any of `makers` made, by id, whether they work or not.
pub async fn made_by(tx: &mut TenantTx, makers: &[String]) -> sqlx::Result<Vec<ApiKey>> {
    let tenant = tx.tenant().clone();
    let sql = format!(
        "{MADE} SELECT role, {COLUMNS} FROM made JOIN api_keys USING (key_id) WHERE tenant_id = $1 ORDER BY key_id"
    );
    let rows: Vec<Row> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(tenant.as_str()).bind(makers).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whether the key works, which then stays so until the transaction ends.
pub async fn hold(tx: &mut TenantTx, id: KeyId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let sql = format!("SELECT 1 FROM api_keys WHERE tenant_id = $1 AND key_id = $2 AND {HOLDS} FOR SHARE");
    let found: Option<i32> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(tx.conn())
        .await?;
    Ok(found.is_some())
}

pub async fn insert(tx: &mut TenantTx, key: &NewKey, role: Role) -> sqlx::Result<ApiKey> {
    let tenant = tx.tenant().clone();
    let sql = format!(
        "INSERT INTO api_keys (tenant_id, name, role, prefix, key_hash, expires_at, created_by, made_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING role, {COLUMNS}"
    );
    let row: Row = sqlx::query_as(AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(&key.name)
        .bind(role.as_str())
        .bind(&key.prefix)
        .bind(key.hash.as_slice())
        .bind(key.expires_at)
        .bind(&key.created_by)
        .bind(&key.made_by)
        .fetch_one(tx.conn())
        .await?;
    Ok(row.into())
}

/// Ends it for good. `false` for a key that was revoked before, which stays as it was.
pub async fn revoke(tx: &mut TenantTx, id: KeyId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1 AND key_id = $2 AND revoked_at IS NULL",
    )
    .bind(tenant.as_str())
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// By id, after `after`.
pub async fn list_instance(
    tx: &mut InstanceTx,
    active_only: bool,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<ApiKey>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM instance_api_keys WHERE (NOT $1 OR {HOLDS}) AND key_id > coalesce($2, 0) \
         ORDER BY key_id LIMIT $3"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql))
        .bind(active_only)
        .bind(after)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn find_instance(tx: &mut InstanceTx, id: KeyId) -> sqlx::Result<Option<ApiKey>> {
    let sql = format!("SELECT {COLUMNS} FROM instance_api_keys WHERE key_id = $1");
    let row: Option<Row> = sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(tx.conn()).await?;
    Ok(row.map(Into::into))
}

/// As `MADE`, of the installation's keys: each that `$1` made, and what that made.
const INSTANCE_MADE: &str = "WITH RECURSIVE made (key_id) AS ( \
      SELECT key_id FROM instance_api_keys WHERE made_by = $1 \
      UNION SELECT k.key_id FROM made \
      JOIN instance_api_keys k ON k.made_by = 'instance key ' || made.key_id)";

/// How many keys of the installation that somebody made work.
pub async fn instance_working(tx: &mut InstanceTx, maker: &str) -> sqlx::Result<i64> {
    let sql = format!(
        "{INSTANCE_MADE} SELECT count(*) FROM made JOIN instance_api_keys USING (key_id) WHERE {HOLDS}"
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(maker).fetch_one(tx.conn()).await
}

/// The keys of the installation that somebody made, by id, whether they work or not.
pub async fn instance_made_by(tx: &mut InstanceTx, maker: &str) -> sqlx::Result<Vec<ApiKey>> {
    let sql = format!(
        "{INSTANCE_MADE} SELECT {COLUMNS} FROM made JOIN instance_api_keys USING (key_id) ORDER BY key_id"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(sql)).bind(maker).fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Whether the installation's key works, which then stays so until the transaction ends.
pub async fn hold_instance(conn: &mut Conn, id: KeyId) -> sqlx::Result<bool> {
    let sql = format!("SELECT 1 FROM instance_api_keys WHERE key_id = $1 AND {HOLDS} FOR SHARE");
    let found: Option<i32> = sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_optional(conn).await?;
    Ok(found.is_some())
}

pub async fn insert_instance(tx: &mut InstanceTx, key: &NewKey) -> sqlx::Result<ApiKey> {
    let sql = format!(
        "INSERT INTO instance_api_keys (name, prefix, key_hash, expires_at, created_by, made_by) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING {COLUMNS}"
    );
    let row: Row = sqlx::query_as(AssertSqlSafe(sql))
        .bind(&key.name)
        .bind(&key.prefix)
        .bind(key.hash.as_slice())
        .bind(key.expires_at)
        .bind(&key.created_by)
        .bind(&key.made_by)
        .fetch_one(tx.conn())
        .await?;
    Ok(row.into())
}

/// Ends it for good. `false` for a key that was revoked before, which stays as it was.
pub async fn revoke_instance(tx: &mut InstanceTx, id: KeyId) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE instance_api_keys SET revoked_at = now() WHERE key_id = $1 AND revoked_at IS NULL",
    )
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
