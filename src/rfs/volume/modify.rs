//! The way of each modification: admitted, done, recorded, acknowledged, answered.

use super::{Change, Volume};
use crate::rfs::fuse::{Attr, Entry, Opened, Operation, Reply, Request};
use crate::rfs::journal::{Admission, Journal, Ticket};
use crate::rfs::ledger::is_resent;
use crate::rfs::tree::local::Caller;
use crate::rfs::tree::{Node, c_name};
use rustix::io::Errno;
use std::ffi::CString;

/// What the caller is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Empty,
    Entry(Entry),
    Created(Entry, Opened),
    Attr(Attr),
    Size(u32),
    Opened(Opened),
}

/// A modification that was made, or failed after part of it was recorded.
#[derive(Debug)]
pub(super) struct Done {
    pub answer: Result<Answer, Errno>,
    /// Until this is acknowledged the caller waits.
    pub ticket: Option<Ticket>,
}

impl Done {
    pub fn new(answer: Answer, ticket: Option<Ticket>) -> Done {
        Done { answer: Ok(answer), ticket }
    }
}

/// What is to be asked of the journal before a request is worked on.
enum Need {
    /// Nothing.
    Nothing,
    /// A permit.
    Permit,
    /// A permit, or, where this node is not primary, only the local part.
    PermitOrLocal,
    /// Only that this node is not a secondary.
    Writable,
}

fn need(replicated: bool, otherwise: Need) -> Need {
    if replicated { otherwise } else { Need::Nothing }
}

impl<J: Journal> Volume<J> {
    /// Does a modification, or keeps it for later.
    pub(super) fn modify(&self, request: &Request<'_>, reply: Reply) {
        let done = if is_resent(request.unique) { self.was_done(request.unique) } else { None };
        let needed = match done {
            // Its answer has to wait as that of any other.
            Some(recorded) => Ok(need(recorded, Need::Permit)),
            None => self.need(request),
        };
        let need = match needed {
            Ok(need) => need,
            Err(e) => {
                reply.error(e);
                return;
            }
        };
        let unique = request.unique;
        let local = Change { record: false, peer: 0, unique };
        let (permit, change) = match (&need, self.admission(&need)) {
            (_, None) | (Need::PermitOrLocal, Some(Admission::ReadOnly)) => (None, local),
            (_, Some(Admission::ReadOnly)) => {
                reply.error(Errno::ROFS);
                return;
            }
            (Need::Writable, Some(_)) => (None, local),
            (_, Some(Admission::Later(number))) => return self.hold(number, request, reply),
            (_, Some(Admission::Now(permit))) => {
                (Some(permit), Change { record: true, peer: self.journal.peer(), unique })
            }
        };
        let finished = done.and_then(|_| self.finished(unique));
        let done = match finished {
            Some(answer) => Done { answer, ticket: None },
            None => self.perform(request, &change).unwrap_or_else(|e| Done { answer: Err(e), ticket: None }),
        };
        if permit.is_some() {
            self.record_forgotten(&change);
        }
        drop(permit);
        self.finish(done, reply);
    }

    fn admission(&self, need: &Need) -> Option<Admission<J::Permit>> {
        match need {
            Need::Nothing => None,
            _ => Some(self.journal.admit()),
        }
    }

    fn need(&self, request: &Request<'_>) -> Result<Need, Errno> {
        use Operation as O;
        let node = |id: u64| self.tree.get(id);
        let of = |id: u64| node(id).map(|n| need(n.replicated, Need::Permit));
        Ok(match request.operation {
            O::Symlink { name, .. } | O::Mknod { name, .. } | O::Create { name, .. } => {
                need(self.verdict(&*node(request.node)?, name, false), Need::Permit)
            }
            O::Mkdir { name, .. } => need(self.verdict(&*node(request.node)?, name, true), Need::Permit),
            O::Unlink { name, dir } => need(self.verdict(&*node(request.node)?, name, dir), Need::Permit),
            O::Rename { name, .. } => {
                let parent = node(request.node)?;
                let stat = self.tree.stat_entry(&parent, &self.name(&parent, name)?)?;
                need(self.verdict(&parent, name, stat.is_dir()), Need::Permit)
            }
            O::Link { id, .. } => of(id)?,
            O::Write { handle, .. } | O::Fallocate { handle, .. } => {
                need(self.file(handle)?.node.replicated, Need::Permit)
            }
            O::Open { flags, .. } if flags & libc::O_TRUNC.cast_unsigned() != 0 => of(request.node)?,
            O::Open { flags, .. } if super::open::writes(flags) => {
                need(node(request.node)?.replicated, Need::Writable)
            }
            O::Open { .. } => Need::Nothing,
            O::Release { handle } => {
                let file = self.file(handle)?;
                need(file.node.replicated && file.is_dirty(), Need::PermitOrLocal)
            }
            O::Fsync { .. } => need(node(request.node)?.replicated, Need::PermitOrLocal),
            _ => of(request.node)?,
        })
    }

    fn perform(&self, request: &Request<'_>, change: &Change) -> Result<Done, Errno> {
        use Operation as O;
        let by = |umask: u32| Caller { uid: request.uid, gid: request.gid, umask };
        let id = request.node;
        match request.operation {
            O::SetAttr(set) => self.set_attr(id, &set, change),
            O::Symlink { name, target } => self.symlink(id, name, target, by(0), change),
            O::Mknod { name, mode, rdev, umask } => self.mknod(id, name, (mode, rdev), by(umask), change),
            O::Mkdir { name, mode, umask } => self.mkdir(id, name, mode, by(umask), change),
            O::Unlink { name, dir } => self.unlink(id, name, dir, change),
            O::Rename { name, to_parent, to_name, flags } => {
                self.rename((id, name), (to_parent, to_name), flags, by(0), change)
            }
            O::Link { id: file, name } => self.link(file, id, name, change),
            O::Open { flags, kill } => self.open(id, flags, kill, change),
            O::Create { name, flags, mode, umask, kill } => {
                self.create(id, name, (flags, mode, kill), by(umask), change)
            }
            O::Tmpfile { flags, mode, umask } => self.tmpfile(id, flags, mode, by(umask), change),
            O::Write { handle, offset, data, kill } => self.write(handle, offset, data, kill, change),
            O::Release { handle } => self.release(handle, change),
            O::Fsync { handle, data_only, dir } => self.fsync(id, handle, data_only, dir, change),
            O::SetXattr { name, value, flags, kill } => {
                self.set_xattr(id, name, value, (flags, kill), change)
            }
            O::RemoveXattr { name } => self.remove_xattr(id, name, change),
            O::Fallocate { handle, offset, length, mode } => {
                self.allocate(handle, offset, length, mode, change)
            }
            _ => Err(Errno::NOSYS),
        }
    }

    /// Answers when what was recorded is acknowledged.
    fn finish(&self, done: Done, reply: Reply) {
        let Done { answer, ticket } = done;
        if let Err(e @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS | Errno::UCLEAN)) = answer {
            self.journal.refused(e);
        }
        let Some(ticket) = ticket else { return self.answer(answer, reply) };
        let me = self.me.clone();
        let then = move || {
            if let Some(volume) = me.upgrade() {
                volume.answer(answer, reply);
            }
        };
        self.journal.when_acknowledged(ticket, Box::new(then));
    }

    fn answer(&self, answer: Result<Answer, Errno>, reply: Reply) {
        let unique = reply.unique();
        match answer {
            Err(e) => {
                reply.error(e);
            }
            Ok(Answer::Empty) => {
                reply.empty();
            }
            Ok(Answer::Attr(attr)) => {
                reply.attr(self.ttl(), &attr);
            }
            Ok(Answer::Size(size)) => {
                reply.size(size);
            }
            // An entry that the kernel did not take is no lookup; a handle is no open file.
            Ok(Answer::Entry(entry)) => {
                if !reply.entry(&entry) {
                    self.forget_node(entry.node, 1);
                }
            }
            Ok(Answer::Opened(opened)) => {
                if !reply.opened(opened) {
                    self.close(opened.handle);
                }
            }
            Ok(Answer::Created(entry, opened)) => {
                if !reply.created(&entry, opened) {
                    self.close(opened.handle);
                    self.forget_node(entry.node, 1);
                }
            }
        }
        self.answered(unique);
    }

    /// The name of an entry that there may be.
    pub(super) fn name(&self, parent: &Node, name: &[u8]) -> Result<CString, Errno> {
        if Self::hidden(parent, name) {
            return Err(Errno::NOENT);
        }
        c_name(name)
    }

    /// The name of an entry that is to be made.
    pub(super) fn new_name(&self, parent: &Node, name: &[u8]) -> Result<CString, Errno> {
        if Self::hidden(parent, name) {
            return Err(Errno::PERM);
        }
        c_name(name)
    }
}
