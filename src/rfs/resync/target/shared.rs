//! What the walk and the workers of one run share.

use super::super::beneath::{OWN, TreePath, list, open_at, open_dir, stat_at};
use super::super::meta::{Entry, Meta};
use super::{Options, Plan, Progress, ResyncError};
use crate::lock::lock;
use crate::rfs::op::FileKey;
use crate::rfs::rescue::What;
use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// Copied files that an interrupted full run remembers.
const DONE_MOST: usize = 1 << 21;

/// What to do with the bytes of a file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing.
    Keep,
    /// Fetch these ranges.
    Zones(Vec<(u64, u64)>),
    /// Compare, and fetch what differs.
    Hash,
    /// Fetch everything.
    Copy,
}

/// One file for a worker.
#[derive(Debug)]
pub(super) struct Job {
    pub path: TreePath,
    pub entry: Entry,
    pub work: Work,
}

/// What a round left to the next one.
#[derive(Debug, Default)]
pub(super) struct Retries {
    /// Entries.
    pub paths: BTreeSet<TreePath>,
    /// Files of the primary of which any other name has to be looked at too: this one may be lost.
    pub files: BTreeSet<FileKey>,
}

pub(super) struct Shared<'a> {
    pub root: BorrowedFd<'a>,
    pub options: &'a Options,
    pub progress: &'a Progress,
    pub plan: Plan,
    /// Our own directory in the root.
    pub own: OwnedFd,
    /// What was met half-way.
    retry: Mutex<Retries>,
    failure: Mutex<Option<ResyncError>>,
    done: Mutex<(HashSet<[u8; 16]>, Option<File>)>,
}

fn digest(path: &TreePath, entry: &Entry) -> [u8; 16] {
    let mut hash = blake3::Hasher::new();
    let m = &entry.meta;
    let stamp = format!("{path:?}\0{} {} {:?} {}", m.ino, m.birth, m.mtime, m.size);
    hash.update(stamp.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    half
}

impl<'a> Shared<'a> {
    pub fn new(
        root: &'a OwnedFd,
        options: &'a Options,
        progress: &'a Progress,
        plan: Plan,
    ) -> Result<Shared<'a>, ResyncError> {
        let local = |source| ResyncError::Local { path: String::from_utf8_lossy(OWN).into_owned(), source };
        match rustix::fs::mkdirat(root, OWN, Mode::RWXU) {
            Err(rustix::io::Errno::EXIST) | Ok(()) => {}
            Err(e) => return Err(local(e.into())),
        }
        let own = open_at(root, OWN, OFlags::RDONLY | OFlags::DIRECTORY).map_err(local)?;
        let done = match plan {
            Plan::Full if options.resume => journal(&own).map_err(local)?,
            _ => (HashSet::new(), None),
        };
        Ok(Shared {
            root: root.as_fd(),
            options,
            progress,
            plan,
            own,
            retry: Mutex::default(),
            failure: Mutex::default(),
            done: Mutex::new(done),
        })
    }

    pub fn local(&self, path: &TreePath, source: io::Error) -> ResyncError {
        ResyncError::Local { path: path.shown(), source }
    }

    /// Whether what differs is kept.
    pub fn keeps(&self) -> bool {
        self.options.keep.is_some()
    }

    /// Keeps what is at a path, if that is wanted.
    pub fn keep(&self, dir: &OwnedFd, path: &TreePath, what: What) -> Result<(), ResyncError> {
        let Some(keep) = &self.options.keep else { return Ok(()) };
        keep(dir, path, what).map_err(|why| ResyncError::Rescue { path: path.shown(), why })
    }

    /// The same for all that is replicated at and below a path.
    pub fn keep_tree(&self, path: &TreePath, what: What) -> Result<(), ResyncError> {
        let mut todo = if self.keeps() { vec![path.clone()] } else { Vec::new() };
        while let Some(path) = todo.pop() {
            let local = |e| self.local(&path, e);
            let Some((parent, name)) = path.split() else { continue };
            let dir = open_dir(self.root, &parent).map_err(local)?;
            self.keep(&dir, &path, what)?;
            if Meta::of(&stat_at(&dir, name).map_err(local)?).is_dir() {
                let inner = open_at(&dir, name, OFlags::RDONLY | OFlags::DIRECTORY).map_err(local)?;
                let below = list(&inner, false).map_err(local)?.into_iter().map(|n| path.join(n.as_bytes()));
                todo.extend(below.filter(|p| self.replicated(p)));
            }
        }
        Ok(())
    }

    /// The first failure is the one that is told.
    pub fn fail(&self, error: ResyncError) {
        lock(&self.failure).get_or_insert(error);
    }

    pub fn is_over(&self) -> bool {
        self.progress.is_cancelled() || lock(&self.failure).is_some()
    }

    pub fn check(&self) -> Result<(), ResyncError> {
        if self.progress.is_cancelled() {
            return Err(ResyncError::Cancelled);
        }
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    /// The next round has to look at this again.
    pub fn retry(&self, path: &TreePath, there: Option<&Meta>) {
        let mut retry = lock(&self.retry);
        retry.paths.insert(path.clone());
        retry.files.extend(there.filter(|m| !m.is_dir() && m.nlink > 1).map(Meta::key));
    }

    pub fn take_retries(&self) -> Retries {
        std::mem::take(&mut *lock(&self.retry))
    }

    pub fn is_settled(&self) -> bool {
        lock(&self.retry).paths.is_empty()
    }

    pub fn replicated(&self, path: &TreePath) -> bool {
        match (&self.options.replicated, path.names()) {
            (Some(replicated), Some(names)) => replicated(&names),
            _ => true,
        }
    }

    /// A file was copied whole.
    pub fn copied(&self, job: &Job) {
        let mut done = lock(&self.done);
        if done.0.len() < DONE_MOST
            && let Some(file) = &mut done.1
            // A list that is too short only means that more is copied again.
            && let Err(e) = file.write_all(&digest(&job.path, &job.entry))
        {
            tracing::warn!("the list of copied files cannot be written: {e}");
            done.1 = None;
        }
    }

    /// Whether an earlier run copied it.
    pub fn was_copied(&self, path: &TreePath, entry: &Entry) -> bool {
        lock(&self.done).0.contains(&digest(path, entry))
    }

    /// A file was seen to.
    pub fn file_done(&self, size: u64) {
        self.progress.files_done.fetch_add(1, Ordering::Relaxed);
        self.progress.left.fetch_sub(size, Ordering::Relaxed);
        self.progress.moved();
    }

    /// Forgets what was copied: the run succeeded.
    pub fn finish(&self) {
        match rustix::fs::unlinkat(&self.own, "done", rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => tracing::warn!("the list of copied files cannot be removed: {e}"),
        }
    }
}

/// The list of what an interrupted full run copied.
fn journal(own: &OwnedFd) -> io::Result<(HashSet<[u8; 16]>, Option<File>)> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(rustix::fs::openat(own, "done", flags, Mode::RUSR | Mode::WUSR)?);
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(16 * DONE_MOST as u64).read_to_end(&mut bytes)?;
    file.set_len((bytes.len() / 16 * 16) as u64)?;
    Ok((bytes.chunks_exact(16).filter_map(|c| c.try_into().ok()).collect(), Some(file)))
}
