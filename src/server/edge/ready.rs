//! `GET /readyz`: whether this server should be sent requests.

use std::{
    collections::HashSet,
    sync::OnceLock,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::{sync::Mutex, time::timeout};

use crate::server::{AppState, Database, Result, database::MIGRATOR, error::chain, queue};

/// For how long an answer holds, so that many who ask cost no more than one.
const FRESH: Duration = Duration::from_secs(1);

/// Longer, and the database counts as not answering.
const PATIENCE: Duration = Duration::from_secs(3);

/// The last answer, and the connection by which the next is found. It stands beside the pool: where requests have taken all
/// of that, all servers would leave the rotation at once, though the database answers.
#[derive(Default)]
pub struct Probe {
    last: Mutex<Option<(Instant, Report)>>,
    database: OnceLock<Database>,
}

/// `{"status": "ready", "checks": {"database": "ok", "migrations": "ok", "queue": "ok", "queue_age_s": 12}}`. Of
/// tenants it says nothing.
#[derive(Clone, Copy, Debug, Serialize)]
struct Report {
    /// `ready`, `not ready` or `stopping`.
    status: &'static str,
    checks: Checks,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Checks {
    database: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    migrations: Option<&'static str>,
    /// `behind`, where a job has been due for longer than `READY_MAX_QUEUE_AGE_S`.
    ///
    /// That is told, and does not make the server unready: all servers share the queue, so all would leave the
    /// rotation at once, and with them the intake and the screen, for something that they go on working on.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_age_s: Option<u64>,
}

/// 200 where requests can be served; 503 where they cannot, or where this server is about to stop.
pub async fn show(State(app): State<AppState>) -> Response {
    let report = report(&app).await;
    let status = if report.status == "ready" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn report(app: &AppState) -> Report {
    let mut last = app.probe.last.lock().await;
    let report = match *last {
        Some((at, report)) if at.elapsed() < FRESH => report,
        _ => {
            let report = look(app).await;
            *last = Some((Instant::now(), report));
            report
        }
    };
    if app.stop.is_cancelled() { Report { status: "stopping", ..report } } else { report }
}

async fn look(app: &AppState) -> Report {
    let found = match timeout(PATIENCE, read(app)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err("the database takes too long".to_owned()),
    };
    let (migrations, age) = match found {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(error, "not ready");
            let checks = Checks { database: "failing", migrations: None, queue: None, queue_age_s: None };
            return Report { status: "not ready", checks };
        }
    };
    let is_behind = age > app.config.edge.max_queue_age;
    if is_behind {
        tracing::warn!(age_s = age.as_secs(), "jobs wait for longer than they should");
    }
    if migrations != "ok" {
        tracing::warn!(migrations, "not ready");
    }
    let checks = Checks {
        database: "ok",
        migrations: Some(migrations),
        queue: Some(if is_behind { "behind" } else { "ok" }),
        queue_age_s: Some(age.as_secs()),
    };
    Report { status: if migrations == "ok" { "ready" } else { "not ready" }, checks }
}

/// The state of the migrations, and how long the oldest job has been due.
async fn read(app: &AppState) -> Result<(&'static str, Duration)> {
    let mut tx = app.probe.database.get_or_init(|| app.database.beside()).worker().await?;
    let applied: Vec<(i64, bool, Vec<u8>)> =
        sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations")
            .fetch_all(tx.conn())
            .await?;
    let age = queue::oldest(&mut tx).await?;
    tx.commit().await?;
    Ok((migrations(&applied), age))
}

/// `ok` where the database has all that this binary knows. It may have more: a newer server has migrated it, which
/// only adds (expand, then contract), and this one is about to be replaced.
fn migrations(applied: &[(i64, bool, Vec<u8>)]) -> &'static str {
    if applied.iter().any(|(_, success, _)| !success) {
        return "unfinished";
    }
    let applied: HashSet<(i64, &[u8])> = applied.iter().map(|(version, _, sum)| (*version, &**sum)).collect();
    if MIGRATOR.iter().all(|migration| applied.contains(&(migration.version, &migration.checksum))) {
        "ok"
    } else {
        "behind"
    }
}
