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
    emails::server::{address::is_same, stored as emails},
    routes::server::{
        plan, reading as routes,
        service::{self as route_service, Credentials},
        settings::{Forward, Settings},
    },
    server::{
        AppState, Error, Result, TenantTx,
        breaker::{Open, Pass},
        error::chain,
        queue::{self, Job},
        work::{self, Work},
    },
    shared::DeliveryId,
};

/// A worker that died with a delivery this often has probably died of it.
const CRASHES: i32 = 10;
/// Likewise, where its time is over. Not fewer: a server that was killed days ago is no reason to spare the last try.
const LATE_CRASHES: i32 = 2;
/// How long what is held up rests at most: an hour, with up to half of it as jitter.
const LONGEST_REST: Duration = Duration::from_secs(2_400);

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
struct Ready<'a> {
    row: Row,
    gate: Gate,
    /// The breaker's leave.
    pass: Pass<'a, Gate>,
    /// Where the route leads now.
    destination: String,
    way: Way,
    /// The message, where it is forwarded.
    raw: Vec<u8>,
}

/// How it is sent. Of a forward's `to`, `left` are those who do not have it.
enum Way {
    Webhook { url: String, credentials: Credentials },
    Forward { to: Vec<String>, left: Vec<String> },
    Reply,
}

/// Why it is not sent, as a sentence.
enum Unsent {
    /// It is at its end.
    Ends(DeliveryStatus, String),
    /// It waits for what is lacking.
    Waits(String),
}

async fn run(app: &AppState, job: &Job<DeliveryId>) -> Result<()> {
    let Some(ready) = prepare(app, job).await? else { return Ok(()) };
    let result = send(app, &ready).await;
    let Ready { row, pass, destination, .. } = ready;
    let fault = result.as_ref().err().filter(|fault| fault.down);
    pass.leave(fault.map(|fault| fault.note.as_str()));
    // Once it was sent, whatever breaks off counts, our own database's faults too: it may be sent again each time.
    match store(app, job, &row, &destination, &result).await {
        Ok(Some(outcome)) => ended(app, job, &row, outcome),
        Ok(None) => {}
        Err(error) => return Err(Error::internal(error)),
    }
    Ok(())
}

/// Stores how a try ended. `None` where the job is another worker's now.
async fn store(
    app: &AppState,
    job: &Job<DeliveryId>,
    row: &Row,
    destination: &str,
    result: &std::result::Result<Arrived, Fault>,
) -> Result<Option<DeliveryStatus>> {
    if let Err(fault) = result
        && !fault.delivered_to.is_empty()
    {
        // Before all else that is stored, and whoever has the job by now: who has it is not to get it again.
        let mut tx = app.database.tenant(&job.tenant).await?;
        repository::add_delivered(&mut tx, job.subject, &fault.delivered_to).await?;
        tx.commit().await?;
    }
    let mut tx = app.database.tenant(&job.tenant).await?;
    let outcome = match result {
        // It arrived, whoever has the job by now: it is not to be sent again.
        Ok(arrived) => {
            queue::cancel(&mut tx, &[job.subject]).await?;
            let status = DeliveryStatus::Delivered;
            let done = Tried { status, note: None, code: arrived.code, destination, wait: None };
            repository::store_try(&mut tx, job.subject, done).await?;
            status
        }
        Err(fault) => {
            let wait = pause(app.config.deliveries.retry_base, job.attempts, job.age, left(app, job), fault);
            let is_mine = match wait {
                Some(wait) => queue::retry_later(&mut tx, job, wait, &fault.note).await?,
                None => queue::finish(&mut tx, job).await?,
            };
            if !is_mine {
                return Ok(None);
            }
            let status = if wait.is_some() { DeliveryStatus::Pending } else { DeliveryStatus::Failed };
            let note = with_delivered(row, &fault.delivered_to, &fault.note);
            let (note, wait) = (Some(note.as_str()), wait.map(|wait| wait.as_secs_f64()));
            let failed = Tried { status, note, code: fault.code, destination, wait };
            repository::store_try(&mut tx, job.subject, failed).await?;
            status
        }
    };
    tx.commit().await?;
    Ok(Some(outcome))
}

/// For how long it is tried still. Its age counts, since it was written, a person sent it again, or its tenant was
/// opened again, and not its tries: of those, what waits beside it for the same receiver makes few, and a receiver that
/// is away for an hour many (RFC 5321, section 4.5.4.1).
fn left(app: &AppState, job: &Job<DeliveryId>) -> Duration {
    app.config.deliveries.patience.saturating_sub(job.age)
}

/// Until the next try: doubled at each, with jitter, at most an hour, and no longer than `left`, so that the last try is
/// at its end. Nor much longer than it is tried already, its `age`: what a person sent again begins with short waits,
/// however often it was tried before. `None`: it is given up.
fn pause(base: Duration, tries: i32, age: Duration, left: Duration, fault: &Fault) -> Option<Duration> {
    // `backoff` adds up to half.
    let wait = queue::backoff(base, tries).mul_f64(2.0 / 3.0).min(age.saturating_add(base)).min(left);
    (!fault.permanent && !left.is_zero()).then(|| wait.max(fault.retry_after.unwrap_or_default()))
}

/// Why it did not arrive, after those who have it all the same.
fn with_delivered(row: &Row, now: &[String], note: &str) -> String {
    let all: Vec<&str> = row.delivered_to().into_iter().chain(now.iter().map(String::as_str)).collect();
    if all.is_empty() { note.to_owned() } else { format!("Delivered to {}. {note}", all.join(", ")) }
}

fn ended(app: &AppState, job: &Job<DeliveryId>, row: &Row, outcome: DeliveryStatus) {
    if outcome == DeliveryStatus::Failed {
        tracing::warn!(tenant = %job.tenant, delivery_id = %job.subject, "a delivery was given up");
    }
    app.metrics.sent(row.kind, outcome);
}

/// Whether there are so many `claims`, this one included, more than `tries` that ended.
fn broke_off_too_often(claims: i32, tries: i32, left: Duration) -> bool {
    let most = if left.is_zero() { LATE_CRASHES } else { CRASHES };
    claims > tries.saturating_add(most)
}

/// `None` where there is nothing to send now, or any more; that is stored then.
async fn prepare<'a>(app: &'a AppState, job: &Job<DeliveryId>) -> Result<Option<Ready<'a>>> {
    let mut tx = app.database.tenant(&job.tenant).await?;
    if !queue::extend(&mut tx, job).await? {
        return Ok(None);
    }
    repository::wait_briefly(&mut tx).await?;
    let Some(row) = repository::find(&mut tx, job.subject).await? else { return Ok(None) };
    let found = if row.status != DeliveryStatus::Pending {
        Err(Unsent::Ends(row.status, String::new()))
    } else if broke_off_too_often(job.attempts, row.attempts, left(app, job)) {
        let why = with_delivered(&row, &[], "It could not be sent: each try broke off");
        Err(Unsent::Ends(DeliveryStatus::Failed, why))
    } else {
        way_of(app, &mut tx, &row).await?
    };
    let (gate, destination, way) = match found {
        Ok(found) => found,
        Err(Unsent::Ends(status, why)) => {
            return end(app, tx, job, &row, status, &why).await.map(|()| None);
        }
        Err(Unsent::Waits(why)) => {
            let held = Held { pause: app.config.deliveries.retry_base, over: why.clone(), note: why };
            return postpone(app, tx, job, &row, &held).await.map(|()| None);
        }
    };
    // Before the message is read: thousands may wait for a receiver that is away. Whoever sends one again knows more of its
    // receiver than the breaker, on whichever server that stands: until it fails once more. Then the others that were sent
    // again together with it wait as all do.
    let breakers = &app.senders.breakers;
    let entered = if row.is_sent_again() && !breakers.has_failed_within(&gate, job.age) {
        Ok(breakers.enter_anyway(gate.clone()))
    } else {
        breakers.enter(gate.clone())
    };
    let pass = match entered {
        Ok(pass) => pass,
        Err(open) => return postpone(app, tx, job, &row, &open.into()).await.map(|()| None),
    };
    if !repository::begin_try(&mut tx, job.subject).await? {
        return Ok(None);
    }
    let raw = match &way {
        Way::Forward { .. } => emails::raw(&mut tx, row.email_id).await?,
        Way::Webhook { .. } | Way::Reply => Some(Vec::new()),
    };
    let Some(raw) = raw else {
        let why = "The message is gone";
        return end(app, tx, job, &row, DeliveryStatus::Cancelled, why).await.map(|()| None);
    };
    tx.commit().await?;
    Ok(Some(Ready { row, gate, pass, destination, way, raw }))
}

/// Ends a delivery that is not sent. One that had ended before is left as it is.
async fn end(
    app: &AppState,
    mut tx: TenantTx,
    job: &Job<DeliveryId>,
    row: &Row,
    status: DeliveryStatus,
    why: &str,
) -> Result<()> {
    if queue::finish(&mut tx, job).await? {
        repository::note(&mut tx, job.subject, status, why, None).await?;
        tx.commit().await?;
        // What is called off was no try.
        if row.status == DeliveryStatus::Pending && status == DeliveryStatus::Failed {
            ended(app, job, row, status);
        }
    }
    Ok(())
}

type Found = std::result::Result<(Gate, String, Way), Unsent>;

/// Where the route leads now: a corrected address holds for what waits, too. What waits never goes to whom the route
/// leads for something else.
async fn way_of(app: &AppState, tx: &mut TenantTx, row: &Row) -> Result<Found> {
    let route = match row.route_id {
        Some(id) => routes::if_there(tx, id).await?,
        None => None,
    };
    let Some(route) = route.filter(|route| route.is_active) else {
        let why = "The route is gone, or was deactivated".into();
        return Ok(Err(Unsent::Ends(DeliveryStatus::Cancelled, why)));
    };
    // It may have been written while the route was changed.
    if !route.is_for(row.decision, row.intent_id) {
        return Ok(Err(Unsent::Ends(DeliveryStatus::Cancelled, repository::UNFIT.into())));
    }
    let tenant = tx.tenant().clone();
    Ok(match Settings::parse(route.kind, &route.settings.0) {
        Err(problem) => Err(Unsent::Ends(DeliveryStatus::Failed, problem.detail)),
        Ok(Settings::Webhook(hook)) => {
            let host = plan::host_of(&hook);
            let found = credentials(app, tx, &route).await?;
            found.map_err(Unsent::Waits).map(|credentials| {
                (Gate::Host(tenant, host.clone()), host, Way::Webhook { url: hook.url, credentials })
            })
        }
        Ok(Settings::Forward(Forward { to, .. })) => {
            let delivered = row.delivered_to();
            let has_it = |to: &str| delivered.iter().any(|other| is_same(other, to));
            let left: Vec<String> = to.iter().filter(|to| !has_it(to)).cloned().collect();
            if left.is_empty() {
                Err(Unsent::Ends(DeliveryStatus::Delivered, "All whom it goes to have it already".into()))
            } else {
                Ok((Gate::Mail(tenant), to.join(", "), Way::Forward { to, left }))
            }
        }
        Ok(Settings::Reply(_)) => Ok((Gate::Mail(tenant), String::new(), Way::Reply)),
        // Done when it was written.
        Ok(Settings::Label(_)) => Err(Unsent::Ends(DeliveryStatus::Delivered, String::new())),
    })
}

/// What a webhook is sent with, or what is lacking. Where it does not open, that is this server's fault, which has another
/// ENCRYPTION_KEY: another server may send it, or this one after its next start. It is sent with all of it or not at all: it
/// waits for what a person has still to set.
async fn credentials(
    app: &AppState,
    tx: &mut TenantTx,
    route: &routes::Row,
) -> Result<std::result::Result<Credentials, String>> {
    match route_service::credentials(app, tx, route, Utc::now()).await {
        Ok(credentials) => Ok(complete(credentials)),
        Err(Error::Internal(cause)) => {
            let (tenant, route_id, error) = (tx.tenant(), route.route_id, chain(cause.as_ref()));
            tracing::error!(%tenant, %route_id, %error, "the secrets of a route do not open");
            Ok(Err("This server cannot open the route's stored secrets (ENCRYPTION_KEY)".into()))
        }
        Err(error) => Err(error),
    }
}

fn complete(credentials: Credentials) -> std::result::Result<Credentials, String> {
    if credentials.secrets.is_empty() {
        return Err(format!("{}: make a new one on its page", repository::LACKS_SECRET));
    }
    if !credentials.unset.is_empty() {
        let names = credentials.unset.join(", ");
        return Err(format!("{}: set the header {names} on its page", repository::LACKS_HEADER));
    }
    Ok(credentials)
}

async fn send(app: &AppState, ready: &Ready<'_>) -> std::result::Result<Arrived, Fault> {
    let (id, payload) = (ready.row.delivery_id, &ready.row.payload.0);
    // Of this server, as it was started: another one may send it, or this one after its next start.
    let no_relay = || Fault::down("This installation sends no mail (SMTP_URL, SMTP_FROM)");
    let token = |gate: &Gate| {
        let (Gate::Mail(tenant) | Gate::Host(tenant, _)) = gate;
        outbox::loop_token(app, tenant)
    };
    match &ready.way {
        Way::Webhook { url, credentials } => {
            webhook::send(&app.senders, url, credentials, id, payload, Utc::now()).await
        }
        Way::Forward { to, left } => {
            let mailer = app.senders.mailer().ok_or_else(no_relay)?;
            let _turn = app.senders.turn().await?;
            mailer.forward(id, to, left, payload, ready.raw.clone(), &token(&ready.gate)).await
        }
        Way::Reply => {
            let mailer = app.senders.mailer().ok_or_else(no_relay)?;
            let _turn = app.senders.turn().await?;
            mailer.reply(id, payload, &token(&ready.gate)).await
        }
    }
}

/// Why it is not tried now.
struct Held {
    /// For how long, at least.
    pause: Duration,
    note: String,
    /// The note of one whose time is over.
    over: String,
}

impl From<Open> for Held {
    fn from(open: Open) -> Self {
        let failed = format!("the receiver failed {} times in a row", open.failures);
        Self {
            pause: open.left,
            note: format!("Waiting: {failed} and is left alone for a while"),
            over: format!("Its time was over while {failed} and was left alone"),
        }
    }
}

/// It waits, and no try is spent: nothing was sent. It waits no longer than what is tried.
async fn postpone(
    app: &AppState,
    mut tx: TenantTx,
    job: &Job<DeliveryId>,
    row: &Row,
    held: &Held,
) -> Result<()> {
    let left = left(app, job);
    if left.is_zero() {
        if queue::finish(&mut tx, job).await? {
            let note = with_delivered(row, &[], &held.over);
            repository::note(&mut tx, job.subject, DeliveryStatus::Failed, &note, None).await?;
            tx.commit().await?;
            ended(app, job, row, DeliveryStatus::Failed);
        }
        return Ok(());
    }
    let wait = rest(held.pause, job.age, left);
    if queue::postpone(&mut tx, job, wait, None).await? {
        let wait = Some(wait.as_secs_f64());
        repository::note(&mut tx, job.subject, DeliveryStatus::Pending, &held.note, wait).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// How long what is held up waits: for as long as that is said to last, its `pause`, and the longer the older it is, since
/// each look costs, and a receiver that is away for a day is not missed for an hour. Its last look is when nothing is `left`.
fn rest(pause: Duration, age: Duration, left: Duration) -> Duration {
    pause.max((age / 2).min(LONGEST_REST)).mul_f64(rand::random_range(1.0..1.5)).min(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_up_by_its_age_and_the_last_try_is_at_its_end() {
        let base = Duration::from_secs(5);
        let [hour, days] = [3_600, 259_200].map(Duration::from_secs);
        let transient = Fault::transient("x");
        for (tries, low, high) in
            [(1, 3.3, 5.0), (2, 6.6, 10.0), (9, 853.0, 1_280.0), (500, 2_399.0, 3_600.0)]
        {
            let wait = pause(base, tries, days, days, &transient).expect("another try").as_secs_f64();
            assert!((low..=high).contains(&wait), "{tries}: {wait}");
        }
        let soon = Duration::from_secs(60);
        assert_eq!(pause(base, 20, days, soon, &transient), Some(soon));
        let asked = Fault { retry_after: Some(hour), ..Fault::down("x") };
        assert_eq!(pause(base, 1, days, soon, &asked), Some(hour));
        assert_eq!(pause(base, 1, days, Duration::ZERO, &transient), None);
        assert_eq!(pause(base, 1, days, days, &Fault::permanent("x")), None);
        // Sent again by a person.
        assert_eq!(pause(base, 80, Duration::ZERO, days, &transient), Some(base));
        assert_eq!(pause(base, 83, soon, days, &transient), Some(soon + base));
    }

    #[test]
    fn what_breaks_off_is_borne_for_less_long_when_its_time_is_over() {
        let day = Duration::from_secs(86_400);
        for (claims, tries, left, expected) in [
            (10, 0, day, false),
            (11, 0, day, true),
            (90, 80, day, false),
            (91, 80, day, true),
            (82, 80, Duration::ZERO, false),
            (83, 80, Duration::ZERO, true),
        ] {
            assert_eq!(broke_off_too_often(claims, tries, left), expected, "{claims} {tries} {left:?}");
        }
    }

    #[test]
    fn what_waits_behind_others_rests_the_longer_the_older_it_is() {
        let [open, hour, days] = [300, 3_600, 259_200].map(Duration::from_secs);
        for (age, low, high) in [(0, 300, 450), (1_200, 600, 900), (172_800, 2_400, 3_600)] {
            let rest = rest(open, Duration::from_secs(age), days);
            assert!((low..=high).contains(&rest.as_secs()), "{age}: {rest:?}");
        }
        assert_eq!(rest(hour * 2, days, hour), hour, "its last look is at its end");
    }
}
