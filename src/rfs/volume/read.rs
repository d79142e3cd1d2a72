//! Everything that changes nothing.

use super::Volume;
use crate::rfs::fuse::abi;
use crate::rfs::fuse::{Entry, Opened, Operation, Reply, Request};
use crate::rfs::journal::Journal;
use crate::rfs::ledger::Record;
use crate::rfs::tree::dir::{Dir, DirEntry};
use crate::rfs::tree::{Node, c_name, xattr};
use rustix::fd::AsFd;
use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Bytes of an entry of a listing before its name.
const DIRENT: usize = 24;

impl<J: Journal> Volume<J> {
    /// Answers at once.
    pub(super) fn look(&self, request: &Request<'_>, buffer: &mut [u8], reply: Reply) {
        use Operation as O;
        let id = request.node;
        match request.operation {
            O::Lookup { name } => match self.look_up(id, name) {
                Ok(entry) => {
                    if !reply.entry(&entry) && entry.node != 0 {
                        self.forget_node(entry.node, 1);
                    }
                }
                Err(e) => drop(reply.error(e)),
            },
            O::GetAttr { handle } => {
                let open = handle.and_then(|h| self.file(h).ok());
                let stat = match &open {
                    Some(file) => crate::rfs::tree::attr::stat(file.fd.as_fd()),
                    None => self.tree.get(id).and_then(|n| self.tree.stat(&n)),
                };
                match stat {
                    Ok(stat) => drop(reply.attr(self.ttl(), &stat.attr)),
                    Err(e) => drop(reply.error(e)),
                }
            }
            O::OpenDir => match self.open_dir(id) {
                Ok(opened) => {
                    if !reply.opened(opened) {
                        self.close_dir(opened.handle);
                    }
                }
                Err(e) => drop(reply.error(e)),
            },
            O::ReleaseDir { handle } => {
                self.close_dir(handle);
                reply.empty();
            }
            O::Statfs => match rustix::fs::fstatvfs(self.tree.root()) {
                Ok(figures) => drop(reply.statfs(&figures)),
                Err(e) => drop(reply.error(e)),
            },
            O::Seek { handle, offset, whence } => match self.seek(handle, offset, whence) {
                Ok(offset) => drop(reply.offset(offset)),
                Err(e) => drop(reply.error(e)),
            },
            O::GetXattr { size: 0, .. } | O::ListXattr { size: 0 } => match self.bytes(request, buffer) {
                Ok(n) => drop(reply.size(u32::try_from(n).unwrap_or(u32::MAX))),
                Err(e) => drop(reply.error(e)),
            },
            _ => match self.bytes(request, buffer) {
                Ok(n) => drop(reply.bytes(buffer.get(..n).unwrap_or_default())),
                Err(e) => drop(reply.error(e)),
            },
        }
    }

    /// Answers that are bytes, put into `buffer`; their number.
    fn bytes(&self, request: &Request<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
        use Operation as O;
        let node = || self.tree.get(request.node);
        let room = |size: u32| (size as usize).min(buffer.len());
        match request.operation {
            O::Read { handle, offset, size } => {
                let room = room(size);
                let place = buffer.get_mut(..room).ok_or(Errno::INVAL)?;
                read_all(&self.file(handle)?.fd, place, offset)
            }
            O::ReadDir { handle, offset, size, plus } => {
                let room = room(size);
                let place = buffer.get_mut(..room).ok_or(Errno::INVAL)?;
                self.read_dir(&*node()?, &*self.dir(handle)?, offset, place, plus)
            }
            O::ReadLink => {
                let target = rustix::fs::readlinkat(self.tree.fd(&*node()?)?.as_fd(), c"", Vec::new())?;
                copy(target.as_bytes(), buffer)
            }
            O::GetXattr { name, .. } if self.refused(name) => Err(Errno::OPNOTSUPP),
            O::GetXattr { name, size } => {
                let room = room(size);
                let place = buffer.get_mut(..room).ok_or(Errno::INVAL)?;
                xattr::get(self.tree.fd(&*node()?)?.as_fd(), &c_name(name)?, place)
            }
            O::ListXattr { size } => {
                let mut names = xattr::list(self.tree.fd(&*node()?)?.as_fd())?;
                if !self.acl {
                    let kept = names.split_inclusive(|b| *b == 0).filter(|n| !n.starts_with(xattr::ACL));
                    names = kept.flatten().copied().collect();
                }
                if size != 0 && names.len() > size as usize {
                    Err(Errno::RANGE)
                } else {
                    copy(&names, buffer)
                }
            }
            _ => Err(Errno::NOSYS),
        }
    }

    fn look_up(&self, parent: u64, name: &[u8]) -> Result<Entry, Errno> {
        let parent = self.tree.get(parent)?;
        let _names = self.names_read();
        let found = match self.name(&parent, name) {
            Ok(_) => self.tree.look_up(&parent, name, |dir| self.verdict(&parent, name, dir)),
            Err(e) => Err(e),
        };
        match found {
            Ok((node, stat)) => Ok(self.entry(&node, &stat)),
            // The primary makes all entries: that there is none can be kept in mind, too.
            Err(Errno::NOENT) if self.ttl() > 0 => Ok(Entry { ttl: self.ttl(), ..Entry::default() }),
            Err(e) => Err(e),
        }
    }

    fn open_dir(&self, id: u64) -> Result<Opened, Errno> {
        let node = self.tree.get(id)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = Arc::new(Dir::new(self.tree.open_node(&node, flags)?));
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        {
            let mut dirs = self.dirs.write().unwrap_or_else(PoisonError::into_inner);
            dirs.insert(handle, (Arc::clone(&node), dir));
            self.note(&Record::Dir { handle, node: id });
        }
        self.opens(&node);
        Ok(Opened { handle, flags: 0 })
    }

    pub(super) fn dir(&self, handle: u64) -> Result<Arc<Dir>, Errno> {
        let dirs = self.dirs.read().unwrap_or_else(PoisonError::into_inner);
        dirs.get(&handle).map(|(_, dir)| Arc::clone(dir)).ok_or(Errno::BADF)
    }

    fn close_dir(&self, handle: u64) {
        let closed = {
            let mut dirs = self.dirs.write().unwrap_or_else(PoisonError::into_inner);
            let closed = dirs.remove(&handle);
            if closed.is_some() {
                self.note(&Record::DirClosed(handle));
            }
            closed
        };
        if let Some((node, _)) = closed {
            self.closes(&node);
        }
    }

    fn seek(&self, handle: u64, offset: u64, whence: u32) -> Result<u64, Errno> {
        let place = match whence.cast_signed() {
            libc::SEEK_DATA => SeekFrom::Data(offset),
            libc::SEEK_HOLE => SeekFrom::Hole(offset),
            _ => return Err(Errno::INVAL),
        };
        rustix::fs::seek(&self.file(handle)?.fd, place)
    }

    /// Fills `place` with entries, as many as fit.
    fn read_dir(
        &self,
        node: &Node,
        dir: &Dir,
        offset: u64,
        place: &mut [u8],
        plus: bool,
    ) -> Result<usize, Errno> {
        let _names = self.names_read();
        let mut used = 0;
        dir.read(offset, |entry| {
            if Self::hidden(node, entry.name) {
                return true;
            }
            let head = if plus { abi::ENTRY } else { 0 };
            let size = head + (DIRENT + entry.name.len()).next_multiple_of(8);
            let Some(place) = place.get_mut(used..used + size) else { return false };
            let (before, after) = place.split_at_mut(head);
            if plus {
                before.copy_from_slice(&self.listed(node, entry).bytes());
            }
            put_dirent(after, entry);
            used += size;
            true
        })?;
        Ok(used)
    }

    /// The entry of a listing; without a node where there is none to be had, then the kernel looks it
    /// up itself.
    fn listed(&self, parent: &Node, entry: &DirEntry<'_>) -> Entry {
        if matches!(entry.name, b"." | b"..") {
            return Entry::default();
        }
        let found = self.tree.look_up(parent, entry.name, |dir| self.verdict(parent, entry.name, dir));
        found.map_or(Entry::default(), |(node, stat)| self.entry(&node, &stat))
    }
}

fn put_dirent(place: &mut [u8], entry: &DirEntry<'_>) {
    place.fill(0);
    let len = u32::try_from(entry.name.len()).unwrap_or(0);
    let mut at = 0;
    let kind = u32::from(entry.kind).to_ne_bytes();
    for field in
        [&entry.ino.to_ne_bytes()[..], &entry.next.to_ne_bytes(), &len.to_ne_bytes(), &kind, entry.name]
    {
        if let Some(room) = place.get_mut(at..at + field.len()) {
            room.copy_from_slice(field);
        }
        at += field.len();
    }
}

fn copy(bytes: &[u8], buffer: &mut [u8]) -> Result<usize, Errno> {
    buffer.get_mut(..bytes.len()).ok_or(Errno::RANGE)?.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Reads until `place` is full or the file ends.
fn read_all(fd: impl AsFd, place: &mut [u8], offset: u64) -> Result<usize, Errno> {
    let mut got = 0;
    while let Some(rest) = place.get_mut(got..).filter(|r| !r.is_empty()) {
        match rustix::io::pread(fd.as_fd(), rest, offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(Errno::INTR) => {}
            Err(e) if got == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(got)
}
