//! What a replicator knows, and its steps. All of it is under one lock; what a step wants done without the
//! lock, it returns.

use super::queue::{Batch, Mark, Queue, Touched, merged};
use super::{Counters, Mode, Options, ReplicatorError};
use crate::rfs::journal::Then;
use crate::rfs::link::Closer;
use crate::rfs::op::Op;
use crate::rfs::wire::{Frame, weight};
use std::collections::BTreeMap;
use std::ops::Range;

/// Whether modifications may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    ReadOnly,
    Held,
    Open,
}

/// The stream.
pub(super) enum Line {
    None,
    Live(Live),
    /// Lost: what is not acknowledged waits for the automaton.
    Broken,
}

pub(super) struct Live {
    pub(super) session: u64,
    pub(super) closer: Closer,
    /// Ticket before the first operation of the stream.
    base: u64,
    /// Newest ticket that was sent.
    sent: u64,
}

pub(super) struct State {
    options: Options,
    pub(super) gate: Gate,
    pub(super) line: Line,
    /// Of the mode; another after each change.
    pub(super) number: u64,
    pub(super) permits: usize,
    /// Number of attachments so far, which tells the threads of one from those of another.
    pub(super) attachment: u64,
    /// Newest ticket.
    newest: u64,
    /// Everything up to this ticket is answered or may be.
    done: u64,
    /// Tickets that were given up when the directory was closed.
    void: Range<u64>,
    pub(super) queue: Queue,
    pub(super) touched: Touched,
    /// Frames to be sent before any operation.
    pub(super) control: Vec<Frame>,
    /// The sending thread has to go on with what another could not send at once.
    pub(super) stuck: bool,
    /// Since the stream was lost, its zones were marked.
    pub(super) marked: bool,
    pub(super) bytes_sent: u64,
    throttled: bool,
    waiting: BTreeMap<(u64, u64), Then>,
    waits: u64,
    changed: Vec<Then>,
}

impl State {
    pub(super) fn new(options: Options) -> State {
        State {
            options,
            gate: Gate::ReadOnly,
            line: Line::None,
            number: 1,
            permits: 0,
            attachment: 0,
            newest: 0,
            done: 0,
            void: 0..0,
            queue: Queue::default(),
            touched: Touched::default(),
            control: Vec::new(),
            stuck: false,
            marked: false,
            bytes_sent: 0,
            throttled: false,
            waiting: BTreeMap::new(),
            waits: 0,
            changed: Vec::new(),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match (self.gate, &self.line) {
            (Gate::ReadOnly, _) => Mode::ReadOnly,
            (Gate::Held, _) => Mode::Held,
            (Gate::Open, Line::None) => Mode::Alone,
            (Gate::Open, Line::Live(_)) => Mode::Synchronous,
            (Gate::Open, Line::Broken) => Mode::Broken,
        }
    }

    /// Whether a modification may begin now, if the directory is not read-only.
    pub(super) fn admits(&self) -> bool {
        matches!(self.mode(), Mode::Alone | Mode::Synchronous) && !self.throttled
    }

    /// The live stream of this attachment.
    pub(super) fn live(&mut self, attachment: u64) -> Option<&mut Live> {
        match &mut self.line {
            Line::Live(live) if self.attachment == attachment => Some(live),
            _ => None,
        }
    }

    /// The mode is over: who waits for that is to be run.
    #[must_use]
    pub(super) fn next_number(&mut self) -> Vec<Then> {
        self.number += 1;
        std::mem::take(&mut self.changed)
    }

    /// Keeps `then` until the mode `number` is over; gives it back if it is.
    pub(super) fn when_changed(&mut self, number: u64, then: Then) -> Option<Then> {
        if number != self.number {
            return Some(then);
        }
        self.changed.push(then);
        None
    }

    /// A stream begins; nothing is under way and nothing unacknowledged.
    pub(super) fn attach(&mut self, session: u64, closer: Closer) -> u64 {
        self.attachment += 1;
        self.control.clear();
        self.stuck = false;
        self.line = Line::Live(Live { session, closer, base: self.newest, sent: self.newest });
        self.attachment
    }

    /// Takes an operation; gives it back if it is not sent.
    pub(super) fn record(&mut self, op: Op) -> (u64, Option<Op>) {
        self.newest += 1;
        let ticket = self.newest;
        let marks = self.touched.take(&op);
        let left = match self.line {
            Line::None => {
                self.done = ticket;
                Some(op)
            }
            Line::Broken => {
                self.queue.wait_for(ticket, weight(&op), marks);
                Some(op)
            }
            Line::Live(_) => {
                self.queue.push(ticket, op, marks);
                None
            }
        };
        self.throttled |=
            self.queue.bytes > self.options.queue_bytes || self.queue.len() > self.options.queue_ops;
        (ticket, left)
    }

    /// The next operations to send, with their sequences.
    pub(super) fn take_unsent(&mut self, attachment: u64, batch: Batch) -> Vec<(u64, Op)> {
        if self.live(attachment).is_none() {
            return Vec::new();
        }
        let mut taken = self.queue.take(batch);
        let newest = taken.last().map(|(ticket, _)| *ticket);
        if let (Some(live), Some(newest)) = (self.live(attachment), newest) {
            live.sent = newest;
            taken.iter_mut().for_each(|(ticket, _)| *ticket -= live.base);
        }
        taken
    }

    /// The secondary has everything up to `seq`; `None` if that was never sent.
    pub(super) fn acknowledge(&mut self, attachment: u64, seq: u64) -> Option<Vec<Then>> {
        let Some(live) = self.live(attachment) else { return Some(Vec::new()) };
        let ticket = live.base.checked_add(seq).filter(|ticket| *ticket <= live.sent)?;
        self.done = self.done.max(ticket);
        self.queue.acknowledge(ticket);
        let mut run = self.answered();
        let low = self.queue.bytes <= self.options.queue_bytes / 2
            && self.queue.len() <= self.options.queue_ops / 2;
        if self.throttled && low {
            self.throttled = false;
            // While they are held, who holds them knows the number.
            if self.gate == Gate::Open {
                run.extend(self.next_number());
            }
        }
        Some(run)
    }

    /// Keeps `then` until `ticket` is done; gives it back, to be run, if it is. That of a void one is gone.
    pub(super) fn when_acknowledged(&mut self, ticket: u64, then: Then) -> Option<Then> {
        if self.void.contains(&ticket) {
            return None;
        }
        if ticket <= self.done {
            return Some(then);
        }
        self.waits += 1;
        self.waiting.insert((ticket, self.waits), then);
        None
    }

    /// The stream is over. Its operations stay, to be marked.
    #[must_use]
    pub(super) fn lose(&mut self) -> Vec<Then> {
        let traceless = self.gate == Gate::ReadOnly && self.permits == 0 && self.queue.is_empty();
        self.line = if traceless { Line::None } else { Line::Broken };
        self.queue.stop_sending();
        self.marked = false;
        // Nobody compares any more; what begins waits for the automaton now.
        if self.gate == Gate::Held {
            self.gate = Gate::Open;
        }
        self.next_number()
    }

    /// Bytes of all that the secondary may lack.
    pub(super) fn unacknowledged(&self) -> Vec<Mark> {
        merged(self.queue.marks().chain(self.touched.marks()).cloned())
    }

    /// Nobody waits for the lost stream any more; what is returned was waiting.
    #[must_use]
    pub(super) fn release(&mut self) -> Vec<Then> {
        self.done = self.newest;
        self.queue.acknowledge(self.newest);
        self.throttled = false;
        self.answered()
    }

    /// As [`State::release`], for callers that must not be told that all is well; also those whose operation
    /// is recorded and who have not asked yet.
    #[must_use]
    pub(super) fn void(&mut self) -> Vec<Then> {
        self.void = self.done + 1..self.newest + 1;
        self.release()
    }

    /// Takes the callbacks of all that is done, in the order of the tickets.
    fn answered(&mut self) -> Vec<Then> {
        let later = self.waiting.split_off(&(self.done + 1, 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            ops: self.newest,
            bytes_sent: self.bytes_sent,
            unacked_ops: self.queue.len(),
            unacked_bytes: self.queue.bytes,
            oldest: self.queue.oldest().map(|since| since.elapsed()),
            permits: self.permits,
        }
    }

    pub(super) fn timeout(&self) -> ReplicatorError {
        ReplicatorError::Timeout { permits: self.permits, unacked: self.queue.len() }
    }
}
