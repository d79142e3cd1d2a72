//! What the nodes of a farm send each other, and what their automaton is told and asks for.

use crate::fsm::bucket::{Bitmap, Owners, Share};
use crate::fsm::membership::{self, Node};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use crate::fsm::membership::Destination;

/// One time of one node as the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Term {
    /// Rises with each time within a life of the node.
    pub count: u64,
    /// Drawn at each start of the node.
    pub life: u64,
}

/// Names a plan. A later plan has a higher number; plans of the two sides of a partition may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlanId {
    /// Above those of all plans that the leader's members had carried out before.
    pub number: u64,
    /// Of the leader who made it.
    pub term: Term,
}

/// Who owns the clients of one load balancing group, by the plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Division {
    /// The owners.
    pub owners: Owners,
    /// As in [`Share`].
    pub previous: Owners,
}

/// The assignment of all buckets of all groups, which every member carries out. It is sent twice: to be
/// prepared, and, when all have done so, as settled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Its name.
    pub id: PlanId,
    /// All members have prepared it.
    pub settled: bool,
    /// Who serves: all members but those that leave.
    pub members: BTreeSet<Node>,
    /// Whose reports it rests on, each with its life: to another life of a node it says nothing.
    pub partners: BTreeMap<Node, u32>,
    /// By load balancing group.
    pub divisions: Vec<Division>,
}

impl Plan {
    /// For the packet filter.
    pub fn shares(&self) -> Vec<Share> {
        let share = |division: &Division| Share {
            owners: division.owners.clone(),
            previous: division.previous.clone(),
            changing: !self.settled,
        };
        self.divisions.iter().map(share).collect()
    }

    /// How far it is carried out: a higher one replaces a lower one.
    pub fn phase(&self) -> Phase {
        Phase { id: self.id, settled: self.settled }
    }
}

/// A plan and how far it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Phase {
    /// The plan.
    pub id: PlanId,
    /// As in [`Plan`].
    pub settled: bool,
}

/// What a member's packet filter does, to its leader. A member that is changing its filter tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Report {
    /// The leader's term, as its list says: it is to this leader that the member listens now.
    pub term: Term,
    /// The member's life: another one after each start, and whenever it withdraws by itself. So what was
    /// sent before, and waited in a buffer while the node stood still, is not taken for an answer.
    pub life: u32,
    /// What was carried out; none since its start.
    pub done: Option<Phase>,
    /// By load balancing group: buckets whose clients it accepts where packets reach all.
    pub holds: Vec<Bitmap>,
    /// By load balancing group: buckets that moved away and whose connections it still keeps.
    pub keeps: Vec<Bitmap>,
    /// It wants to hand over and go.
    pub leaving: bool,
}

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Fingerprint of what must be the same on all nodes: the load balancing groups.
    pub config: u64,
    /// Its content.
    pub body: Body,
}

/// Content of a datagram.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Body {
    /// A leader's list of members.
    List(Term, membership::Message),
    /// The answer to a list, with a report if it is the leader's.
    Answer(membership::Message, Option<Report>),
    /// What the leader orders.
    Plan(Plan),
    /// A report out of turn: something was carried out.
    Report(Report),
}

/// What happens to the automaton.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "made on the stack and taken apart at once, once per datagram")]
pub enum Event {
    /// Monotonic time; several times per pulse.
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
    /// This process slept for so many milliseconds.
    Paused(u64),
    /// The guard has withdrawn the buckets of this node.
    Fenced,
    /// The order of this number is carried out, or the filter is still as it was.
    Installed {
        /// Number of the order.
        order: u64,
        /// Whether it was carried out.
        done: bool,
    },
    /// Hand over and go.
    Leave,
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
    /// Give this to the packet filter, then answer [`Event::Installed`]. A newer order replaces what waits.
    Install {
        /// Number of the order, rising.
        order: u64,
        /// By load balancing group.
        shares: Vec<Share>,
    },
    /// Who serves and what this node owns of it, once it is settled.
    Changed {
        /// The members.
        members: BTreeSet<Node>,
        /// By load balancing group: buckets of this node.
        loads: Vec<usize>,
    },
    /// Fewer nodes serve than before: clients may have learnt the MAC address of one that is gone (NET-12).
    Fewer,
    /// This node has its first share.
    Joined,
    /// This node owns nothing any more, or the bounded wait for that is over. Nothing more is sent.
    Left,
    /// Information of another node changed: [`super::Group::info`].
    InfoChanged(Node),
    /// A message that changes nothing.
    Ignored(Node, Reason),
}

/// Why a message changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// Its load balancing groups are others.
    #[error("it has other load balancing groups: configure the module again on all nodes")]
    OtherGroups,
    /// It cannot be from a node with this cluster.xml.
    #[error("it does not fit this cluster.xml")]
    Unfit,
    /// A plan of who is not, or no more, the leader of this node.
    #[error("it is not of the leader")]
    NotLeader,
    /// A plan that was carried out or replaced, or is of a past life of this node; a report to another term.
    #[error("it is outdated")]
    Outdated,
}
