//! Tells the pages of a tenant that something of it changed (server-sent events, WHATWG HTML 9.2), so that they ask
//! anew. What changed is not told: each page asks for what it shows, by the same checks as ever.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures::{Stream, stream};
use tokio::{
    sync::{OnceCell, broadcast},
    time::Instant,
};

use super::{AppState, Result, TenantContext};
use crate::auth::authority::Permission;

/// PostgreSQL's channel; the payload is the tenant.
pub const CHANNEL: &str = "flowengine_changes";
/// What comes in such a time is one event: a page asks once for a burst.
const BURST: Duration = Duration::from_millis(400);
/// A stream ends after so long, and the browser begins another: who calls is found out again.
const LIFE: Duration = Duration::from_secs(300);
/// Before the database is listened to again.
const NAP: Duration = Duration::from_secs(2);

/// Whoever listens to changes in this process. The database is listened to once somebody does.
#[derive(Default)]
pub struct Changes {
    sender: OnceCell<broadcast::Sender<String>>,
}

impl Changes {
    async fn subscribe(&self, app: &AppState) -> broadcast::Receiver<String> {
        let start = async || {
            let sender = broadcast::Sender::new(256);
            tokio::spawn(listen(app.clone(), sender.clone()));
            sender
        };
        self.sender.get_or_init(start).await.subscribe()
    }
}

pub fn routes() -> Router<AppState> {
    Router::new().route("/ui/changes", get(stream))
}

async fn stream(
    ctx: TenantContext,
    State(app): State<AppState>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    ctx.require(Permission::Read)?;
    let receiver = app.changes.subscribe(&app).await;
    let tenant = ctx.tenant.to_string();
    let (end, stop) = (Instant::now() + LIFE, app.stop.clone());
    let events = stream::unfold(receiver, move |mut receiver| {
        let (tenant, stop) = (tenant.clone(), stop.clone());
        async move {
            tokio::select! {
                () = next(&mut receiver, &tenant) => {}
                () = tokio::time::sleep_until(end) => return None,
                () = stop.cancelled() => return None,
            }
            tokio::time::sleep(BURST).await;
            // What came meanwhile is told by this one.
            receiver = receiver.resubscribe();
            Some((Ok(Event::default().event("changed").data("1")), receiver))
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}

/// Until the tenant changed, or may have.
async fn next(receiver: &mut broadcast::Receiver<String>, tenant: &str) {
    loop {
        match receiver.recv().await {
            Ok(changed) if changed == tenant => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn listen(app: AppState, sender: broadcast::Sender<String>) {
    loop {
        let heard = async {
            let mut listener = app.database.listen(CHANNEL).await?;
            loop {
                // Nobody may be listening at the moment.
                let _ = sender.send(listener.recv().await?.payload().to_owned());
            }
        };
        let result: Result<(), sqlx::Error> = tokio::select! {
            result = heard => result,
            () = app.stop.cancelled() => return,
        };
        if let Err(error) = result {
            tracing::warn!(%error, "listening for changes broke off");
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            () = app.stop.cancelled() => return,
        }
    }
}
