//! Who has which channel, and how many: the limits of the tunnel. Pure: the clock is given.

use super::channel::{Channel, Ephemeral};
use crate::told::Tell;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Channels of all addresses, requests under way included: 63 nodes that watch this one, and pages of its
/// modules in the consoles of all of them.
pub const MOST: usize = 2048;
/// Channels of one address, requests under way included: all that one node asks of others at the same time.
pub const MOST_OF_ONE: usize = 640;
/// How long a channel waits for its request.
pub const UNUSED: Duration = Duration::from_secs(20);
/// Failures that an address may have at once.
const FAILURES: u32 = 10;
/// Time after which one failure is forgotten.
const FORGIVEN: Duration = Duration::from_secs(6);
/// Addresses whose failures are remembered.
const REMEMBERED: usize = 1024;
/// Handshakes that are remembered at least, and half of those that are at most.
const SEEN: usize = 4096;

/// Number of a channel: drawn at random, told to its client only.
pub type ChannelId = [u8; 16];

/// Why there is no room for another channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Too many handshakes of this address have failed.
    #[error("too many handshakes from this address have failed: wait a minute")]
    Failures,
    /// Too many requests.
    #[error("too many requests are under way: try again when one has ended")]
    Requests,
}

impl Tell for Full {
    fn french(&self) -> String {
        match self {
            Full::Failures => "trop de négociations depuis cette adresse ont échoué : attendez une minute",
            Full::Requests => "trop de requêtes sont en cours : réessayez quand l'une sera terminée",
        }
        .to_owned()
    }
}

/// All channels of this node.
#[derive(Debug, Default)]
pub struct Table {
    waiting: HashMap<ChannelId, Waiting>,
    running: HashMap<IpAddr, usize>,
    failures: HashMap<IpAddr, Failures>,
    seen: Seen,
}

/// The last good handshakes: who records them on the network must not fill this table with them.
#[derive(Debug, Default)]
struct Seen {
    new: HashSet<Ephemeral>,
    old: HashSet<Ephemeral>,
}

/// A channel without a request.
#[derive(Debug)]
struct Waiting {
    channel: Channel,
    address: IpAddr,
    since: Instant,
}

/// Failed handshakes of an address, as of the last one.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    fn at(self, now: Instant) -> u32 {
        let forgiven = now.saturating_duration_since(self.last).as_secs() / FORGIVEN.as_secs();
        self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}

impl Table {
    /// Whether this address may have another channel. Asked before any work is done for it.
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), Full> {
        let address = whose(address);
        if self.failures.get(&address).is_some_and(|f| f.at(now) >= FAILURES) {
            return Err(Full::Failures);
        }
        self.waiting.retain(|_, w| now.saturating_duration_since(w.since) < UNUSED);
        let running: usize = self.running.values().sum();
        let own = self.waiting.values().filter(|w| w.address == address).count()
            + self.running.get(&address).copied().unwrap_or(0);
        if self.waiting.len() + running >= MOST || own >= MOST_OF_ONE {
            return Err(Full::Requests);
        }
        Ok(())
    }

    /// Counts a failed handshake, or a request with a broken seal.
    pub fn failed(&mut self, address: IpAddr, now: Instant) {
        let address = whose(address);
        if self.failures.len() >= REMEMBERED {
            self.failures.retain(|_, f| f.at(now) > 0);
        }
        // Full of addresses that go on failing: new ones are not remembered; what they try fails too.
        if self.failures.len() < REMEMBERED || self.failures.contains_key(&address) {
            let count = self.failures.get(&address).map_or(0, |f| f.at(now)) + 1;
            self.failures.insert(address, Failures { count, last: now });
        }
    }

    /// Whether a good handshake with this key is the first one, as far as that is remembered.
    pub fn is_new(&mut self, key: &Ephemeral) -> bool {
        let Seen { new, old } = &mut self.seen;
        let first = !old.contains(key) && new.insert(*key);
        if new.len() >= SEEN {
            *old = std::mem::take(new);
        }
        first
    }

    /// Keeps a channel until its request comes.
    pub fn keep(&mut self, id: ChannelId, channel: Channel, address: IpAddr, now: Instant) {
        self.waiting.insert(id, Waiting { channel, address: whose(address), since: now });
    }

    /// Gives the channel to its request, once. It counts until [`Table::ended`] with this address.
    pub fn take(&mut self, id: &ChannelId, now: Instant) -> Option<(Channel, IpAddr)> {
        let waiting = self.waiting.remove(id)?;
        if now.saturating_duration_since(waiting.since) >= UNUSED {
            return None;
        }
        *self.running.entry(waiting.address).or_default() += 1;
        Some((waiting.channel, waiting.address))
    }

    /// No channel waits, no request is under way.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// A request has ended.
    pub fn ended(&mut self, address: IpAddr) {
        if let Some(count) = self.running.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.running.remove(&address);
            }
        }
    }
}

/// Whom an address stands for: with IPv6 one network of 64 bits, which one machine can fill.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Greeting, Offer, respond};
    use super::super::secret::Secret;
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 0, 1));

    fn channel() -> Channel {
        let secret = Secret::random().unwrap();
        let (_, first) = Offer::new(&secret).unwrap();
        respond(&secret, &first, &Greeting::ours(None)).unwrap().0
    }

    fn id(n: u8) -> ChannelId {
        [n; 16]
    }

    /// Requests under way of an address.
    fn run(table: &mut Table, address: IpAddr, count: usize) {
        *table.running.entry(address).or_default() += count;
    }

    #[test]
    fn a_channel_is_good_for_one_request_and_not_for_long() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.keep(id(1), channel(), A, now);
        assert!(table.take(&id(2), now).is_none());
        assert_eq!(table.take(&id(1), now).unwrap().1, A);
        assert!(table.take(&id(1), now).is_none(), "twice");
        table.keep(id(3), channel(), A, now);
        assert!(table.take(&id(3), now + UNUSED).is_none(), "late");
    }

    #[test]
    fn an_address_has_its_share_of_the_channels() {
        let (mut table, now) = (Table::default(), Instant::now());
        run(&mut table, A, MOST_OF_ONE - 2);
        for n in 0..2 {
            table.admit(A, now).unwrap();
            table.keep(id(n), channel(), A, now);
        }
        assert_eq!(table.admit(A, now), Err(Full::Requests));
        table.admit("10.77.0.2".parse().unwrap(), now).unwrap();
        let (_, whose) = table.take(&id(0), now).unwrap();
        assert_eq!(table.admit(A, now), Err(Full::Requests), "under way");
        table.ended(whose);
        table.admit(A, now).unwrap();
        table.keep(id(0), channel(), A, now);
        assert_eq!(table.admit(A, now), Err(Full::Requests), "waiting");
        table.admit(A, now + UNUSED).unwrap();
        assert!(table.waiting.is_empty(), "those that nobody used are forgotten");
    }

    #[test]
    fn all_addresses_together_have_a_limit() {
        let (mut table, now) = (Table::default(), Instant::now());
        let address = |n: usize| IpAddr::from([10, 77, 1, (n / MOST_OF_ONE) as u8]);
        for n in 0..MOST {
            table.admit(address(n), now).unwrap();
            run(&mut table, address(n), 1);
        }
        assert_eq!(table.admit("10.77.0.9".parse().unwrap(), now), Err(Full::Requests));
    }

    #[test]
    fn failures_are_limited_and_forgiven() {
        let (mut table, now) = (Table::default(), Instant::now());
        for _ in 0..FAILURES {
            table.admit(A, now).unwrap();
            table.failed(A, now);
        }
        assert_eq!(table.admit(A, now), Err(Full::Failures));
        table.admit("10.77.0.2".parse().unwrap(), now).unwrap();
        table.admit(A, now + FORGIVEN).unwrap();
    }

    #[test]
    fn a_handshake_is_good_once() {
        let mut table = Table::default();
        let key = |n: usize| {
            let mut key = Ephemeral::default();
            key[..8].copy_from_slice(&n.to_le_bytes());
            key
        };
        for n in 0..SEEN {
            assert!(table.is_new(&key(n)) && !table.is_new(&key(n)), "{n}");
        }
        assert!((0..SEEN).all(|n| !table.is_new(&key(n))), "those before are remembered too");
        for n in SEEN..5 * SEEN {
            assert!(table.is_new(&key(n)));
        }
        assert!(table.seen.new.len() + table.seen.old.len() <= 2 * SEEN, "their memory is bounded");
    }

    #[test]
    fn the_memory_for_failures_is_bounded() {
        let (mut table, now) = (Table::default(), Instant::now());
        for n in 0..2 * REMEMBERED {
            table.failed(IpAddr::V4(u32::try_from(n).unwrap().into()), now);
        }
        assert_eq!(table.failures.len(), REMEMBERED);
        table.failed(A, now + FORGIVEN);
        assert_eq!(table.failures.len(), 1);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let (one, other) = ("fd00::1:2:3:4".parse().unwrap(), "fd00::9:9:9:9".parse().unwrap());
        assert_eq!(whose(one), whose(other));
        assert_ne!(whose(one), whose("fd00:0:0:1::1".parse().unwrap()));
        assert_eq!(whose("::ffff:10.77.0.1".parse().unwrap()), A);
    }
}
