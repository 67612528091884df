//! How often passwords may be tried. The same for accounts that exist and those that do not.
//!
//! Kept by each server for itself: with n servers a stranger has n times the tries.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use crate::{server::token, shared::Problem};

/// Tries after which keys at rest are dropped.
const SWEEP: u64 = 10_000;

/// An account, by the hash of its address: an attacker chooses how long it is.
type Account = [u8; 32];

/// Tries of passwords, by who is tried and from where.
pub struct Throttle {
    /// One account from one address, which is a site's (`site`): a person who mistypes.
    pairs: DefaultKeyedRateLimiter<(Account, Option<IpAddr>)>,
    /// One account from anywhere: many machines that try one person.
    accounts: DefaultKeyedRateLimiter<Account>,
    /// One address for any account: one machine that tries many persons.
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    tries: AtomicU64,
}

/// Whose an address is. A site has an IPv6 network of 48 to 56 bits (RFC 6177): were each of its 256 and more networks of
/// 64 bits counted for itself, one site alone could use up what an account has from anywhere.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80)).into(),
    }
}

fn quota(burst: u32, each: Duration) -> Quota {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(each).unwrap_or_else(|| Quota::per_second(burst)).allow_burst(burst)
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            pairs: RateLimiter::keyed(quota(10, Duration::from_secs(20))),
            // Faster than a pair's, so that no single machine uses it up.
            accounts: RateLimiter::keyed(quota(50, Duration::from_secs(5))),
            addresses: RateLimiter::keyed(quota(50, Duration::from_secs(5))),
            tries: AtomicU64::new(0),
        }
    }
}

impl Throttle {
    /// Counts a try.
    ///
    /// # Errors
    /// 429.
    pub fn check(&self, account: &str, address: Option<IpAddr>) -> Result<(), Problem> {
        self.sweep();
        let account = token::hash(account);
        let site = address.map(site);
        let now = governor::clock::DefaultClock::default().now();
        // In this order, and no further than the first refusal: what is refused for its address must not count for
        // the account, or one machine could keep a person out.
        let refused = site
            .and_then(|site| self.addresses.check_key(&site).err())
            .or_else(|| self.pairs.check_key(&(account, site)).err())
            .or_else(|| self.accounts.check_key(&account).err());
        match refused {
            None => Ok(()),
            Some(no) => Err(Problem::too_many(no.wait_time_from(now))),
        }
    }
}

impl Throttle {
    /// Drops those at rest, once in so many tries: each costs a look at all of them.
    fn sweep(&self) {
        if self.tries.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.pairs.retain_recent();
            self.accounts.retain_recent();
            self.addresses.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_guessing_has_an_end() {
        let address = |text: &str| Some(text.parse::<IpAddr>().expect("it holds"));
        let tries = |mut one: Box<dyn FnMut(usize) -> bool>| (0..200).take_while(|i| one(*i)).count();
        let throttle = Throttle::default();
        assert_eq!(tries(Box::new(move |_| throttle.check("a@x", address("192.0.2.1")).is_ok())), 10);
        let throttle = Throttle::default();
        let many = |i: usize| Some(IpAddr::from([192, 0, 2, i as u8]));
        assert_eq!(tries(Box::new(move |i| throttle.check("a@x", many(i)).is_ok())), 50);
        let throttle = Throttle::default();
        let guess = move |i: usize| throttle.check(&format!("{i}@x"), address("192.0.2.1")).is_ok();
        assert_eq!(tries(Box::new(guess)), 50);
        let throttle = Throttle::default();
        let hop = move |i: usize| throttle.check("a@x", address(&format!("2001:db8::{i:x}"))).is_ok();
        assert_eq!(tries(Box::new(hop)), 10, "all of one /64");
        let throttle = Throttle::default();
        for i in 0..500 {
            let _ = throttle.check("a@x", address(&format!("2001:db8:0:{i:x}::1")));
        }
        assert!(throttle.check("a@x", address("2001:db8:1::1")).is_ok(), "one site locks no person out");
        let throttle = Throttle::default();
        for _ in 0..500 {
            let _ = throttle.check("a@x", address("192.0.2.1"));
        }
        assert!(
            throttle.check("a@x", address("192.0.2.2")).is_ok(),
            "one machine does not lock a person out"
        );
    }
}
