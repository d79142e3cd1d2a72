//! The packet filter of a farm: which clients' packets this node accepts (NET-10 to NET-24).
//!
//! - [`Layout`]: virtual addresses, rules and fellow nodes of a module; [`Backend`]: what a filter does with
//!   it and with the shares of the groups, each change in one step that no packet sees half done.
//! - [`nft`]: the filter of nftables; [`Memory`]: one that only remembers, for tests.
//! - [`bucket`]: where a client is hashed to, exactly as the kernel does it; [`owner`]: who answers it.

mod hash;
mod layout;
mod memory;
pub mod nft;
mod owner;

pub use hash::bucket;
pub use memory::{Held, Memory};
pub use owner::{Owner, owner};

use crate::config::module::{Filter, Proto};
use crate::fsm::bucket::{Bitmap, Reach, Share};
use crate::fsm::membership::Node;
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::net::{MacAddr, NetError};
use crate::told::{Tell, Told, told};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What does not change while the nodes of a farm come and go, but for `peers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The module: names its tables.
    pub module: ModuleName,
    /// This node.
    pub me: Node,
    /// The virtual addresses, each once.
    pub vips: Vec<LayoutVip>,
    /// The load balancing rules of all groups, in the order of the configuration: the first one that
    /// fits a packet decides. Without a rule a packet is accepted by every node that it reaches (AMB-22).
    pub rules: Vec<LayoutRule>,
    /// The other nodes, as far as they are known.
    pub peers: Vec<Peer>,
    /// Established connections stay where they are when their bucket moves. It needs connection tracking.
    pub keep: bool,
}

/// A virtual address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutVip {
    /// The address.
    pub addr: IpAddr,
    /// Name of the interface that it is set on.
    pub device: String,
    /// How packets reach the nodes.
    pub reach: Reach,
    /// The virtual MAC address of [`Reach::Every`], none: [`virtual_mac`] of `addr`; not used by
    /// [`Reach::One`].
    pub vmac: Option<MacAddr>,
}

/// A load balancing rule (CFG-LB-03 to CFG-LB-06).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutRule {
    /// Place of its group in the shares.
    pub group: usize,
    /// One of the virtual addresses; none: each.
    pub vip: Option<IpAddr>,
    /// Destination port; none: each. Of no meaning for [`Proto::Arp`].
    pub port: Option<u16>,
    /// Protocol.
    pub proto: Proto,
    /// What is hashed.
    pub filter: Filter,
}

/// Another node of the farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its place in cluster.xml.
    pub node: Node,
    /// Its MAC addresses, each under the name of the interface of *this* node that is in the same network.
    pub macs: BTreeMap<String, MacAddr>,
}

/// Why the packet filter is not as it should be. What was filtered before still is.
#[derive(Debug, thiserror::Error)]
pub enum FarmError {
    /// The layout contradicts itself or exceeds a limit.
    #[error("the packet filter of module {module} cannot be made: {what}")]
    Layout {
        /// The module.
        module: ModuleName,
        /// What is wrong.
        what: Told,
    },
    /// An interface is not there.
    #[error("the packet filter needs interface {device}, which is not there; interfaces here: {known}")]
    NoDevice {
        /// Its name.
        device: String,
        /// The names there are.
        known: String,
    },
    /// The kernel lacks something.
    #[error(
        "this kernel cannot filter packets for a farm: {what} is missing; it takes Linux 5.16 or newer with \
         nftables (its modules nf_tables, nft_hash, nft_ct, nft_fwd_netdev, nft_dup_netdev, nft_tproxy)"
    )]
    Missing {
        /// What it does not know.
        what: String,
    },
    /// The tables are not there (any more).
    #[error(
        "the packet filter of module {module} is gone: something on this node removes nftables rules that are \
         not its own (nft flush ruleset?)"
    )]
    Gone {
        /// The module.
        module: ModuleName,
    },
    /// The guard has withdrawn the buckets of this node.
    #[error(
        "safeguard has withdrawn this server from module {module}, whose safeadmin did not answer in time: it \
         takes part again when it is started again"
    )]
    Withdrawn {
        /// The module.
        module: ModuleName,
    },
    /// The kernel refused.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl Tell for FarmError {
    fn french(&self) -> String {
        match self {
            FarmError::Layout { module, what } => format!(
                "le filtre de paquets du module {module} ne peut pas être fait : {}",
                what.of(Lang::Fr)
            ),
            FarmError::NoDevice { device, known } => format!(
                "le filtre de paquets a besoin de l'interface {device}, qui n'existe pas ; interfaces présentes ici : \
                 {known}"
            ),
            FarmError::Missing { what } => format!(
                "ce noyau ne peut pas filtrer les paquets pour une ferme : {what} manque ; il faut Linux 5.16 ou plus \
                 récent avec nftables (ses modules nf_tables, nft_hash, nft_ct, nft_fwd_netdev, nft_dup_netdev, \
                 nft_tproxy)"
            ),
            FarmError::Gone { module } => format!(
                "le filtre de paquets du module {module} a disparu : autre chose sur ce nœud supprime des règles nftables \
                 qui ne sont pas les siennes (nft flush ruleset ?)"
            ),
            FarmError::Withdrawn { module } => format!(
                "safeguard a retiré ce serveur du module {module}, dont le safeadmin n'a pas répondu à temps : il \
                 participera de nouveau quand il sera redémarré"
            ),
            FarmError::Net(e) => e.french(),
        }
    }
}

/// The packet filter of one module on this node. Every call is one change that is seen whole or not at
/// all, also when this process is killed in it; it takes milliseconds and belongs on a thread that may wait.
pub trait Backend: Send {
    /// Filters by this layout from now on, one share for each group; what an earlier life of this process
    /// left is replaced without a gap.
    ///
    /// # Errors
    /// The layout cannot be; an interface or something of the kernel is missing; the kernel refuses.
    fn load(&mut self, layout: &Layout, shares: &[Share]) -> Result<(), FarmError>;

    /// Other shares; same layout. A filter that somebody else removed is loaded again.
    ///
    /// # Errors
    /// As [`Backend::load`], which must have been called before.
    fn switch(&mut self, shares: &[Share]) -> Result<(), FarmError>;

    /// Other fellow nodes, or other MAC addresses of them; the shares stay.
    ///
    /// # Errors
    /// As [`Backend::switch`].
    fn peers(&mut self, peers: &[Peer]) -> Result<(), FarmError>;

    /// Filters no more and leaves nothing behind; without effect when nothing is there.
    ///
    /// # Errors
    /// The kernel refuses.
    fn remove(&mut self) -> Result<(), FarmError>;

    /// The buckets of which this node accepts every packet, one bitmap for each of so many groups, as the
    /// filter itself says, whoever loaded it.
    ///
    /// # Errors
    /// [`FarmError::Gone`] when there is no filter; the kernel's.
    fn shown(&mut self, groups: usize) -> Result<Vec<Bitmap>, FarmError>;
}

/// The virtual MAC address that belongs to a virtual address: `5a:fe` and its last four bytes (NET-11).
pub fn virtual_mac(addr: IpAddr) -> MacAddr {
    let last = match addr {
        IpAddr::V4(a) => a.to_bits(),
        // The low half of the low half.
        IpAddr::V6(a) => a.to_bits() as u32,
    };
    let [a, b, c, d] = last.to_be_bytes();
    MacAddr([0x5a, 0xfe, a, b, c, d])
}

impl LayoutVip {
    /// The MAC address that clients see with [`Reach::Every`].
    pub fn mac(&self) -> MacAddr {
        self.vmac.unwrap_or_else(|| virtual_mac(self.addr))
    }
}

impl LayoutRule {
    /// Whether it is about this virtual address.
    pub fn concerns(&self, vip: &LayoutVip) -> bool {
        self.vip.is_none_or(|addr| addr == vip.addr)
    }
}

impl Layout {
    /// The ways in which packets reach this node for one address or another.
    pub(crate) fn reaches(&self) -> impl Iterator<Item = Reach> {
        let here = |reach| self.vips.iter().any(|vip| vip.reach == reach);
        [Reach::Every, Reach::One].into_iter().filter(move |reach| here(*reach))
    }

    /// The buckets of a share of which this node accepts every packet.
    pub(crate) fn own(&self, share: &Share) -> Bitmap {
        self.reaches().fold(Bitmap::EMPTY, |own, reach| own | share.own(self.me, reach))
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// [`FarmError::Layout`].
    pub fn check(&self, groups: usize) -> Result<(), FarmError> {
        let wrong = |what: Told| Err(FarmError::Layout { module: self.module.clone(), what });
        let mut addrs = BTreeSet::new();
        if let Some(twice) = self.vips.iter().find(|vip| !addrs.insert(vip.addr)) {
            let addr = twice.addr;
            return wrong(told!(
                "virtual address {addr} is given twice",
                "l'adresse virtuelle {addr} est donnée deux fois"
            ));
        }
        for rule in &self.rules {
            if rule.group >= groups {
                let group = rule.group;
                return wrong(told!(
                    "a rule is of group {group}, and there are {groups}",
                    "une règle est du groupe {group}, et il y en a {groups}"
                ));
            }
            if let Some(addr) = rule.vip.filter(|addr| !addrs.contains(addr)) {
                return wrong(told!(
                    "a rule is for {addr}, which is not a virtual address of the module",
                    "une règle est pour {addr}, qui n'est pas une adresse virtuelle du module"
                ));
            }
            let fits = match rule.filter {
                Filter::OnAddr => true,
                Filter::OnPort => rule.proto != Proto::Arp,
                Filter::OnIpid => rule.proto == Proto::Udp,
            };
            if !fits {
                let (proto, filter) = (rule.proto, rule.filter);
                return wrong(told!(
                    "no {proto:?} can be balanced {filter:?}",
                    "{proto:?} ne peut pas être réparti par {filter:?}"
                ));
            }
        }
        Ok(())
    }
}
