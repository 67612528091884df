//! Mail that other servers hand on: SMTP (RFC 5321) and LMTP (RFC 2033), from the connection to the reply.
//!
//! Commands are parsed by smtp-proto. The conversation is ours: who may be written to, when a message counts as taken, and
//! what ends one are what this application is trusted with. Rejected: mailin, whose handlers cannot wait for the database,
//! and which takes a bare line feed for a line's end; samotop, which is not kept up.
//!
//! It is no relay: it takes mail for the mailboxes that there are, and for nobody else.

mod room;
mod session;
mod wire;

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::server::{AppState, config::MailConfig, places::Places};
use room::Room;
use session::Session;
use wire::Wire;

/// Messages that come in at once: each is in memory until it is on disk.
const MAX_MESSAGES: usize = 32;

/// Which of the two is spoken. LMTP answers for each recipient by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

/// What all conversations share.
pub struct Bounds {
    connections: Room,
    messages: Room,
    clients: Places<IpAddr>,
    /// Messages that come in, by who sends them.
    senders: Places<IpAddr>,
    tls: Option<TlsAcceptor>,
}

impl Bounds {
    /// # Errors
    /// Where certificate or key cannot be read, in words for an administrator.
    pub fn new(config: &MailConfig) -> Result<Self, String> {
        Ok(Self {
            connections: Room::new(config.max_connections),
            messages: Room::new(MAX_MESSAGES),
            clients: Places::default(),
            senders: Places::default(),
            tls: acceptor(config)?,
        })
    }
}

fn acceptor(config: &MailConfig) -> Result<Option<TlsAcceptor>, String> {
    let Some((cert, key)) = &config.tls else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| format!("SMTP_TLS_CERT {}: {error}", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("SMTP_TLS_KEY {}: {error}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| format!("SMTP_TLS_CERT and SMTP_TLS_KEY: {error}"))?;
    Ok(Some(TlsAcceptor::from(Arc::new(tls))))
}

/// Whoever has one address of IPv6 has 2^64 of them (RFC 6177): they count as one.
fn household(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

/// Takes mail until `stop`, then ends each conversation at its next command.
pub async fn serve(
    app: AppState,
    listener: TcpListener,
    protocol: Protocol,
    bounds: Arc<Bounds>,
    stop: CancellationToken,
) {
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (app, bounds, stop) = (app.clone(), Arc::clone(&bounds), stop.clone());
                tracker.spawn(converse(app, stream, peer.ip().to_canonical(), protocol, bounds, stop));
            }
            Err(error) => {
                // No more files, say: those that are open must end first.
                tracing::warn!(%error, "a mail connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

async fn converse(
    app: AppState,
    stream: TcpStream,
    peer: IpAddr,
    protocol: Protocol,
    bounds: Arc<Bounds>,
    stop: CancellationToken,
) {
    let mut wire = Wire::new(Box::new(stream), app.config.mail.timeout);
    if !app.config.mail.clients.iter().any(|network| network.contains(&peer)) {
        wire.reply(554, "5.7.1", "This server takes mail from servers it knows (SMTP_CLIENTS)").await.ok();
        return;
    }
    let session = Session::new(&app, peer, protocol, &bounds, &stop);
    let is_trusted = session.is_trusted();
    // All that others sent may come by one relay.
    let most = if is_trusted { usize::MAX } else { app.config.mail.max_per_client };
    let place = bounds.clients.take(household(peer), most);
    let (Some(_place), Some(_room)) = (place, bounds.connections.try_take(is_trusted)) else {
        wire.reply(421, "4.7.0", "Too many connections. Try again in a moment").await.ok();
        return;
    };
    let ended = session.run(wire).await;
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a mail conversation broke off");
    }
}
