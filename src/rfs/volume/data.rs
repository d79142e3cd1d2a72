//! Changes of bytes.

use super::modify::{Answer, Done};
use super::{Change, Volume};
use crate::rfs::journal::{Journal, Ticket};
use crate::rfs::op::{Attrs, Op};
use crate::rfs::tree::{Node, attr, lock};
use bytes::Bytes;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FallocateFlags, OFlags};
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
        let early = record && !self.room.is_little(&file.fd, data.len());
        let op = |data: &[u8]| {
            let data = Bytes::copy_from_slice(data);
            self.journal.record(Op::Write { id: node.id, offset, data, sync: file.sync })
        };
        let mut ticket = early.then(|| op(data));
        let (written, error) = write_all(file.fd.as_fd(), offset, data);
        file.set_dirty();
        if early && written < data.len() {
            self.room.doubt();
            ticket = Some(self.mend(node, offset..end)?);
        } else if record && !early && written > 0 {
            ticket = Some(op(&data[..written]));
        }
        drop(bytes);
        let answer = match error {
            Some(e) if written == 0 => Err(e),
            _ => Ok(Answer::Size(u32::try_from(written).map_err(|_| Errno::FBIG)?)),
        };
        Ok(Done { answer, ticket })
    }

    /// The disk did not take all of what was recorded: what is there instead is recorded after it, so
    /// that both nodes have the same. The caller holds the node's lock.
    ///
    /// # Errors
    /// It cannot be read either. The secondary keeps what it got, which nobody was told is there.
    fn mend(&self, node: &Node, range: Range<u64>) -> Result<Ticket, Errno> {
        let fd = self.tree.open_node(node, OFlags::RDONLY | OFlags::CLOEXEC)?;
        let size = attr::stat(fd.as_fd())?.attr.size;
        let there = range.end.min(size).saturating_sub(range.start);
        let mut data = vec![0; usize::try_from(there).map_err(|_| Errno::FBIG)?];
        let read = read_all(fd.as_fd(), range.start, &mut data)?;
        data.truncate(read);
        if !data.is_empty() {
            self.touch(node, range.clone())?;
            let data = Bytes::from(data);
            self.journal.record(Op::Write { id: node.id, offset: range.start, data, sync: false });
        }
        self.touch(node, size.min(range.start)..range.end)?;
        Ok(self.journal.record(Op::Truncate { id: node.id, size }))
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
        let before = attr::stat(file.fd.as_fd())?.attr.size;
        let done = rustix::fs::fallocate(&file.fd, FallocateFlags::from_bits_retain(mode), offset, length);
        file.set_dirty();
        if let Err(e) = done {
            // Part of it may have been done, as the file grew.
            let size = attr::stat(file.fd.as_fd())?.attr.size;
            let grown = || self.journal.record(Op::Truncate { id: node.id, size });
            return Ok(Done { answer: Err(e), ticket: (record && size != before).then(grown) });
        }
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

/// Reads until the end of the buffer or of the file; how much it was.
fn read_all(fd: BorrowedFd<'_>, offset: u64, data: &mut [u8]) -> Result<usize, Errno> {
    let mut read = 0;
    while read < data.len() {
        match rustix::io::pread(fd, &mut data[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}
