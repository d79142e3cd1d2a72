//! What the nodes of a cluster tell each other about themselves (RES-54).

use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use serde::{Deserialize, Serialize};

/// A node, as it describes itself to the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Version of SafeKit.
    pub safekit_version: String,
    /// Version of the datagrams ([`crate::wire::codec::VERSION`]).
    pub wire_version: u8,
    /// Signature of the cluster configuration.
    pub cluster_signature: String,
    /// When it was applied on that node: local time, `2016-05-20T17:06:45`.
    pub cluster_date: String,
    /// It refuses changes.
    pub cluster_locked: bool,
    /// Its modules.
    pub modules: Vec<ModuleView>,
    /// The kernel's name for this run of the machine (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Number of user `safekit`; none if there is no such user.
    pub safekit_uid: Option<u32>,
    /// Number of group `safekit`; none if there is no such group.
    pub safekit_gid: Option<u32>,
}

/// A module of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleView {
    /// The module.
    pub name: ModuleName,
    /// Its number.
    pub id: ModuleId,
    /// `mirror`, `farm` or `light`.
    pub mode: String,
    /// Date of the last configuration, `2016-05-20T17:06:45`; empty without one.
    pub config_date: String,
    /// Signature of the last configuration; empty without one.
    pub config_signature: String,
    /// It was configured (`safekit config`).
    pub configured: bool,
    /// Its state.
    pub state: (Role, Readiness),
}

/// A node of the cluster, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in cluster.xml, from 0.
    pub node: usize,
    /// Its name.
    pub name: NodeName,
    /// It is this node.
    pub me: bool,
    /// It is a member: it answers, or the leader hears it. This node is always online.
    pub online: bool,
    /// Milliseconds since its newest authentic datagram, on any lan; none if there was none. A
    /// follower hears only its leader.
    pub heard_ms_ago: Option<u64>,
    /// How far its clock is ahead of this node's, in milliseconds, as of that datagram.
    pub clock_ahead_ms: Option<i64>,
    /// What it last told, also when it is offline now.
    pub view: Option<NodeView>,
}
