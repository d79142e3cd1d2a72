//! cluster.xml: the nodes, the networks between them and the membership protocol (CFG-CL).

use crate::config::address::Address;
use crate::ids::NodeName;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Default of `lans@port` (CFG-CL-01).
pub const DEFAULT_PORT: u16 = 4800;
/// Default period of membership messages (AMB-15).
pub const DEFAULT_PULSE: Duration = Duration::from_millis(700);
/// Default silent periods before electing a new leader (AMB-15).
pub const DEFAULT_MLOST_COUNT: u32 = 6;
/// Default silent periods before declaring a follower offline (AMB-15).
pub const DEFAULT_SLOST_COUNT: u32 = 12;

/// A checked cluster.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// UDP port of the membership protocol (CFG-CL-01).
    pub port: u16,
    /// Period of membership messages (CFG-CL-02).
    pub pulse: Duration,
    /// Silent periods before electing a new leader (CFG-CL-03).
    pub mlost_count: u32,
    /// Silent periods before declaring a follower offline (CFG-CL-04).
    pub slost_count: u32,
    /// The networks, in the order of the file; at least one holds all nodes.
    pub lans: Vec<Lan>,
    /// The text it was read from: what is signed and sent to other nodes.
    pub source: String,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Name used by modules (CFG-CL-05).
    pub name: String,
    /// Distributed commands use this network; exactly one lan has it after loading (CFG-CL-06).
    pub command: bool,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<LanNode>,
}

/// Address of a node on one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanNode {
    /// Name of the node (CFG-CL-07).
    pub name: NodeName,
    /// Address or name as the other nodes see it, without brackets (CFG-CL-08).
    pub addr: String,
    /// Local address behind NAT (CFG-CL-09).
    pub laddr: Option<IpAddr>,
}

impl ClusterConfig {
    /// Every node once, in the order of cluster.xml: the node order of all automata.
    pub fn nodes(&self) -> Vec<NodeName> {
        let mut all: Vec<NodeName> = Vec::new();
        for node in self.lans.iter().flat_map(|l| &l.nodes) {
            if !all.contains(&node.name) {
                all.push(node.name.clone());
            }
        }
        all
    }

    /// The network of that name.
    pub fn lan(&self, name: &str) -> Option<&Lan> {
        self.lans.iter().find(|l| l.name == name)
    }

    /// The network of distributed commands (CFG-CL-06).
    pub fn command_lan(&self) -> Option<&Lan> {
        self.lans.iter().find(|l| l.command)
    }
}

impl Lan {
    /// That node on this network.
    pub fn node(&self, name: &NodeName) -> Option<&LanNode> {
        self.nodes.iter().find(|n| &n.name == name)
    }
}

impl LanNode {
    /// The address the other nodes use; a name is asked of the resolver, so this blocks.
    pub fn resolve(&self) -> io::Result<IpAddr> {
        let address: Address =
            self.addr.parse().map_err(|e: String| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        address.resolve()
    }

    /// The address this node binds to: `laddr` behind NAT, else `addr`. Blocks like `resolve`.
    pub fn resolve_local(&self) -> io::Result<IpAddr> {
        self.laddr.map_or_else(|| self.resolve(), Ok)
    }
}
