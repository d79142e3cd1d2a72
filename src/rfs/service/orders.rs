//! Carrying out what safeadmin orders. Short orders are done on the thread that hears them, one
//! after the other; a reintegration has a thread of its own and is ended by the next order that
//! changes what the node does.

use super::{Post, Service, behind, join, marks, verify};
use crate::fsm::mirror::Stream;
use crate::fsm::sync::{Backup, Offer};
use crate::lock::lock;
use crate::node::replicated;
use crate::rfs::control::{Fault, Line, Order, Request};
use crate::rfs::ledger::Mode;
use crate::rfs::replicator::Mode as Taking;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long modifications that are under way may take to end when the directory is closed. Local
/// disks may be slow; the peer has its own timeouts.
const CLOSE: Duration = Duration::from_secs(20);
/// How long what was received may take to be applied (S7).
const DRAIN: Duration = Duration::from_secs(300);
/// How long opening waits for the search of what was changed behind the mount.
const SEARCH: Duration = Duration::from_secs(2);

/// Does it, and answers. True: the end was ordered and is reached.
pub(super) fn carry_out(service: &Arc<Service>, Request { id, order }: Request) -> bool {
    tracing::debug!(id, ?order, "order");
    let again = |result: Result<(), String>| result.map_err(Fault::Again);
    let result = match order {
        Order::Mount => again(service.mount()),
        Order::Writable { generation, full } => again(service.writable(generation, full)),
        Order::ReadOnly => again(service.read_only()),
        Order::Drain => again(service.drain()),
        Order::MarkDirty => again(service.mark_dirty()),
        Order::Release { generation } => again(service.release(generation)),
        Order::Reintegrate { session, how, rescue } => {
            join::begin(service, id, session, how, rescue);
            return false;
        }
        Order::Verify => {
            verify::verify(service, id);
            return false;
        }
        Order::Diff => {
            verify::diff(service, id);
            return false;
        }
        Order::Cancel { of } => {
            verify::cancel(service, of);
            Ok(())
        }
        Order::Quit => {
            let result = service.unmount();
            service.done(id, again(result));
            return true;
        }
    };
    service.done(id, result);
    false
}

impl Service {
    pub(super) fn mount(&self) -> Result<(), String> {
        for dir in &self.dirs {
            replicated::check_tocheck(&dir.setup.place, &dir.setup.tocheck).map_err(|e| e.to_string())?;
        }
        for dir in &self.dirs {
            dir.mount(self.setup.acl)?;
        }
        lock(&self.inner).mounted = true;
        Ok(())
    }

    fn unmount(self: &Arc<Self>) -> Result<(), String> {
        self.read_only()?;
        let mut failed = Ok(());
        for dir in &self.dirs {
            failed = failed.and(dir.unmount());
        }
        lock(&self.inner).mounted = false;
        failed
    }

    /// The directories take modifications. What was settled is so no more; zones that say nothing
    /// useful go on saying nothing.
    fn writable(&self, generation: u64, full: bool) -> Result<(), String> {
        self.mount()?;
        let before = lock(&self.inner).post;
        for dir in &self.dirs {
            // A former secondary that has applied all: a peer that was settled in that generation
            // lacks just what is written from now on.
            if let Post::Following(from) = before {
                dir.begin_zones(from)?;
                dir.validate()?;
            }
            if before == Post::Closed {
                behind::begin(dir)?;
            }
            if let Some(generation) = self.untouched_since_backup() {
                dir.begin_zones(generation)?;
                dir.validate()?;
            }
            dir.known.settle(None).map_err(|e| e.to_string())?;
        }
        self.close_rescue();
        for dir in &self.dirs {
            dir.known.follow(None).map_err(|e| e.to_string())?;
        }
        for dir in &self.dirs {
            // What is written before it is found counts as found: a large file may be compared in vain.
            dir.search.wait(SEARCH);
            if let Some(volume) = dir.volume() {
                volume.primary(true);
            }
            dir.note(Mode::Alone(generation, full));
            dir.replicator.alone().map_err(|e| format!("{} cannot be opened: {e}", dir.name()))?;
        }
        lock(&self.inner).post = Post::Writable { generation, full };
        Ok(())
    }

    /// A backup was taken from this node and nothing changed since, an operator says (RFS-52): what is
    /// modified from now on is all that its restoration lacks.
    fn untouched_since_backup(&self) -> Option<u64> {
        match self.offer() {
            Offer::Backup(Backup { uid, detect: false }) => Some(marks::of_backup(&uid)),
            _ => None,
        }
    }

    /// S9: every modification is refused. A secondary stops following.
    fn read_only(self: &Arc<Self>) -> Result<(), String> {
        join::end(self);
        let (post, stream) = {
            let inner = lock(&self.inner);
            (inner.post, inner.stream)
        };
        let deadline = Instant::now() + CLOSE;
        match post {
            Post::Closed => Ok(()),
            Post::Following(generation) => self.stop_following(generation),
            Post::Writable { generation, .. } => {
                for dir in &self.dirs {
                    drop(lock(&dir.hold).take());
                    drop(lock(&dir.parked).take());
                    let answered = dir
                        .replicator
                        .read_only(deadline)
                        .map_err(|e| format!("{} cannot be closed: {e}", dir.name()))?;
                    if !answered {
                        let why = "modifications were refused that the secondary may not have".to_owned();
                        self.set_stream(&mut lock(&self.inner), Stream::Broken, why);
                    }
                    dir.note(Mode::Closed);
                    if let Some(volume) = dir.volume() {
                        volume.primary(false);
                    }
                }
                if matches!(stream, Stream::InStep(_))
                    && matches!(lock(&self.inner).stream, Stream::InStep(_))
                {
                    self.settle_primary(generation);
                }
                for dir in &self.dirs {
                    dir.replicator.detach();
                    behind::closed(dir);
                }
                self.close();
                Ok(())
            }
        }
    }

    fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.post = Post::Closed;
        inner.attached.fill(false);
        self.set_stream(&mut inner, Stream::None, String::new());
    }

    /// A primary that left with everything acknowledged holds what its secondary holds.
    fn settle_primary(&self, generation: u64) {
        // Nothing is known of a directory whose disk has failed.
        for dir in self.dirs.iter().filter(|dir| dir.marks.zones.base().is_some()) {
            let settled = dir.sync().and_then(|()| dir.validate()).and_then(|()| dir.settle(generation));
            if let Err(why) = settled {
                self.error(format!("{why}: the next reintegration compares hashes"));
            }
        }
    }

    /// Applies what was received; the directory is then settled. What cannot be applied costs a
    /// comparison by hash, and it is not up to date (the automaton's matter: it is leaving).
    fn stop_following(&self, generation: u64) -> Result<(), String> {
        for dir in &self.dirs {
            let Some(receiver) = lock(&dir.receiver).take() else { continue };
            let settled = receiver
                .drain(Instant::now() + DRAIN)
                .map_err(|e| e.to_string())
                .and_then(|()| dir.settle(generation));
            if let Err(why) = settled {
                self.error(format!("{}: {why}: the next reintegration compares hashes", dir.name()));
            }
        }
        self.close();
        Ok(())
    }

    /// S7: what was received is applied and durable; an error means that this node is not up to date.
    fn drain(self: &Arc<Self>) -> Result<(), String> {
        join::end(self);
        for dir in &self.dirs {
            let Some(receiver) = lock(&dir.receiver).take() else {
                // A retry after a failure of another directory, or a box that started anew.
                return Err(format!("{} does not follow the primary any more", dir.name()));
            };
            receiver
                .drain(Instant::now() + DRAIN)
                .map_err(|e| format!("{}: what was received cannot be applied: {e}", dir.name()))?;
        }
        let mut inner = lock(&self.inner);
        self.set_stream(&mut inner, Stream::None, String::new());
        Ok(())
    }

    fn mark_dirty(&self) -> Result<(), String> {
        for dir in &self.dirs {
            // The automaton goes alone also when only the heartbeats are lost.
            if matches!(dir.replicator.mode(), Taking::Synchronous | Taking::Held) {
                dir.replicator.detach();
            }
            if matches!(dir.replicator.mode(), Taking::Broken) {
                dir.replicator
                    .mark_unacknowledged()
                    .map_err(|e| format!("{}: the modified zones cannot be kept: {e}", dir.name()))?;
            }
        }
        Ok(())
    }

    /// S3: only now the waiting callers are answered. The zones are complete once all that was
    /// written before is on this disk.
    fn release(self: &Arc<Self>, generation: u64) -> Result<(), String> {
        let (from, full) = {
            let inner = lock(&self.inner);
            let Post::Writable { generation: from, full } = inner.post else {
                return Err("the directories are not open for modification".to_owned());
            };
            (from, full)
        };
        self.mark_dirty()?;
        for dir in &self.dirs {
            // A directory that was not attached has nobody to release.
            if matches!(dir.replicator.mode(), Taking::Broken) {
                dir.replicator.release().map_err(|e| format!("{}: {e}", dir.name()))?;
            }
            dir.note(Mode::Alone(generation, full));
        }
        {
            let mut inner = lock(&self.inner);
            inner.post = Post::Writable { generation, full };
            inner.attached.fill(false);
            if !matches!(inner.stream, Stream::Syncing(_)) {
                self.set_stream(&mut inner, Stream::None, String::new());
            }
        }
        let service = self.clone();
        let validated = thread::Builder::new().name("validate".to_owned()).spawn(move || {
            for dir in &service.dirs {
                // Only if nobody was attached meanwhile: then nothing is marked any more.
                if dir.marks.zones.base() == Some(from)
                    && matches!(dir.replicator.mode(), Taking::Alone)
                    && let Err(why) = dir.validate()
                {
                    service.error(format!("{why}: the next reintegration compares hashes"));
                }
            }
        });
        if let Err(error) = validated {
            self.voice.log(Line::Error(format!("no thread to sync the directories: {error}")));
        }
        Ok(())
    }
}
