//! Datagrams that were dropped: counted by peer and reason, told once a minute.

use crate::wire::{Reason, WireError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A warning is repeated after this time, ms.
const WARN_AGAIN_MS: u64 = 60_000;
/// What was dropped within this time tells how things are now, ms.
const RECENT_MS: u64 = 10_000;

/// Why datagrams were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DropReason {
    /// Not a datagram of SafeKit.
    NotSafekit,
    /// Of another version of the protocol.
    OtherVersion,
    /// Truncated, or of no known kind.
    Damaged,
    /// The seal is broken: another key, another cluster configuration, or forged.
    OtherKey,
    /// Meant for another use, such as a heartbeat.
    OtherUse,
    /// Under the number of this node.
    OwnNumber,
    /// Authentic, but its content is not understood.
    Content,
    /// A copy, a replay, or overtaken: happens on every network now and then.
    Outdated,
    /// This node had no random number for the answer.
    NoRandom,
}

impl From<&Reason> for DropReason {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::Frame(WireError::NotOurs | WireError::TooLong(_)) => DropReason::NotSafekit,
            Reason::Frame(WireError::OtherVersion(_)) => DropReason::OtherVersion,
            Reason::Frame(WireError::TooShort(_) | WireError::UnknownKind(_)) => DropReason::Damaged,
            Reason::Frame(WireError::Content(_) | WireError::Encode(_)) => DropReason::Content,
            Reason::OtherKind => DropReason::OtherUse,
            Reason::Own => DropReason::OwnNumber,
            Reason::Seal => DropReason::OtherKey,
            Reason::Retired(_) | Reason::Duplicate | Reason::Stale | Reason::Handshake => {
                DropReason::Outdated
            }
        }
    }
}

/// Whose port it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// That of the cluster.
    Cluster,
    /// That of the farm of a module.
    Farm,
}

impl Port {
    /// Whose it is, where it is configured, what its nodes share, and how that is put right.
    fn words(self) -> [&'static str; 4] {
        match self {
            Port::Cluster => [
                "the cluster",
                "lans@port in cluster.xml",
                "cluster key or another cluster configuration",
                "deploy the configuration again with safekit -H \"*\" -G",
            ],
            Port::Farm => [
                "this farm",
                "farm@port in userconfig.xml",
                "key or another module of this number",
                "configure the module again on all nodes",
            ],
        }
    }
}

impl DropReason {
    /// What is wrong with `who` and what to do.
    pub fn advice(self, who: &str, port: Port) -> String {
        let [whose, attribute, key, again] = port.words();
        let use_other = format!(
            "another program uses the port of {whose}: change the port of that program, or {attribute}"
        );
        let other_port = format!("give them or {attribute} another port");
        let other_key = format!("uses another {key}");
        let other_use = format!("sends datagrams of another use to the port of {whose}");
        let (wrong, to_do) = match self {
            DropReason::NotSafekit => ("sends what is no datagram of SafeKit", use_other.as_str()),
            DropReason::OtherVersion => {
                ("runs another version of SafeKit", "install the same version on all nodes")
            }
            DropReason::Damaged => (
                "sends datagrams that arrive truncated",
                "check the network between the nodes: cables, MTU, firewalls",
            ),
            DropReason::OtherKey => (other_key.as_str(), again),
            DropReason::OtherUse => (other_use.as_str(), other_port.as_str()),
            DropReason::OwnNumber => (
                "uses the number of this node",
                "two machines run as the same node: correct SAFEKIT_NODE or the addresses in cluster.xml",
            ),
            DropReason::Content => {
                ("sends what is not understood", "install the same version of SafeKit on all nodes")
            }
            DropReason::Outdated => (
                "sends copies or outdated datagrams",
                "nothing to do unless they are many: then check the network",
            ),
            DropReason::NoRandom => {
                ("cannot be answered", "this system gives no random numbers: look at its kernel log")
            }
        };
        format!("{who} {wrong}: {to_do}")
    }
}

/// Datagrams of one peer that were dropped for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropCount {
    /// The node that has the source address in cluster.xml; none if it is nobody's.
    pub node: Option<usize>,
    /// Where the newest came from.
    pub source: SocketAddr,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub count: u64,
    /// Milliseconds since the newest.
    pub last_ms_ago: u64,
}

impl DropCount {
    /// It goes on, and something is wrong.
    pub fn matters(&self) -> bool {
        self.reason != DropReason::Outdated && self.last_ms_ago < RECENT_MS
    }
}

#[derive(Debug)]
struct Entry {
    source: SocketAddr,
    count: u64,
    last_ms: u64,
    warned_ms: Option<u64>,
}

/// All counters. Nodes and reasons are few, and all strangers share one node, so it is bounded.
#[derive(Debug, Default)]
pub struct Drops(BTreeMap<(Option<usize>, DropReason), Entry>);

impl Drops {
    /// Counts one. True when it is time to warn.
    pub fn count(
        &mut self,
        node: Option<usize>,
        source: SocketAddr,
        reason: DropReason,
        now_ms: u64,
    ) -> bool {
        let fresh = Entry { source, count: 0, last_ms: now_ms, warned_ms: None };
        let entry = self.0.entry((node, reason)).or_insert(fresh);
        entry.count = entry.count.saturating_add(1);
        (entry.source, entry.last_ms) = (source, now_ms);
        let quiet = entry.warned_ms.is_some_and(|at| now_ms.saturating_sub(at) < WARN_AGAIN_MS);
        if quiet || reason == DropReason::Outdated {
            return false;
        }
        entry.warned_ms = Some(now_ms);
        true
    }

    /// Every counter.
    pub fn all(&self, now_ms: u64) -> Vec<DropCount> {
        let row = |((node, reason), entry): (&(Option<usize>, DropReason), &Entry)| DropCount {
            node: *node,
            source: entry.source,
            reason: *reason,
            count: entry.count,
            last_ms_ago: now_ms.saturating_sub(entry.last_ms),
        };
        self.0.iter().map(row).collect()
    }
}
