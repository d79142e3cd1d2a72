//! `<heart>` and `<heartbeat>` (CFG-HB).

use crate::config::address::Address;
use std::time::Duration;

/// Identity of the heartbeat whose network carries the replication (CFG-HB-07).
pub const FLOW: &str = "flow";

/// `<heart>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heart {
    /// UDP port of the heartbeats that name none; none: 8888+(id-1) (CFG-HB-01).
    pub port: Option<u16>,
    /// Default delay between packets (CFG-HB-02).
    pub pulse: Duration,
    /// Default silence after which a heartbeat is lost (CFG-HB-03).
    pub timeout: Duration,
    /// Permanent ARP entries for the heartbeat addresses (CFG-HB-04).
    pub permanent_arp: bool,
    /// At least one, in the order of the file.
    pub heartbeats: Vec<Heartbeat>,
}

/// `<heartbeat>`, with the defaults of its `<heart>` filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Name of a lan of cluster.xml; in the syntax before 7.2, the identity (CFG-HB-05).
    pub name: String,
    /// Resource `heartbeat.<ident>` (CFG-HB-06).
    pub ident: String,
    /// UDP port; none: 8888+(id-1).
    pub port: Option<u16>,
    /// Delay between packets.
    pub pulse: Duration,
    /// Silence after which this heartbeat is lost.
    pub timeout: Duration,
    /// The two servers of the syntax before 7.2, else empty (CFG-HB-08).
    pub legacy_addrs: Vec<Address>,
}
