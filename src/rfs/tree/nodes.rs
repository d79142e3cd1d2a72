//! The nodes that the kernel knows, and where each of them is in the tree.

use super::handle::FileHandle;
use crate::rfs::ledger::{Ledger, NodeRecord, Record};
use crate::rfs::op::{FileId, FileKey, Name};
use rustix::fd::OwnedFd;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Levels that a path may have before it is taken for a circle.
const DEEPEST: usize = 1 << 16;

/// A file made without a name (`O_TMPFILE`), which may get one.
#[derive(Debug)]
pub struct Unnamed {
    /// Directory that it was opened in.
    pub parent: FileId,
    /// It had content when the peer was told of it: that is to be sent once it has a name.
    pub unsent: AtomicBool,
}

/// A file, directory or other entry that the kernel knows.
#[derive(Debug)]
pub struct Node {
    /// Its number in this volume.
    pub id: FileId,
    /// Its identity in the backing file system.
    pub key: FileKey,
    /// File system that it is on.
    pub dev: u64,
    /// Its type, `S_IFMT` bits.
    pub kind: u32,
    /// It is part of what is replicated.
    pub replicated: bool,
    /// Set if it was made by `O_TMPFILE`.
    pub unnamed: Option<Unnamed>,
    /// Held while bytes or attributes change: their order here is the order that is sent.
    pub bytes: Mutex<()>,
    /// The peer number under which its id was bound; 0: never.
    pub(super) bound: AtomicU64,
    pub(super) handle: Option<FileHandle>,
    pub(super) fd: Mutex<Option<Arc<OwnedFd>>>,
    /// The descriptor is all there is to find the file by.
    pub(super) pinned: AtomicBool,
    /// Open files of it.
    pub opens: AtomicUsize,
    /// Its descriptor is kept for a later process, too.
    pub given: AtomicBool,
}

impl Node {
    /// Is it a directory?
    pub fn is_dir(&self) -> bool {
        self.kind == libc::S_IFDIR
    }

    /// Its descriptor is all there is to find the file by.
    pub fn is_pinned(&self) -> bool {
        self.pinned.load(Ordering::SeqCst)
    }

    /// Is its id known to the peer with this number? The root is, always.
    pub fn is_bound(&self, peer: u64) -> bool {
        self.id == FileId::ROOT || self.bound.load(Ordering::Acquire) == peer
    }

    fn record(&self, lookups: u64) -> NodeRecord<'_> {
        let (handle_kind, handle) = self.handle.as_ref().map_or((0, &[][..]), FileHandle::parts);
        NodeRecord {
            id: self.id.0,
            dev: self.dev,
            ino: self.key.ino,
            birth: self.key.birth,
            kind: self.kind,
            replicated: self.replicated,
            lookups,
            unnamed: self.unnamed.as_ref().map(|u| u.parent.0),
            handle_kind,
            handle,
        }
    }

    /// A node that was written down; its file is opened when it is needed.
    pub(super) fn written(r: &NodeRecord<'_>) -> Node {
        let handle = (!r.handle.is_empty()).then(|| FileHandle::new(r.handle_kind, r.handle));
        let unnamed = r.unnamed.map(|p| Unnamed { parent: FileId(p), unsent: AtomicBool::new(false) });
        Node {
            id: FileId(r.id),
            key: FileKey { ino: r.ino, birth: r.birth },
            dev: r.dev,
            kind: r.kind,
            replicated: r.replicated,
            unnamed,
            bytes: Mutex::new(()),
            bound: AtomicU64::new(0),
            pinned: AtomicBool::new(handle.is_none()),
            handle,
            fd: Mutex::new(None),
            opens: AtomicUsize::new(0),
            given: AtomicBool::new(false),
        }
    }

    /// Its id is known to the peer with this number.
    pub fn set_bound(&self, peer: u64) {
        self.bound.store(peer, Ordering::Release);
    }
}

#[derive(Debug)]
struct Place {
    node: Arc<Node>,
    lookups: u64,
    /// Links of other nodes that name this one as parent.
    children: usize,
    links: Vec<(FileId, Name)>,
}

/// All nodes.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: HashMap<FileId, Place>,
    keys: HashMap<(u64, FileKey), FileId>,
    /// While somebody asks for paths of what has changed, nodes stay: those that nothing else needs.
    kept: Option<BTreeSet<FileId>>,
    /// Where every change is written down, if anywhere.
    ledger: Option<Arc<Ledger>>,
}

impl Table {
    /// From now on every change is written down there.
    pub fn write_to(&mut self, ledger: Arc<Ledger>) {
        self.ledger = Some(ledger);
    }

    fn note(&self, record: &Record<'_>) {
        if let Some(ledger) = &self.ledger {
            ledger.note(record);
        }
    }

    pub fn get(&self, id: FileId) -> Option<&Arc<Node>> {
        self.places.get(&id).map(|p| &p.node)
    }

    pub fn find(&self, dev: u64, key: FileKey) -> Option<&Arc<Node>> {
        self.get(*self.keys.get(&(dev, key))?)
    }

    /// One more lookup of a known node.
    pub fn look_up(&mut self, dev: u64, key: FileKey) -> Option<Arc<Node>> {
        let place = self.places.get_mut(self.keys.get(&(dev, key))?)?;
        place.lookups += 1;
        let node = Arc::clone(&place.node);
        self.note(&Record::LookedUp(node.id.0));
        Some(node)
    }

    /// The same by its number.
    pub fn look_up_id(&mut self, id: FileId) -> bool {
        let Some(place) = self.places.get_mut(&id) else { return false };
        place.lookups += 1;
        true
    }

    /// A node that is looked up for the first time.
    pub fn insert(&mut self, node: Arc<Node>) {
        self.note(&Record::Node(node.record(1)));
        self.place(node, 1);
    }

    /// Puts a node with so many lookups in its place.
    pub fn place(&mut self, node: Arc<Node>, lookups: u64) {
        self.keys.insert((node.dev, node.key), node.id);
        self.places.insert(node.id, Place { node, lookups, children: 0, links: Vec::new() });
    }

    /// The file is no more; another one may come with the same key.
    pub fn stale(&mut self, node: &Node) {
        self.note(&Record::Stale(node.id.0));
        self.release_key(node);
    }

    pub fn release_key(&mut self, node: &Node) {
        if self.keys.get(&(node.dev, node.key)) == Some(&node.id) {
            self.keys.remove(&(node.dev, node.key));
        }
    }

    /// The node has this name too.
    pub fn link(&mut self, id: FileId, parent: FileId, name: &[u8]) {
        let Some(place) = self.places.get_mut(&id) else { return };
        if place.links.iter().any(|(p, n)| *p == parent && n.as_bytes() == name) {
            return;
        }
        let Some(name) = Name::new(name) else { return };
        if let Some(ledger) = &self.ledger {
            ledger.note(&Record::Linked { id: id.0, parent: parent.0, name: name.as_bytes() });
        }
        // A directory has one name only: another one is what came of a rename that was not seen.
        let gone = if place.node.is_dir() { std::mem::take(&mut place.links) } else { Vec::new() };
        place.links.push((parent, name));
        if let Some(parent) = self.places.get_mut(&parent) {
            parent.children += 1;
        }
        self.release(gone.into_iter().map(|(parent, _)| parent));
    }

    /// The node has lost this name.
    pub fn unlink(&mut self, id: FileId, parent: FileId, name: &[u8]) {
        let Some(place) = self.places.get_mut(&id) else { return };
        let before = place.links.len();
        place.links.retain(|(p, n)| *p != parent || n.as_bytes() != name);
        if place.links.len() < before {
            self.note(&Record::Unlinked { id: id.0, parent: parent.0, name });
            self.release([parent]);
        }
    }

    /// Its names.
    pub fn links(&self, id: FileId) -> &[(FileId, Name)] {
        self.places.get(&id).map_or(&[], |p| &p.links)
    }

    /// The kernel forgets lookups; nodes that nothing needs any more are removed and returned.
    pub fn forget(&mut self, id: FileId, lookups: u64) -> Vec<Arc<Node>> {
        let mut gone = Vec::new();
        if let Some(place) = self.places.get_mut(&id) {
            place.lookups = place.lookups.saturating_sub(lookups);
            self.note(&Record::Forgotten { id: id.0, lookups });
            self.collect(id, &mut gone);
        }
        gone
    }

    /// From now on nodes stay when the kernel forgets them; or no longer: then those that nothing needs
    /// are removed and returned.
    pub fn keep(&mut self, keep: bool) -> Vec<Arc<Node>> {
        let mut gone = Vec::new();
        self.note(&Record::Keep(keep));
        if keep {
            self.kept.get_or_insert_default();
        } else {
            for id in self.kept.take().unwrap_or_default() {
                self.collect(id, &mut gone);
            }
        }
        gone
    }

    /// Links that named these as parents are gone. A parent that is needed no more goes with the next
    /// lookup that is forgotten.
    fn release(&mut self, parents: impl IntoIterator<Item = FileId>) {
        for parent in parents {
            if let Some(place) = self.places.get_mut(&parent) {
                place.children = place.children.saturating_sub(1);
            }
        }
    }

    /// Removes a node that is neither known to the kernel nor the parent of one that is.
    fn collect(&mut self, id: FileId, gone: &mut Vec<Arc<Node>>) {
        let mut next = vec![id];
        while let Some(id) = next.pop() {
            let unused = self.places.get(&id).is_some_and(|p| p.lookups == 0 && p.children == 0);
            if !unused || id == FileId::ROOT {
                continue;
            }
            if let Some(kept) = &mut self.kept {
                kept.insert(id);
                continue;
            }
            let Some(place) = self.places.remove(&id) else { continue };
            self.release_key(&place.node);
            for (parent, _) in place.links {
                if let Some(p) = self.places.get_mut(&parent) {
                    p.children = p.children.saturating_sub(1);
                    next.push(parent);
                }
            }
            gone.push(place.node);
        }
    }

    /// The names from the root to a node, by the first way that leads there.
    pub fn path(&self, id: FileId) -> Option<Vec<Name>> {
        let mut path: Vec<Name> = self.chain(id)?.into_iter().map(|(_, _, name)| name).collect();
        path.reverse();
        Some(path)
    }

    /// The way from a node up to the root: each node with its parent and its name there.
    pub fn chain(&self, mut id: FileId) -> Option<Vec<(Arc<Node>, FileId, Name)>> {
        let mut chain = Vec::new();
        while id != FileId::ROOT {
            let place = self.places.get(&id)?;
            let (parent, name) = place.links.iter().find(|(p, _)| self.places.contains_key(p))?;
            chain.push((Arc::clone(&place.node), *parent, name.clone()));
            if chain.len() > DEEPEST {
                return None;
            }
            id = *parent;
        }
        Some(chain)
    }

    /// Writes down all of it.
    pub fn write(&self, write: &mut dyn FnMut(&Record<'_>)) {
        let known = |p: &&Place| self.keys.get(&(p.node.dev, p.node.key)) == Some(&p.node.id);
        // First those whose identity another one may have now.
        let stale = self.places.values().filter(|p| !known(p)).map(|p| (p, true));
        for (place, stale) in stale.chain(self.places.values().filter(known).map(|p| (p, false))) {
            let id = place.node.id;
            write(&Record::Node(place.node.record(place.lookups)));
            if stale {
                write(&Record::Stale(id.0));
            }
            if place.node.given.load(Ordering::SeqCst) {
                write(&Record::Pinned(id.0));
            }
        }
        for (id, place) in &self.places {
            for (parent, name) in &place.links {
                write(&Record::Linked { id: id.0, parent: parent.0, name: name.as_bytes() });
            }
        }
        if self.kept.is_some() {
            write(&Record::Keep(true));
        }
    }

    /// Removes what nothing needs, after all was read that was written down.
    pub fn tidy(&mut self) {
        self.kept = None;
        let all: Vec<FileId> = self.places.keys().copied().collect();
        let mut gone = Vec::new();
        all.into_iter().for_each(|id| self.collect(id, &mut gone));
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.places.values().map(|p| &p.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, kind: u32) -> Arc<Node> {
        Arc::new(Node {
            id: FileId(id),
            key: FileKey { ino: id, birth: 0 },
            dev: 1,
            kind,
            replicated: true,
            unnamed: None,
            bytes: Mutex::new(()),
            bound: AtomicU64::new(0),
            handle: None,
            fd: Mutex::new(None),
            pinned: AtomicBool::new(false),
            opens: AtomicUsize::new(0),
            given: AtomicBool::new(false),
        })
    }

    fn table() -> Table {
        let mut t = Table::default();
        for (id, kind) in [(1, libc::S_IFDIR), (2, libc::S_IFDIR), (3, libc::S_IFREG)] {
            t.insert(node(id, kind));
        }
        t.link(FileId(2), FileId(1), b"d");
        t.link(FileId(3), FileId(2), b"f");
        t
    }

    fn path(t: &Table, id: u64) -> Option<String> {
        let path = t.path(FileId(id))?;
        Some(
            path.iter()
                .map(|n| String::from_utf8_lossy(n.as_bytes()).into_owned())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }

    #[test]
    fn paths_follow_renames_and_links() {
        let mut t = table();
        assert_eq!(path(&t, 3).as_deref(), Some("d/f"));
        t.link(FileId(3), FileId(1), b"g");
        t.unlink(FileId(3), FileId(2), b"f");
        assert_eq!(path(&t, 3).as_deref(), Some("g"));
        t.unlink(FileId(3), FileId(1), b"g");
        assert_eq!(path(&t, 3), None);
        assert_eq!(path(&t, 1).as_deref(), Some(""));
    }

    #[test]
    fn a_parent_stays_as_long_as_its_children() {
        let mut t = table();
        assert!(t.forget(FileId(2), 1).is_empty(), "its child is known");
        assert!(t.forget(FileId(1), 9).is_empty(), "the root stays");
        let gone: Vec<u64> = t.forget(FileId(3), 1).iter().map(|n| n.id.0).collect();
        assert_eq!(gone, [3, 2]);
        assert!(t.find(1, FileKey { ino: 3, birth: 0 }).is_none());
    }

    #[test]
    fn circles_end() {
        let mut t = table();
        t.link(FileId(2), FileId(2), b"x");
        assert_eq!(path(&t, 3), None);
    }
}
