//! The sets that rules look into, and what is in them: all that changes when buckets move.

use super::Device;
use super::message::{Change, Content, Element, Table};
use crate::farm::Layout;
use crate::fsm::bucket::{BUCKETS, Bitmap, Reach, Share};
use crate::net::MacAddr;
use std::collections::{BTreeMap, BTreeSet};

/// Keys of what this node accepts. The guard knows this name and the next three, and nothing else.
pub(super) const OWN: &str = "own";
/// Keys that moved of late: established connections may be anywhere.
pub(super) const MOVED: &str = "moved";
/// Those of [`OWN`] that are not of [`MOVED`]: nothing else need be asked about their packets, which are nearly
/// all, so that this is looked into first.
pub(super) const SETTLED: &str = "settled";

/// Holds one element when the guard has withdrawn the buckets. Not a chain: to make and remove one costs a
/// grace period of the kernel, tens of milliseconds.
const WITHDRAWN: &str = "withdrawn";

/// MAC addresses of the owners of keys, on the interface at place `k`.
pub(super) fn mac_map(k: usize) -> String {
    format!("owner{k}")
}

/// MAC addresses of all fellow nodes, on the interface at place `k`.
pub(super) fn peer_set(k: usize) -> String {
    format!("peers{k}")
}

/// Keys are `256 x row + bucket`: each group has a row for either way in which packets reach the nodes, since
/// what a node accepts while buckets move depends on it.
pub(super) fn row(group: usize, reach: Reach) -> usize {
    2 * group + usize::from(reach == Reach::One)
}

/// Group and bucket of a key.
pub(super) fn group_of(key: u32) -> (usize, u8) {
    let key = key as usize;
    (key / BUCKETS / 2, (key % BUCKETS) as u8)
}

/// MAC addresses of fellow nodes that were ever seen, by interface.
pub(super) type KnownMacs = BTreeMap<String, BTreeSet<MacAddr>>;

/// A set and what is in it.
pub(super) struct Filled {
    name: String,
    content: Content,
    elements: Vec<Element>,
}

impl Filled {
    /// Makes and fills it; `id` tells the sets of a transaction apart. `size` is the most that it will hold.
    pub fn make(&self, table: &Table, id: u32, size: usize) -> Vec<Change> {
        let mut changes = vec![table.set(&self.name, id, self.content, size)];
        changes.extend(table.fill(&self.name, &self.elements));
        changes
    }

    /// Replaces what is in it.
    pub fn replace(&self, table: &Table) -> Vec<Change> {
        let mut changes = vec![table.empty(&self.name)];
        changes.extend(table.fill(&self.name, &self.elements));
        changes
    }
}

/// The mark of the guard, missing.
pub(super) fn not_withdrawn() -> Filled {
    Filled { name: WITHDRAWN.to_owned(), content: Content::Keys, elements: Vec::new() }
}

/// Leaves the mark; fails when it is there, or when there is no table.
pub(super) fn mark_withdrawn(table: &Table) -> Change {
    table.add(WITHDRAWN, vec![0; 4])
}

/// Takes the mark away again.
pub(super) fn unmark_withdrawn(table: &Table) -> Change {
    table.take_out(WITHDRAWN, vec![0; 4])
}

/// What the stack looks into: whatever is accepted, from clients or from fellow nodes.
pub(super) fn accepted(layout: &Layout, shares: &[Share]) -> Vec<Filled> {
    accepting(layout, shares, |share, reach| share.own(layout.me, reach))
}

/// What is looked into for frames that come from clients.
pub(super) fn taken(layout: &Layout, shares: &[Share]) -> Vec<Filled> {
    accepting(layout, shares, |share, reach| share.taken(layout.me, reach))
}

fn accepting(layout: &Layout, shares: &[Share], own: impl Fn(&Share, Reach) -> Bitmap) -> Vec<Filled> {
    let moved = |share: &Share| if layout.keep { share.moved() } else { Bitmap::EMPTY };
    let settled = |share: &Share, reach| own(share, reach) - moved(share);
    vec![
        keys(SETTLED, layout, shares, settled),
        keys(MOVED, layout, shares, |share, _| moved(share)),
        keys(OWN, layout, shares, &own),
    ]
}

fn keys(name: &str, layout: &Layout, shares: &[Share], which: impl Fn(&Share, Reach) -> Bitmap) -> Filled {
    let mut elements = Vec::new();
    for (group, share) in shares.iter().enumerate() {
        for reach in layout.reaches() {
            elements.extend(which(share, reach).iter().map(|bucket| (key(group, reach, bucket), None)));
        }
    }
    Filled { name: name.to_owned(), content: Content::Keys, elements }
}

/// Where frames are passed on to.
pub(super) fn owners(layout: &Layout, devices: &[Device], shares: &[Share]) -> Vec<Filled> {
    let mut maps = Vec::new();
    for (k, device) in devices.iter().enumerate().filter(|(_, device)| device.has(layout, Reach::One)) {
        let macs: BTreeMap<_, _> =
            layout.peers.iter().filter_map(|peer| Some((peer.node, *peer.macs.get(&device.name)?))).collect();
        let mut elements = Vec::new();
        for (group, share) in shares.iter().enumerate() {
            let others = (0..=u8::MAX).filter_map(|b| Some((b, macs.get(&share.server(b)?)?)));
            elements.extend(others.map(|(b, mac)| (key(group, Reach::One, b), Some(mac.0.to_vec()))));
        }
        maps.push(Filled { name: mac_map(k), content: Content::MacOfKey, elements });
    }
    maps
}

/// Whose frames are never passed on again. Every node that was ever seen counts, so that frames cannot go round
/// between nodes that do not know of each other any more.
pub(super) fn peers(layout: &Layout, devices: &[Device], known: &KnownMacs) -> Vec<Filled> {
    let directed = devices.iter().enumerate().filter(|(_, device)| device.has(layout, Reach::One));
    let set = |(k, device): (usize, &Device)| {
        let macs = known.get(&device.name).into_iter().flatten();
        let elements = macs.map(|mac| (mac.0.to_vec(), None)).collect();
        Filled { name: peer_set(k), content: Content::Macs, elements }
    };
    directed.map(set).collect()
}

fn key(group: usize, reach: Reach, bucket: u8) -> Vec<u8> {
    // Groups are few: the key fits in 32 bits by far.
    ((row(group, reach) * BUCKETS) as u32 + u32::from(bucket)).to_ne_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_its_group_and_bucket() {
        for (group, reach, bucket) in [(0, Reach::Every, 0), (0, Reach::One, 255), (7, Reach::Every, 128)] {
            let key = u32::from_ne_bytes(key(group, reach, bucket).try_into().unwrap());
            assert_eq!(group_of(key), (group, bucket));
        }
        let rows: BTreeSet<_> = (0..4).flat_map(|g| [row(g, Reach::Every), row(g, Reach::One)]).collect();
        assert_eq!(rows.len(), 8, "no two share a row");
    }
}
