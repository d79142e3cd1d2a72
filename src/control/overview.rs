//! What the console shows at once: a node with its modules, and the nodes of a cluster.

use super::Stamp;
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A node as it is now. Everything in it was true at the same moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// Its name in cluster.xml; none while it is in no cluster.
    pub node: Option<NodeName>,
    /// Host name.
    pub host: String,
    /// Version of SafeKit.
    pub safekit: String,
    /// When it was so, Unix time in milliseconds.
    pub time: i64,
    /// Its cluster configuration; none when it is not configured.
    pub cluster: Option<ClusterOverview>,
    /// Installed modules, by name.
    pub modules: Vec<ModuleOverview>,
}

impl Overview {
    /// Whether both show the same, whenever that was.
    pub fn shows_same(&self, other: &Overview) -> bool {
        Overview { time: self.time, ..other.clone() } == *self
    }
}

/// The cluster configuration of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterOverview {
    /// Signature, hexadecimal; nodes with the same one hear each other.
    pub signature: String,
    /// When it was applied here, `2016-05-20T17:06:45`.
    pub date: String,
    /// Locked against `cluster config`.
    pub lock: bool,
    /// Why this node takes no part in it, if so.
    pub trouble: Option<String>,
}

/// A module of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModuleOverview {
    /// The module.
    pub module: ModuleName,
    /// Its number.
    pub id: ModuleId,
    /// `mirror`, `farm` or `light`; none if its configuration cannot be read.
    pub mode: Option<String>,
    /// A configuration was applied.
    pub configured: bool,
    /// Its role here.
    pub role: Role,
    /// Its stability here.
    pub readiness: Readiness,
    /// State of the other node of a mirror, as the resource state.remote has it.
    pub remote: Option<String>,
    /// Date of the last change of state, `2024-02-13 09:03:12`; empty when it is not configured.
    pub since: String,
    /// The status line: the first line of `explain`; why it cannot run, if it cannot.
    pub reason: Option<String>,
    /// Of a mirror with replicated directories: its data are up to date.
    pub uptodate: Option<bool>,
    /// It goes on without replication.
    pub degraded: bool,
    /// Of a farm: which part of the clients this node serves, by load balancing group.
    pub shares: Vec<ShareRow>,
    /// How far its reintegration is, while there is one.
    pub progress: Option<ProgressReport>,
    /// Its nodes talk encrypted.
    pub encrypted: bool,
    /// The key that SAFE/modules/AM has, which the next configuration brings into use.
    pub saved_key: SavedKey,
    /// Started at boot: `on`, `off` or `auto`.
    pub boot: String,
    /// The configuration that was applied last; none before the first.
    pub active: Option<Stamp>,
    /// The one of SAFE/modules/AM; with an empty signature if it cannot be read.
    pub current: Stamp,
    /// Control commands that make sense now, in the order of a menu, as `commands` of the API takes them:
    /// `start`, `prim fullsync`, `checker off`...
    pub commands: Vec<String>,
    /// Changes with every start of the application here, and has never been so before; 0 before the first
    /// one since the node has booted.
    pub starts: u64,
}

/// The key of SAFE/modules/AM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SavedKey {
    /// There is none: the next configuration ends encryption if there is any.
    #[default]
    None,
    /// It is the one in use.
    Active,
    /// It is not in use.
    New,
}

/// What a node serves of a load balancing group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShareRow {
    /// Name of the group.
    pub group: String,
    /// Part of the clients, in percent.
    pub percent: u8,
}

/// How far a reintegration is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgressReport {
    /// The same as one line of text.
    pub text: String,
    /// Files that are done.
    pub files: u64,
    /// Files known so far.
    pub files_known: u64,
    /// Bytes copied.
    pub copied: u64,
    /// Bytes compared.
    pub compared: u64,
    /// Bytes copied per second.
    pub rate: u64,
    /// Seconds that the rest takes, if anybody can say.
    pub left: Option<u64>,
}

/// A node of the cluster, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeRow {
    /// Its name.
    pub node: NodeName,
    /// It is this node.
    pub me: bool,
    /// It is a member of the cluster.
    pub online: bool,
    /// Its addresses, in the order of cluster.xml.
    pub addresses: Vec<AddressRow>,
    /// Its address on the network of distributed commands; empty if it is not on it.
    pub command: String,
    /// Version of SafeKit; empty until it was heard.
    pub version: String,
    /// Signature of its cluster configuration; empty until it was heard.
    pub signature: String,
    /// When that was applied there, `2016-05-20T17:06:45`; empty until it was heard.
    pub date: String,
    /// It is locked against `cluster config`.
    pub lock: bool,
}

/// An address of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressRow {
    /// Name of the network.
    pub lan: String,
    /// Address or name, as cluster.xml has it.
    pub addr: String,
}

/// The cluster configuration of a node; its text is the attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterReport {
    /// cluster.xml is there.
    pub configured: bool,
    /// Signature, hexadecimal; empty when it is not configured.
    pub signature: String,
    /// When it was applied here, `2016-05-20T17:06:45`; empty when it is not configured.
    pub date: String,
    /// Locked against `cluster config`.
    pub lock: bool,
    /// This node; none if it is not in cluster.xml.
    pub node: Option<NodeName>,
    /// The nodes, in the order of cluster.xml.
    pub nodes: Vec<NodeName>,
    /// Why this node takes no part in it, if so.
    pub trouble: Option<String>,
}
