//! Changes of attributes.

use super::modify::{Answer, Done};
use super::{Change, Volume};
use crate::rfs::fuse::SetAttr;
use crate::rfs::journal::{Journal, Ticket};
use crate::rfs::ledger::{Intent, Outcome};
use crate::rfs::op::{Attrs, Op};
use crate::rfs::tree::{Node, attr, c_name, lock, xattr};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::XattrFlags;
use rustix::io::Errno;

impl<J: Journal> Volume<J> {
    pub(super) fn set_attr(&self, id: u64, set: &SetAttr, change: &Change) -> Result<Done, Errno> {
        let node = self.tree.get(id)?;
        let mut ticket = None;
        if let Some(size) = set.size {
            ticket = self.truncate(&node, size, set.kill, change)?;
            if let Some(file) = set.handle.and_then(|h| self.file(h).ok()) {
                file.set_dirty();
            }
        }
        let record = self.recorded(&node, change)?;
        let _bytes = lock(&node.bytes);
        let fd = self.tree.fd(&node)?;
        let mut attrs = Attrs::default();
        let done = set_one_by_one(&node, fd.as_fd(), set, &mut attrs);
        if record && attrs != Attrs::default() {
            ticket = Some(self.journal.record(Op::SetAttrs { id: node.id, attrs }));
        }
        // An error after part of it was done is told when that part is acknowledged.
        let answer = done.and_then(|()| attr::stat(fd.as_fd())).map(|s| Answer::Attr(s.attr));
        Ok(Done { answer, ticket })
    }

    /// Is this the name of an attribute that there is not? Without `acl` there are no POSIX ACLs.
    pub(super) fn refused(&self, name: &[u8]) -> bool {
        !self.acl && name.starts_with(xattr::ACL)
    }

    pub(super) fn set_xattr(
        &self,
        id: u64,
        name: &[u8],
        value: &[u8],
        (flags, kill): (u32, bool),
        change: &Change,
    ) -> Result<Done, Errno> {
        if self.refused(name) {
            return Err(Errno::OPNOTSUPP);
        }
        let node = self.tree.get(id)?;
        let c = c_name(name)?;
        let record = self.recorded(&node, change)?;
        let _bytes = lock(&node.bytes);
        let fd = self.tree.fd(&node)?;
        let begun = self.begin(change, || {
            let made = Intent::Xattr { node: id, name, present: false };
            let new =
                flags & XattrFlags::CREATE.bits() != 0 && matches!(xattr::exists(fd.as_fd(), &c), Ok(false));
            new.then_some(made)
        });
        xattr::set(fd.as_fd(), &c, value, flags)?;
        begun.end(Outcome::Empty);
        let op = Op::SetXattr { id: node.id, name: name.to_vec(), value: value.to_vec(), flags };
        let mut ticket = record.then(|| self.journal.record(op));
        if kill {
            ticket = self.drop_set_group(&node, fd.as_fd(), record)?.or(ticket);
        }
        Ok(Done::new(Answer::Empty, ticket))
    }

    /// An ACL was set by somebody who is not of the file's group.
    fn drop_set_group(&self, node: &Node, fd: BorrowedFd<'_>, record: bool) -> Result<Option<Ticket>, Errno> {
        let mode = attr::stat(fd)?.attr.mode;
        if mode & libc::S_ISGID == 0 {
            return Ok(None);
        }
        let mode = mode & 0o7777 & !libc::S_ISGID;
        attr::set_mode(fd, node.kind, mode)?;
        let attrs = Attrs { mode: Some(mode), ..Attrs::default() };
        Ok(record.then(|| self.journal.record(Op::SetAttrs { id: node.id, attrs })))
    }

    pub(super) fn remove_xattr(&self, id: u64, name: &[u8], change: &Change) -> Result<Done, Errno> {
        if self.refused(name) {
            return Err(Errno::OPNOTSUPP);
        }
        let node = self.tree.get(id)?;
        let c = c_name(name)?;
        let record = self.recorded(&node, change)?;
        let _bytes = lock(&node.bytes);
        let fd = self.tree.fd(&node)?;
        let begun = self.begin(change, || {
            let gone = Intent::Xattr { node: id, name, present: true };
            matches!(xattr::exists(fd.as_fd(), &c), Ok(true)).then_some(gone)
        });
        xattr::remove(fd.as_fd(), &c)?;
        begun.end(Outcome::Empty);
        let op = Op::RemoveXattr { id: node.id, name: name.to_vec() };
        Ok(Done::new(Answer::Empty, record.then(|| self.journal.record(op))))
    }
}

/// Sets what is asked but the size, and notes in `attrs` what was set.
fn set_one_by_one(node: &Node, fd: BorrowedFd<'_>, set: &SetAttr, attrs: &mut Attrs) -> Result<(), Errno> {
    let before = attr::stat(fd)?;
    if set.uid.is_some() || set.gid.is_some() {
        attr::set_owner(fd, set.uid, set.gid)?;
        (attrs.uid, attrs.gid) = (set.uid, set.gid);
        // The set-id bits go with it.
        let mode = attr::stat(fd)?.attr.mode;
        attrs.mode = (mode != before.attr.mode).then_some(mode & 0o7777);
    }
    if let Some(mode) = set.mode {
        attr::set_mode(fd, node.kind, mode)?;
        attrs.mode = Some(mode & 0o7777);
    }
    if set.atime.is_some() || set.mtime.is_some() {
        attr::set_times(fd, set.atime, set.mtime)?;
        let now = attr::stat(fd)?;
        attrs.atime = set.atime.map(|_| now.atime());
        attrs.mtime = set.mtime.map(|_| now.mtime());
    }
    Ok(())
}
