//! The packet filter by nftables, through netlink: nothing to compile or to install on a node.
//!
//! Two tables of a module, `safekit-<module>`: one of family netdev decides about frames before anything else
//! sees them and passes on what is another node's ([`frames`]); one of family inet looks again when datagrams
//! are whole and connections known ([`stack`]). Rules are fixed while a module runs; only [`sets`] change, all
//! in one transaction. Tables outlive the process, and its death changes nothing.

mod expression;
mod frames;
mod kernel;
mod message;
mod program;
mod promiscuous;
mod sets;
mod stack;

use super::{Backend, FarmError, Layout, LayoutRule, LayoutVip, Peer};
use crate::config::module::{Filter, Proto};
use crate::fsm::bucket::{BUCKETS, Bitmap, Owners, Reach, Share};
use crate::ids::ModuleName;
use crate::net::{MacAddr, addr};
use kernel::Kernel;
use message::{Change, Table};
use netlink_packet_netfilter::NetfilterProtoFamily;
use sets::KnownMacs;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Begins the name of every table of ours.
const PREFIX: &str = "safekit-";

/// The filter of one module.
pub struct Nft {
    tables: Tables,
    /// Stays open: to close it waits for a grace period of the kernel, tens of milliseconds.
    kernel: Option<Kernel>,
    loaded: Option<Loaded>,
    known: KnownMacs,
}

/// What a filter was loaded with, and its shares now.
#[derive(Clone)]
struct Loaded {
    layout: Layout,
    devices: Vec<Device>,
    shares: Vec<Share>,
}

/// An interface that virtual addresses are set on.
#[derive(Clone)]
struct Device {
    name: String,
    index: u32,
    /// Zero on an interface that has none.
    mac: MacAddr,
}

impl Device {
    /// Whether packets reach an address on it so.
    fn has(&self, layout: &Layout, reach: Reach) -> bool {
        layout.vips.iter().any(|vip| vip.device == self.name && vip.reach == reach)
    }
}

/// The two tables of a module.
struct Tables {
    module: ModuleName,
    frames: Table,
    stack: Table,
}

impl Tables {
    fn of(module: &ModuleName) -> Tables {
        let name = format!("{PREFIX}{module}");
        let frames = Table { family: NetfilterProtoFamily::NetDev, name: name.clone() };
        Tables { module: module.clone(), frames, stack: Table { family: NetfilterProtoFamily::Inet, name } }
    }

    fn both(&self) -> [&Table; 2] {
        [&self.frames, &self.stack]
    }

    /// Removes them, whether or not they are there.
    fn delete(&self) -> Vec<Change> {
        self.both().into_iter().flat_map(|table| [table.make(None), table.delete()]).collect()
    }

    /// Makes them anew.
    fn make(
        &self,
        layout: &Layout,
        shares: &[Share],
        devices: &[Device],
        known: &KnownMacs,
        note: Option<&str>,
    ) -> Vec<Change> {
        let mut changes = self.delete();
        changes.extend([self.frames.make(note), self.stack.make(None)]);
        let keys = (2 * shares.len() * BUCKETS).max(1);
        let mut in_frames = sets::taken(layout, shares);
        in_frames.extend(sets::owners(layout, devices, shares));
        in_frames.extend(sets::peers(layout, devices, known));
        in_frames.push(sets::not_withdrawn());
        let all = in_frames.iter().map(|set| (&self.frames, set));
        let in_stack = sets::accepted(layout, shares);
        for (id, (table, set)) in (1..).zip(all.chain(in_stack.iter().map(|set| (&self.stack, set)))) {
            changes.extend(set.make(table, id, keys));
        }
        changes.extend(frames::program(&self.frames, layout, devices).changes());
        changes.extend(stack::program(&self.stack, layout).changes());
        changes
    }

    /// Other shares.
    fn switch(&self, layout: &Layout, shares: &[Share], devices: &[Device]) -> Vec<Change> {
        let mut changes = self.unless_withdrawn();
        let mut in_frames = sets::taken(layout, shares);
        in_frames.extend(sets::owners(layout, devices, shares));
        changes.extend(in_frames.iter().flat_map(|set| set.replace(&self.frames)));
        changes.extend(sets::accepted(layout, shares).iter().flat_map(|set| set.replace(&self.stack)));
        changes
    }

    /// Lets a transaction fail when the buckets were withdrawn, or when there are no tables.
    fn unless_withdrawn(&self) -> Vec<Change> {
        vec![sets::mark_withdrawn(&self.frames), sets::unmark_withdrawn(&self.frames)]
    }
}

impl Nft {
    /// The filter of a module, which may have been loaded by an earlier life of this process.
    pub fn new(module: &ModuleName) -> Nft {
        Nft { tables: Tables::of(module), kernel: None, loaded: None, known: KnownMacs::new() }
    }

    fn kernel(&mut self) -> Result<&mut Kernel, FarmError> {
        match &mut self.kernel {
            Some(kernel) => Ok(kernel),
            none => Ok(none.insert(Kernel::open(&self.tables.module)?)),
        }
    }

    /// Loads; `first` go before in the same transaction.
    fn replace(&mut self, first: Vec<Change>, layout: &Layout, shares: &[Share]) -> Result<(), FarmError> {
        layout.check(shares.len())?;
        let devices = devices(layout)?;
        for (device, mac) in layout.peers.iter().flat_map(|peer| &peer.macs) {
            self.known.entry(device.clone()).or_default().insert(*mac);
        }
        let wanted: BTreeSet<&str> =
            devices.iter().filter(|d| d.has(layout, Reach::Every)).map(|d| d.name.as_str()).collect();
        let module = self.tables.module.clone();
        let claims = promiscuous::claim(self.kernel()?, &module, &wanted)?;
        let note = claims.note()?;
        let tables = self.tables.make(layout, shares, &devices, &self.known, note.as_deref());
        self.kernel()?.commit([first, tables].concat())?;
        self.loaded = Some(Loaded { layout: layout.clone(), devices, shares: shares.to_vec() });
        claims.carry_out()
    }
}

impl Backend for Nft {
    fn load(&mut self, layout: &Layout, shares: &[Share]) -> Result<(), FarmError> {
        self.replace(Vec::new(), layout, shares)
    }

    fn switch(&mut self, shares: &[Share]) -> Result<(), FarmError> {
        let loaded = self.loaded.as_ref().ok_or_else(|| self.tables.gone())?;
        loaded.layout.check(shares.len())?;
        let changes = self.tables.switch(&loaded.layout, shares, &loaded.devices);
        match self.kernel()?.commit(changes) {
            Ok(()) => {
                self.loaded.iter_mut().for_each(|loaded| loaded.shares = shares.to_vec());
                Ok(())
            }
            Err(FarmError::Gone { module }) => {
                tracing::warn!(%module, "the packet filter is gone and is loaded again");
                let layout = self.loaded.as_ref().map(|loaded| loaded.layout.clone());
                self.load(&layout.ok_or_else(|| self.tables.gone())?, shares)
            }
            Err(error) => Err(error),
        }
    }

    fn peers(&mut self, peers: &[Peer]) -> Result<(), FarmError> {
        let Loaded { layout, shares, .. } = self.loaded.clone().ok_or_else(|| self.tables.gone())?;
        if layout.peers == peers {
            return Ok(());
        }
        let layout = Layout { peers: peers.to_vec(), ..layout };
        match self.replace(self.tables.unless_withdrawn(), &layout, &shares) {
            Err(FarmError::Gone { .. }) => self.load(&layout, &shares),
            other => other,
        }
    }

    fn remove(&mut self) -> Result<(), FarmError> {
        self.loaded = None;
        remove(&self.tables)
    }

    fn shown(&mut self, groups: usize) -> Result<Vec<Bitmap>, FarmError> {
        let mut shown = vec![Bitmap::EMPTY; groups];
        let table = self.tables.stack.clone();
        for key in self.kernel()?.keys(&table, sets::OWN)? {
            let (group, bucket) = sets::group_of(key);
            if let Some(map) = shown.get_mut(group) {
                map.insert(bucket);
            }
        }
        Ok(shown)
    }
}

impl Tables {
    fn gone(&self) -> FarmError {
        FarmError::Gone { module: self.module.clone() }
    }
}

fn remove(tables: &Tables) -> Result<(), FarmError> {
    let mut kernel = Kernel::open(&tables.module)?;
    promiscuous::claim(&mut kernel, &tables.module, &BTreeSet::new())?.carry_out()?;
    kernel.commit(tables.delete())
}

/// The interfaces of a layout, each once.
fn devices(layout: &Layout) -> Result<Vec<Device>, FarmError> {
    let here = addr::interfaces()?;
    let names: BTreeSet<&str> = layout.vips.iter().map(|vip| vip.device.as_str()).collect();
    let find = |name: &str| {
        let found = here.iter().find(|i| i.name == name);
        let known = || here.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ");
        let missing = || FarmError::NoDevice { device: name.to_owned(), known: known() };
        let found = found.ok_or_else(missing)?;
        Ok(Device { name: name.to_owned(), index: found.index, mac: found.mac.unwrap_or(MacAddr([0; 6])) })
    };
    names.into_iter().map(find).collect()
}

/// Lets a module accept nothing more for its groups, without knowledge of its layout: for the guard, whose
/// safeadmin does not answer. Only [`Backend::load`] ends this. Without effect when there is no filter.
///
/// # Errors
/// The kernel refuses.
pub fn withdraw(module: &ModuleName) -> Result<(), FarmError> {
    let tables = Tables::of(module);
    let mut changes = vec![sets::mark_withdrawn(&tables.frames)];
    let accepting = [sets::OWN, sets::MOVED, sets::SETTLED];
    changes.extend(tables.both().into_iter().flat_map(|t| accepting.map(|set| t.empty(set))));
    match Kernel::open(module)?.commit(changes) {
        Err(FarmError::Gone { .. } | FarmError::Withdrawn { .. }) => Ok(()),
        other => other,
    }
}

/// Removes what modules left that are not among those that run; returns their names.
///
/// # Errors
/// The kernel refuses.
pub fn clean(running: &[ModuleName]) -> Result<BTreeSet<ModuleName>, FarmError> {
    let all = match Kernel::modules() {
        // A node without nftables has no farm.
        Err(FarmError::Missing { .. }) => return Ok(BTreeSet::new()),
        all => all?,
    };
    let left: BTreeSet<_> = all.into_iter().filter(|module| !running.contains(module)).collect();
    left.iter().try_for_each(|module| remove(&Tables::of(module)))?;
    Ok(left)
}

/// Whether this kernel has all that a farm needs: everything is made for the loopback, and given up before it
/// takes effect.
///
/// # Errors
/// What is missing.
pub fn probe(module: &ModuleName) -> Result<(), FarmError> {
    let vip = |addr: IpAddr, reach| LayoutVip { addr, device: "lo".to_owned(), reach, vmac: None };
    let rule = |proto, filter| LayoutRule { group: 0, vip: None, port: None, proto, filter };
    let tables = Tables::of(module);
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let mut layout = Layout {
        module: module.clone(),
        me: 0,
        vips: vec![
            vip(Ipv4Addr::new(192, 0, 2, 1).into(), Reach::Every),
            vip(Ipv4Addr::new(192, 0, 2, 2).into(), Reach::One),
            vip(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(), Reach::Every),
            vip(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into(), Reach::One),
        ],
        rules: vec![rule(Proto::Tcp, Filter::OnPort), rule(Proto::Udp, Filter::OnIpid)],
        peers: vec![Peer { node: 1, macs: BTreeMap::from([("lo".to_owned(), mac)]) }],
        keep: true,
    };
    let shares = [Share::settled(Owners::new(|b| Some(usize::from(b % 2))))];
    let devices = devices(&layout)?;
    for keep in [true, false] {
        layout.keep = keep;
        let changes = tables.make(&layout, &shares, &devices, &KnownMacs::new(), None);
        Kernel::open(module)?.rehearse(changes)?;
    }
    Ok(())
}
