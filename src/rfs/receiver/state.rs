//! The queue between the two threads, and what they know of each other.

use super::{Events, Options, Position, ReceiverError, ReceiverEvent};
use crate::rfs::op::Op;
use crate::rfs::wire::weight;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub(super) struct State {
    queue: VecDeque<Op>,
    bytes: usize,
    taken: u64,
    received: u64,
    applied: u64,
    /// The reading thread runs.
    pub(super) reading: bool,
    /// The applying thread runs.
    pub(super) applying: bool,
    /// The primary acknowledges nothing more.
    pub(super) frozen: bool,
    /// The applying thread ends when the queue is empty and nothing more comes.
    pub(super) closing: bool,
    /// The queue was thrown away.
    pub(super) discarded: bool,
    /// No event any more: its owner ends the stream, or was told already.
    pub(super) quiet: bool,
    /// Why an operation was not applied.
    pub(super) failed: Option<String>,
}

impl State {
    pub(super) fn position(&self) -> Position {
        Position {
            received: self.received,
            applied: self.applied,
            queued_ops: self.queue.len(),
            queued_bytes: self.bytes,
            bytes: self.taken,
        }
    }

    /// Nothing of the queue is applied any more.
    pub(super) fn discard(&mut self) {
        self.quiet = true;
        self.closing = true;
        self.discarded |= !self.queue.is_empty() || self.reading;
        self.queue.clear();
        self.bytes = 0;
    }

    /// Nothing more is to be put into the queue.
    fn refuses(&self) -> bool {
        self.failed.is_some() || self.discarded
    }
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) options: Options,
    events: Events,
}

/// What became of an operation that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is in the queue.
    Queued,
    /// The queue is full.
    Full,
    /// It is not wanted: an operation before it failed, or the stream was stopped.
    Refused,
    /// It is not the one after the last.
    OutOfOrder,
}

impl Shared {
    pub(super) fn new(options: Options, events: Events) -> Shared {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            taken: 0,
            received: 0,
            applied: 0,
            reading: true,
            applying: true,
            frozen: false,
            closing: false,
            discarded: false,
            quiet: false,
            failed: None,
        };
        Shared { state: Mutex::new(state), changed: Condvar::new(), options, events }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No step of the state panics half way: they only move values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }

    /// Tells the owner, unless it knows.
    pub(super) fn lost(&self, why: String) {
        let told = std::mem::replace(&mut self.lock().quiet, true);
        if !told {
            (self.events)(ReceiverEvent::Lost { why });
        }
    }

    /// Puts an operation into the queue; taken only if [`Put::Queued`]. The applying thread is not woken.
    pub(super) fn put(&self, seq: u64, op: &mut Option<Op>) -> Put {
        let mut state = self.lock();
        if state.refuses() {
            return Put::Refused;
        }
        if seq != state.received + 1 {
            return Put::OutOfOrder;
        }
        let full = state.bytes >= self.options.queue_bytes || state.queue.len() >= self.options.queue_ops;
        if full && !state.queue.is_empty() {
            return Put::Full;
        }
        if let Some(op) = op.take() {
            state.bytes += weight(&op);
            state.taken += weight(&op) as u64;
            state.received = seq;
            state.queue.push_back(op);
        }
        Put::Queued
    }

    /// Waits until the queue is half empty, or nothing is wanted any more. The applying thread and the owner
    /// see to that.
    pub(super) fn wait_for_room(&self) {
        let half = |state: &mut State| {
            !state.refuses()
                && (state.bytes > self.options.queue_bytes / 2
                    || state.queue.len() > self.options.queue_ops / 2)
                && !state.queue.is_empty()
        };
        drop(self.changed.wait_while(self.lock(), half).unwrap_or_else(PoisonError::into_inner));
    }

    /// The next operation, with its sequence and whether more follow; `None` if there will be none.
    pub(super) fn next(&self) -> Option<(u64, Op, bool)> {
        let waits = |state: &mut State| state.queue.is_empty() && (state.reading || !state.closing);
        let mut state = self.changed.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        let op = state.queue.pop_front()?;
        state.bytes -= weight(&op);
        Some((state.applied + 1, op, !state.queue.is_empty()))
    }

    pub(super) fn applied(&self, seq: u64) {
        self.lock().applied = seq;
        self.wake();
    }

    /// Waits for the threads.
    ///
    /// # Errors
    /// [`ReceiverError::Timeout`].
    pub(super) fn wait(
        &self,
        deadline: Instant,
        enough: impl Fn(&State) -> bool,
    ) -> Result<(), ReceiverError> {
        let mut state = self.lock();
        while !enough(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ReceiverError::Timeout(state.queue.len()));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}
