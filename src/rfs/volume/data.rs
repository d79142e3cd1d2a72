//! Changes of bytes.

use super::modify::{Answer, Done};
use super::{Change, Volume};
use crate::rfs::journal::Journal;
use crate::rfs::op::{Attrs, Op};
use crate::rfs::tree::{Node, attr, lock};
use bytes::Bytes;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::ops::Range;

impl<J: Journal> Volume<J> {
    /// The bytes of a node are about to change.
    pub(super) fn touch(&self, node: &Node, range: Range<u64>) -> Result<(), Errno> {
        self.journal.touch(node.key, range).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
    }

    /// Removes the set-id bits as the kernel does when somebody without privilege changes a file. The
    /// caller holds the node's lock.
    pub(super) fn kill_set_id(&self, node: &Node, fd: BorrowedFd<'_>, record: bool) -> Result<(), Errno> {
        let Some(mode) = attr::without_set_id(attr::stat(fd)?.attr.mode) else { return Ok(()) };
        attr::set_mode(fd, node.kind, mode)?;
        if record {
            let attrs = Attrs { mode: Some(mode), ..Attrs::default() };
            self.journal.record(Op::SetAttrs { id: node.id, attrs });
        }
        Ok(())
    }

    pub(super) fn write(
        &self,
        handle: u64,
        offset: u64,
        data: &[u8],
        kill: bool,
        change: &Change,
    ) -> Result<Done, Errno> {
        let file = self.file(handle)?;
        let node = &file.node;
        let end = offset.checked_add(data.len() as u64).ok_or(Errno::FBIG)?;
        if change.record {
            self.touch(node, offset..end)?;
        }
        let record = self.recorded(node, change)?;
        let bytes = lock(&node.bytes);
        if kill {
            self.kill_set_id(node, file.fd.as_fd(), record)?;
        }
        // Recorded first, so that the way to the peer and to the disk are gone at the same time.
        let ticket = record.then(|| {
            let data = Bytes::copy_from_slice(data);
            self.journal.record(Op::Write { id: node.id, offset, data, sync: file.sync })
        });
        let (written, error) = write_all(file.fd.as_fd(), offset, data);
        file.set_dirty();
        drop(bytes);
        if record && written < data.len() {
            self.journal.failed(node.key, offset..end);
        }
        let answer = match error {
            Some(e) if written == 0 => Err(e),
            _ => Ok(Answer::Size(u32::try_from(written).map_err(|_| Errno::FBIG)?)),
        };
        Ok(Done { answer, ticket })
    }

    pub(super) fn allocate(
        &self,
        handle: u64,
        offset: u64,
        length: u64,
        mode: u32,
        change: &Change,
    ) -> Result<Done, Errno> {
        let file = self.file(handle)?;
        let node = &file.node;
        let end = offset.checked_add(length).ok_or(Errno::FBIG)?;
        if change.record {
            self.touch(node, offset..end)?;
        }
        let record = self.recorded(node, change)?;
        let _bytes = lock(&node.bytes);
        rustix::fs::fallocate(&file.fd, FallocateFlags::from_bits_retain(mode), offset, length)?;
        file.set_dirty();
        let op = Op::Allocate { id: node.id, mode, offset, len: length };
        Ok(Done::new(Answer::Empty, record.then(|| self.journal.record(op))))
    }

    /// Makes durable what was written, on both nodes at the same time.
    pub(super) fn fsync(
        &self,
        id: u64,
        handle: u64,
        data_only: bool,
        dir: bool,
        change: &Change,
    ) -> Result<Done, Errno> {
        let node = self.tree.get(id)?;
        let record = self.recorded(&node, change)?;
        let sync = |fd: BorrowedFd<'_>| {
            let ticket = record.then(|| self.journal.record(Op::Fsync { id: node.id }));
            let done = if data_only { rustix::fs::fdatasync(fd) } else { rustix::fs::fsync(fd) };
            Done { answer: done.map(|()| Answer::Empty), ticket }
        };
        if dir {
            return Ok(sync(self.dir(handle)?.fd()));
        }
        let file = self.file(handle)?;
        self.record_time(&file, change)?;
        Ok(sync(file.fd.as_fd()))
    }
}

/// Writes all of it if it can be; how much it was, and what prevented the rest.
fn write_all(fd: BorrowedFd<'_>, offset: u64, data: &[u8]) -> (usize, Option<Errno>) {
    let mut written = 0;
    while let Some(rest) = data.get(written..).filter(|r| !r.is_empty()) {
        match rustix::io::pwrite(fd, rest, offset + written as u64) {
            Ok(0) => return (written, Some(Errno::IO)),
            Ok(n) => written += n,
            Err(Errno::INTR) => {}
            Err(e) => return (written, Some(e)),
        }
    }
    (written, None)
}
