//! How often somebody may ask, and how much at once.
//!
//! Who that is, is found out first: a valid key or session counts for itself, anything else for the address that
//! it came from. So no stranger can use up somebody's limit by sending what looks like their key, and no made-up
//! key takes room here. A valid key passes where its address is used up by others, as behind a company's one
//! address. The counts are this process' own: two servers let twice as much through.

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::request::Parts,
    middleware::Next,
    response::Response,
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock};

use super::{
    is_probe,
    load::{Held, busy},
};
use crate::{
    server::{
        Actor, AppState, CallerContext, Error,
        config::EdgeConfig,
        context::{Authenticated, bearer},
        error::problem_response,
        origin::Origin,
        places::{Place, Places},
        token,
    },
    shared::{Problem, TenantId, UserId},
};

/// A minute's worth may come at once by this part.
const BURST: u32 = 2;

/// How often what no longer counts is forgotten, in seconds.
const SWEEP: u64 = 60;

/// With more addresses than this, their networks are counted: a flood from everywhere must not fill the memory.
const MOST_ADDRESSES: usize = 100_000;

/// As many requests as a browser sends to one server at once: fewer nobody can work with.
const A_PAGE: usize = 6;

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
    shares: Shares,
}

impl Limits {
    pub fn new(config: &EdgeConfig) -> Self {
        Self {
            known: Limiter::new(config.rate_limit),
            anonymous: Limiter::new(config.rate_limit_anonymous),
            shares: Shares { held: Places::default(), places: config.max_in_flight },
        }
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

/// Who holds places of requests under way, of which there are so many for all.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    Caller(Known),
    /// The keys and tokens of a tenant, of which it has as many as it likes.
    Tenant(TenantId),
    /// A stranger.
    Network(IpAddr),
    /// All of them.
    Strangers,
}

/// What each holds of the places: nobody may have them all, or requests that never end would keep everybody out.
struct Shares {
    held: Places<Holder>,
    /// How many there are.
    places: usize,
}

impl Shares {
    /// A place of each holder's.
    ///
    /// # Errors
    /// 429 where one has as many as it may, 503 where strangers have.
    fn take(&self, holders: Vec<Holder>) -> Result<Vec<Place<Holder>>, Problem> {
        let take = |holder: Holder| {
            let place = self.held.take(holder.clone(), self.most(&holder));
            place.ok_or_else(|| refused(&holder))
        };
        holders.into_iter().map(take).collect()
    }

    fn most(&self, holder: &Holder) -> usize {
        let part = match holder {
            Holder::Tenant(_) | Holder::Strangers => 2,
            Holder::Caller(Known::Credential(_)) => 4,
            // Addresses are had more easily than keys.
            Holder::Network(_) => 8,
            // What people hold counts for no tenant, which may have many of them. One needs a page or two at once.
            Holder::Caller(Known::Account(_)) => 16,
        };
        (self.places / part).max(A_PAGE)
    }
}

fn refused(holder: &Holder) -> Problem {
    let whose = match holder {
        Holder::Strangers => return busy(),
        Holder::Tenant(_) => "the tenant",
        Holder::Caller(_) | Holder::Network(_) => "you",
    };
    let detail = format!("As many requests as {whose} may have at once are under way. Try again in a moment");
    Problem { retry_after: Some(1), ..Problem::new(429, detail) }
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

/// Counts a request, and refuses it with 429 and `Retry-After` where there were too many, or are at once. Who calls is
/// found out here, once: handlers find it with the request.
pub async fn limit(State(app): State<AppState>, request: Request, next: Next) -> Response {
    if !is_counted(&app, request.uri().path()) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let (checked, holders) = match CallerContext::authenticate(&app, &parts).await {
        Ok(caller) => {
            let who = known(&caller.actor, &parts);
            let checked = who.as_ref().map_or(Ok(()), |who| app.limits.check_known(who));
            let holders: Vec<_> = who.map(Holder::Caller).into_iter().chain(tenant(&caller.actor)).collect();
            parts.extensions.insert(Authenticated(Some(caller)));
            (checked, holders)
        }
        Err(error) => {
            // Any other is of the database, say: whoever needs it says so. It counts all the same.
            if matches!(&error, Error::Problem(problem) if problem.status == 401) {
                parts.extensions.insert(Authenticated(None));
            }
            let address = Origin::of(&app, &parts).address.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
            let holders = vec![Holder::Network(network(address, false)), Holder::Strangers];
            (app.limits.check_address(address), holders)
        }
    };
    if let Err(wait) = checked {
        return too_many(wait);
    }
    match app.limits.shares.take(holders) {
        Ok(share) => {
            let share = Arc::new(share);
            Held::note(&mut parts.extensions, &share);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem_response(problem),
    }
}

/// Not what tells that the server lives, not files from its disk, and not the demo's API, which the server itself
/// asks. The log tells no such request either.
pub(super) fn is_counted(app: &AppState, path: &str) -> bool {
    let package = path.strip_prefix('/').and_then(|path| path.strip_prefix(&*app.leptos.site_pkg_dir));
    let is_file = package.is_some_and(|rest| rest.starts_with('/')) || super::site::PUBLIC.contains(&path);
    !is_probe(path) && !is_file && !path.starts_with("/demo-api/")
}

fn known(actor: &Actor, parts: &Parts) -> Option<Known> {
    match (bearer(&parts.headers), actor) {
        // A program gets a new token whenever it likes: it is counted, not the token.
        (Some(_), Actor::Token { .. }) => Some(Known::Credential(token::hash(&actor.identity()))),
        (Some(key), _) => Some(Known::Credential(token::hash(key))),
        (None, Actor::User { user_id, .. }) => Some(Known::Account(*user_id)),
        (None, _) => None,
    }
}

/// Whose key or token it is. Of a person none is known here: which tenant a request names is checked later, and could
/// be another's.
fn tenant(actor: &Actor) -> Option<Holder> {
    match actor {
        Actor::TenantKey { tenant, .. } | Actor::Token { tenant, .. } => Some(Holder::Tenant(tenant.clone())),
        Actor::User { .. } | Actor::InstanceKey { .. } | Actor::System => None,
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
    fn nobody_has_every_place_and_each_enough_for_a_page() {
        let shares = |places| Shares { held: Places::default(), places };
        let tenant = Holder::Tenant("acme".parse().expect("an id"));
        let caller = Holder::Caller(Known::Credential([0; 32]));
        let person = Holder::Caller(Known::Account(UserId(1)));
        let network = |last| Holder::Network(IpAddr::from([192_u8, 0, 2, last]));
        let most = |places: usize| {
            let holders = [&tenant, &Holder::Strangers, &caller, &network(1), &person];
            holders.map(|holder| shares(places).most(holder))
        };
        assert_eq!(most(512), [256, 256, 128, 64, 32]);
        assert_eq!(most(1), [A_PAGE; 5], "there is no more than the one place");

        let shares = shares(24);
        let stranger = |last| {
            let share = shares.take(vec![network(last), Holder::Strangers]);
            share.map_err(|problem| problem.status)
        };
        let one: Vec<_> = (0..6).map(|_| stranger(1).expect("a share")).collect();
        assert_eq!(stranger(1).err(), Some(429));
        let other: Vec<_> = (0..6).map(|_| stranger(2).expect("a share")).collect();
        assert_eq!(stranger(3).err(), Some(503), "for all strangers together");
        assert!(shares.take(vec![caller, tenant]).is_ok());
        drop(one);
        assert!(stranger(3).is_ok(), "who was refused holds nothing");
        drop(other);
        assert!(shares.held.take(Holder::Strangers, 1).is_some(), "all was given back");
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
