//! SQL of saved filters.

use crate::{saved_filters::dto::SavedFilter, server::TenantTx, shared::FilterId};

/// The owner's own and those that are shared, by name. `is_admin` says whether the owner may change the others', too.
pub async fn list(tx: &mut TenantTx, owner: &str, is_admin: bool) -> sqlx::Result<Vec<SavedFilter>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT filter_id, name, query, is_shared, owner = $2 OR (is_shared AND $3) AS may_change, \
         owner = $2 AS is_mine FROM saved_filters WHERE tenant_id = $1 AND (owner = $2 OR is_shared) ORDER BY name, is_shared",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .bind(is_admin)
    .fetch_all(tx.conn())
    .await
}

/// How many the owner has, and how many are shared, whoever saved them.
pub async fn counts(tx: &mut TenantTx, owner: &str) -> sqlx::Result<(i64, i64)> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE owner = $2), count(*) FILTER (WHERE is_shared) \
         FROM saved_filters WHERE tenant_id = $1",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .fetch_one(tx.conn())
    .await
}

/// One of the owner's that has the name already is replaced.
pub async fn save(
    tx: &mut TenantTx,
    owner: &str,
    name: &str,
    query: &str,
    is_shared: bool,
) -> sqlx::Result<SavedFilter> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "INSERT INTO saved_filters (tenant_id, owner, name, query, is_shared) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT ON CONSTRAINT uq_eivs_saved_filters_name \
         DO UPDATE SET query = excluded.query, is_shared = excluded.is_shared \
         RETURNING filter_id, name, query, is_shared, true AS may_change, true AS is_mine",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .bind(name)
    .bind(query)
    .bind(is_shared)
    .fetch_one(tx.conn())
    .await
}

/// Replaces the shared one of this name, where it is another's and the owner has none of the name: that is theirs to share.
pub async fn replace_anothers(
    tx: &mut TenantTx,
    owner: &str,
    name: &str,
    query: &str,
) -> sqlx::Result<Option<SavedFilter>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "UPDATE saved_filters SET query = $4 \
         WHERE tenant_id = $1 AND name = $3 AND is_shared AND owner <> $2 \
         AND NOT EXISTS (SELECT FROM saved_filters own WHERE own.tenant_id = $1 AND own.owner = $2 AND own.name = $3) \
         RETURNING filter_id, name, query, is_shared, true AS may_change, false AS is_mine",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .bind(name)
    .bind(query)
    .fetch_optional(tx.conn())
    .await
}

/// Deletes one of the owner's; with `is_admin`, also another's that is shared.
pub async fn delete(tx: &mut TenantTx, owner: &str, is_admin: bool, id: FilterId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "DELETE FROM saved_filters WHERE tenant_id = $1 AND filter_id = $4 \
         AND (owner = $2 OR (is_shared AND $3))",
    )
    .bind(tenant.as_str())
    .bind(owner)
    .bind(is_admin)
    .bind(id)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether there is one of this id that everyone has.
pub async fn is_shared(tx: &mut TenantTx, id: FilterId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM saved_filters WHERE tenant_id = $1 AND filter_id = $2 AND is_shared)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(tx.conn())
    .await
}
