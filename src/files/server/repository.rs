//! SQL of files, which themselves are on the disk.

use crate::server::TenantTx;

/// Until the transaction ends, no other file of the tenant is put in its place, by whatever server.
pub async fn lock(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('files of ' || $1, 0))")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}
