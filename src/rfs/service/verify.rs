//! Comparisons that change nothing: of a secondary with its primary (RFS-61), of a primary with what a
//! secondary has (RFS-62). Each has its own thread, and is cancelled by any order that changes what the
//! node does.

use super::channel::Channel;
use super::directory::Directory;
use super::primary::{QUIET, keep};
use super::{Inner, Post, Service, rate};
use crate::control::{DifferentFile, RfsReport};
use crate::fsm::mirror::Stream;
use crate::fsm::sync::Offer;
use crate::lock::lock;
use crate::rfs::control::{Fault, Said};
use crate::rfs::op::{FileId, FileKey, Name};
use crate::rfs::resync::{self, Diff, Difference, Meta, Primary, Progress, ResyncError, Target, Verdict};
use crate::rfs::wire::Purpose;
use crate::rfs::zones::Changes;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Files in one report...
const BATCH: usize = 200;
/// ... and in all: with more, something is wrong with more than some files.
const MOST: usize = 10_000;
/// Comparisons at a time.
const AT_ONCE: usize = 4;
/// Between two looks whether all that was received is applied.
const LOOK: Duration = Duration::from_millis(10);

/// A comparison under way.
pub(super) struct Examination {
    /// Number of its order.
    pub id: u64,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// Compares this secondary with its primary, and answers the order `id`.
pub(super) fn verify(service: &Arc<Service>, id: u64) {
    begin(service, id, move |service, progress| service.verified(id, progress));
}

/// Adds up what a secondary would have to copy, and answers the order `id`.
pub(super) fn diff(service: &Arc<Service>, id: u64) {
    begin(service, id, move |service, progress| service.differing(id, progress));
}

fn begin(
    service: &Arc<Service>,
    id: u64,
    work: impl FnOnce(&Arc<Service>, &Arc<Progress>) -> Result<(), String> + Send + 'static,
) {
    // The same order once more: safeadmin was restarted, or lost its connection.
    cancel(service, id);
    let progress = Arc::new(Progress::default());
    let examination = Examination { id, progress: progress.clone() };
    {
        let mut all = lock(&service.examinations);
        if all.len() >= AT_ONCE {
            return service.done(id, Err(Fault::Again("too many comparisons at a time".to_owned())));
        }
        all.push(examination);
    }
    let own = service.clone();
    let thread = thread::Builder::new().name("examine".to_owned()).spawn(move || {
        let result = work(&own, &progress);
        lock(&own.examinations).retain(|e| !Arc::ptr_eq(&e.progress, &progress));
        own.done(id, result.map_err(Fault::Again));
    });
    if let Err(error) = thread {
        cancel(service, id);
        service.done(id, Err(Fault::Again(format!("no thread to compare: {error}"))));
    }
}

/// Ends the comparison of this order.
pub(super) fn cancel(service: &Service, id: u64) {
    let mut all = lock(&service.examinations);
    all.iter().filter(|e| e.id == id).for_each(|e| e.progress.cancel());
    all.retain(|e| e.id != id);
}

/// Ends all: what this node does changes.
pub(super) fn end(service: &Service) {
    lock(&service.examinations).drain(..).for_each(|e| e.progress.cancel());
}

impl Service {
    fn found(&self, id: u64, report: RfsReport) {
        self.voice.say(&Said::Found { id, report });
    }

    /// Session of a secondary in step.
    fn followed(&self) -> Result<u64, String> {
        let inner = lock(&self.inner);
        match (inner.post, inner.stream) {
            (Post::Following(_), Stream::InStep(session)) => Ok(session),
            _ => Err("this node is no secondary in step with its primary".to_owned()),
        }
    }

    fn verified(self: &Arc<Self>, id: u64, progress: &Arc<Progress>) -> Result<(), String> {
        let session = self.followed()?;
        let (mut different, mut told) = (0, 0);
        for dir in &self.dirs {
            let found = self.compared(dir, session, progress).map_err(|e| match e {
                ResyncError::Cancelled => {
                    "the state of this node has changed: it was not compared".to_owned()
                }
                e => format!("{} cannot be compared: {e}", dir.name()),
            })?;
            different += found.len() as u64;
            let rest = MOST.saturating_sub(told);
            told += found.len();
            let files: Vec<DifferentFile> =
                found.iter().take(rest).map(|(path, what)| named(dir, path, *what)).collect();
            for batch in files.chunks(BATCH) {
                self.found(id, RfsReport::Different(batch.to_vec()));
            }
        }
        // What was compared with a primary that this node does not follow any more says nothing.
        if self.followed()? != session {
            return Err("the state of this node has changed: it was not compared".to_owned());
        }
        let examined = progress.files_done.load(Ordering::Relaxed);
        self.found(id, RfsReport::Verified { examined, different });
        Ok(())
    }

    fn compared(
        self: &Arc<Self>,
        dir: &Arc<Directory>,
        session: u64,
        progress: &Arc<Progress>,
    ) -> Result<Vec<(resync::TreePath, Difference)>, ResyncError> {
        let root = dir.root().map_err(|e| ResyncError::Connection(io::Error::other(e)))?;
        let target = Target::new(root, self.resync_options(dir), progress.clone());
        let (service, index) = (self.clone(), dir.index);
        let open = move || -> io::Result<Box<dyn resync::Channel + Send>> {
            let hello = service.hello(Purpose::Verify, index, session, 0);
            let (reader, writer, _) = service.connect(&hello).map_err(|e| io::Error::other(e.0))?;
            Ok(Box::new(Channel::new(reader, writer, Some(service.setup.reitimeout), None)?))
        };
        let applied = |most: Duration| {
            let end = Instant::now() + most;
            loop {
                let at = lock(&dir.receiver).as_ref().map(|r| r.position());
                match at {
                    Some(at) if at.applied >= at.received => return true,
                    Some(_) if Instant::now() < end => thread::sleep(LOOK),
                    _ => return false,
                }
            }
        };
        target.verify(open, &applied)
    }

    fn differing(self: &Arc<Self>, id: u64, progress: &Arc<Progress>) -> Result<(), String> {
        let Post::Writable { full, .. } = lock(&self.inner).post else {
            return Err("the directories are not open for modification".to_owned());
        };
        let all = full || self.offer() == Offer::Full;
        let mut sum = Diff::default();
        for dir in &self.dirs {
            let zones = dir.zones_from().is_some();
            let verdict = |file: FileKey, _: &Meta| match zones {
                _ if all => Verdict::CopyAll,
                true if !dir.is_new(file) => Verdict::of(&dir.marks.zones, file),
                _ => Verdict::HashAll,
            };
            let root = dir.root()?;
            let replicated = |path: &[Name]| dir.exclude.replicated(path, false);
            let more = resync::diff(root.as_fd(), &verdict, &replicated, progress)
                .map_err(|e| format!("{} cannot be read: {e}", dir.name()))?;
            sum.files += more.files;
            sum.bytes += more.bytes;
        }
        let limit = self.setup.bandwidth.map(|kb| u64::from(kb) << 10);
        let (rate, known) = rate::expected(self.uservar(), limit);
        let (seconds, rate) = (sum.bytes.div_ceil(rate.max(1)), rate >> 10);
        self.found(id, RfsReport::Diff { files: sum.files, bytes: sum.bytes, seconds, rate, known });
        Ok(())
    }
}

fn named(dir: &Directory, path: &resync::TreePath, what: Difference) -> DifferentFile {
    let inside = path.shown();
    let path = if inside.is_empty() { dir.name() } else { format!("{}/{inside}", dir.name()) };
    DifferentFile { path, what: what.to_string() }
}

/// A directory of a primary, shown to a secondary that compares.
pub(super) struct Witness {
    service: Arc<Service>,
    dir: Arc<Directory>,
    session: u64,
    root: OwnedFd,
}

impl Witness {
    /// Shows `dir` to the secondary that is in step as this session.
    pub fn new(service: Arc<Service>, dir: Arc<Directory>, session: u64) -> Result<Witness, String> {
        let root = dir.root()?;
        let witness = Witness { service, dir, session, root };
        witness.is_in_step(&lock(&witness.service.inner))?;
        Ok(witness)
    }

    fn is_in_step(&self, inner: &Inner) -> Result<(), String> {
        if inner.stream == Stream::InStep(self.session) {
            return Ok(());
        }
        Err("this secondary is not in step any more".to_owned())
    }
}

impl Primary for Witness {
    fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    fn path_of(&self, _: FileId) -> Option<Vec<Name>> {
        None
    }

    fn verdict(&self, _: FileKey, _: &Meta) -> Verdict {
        Verdict::HashAll
    }

    fn changes(&self) -> Changes {
        Changes::default()
    }

    fn hold(&self) -> Result<(), String> {
        let held = self
            .dir
            .replicator
            .pause(Instant::now() + QUIET)
            .map_err(|e| format!("modifications cannot be held: {e}"))?;
        // Who goes alone now must not find them held.
        let inner = lock(&self.service.inner);
        self.is_in_step(&inner)?;
        keep(&self.dir, self.session, held)
    }

    fn resume(&self) {
        drop(lock(&self.dir.hold).take_if(|h| h.session == self.session));
    }

    /// The comparison is over: it counts if modifications were held to this moment.
    fn attach(&self) -> Result<(), String> {
        let hold = lock(&self.dir.hold).take_if(|h| h.session == self.session);
        let inner = lock(&self.service.inner);
        hold.ok_or("modifications were not held to the end")?;
        self.is_in_step(&inner)
    }

    fn replicated(&self, path: &[Name]) -> bool {
        self.dir.exclude.replicated(path, false)
    }
}
