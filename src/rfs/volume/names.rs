//! Changes of names. Each is made locally first, whose outcome decides, and recorded under the same
//! lock.

use super::modify::{Answer, Done};
use super::outlive::key;
use super::{Change, Volume};
use crate::rfs::fuse::Entry;
use crate::rfs::journal::{Journal, Ticket};
use crate::rfs::ledger::{Intent, Outcome};
use crate::rfs::op::{FileId, Name, Op};
use crate::rfs::tree::attr::{Stat, decode_dev};
use crate::rfs::tree::local::{self, Caller};
use crate::rfs::tree::{Node, c_name};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A name that system calls have just accepted.
fn op_name(name: &[u8]) -> Result<Name, Errno> {
    Name::new(name).ok_or(Errno::INVAL)
}

/// One side of a rename.
struct Side<'a> {
    parent: Arc<Node>,
    name: &'a [u8],
    /// What has this name, if anything has.
    stat: Option<Stat>,
    node: Option<Arc<Node>>,
}

impl<J: Journal> Volume<J> {
    pub(super) fn entry(&self, node: &Node, stat: &Stat) -> Entry {
        Entry { node: node.id.0, ttl: self.ttl(), attr: stat.attr }
    }

    /// Makes an entry with `make`, and records what `op` says of it.
    fn make(
        &self,
        (parent, name): (u64, &[u8]),
        change: &Change,
        make: impl FnOnce(BorrowedFd<'_>, &CStr) -> Result<(), Errno>,
        op: impl FnOnce(FileId, FileId, Name, &Stat) -> Op,
    ) -> Result<Done, Errno> {
        let parent = self.tree.get(parent)?;
        let c = self.new_name(&parent, name)?;
        let dir = self.tree.fd(&parent)?;
        let _names = self.names_write();
        let begun = self.begin(change, || {
            let made = Intent::Made { parent: parent.id.0, name };
            self.is_free(&parent, &c).then_some(made)
        });
        make(dir.as_fd(), &c)?;
        let (node, stat, ticket) = self.made(&parent, name, change, op)?;
        begun.end(Outcome::Entry(node.id.0));
        Ok(Done::new(Answer::Entry(self.entry(&node, &stat)), ticket))
    }

    /// There is nothing of this name.
    pub(super) fn is_free(&self, parent: &Node, name: &CStr) -> bool {
        matches!(self.tree.stat_entry(parent, name), Err(Errno::NOENT))
    }

    /// The node of an entry that was just made, recorded. If it cannot be had, as without a free
    /// descriptor, the entry goes again: what is not recorded must not stay.
    pub(super) fn made(
        &self,
        parent: &Node,
        name: &[u8],
        change: &Change,
        op: impl FnOnce(FileId, FileId, Name, &Stat) -> Op,
    ) -> Result<(Arc<Node>, Stat, Option<Ticket>), Errno> {
        let found = self.tree.look_up(parent, name, |_| change.record).and_then(|(node, stat)| {
            self.named(&stat, true, change)?;
            Ok((node, stat))
        });
        let bound = found.and_then(|f| self.bind(parent, change).map(|bound| (f, bound)));
        let ((node, stat), bound) = bound.inspect_err(|e| {
            tracing::error!("a new entry cannot be used and is removed again: {e}");
            if let (Ok(dir), Ok(c)) = (self.tree.fd(parent), c_name(name)) {
                let gone = rustix::fs::unlinkat(dir.as_fd(), &c, AtFlags::empty())
                    .or_else(|_| rustix::fs::unlinkat(dir.as_fd(), &c, AtFlags::REMOVEDIR));
                if let Err(e) = gone {
                    tracing::error!("it could not be removed: {e}");
                }
            }
        })?;
        let ticket = if bound {
            node.set_bound(change.peer);
            Some(self.journal.record(op(node.id, parent.id, op_name(name)?, &stat)))
        } else {
            None
        };
        Ok((node, stat, ticket))
    }

    pub(super) fn mkdir(
        &self,
        parent: u64,
        name: &[u8],
        mode: u32,
        caller: Caller,
        change: &Change,
    ) -> Result<Done, Errno> {
        let make = |dir: BorrowedFd<'_>, c: &CStr| local::mkdir(dir, c, mode, caller);
        self.make((parent, name), change, make, |id, parent, name, stat| Op::Create {
            id,
            parent,
            name,
            owner: super::owner(stat),
            rdev: 0,
        })
    }

    pub(super) fn mknod(
        &self,
        parent: u64,
        name: &[u8],
        (mode, rdev): (u32, u32),
        caller: Caller,
        change: &Change,
    ) -> Result<Done, Errno> {
        let device = matches!(mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK);
        let rdev = if device { decode_dev(rdev) } else { 0 };
        let make = |dir: BorrowedFd<'_>, c: &CStr| local::mknod(dir, c, mode, rdev, caller);
        self.make((parent, name), change, make, |id, parent, name, stat| Op::Create {
            id,
            parent,
            name,
            owner: super::owner(stat),
            rdev,
        })
    }

    pub(super) fn symlink(
        &self,
        parent: u64,
        name: &[u8],
        target: &[u8],
        caller: Caller,
        change: &Change,
    ) -> Result<Done, Errno> {
        let to = c_name(target)?;
        let make = |dir: BorrowedFd<'_>, c: &CStr| local::symlink(dir, c, &to, caller);
        self.make((parent, name), change, make, |id, parent, name, stat| Op::Symlink {
            id,
            parent,
            name,
            target: target.to_vec(),
            owner: super::owner(stat),
        })
    }

    pub(super) fn unlink(&self, parent: u64, name: &[u8], dir: bool, change: &Change) -> Result<Done, Errno> {
        let parent = self.tree.get(parent)?;
        let c = self.name(&parent, name)?;
        let fd = self.tree.fd(&parent)?;
        let _names = self.names_write();
        let stat = self.tree.stat_entry(&parent, &c)?;
        let node = self.tree.find(&stat);
        if let Some(node) = &node {
            self.before_name_goes(node, &parent, name, &stat, change)?;
        }
        let bound = self.bind(&parent, change)?;
        let flags = if dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        let begun =
            self.begin(change, || Some(Intent::Unlinked { parent: parent.id.0, name, key: key(&stat) }));
        rustix::fs::unlinkat(fd.as_fd(), &c, flags)?;
        if let Some(node) = &node {
            self.tree.unlink(node, parent.id, name);
            self.name_is_gone(node);
        }
        begun.end(Outcome::Empty);
        let op = Op::Unlink { parent: parent.id, name: op_name(name)?, dir };
        Ok(Done::new(Answer::Empty, bound.then(|| self.journal.record(op))))
    }

    /// A file loses a name: it is kept in hand if it was the last one. If it has others that nobody
    /// knows here, the peer has to know its id by this one.
    fn before_name_goes(
        &self,
        node: &Node,
        parent: &Node,
        name: &[u8],
        stat: &Stat,
        change: &Change,
    ) -> Result<(), Errno> {
        let links = self.tree.links(node.id);
        let another = links.iter().any(|(p, n)| *p != parent.id || n.as_bytes() != name);
        if node.is_dir() || stat.attr.nlink <= 1 {
            self.tree.pin(node)?;
            self.keep_open(node);
            Ok(())
        } else if !another {
            let change = Change { record: change.record && node.replicated, ..*change };
            self.bind(node, &change).map(|_| ())
        } else {
            Ok(())
        }
    }

    /// The same once it is so: it may have been opened meanwhile.
    fn name_is_gone(&self, node: &Node) {
        if node.is_pinned() {
            self.keep_open(node);
        }
    }

    pub(super) fn link(&self, file: u64, parent: u64, name: &[u8], change: &Change) -> Result<Done, Errno> {
        let (node, parent) = (self.tree.get(file)?, self.tree.get(parent)?);
        let c = self.new_name(&parent, name)?;
        if self.verdict(&parent, name, false) != node.replicated {
            return Err(Errno::XDEV);
        }
        let (fd, dir) = (self.tree.fd(&node)?, self.tree.fd(&parent)?);
        let _names = self.names_write();
        // What was written before belongs to it: the id must be known first.
        let bound = self.bind(&node, change)? && self.bind(&parent, change)?;
        if change.record {
            self.journal.named(node.key, false).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
        }
        let begun = self.begin(change, || {
            let made = Intent::Made { parent: parent.id.0, name };
            self.is_free(&parent, &c).then_some(made)
        });
        rustix::fs::linkat(fd.as_fd(), c"", dir.as_fd(), &c, AtFlags::EMPTY_PATH)?;
        let stat = self.tree.stat_entry(&parent, &c)?;
        let (node, _) = self.tree.look_up(&parent, name, |_| node.replicated)?;
        let ticket = if bound {
            Some(self.journal.record(Op::Link { id: node.id, parent: parent.id, name: op_name(name)? }))
        } else {
            None
        };
        if let Some(unnamed) = node.unnamed.as_ref().filter(|_| bound)
            && unnamed.unsent.swap(false, Ordering::Relaxed)
        {
            self.journal.failed(node.key, 0..stat.attr.size);
        }
        begun.end(Outcome::Entry(node.id.0));
        Ok(Done::new(Answer::Entry(self.entry(&node, &stat)), ticket))
    }

    /// The secondary has something else under this name.
    fn named(&self, stat: &Stat, fresh: bool, change: &Change) -> Result<(), Errno> {
        if !change.record {
            return Ok(());
        }
        self.journal.named(stat.key, fresh).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
    }

    fn side<'a>(&self, (parent, name): (u64, &'a [u8])) -> Result<Side<'a>, Errno> {
        let parent = self.tree.get(parent)?;
        let stat = match self.tree.stat_entry(&parent, &c_name(name)?) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(e) => return Err(e),
        };
        let node = stat.and_then(|s| self.tree.find(&s));
        Ok(Side { parent, name, stat, node })
    }

    pub(super) fn rename(
        &self,
        from: (u64, &[u8]),
        to: (u64, &[u8]),
        flags: u32,
        caller: Caller,
        change: &Change,
    ) -> Result<Done, Errno> {
        let _names = self.names_write();
        let (from, to) = (self.side(from)?, self.side(to)?);
        let (c, to_c) = (self.name(&from.parent, from.name)?, self.new_name(&to.parent, to.name)?);
        let exchange = flags & libc::RENAME_EXCHANGE != 0;
        self.stays_replicated(&from, &to, exchange, change)?;
        let (dir, to_dir) = (self.tree.fd(&from.parent)?, self.tree.fd(&to.parent)?);
        let bound = self.bind(&from.parent, change)? && self.bind(&to.parent, change)?;
        if let (Some(node), Some(stat), false) = (&to.node, &to.stat, exchange) {
            self.before_name_goes(node, &to.parent, to.name, stat, change)?;
        }
        for stat in from.stat.iter().chain(to.stat.iter().filter(|_| exchange)) {
            self.named(stat, false, change)?;
        }
        let (moved, over) = (from.stat.as_ref().map(key), to.stat.as_ref().map(key));
        let begun = self.begin(change, || {
            let (from, to) = ((from.parent.id.0, from.name), (to.parent.id.0, to.name));
            let key = moved.filter(|_| moved != over)?;
            Some(Intent::Renamed { from, to, key, over, exchange })
        });
        local::rename((dir.as_fd(), &c), (to_dir.as_fd(), &to_c), flags, caller)?;
        // Two names of one file: nothing has happened, as POSIX wants it.
        if moved == over {
            return Ok(Done::new(Answer::Empty, None));
        }
        self.moved(&from, &to, exchange);
        begun.end(Outcome::Empty);
        let (name, to_name) = (op_name(from.name)?, op_name(to.name)?);
        let op = Op::Rename { parent: from.parent.id, name, to_parent: to.parent.id, to_name, flags };
        Ok(Done::new(Answer::Empty, bound.then(|| self.journal.record(op))))
    }

    /// Nodes follow what was renamed.
    fn moved(&self, from: &Side<'_>, to: &Side<'_>, exchange: bool) {
        if let Some(node) = &to.node {
            self.tree.unlink(node, to.parent.id, to.name);
            if exchange {
                self.tree.link(node, from.parent.id, from.name);
            } else {
                self.name_is_gone(node);
            }
        }
        if let Some(node) = &from.node {
            self.tree.link(node, to.parent.id, to.name);
            self.tree.unlink(node, from.parent.id, from.name);
        }
    }

    /// A rename that would make something replicated that was not, or the reverse, is refused as one
    /// to another file system is (RFS-16).
    fn stays_replicated(
        &self,
        from: &Side<'_>,
        to: &Side<'_>,
        exchange: bool,
        change: &Change,
    ) -> Result<(), Errno> {
        let verdicts = |stat: &Stat| {
            let dir = stat.is_dir();
            (self.verdict(&from.parent, from.name, dir), self.verdict(&to.parent, to.name, dir))
        };
        let moved = from.stat.as_ref().ok_or(Errno::NOENT)?;
        let back = to.stat.as_ref().filter(|_| exchange);
        for stat in std::iter::once(moved).chain(back) {
            if verdicts(stat) != (change.record, change.record) {
                return Err(Errno::XDEV);
            }
            let divided = |side: &Side<'_>| self.divides(&side.parent, side.name);
            if stat.is_dir() && (divided(from) || divided(to)) {
                return Err(Errno::XDEV);
            }
        }
        Ok(())
    }

    fn divides(&self, parent: &Node, name: &[u8]) -> bool {
        if self.exclude.is_empty() {
            return false;
        }
        match (self.tree.path_of(parent.id), Name::new(name)) {
            (Some(mut path), Some(name)) => {
                path.push(name);
                self.exclude.divides(&path)
            }
            _ => false,
        }
    }
}
