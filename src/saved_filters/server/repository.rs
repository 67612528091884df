//! SQL of saved filters.

use crate::{saved_filters::dto::SavedFilter, server::TenantTx, shared::FilterId};

/// By name.
pub async fn list(tx: &mut TenantTx, owner: &str) -> sqlx::Result<Vec<SavedFilter>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT filter_id, name, query FROM saved_filters WHERE tenant_id = $1 AND owner = $2 ORDER BY name",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .fetch_all(tx.conn())
    .await
}

pub async fn count(tx: &mut TenantTx, owner: &str) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT count(*) FROM saved_filters WHERE tenant_id = $1 AND owner = $2")
        .bind(tenant.as_str())
        .bind(owner)
        .fetch_one(tx.conn())
        .await
}

/// One of the same name is replaced.
pub async fn save(tx: &mut TenantTx, owner: &str, name: &str, query: &str) -> sqlx::Result<SavedFilter> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "INSERT INTO saved_filters (tenant_id, owner, name, query) VALUES ($1, $2, $3, $4) \
         ON CONFLICT ON CONSTRAINT uq_eivs_saved_filters_name DO UPDATE SET query = excluded.query \
         RETURNING filter_id, name, query",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .bind(name)
    .bind(query)
    .fetch_one(tx.conn())
    .await
}

pub async fn delete(tx: &mut TenantTx, owner: &str, id: FilterId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done =
        sqlx::query("DELETE FROM saved_filters WHERE tenant_id = $1 AND owner = $2 AND filter_id = $3")
            .bind(tenant.as_str())
            .bind(owner)
            .bind(id)
            .execute(tx.conn())
            .await?;
    Ok(done.rows_affected() == 1)
}
