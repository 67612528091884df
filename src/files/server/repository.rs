//! SQL of files, which themselves are on the disk: what was uploaded, by whichever server, so that one that does not share
//! the others' folder is told apart.

use chrono::{DateTime, Utc};

use super::{path::FilePath, store::Uploaded};
use crate::server::{TenantRead, TenantRows, TenantTx, database::in_tenant};

/// Until the transaction ends, no other file of the tenant is put in its place, by whatever server.
pub async fn lock(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('files of ' || $1, 0))")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Notes a file that is uploaded. Answers the time that it is to say of itself: its own, unless what it replaces has a
/// later one, by another server's clock.
pub async fn note(tx: &mut TenantTx, path: &FilePath, uploaded: Uploaded) -> sqlx::Result<DateTime<Utc>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO uploaded_files AS known (tenant_id, path, size, uploaded_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id, path) DO UPDATE SET size = excluded.size, \
         uploaded_at = greatest(excluded.uploaded_at, known.uploaded_at + interval '1 microsecond') \
         RETURNING uploaded_at",
    )
    .bind(tenant.as_str())
    .bind(path.as_str())
    .bind(i64::try_from(uploaded.size).unwrap_or(i64::MAX))
    .bind(DateTime::<Utc>::from(uploaded.at))
    .fetch_one(tx.conn())
    .await
}

/// Whether it was known.
pub async fn forget(tx: &mut TenantTx, path: &FilePath) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM uploaded_files WHERE tenant_id = $1 AND path = $2")
        .bind(tenant.as_str())
        .bind(path.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Those of the files at these paths that were uploaded, with their paths.
pub async fn find(read: &mut TenantRead, paths: &[&str]) -> sqlx::Result<Vec<(String, Uploaded)>> {
    let tenant = read.tenant().clone();
    let rows: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(in_tenant!(
        "SELECT path, size, uploaded_at FROM uploaded_files WHERE tenant_id = tenant.id AND path = ANY ($2)"
    ))
    .bind(tenant.as_str())
    .bind(paths)
    .fetch_all(read.conn())
    .await?;
    Ok(rows.into_iter().map(|(path, size, at)| (path, uploaded(size, at))).collect())
}

/// All that were uploaded, with their paths.
pub async fn all(read: &mut TenantRead) -> sqlx::Result<Vec<(String, Uploaded)>> {
    let tenant = read.tenant().clone();
    let rows: Vec<(String, i64, DateTime<Utc>)> = sqlx::query_as(in_tenant!(
        "SELECT path, size, uploaded_at FROM uploaded_files WHERE tenant_id = tenant.id"
    ))
    .bind(tenant.as_str())
    .fetch_all(read.conn())
    .await?;
    Ok(rows.into_iter().map(|(path, size, at)| (path, uploaded(size, at))).collect())
}

fn uploaded(size: i64, at: DateTime<Utc>) -> Uploaded {
    Uploaded { size: u64::try_from(size).unwrap_or_default(), at: at.into() }
}
