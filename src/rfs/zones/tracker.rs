//! What changes on the primary while a secondary reintegrates.

use super::set::{Files, ZoneSet, zones_of};
use crate::rfs::op::{FileId, FileKey, Op};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that a change is rounded to; finer than a zone, since the same places change again and
/// again while a secondary catches up.
pub const GRAIN: u64 = 64 << 10;

/// Directories, files and ranges that are kept; with more, everything has to be examined.
const MOST: usize = 1 << 18;

/// What changed since the last time that it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Directories whose entries changed.
    pub dirs: BTreeSet<FileId>,
    /// Files or directories whose bytes or attributes changed.
    pub files: BTreeSet<FileId>,
    /// Bytes that changed, in units of [`GRAIN`].
    pub bytes: BTreeMap<FileKey, ZoneSet>,
    /// Too much to be kept: anything may have changed.
    pub overflow: bool,
}

#[derive(Debug, Default)]
struct Inner {
    dirs: BTreeSet<FileId>,
    files: BTreeSet<FileId>,
    bytes: Files,
    overflow: bool,
}

/// Collects what changes. Off until the first [`take`](Tracker::take).
#[derive(Debug, Default)]
pub struct Tracker {
    on: AtomicBool,
    inner: Mutex<Inner>,
}

impl Tracker {
    /// One that is off.
    pub fn new() -> Tracker {
        Tracker::default()
    }

    /// Whether it collects.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// Stops collecting and forgets everything.
    pub fn stop(&self) {
        self.on.store(false, Ordering::Release);
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A set that misses nothing it was given is as good after a panic as before.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over what was collected and goes on with nothing, in one step. To be called while no
    /// modification is under way: one that was noted before but whose bytes are written after would
    /// be missed.
    pub fn take(&self) -> Changes {
        let mut inner = self.lock();
        self.on.store(true, Ordering::Release);
        let Inner { dirs, files, bytes, overflow } = std::mem::take(&mut *inner);
        Changes { dirs, files, bytes: bytes.files, overflow }
    }

    /// Bytes of a file are about to change.
    pub fn touch(&self, file: FileKey, range: Range<u64>) {
        if self.is_on() && !range.is_empty() {
            let mut inner = self.lock();
            inner.bytes.insert(file, zones_of(&range, GRAIN));
            inner.bound();
        }
    }

    /// An operation is under way.
    pub fn note(&self, op: &Op) {
        if !self.is_on() {
            return;
        }
        let mut inner = self.lock();
        match op {
            Op::Create { parent, .. } | Op::Symlink { parent, .. } | Op::Unlink { parent, .. } => {
                inner.dirs.insert(*parent);
            }
            Op::Link { id, parent, .. } => {
                inner.dirs.insert(*parent);
                inner.files.insert(*id);
            }
            Op::Rename { parent, to_parent, .. } => {
                inner.dirs.extend([*parent, *to_parent]);
            }
            Op::Write { id, .. }
            | Op::Truncate { id, .. }
            | Op::Allocate { id, .. }
            | Op::SetAttrs { id, .. }
            | Op::SetXattr { id, .. }
            | Op::RemoveXattr { id, .. } => {
                inner.files.insert(*id);
            }
            // A file without a name is not reintegrated; once it gets one, that is a link.
            Op::Bind { .. } | Op::Tmpfile { .. } | Op::Fsync { .. } | Op::Forget(_) => {}
        }
        inner.bound();
    }
}

impl Inner {
    fn bound(&mut self) {
        if self.overflow || self.dirs.len() + self.files.len() + self.bytes.ranges > MOST {
            *self = Inner { overflow: true, ..Inner::default() };
        }
    }
}
