//! SQL of idempotency keys.

use sqlx::types::Json;

use crate::server::TenantTx;

/// Of a row of `idempotency_keys`: whether it was begun so long ago that no server works on it any more.
macro_rules! is_old {
    () => {
        "created_at < now() - interval '10 minutes'"
    };
}

/// Deletes what was kept for its day.
pub async fn forget_old(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant_id = $1 AND created_at < now() - interval '1 day'")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Deletes what a server left without an answer that stopped at work on the same request, so that it is done after all.
pub async fn forget_unfinished(
    tx: &mut TenantTx,
    caller: &str,
    key: &str,
    fingerprint: &[u8; 32],
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(concat!(
        "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND caller = $2 AND key = $3 AND fingerprint = $4 \
         AND status IS NULL AND ",
        is_old!()
    ))
    .bind(tenant.as_str())
    .bind(caller)
    .bind(key)
    .bind(fingerprint.as_slice())
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Writes the key down. `None` where it is there already.
pub async fn begin(
    tx: &mut TenantTx,
    caller: &str,
    key: &str,
    fingerprint: &[u8; 32],
) -> sqlx::Result<Option<i64>> {
    forget_old(tx).await?;
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO idempotency_keys (tenant_id, caller, key, fingerprint) VALUES ($1, $2, $3, $4) \
         ON CONFLICT ON CONSTRAINT uq_eivs_idempotency_keys_tenant_key DO NOTHING RETURNING record_id",
    )
    .bind(tenant.as_str())
    .bind(caller)
    .bind(key)
    .bind(fingerprint.as_slice())
    .fetch_optional(tx.conn())
    .await
}

#[derive(sqlx::FromRow)]
pub struct Record {
    pub record_id: i64,
    pub fingerprint: Vec<u8>,
    pub status: Option<i32>,
    pub headers: Json<Vec<(String, String)>>,
    /// Encrypted.
    pub answer: Option<Vec<u8>>,
    /// Whether it was begun so long ago that no server works on it any more.
    pub is_old: bool,
}

pub async fn find(tx: &mut TenantTx, caller: &str, key: &str) -> sqlx::Result<Option<Record>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(concat!(
        "SELECT record_id, fingerprint, status, headers, answer, ",
        is_old!(),
        " AS is_old FROM idempotency_keys WHERE tenant_id = $1 AND caller = $2 AND key = $3"
    ))
    .bind(tenant.as_str())
    .bind(caller)
    .bind(key)
    .fetch_optional(tx.conn())
    .await
}

pub async fn finish(
    tx: &mut TenantTx,
    record: i64,
    status: u16,
    headers: &[(String, String)],
    sealed: &[u8],
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE idempotency_keys SET status = $3, headers = $4, answer = $5 WHERE tenant_id = $1 AND record_id = $2",
    )
    .bind(tenant.as_str())
    .bind(record)
    .bind(i32::from(status))
    .bind(Json(headers))
    .bind(sealed)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn forget(tx: &mut TenantTx, record: i64) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM idempotency_keys WHERE tenant_id = $1 AND record_id = $2")
        .bind(tenant.as_str())
        .bind(record)
        .execute(tx.conn())
        .await
        .map(drop)
}
