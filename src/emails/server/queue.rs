//! The queue of messages to process: rows in PostgreSQL, claimed with `FOR UPDATE SKIP LOCKED`, leased.
//!
//! Its own small table, enqueued in the intake's transaction, as the services that people trust have it
//! (rust-lang's package registry server, matrix-authentication-service). Rejected: graphile_worker and apalis,
//! whose jobs stand outside row-level security and know no fairness between tenants.

use std::time::Duration;

use uuid::Uuid;

use crate::{
    server::{TenantTx, database::WorkerTx},
    shared::{EmailId, TenantId},
};

/// Where workers listen.
pub const CHANNEL: &str = "flowengine_jobs";

/// How long a claimed job is a worker's own without a sign of life.
pub const LEASE: Duration = Duration::from_secs(30);

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Job {
    pub tenant: TenantId,
    pub job_id: i64,
    pub email_id: EmailId,
    /// How often it was claimed, this time included.
    pub attempts: i32,
    /// The lease: whoever has another one in the row has the job.
    pub token: Uuid,
}

/// Writes the job of a message, in the caller's transaction. A job that is there already starts afresh, and a
/// worker that has it loses it.
pub async fn enqueue(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO jobs (tenant_id, email_id) VALUES ($1, $2) \
         ON CONFLICT ON CONSTRAINT uq_eivs_jobs_tenant_email DO UPDATE SET run_at = now(), attempts = 0, \
         lock_token = NULL, locked_until = NULL, last_error = NULL",
    )
    .bind(tenant.as_str())
    .bind(email)
    .execute(tx.conn())
    .await?;
    // Sent at commit, to whoever listens then.
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(tx.conn()).await?;
    Ok(())
}

/// Claims one due job of the first tenant after `after` that has one. Going round by tenant, no tenant's queue,
/// however long, keeps another's waiting. `full` are tenants that have their share of this server already.
pub async fn claim_next(tx: &mut WorkerTx, after: &str, full: &[String]) -> sqlx::Result<Option<Job>> {
    let token = Uuid::new_v4();
    let row: Option<(String, i64, EmailId, i32)> = sqlx::query_as(
        "UPDATE jobs SET lock_token = $2, locked_until = now() + make_interval(secs => $3), \
         attempts = attempts + 1 \
         WHERE (tenant_id, job_id) = ( \
           SELECT due.tenant_id, due.job_id FROM tenants t CROSS JOIN LATERAL ( \
             SELECT j.tenant_id, j.job_id FROM jobs j WHERE j.tenant_id = t.tenant_id AND j.run_at <= now() \
             AND (j.locked_until IS NULL OR j.locked_until < now()) \
             ORDER BY j.run_at LIMIT 1 FOR UPDATE SKIP LOCKED) due \
           WHERE t.tenant_id > $1 AND t.tenant_id <> ALL ($4) ORDER BY t.tenant_id LIMIT 1) \
         RETURNING tenant_id, job_id, email_id, attempts",
    )
    .bind(after)
    .bind(token)
    .bind(LEASE.as_secs_f64())
    .bind(full)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|(tenant, job_id, email_id, attempts)| {
        let tenant = tenant.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Job { tenant, job_id, email_id, attempts, token })
    })
    .transpose()
}

/// Claims the job of one message, if nobody has it.
pub async fn claim_of(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<Option<Job>> {
    let tenant = tx.tenant().clone();
    let token = Uuid::new_v4();
    let row: Option<(i64, i32)> = sqlx::query_as(
        "UPDATE jobs SET lock_token = $3, locked_until = now() + make_interval(secs => $4), \
         attempts = attempts + 1 WHERE (tenant_id, job_id) = ( \
           SELECT tenant_id, job_id FROM jobs WHERE tenant_id = $1 AND email_id = $2 \
           AND (locked_until IS NULL OR locked_until < now()) FOR UPDATE SKIP LOCKED) \
         RETURNING job_id, attempts",
    )
    .bind(tenant.as_str())
    .bind(email)
    .bind(token)
    .bind(LEASE.as_secs_f64())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(job_id, attempts)| Job { tenant, job_id, email_id: email, attempts, token }))
}

/// A sign of life. `false` where the job is no longer this worker's.
pub async fn extend(tx: &mut TenantTx, job: &Job) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE jobs SET locked_until = now() + make_interval(secs => $4) \
         WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3",
    )
    .bind(job.tenant.as_str())
    .bind(job.job_id)
    .bind(job.token)
    .bind(LEASE.as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the job, in the transaction that stores its outcome. `false` where it is no longer this worker's: then
/// the transaction must not commit, and so a message is decided once.
pub async fn finish(tx: &mut TenantTx, job: &Job) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM jobs WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3")
        .bind(job.tenant.as_str())
        .bind(job.job_id)
        .bind(job.token)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends whatever job the message has, since a person decided.
pub async fn cancel(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM jobs WHERE tenant_id = $1 AND email_id = $2")
        .bind(tenant.as_str())
        .bind(email)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Gives the job back, to be tried again after `delay`. `false` where it is no longer this worker's.
pub async fn retry_later(tx: &mut TenantTx, job: &Job, delay: Duration, error: &str) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE jobs SET run_at = now() + make_interval(secs => $4), lock_token = NULL, locked_until = NULL, \
         last_error = $5 WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3",
    )
    .bind(job.tenant.as_str())
    .bind(job.job_id)
    .bind(job.token)
    .bind(delay.as_secs_f64())
    .bind(error)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}
