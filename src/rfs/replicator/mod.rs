//! The primary's half of replication, one for each replicated directory: it takes what the volume records,
//! sends it on the one ordered stream, and holds the callers' answers back until the secondary has it.
//! It decides nothing about roles: a lost stream leaves the callers waiting until the automaton has spoken.

mod journal;
mod outlet;
mod queue;
mod shared;
mod state;
mod stream;

#[cfg(test)]
pub(crate) mod tests;

use super::link::{Reader, Writer};
use super::op::{FileKey, Op};
use rustix::io::Errno;
use shared::{Shared, wait};
use state::{Gate, Line};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use journal::Permit;

/// Remembers which zones of which files a secondary lacks.
pub trait Marker: Send + Sync {
    /// The zones of `range` are marked, durably, when it returns.
    ///
    /// # Errors
    /// They are not; the modification must not happen.
    fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()>;
    /// `file` gets a name, its first one if `fresh`: the secondary has something else there.
    ///
    /// # Errors
    /// As [`Marker::mark`].
    fn named(&self, file: FileKey, fresh: bool) -> io::Result<()>;
    /// This was recorded without a secondary: a round of reintegration has to look at it.
    fn note(&self, op: &Op);
    /// Whether zones are tracked at all: before a first full reintegration they are not.
    fn is_tracking(&self) -> bool;
}

/// Bounds of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A write to the network that makes no progress for this long ends the stream.
    pub send_timeout: Duration,
    /// An operation that is not acknowledged, or a peer that is silent, for this long ends the stream.
    pub lock_timeout: Duration,
    /// Bytes of unacknowledged operations above which no modification is admitted.
    pub queue_bytes: usize,
    /// Their number above which none is.
    pub queue_ops: usize,
}

/// What happened on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The stream is lost: the callers wait for the automaton. Once for each session at most; never after
    /// [`StreamEvent::Frozen`], [`Replicator::freeze`] or [`Replicator::detach`].
    Lost {
        /// Which session.
        session: u64,
        /// Why, for the operator.
        why: String,
    },
    /// The secondary is taking over: nothing is acknowledged any more.
    Frozen {
        /// Which session.
        session: u64,
    },
    /// The secondary states that it has ended this session and will not take over; [`StreamEvent::Lost`]
    /// follows.
    Stale {
        /// Which session.
        session: u64,
    },
    /// Local work failed after it was recorded; its zones are marked and the stream is ended.
    LocalFailure {
        /// Which file.
        file: FileKey,
        /// Its bytes.
        range: Range<u64>,
        /// Why the zones could not be marked, if they could not: only a full reintegration helps then.
        unmarked: Option<String>,
    },
    /// The disk of this node refused a modification; its caller is told.
    Refused {
        /// Why.
        reason: Errno,
    },
}

/// Receives the events; not called under any lock.
pub type Events = Box<dyn Fn(StreamEvent) + Send + Sync>;

/// How a directory takes modifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not at all.
    ReadOnly,
    /// Not now: a secondary is about to be attached, or compares.
    Held,
    /// Without a secondary; zones are marked.
    Alone,
    /// With one.
    Synchronous,
    /// The stream is lost; callers wait.
    Broken,
}

/// Figures of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Operations recorded since the start, in all modes.
    pub ops: u64,
    /// Bytes given to the network since the start.
    pub bytes_sent: u64,
    /// Operations that are not acknowledged.
    pub unacked_ops: usize,
    /// Their bytes.
    pub unacked_bytes: usize,
    /// How long the oldest of them has been waiting.
    pub oldest: Option<Duration>,
    /// Modifications that are under way.
    pub permits: usize,
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ReplicatorError {
    /// The order does not fit the mode.
    #[error("the replicated directory is in mode {0:?}, which this order does not fit")]
    Mode(Mode),
    /// Modifications are still under way, or not acknowledged, at the deadline.
    #[error("{permits} modifications under way and {unacked} not acknowledged at the deadline")]
    Timeout {
        /// Under way.
        permits: usize,
        /// Not acknowledged.
        unacked: usize,
    },
    /// Zones that the secondary lacks could not be marked: the callers must go on waiting.
    #[error("cannot mark the modified zones: {0}")]
    Mark(#[source] io::Error),
    /// Callers may not be released before [`Replicator::mark_unacknowledged`] (DESIGN S3).
    #[error("the zones of unacknowledged operations are not marked yet")]
    Unmarked,
    /// A thread could not be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Takes the modifications of one directory; starts [`Mode::ReadOnly`].
pub struct Replicator {
    shared: Arc<Shared>,
}

impl Replicator {
    /// A replicator without a peer.
    pub fn new(marker: Box<dyn Marker>, options: Options, events: Events) -> Arc<Replicator> {
        Arc::new(Replicator { shared: Arc::new(Shared::new(marker, options, events)) })
    }

    /// The mode now.
    pub fn mode(&self) -> Mode {
        self.shared.lock().mode()
    }

    /// The figures now.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters()
    }

    /// Refuses modifications from now on with EROFS, and waits until none is under way and all are
    /// acknowledged. A live stream stays, to be [detached](Replicator::detach). If the stream is lost, the
    /// zones of what is not acknowledged are marked and its callers get EIO: false then.
    ///
    /// # Errors
    /// [`ReplicatorError::Timeout`] and [`ReplicatorError::Mark`]; nothing new is admitted then either, and
    /// the order may be repeated.
    pub fn read_only(&self, deadline: Instant) -> Result<bool, ReplicatorError> {
        let shared = &self.shared;
        let mut state = shared.lock();
        state.gate = Gate::ReadOnly;
        let changed = state.next_number();
        drop(state);
        shared::run(changed);
        // Also what nobody waits for.
        shared.send.notify_one();

        let settled = wait(&shared.settled, shared.lock(), deadline, |state| {
            state.permits == 0 && (state.queue.is_empty() || !matches!(state.line, Line::Live(_)))
        });
        let state = settled.map_err(|state| state.timeout())?;
        if !matches!(state.line, Line::Broken) {
            return Ok(true);
        }
        drop(state);
        self.mark_unacknowledged()?;
        let mut state = shared.lock();
        state.line = Line::None;
        let unanswered = state.void();
        drop(state);
        // Not run: their owners answer EIO.
        drop(unanswered);
        Ok(false)
    }

    /// Takes modifications without a secondary.
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] while there is a stream, live or lost.
    pub fn alone(&self) -> Result<(), ReplicatorError> {
        let mut state = self.shared.lock();
        if !matches!(state.line, Line::None) {
            return Err(ReplicatorError::Mode(state.mode()));
        }
        state.gate = Gate::Open;
        let changed = state.next_number();
        drop(state);
        shared::run(changed);
        Ok(())
    }

    /// Takes the place of a replicator whose process was killed while a secondary was attached: as after
    /// the loss of its stream, callers wait until the automaton has spoken. What that process had not
    /// sent is not known here.
    pub fn lost(&self) {
        let mut state = self.shared.lock();
        (state.gate, state.line, state.marked) = (Gate::Open, Line::Broken, false);
        let changed = state.next_number();
        drop(state);
        shared::run(changed);
    }

    /// Lets modifications wait, for the last step of a reintegration; when it returns none is under way and
    /// all are recorded.
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] unless alone; [`ReplicatorError::Timeout`], and it is alone again.
    pub fn hold(&self, deadline: Instant) -> Result<Held, ReplicatorError> {
        self.close_gate(Mode::Alone, deadline)
    }

    /// Lets modifications wait while the secondary compares; when it returns none is under way and the
    /// secondary has received all. A lost stream ends it.
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] unless there is a stream; [`ReplicatorError::Timeout`], and modifications
    /// go on.
    pub fn pause(&self, deadline: Instant) -> Result<Held, ReplicatorError> {
        self.close_gate(Mode::Synchronous, deadline)
    }

    fn close_gate(&self, from: Mode, deadline: Instant) -> Result<Held, ReplicatorError> {
        let mut state = self.shared.lock();
        if state.mode() != from {
            return Err(ReplicatorError::Mode(state.mode()));
        }
        state.gate = Gate::Held;
        let changed = state.next_number();
        let held = Held { shared: self.shared.clone(), number: state.number };
        drop(state);
        shared::run(changed);

        let number = held.number;
        let calm = wait(&self.shared.settled, self.shared.lock(), deadline, |state| {
            (state.permits == 0 && state.queue.is_empty()) || state.number != number
        });
        match calm {
            Ok(state) if state.number == number => {
                drop(state);
                Ok(held)
            }
            Ok(state) => Err(ReplicatorError::Mode(state.mode())),
            Err(state) => Err(state.timeout()),
        }
    }

    /// Marks durably the zones of all that is not acknowledged, while the callers still wait (DESIGN S3).
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] unless the stream is lost; [`ReplicatorError::Mark`], and it may be tried
    /// again.
    pub fn mark_unacknowledged(&self) -> Result<(), ReplicatorError> {
        let state = self.shared.lock();
        if !matches!(state.line, Line::Broken) {
            return Err(ReplicatorError::Mode(state.mode()));
        }
        let marks = state.unacknowledged();
        drop(state);
        for (file, range) in marks {
            self.shared.mark(file, range).map_err(ReplicatorError::Mark)?;
        }
        // What came in between has marked itself: the line is broken.
        self.shared.lock().marked = true;
        Ok(())
    }

    /// The automaton's word after a lost stream: all callers are answered, and it goes on alone.
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] unless broken; [`ReplicatorError::Unmarked`].
    pub fn release(&self) -> Result<(), ReplicatorError> {
        let mut state = self.shared.lock();
        if state.mode() != Mode::Broken {
            return Err(ReplicatorError::Mode(state.mode()));
        }
        if !state.marked {
            return Err(ReplicatorError::Unmarked);
        }
        state.line = Line::None;
        let answers = state.release();
        let changed = state.next_number();
        drop(state);
        shared::run(answers);
        shared::run(changed);
        Ok(())
    }

    /// Acknowledges nothing more to callers, tells the secondary so and ends the stream (DESIGN S8). No
    /// event follows. Without a live stream nothing happens.
    pub fn freeze(&self) {
        self.shared.freeze(None);
    }

    /// Ends the stream. No event follows. With nothing unanswered in a read-only directory it leaves no
    /// trace; else the mode is [`Mode::Broken`].
    pub fn detach(&self) {
        self.shared.detach();
    }
}

impl Drop for Replicator {
    fn drop(&mut self) {
        self.shared.detach();
    }
}

/// Modifications wait while it lives. Dropped, the directory is alone again.
pub struct Held {
    shared: Arc<Shared>,
    number: u64,
}

impl Held {
    /// Attaches the stream of a secondary that has all that was recorded, and goes on synchronously.
    ///
    /// # Errors
    /// [`ReplicatorError::Mode`] if another order came in between; [`ReplicatorError::Thread`].
    pub fn attach(self, writer: Writer, reader: Reader, session: u64) -> Result<(), ReplicatorError> {
        let attachment = {
            let mut state = self.shared.lock();
            if state.number != self.number {
                return Err(ReplicatorError::Mode(state.mode()));
            }
            state.attach(session, reader.closer())
        };
        let started = stream::start(&self.shared, attachment, writer, reader);
        if started.is_err() {
            self.shared.detach();
            // Nothing was recorded meanwhile: there is nothing to ask the automaton for.
            self.shared.lock().line = Line::None;
        }
        // Also if the stream is lost again already, which is another mode with another number.
        let mut state = self.shared.lock();
        if state.gate == Gate::Held {
            state.gate = Gate::Open;
            let changed = state.next_number();
            drop(state);
            shared::run(changed);
        }
        started.map_err(ReplicatorError::Thread)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.number != self.number {
            return;
        }
        state.gate = Gate::Open;
        let changed = state.next_number();
        drop(state);
        shared::run(changed);
    }
}
