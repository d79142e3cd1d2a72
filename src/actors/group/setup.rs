//! What a group is made from, and what it tells.

use crate::actors::cluster::LanSetup;
use crate::actors::guard::{GuardEvent, GuardHandle};
use crate::config::module::Group as LbConfig;
use crate::farm::Layout;
use crate::fsm::group::Config;
use crate::fsm::membership::Node;
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::node::keys::SecretKey;
use crate::store::ModuleStore;
use crate::told::Told;
use actix::dev::Recipient;
use actix::{ArbiterHandle, Message};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long established connections stay where they are after a change, unless configured otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// A load balancing group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LbGroup {
    /// Its name as messages and resources show it: `FarmProto_0` (AMB-07).
    pub name: String,
    /// By node: its power; none for a node that is not in the group (CFG-LB-02).
    pub powers: Vec<Option<u32>>,
}

impl LbGroup {
    /// The group at this place of the configuration.
    pub fn new(place: usize, config: &LbConfig, nodes: &[NodeName]) -> LbGroup {
        let power = |node: &NodeName| match config.hosts.is_empty() {
            true => Some(1),
            false => config.hosts.iter().find(|host| &host.name == node).map(|host| host.power),
        };
        LbGroup { name: format!("{}_{place}", config.name), powers: nodes.iter().map(power).collect() }
    }
}

/// What a group is made from.
pub struct GroupSetup {
    /// The module.
    pub module: ModuleName,
    /// Its number, the same on all nodes.
    pub id: ModuleId,
    /// This node.
    pub me: Node,
    /// Every node, in the order of cluster.xml.
    pub nodes: Vec<NodeName>,
    /// UDP port (CFG-FA-01).
    pub port: u16,
    /// The networks of the farm, in the order of its configuration.
    pub lans: Vec<LanSetup>,
    /// Period of lists (CFG-FA-02).
    pub pulse: Duration,
    /// Silent periods after which the leader is given up.
    pub mlost_count: u32,
    /// Silent periods after which a follower is given up.
    pub slost_count: u32,
    /// The load balancing groups, in the order of the configuration.
    pub groups: Vec<LbGroup>,
    /// How long established connections stay where they are after a change.
    pub grace: Duration,
    /// The module's key; without one datagrams are only protected against accidents.
    pub key: Option<SecretKey>,
    /// What the packet filter filters; the peers come from the other nodes.
    pub layout: Layout,
    /// Goes on with what an earlier life of this process left in the packet filter, instead of beginning
    /// with no client.
    pub adopt: bool,
    /// Where the group runs: an arbiter on which nothing blocks.
    pub arbiter: ArbiterHandle,
    /// For `farm membership` and `farm load`.
    pub store: ModuleStore,
    /// Who is told.
    pub events: Recipient<GroupEvent>,
    /// The guard, which is renewed while the node takes part, and where it answers. The module arms it,
    /// with [`GroupSetup::patience`].
    pub guard: Option<(GuardHandle, Recipient<GuardEvent>)>,
}

/// What a group tells its module.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum GroupEvent {
    /// The packet filter is in place: virtual addresses may be set, no client is accepted yet.
    Loaded,
    /// Who serves, or what this node has, has changed. By load balancing group: buckets of this node, of 256.
    Changed(Vec<usize>),
    /// Clients may have learnt the MAC address of a node that serves no more: announce the virtual addresses
    /// (NET-12).
    Announce,
    /// This node has its share.
    Joined,
    /// The others have taken over, or the bounded wait for that is over: this node has no bucket.
    Left,
    /// The packet filter does not do what it should; what it did last it still does. Tried again by itself.
    Failed(Told),
    /// Answer to [`super::End`]: the packet filter is removed, or why not.
    Ended(Result<(), Told>),
}

impl GroupSetup {
    /// The timeout of the guard: no other node takes what this one has while it is silent for less.
    pub fn patience(&self) -> Duration {
        Duration::from_millis(self.config().patience_ms())
    }

    /// The longest time between [`super::Leave`] and [`GroupEvent::Left`].
    pub fn longest_leave(&self) -> Duration {
        Duration::from_millis(self.config().leave_ms()) + self.pulse
    }

    /// For the automaton.
    pub(super) fn config(&self) -> Config {
        let here = |lan: &usize| self.lans[*lan].local.is_some();
        let power = |power: &Option<u32>| power.unwrap_or(0);
        Config {
            me: self.me,
            nodes: self.nodes.len(),
            lans: (0..self.lans.len()).filter(here).collect(),
            pulse_ms: ms(self.pulse).max(1),
            leader_lost: self.mlost_count,
            follower_lost: self.slost_count,
            powers: self.groups.iter().map(|group| group.powers.iter().map(power).collect()).collect(),
            grace_ms: ms(self.grace),
            fingerprint: self.fingerprint(),
        }
    }

    /// Nodes that share clients must hash and weigh them alike.
    fn fingerprint(&self) -> u64 {
        let vips: Vec<_> = self.layout.vips.iter().map(|vip| (vip.addr, vip.reach)).collect();
        let text = format!("{:?} {:?} {vips:?}", self.groups, self.layout.rules);
        let hash = blake3::hash(text.as_bytes());
        u64::from_le_bytes(std::array::from_fn(|n| hash.as_bytes()[n]))
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

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
