//! The fence around every address that a tenant can name (server-side request forgery, OWASP A10:2021).
//!
//! A host is resolved once, every address is checked, and the connection goes to a checked address: a name
//! that resolves differently a moment later gets nobody anywhere.

mod names;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::{
    Client,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use names::Names;

/// A name is resolved within so long, all its search domains together: less than a look-up has, which could not say then
/// that it was the name.
const PATIENCE: Duration = Duration::from_secs(4);

/// Which networks look-ups may reach.
#[derive(Clone, Debug)]
pub struct Fence {
    allowed: Arc<[IpNet]>,
    names: Names,
    patience: Duration,
}

/// Why an address is out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fenced {
    #[error(
        "{0} a private, local or reserved address, which look-ups may not reach: the installation's administrator \
         can open its network (LOOKUP_ALLOW_NETWORKS)"
    )]
    Forbidden(Named),
    #[error("the name {0} cannot be resolved")]
    Unresolved(String),
}

/// What is out of bounds, as it was named: whoever names it is not told where a name leads, or they would learn of the
/// networks inside, name by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    Address(IpAddr),
    Host(String),
}

impl fmt::Display for Named {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => write!(formatter, "{ip} is"),
            Self::Host(host) => write!(formatter, "the host {host} leads to"),
        }
    }
}

impl Fenced {
    /// The fence's word, where it is what an HTTP client's error comes from.
    pub fn within<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl Fence {
    pub fn new(allowed: &[IpNet]) -> Self {
        Self { allowed: allowed.into(), names: Names::default(), patience: PATIENCE }
    }

    /// # Errors
    /// `Fenced::Forbidden`, where the address is neither public nor opened by configuration.
    pub fn check(&self, ip: IpAddr) -> Result<(), Fenced> {
        if self.is_open(ip) { Ok(()) } else { Err(Fenced::Forbidden(Named::Address(ip))) }
    }

    fn is_open(&self, ip: IpAddr) -> bool {
        let canonical = canonical(ip);
        let is_opened = self.allowed.iter().any(|net| net.contains(&canonical) || net.contains(&ip));
        is_opened || is_public(canonical)
    }

    /// Checks a URL's host where it is a literal address, which a resolver never sees.
    ///
    /// # Errors
    /// `Fenced::Forbidden`.
    pub fn check_literal(&self, url: &url::Url) -> Result<(), Fenced> {
        match url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse().ok()) {
            Some(ip) => self.check(ip),
            None => Ok(()),
        }
    }

    /// The one way out by HTTP: names are resolved here, nothing is redirected, no proxy is taken from the environment.
    /// Literal addresses never reach a resolver: `check_literal` is for those.
    ///
    /// # Errors
    /// Why there is no client: the machine's TLS roots, for one.
    #[expect(clippy::disallowed_methods, reason = "it resolves through the fence")]
    pub fn client(&self, connect_timeout: Duration, timeout: Duration) -> Result<Client, String> {
        // A client's connecting has the resolving in it.
        let patience = self.patience.min(connect_timeout.mul_f64(0.8));
        Client::builder()
            .dns_resolver(Arc::new(Self { patience, ..self.clone() }))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(connect_timeout)
            .timeout(timeout)
            .user_agent(concat!("FlowEngine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())
    }

    /// The addresses of a host, all of which may be reached; a host with any address out of bounds is refused
    /// whole, since a mixed answer is an attack or a mistake. Once it is dropped, nothing of it goes on.
    ///
    /// # Errors
    /// `Fenced`.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Fenced> {
        let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(ip) = literal.parse::<IpAddr>() {
            self.check(ip)?;
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let addresses = self.names.addresses(host, self.patience).await;
        if addresses.is_empty() {
            return Err(Fenced::Unresolved(host.to_owned()));
        }
        if let Some(address) = addresses.iter().find(|ip| !self.is_open(**ip)) {
            tracing::info!(host, %address, "a host leads to an address that is out of bounds");
            return Err(Fenced::Forbidden(Named::Host(host.to_owned())));
        }
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

/// reqwest asks this for every name; it never asks for literal addresses, which `resolve` checks before.
impl Resolve for Fence {
    fn resolve(&self, name: Name) -> Resolving {
        let fence = self.clone();
        Box::pin(async move {
            let addresses = Self::resolve(&fence, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The IPv4 address within an IPv6 one that means the same host: mapped (`::ffff:0:0/96`), NAT64
/// (`64:ff9b::/96`), 6to4 (`2002::/16`), compatible (`::/96`, but for `::` and `::1`).
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let s = v6.segments();
    let low = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, h, l] => low(h, l),
        [0x64, 0xff9b, 0, 0, 0, 0, h, l] => low(h, l),
        [0x2002, h, l, ..] => low(h, l),
        [0, 0, 0, 0, 0, 0, h, l] if !(h == 0 && l <= 1) => low(h, l),
        _ => ip,
    }
}

/// Whether the address is globally reachable, by IANA's special-purpose registries (RFC 6890 and its updates).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && (64..=127).contains(&b))
        || (a == 169 && b == 254)
        || (a == 172 && (16..=31).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 0 && c == 2)
        || (a == 192 && b == 88 && c == 99)
        || (a == 192 && b == 168)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    // Only 2000::/3 is global unicast; within it, documentation, benchmarking, ORCHID and Teredo are not.
    let global = s[0] & 0xe000 == 0x2000;
    let special = (s[0] == 0x2001 && (s[1] < 0x0200 || s[1] == 0x0db8)) || s[0] == 0x3fff;
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_local_and_metadata_addresses_are_out_of_bounds_in_every_spelling() {
        let fence = Fence::new(&[]);
        for bad in [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
        ] {
            let ip: IpAddr = bad.parse().expect(bad);
            let refused = fence.check(ip).expect_err(bad);
            assert_eq!(refused, Fenced::Forbidden(Named::Address(ip)), "{bad}");
            assert!(refused.to_string().contains(&ip.to_string()), "{refused}");
        }
        for good in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert_eq!(fence.check(good.parse().expect(good)), Ok(()), "{good}");
        }
    }

    #[test]
    fn configuration_opens_a_network_and_no_more() {
        let fence = Fence::new(&["127.0.0.0/8".parse().expect("net"), "10.1.0.0/16".parse().expect("net")]);
        assert!(fence.check("127.0.0.1".parse().expect("ip")).is_ok());
        assert!(fence.check("::ffff:10.1.9.9".parse().expect("ip")).is_ok());
        assert!(fence.check("10.2.0.1".parse().expect("ip")).is_err());
        assert!(fence.check("169.254.169.254".parse().expect("ip")).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused() {
        let refused = Fence::new(&[]).resolve("localhost", 80).await;
        let refused = refused.expect_err("it is inside");
        assert_eq!(refused, Fenced::Forbidden(Named::Host("localhost".into())));
        let told = refused.to_string();
        assert!(told.contains("localhost") && !told.contains("127.0.0.1") && !told.contains("::1"), "{told}");
        let unknown = Fence::new(&[]).resolve("no-such-host.invalid", 80).await;
        assert!(matches!(unknown, Err(Fenced::Unresolved(_))), "{unknown:?}");
    }
}
