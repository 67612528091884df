//! Where a request came from.

use std::net::{IpAddr, SocketAddr};

use axum::{extract::ConnectInfo, http::request::Parts};
use ipnet::IpNet;

use super::AppState;

/// The address that a request came from, and the id under which the log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub request_id: Option<String>,
}

impl Origin {
    pub fn of(app: &AppState, parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let forwarded =
            parts.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
        if let Some(peer) = peer.map(|peer| peer.to_canonical()).filter(|_| !hops.is_empty()) {
            note_proxy(app, peer);
        }
        let request_id = parts.headers.get("x-request-id").and_then(|value| value.to_str().ok());
        Self {
            address: peer.map(|peer| client(peer.to_canonical(), &hops, &app.config.trusted_proxies)),
            request_id: request_id.map(str::to_owned),
        }
    }
}

/// Behind a proxy that is not trusted everybody counts as one caller, with one caller's limits: an administrator has to know,
/// where a proxy must be there since it ends TLS. A stranger's header looks the same, so it is said once.
fn note_proxy(app: &AppState, peer: IpAddr) {
    let config = &app.config;
    let is_expected = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    if is_expected && !config.trusted_proxies.iter().any(|network| network.contains(&peer)) {
        app.untrusted_proxy.call_once(|| {
            tracing::warn!(
                %peer,
                "X-Forwarded-For came from an address that is not in TRUSTED_PROXIES: all callers behind it count as one"
            );
        });
    }
}

/// The first address, from the nearest on, that is no proxy of ours. What stands before it was written by a
/// stranger.
fn client(peer: IpAddr, hops: &[&str], trusted: &[IpNet]) -> IpAddr {
    let mut found = peer;
    for hop in hops.iter().rev() {
        if !trusted.iter().any(|network| network.contains(&found)) {
            break;
        }
        // With a port, as some proxies write it, or in brackets.
        let address = hop.parse().or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()));
        let Ok(address) = address.or_else(|_| hop.trim_matches(['[', ']']).parse::<IpAddr>()) else { break };
        found = address.to_canonical();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("it holds")];
        let client =
            |peer: &str, hops: &[&str]| client(peer.parse().expect("it holds"), hops, &proxies).to_string();
        assert_eq!(client("198.51.100.7", &["203.0.113.9"]), "198.51.100.7", "a stranger's header");
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1", &["6.6.6.6", "203.0.113.9"]),
            "203.0.113.9",
            "what the client wrote itself"
        );
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "10.0.0.2"]), "203.0.113.9", "two proxies");
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }
}
