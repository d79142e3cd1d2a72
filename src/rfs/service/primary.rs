//! What a reintegrating secondary sees of a directory of the primary.

use super::directory::{Directory, Hold};
use super::{Inner, Post, Service};
use crate::fsm::mirror::Stream;
use crate::lock::lock;
use crate::rfs::ledger::Mode;
use crate::rfs::op::{FileId, FileKey, Name};
use crate::rfs::replicator::Held;
use crate::rfs::resync::{Meta, Primary, Verdict};
use crate::rfs::zones::Changes;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long modifications may be held for the end of a reintegration.
const HELD: Duration = Duration::from_secs(10);
/// How long those under way may take before the hold is given up.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// A directory as the source of a session.
pub(super) struct Lender {
    service: Arc<Service>,
    dir: Arc<Directory>,
    session: u64,
    /// The secondary is settled where the zones of this node begin.
    zones: bool,
    root: OwnedFd,
}

impl Lender {
    /// The source of `dir` for a secondary that is settled at `settled` (0: nowhere).
    pub fn new(
        service: Arc<Service>,
        dir: Arc<Directory>,
        session: u64,
        settled: u64,
    ) -> Result<Lender, String> {
        let zones = settled != 0 && dir.zones_from() == Some(settled);
        let root = dir.root()?;
        if let Some(volume) = dir.volume() {
            volume.keep_nodes(true);
        }
        Ok(Lender { service, dir, session, zones, root })
    }

    fn try_attach(&self) -> Result<(), String> {
        let hold = lock(&self.dir.hold).take_if(|h| h.session == self.session);
        let hold = hold.ok_or("modifications are not held any more")?;
        let parked = lock(&self.dir.parked).take_if(|p| p.session == self.session);
        let parked = parked.ok_or("the stream of this session is not connected")?;
        let generation = self.under_way()?;
        self.dir.begin_zones(generation)?;
        // The automaton may have given this session up meanwhile: then nobody would speak for the
        // stream that is attached now.
        let mut inner = lock(&self.service.inner);
        self.is_under_way(&inner)?;
        // Before a caller has to wait for the secondary.
        let full = matches!(inner.post, Post::Writable { full: true, .. });
        self.dir.note(Mode::Paired(generation, full));
        if let Err(error) = hold.held.attach(parked.writer, parked.reader, self.session) {
            self.dir.note(Mode::Alone(generation, full));
            return Err(error.to_string());
        }
        self.dir.stop_tracking();
        inner.attached[self.dir.index] = true;
        if inner.attached.iter().all(|a| *a) {
            self.service.set_stream(&mut inner, Stream::InStep(self.session), String::new());
        }
        Ok(())
    }

    fn under_way(&self) -> Result<u64, String> {
        self.is_under_way(&lock(&self.service.inner))
    }

    /// The generation of a primary that this session still reintegrates to; an error when it is over.
    fn is_under_way(&self, inner: &Inner) -> Result<u64, String> {
        match inner.post {
            Post::Writable { generation, .. } if inner.stream == Stream::Syncing(self.session) => {
                Ok(generation)
            }
            _ => Err("this session is over".to_owned()),
        }
    }
}

/// Keeps a hold for a bounded time: callers are not kept waiting for a secondary that does not come to an
/// end.
pub(super) fn keep(dir: &Arc<Directory>, session: u64, held: Held) -> Result<(), String> {
    let since = Instant::now();
    *lock(&dir.hold) = Some(Hold { session, since, held });
    let bounded = dir.clone();
    let bound = thread::Builder::new().name("hold".to_owned()).spawn(move || {
        thread::sleep(HELD);
        drop(lock(&bounded.hold).take_if(|h| h.since == since));
    });
    bound.map(drop).map_err(|e| {
        drop(lock(&dir.hold).take_if(|h| h.since == since));
        format!("no thread to bound the hold: {e}")
    })
}

impl Primary for Lender {
    fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    fn path_of(&self, id: FileId) -> Option<Vec<Name>> {
        self.dir.volume()?.path_of(id)
    }

    fn verdict(&self, file: FileKey, _: &Meta) -> Verdict {
        let full = matches!(lock(&self.service.inner).post, Post::Writable { full: true, .. });
        match full {
            true => Verdict::CopyAll,
            // It may have been made since: then the secondary has something else under its name.
            false if !self.zones || self.dir.is_new(file) => Verdict::HashAll,
            // They were given up: its disk has refused something meanwhile.
            false if self.dir.marks.zones.base().is_none() => Verdict::HashAll,
            false => Verdict::of(&self.dir.marks.zones, file),
        }
    }

    fn changes(&self) -> Changes {
        let mut changes = self.dir.marks.tracker.take();
        // A file whose name is not known is found by looking at everything.
        if let Some(volume) = self.dir.volume()
            && changes
                .dirs
                .iter()
                .chain(&changes.files)
                .any(|id| volume.path_of(*id).is_none() && volume.has_names(*id))
        {
            changes.overflow = true;
        }
        changes
    }

    fn hold(&self) -> Result<(), String> {
        self.under_way()?;
        let held = self
            .dir
            .replicator
            .hold(Instant::now() + QUIET)
            .map_err(|e| format!("modifications cannot be held: {e}"))?;
        // A newer session must not lose changes to this one.
        self.under_way()?;
        keep(&self.dir, self.session, held)
    }

    fn resume(&self) {
        drop(lock(&self.dir.hold).take_if(|h| h.session == self.session));
    }

    fn attach(&self) -> Result<(), String> {
        self.try_attach()
    }

    fn replicated(&self, path: &[Name]) -> bool {
        self.dir.exclude.replicated(path, false)
    }
}
