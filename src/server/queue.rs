//! The queue of all work: rows in PostgreSQL, claimed with `FOR UPDATE SKIP LOCKED`, leased.
//!
//! Its own small table, enqueued in the transaction of what the work is about, as the services that people trust
//! have it (rust-lang's package registry server, matrix-authentication-service). Rejected: graphile_worker and
//! apalis, whose jobs stand outside row-level security and know no fairness between tenants.

use std::time::Duration;

use uuid::Uuid;

use super::{TenantTx, changes, database::WorkerTx};
use crate::shared::{BacktestId, DeliveryId, EmailId, TenantId};

/// How long a claimed job is a worker's own without a sign of life.
pub const LEASE: Duration = Duration::from_secs(30);

/// What a job can be about.
pub trait Subject: Copy + Send + Sync + 'static {
    /// As it stands in the column `kind`.
    const KIND: &'static str;

    fn from_uuid(id: Uuid) -> Self;
    fn uuid(self) -> Uuid;

    /// Where workers listen.
    fn channel() -> String {
        format!("flowengine_{}", Self::KIND)
    }
}

/// A message to be decided.
impl Subject for EmailId {
    const KIND: &'static str = "email";

    fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
    fn uuid(self) -> Uuid {
        self.0
    }
}

/// A delivery to be sent.
impl Subject for DeliveryId {
    const KIND: &'static str = "delivery";

    fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
    fn uuid(self) -> Uuid {
        self.0
    }
}

/// A backtest to be gone on with.
impl Subject for BacktestId {
    const KIND: &'static str = "backtest";

    fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }
    fn uuid(self) -> Uuid {
        self.0
    }
}

/// A claimed job.
#[derive(Clone, Debug)]
pub struct Job<S> {
    pub tenant: TenantId,
    pub job_id: i64,
    pub subject: S,
    /// How often it was claimed, this time included.
    pub attempts: i32,
    /// Since it was written, began afresh, or could be worked on again after its tenant had been inactive.
    pub age: Duration,
    /// The lease: whoever has another one in the row has the job.
    pub token: Uuid,
}

/// Writes jobs, in the caller's transaction. A job that is there already starts afresh, and a worker that has it
/// loses it.
pub async fn enqueue<S: Subject>(tx: &mut TenantTx, subjects: &[S]) -> sqlx::Result<()> {
    enqueue_after(tx, subjects, Duration::ZERO).await
}

/// As `enqueue`; the jobs wait for so long first.
pub async fn enqueue_after<S: Subject>(
    tx: &mut TenantTx,
    subjects: &[S],
    wait: Duration,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO jobs (tenant_id, kind, subject, run_at) \
         SELECT $1, $2, unnest($3::uuid[]), now() + make_interval(secs => $4) \
         ON CONFLICT ON CONSTRAINT uq_eivs_jobs_tenant_subject DO UPDATE SET run_at = excluded.run_at, attempts = 0, \
         created_at = now(), lock_token = NULL, locked_until = NULL, last_error = NULL",
    )
    .bind(tenant.as_str())
    .bind(S::KIND)
    .bind(subjects.iter().map(|subject| subject.uuid()).collect::<Vec<_>>())
    .bind(wait.as_secs_f64())
    .execute(tx.conn())
    .await?;
    tx.tell(&S::channel(), "");
    changes::tell(tx);
    Ok(())
}

/// Claims one due job of the first tenant after `after` that has one. Going round by tenant, no tenant's queue,
/// however long, keeps another's waiting. `full` are tenants that have their share of this server already. What an
/// inactive tenant has is kept until it is opened again.
///
/// It steps from one tenant that has jobs to the next, each a look into the index, and stops at the first that has a due
/// one: to sort them would look at all, and lock a job of each. Whether a tenant is active is found out once, before its
/// jobs are looked at: an inactive one may have many.
pub async fn claim_next<S: Subject>(
    tx: &mut WorkerTx,
    after: &str,
    full: &[String],
) -> sqlx::Result<Option<Job<S>>> {
    let token = Uuid::new_v4();
    let row: Option<(String, i64, Uuid, i32, f64)> = sqlx::query_as(
        "WITH RECURSIVE waiting (tenant_id) AS ( \
           (SELECT j.tenant_id FROM jobs j WHERE j.kind = $5 AND j.tenant_id > $1 ORDER BY j.tenant_id LIMIT 1) \
           UNION ALL SELECT ( \
             SELECT j.tenant_id FROM jobs j WHERE j.kind = $5 AND j.tenant_id > w.tenant_id \
             ORDER BY j.tenant_id LIMIT 1) FROM waiting w WHERE w.tenant_id IS NOT NULL) \
         UPDATE jobs SET lock_token = $2, locked_until = now() + make_interval(secs => $3), \
         attempts = attempts + 1 \
         WHERE (tenant_id, job_id) = ( \
           SELECT due.tenant_id, due.job_id FROM waiting w CROSS JOIN LATERAL ( \
             SELECT j.tenant_id, j.job_id FROM jobs j WHERE j.tenant_id = w.tenant_id AND j.kind = $5 \
             AND j.run_at <= now() AND (j.locked_until IS NULL OR j.locked_until < now()) \
             ORDER BY j.run_at LIMIT 1 FOR UPDATE SKIP LOCKED) due \
           WHERE w.tenant_id <> ALL ($4) \
           AND (SELECT t.is_active FROM tenants t WHERE t.tenant_id = w.tenant_id) LIMIT 1) \
         RETURNING tenant_id, job_id, subject, attempts, extract(epoch FROM now() - greatest(created_at, ( \
           SELECT t.opened_at FROM tenants t WHERE t.tenant_id = jobs.tenant_id)))::float8",
    )
    .bind(after)
    .bind(token)
    .bind(LEASE.as_secs_f64())
    .bind(full)
    .bind(S::KIND)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|(tenant, job_id, subject, attempts, age)| {
        let tenant = tenant.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Job { tenant, job_id, subject: S::from_uuid(subject), attempts, age: seconds(age), token })
    })
    .transpose()
}

/// Claims the job of one subject, if it is due and nobody has it, also of an inactive tenant: somebody asks for this one.
pub async fn claim_of<S: Subject>(tx: &mut TenantTx, subject: S) -> sqlx::Result<Option<Job<S>>> {
    let tenant = tx.tenant().clone();
    let token = Uuid::new_v4();
    let row: Option<(i64, i32, f64)> = sqlx::query_as(
        "UPDATE jobs SET lock_token = $4, locked_until = now() + make_interval(secs => $5), \
         attempts = attempts + 1 WHERE (tenant_id, job_id) = ( \
           SELECT tenant_id, job_id FROM jobs WHERE tenant_id = $1 AND kind = $2 AND subject = $3 \
           AND run_at <= now() AND (locked_until IS NULL OR locked_until < now()) FOR UPDATE SKIP LOCKED) \
         RETURNING job_id, attempts, extract(epoch FROM now() - greatest(created_at, ( \
           SELECT t.opened_at FROM tenants t WHERE t.tenant_id = jobs.tenant_id)))::float8",
    )
    .bind(tenant.as_str())
    .bind(S::KIND)
    .bind(subject.uuid())
    .bind(token)
    .bind(LEASE.as_secs_f64())
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(job_id, attempts, age)| Job { tenant, job_id, subject, attempts, age: seconds(age), token }))
}

fn seconds(age: f64) -> Duration {
    Duration::try_from_secs_f64(age).unwrap_or_default()
}

/// Jobs that are due and that nobody has taken up, among those that are not done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waiting {
    pub count: i64,
    /// With those that are under way or due later.
    pub open: i64,
    /// How long the one that waits longest has been due.
    pub oldest: Duration,
}

/// Of each kind, what waits for a worker, in all active tenants together. What is left of a tenant that is being
/// deleted waits for nobody: `tenants` does not show it.
pub async fn waiting(tx: &mut WorkerTx) -> sqlx::Result<Vec<(&'static str, Waiting)>> {
    let rows: Vec<(String, i64, i64, f64)> = sqlx::query_as(
        "SELECT kind, count(*) FILTER (WHERE is_due), count(*), \
         greatest(extract(epoch FROM now() - min(since) FILTER (WHERE is_due)), 0)::float8 FROM ( \
           SELECT j.kind, greatest(j.run_at, t.opened_at) AS since, \
             j.run_at <= now() AND (j.locked_until IS NULL OR j.locked_until < now()) AS is_due \
           FROM jobs j JOIN tenants t USING (tenant_id) WHERE t.is_active) AS of_active GROUP BY kind",
    )
    .fetch_all(tx.conn())
    .await?;
    let of = |kind: &'static str| {
        let row = rows.iter().find(|(other, ..)| other == kind);
        (
            kind,
            row.map_or_else(Waiting::default, |(_, count, open, age)| Waiting {
                count: *count,
                open: *open,
                oldest: seconds(*age),
            }),
        )
    };
    Ok(vec![of(EmailId::KIND), of(DeliveryId::KIND), of(BacktestId::KIND)])
}

/// How long the job that waits longest has been due, in a tenant that is active. One look into the index a tenant and
/// kind, however long the queue is.
pub async fn oldest(tx: &mut WorkerTx) -> sqlx::Result<Duration> {
    let age: Option<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM now() - min(greatest(due.run_at, t.opened_at)))::float8 FROM tenants t \
         CROSS JOIN unnest($1::text[]) AS k(kind) CROSS JOIN LATERAL ( \
           SELECT j.run_at FROM jobs j WHERE j.tenant_id = t.tenant_id AND j.kind = k.kind \
           AND j.run_at <= now() AND (j.locked_until IS NULL OR j.locked_until < now()) \
           ORDER BY j.run_at LIMIT 1) due WHERE t.is_active",
    )
    .bind([EmailId::KIND, DeliveryId::KIND, BacktestId::KIND].map(str::to_owned).to_vec())
    .fetch_one(tx.conn())
    .await?;
    Ok(age.map_or(Duration::ZERO, seconds))
}

/// A sign of life. `false` where the job is no longer this worker's.
pub async fn extend<S: Subject>(tx: &mut TenantTx, job: &Job<S>) -> sqlx::Result<bool> {
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
pub async fn finish<S: Subject>(tx: &mut TenantTx, job: &Job<S>) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM jobs WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3")
        .bind(job.tenant.as_str())
        .bind(job.job_id)
        .bind(job.token)
        .execute(tx.conn())
        .await?;
    let was_mine = done.rows_affected() == 1;
    if was_mine {
        changes::tell(tx);
    }
    Ok(was_mine)
}

/// Ends whatever jobs the subjects have. A worker that has one loses it; gives those that one had.
pub async fn cancel<S: Subject>(tx: &mut TenantTx, subjects: &[S]) -> sqlx::Result<Vec<S>> {
    let tenant = tx.tenant().clone();
    let ended: Vec<(Uuid, bool)> = sqlx::query_as(
        "DELETE FROM jobs WHERE tenant_id = $1 AND kind = $2 AND subject = ANY ($3) \
         RETURNING subject, lock_token IS NOT NULL",
    )
    .bind(tenant.as_str())
    .bind(S::KIND)
    .bind(subjects.iter().map(|subject| subject.uuid()).collect::<Vec<_>>())
    .fetch_all(tx.conn())
    .await?;
    Ok(ended.into_iter().filter(|(_, was_claimed)| *was_claimed).map(|(id, _)| S::from_uuid(id)).collect())
}

/// Gives the job back, to be tried again after `delay`. `false` where it is no longer this worker's.
pub async fn retry_later<S: Subject>(
    tx: &mut TenantTx,
    job: &Job<S>,
    delay: Duration,
    error: &str,
) -> sqlx::Result<bool> {
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

/// As `retry_later`, where nothing was tried: the attempt is given back. Without an error, that of the last try stays.
pub async fn postpone<S: Subject>(
    tx: &mut TenantTx,
    job: &Job<S>,
    delay: Duration,
    error: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE jobs SET run_at = now() + make_interval(secs => $4), lock_token = NULL, locked_until = NULL, \
         attempts = attempts - 1, last_error = coalesce($5, last_error) \
         WHERE tenant_id = $1 AND job_id = $2 AND lock_token = $3",
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

/// Doubled at each attempt, at most an hour, with up to half of it as jitter, so that what comes back is not met
/// by everybody at once.
pub fn backoff(base: Duration, attempts: i32) -> Duration {
    let doublings = attempts.saturating_sub(1).clamp(0, 20).cast_unsigned();
    let wait = base.saturating_mul(1 << doublings).min(Duration::from_secs(3_600));
    wait.mul_f64(rand::random_range(1.0..1.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_with_jitter_and_is_bounded() {
        let base = Duration::from_secs(2);
        for (attempts, low, high) in [(1, 2.0, 3.0), (2, 4.0, 6.0), (5, 32.0, 48.0), (60, 3_600.0, 5_400.0)] {
            let wait = backoff(base, attempts).as_secs_f64();
            assert!((low..=high).contains(&wait), "{attempts}: {wait}");
        }
    }
}
