//! SQL of tenants. One that is being deleted is seen by nobody (the policy `while_it_is_there`), but in a transaction that
//! says that it deletes.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgExecutor};

use crate::{
    auth::dto::{MyTenant, Role},
    server::{
        TenantTx,
        database::{CredentialTx, InstanceTx, Statement},
    },
    shared::{TenantId, UserId},
    tenants::dto::{Tenant, ValidTenant},
};

#[derive(sqlx::FromRow)]
struct Row {
    tenant_id: String,
    name: String,
    is_active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Tenant {
    type Error = sqlx::Error;
    fn try_from(row: Row) -> sqlx::Result<Self> {
        Ok(Self {
            tenant_id: row.tenant_id.parse().map_err(|e| sqlx::Error::Decode(Box::new(e)))?,
            name: row.name,
            is_active: row.is_active,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The columns of `Row`.
macro_rules! columns {
    () => {
        "tenant_id, name, is_active, created_at, updated_at"
    };
}

/// All of them.
pub async fn ids(tx: &mut InstanceTx) -> sqlx::Result<Vec<TenantId>> {
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT tenant_id FROM tenants ORDER BY tenant_id").fetch_all(tx.conn()).await?;
    ids.into_iter().map(|id| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// By id, `only` these where given.
pub async fn list(
    tx: &mut InstanceTx,
    only: Option<&[String]>,
    active_only: bool,
    after: Option<&str>,
    limit: i64,
) -> sqlx::Result<Vec<Tenant>> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM tenants WHERE ($1::text[] IS NULL OR tenant_id = ANY($1)) AND (NOT $2 OR is_active) \
         AND tenant_id > coalesce($3, '') ORDER BY tenant_id LIMIT $4"
    ))
    .bind(only)
    .bind(active_only)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The tenants that a person is a member of.
pub async fn memberships(tx: &mut CredentialTx, user: UserId) -> sqlx::Result<Vec<MyTenant>> {
    let rows: Vec<(String, String, bool, Role)> = sqlx::query_as(
        "SELECT t.tenant_id, t.name, t.is_active, m.role FROM memberships m \
         JOIN tenants t USING (tenant_id) WHERE m.user_id = $1 ORDER BY t.name",
    )
    .bind(user)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter()
        .map(|(id, name, is_active, role)| {
            let tenant_id = id.parse::<TenantId>().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(MyTenant { tenant_id, name, is_active, role })
        })
        .collect()
}

pub async fn find(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> =
        sqlx::query_as(concat!("SELECT ", columns!(), " FROM tenants WHERE tenant_id = $1"))
            .bind(id.as_str())
            .fetch_optional(tx.conn())
            .await?;
    row.map(TryInto::try_into).transpose()
}

/// `None` where there is no such tenant.
pub async fn is_active(statement: &mut Statement, id: &TenantId) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar("SELECT is_active FROM tenants WHERE tenant_id = $1")
        .bind(id.as_str())
        .fetch_optional(statement.conn())
        .await
}

/// Kept from being changed or deleted until the transaction ends. Nobody who writes a tenant's rows waits for it, as for a
/// lock that forbids references.
pub async fn lock(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM tenants WHERE tenant_id = $1 FOR NO KEY UPDATE"
    ))
    .bind(id.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

pub async fn insert(tx: &mut InstanceTx, tenant: &ValidTenant) -> sqlx::Result<Tenant> {
    let row: Row = sqlx::query_as(concat!(
        "INSERT INTO tenants (tenant_id, name, is_active) VALUES ($1, $2, $3) RETURNING ",
        columns!()
    ))
    .bind(tenant.tenant_id.as_str())
    .bind(&tenant.name)
    .bind(tenant.is_active)
    .fetch_one(tx.conn())
    .await?;
    row.try_into()
}

/// What waits in a tenant that becomes active waits from then on (`opened_at`).
pub async fn update(tx: &mut InstanceTx, tenant: &ValidTenant) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> = sqlx::query_as(concat!(
        "UPDATE tenants SET name = $2, is_active = $3, updated_at = now(), \
         opened_at = CASE WHEN $3 AND NOT is_active THEN now() ELSE opened_at END WHERE tenant_id = $1 \
         RETURNING ",
        columns!()
    ))
    .bind(tenant.tenant_id.as_str())
    .bind(&tenant.name)
    .bind(tenant.is_active)
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Lets the transaction see tenants that are being deleted.
async fn see_deleted(conn: impl PgExecutor<'_>) -> sqlx::Result<()> {
    sqlx::query("SELECT set_config('app.deleting', 'on', true)").execute(conn).await.map(drop)
}

/// From the commit on, the tenant is gone for everybody. `false` where it is already.
pub async fn mark_deleted(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<bool> {
    see_deleted(tx.conn()).await?;
    let done = sqlx::query(
        "UPDATE tenants SET deleting_since = now() WHERE tenant_id = $1 AND deleting_since IS NULL",
    )
    .bind(id.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether what is left of a deleted tenant still has this id or this name.
pub async fn is_being_deleted(tx: &mut InstanceTx, tenant: &ValidTenant) -> sqlx::Result<bool> {
    see_deleted(tx.conn()).await?;
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM tenants WHERE (tenant_id = $1 OR name = $2) AND deleting_since IS NOT NULL)",
    )
    .bind(tenant.tenant_id.as_str())
    .bind(&tenant.name)
    .fetch_one(tx.conn())
    .await
}

/// Those that are being deleted, the first marked first.
pub async fn deleted(tx: &mut InstanceTx) -> sqlx::Result<Vec<TenantId>> {
    see_deleted(tx.conn()).await?;
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT tenant_id FROM tenants WHERE deleting_since IS NOT NULL ORDER BY deleting_since, tenant_id",
    )
    .fetch_all(tx.conn())
    .await?;
    ids.into_iter().map(|id| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).collect()
}

/// Whose a deleted tenant is to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This transaction's, until it ends.
    Mine,
    /// Another server is at it.
    Taken,
    /// There is nothing left of it, or it is not deleted at all.
    Gone,
}

pub async fn claim_deleted(tx: &mut TenantTx) -> sqlx::Result<Claim> {
    let tenant = tx.tenant().clone();
    see_deleted(tx.conn()).await?;
    let mine: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleting_since IS NOT NULL FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind(tenant.as_str())
    .fetch_optional(tx.conn())
    .await?;
    if mine.is_some() {
        return Ok(Claim::Mine);
    }
    let is_there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM tenants WHERE tenant_id = $1 AND deleting_since IS NOT NULL)",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(if is_there { Claim::Taken } else { Claim::Gone })
}

/// Of what a tenant may have much, in the order in which it goes: the table, its key within the tenant, how many rows go at
/// once, and which of them. First what workers go by. A message whose job somebody has in hand is passed by: it is
/// locked after its job, and here it would be before.
const LARGE: [(&str, &str, u32, &str); 6] = [
    ("jobs", "job_id", 1_000, ""),
    ("classifier_settings", "tenant_id", 1, ""),
    (
        "emails",
        "email_id",
        200,
        " AND NOT EXISTS (SELECT FROM jobs j WHERE j.tenant_id = $1 AND j.email_id = emails.email_id)",
    ),
    ("intent_examples", "example_id", 1_000, ""),
    ("idempotency_keys", "record_id", 200, ""),
    ("taken_messages", "content_hash", 5_000, ""),
];

/// Deletes some of what the tenant has much of; what somebody has in hand is passed by. 0 where there is no more of it.
pub async fn delete_some(tx: &mut TenantTx) -> sqlx::Result<u64> {
    let tenant = tx.tenant().clone();
    for (table, key, most, only) in LARGE {
        let sql = format!(
            "DELETE FROM {table} WHERE tenant_id = $1 AND {key} = ANY (ARRAY( \
               SELECT {key} FROM {table} WHERE tenant_id = $1{only} ORDER BY {key} LIMIT {most} \
               FOR UPDATE SKIP LOCKED))"
        );
        let done = sqlx::query(AssertSqlSafe(sql)).bind(tenant.as_str()).execute(tx.conn()).await?;
        if done.rows_affected() > 0 {
            return Ok(done.rows_affected());
        }
    }
    Ok(0)
}

/// Deletes the claimed tenant itself, with the little that is left of it. `false` where a transaction of before still
/// writes to it, which is not waited for.
pub async fn delete(tx: &mut TenantTx) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let is_free: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM tenants WHERE tenant_id = $1 AND deleting_since IS NOT NULL FOR UPDATE SKIP LOCKED",
    )
    .bind(tenant.as_str())
    .fetch_optional(tx.conn())
    .await?;
    if is_free.is_none() {
        return Ok(false);
    }
    let done = sqlx::query("DELETE FROM tenants WHERE tenant_id = $1 AND deleting_since IS NOT NULL")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
