//! The work of sending deliveries.

use std::time::Duration;

use chrono::Utc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    outbox,
    repository::{self, Row, Tried},
    senders::{Arrived, Fault, Gate},
    webhook,
};
use crate::{
    deliveries::dto::DeliveryStatus,
    emails::server::repository as emails,
    routes::server::{
        plan, repository as routes,
        service::{self as route_service, Credentials},
        settings::Settings,
    },
    server::{
        AppState, Result, TenantTx,
        queue::{self, Job},
        work::{self, Work},
    },
    shared::DeliveryId,
};

/// A worker that died with a delivery this often has probably died of it.
const CRASHES: i32 = 10;

#[derive(Clone)]
struct Sending;

impl Work for Sending {
    type Subject = DeliveryId;

    fn slots(&self, app: &AppState) -> usize {
        app.config.deliveries.concurrency
    }

    fn bell<'a>(&self, app: &'a AppState) -> &'a Notify {
        &app.delivery_bell
    }

    async fn run(&self, app: &AppState, job: &Job<DeliveryId>) -> Result<()> {
        run(app, job).await
    }
}

/// Sends deliveries until `stop`, then finishes those under way.
pub async fn work(app: AppState, stop: CancellationToken) {
    work::work(Sending, app, stop).await;
}

/// All that a try needs, read in one transaction that is over before anything is sent.
struct Ready {
    row: Row,
    gate: Gate,
    /// Where the route leads now.
    destination: String,
    way: Way,
}

enum Way {
    Webhook { url: String, credentials: Credentials },
    Forward { to: Vec<String>, raw: Vec<u8> },
    Reply,
}

async fn run(app: &AppState, job: &Job<DeliveryId>) -> Result<()> {
    let Some(ready) = prepare(app, job).await? else { return Ok(()) };
    let pass = match app.senders.breakers.enter(ready.gate.clone()) {
        Ok(pass) => pass,
        Err(open) => return postpone(app, job, open.failures, open.left).await,
    };
    let result = send(app, &ready).await;
    pass.leave(matches!(&result, Err(fault) if fault.down));
    let mut tx = app.database.tenant(&job.tenant).await?;
    let tried =
        |status, note, code, wait| Tried { status, note, code, destination: &ready.destination, wait };
    let outcome = match &result {
        // It arrived, whoever has the job by now: it is not to be sent again.
        Ok(arrived) => {
            queue::cancel(&mut tx, &[job.subject]).await?;
            let done = tried(DeliveryStatus::Delivered, None, arrived.code, None);
            repository::store_try(&mut tx, job.subject, done).await?;
            DeliveryStatus::Delivered
        }
        Err(fault) if fault.permanent || job.attempts >= app.config.deliveries.max_attempts => {
            if !queue::finish(&mut tx, job).await? {
                return Ok(());
            }
            let failed = tried(DeliveryStatus::Failed, Some(&fault.note), fault.code, None);
            repository::store_try(&mut tx, job.subject, failed).await?;
            tracing::warn!(tenant = %job.tenant, delivery_id = %job.subject, "a delivery was given up");
            DeliveryStatus::Failed
        }
        Err(fault) => {
            let wait = queue::backoff(app.config.deliveries.retry_base, job.attempts);
            let wait = wait.max(fault.retry_after.unwrap_or_default());
            if !queue::retry_later(&mut tx, job, wait, &fault.note).await? {
                return Ok(());
            }
            let again =
                tried(DeliveryStatus::Pending, Some(&fault.note), fault.code, Some(wait.as_secs_f64()));
            repository::store_try(&mut tx, job.subject, again).await?;
            DeliveryStatus::Pending
        }
    };
    tx.commit().await?;
    app.metrics.sent(ready.row.kind, outcome);
    Ok(())
}

/// `None` where there is nothing to send any more; that is stored then.
async fn prepare(app: &AppState, job: &Job<DeliveryId>) -> Result<Option<Ready>> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(None);
    }
    let Some(row) = repository::find(&mut tx, job.subject).await? else { return Ok(None) };
    let found = if row.status != DeliveryStatus::Pending {
        Err((row.status, String::new()))
    } else if job.attempts > app.config.deliveries.max_attempts + CRASHES {
        Err((DeliveryStatus::Failed, "It could not be sent: each try broke off".to_owned()))
    } else {
        way_of(app, &mut tx, &row).await?
    };
    match found {
        Ok((gate, destination, way)) => {
            tx.commit().await?;
            Ok(Some(Ready { row, gate, destination, way }))
        }
        Err((status, why)) => {
            if queue::finish(&mut tx, job).await? {
                repository::note(&mut tx, job.subject, status, &why, None).await?;
                tx.commit().await?;
            }
            Ok(None)
        }
    }
}

type Found = std::result::Result<(Gate, String, Way), (DeliveryStatus, String)>;

/// Where the route leads now: a corrected address holds for what waits, too.
async fn way_of(app: &AppState, tx: &mut TenantTx, row: &Row) -> Result<Found> {
    let route = match row.route_id {
        Some(id) => routes::find(tx, id, false).await?,
        None => None,
    };
    let Some(route) = route.filter(|route| route.is_active) else {
        return Ok(Err((DeliveryStatus::Cancelled, "The route is gone, or was deactivated".into())));
    };
    let tenant = tx.tenant().clone();
    Ok(match Settings::parse(route.kind, &route.settings.0) {
        Err(problem) => Err((DeliveryStatus::Failed, problem.detail)),
        Ok(Settings::Webhook(hook)) => {
            let credentials = route_service::credentials(app, tx, &route, Utc::now()).await?;
            let host = plan::host_of(&hook);
            Ok((Gate::Host(tenant, host.clone()), host, Way::Webhook { url: hook.url, credentials }))
        }
        Ok(Settings::Forward(forward)) => match emails::raw(tx, row.email_id).await? {
            Some(raw) => {
                let way = Way::Forward { to: forward.to.clone(), raw };
                Ok((Gate::Mail(tenant), forward.to.join(", "), way))
            }
            None => Err((DeliveryStatus::Cancelled, "The message is gone".into())),
        },
        Ok(Settings::Reply(_)) => Ok((Gate::Mail(tenant), String::new(), Way::Reply)),
        // Done when it was written.
        Ok(Settings::Label(_)) => Err((DeliveryStatus::Delivered, String::new())),
    })
}

async fn send(app: &AppState, ready: &Ready) -> std::result::Result<Arrived, Fault> {
    let (id, payload) = (ready.row.delivery_id, &ready.row.payload.0);
    let no_relay = || Fault::permanent("This installation sends no mail (SMTP_URL, SMTP_FROM)");
    let token = |gate: &Gate| {
        let (Gate::Mail(tenant) | Gate::Host(tenant, _)) = gate;
        outbox::loop_token(app, tenant)
    };
    match &ready.way {
        Way::Webhook { url, credentials } => {
            webhook::send(&app.senders, url, credentials, id, payload, Utc::now()).await
        }
        Way::Forward { to, raw } => {
            let mailer = app.senders.mailer().ok_or_else(no_relay)?;
            mailer.forward(id, to, payload, raw.clone(), &token(&ready.gate)).await
        }
        Way::Reply => {
            let mailer = app.senders.mailer().ok_or_else(no_relay)?;
            mailer.reply(id, payload, &token(&ready.gate)).await
        }
    }
}

/// The breaker is open: it waits, and no try is spent.
async fn postpone(app: &AppState, job: &Job<DeliveryId>, failures: u32, left: Duration) -> Result<()> {
    let wait = left.mul_f64(rand::random_range(1.0..1.5));
    let note =
        format!("Waiting: the receiver failed {failures} times in a row and is left alone for a while");
    let mut tx = app.database.tenant(&job.tenant).await?;
    if queue::postpone(&mut tx, job, wait).await? {
        let wait = Some(wait.as_secs_f64());
        repository::note(&mut tx, job.subject, DeliveryStatus::Pending, &note, wait).await?;
        tx.commit().await?;
    }
    Ok(())
}
