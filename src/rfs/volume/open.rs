//! Opening, creating and closing files.

use super::modify::{Answer, Done};
use super::{Change, Volume};
use crate::rfs::fuse::Opened;
use crate::rfs::fuse::abi;
use crate::rfs::journal::{Journal, Ticket};
use crate::rfs::ledger::{Intent, Outcome, Record};
use crate::rfs::op::{Attrs, Op};
use crate::rfs::tree::local::{self, Caller};
use crate::rfs::tree::{Node, Unnamed, attr, lock};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

/// An open file.
#[derive(Debug)]
pub(super) struct Open {
    pub node: Arc<Node>,
    pub fd: OwnedFd,
    /// Flags of `open`.
    pub flags: u32,
    /// `O_SYNC` or `O_DSYNC`.
    pub sync: bool,
    /// It was written through this handle, and the peer was not yet told the time of it.
    dirty: AtomicBool,
}

impl Open {
    fn new(node: Arc<Node>, fd: OwnedFd, flags: u32, dirty: bool) -> Open {
        let sync = flags & (libc::O_SYNC | libc::O_DSYNC).cast_unsigned() != 0;
        Open { node, fd, flags, sync, dirty: AtomicBool::new(dirty) }
    }

    /// One that an earlier process has opened, and perhaps written.
    pub fn written(node: Arc<Node>, fd: OwnedFd, flags: u32) -> Open {
        Open::new(node, fd, flags, writes(flags))
    }

    pub fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::Relaxed)
    }

    pub fn set_dirty(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }
}

/// Do these flags of `open` allow to write?
pub(super) fn writes(flags: u32) -> bool {
    flags & libc::O_ACCMODE.cast_unsigned() != libc::O_RDONLY.cast_unsigned()
}

impl<J: Journal> Volume<J> {
    pub(super) fn file(&self, handle: u64) -> Result<Arc<Open>, Errno> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(&handle).cloned().ok_or(Errno::BADF)
    }

    pub(super) fn close(&self, handle: u64) {
        let closed = {
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            let closed = files.remove(&handle);
            if closed.is_some() {
                self.note(&Record::FileClosed(handle));
            }
            closed
        };
        if let Some(file) = closed {
            self.closes(&file.node);
        }
    }

    pub(super) fn opened(&self, node: &Arc<Node>, fd: OwnedFd, flags: u32) -> Opened {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        let open = Arc::new(Open::new(Arc::clone(node), fd, flags, false));
        {
            let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
            files.insert(handle, open);
            self.note(&Record::File { handle, node: node.id.0, flags });
        }
        self.opens(node);
        let keep = if self.primary.load(Ordering::Relaxed) { abi::FOPEN_KEEP_CACHE } else { 0 };
        Opened { handle, flags: keep }
    }

    pub(super) fn open(&self, id: u64, flags: u32, kill: bool, change: &Change) -> Result<Done, Errno> {
        let node = self.tree.get(id)?;
        let (opened, ticket) = self.open_node(&node, flags, kill, change)?;
        Ok(Done::new(Answer::Opened(opened), ticket))
    }

    fn open_node(
        &self,
        node: &Arc<Node>,
        flags: u32,
        kill: bool,
        change: &Change,
    ) -> Result<(Opened, Option<Ticket>), Errno> {
        let fd = self.tree.open_node(node, local::backing_flags(flags))?;
        let ticket = if flags & libc::O_TRUNC.cast_unsigned() != 0 {
            let change = Change { record: change.record && node.replicated, ..*change };
            self.truncate(node, 0, kill, &change)?
        } else {
            None
        };
        Ok((self.opened(node, fd, flags), ticket))
    }

    /// Another length, by a descriptor of its own: the caller's may be read-only. The order with other
    /// changes of the bytes is that of the node's lock.
    pub(super) fn truncate(
        &self,
        node: &Node,
        size: u64,
        kill: bool,
        change: &Change,
    ) -> Result<Option<Ticket>, Errno> {
        let fd = self.tree.open_node(node, OFlags::WRONLY | OFlags::CLOEXEC)?;
        if change.record {
            let old = attr::stat(fd.as_fd())?.attr.size;
            let end = old.max(size).max(size.saturating_add(1));
            self.touch(node, old.min(size)..end)?;
        }
        let record = self.recorded(node, change)?;
        let _bytes = lock(&node.bytes);
        rustix::fs::ftruncate(&fd, size)?;
        if kill {
            self.kill_set_id(node, fd.as_fd(), record)?;
        }
        Ok(record.then(|| self.journal.record(Op::Truncate { id: node.id, size })))
    }

    pub(super) fn create(
        &self,
        parent: u64,
        name: &[u8],
        (flags, mode, kill): (u32, u32, bool),
        caller: Caller,
        change: &Change,
    ) -> Result<Done, Errno> {
        let parent = self.tree.get(parent)?;
        let c = self.new_name(&parent, name)?;
        let dir = self.tree.fd(&parent)?;
        {
            let _names = self.names_write();
            let begun = self.begin(change, || {
                let created = Intent::Created { parent: parent.id.0, flags, name };
                self.is_free(&parent, &c).then_some(created)
            });
            match local::create(dir.as_fd(), &c, local::backing_flags(flags), mode, caller) {
                Err(Errno::EXIST) if flags & libc::O_EXCL.cast_unsigned() == 0 => {}
                Err(e) => return Err(e),
                Ok(fd) => {
                    let op = |id, parent, name, stat: &attr::Stat| Op::Create {
                        id,
                        parent,
                        name,
                        owner: super::owner(stat),
                        rdev: 0,
                    };
                    let (node, stat, ticket) = self.made(&parent, name, change, op)?;
                    let opened = self.opened(&node, fd, flags);
                    begun.end(Outcome::Created(node.id.0, opened.handle));
                    return Ok(Done::new(Answer::Created(self.entry(&node, &stat), opened), ticket));
                }
            }
        }
        self.create_over(&parent, name, flags, kill, change)
    }

    /// Somebody else was faster to make it.
    fn create_over(
        &self,
        parent: &Node,
        name: &[u8],
        flags: u32,
        kill: bool,
        change: &Change,
    ) -> Result<Done, Errno> {
        let (node, _) = {
            let _names = self.names_read();
            self.tree.look_up(parent, name, |dir| self.verdict(parent, name, dir))?
        };
        let opened = if node.kind == libc::S_IFREG {
            self.open_node(&node, flags, kill, change)
        } else {
            Err(Errno::STALE) // The kernel looks again and sees what it is.
        };
        let stat = self.tree.stat(&node);
        match (opened, stat) {
            (Ok((opened, ticket)), Ok(stat)) => {
                Ok(Done::new(Answer::Created(self.entry(&node, &stat), opened), ticket))
            }
            (Err(e), _) | (Ok(_), Err(e)) => {
                self.forget_node(node.id.0, 1);
                Err(e)
            }
        }
    }

    /// A file without a name. The peer hears of it when something is recorded of it.
    pub(super) fn tmpfile(
        &self,
        parent: u64,
        flags: u32,
        mode: u32,
        caller: Caller,
        _change: &Change,
    ) -> Result<Done, Errno> {
        let parent = self.tree.get(parent)?;
        let dir = self.tree.fd(&parent)?;
        let backing = local::backing_flags(flags);
        // `O_EXCL` says that it never gets a name; the backing file system has to know.
        let excl = if flags & libc::O_EXCL.cast_unsigned() != 0 { OFlags::EXCL } else { OFlags::empty() };
        let fd = local::tmpfile(dir.as_fd(), backing | excl, mode, caller)?;
        let path =
            rustix::fs::open(attr::proc_path(fd.as_fd()), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = attr::stat(fd.as_fd())?;
        let unnamed = Unnamed { parent: parent.id, unsent: AtomicBool::new(false) };
        let node = self.tree.add_unnamed(path, parent.replicated, unnamed)?;
        let opened = self.opened(&node, fd, flags);
        Ok(Done::new(Answer::Created(self.entry(&node, &stat), opened), None))
    }

    /// The last use of a handle is over; what was written through it has its time now.
    pub(super) fn release(&self, handle: u64, change: &Change) -> Result<Done, Errno> {
        let file = self.file(handle)?;
        self.record_time(&file, change)?;
        self.close(handle);
        Ok(Done::new(Answer::Empty, None))
    }

    /// Records the modification time of a file that was written, so that both nodes have the same.
    pub(super) fn record_time(&self, file: &Open, change: &Change) -> Result<(), Errno> {
        if !change.record || !file.is_dirty() || !self.recorded(&file.node, change)? {
            return Ok(());
        }
        let _bytes = lock(&file.node.bytes);
        file.dirty.store(false, Ordering::Relaxed);
        let mtime = Some(attr::stat(file.fd.as_fd())?.mtime());
        let attrs = Attrs { mtime, ..Attrs::default() };
        self.journal.record(Op::SetAttrs { id: file.node.id, attrs });
        Ok(())
    }
}
