//! The nodes of a tree as an earlier process has written them down.

use super::{Node, Tree, lock};
use crate::rfs::ledger::{KeptIntent, Ledger, LedgerError, Outcome, Record};
use crate::rfs::op::FileId;
use rustix::fd::OwnedFd;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What is written down besides the nodes.
#[derive(Debug, Default)]
pub struct Written {
    /// Open files: node and flags of `open`, by handle.
    pub files: BTreeMap<u64, (u64, u32)>,
    /// Open directories: node, by handle.
    pub dirs: BTreeMap<u64, u64>,
    /// Requests of which it is not known whether they were carried out.
    pub begun: BTreeMap<u64, (bool, KeptIntent)>,
    /// Requests that were carried out and not answered.
    pub ended: BTreeMap<u64, (bool, Outcome)>,
    /// No handle from here on was given away.
    pub next_handle: u64,
}

impl Tree {
    /// Takes over the nodes that are written down; from now on changes are written there.
    ///
    /// # Errors
    /// The records are damaged, or of another directory.
    pub fn read_written(&mut self, ledger: &Arc<Ledger>) -> Result<Written, LedgerError> {
        let mut written = Written { next_handle: 1, ..Written::default() };
        ledger.replay(|record| self.take(record) && written.take(record))?;
        let mut table = lock(&self.table);
        table.tidy();
        table.write_to(Arc::clone(ledger));
        drop(table);
        self.ledger = Some(Arc::clone(ledger));
        Ok(written)
    }

    fn take(&self, record: &Record<'_>) -> bool {
        let next = |n: u64| self.next.fetch_max(n, Ordering::Relaxed);
        let mut table = lock(&self.table);
        match *record {
            Record::Next { node, .. } => drop(next(node)),
            Record::Node(ref r) if r.id == FileId::ROOT.0 => {
                let root = table.get(FileId::ROOT);
                return root.is_some_and(|n| (n.dev, n.key.ino, n.key.birth) == (r.dev, r.ino, r.birth));
            }
            Record::Node(ref r) => {
                next(r.id.saturating_add(1));
                table.place(Arc::new(Node::written(r)), r.lookups);
            }
            Record::LookedUp(id) => drop(table.look_up_id(FileId(id))),
            Record::Stale(id) => {
                if let Some(node) = table.get(FileId(id)).cloned() {
                    table.release_key(&node);
                }
            }
            Record::Linked { id, parent, name } => table.link(FileId(id), FileId(parent), name),
            Record::Unlinked { id, parent, name } => table.unlink(FileId(id), FileId(parent), name),
            Record::Forgotten { id, lookups } => drop(table.forget(FileId(id), lookups)),
            Record::Keep(keep) => drop(table.keep(keep)),
            Record::Pinned(id) => {
                if let Some(node) = table.get(FileId(id)) {
                    node.given.store(true, Ordering::SeqCst);
                }
            }
            _ => {}
        }
        true
    }

    /// Nodes whose descriptors are kept elsewhere.
    pub fn given(&self) -> Vec<Arc<Node>> {
        lock(&self.table).all().filter(|n| n.given.load(Ordering::SeqCst)).cloned().collect()
    }

    /// The descriptor of a node that was kept elsewhere; `None`: it was not, after all.
    pub fn give_back(&self, node: &Node, fd: Option<OwnedFd>) {
        node.given.store(fd.is_some(), Ordering::SeqCst);
        if let Some(fd) = fd {
            node.pinned.store(true, Ordering::SeqCst);
            *lock(&node.fd) = Some(Arc::new(fd));
        }
    }

    /// Writes down all nodes.
    pub fn write(&self, write: &mut dyn FnMut(&Record<'_>)) {
        let table = lock(&self.table);
        write(&Record::Next { node: self.next.load(Ordering::Relaxed), handle: 0 });
        table.write(write);
    }
}

impl Written {
    fn take(&mut self, record: &Record<'_>) -> bool {
        match *record {
            Record::Next { handle, .. } => self.next_handle = self.next_handle.max(handle),
            Record::File { handle, node, flags } => {
                self.files.insert(handle, (node, flags));
                self.next_handle = self.next_handle.max(handle.saturating_add(1));
            }
            Record::Dir { handle, node } => {
                self.dirs.insert(handle, node);
                self.next_handle = self.next_handle.max(handle.saturating_add(1));
            }
            Record::FileClosed(handle) => drop(self.files.remove(&handle)),
            Record::DirClosed(handle) => drop(self.dirs.remove(&handle)),
            Record::Begun(unique, recorded, ref intent) => {
                let Some(intent) = intent.keep() else { return false };
                self.begun.insert(unique, (recorded, intent));
            }
            Record::Ended(unique, recorded, outcome) => {
                self.begun.remove(&unique);
                self.ended.insert(unique, (recorded, outcome));
            }
            Record::Answered(unique) => {
                self.begun.remove(&unique);
                self.ended.remove(&unique);
            }
            _ => {}
        }
        true
    }
}
