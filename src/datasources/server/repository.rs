//! SQL of datasources.

use chrono::{DateTime, Utc};

use crate::{
    datasources::dto::{Datasource, DatasourceInput, DatasourceType},
    server::{TenantRows, TenantTx, database::in_tenant},
    shared::DatasourceId,
};

#[derive(sqlx::FromRow)]
struct Row {
    datasource_id: DatasourceId,
    name: String,
    datasource_type: DatasourceType,
    connection_key: String,
    description: String,
    is_active: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn into_datasource(self, tx: &impl TenantRows) -> Datasource {
        Datasource {
            datasource_id: self.datasource_id,
            tenant_id: tx.tenant().clone(),
            name: self.name,
            datasource_type: self.datasource_type,
            connection_key: self.connection_key,
            description: self.description,
            is_active: self.is_active,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// By id, after `after`.
pub async fn list(
    tx: &mut TenantTx,
    active_only: bool,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Datasource>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM datasources WHERE tenant_id = $1 AND (NOT $2 OR is_active) \
         AND datasource_id > coalesce($3, 0) ORDER BY datasource_id LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(active_only)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_datasource(tx)).collect())
}

/// Those that use a config, by name.
pub async fn using(tx: &mut TenantTx, connection_key: &str) -> sqlx::Result<Vec<Datasource>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM datasources WHERE tenant_id = $1 AND connection_key = $2 ORDER BY name",
    )
    .bind(tenant.as_str())
    .bind(connection_key)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_datasource(tx)).collect())
}

pub async fn find(tx: &mut impl TenantRows, id: DatasourceId) -> sqlx::Result<Option<Datasource>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(in_tenant!(
        "SELECT * FROM datasources WHERE tenant_id = tenant.id AND datasource_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_datasource(tx)))
}

/// Kept from being changed or deleted until the transaction ends.
pub async fn lock(tx: &mut TenantTx, id: DatasourceId) -> sqlx::Result<Option<Datasource>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> =
        sqlx::query_as("SELECT * FROM datasources WHERE tenant_id = $1 AND datasource_id = $2 FOR UPDATE")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(tx.conn())
            .await?;
    Ok(row.map(|row| row.into_datasource(tx)))
}

pub async fn insert(tx: &mut TenantTx, input: &DatasourceInput) -> sqlx::Result<Datasource> {
    let tenant = tx.tenant().clone();
    let row: Row = sqlx::query_as(
        "INSERT INTO datasources (tenant_id, name, datasource_type, connection_key, description, is_active) \
         VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
    )
    .bind(tenant.as_str())
    .bind(&input.name)
    .bind(input.datasource_type.as_str())
    .bind(&input.connection_key)
    .bind(&input.description)
    .bind(input.is_active)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into_datasource(tx))
}

pub async fn update(
    tx: &mut TenantTx,
    id: DatasourceId,
    input: &DatasourceInput,
) -> sqlx::Result<Option<Datasource>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(
        "UPDATE datasources SET name = $3, datasource_type = $4, connection_key = $5, description = $6, \
         is_active = $7, updated_at = now() WHERE tenant_id = $1 AND datasource_id = $2 RETURNING *",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&input.name)
    .bind(input.datasource_type.as_str())
    .bind(&input.connection_key)
    .bind(&input.description)
    .bind(input.is_active)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_datasource(tx)))
}

/// Its rules go with it.
pub async fn delete(tx: &mut TenantTx, id: DatasourceId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM datasources WHERE tenant_id = $1 AND datasource_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
