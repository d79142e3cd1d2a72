//! `<farm>` (CFG-FA).

use crate::config::address::Address;
use crate::ids::NodeName;
use std::time::Duration;

/// `<farm>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farm {
    /// UDP port of the membership protocol; none: 4803+3(id-1) (CFG-FA-01).
    pub port: Option<u16>,
    /// Period of membership messages (CFG-FA-02).
    pub pulse: Duration,
    /// Silent periods before electing a new leader.
    pub mlost_count: u32,
    /// Silent periods before declaring a follower offline.
    pub slost_count: u32,
    /// At least one.
    pub lans: Vec<FarmLan>,
}

/// `<lan>` of a farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmLan {
    /// Name of a lan of cluster.xml; a chosen one in the syntax before 7.2 (CFG-FA-03).
    pub name: String,
    /// The nodes of the syntax before 7.2, else empty (CFG-FA-04).
    pub legacy_nodes: Vec<(NodeName, Address)>,
}
