//! SQL of tenants.

use chrono::{DateTime, Utc};

use crate::{
    server::database::{InstanceTx, Statement},
    shared::TenantId,
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
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT tenant_id, name, is_active, created_at, updated_at FROM tenants \
         WHERE ($1::text[] IS NULL OR tenant_id = ANY($1)) AND (NOT $2 OR is_active) \
         AND tenant_id > coalesce($3, '') ORDER BY tenant_id LIMIT $4",
    )
    .bind(only)
    .bind(active_only)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub async fn find(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT tenant_id, name, is_active, created_at, updated_at FROM tenants WHERE tenant_id = $1",
    )
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

/// Kept from being changed or deleted until the transaction ends.
pub async fn lock(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT tenant_id, name, is_active, created_at, updated_at FROM tenants WHERE tenant_id = $1 FOR UPDATE",
    )
    .bind(id.as_str())
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

pub async fn insert(tx: &mut InstanceTx, tenant: &ValidTenant) -> sqlx::Result<Tenant> {
    let row: Row = sqlx::query_as(
        "INSERT INTO tenants (tenant_id, name, is_active) VALUES ($1, $2, $3) \
         RETURNING tenant_id, name, is_active, created_at, updated_at",
    )
    .bind(tenant.tenant_id.as_str())
    .bind(&tenant.name)
    .bind(tenant.is_active)
    .fetch_one(tx.conn())
    .await?;
    row.try_into()
}

pub async fn update(tx: &mut InstanceTx, tenant: &ValidTenant) -> sqlx::Result<Option<Tenant>> {
    let row: Option<Row> = sqlx::query_as(
        "UPDATE tenants SET name = $2, is_active = $3, updated_at = now() WHERE tenant_id = $1 \
         RETURNING tenant_id, name, is_active, created_at, updated_at",
    )
    .bind(tenant.tenant_id.as_str())
    .bind(&tenant.name)
    .bind(tenant.is_active)
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Everything of the tenant goes with it.
pub async fn delete(tx: &mut InstanceTx, id: &TenantId) -> sqlx::Result<bool> {
    let done =
        sqlx::query("DELETE FROM tenants WHERE tenant_id = $1").bind(id.as_str()).execute(tx.conn()).await?;
    Ok(done.rows_affected() == 1)
}
