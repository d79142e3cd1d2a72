//! The state with its lock, for the threads that share it.

use super::outlet::Outlet;
use super::state::{Line, State};
use super::{Events, Marker, Options, StreamEvent};
use crate::rfs::journal::Then;
use crate::rfs::op::FileKey;
use crate::rfs::wire::Frame;
use std::io;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) struct Shared {
    state: Mutex<State>,
    /// Taken before the state, and never waited for by a modification.
    pub(super) outlet: Mutex<Option<Outlet>>,
    /// Something is to be sent, or the stream is over.
    pub(super) send: Condvar,
    /// A modification ended, or operations were acknowledged, or the mode is another.
    pub(super) settled: Condvar,
    pub(super) marker: Box<dyn Marker>,
    pub(super) options: Options,
    pub(super) events: Events,
}

impl Shared {
    pub(super) fn new(marker: Box<dyn Marker>, options: Options, events: Events) -> Shared {
        Shared {
            state: Mutex::new(State::new(options)),
            outlet: Mutex::new(None),
            send: Condvar::new(),
            settled: Condvar::new(),
            marker,
            options,
            events,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No step of the state panics half way: they only move values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks zones, if there are any.
    pub(super) fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        if self.marker.is_tracking() { self.marker.mark(file, range) } else { Ok(()) }
    }

    /// The stream of this attachment is lost. Only the first who says so is heard.
    pub(super) fn lose(&self, attachment: u64, why: impl ToString) {
        let mut state = self.lock();
        let Some(live) = state.live(attachment) else { return };
        let session = live.session;
        live.closer.shutdown();
        let changed = state.lose();
        self.wake(state);
        run(changed);
        (self.events)(StreamEvent::Lost { session, why: why.to_string() });
    }

    /// Nothing is acknowledged from now on; the writing thread says so to the secondary and ends. `of`: only
    /// the stream of this attachment. Its session, if there was one.
    pub(super) fn freeze(&self, of: Option<u64>) -> Option<u64> {
        let mut state = self.lock();
        let attachment = of.unwrap_or(state.attachment);
        let session = state.live(attachment)?.session;
        state.control.push(Frame::Frozen);
        let changed = state.lose();
        self.wake(state);
        run(changed);
        Some(session)
    }

    pub(super) fn detach(&self) {
        let mut state = self.lock();
        let Line::Live(live) = &state.line else { return };
        live.closer.shutdown();
        let changed = state.lose();
        self.wake(state);
        run(changed);
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.send.notify_all();
        self.settled.notify_all();
    }
}

/// Runs what was taken out of the state, without its lock.
pub(super) fn run(thens: Vec<Then>) {
    thens.into_iter().for_each(|then| then());
}

/// Waits until `enough`, or gives the lock back as an error at the deadline.
pub(super) fn wait<'a>(
    condvar: &Condvar,
    mut state: MutexGuard<'a, State>,
    deadline: Instant,
    enough: impl Fn(&State) -> bool,
) -> Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
    while !enough(&state) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(state);
        }
        state = condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    Ok(state)
}
