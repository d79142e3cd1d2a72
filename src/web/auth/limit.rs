//! How often somebody may try to log in: by address, and by user name.
//!
//! Only failures count. A user who is logged in, or was lately, from an address is not held up there
//! by what others do elsewhere under his name: a flood locks out nobody who was inside before.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures at once from one address, and how fast they are forgiven.
const ADDRESS: Rate = Rate { burst: 10, each: Duration::from_secs(6) };
/// Failures at once of one user from all unknown addresses.
const USER: Rate = Rate { burst: 20, each: Duration::from_secs(3) };
/// Addresses and users remembered, each.
const TABLE: usize = 4096;
/// An address from which a user has logged in is known for so long.
const KNOWN: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Copy)]
struct Rate {
    burst: u32,
    each: Duration,
}

impl Rate {
    /// How long a full bucket takes to empty.
    fn whole(self) -> Duration {
        self.each * self.burst
    }
}

/// When the failures of each will all be forgiven.
#[derive(Debug)]
struct Buckets<K>(HashMap<K, Instant>);

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Buckets(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash> Buckets<K> {
    /// How long to wait before one more attempt.
    fn wait(&self, key: &K, rate: Rate, now: Instant) -> Option<Duration> {
        let over = self.0.get(key)?.saturating_duration_since(now) + rate.each;
        over.checked_sub(rate.whole()).filter(|wait| !wait.is_zero())
    }

    /// Counts a failure. A full table forgets whom it would forgive first.
    fn count(&mut self, key: K, rate: Rate, now: Instant) {
        if self.0.len() >= TABLE && !self.0.contains_key(&key) {
            self.0.retain(|_, until| *until > now);
            let first = self.0.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone());
            if let Some(first) = first.filter(|_| self.0.len() >= TABLE) {
                self.0.remove(&first);
            }
        }
        let until = self.0.entry(key).or_insert(now);
        *until = (*until).max(now) + rate.each;
    }

    /// Takes a count back.
    fn forgive(&mut self, key: &K, rate: Rate, now: Instant) {
        if let Some(until) = self.0.get_mut(key) {
            match until.checked_sub(rate.each) {
                Some(earlier) if earlier > now => *until = earlier,
                _ => drop(self.0.remove(key)),
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    addresses: Buckets<IpAddr>,
    users: Buckets<[u8; 16]>,
    known: HashMap<(IpAddr, [u8; 16]), Instant>,
}

/// The counts of all. Bounded: whatever comes, it holds some thousand entries.
#[derive(Debug, Default)]
pub struct Limits(Mutex<State>);

impl Limits {
    /// Asks whether an attempt may be made, and counts it as failed until [`Limits::succeeded`].
    pub fn attempt(&self, user: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let (user, address) = (short(user), net(address));
        let mut state = self.state();
        let known =
            state.known.get(&(address, user)).is_some_and(|at| now.saturating_duration_since(*at) < KNOWN);
        let by_user = if known { None } else { state.users.wait(&user, USER, now) };
        if let Some(wait) = state.addresses.wait(&address, ADDRESS, now).max(by_user) {
            return Err(wait);
        }
        state.addresses.count(address, ADDRESS, now);
        if !known {
            state.users.count(user, USER, now);
        }
        Ok(())
    }

    /// Nothing was tried after all: the attempt does not count.
    pub fn take_back(&self, user: &str, address: IpAddr, now: Instant) {
        let (user, address) = (short(user), net(address));
        let mut state = self.state();
        state.addresses.forgive(&address, ADDRESS, now);
        if !state.known.contains_key(&(address, user)) {
            state.users.forgive(&user, USER, now);
        }
    }

    /// The attempt was right: it does not count, and the user is known at this address.
    pub fn succeeded(&self, user: &str, address: IpAddr, now: Instant) {
        self.take_back(user, address, now);
        let (user, address) = (short(user), net(address));
        let mut state = self.state();
        if state.known.len() >= TABLE && !state.known.contains_key(&(address, user)) {
            let oldest = state.known.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key);
            oldest.map(|key| state.known.remove(&key));
        }
        state.known.insert((address, user), now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name of any length as a key of fixed size.
fn short(user: &str) -> [u8; 16] {
    let hash = blake3::hash(user.as_bytes());
    hash.as_bytes().first_chunk::<16>().copied().unwrap_or_default()
}

/// Who has one IPv6 address has its whole network.
fn net(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4((0x0a00_0000 + n).into())
    }

    #[test]
    fn an_address_is_slowed_down_and_forgiven() {
        let (limits, start) = (Limits::default(), Instant::now());
        for i in 0..ADDRESS.burst {
            limits.attempt(&format!("u{i}"), address(1), start).unwrap();
        }
        let wait = limits.attempt("u", address(1), start).unwrap_err();
        assert_eq!(wait, ADDRESS.each);
        assert!(limits.attempt("u", address(2), start).is_ok());
        assert!(limits.attempt("u", address(1), start + wait).is_ok());
        assert!(limits.attempt("u", address(1), start + wait).is_err());
    }

    #[test]
    fn right_passwords_do_not_count() {
        let (limits, now) = (Limits::default(), Instant::now());
        for _ in 0..100 {
            limits.attempt("admin", address(1), now).unwrap();
            limits.succeeded("admin", address(1), now);
        }
    }

    #[test]
    fn a_flood_does_not_lock_out_who_was_inside() {
        let (limits, now) = (Limits::default(), Instant::now());
        limits.attempt("admin", address(0), now).unwrap();
        limits.succeeded("admin", address(0), now);
        let refused = (1..100_000).filter(|n| limits.attempt("admin", address(*n), now).is_err()).count();
        assert!(refused > 99_000, "{refused}");
        assert!(limits.attempt("admin", address(0), now).is_ok());
        assert!(limits.attempt("operator", address(200_000), now).is_ok());
        let state = limits.state();
        assert!(
            state.addresses.0.len() <= TABLE && state.users.0.len() <= TABLE && state.known.len() <= TABLE
        );
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        assert_eq!(net("2001:db8::1".parse().unwrap()), net("2001:db8::ffff".parse().unwrap()));
        assert_eq!(net("::ffff:10.0.0.1".parse().unwrap()), address(1));
    }
}
