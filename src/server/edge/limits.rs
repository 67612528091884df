//! How often somebody may ask.
//!
//! Who that is, is found out first: a valid key or session counts for itself, anything else for the address that
//! it came from. So no stranger can use up somebody's limit by sending what looks like their key, and no made-up
//! key takes room here. A valid key passes where its address is used up by others, as behind a company's one
//! address. The counts are this process' own: two servers let twice as much through.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};

use super::is_probe;
use crate::{
    server::{
        Actor, AppState, CallerContext, Error,
        config::EdgeConfig,
        context::{Authenticated, bearer},
        error::problem_response,
        origin::Origin,
        token,
    },
    shared::{Problem, UserId},
};

/// A minute's worth may come at once by this part.
const BURST: u32 = 2;

/// How often what no longer counts is forgotten, in seconds.
const SWEEP: u64 = 60;

/// With more addresses than this, their networks are counted: a flood from everywhere must not fill the memory.
const MOST_ADDRESSES: usize = 100_000;

/// A caller that proved to be one.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Known {
    /// The hash of a valid key or token.
    Credential([u8; 32]),
    /// A person, however many sessions they have.
    Account(UserId),
}

/// The limits of this process.
pub struct Limits {
    known: Option<Limiter<Known>>,
    anonymous: Option<Limiter<IpAddr>>,
}

impl Limits {
    pub fn new(config: &EdgeConfig) -> Self {
        Self { known: Limiter::new(config.rate_limit), anonymous: Limiter::new(config.rate_limit_anonymous) }
    }

    fn check_known(&self, who: &Known) -> Result<(), Duration> {
        self.known.as_ref().map_or(Ok(()), |limiter| limiter.check(who))
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Duration> {
        let Some(limiter) = &self.anonymous else { return Ok(()) };
        let crowded = limiter.counts.len() > MOST_ADDRESSES;
        limiter.check(&network(address, crowded))
    }
}

/// Whose an address is: an IPv6 network of 64 bits is one customer's. Under a flood, larger ones are one.
pub fn network(address: IpAddr, crowded: bool) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let bits = if crowded { 16 } else { 32 };
            Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << (32 - bits))).into()
        }
        IpAddr::V6(ip) => {
            let bits = if crowded { 32 } else { 64 };
            Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << (128 - bits))).into()
        }
    }
}

struct Limiter<K: Clone + Eq + Hash> {
    counts: DefaultKeyedRateLimiter<K>,
    started: Instant,
    /// Seconds from `started` to the last sweep.
    swept: AtomicU64,
}

impl<K: Clone + Eq + Hash> Limiter<K> {
    fn new(per_minute: u32) -> Option<Self> {
        let rate = NonZeroU32::new(per_minute)?;
        let burst = NonZeroU32::new((per_minute / BURST).max(1))?;
        let counts = DefaultKeyedRateLimiter::dashmap(Quota::per_minute(rate).allow_burst(burst));
        Some(Self { counts, started: Instant::now(), swept: AtomicU64::new(0) })
    }

    /// # Errors
    /// How long to wait.
    fn check(&self, who: &K) -> Result<(), Duration> {
        self.sweep();
        self.counts.check_key(who).map_err(|until| until.wait_time_from(self.counts.clock().now()))
    }

    /// Whoever comes first after a minute forgets those who could ask as they like again: they take no room.
    fn sweep(&self) {
        let now = self.started.elapsed().as_secs();
        let last = self.swept.load(Ordering::Relaxed);
        if now >= last + SWEEP
            && self.swept.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.counts.retain_recent();
            self.counts.shrink_to_fit();
        }
    }
}

/// Counts a request, and refuses it with 429 and `Retry-After` where there were too many. Who calls is found out
/// here, once: handlers find it with the request.
pub async fn limit(State(app): State<AppState>, request: Request, next: Next) -> Response {
    if !is_counted(&app, request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let checked = match CallerContext::authenticate(&app, &parts).await {
        Ok(caller) => {
            let checked = known(&caller.actor, &parts).map_or(Ok(()), |who| app.limits.check_known(&who));
            parts.extensions.insert(Authenticated(Some(caller)));
            checked
        }
        Err(error) => {
            // Any other is of the database, say: whoever needs it says so. It counts all the same.
            if matches!(&error, Error::Problem(problem) if problem.status == 401) {
                parts.extensions.insert(Authenticated(None));
            }
            let address = Origin::of(&app, &parts).address;
            app.limits.check_address(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))
        }
    };
    match checked {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(wait) => too_many(wait),
    }
}

/// Not what tells that the server lives, not files from its disk, and not the demo's API, which the server itself
/// asks.
fn is_counted(app: &AppState, path: &str) -> bool {
    let package = path.strip_prefix('/').and_then(|path| path.strip_prefix(&*app.leptos.site_pkg_dir));
    let is_file = package.is_some_and(|rest| rest.starts_with('/'))
        || matches!(path, "/favicon.ico" | "/favicon.svg" | "/robots.txt");
    !is_probe(path) && !is_file && !path.starts_with("/demo-api/")
}

fn known(actor: &Actor, parts: &Parts) -> Option<Known> {
    match (bearer(parts), actor) {
        // A program gets a new token whenever it likes: it is counted, not the token.
        (Some(_), Actor::Token { .. }) => Some(Known::Credential(token::hash(&actor.identity()))),
        (Some(key), _) => Some(Known::Credential(token::hash(key))),
        (None, Actor::User { user_id, .. }) => Some(Known::Account(*user_id)),
        (None, _) => None,
    }
}

fn too_many(wait: Duration) -> Response {
    // Rounded up: who comes back at that second is let in.
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
    let detail = format!("These are too many requests. Try again in {seconds} s");
    problem_response(Problem { retry_after: Some(seconds), ..Problem::new(429, detail) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_minutes_worth_may_come_at_once() {
        let limiter = Limiter::new(60).expect("a limit");
        for _ in 0..30 {
            assert!(limiter.check(&1).is_ok());
        }
        let wait = limiter.check(&1).expect_err("one too many");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limiter.check(&2).is_ok(), "everybody has their own");
        assert!(Limiter::<u8>::new(0).is_none(), "no limit");
    }

    #[test]
    fn an_address_is_its_networks() {
        let of = |text: &str, crowded| network(text.parse().expect("an address"), crowded).to_string();
        assert_eq!(of("198.51.100.7", false), "198.51.100.7");
        assert_eq!(of("::ffff:198.51.100.7", false), "198.51.100.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6", false), "2001:db8:1:2::");
        assert_eq!(of("198.51.100.7", true), "198.51.0.0");
        assert_eq!(of("2001:db8:1:2:3:4:5:6", true), "2001:db8::");
    }
}
