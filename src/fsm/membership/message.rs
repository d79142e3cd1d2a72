//! What the membership automaton is told, sends and asks for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Place of a node in cluster.xml, from 0.
pub type Node = usize;

/// Bytes of one [`NodeInfo`].
pub const MOST_INFO: usize = 6 * 1024;

/// The cluster as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub me: Node,
    /// Number of nodes.
    pub nodes: usize,
    /// The lans on which this node is.
    pub lans: Vec<usize>,
    /// Milliseconds between lists.
    pub pulse_ms: u64,
    /// Silent pulses after which the leader is given up (`mlost_count`).
    pub leader_lost: u32,
    /// Silent pulses after which a follower is given up (`slost_count`).
    pub follower_lost: u32,
    /// Pulses that a starting node listens before it leads. With more than `leader_lost` a former life of
    /// its own is given up before.
    pub listen: u32,
}

/// Age of an info. A node that restarts counts from 0 again, until it hears of its former life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Raised with each change.
    pub number: u64,
    /// Drawn at each start of the node: tells two lives with the same number apart.
    pub life: u64,
}

/// What a node tells all others; this automaton does not read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Newer than every version of the same node that is lower.
    pub version: Version,
    /// The content, [`MOST_INFO`] bytes at most.
    pub data: Vec<u8>,
}

/// What nodes send each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Message {
    /// A leader's list.
    List {
        /// Raised with each change of the list.
        epoch: u64,
        /// The members.
        members: BTreeSet<Node>,
        /// Version of each node's info that the sender has.
        versions: Vec<Version>,
        /// Infos that a member has not got.
        infos: Vec<(Node, NodeInfo)>,
    },
    /// Answer to a list.
    Answer {
        /// Newest epoch the sender knows: a restarted leader goes on above it.
        epoch: u64,
        /// As in the list.
        versions: Vec<Version>,
        /// Infos that the leader has not got: the sender's own, and what an earlier leader told.
        infos: Vec<(Node, NodeInfo)>,
    },
}

/// What happens to the automaton.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Monotonic time; at least once per pulse.
    Tick(u64),
    /// A message came in.
    Received {
        /// The authenticated sender.
        from: Node,
        /// The lan on which it came.
        lan: usize,
        /// The message.
        message: Message,
        /// Monotonic time.
        now_ms: u64,
    },
    /// This process slept for so many milliseconds: the silence was its own.
    Paused(u64),
}

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To every other node of the lan.
    All,
    /// To one node.
    Node(Node),
}

/// What the owner has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send on this lan.
    Send {
        /// Number of the lan.
        lan: usize,
        /// To whom.
        to: Destination,
        /// What.
        message: Message,
    },
    /// A node joined.
    MemberUp(Node),
    /// A node is silent on all lans.
    MemberDown(Node),
    /// This node leads or follows that one from now on.
    LeaderIs(Node),
    /// The list has a new epoch.
    EpochChanged(u64),
    /// The info of a node changed: see [`Membership::info`].
    InfoChanged(Node),
    /// A message that cannot be from a node with this cluster.xml.
    Ignored(Node),
}
