//! The cluster as this node's actor needs it: addresses resolved, key and signature at hand.

pub use crate::config::cluster::MOST_NODES;
use crate::config::cluster::{ClusterConfig, Lan};
use crate::fsm::membership::{Config, Node};
use crate::ids::NodeName;
use crate::node::keys::SecretKey;
use crate::told::Tell;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Most lans of a cluster.
pub const MOST_LANS: usize = 32;

/// Why this node cannot take part in the cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// More than the protocol carries.
    #[error(
        "cluster.xml has {nodes} nodes and {lans} lans: at most {MOST_NODES} nodes and {MOST_LANS} lans are possible"
    )]
    TooMany {
        /// Nodes of cluster.xml.
        nodes: usize,
        /// Lans of cluster.xml.
        lans: usize,
    },
    /// This node is not one of them.
    #[error("node {0} is not in cluster.xml: add it there, or correct SAFEKIT_NODE")]
    NotInCluster(NodeName),
}

impl Tell for SetupError {
    fn french(&self) -> String {
        match self {
            SetupError::TooMany { nodes, lans } => format!(
                "cluster.xml a {nodes} nœuds et {lans} lans : {MOST_NODES} nœuds et {MOST_LANS} lans au plus sont possibles"
            ),
            SetupError::NotInCluster(node) => {
                format!("le nœud {node} n'est pas dans cluster.xml : ajoutez-le, ou corrigez SAFEKIT_NODE")
            }
        }
    }
}

/// The cluster, seen from this node.
#[derive(Clone)]
pub struct ClusterSetup {
    /// This node.
    pub me: Node,
    /// Every node, in the order of cluster.xml.
    pub nodes: Vec<NodeName>,
    /// UDP port of every node (CFG-CL-01).
    pub port: u16,
    /// Period of lists (CFG-CL-02).
    pub pulse: Duration,
    /// Silent periods after which the leader is given up (CFG-CL-03).
    pub mlost_count: u32,
    /// Silent periods after which a follower is given up (CFG-CL-04).
    pub slost_count: u32,
    /// The networks, in the order of cluster.xml.
    pub lans: Vec<LanSetup>,
    /// The cluster's key; without one datagrams are only protected against accidents (CFG-CL-11).
    pub key: Option<SecretKey>,
    /// Signature of the cluster configuration: nodes with another one do not hear each other.
    pub signature: String,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanSetup {
    /// Its name.
    pub name: String,
    /// The address that this node binds to; none if it is not on this network.
    pub local: Option<IpAddr>,
    /// By node: the address that others use; none if it is not on this network or has no address.
    pub addrs: Vec<Option<IpAddr>>,
}

impl ClusterSetup {
    /// Resolves every address, so this blocks: call it from a blocking thread. A name that has no
    /// address is skipped with a warning, as its node may still be reached on another lan.
    ///
    /// # Errors
    /// Too many nodes or lans; `me` is no node of the cluster.
    pub fn new(
        config: &ClusterConfig,
        me: &NodeName,
        key: Option<SecretKey>,
        signature: &str,
    ) -> Result<Self, SetupError> {
        let nodes = config.nodes();
        if nodes.len() > MOST_NODES || config.lans.len() > MOST_LANS {
            return Err(SetupError::TooMany { nodes: nodes.len(), lans: config.lans.len() });
        }
        let index = nodes.iter().position(|node| node == me);
        let index = index.ok_or_else(|| SetupError::NotInCluster(me.clone()))?;
        let lans = config.lans.iter().map(|lan| LanSetup::new(lan, &nodes, me)).collect();
        Ok(ClusterSetup {
            me: index,
            nodes,
            port: config.port,
            pulse: config.pulse,
            mlost_count: config.mlost_count,
            slost_count: config.slost_count,
            lans,
            key,
            signature: signature.to_owned(),
        })
    }

    /// What the automaton has to know of it.
    pub(super) fn membership(&self) -> Config {
        let here = |lan: &usize| self.lans[*lan].local.is_some();
        Config {
            me: self.me,
            nodes: self.nodes.len(),
            lans: (0..self.lans.len()).filter(here).collect(),
            pulse_ms: u64::try_from(self.pulse.as_millis()).unwrap_or(u64::MAX).max(1),
            leader_lost: self.mlost_count,
            follower_lost: self.slost_count,
            listen: self.mlost_count + 1,
        }
    }

    /// Where this node sends what is for `node` on `lan`; none if one of them is not there.
    pub(super) fn target(&self, lan: usize, node: Node) -> Option<SocketAddr> {
        let lan = self.lans.get(lan).filter(|lan| lan.local.is_some() && node != self.me)?;
        let addr = (*lan.addrs.get(node)?)?;
        Some(SocketAddr::new(addr, self.port))
    }

    /// The node that has this address on one of the lans.
    pub(super) fn node_at(&self, addr: IpAddr) -> Option<Node> {
        self.lans.iter().find_map(|lan| lan.addrs.iter().position(|known| *known == Some(addr)))
    }
}

impl LanSetup {
    /// A network with the addresses of these nodes. Asks the resolver: blocks; a name that has no address is
    /// skipped with a warning.
    pub fn new(lan: &Lan, nodes: &[NodeName], me: &NodeName) -> Self {
        let skip = |node: &NodeName, error: std::io::Error| {
            tracing::warn!(%node, lan = lan.name, %error, "no address: correct cluster.xml or the resolver");
        };
        let local = lan.node(me).and_then(|node| node.resolve_local().map_err(|e| skip(me, e)).ok());
        let addr = |name| lan.node(name).and_then(|node| node.resolve().map_err(|e| skip(name, e)).ok());
        LanSetup { name: lan.name.clone(), local, addrs: nodes.iter().map(addr).collect() }
    }
}
