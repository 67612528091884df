//! The loop that accepts connections.
//!
//! Not `axum::serve`, which gives a connection all the time it wants to send a request's head, and takes as many as
//! come: a thousand that send nothing, or take nothing, would take every descriptor, and look-ups and deliveries need
//! some (slowloris).

use std::{fs, io, net::IpAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Extension, Router, extract::ConnectInfo};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Layer;

use super::{limits::network, stall::Stalling, unread};
use crate::server::{config::EdgeConfig, places::Places};

/// After what the system refused, such as one descriptor more.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a write waits for the other side, as nginx has it (`send_timeout`).
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// The room for a request's head, in bytes, as nginx has it.
const LARGEST_HEAD: usize = 32 << 10;

/// How many descriptors a process may open where the system does not say: the usual limit.
const USUAL_DESCRIPTORS: usize = 1_024;

/// What connections may take.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// How long one may take to send a request's head, and so how long it is kept without one.
    pub header_timeout: Duration,
    /// How long one may take nothing of what is sent to it.
    pub write_timeout: Duration,
    /// How many there are at once; more wait to be accepted.
    pub connections: usize,
    /// How many one address may have, or one IPv6 network, which is one customer's; more are closed at once. Not for
    /// proxies and this machine itself.
    pub per_address: usize,
    /// Whose number is not limited.
    pub trusted: Vec<IpNet>,
}

impl Bounds {
    pub fn new(config: &EdgeConfig, trusted: &[IpNet]) -> Self {
        let connections = connections();
        Self {
            header_timeout: config.header_timeout,
            write_timeout: WRITE_TIMEOUT,
            connections,
            per_address: (connections / 4).max(1),
            trusted: trusted.to_vec(),
        }
    }

    /// Whose connections those from an address are, and how many may be.
    fn whose(&self, address: IpAddr) -> (IpAddr, usize) {
        let address = address.to_canonical();
        if address.is_loopback() || self.trusted.iter().any(|network| network.contains(&address)) {
            (address, usize::MAX)
        } else {
            (network(address, false), self.per_address)
        }
    }
}

/// How many connections are taken at once: half of the descriptors that this process may open; the rest is for the
/// database, look-ups and files.
pub fn connections() -> usize {
    (descriptors() / 2).max(1)
}

/// The soft limit of open files, where the system tells it (`proc(5)`).
fn descriptors() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(USUAL_DESCRIPTORS)
}

/// Serves until `stop`, then finishes the requests under way. Handlers find the other side's address in
/// `ConnectInfo<SocketAddr>`.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, stop: CancellationToken) {
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_header_size(LARGEST_HEAD);
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS)));
    // One address that reads nothing must not take them all.
    let peers = Places::<IpAddr>::default();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, peer) = listener.accept().await?;
            Ok::<_, io::Error>((place, stream, peer))
        };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => break,
        };
        let (place, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_peers(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let (whose, most) = bounds.whose(peer.ip());
        let Some(held) = peers.take(whose, most) else { continue };
        let router = Extension(ConnectInfo(peer)).layer(router.clone());
        // An answer is written whole: there is nothing to wait for (Nagle).
        let _ = stream.set_nodelay(true);
        let stream = Stalling::new(stream, bounds.write_timeout);
        let conversation = converse(protocol.clone(), stream, router, stop.clone());
        connections.spawn(async move {
            conversation.await;
            drop((place, held));
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// What one side of a connection does that never came about.
fn is_the_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn converse<S>(
    protocol: http1::Builder,
    stream: Stalling<TcpStream>,
    router: S,
    stop: CancellationToken,
) where
    S: tower::Service<
            axum::extract::Request,
            Response = axum::response::Response,
            Error = std::convert::Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static,
{
    let service = service_fn(move |request| unread::answer(router.clone(), request));
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_from_one_network_are_one_customers_and_a_proxys_are_many() {
        let bounds = Bounds {
            header_timeout: Duration::ZERO,
            write_timeout: Duration::ZERO,
            connections: 8,
            per_address: 2,
            trusted: vec!["2001:db8:1::/48".parse().expect("a network")],
        };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        for (from, whose, most) in [
            ("198.51.100.7", "198.51.100.7", 2),
            ("::ffff:198.51.100.7", "198.51.100.7", 2),
            ("2001:db8:2:3::7", "2001:db8:2:3::", 2),
            ("2001:db8:2:3:4:5:6:7", "2001:db8:2:3::", 2),
            ("2001:db8:1::7", "2001:db8:1::7", usize::MAX),
            ("::1", "::1", usize::MAX),
            ("127.0.0.2", "127.0.0.2", usize::MAX),
        ] {
            assert_eq!(bounds.whose(address(from)), (address(whose), most), "{from}");
        }
    }
}
