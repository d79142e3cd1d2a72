//! The secondary's half of replication: one thread reads the stream into an ordered, bounded queue, another
//! applies it. What is acknowledged is in the queue (async="second") or on the disk (async="none"), so
//! [`Receiver::drain`] finds all of it.

mod apply;
mod read;
mod state;

#[cfg(test)]
mod tests;

use super::apply::Applier;
use super::link::{Closer, Reader, Writer};
use super::wire::Frame;
use state::Shared;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for the primary to say that it is frozen.
const FROZEN: Duration = Duration::from_secs(1);

/// How a secondary takes a stream.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// async="none": acknowledged when applied, and durable where the application asks for that. Otherwise
    /// on receipt (RFS-05).
    pub async_none: bool,
    /// Bytes in the queue above which nothing more is read.
    pub queue_bytes: usize,
    /// Operations in it above which nothing more is read.
    pub queue_ops: usize,
}

/// What happened on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverEvent {
    /// The stream has ended; what was received is still being applied, unless that is what failed. At most
    /// once, and never after [`Receiver::drain`] or [`Receiver::stop`].
    Lost {
        /// Why, for the operator.
        why: String,
    },
}

/// Receives the events; not called under any lock.
pub type Events = Box<dyn Fn(ReceiverEvent) + Send + Sync>;

/// Why a stream could not be started or brought to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// Not everything was applied: this node's data is not up to date.
    #[error("a received modification could not be applied: {0}")]
    Apply(String),
    /// Not everything was applied in time.
    #[error("{0} received modifications are not applied at the deadline")]
    Timeout(usize),
    /// The file system could not make it durable.
    #[error("cannot sync the replicated directory: {0}")]
    Sync(#[source] io::Error),
    /// The stream was stopped before, and its queue discarded.
    #[error("the stream was stopped")]
    Stopped,
}

/// How far a stream has come. Sequences count from 1 in each stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Newest operation that is in the queue, or was.
    pub received: u64,
    /// Newest that was applied.
    pub applied: u64,
    /// Operations in the queue.
    pub queued_ops: usize,
    /// Their bytes.
    pub queued_bytes: usize,
    /// Bytes of all operations received.
    pub bytes: u64,
}

/// Takes one stream. Dropped, it ends it without waiting.
pub struct Receiver {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Writer>>,
    closer: Closer,
    root: Arc<OwnedFd>,
}

impl Receiver {
    /// Starts both threads.
    ///
    /// # Errors
    /// [`ReceiverError::Thread`].
    pub fn start(
        reader: Reader,
        writer: Writer,
        applier: Applier,
        options: Options,
        events: Events,
    ) -> Result<Receiver, ReceiverError> {
        let closer = reader.closer();
        let root = applier.root();
        let writer = Arc::new(Mutex::new(writer));
        let shared = Arc::new(Shared::new(options, events));
        let receiver = Receiver { shared: shared.clone(), writer: writer.clone(), closer, root };
        let (to_read, to_apply) = (shared.clone(), shared);
        let acks = writer.clone();
        // If the second cannot be started, the drop of the receiver ends the first.
        thread::Builder::new()
            .name("rfs-receive".into())
            .spawn(move || read::run(&to_read, reader, &acks))
            .map_err(ReceiverError::Thread)?;
        thread::Builder::new()
            .name("rfs-apply".into())
            .spawn(move || apply::run(&to_apply, applier, &writer))
            .map_err(ReceiverError::Thread)?;
        Ok(receiver)
    }

    /// How far it has come.
    pub fn position(&self) -> Position {
        self.shared.lock().position()
    }

    /// Ends the stream and applies all that was received, for a takeover (DESIGN S7, S8): if the primary can
    /// be reached it is told to acknowledge nothing more, with an answer within a second; then the link is
    /// closed, the queue applied and the file system synced. The sync itself takes as long as it takes.
    ///
    /// # Errors
    /// [`ReceiverError::Apply`] and [`ReceiverError::Sync`]: this node's data is not up to date;
    /// [`ReceiverError::Timeout`]: it may be called again; [`ReceiverError::Stopped`].
    pub fn drain(&self, deadline: Instant) -> Result<(), ReceiverError> {
        self.shared.lock().quiet = true;
        if self.shared.lock().reading && send(&self.writer, &Frame::Freeze).is_ok() {
            let answer = deadline.min(Instant::now() + FROZEN);
            // No answer is as good as a dead link: the primary's own timeouts have to do it.
            let _ = self.shared.wait(answer, |state| state.frozen || !state.reading);
        }
        self.closer.shutdown();
        self.shared.lock().closing = true;
        self.shared.wake();
        self.shared.wait(deadline, |state| !state.reading && !state.applying)?;
        let state = self.shared.lock();
        if let Some(failed) = &state.failed {
            return Err(ReceiverError::Apply(failed.clone()));
        }
        if state.discarded {
            return Err(ReceiverError::Stopped);
        }
        drop(state);
        rustix::fs::syncfs(&*self.root).map_err(|error| ReceiverError::Sync(error.into()))
    }

    /// Ends the stream and discards what is not applied yet: this node's data is not up to date then. When
    /// it returns nothing is written to the directory any more.
    ///
    /// # Errors
    /// [`ReceiverError::Timeout`]: an operation is still being applied; it may be called again.
    pub fn stop(&self, deadline: Instant) -> Result<(), ReceiverError> {
        self.end();
        self.shared.wait(deadline, |state| !state.reading && !state.applying)
    }

    fn end(&self) {
        self.closer.shutdown();
        self.shared.lock().discard();
        self.shared.wake();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a frame to the primary, from any thread.
fn send(writer: &Mutex<Writer>, frame: &Frame) -> Result<(), super::link::LinkError> {
    writer.lock().unwrap_or_else(PoisonError::into_inner).frame(frame)
}
