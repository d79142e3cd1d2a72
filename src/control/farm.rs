//! How farms share their clients (CLI-123).

use crate::ids::{ModuleName, NodeName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a farm shares its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FarmReport {
    /// One entry a load balancing group.
    Bitmaps(Vec<BitmapRow>),
    /// One entry a load balancing rule.
    Owners(Vec<OwnerRow>),
}

/// What this node accepts of a load balancing group (NET-40).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BitmapRow {
    /// The module.
    pub module: ModuleName,
    /// Name of the group.
    pub group: String,
    /// Place of this node in cluster.xml, from 1.
    pub rank: usize,
    /// Eight words of eight hexadecimal digits, bucket 0 is the lowest bit of the last.
    pub bitmap: String,
}

/// Who answers a client by a load balancing rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnerRow {
    /// Name of the group.
    pub group: String,
    /// Virtual address of the rule, or `*`.
    pub virtual_addr: String,
    /// Port of the rule, or `*`.
    pub port: String,
    /// `tcp`, `udp` or `arp`.
    pub proto: String,
    /// `on_addr`, `on_port` or `on_ipid`.
    pub filter: String,
    /// Which of the 256 the client falls into, when that can be told.
    pub bucket: Option<u8>,
    /// Who answers new connections of the client.
    pub node: Option<NodeName>,
    /// Who goes on with the established ones, while that is another node.
    pub established: Option<NodeName>,
    /// Why no node is named.
    pub unknown: Option<String>,
}
