//! Tells the pages of a tenant that something of it changed (server-sent events, WHATWG HTML 9.2), so that they ask
//! anew. What changed is not told: each page asks for what it shows, by the same checks as ever.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore, broadcast},
    time::Instant,
};

use super::{
    AppState, Error, Result, TenantContext, TenantTx,
    places::{Place, Places},
};
use crate::{
    auth::authority::Permission,
    shared::{Problem, TenantId},
};

pub const PATH: &str = "/ui/changes";
/// PostgreSQL's channel; the payload is the tenant.
pub const CHANNEL: &str = "flowengine_changes";
/// What comes in such a time is one event: a page asks once for a burst.
const BURST: Duration = Duration::from_millis(400);
/// A stream ends after so long, and the browser begins another: who calls is found out again.
const LIFE: Duration = Duration::from_secs(300);
/// For so long it is believed who hears by a stream, and that they may.
pub const BELIEVED: Duration = Duration::from_secs(10);
/// Streams of one person or key at once: each takes a connection, and a page that is looked at has one.
const PER_CALLER: usize = 8;
/// Before the database is listened to again.
const NAP: Duration = Duration::from_secs(2);

/// Has the pages of the transaction's tenant hear of a change, once it is committed.
pub fn tell(tx: &mut TenantTx) {
    let tenant = tx.tenant().clone();
    tx.tell(CHANNEL, tenant.as_str());
}

/// Whose changed; `None` where anybody's may have.
pub type Changed = Option<String>;

/// Whoever listens to changes in this process. The database is listened to once somebody does.
pub struct Changes {
    sender: OnceCell<broadcast::Sender<Changed>>,
    heard: Mutex<Heard>,
    by_caller: Places<String>,
    by_tenant: Places<TenantId>,
    /// How many a tenant may have, by all its callers: it has as many keys as it likes.
    per_tenant: usize,
    room: Arc<Semaphore>,
}

/// A place for a stream: its caller's, its tenant's, and one of all.
type StreamPlace = (Place<String>, Place<TenantId>, OwnedSemaphorePermit);

/// What was heard, and when.
#[derive(Default)]
struct Heard {
    /// When listening began. What changed before is not known.
    since: Option<Instant>,
    /// When those that changed since then did so last.
    last: HashMap<String, Instant>,
}

impl Changes {
    /// `most` streams at once.
    pub fn new(most: usize) -> Self {
        let room = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            sender: OnceCell::new(),
            heard: Mutex::default(),
            by_caller: Places::default(),
            by_tenant: Places::default(),
            per_tenant: (most / 2).max(1),
            room,
        }
    }

    /// A place for another stream of the caller in the tenant.
    ///
    /// # Errors
    /// 429 where the caller or the tenant has as many as it may, 503 where all have.
    fn place(&self, caller: String, tenant: TenantId) -> Result<StreamPlace, Problem> {
        let again = |status, detail: &str| Problem { retry_after: Some(10), ..Problem::new(status, detail) };
        let own = self.by_caller.take(caller, PER_CALLER);
        let own = own.ok_or_else(|| again(429, "As many of your pages as may hear of changes already"))?;
        let shared = self.by_tenant.take(tenant, self.per_tenant);
        let full = || again(429, "As many of the tenant's pages as may hear of changes already");
        let shared = shared.ok_or_else(full)?;
        let place = Arc::clone(&self.room).try_acquire_owned();
        let place = place.map_err(|_| again(503, "As many pages as may hear of changes already"))?;
        Ok((own, shared, place))
    }

    async fn subscribe(&self, app: &AppState) -> broadcast::Receiver<Changed> {
        let start = async || {
            let sender = broadcast::Sender::new(256);
            tokio::spawn(listen(app.clone(), sender.clone()));
            sender
        };
        self.sender.get_or_init(start).await.subscribe()
    }

    fn note(&self, changed: &Changed) {
        let now = Instant::now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match changed {
            Some(tenant) => {
                heard.last.insert(tenant.clone(), now);
            }
            None => *heard = Heard { since: Some(now), last: HashMap::new() },
        }
    }

    /// For how long the tenant is known not to have changed. None before the database is listened to: once it is,
    /// everybody is told.
    fn quiet(&self, tenant: &str) -> Option<Duration> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let last = heard.last.get(tenant).copied().or(heard.since)?;
        Some(last.elapsed())
    }
}

/// What a stream begins with, in milliseconds. Only the page knows since when it may have missed something.
fn quiet_for(quiet: Duration) -> Event {
    let milliseconds = u32::try_from(quiet.as_millis()).unwrap_or(u32::MAX);
    Event::default().event("quiet").data(milliseconds.to_string())
}

pub fn routes() -> Router<AppState> {
    Router::new().route(PATH, get(stream))
}

async fn stream(
    ctx: TenantContext,
    State(app): State<AppState>,
    mut head: Parts,
) -> Result<([(&'static str, &'static str); 1], Sse<impl Stream<Item = Result<Event, Infallible>>>)> {
    ctx.require(Permission::Read)?;
    let place = app.changes.place(ctx.actor.identity(), ctx.tenant.clone())?;
    let receiver = app.changes.subscribe(&app).await;
    let tenant = ctx.tenant.to_string();
    // After this stream listens: what changes between the two is told by both.
    let first = stream::iter(app.changes.quiet(&tenant).map(|quiet| Ok(quiet_for(quiet))));
    // Those that began together, as after a start, do not all come back together.
    let end = Instant::now() + LIFE.mul_f64(rand::random_range(0.8..1.0));
    // With them goes what was found out of the caller (`Authenticated`): that is to be found out anew.
    head.extensions.clear();
    // The place is held by the stream: it is given back when that ends, or whoever listened has gone.
    let begun = (receiver, place, head, Instant::now());
    let events = stream::unfold(begun, move |(mut receiver, place, mut head, mut checked)| {
        let (app, tenant) = (app.clone(), tenant.clone());
        async move {
            tokio::select! {
                pause = next(&mut receiver, &tenant) => tokio::time::sleep(pause).await,
                () = tokio::time::sleep_until(end) => return None,
                () = app.stop.cancelled() => return None,
            }
            if checked.elapsed() > BELIEVED {
                // All who hear of the change come by here: they do not ask the database in the same moment.
                tokio::time::sleep(BURST.mul_f64(rand::random_range(0.0..1.0))).await;
                if is_refused(&app, &mut head).await {
                    // The browser asks anew, and is told why not.
                    return None;
                }
                checked = Instant::now();
            }
            // What came meanwhile is told by this one.
            receiver = receiver.resubscribe();
            Some((Ok(Event::default().event("changed").data("1")), (receiver, place, head, checked)))
        }
    });
    let events = Sse::new(first.chain(events)).keep_alive(KeepAlive::new().interval(Duration::from_secs(20)));
    // A proxy such as nginx keeps small answers back until there is more of them, or they end.
    Ok(([("x-accel-buffering", "no")], events))
}

/// Whether whoever began a stream may not hear any more: they have signed out since, left the tenant, or lost their key. What
/// cannot be found out now, as while the database is busy, is found out the next time.
async fn is_refused(app: &AppState, head: &mut Parts) -> bool {
    let ctx = TenantContext::from_request_parts(head, app).await;
    let may = ctx.and_then(|ctx| ctx.require(Permission::Read));
    matches!(may, Err(Error::Problem(Problem { status: 401 | 403 | 404, .. })))
}

/// Until the tenant changed, or may have. Gives how long to wait for more: where every page is told, they do not all ask
/// in the same moment.
async fn next(receiver: &mut broadcast::Receiver<Changed>, tenant: &str) -> Duration {
    loop {
        match receiver.recv().await {
            Ok(Some(changed)) if changed == tenant => return BURST,
            Ok(Some(_)) => {}
            Ok(None) | Err(broadcast::error::RecvError::Lagged(_)) => {
                return BURST.mul_f64(rand::random_range(1.0..5.0));
            }
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Listens to the database until this server stops.
pub async fn listen(app: AppState, sender: broadcast::Sender<Changed>) {
    loop {
        let Err(error) = tokio::select! {
            ended = follow(&app, &sender) => ended,
            () = app.stop.cancelled() => return,
        };
        tracing::warn!(%error, "listening for changes broke off");
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// Passes on what is heard over one connection, until that is lost. When it begins, everybody is told: what changed before
/// was told to nobody.
async fn follow(app: &AppState, sender: &broadcast::Sender<Changed>) -> sqlx::Result<Infallible> {
    let mut listener = app.database.listen(CHANNEL).await?;
    let tell = |changed: Changed| {
        app.changes.note(&changed);
        // Nobody may be listening at the moment.
        let _ = sender.send(changed);
    };
    tell(None);
    loop {
        tell(Some(listener.recv().await?.payload().to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_caller_nor_a_tenant_nor_all_together_take_every_connection() {
        let changes = Changes::new(2 * PER_CALLER + 3);
        let place = |caller: &str, tenant: &str| {
            let tenant = tenant.parse().expect("an id");
            changes.place(caller.to_owned(), tenant).map_err(|problem| problem.status)
        };
        let mut held: Vec<_> = (0..PER_CALLER).map(|_| place("one", "acme").expect("a place")).collect();
        assert_eq!(place("one", "acme").err(), Some(429));
        held.push(place("other", "acme").expect("another caller's"));
        assert_eq!(place("third", "acme").err(), Some(429), "however many keys a tenant has");
        held.extend((0..PER_CALLER).map(|_| place("fourth", "globex").expect("another tenant's")));
        held.push(place("fifth", "globex").expect("another caller's"));
        held.push(place("sixth", "initech").expect("a third tenant's"));
        assert_eq!(place("seventh", "initech").err(), Some(503));
        held.clear();
        assert!(place("third", "acme").is_ok(), "what was given back is another's");
    }
}
