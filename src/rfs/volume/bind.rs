//! Making ids known to the peer before an operation names them, and forgetting them.

use super::{Change, Volume};
use crate::rfs::journal::{Admission, Journal, Ticket};
use crate::rfs::op::{FileId, Op};
use crate::rfs::tree::{Node, lock};
use rustix::io::Errno;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Ids that are forgotten together.
const BATCH: usize = 64;
/// Bytes of removed files above which they are forgotten at once.
const SPACE: u64 = 4 << 20;

impl<J: Journal> Volume<J> {
    /// Whether a change of this node is recorded, after making its id known to the peer. To be called
    /// without the lock of the names.
    pub(super) fn recorded(&self, node: &Node, change: &Change) -> Result<bool, Errno> {
        if !change.record || change.peer == 0 || node.is_bound(change.peer) {
            return Ok(change.record);
        }
        let _names = self.names_read();
        self.bind(node, change)
    }

    /// Makes the id of a node and those above it known to the peer; false if the file has no name and
    /// was never known, so that nothing of it is recorded. The caller holds the lock of the names.
    pub(super) fn bind(&self, node: &Node, change: &Change) -> Result<bool, Errno> {
        if !change.record || change.peer == 0 || node.is_bound(change.peer) {
            return Ok(change.record);
        }
        let _binding = lock(&self.binding);
        if let Some(unnamed) = &node.unnamed
            && self.tree.links(node.id).is_empty()
        {
            let known = self.bind_chain(unnamed.parent, change).is_some();
            let parent = if known { unnamed.parent } else { FileId::ROOT };
            let stat = self.tree.stat(node)?;
            unnamed.unsent.store(stat.attr.size > 0, Ordering::Relaxed);
            self.journal.record(Op::Tmpfile { id: node.id, parent, owner: super::owner(&stat) });
            node.set_bound(change.peer);
            return Ok(true);
        }
        if self.bind_chain(node.id, change).is_some() {
            return Ok(true);
        }
        if self.tree.stat(node)?.attr.nlink == 0 {
            return Ok(false);
        }
        self.find_name(node)?;
        // A change that the peer cannot be told of must not be made.
        self.bind_chain(node.id, change).map(|()| true).ok_or(Errno::STALE)
    }

    fn bind_chain(&self, id: FileId, change: &Change) -> Option<()> {
        for (node, parent, name) in self.tree.chain(id)?.into_iter().rev() {
            if !node.is_bound(change.peer) {
                self.journal.record(Op::Bind { id: node.id, parent, name });
                node.set_bound(change.peer);
            }
        }
        Some(())
    }

    /// Seeks a name of a file whose known ones are gone.
    fn find_name(&self, node: &Node) -> Result<(), Errno> {
        let path = self.tree.search(node, super::HIDDEN).ok_or(Errno::STALE)?;
        let mut parent = self.tree.get(FileId::ROOT.0)?;
        let mut seen = Vec::new();
        for name in path {
            let (next, _) = self
                .tree
                .look_up(&parent, name.as_bytes(), |dir| self.verdict(&parent, name.as_bytes(), dir))?;
            seen.push(next.id);
            parent = next;
        }
        // The kernel did not look these up; what is below them keeps them.
        seen.into_iter().rev().for_each(|id| self.forget_node(id.0, 1));
        Ok(())
    }

    /// The kernel forgets a node: so does, later, the peer.
    pub(super) fn forget_node(&self, id: u64, lookups: u64) {
        let gone = self.tree.forget(id, lookups);
        self.gone(gone);
    }

    /// While `keep` is on, [`Volume::path_of`] knows also the files that the kernel has forgotten: for
    /// the time in which changes are tracked.
    pub fn keep_nodes(&self, keep: bool) {
        let gone = self.tree.keep(keep);
        self.gone(gone);
    }

    /// The file has a name, whether or not it is known which: without one nobody misses it.
    pub fn has_names(&self, id: FileId) -> bool {
        let stat = self.tree.get(id.0).and_then(|node| self.tree.stat(&node));
        stat.is_ok_and(|s| s.attr.nlink > 0)
    }

    fn gone(&self, mut gone: Vec<Arc<Node>>) {
        gone.retain(|n| !n.is_bound(0));
        let space: u64 = gone.iter().filter_map(|n| self.tree.space_of_removed(n)).sum();
        lock(&self.forgotten).extend(gone);
        if self.kept_space.fetch_add(space, Ordering::Relaxed) + space > SPACE {
            self.forget_now();
        }
    }

    /// A removed file keeps its space on both nodes until it is forgotten: nobody may be there to
    /// modify something, since the disk is full.
    fn forget_now(&self) {
        if let Admission::Now(permit) = self.journal.admit() {
            self.tell_forgotten(self.journal.peer());
            drop(permit);
        }
    }

    /// Tells the peer of forgotten ids, once there are enough of them; under a permit.
    pub(super) fn record_forgotten(&self, change: &Change) -> Option<Ticket> {
        let enough = lock(&self.forgotten).len() >= BATCH;
        if enough { self.tell_forgotten(change.peer) } else { None }
    }

    fn tell_forgotten(&self, peer: u64) -> Option<Ticket> {
        self.kept_space.store(0, Ordering::Relaxed);
        let gone = {
            let mut forgotten = lock(&self.forgotten);
            // Whoever still works on one may have something to record of it.
            let (gone, busy): (Vec<_>, Vec<_>) =
                forgotten.drain(..).partition(|node| Arc::strong_count(node) == 1);
            *forgotten = busy;
            gone
        };
        let known = |n: &Arc<Node>| peer != 0 && n.is_bound(peer);
        let ids: Vec<FileId> = gone.iter().filter(|n| known(n)).map(|n| n.id).collect();
        (!ids.is_empty()).then(|| self.journal.record(Op::Forget(ids)))
    }
}
