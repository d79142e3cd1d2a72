//! What is written down so that another process can go on with the mount (ADR 9), and how it does.

use super::modify::Answer;
use super::open::Open;
use super::{Change, Volume, VolumeError};
use crate::rfs::fuse::{Opened, abi};
use crate::rfs::journal::Journal;
use crate::rfs::ledger::{Intent, KeptIntent, Key, Ledger, LedgerError, Outcome, Record, plain};
use crate::rfs::op::{FileId, FileKey};
use crate::rfs::tree::dir::Dir;
use crate::rfs::tree::{Node, Written, attr::Stat, c_name, local, lock, xattr};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

/// Keeps descriptors where they outlive this process, under names of this mount.
pub trait Keeper: Send + Sync {
    /// Keeps a copy; false if it cannot.
    fn give(&self, name: &str, fd: BorrowedFd<'_>) -> bool;

    /// A copy of one that is kept, if it is.
    fn take(&self, name: &str) -> Option<OwnedFd>;

    /// Keeps it no longer.
    fn forget(&self, name: &str);
}

/// With what a mount outlives its process.
#[derive(Clone)]
pub struct Outlive {
    /// Where all is written down.
    pub ledger: Arc<Ledger>,
    /// Holds what cannot be written.
    pub keeper: Arc<dyn Keeper>,
}

/// The same in a volume, with what is not answered.
pub(super) struct Outliving {
    pub outlive: Outlive,
    ended: Mutex<HashMap<u64, (bool, Outcome)>>,
    /// Held by who is between an intent and its outcome, and alone by who writes all anew.
    whole: RwLock<()>,
    /// Held while a descriptor is given or forgotten: a last close that comes meanwhile waits until it is
    /// given, since what is forgotten before would be kept for ever.
    giving: Mutex<()>,
}

/// A request between its intent and its outcome. Dropped before, it failed.
pub(super) struct Begun<'a> {
    of: Option<(&'a Outliving, u64, bool, RwLockReadGuard<'a, ()>)>,
}

impl Begun<'_> {
    /// It is done; what its caller is to be told.
    pub fn end(mut self, outcome: Outcome) {
        let Some((of, unique, recorded, _whole)) = self.of.take() else { return };
        let mut ended = lock(&of.ended);
        ended.insert(unique, (recorded, outcome));
        of.outlive.ledger.note(&Record::Ended(unique, recorded, outcome));
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some((of, unique, ..)) = &self.of {
            of.outlive.ledger.note(&Record::Answered(*unique));
        }
    }
}

impl Outliving {
    pub fn new(outlive: Outlive) -> Outliving {
        Outliving { outlive, ended: Mutex::default(), whole: RwLock::new(()), giving: Mutex::default() }
    }
}

/// Name under which the descriptor of a node is kept. None is the beginning of another.
fn name_of(node: &Node) -> String {
    format!("node{}.", node.id.0)
}

/// The identity of a file as it is written down.
pub(super) fn key(stat: &Stat) -> Key {
    (stat.dev, stat.key.ino, stat.key.birth)
}

impl<J: Journal> Volume<J> {
    pub(super) fn note(&self, record: &Record<'_>) {
        if let Some(o) = &self.outliving {
            o.outlive.ledger.note(record);
        }
    }

    /// A request is about to be carried out; `seen` says how one would see that it was.
    pub(super) fn begin<'a>(
        &'a self,
        change: &Change,
        seen: impl FnOnce() -> Option<Intent<'a>>,
    ) -> Begun<'a> {
        let Some(o) = &self.outliving else { return Begun { of: None } };
        let Some(intent) = seen() else { return Begun { of: None } };
        let whole = o.whole.read().unwrap_or_else(PoisonError::into_inner);
        let unique = plain(change.unique);
        o.outlive.ledger.note(&Record::Begun(unique, change.record, intent));
        Begun { of: Some((o, unique, change.record, whole)) }
    }

    /// A request that is sent again was carried out already: true, as one that is replicated.
    pub(super) fn was_done(&self, unique: u64) -> Option<bool> {
        let ended = lock(&self.outliving.as_ref()?.ended);
        ended.get(&plain(unique)).map(|(recorded, _)| *recorded)
    }

    /// What its caller is to be told.
    pub(super) fn finished(&self, unique: u64) -> Option<Result<Answer, Errno>> {
        let (_, outcome) = *lock(&self.outliving.as_ref()?.ended).get(&plain(unique))?;
        let entry = |id: u64| {
            let node = self.tree.get(id)?;
            Ok(self.entry(&node, &self.tree.stat(&node)?))
        };
        Some(match outcome {
            Outcome::Empty => Ok(Answer::Empty),
            Outcome::Entry(id) => entry(id).map(Answer::Entry),
            Outcome::Created(id, handle) => {
                let keep = if self.primary.load(Ordering::Relaxed) { abi::FOPEN_KEEP_CACHE } else { 0 };
                entry(id).map(|entry| Answer::Created(entry, Opened { handle, flags: keep }))
            }
        })
    }

    /// The caller has its answer.
    pub(super) fn answered(&self, unique: u64) {
        let Some(o) = &self.outliving else { return };
        let mut ended = lock(&o.ended);
        if ended.remove(&plain(unique)).is_some() {
            o.outlive.ledger.note(&Record::Answered(plain(unique)));
        }
    }

    /// A file or directory is open once more. What has no name is kept for a later process.
    pub(super) fn opens(&self, node: &Node) {
        node.opens.fetch_add(1, Ordering::SeqCst);
        if node.is_pinned() && node.id != FileId::ROOT && self.tree.links(node.id).is_empty() {
            self.keep_open(node);
        }
    }

    /// It loses its last name, or has none: while it is open it is kept for a later process.
    pub(super) fn keep_open(&self, node: &Node) {
        let Some(o) = &self.outliving else { return };
        if node.opens.load(Ordering::SeqCst) == 0 {
            return;
        }
        let _giving = lock(&o.giving);
        if node.given.swap(true, Ordering::SeqCst) {
            return;
        }
        // Looked at again: of this and the last close, one sees what the other has set.
        let given = node.opens.load(Ordering::SeqCst) > 0
            && self.tree.fd(node).is_ok_and(|fd| o.outlive.keeper.give(&name_of(node), fd.as_fd()));
        if given {
            o.outlive.ledger.note(&Record::Pinned(node.id.0));
        } else {
            node.given.store(false, Ordering::SeqCst);
        }
    }

    /// It is closed once more.
    pub(super) fn closes(&self, node: &Node) {
        let last = node.opens.fetch_sub(1, Ordering::SeqCst) == 1;
        let Some(o) = self.outliving.as_ref().filter(|_| last && node.given.load(Ordering::SeqCst)) else {
            return;
        };
        let _giving = lock(&o.giving);
        if node.opens.load(Ordering::SeqCst) == 0 && node.given.swap(false, Ordering::SeqCst) {
            o.outlive.keeper.forget(&name_of(node));
        }
    }

    /// Gives all again that the keeper has to hold of files without names.
    pub fn give_nodes(&self) {
        let Some(o) = &self.outliving else { return };
        for node in self.tree.given() {
            if let Ok(fd) = self.tree.fd(&node) {
                o.outlive.keeper.give(&name_of(&node), fd.as_fd());
            }
        }
    }

    /// Writes all anew if much more is written down than needed.
    pub(super) fn shorten(&self) {
        if let Some(o) = &self.outliving
            && o.outlive.ledger.is_long()
        {
            self.write_anew(o);
        }
    }

    fn write_anew(&self, o: &Outliving) {
        let _whole = o.whole.write().unwrap_or_else(PoisonError::into_inner);
        let files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        let dirs = self.dirs.write().unwrap_or_else(PoisonError::into_inner);
        let ended = lock(&o.ended);
        o.outlive.ledger.rewrite(|write| {
            self.tree.write(write);
            write(&Record::Next { node: 0, handle: self.next_handle.load(Ordering::Relaxed) });
            for (handle, file) in files.iter() {
                write(&Record::File { handle: *handle, node: file.node.id.0, flags: file.flags });
            }
            for (handle, (node, _)) in dirs.iter() {
                write(&Record::Dir { handle: *handle, node: node.id.0 });
            }
            for (unique, (recorded, outcome)) in ended.iter() {
                write(&Record::Ended(*unique, *recorded, *outcome));
            }
        });
    }

    /// Opens what was open, and finds out what was done, before anybody is answered.
    pub(super) fn go_on_with(&self, written: Written) -> Result<(), VolumeError> {
        let Some(o) = &self.outliving else { return Ok(()) };
        self.next_handle.store(written.next_handle, Ordering::Relaxed);
        for node in self.tree.given() {
            self.tree.give_back(&node, o.outlive.keeper.take(&name_of(&node)));
        }
        let mut lost = 0;
        for (handle, (id, flags)) in written.files {
            let opened = self.tree.get(id).and_then(|node| {
                let fd = self.tree.open_node(&node, local::backing_flags(flags))?;
                node.opens.fetch_add(1, Ordering::SeqCst);
                Ok(Arc::new(Open::written(node, fd, flags)))
            });
            match opened {
                Ok(open) => {
                    drop(self.files.write().unwrap_or_else(PoisonError::into_inner).insert(handle, open));
                }
                Err(_) => lost += 1,
            }
        }
        for (handle, id) in written.dirs {
            let opened = self.tree.get(id).and_then(|node| {
                let dir = self.tree.open_node(&node, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
                node.opens.fetch_add(1, Ordering::SeqCst);
                Ok((node, Arc::new(Dir::new(dir))))
            });
            match opened {
                Ok(open) => {
                    drop(self.dirs.write().unwrap_or_else(PoisonError::into_inner).insert(handle, open));
                }
                Err(_) => lost += 1,
            }
        }
        if lost > 0 {
            tracing::error!("{lost} open files cannot be opened again: who has them open gets errors");
        }
        *lock(&o.ended) = written.ended.into_iter().collect();
        for (unique, (recorded, intent)) in written.begun {
            self.find_out(o, unique, recorded, &intent)?;
        }
        self.write_anew(o);
        Ok(())
    }

    /// A request was begun; if it was carried out as well, what its caller is to be told.
    fn find_out(
        &self,
        o: &Outliving,
        unique: u64,
        recorded: bool,
        intent: &KeptIntent,
    ) -> Result<(), VolumeError> {
        let damaged = || VolumeError::Ledger(LedgerError::Damaged);
        let outcome = self.seen(recorded, intent.intent().ok_or_else(damaged)?);
        match outcome {
            Ok(Some(outcome)) => drop(lock(&o.ended).insert(unique, (recorded, outcome))),
            Ok(None) => {}
            Err(errno) => return Err(VolumeError::Unfinished(errno)),
        }
        Ok(())
    }

    fn seen(&self, recorded: bool, intent: Intent<'_>) -> Result<Option<Outcome>, Errno> {
        match intent {
            Intent::Made { parent, name } => {
                Ok(self.seen_made(recorded, parent, name)?.map(|node| Outcome::Entry(node.id.0)))
            }
            Intent::Created { parent, flags, name } => {
                let Some(node) = self.seen_made(recorded, parent, name)? else { return Ok(None) };
                let fd = self.tree.open_node(&node, local::backing_flags(flags))?;
                let opened = self.opened(&node, fd, flags);
                Ok(Some(Outcome::Created(node.id.0, opened.handle)))
            }
            Intent::Unlinked { parent, name, key: gone } => {
                if self.entry_key(parent, name)? == Some(gone) {
                    return Ok(None);
                }
                self.follow(gone, |node| self.tree.unlink(node, FileId(parent), name));
                Ok(Some(Outcome::Empty))
            }
            Intent::Renamed { from, to, key: moved, over, exchange } => {
                if self.entry_key(to.0, to.1)? != Some(moved) {
                    return Ok(None);
                }
                let id = FileId;
                if let Some(over) = over {
                    self.follow(over, |node| {
                        self.tree.unlink(node, id(to.0), to.1);
                        if exchange {
                            self.tree.link(node, id(from.0), from.1);
                        }
                    });
                }
                self.follow(moved, |node| {
                    self.tree.link(node, id(to.0), to.1);
                    self.tree.unlink(node, id(from.0), from.1);
                });
                Ok(Some(Outcome::Empty))
            }
            Intent::Xattr { node, name, present } => {
                let fd = self.tree.fd(&*self.tree.get(node)?)?;
                let there = xattr::exists(fd.as_fd(), &c_name(name)?)?;
                Ok((there != present).then_some(Outcome::Empty))
            }
        }
    }

    /// The node of an entry that was not there before, if it was made.
    fn seen_made(&self, recorded: bool, parent: u64, name: &[u8]) -> Result<Option<Arc<Node>>, Errno> {
        let parent = self.tree.get(parent)?;
        match self.tree.look_up(&parent, name, |_| recorded) {
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
            Ok((node, stat)) => {
                // It may not have been marked yet.
                if recorded {
                    self.journal
                        .named(stat.key, true)
                        .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
                }
                Ok(Some(node))
            }
        }
    }

    fn entry_key(&self, parent: u64, name: &[u8]) -> Result<Option<Key>, Errno> {
        match self.tree.stat_entry(&*self.tree.get(parent)?, &c_name(name)?) {
            Ok(stat) => Ok(Some(key(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn follow(&self, (dev, ino, birth): Key, then: impl FnOnce(&Node)) {
        if let Some(node) = self.tree.find_key(dev, FileKey { ino, birth }) {
            then(&node);
        }
    }
}
