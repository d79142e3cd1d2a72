//! Operations on their way: recorded, sent, acknowledged. And the bytes that are about to be changed, whose
//! operation is not recorded yet.

use crate::rfs::op::{FileKey, Op};
use crate::rfs::wire::weight;
use std::collections::VecDeque;
use std::ops::Range;
use std::thread::ThreadId;
use std::time::Instant;

/// Bytes of a file.
pub(super) type Mark = (FileKey, Range<u64>);

/// Operations that are sent without looking at the state in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// Most of them.
    pub(super) ops: usize,
    /// About as many bytes.
    pub(super) bytes: usize,
    /// Bytes of one.
    pub(super) largest: usize,
}

struct Unacked {
    ticket: u64,
    since: Instant,
    bytes: usize,
    marks: Vec<Mark>,
}

/// The operations that are not acknowledged, oldest first.
#[derive(Default)]
pub(super) struct Queue {
    unacked: VecDeque<Unacked>,
    /// Their bytes.
    pub(super) bytes: usize,
    unsent: VecDeque<(u64, Op)>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.unacked.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.unacked.len()
    }

    pub(super) fn oldest(&self) -> Option<Instant> {
        self.unacked.front().map(|oldest| oldest.since)
    }

    /// Recorded, and to be sent.
    pub(super) fn push(&mut self, ticket: u64, op: Op, marks: Vec<Mark>) {
        self.wait_for(ticket, weight(&op), marks);
        self.unsent.push_back((ticket, op));
    }

    /// Recorded after the stream was lost.
    pub(super) fn wait_for(&mut self, ticket: u64, bytes: usize, marks: Vec<Mark>) {
        self.bytes += bytes;
        self.unacked.push_back(Unacked { ticket, since: Instant::now(), bytes, marks });
    }

    /// The next operations to send, up to one that is too large.
    pub(super) fn take(&mut self, batch: Batch) -> Vec<(u64, Op)> {
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < batch.ops && size < batch.bytes {
            let Some(next) = self.unsent.pop_front_if(|next| weight(&next.1) <= batch.largest) else { break };
            size += weight(&next.1);
            taken.push(next);
        }
        taken
    }

    pub(super) fn nothing_to_send(&self) -> bool {
        self.unsent.is_empty()
    }

    /// Nothing is sent any more; what is not acknowledged stays known.
    pub(super) fn stop_sending(&mut self) {
        self.unsent.clear();
    }

    /// Everything up to `ticket` is done.
    pub(super) fn acknowledge(&mut self, ticket: u64) {
        while let Some(done) = self.unacked.pop_front_if(|oldest| oldest.ticket <= ticket) {
            self.bytes -= done.bytes;
        }
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.unacked.iter().flat_map(|op| &op.marks)
    }
}

/// What was announced by `touch` and is not recorded yet. The volume does both on one thread, under a permit.
#[derive(Default)]
pub(super) struct Touched(Vec<(ThreadId, Mark)>);

impl Touched {
    pub(super) fn push(&mut self, mark: Mark) {
        self.0.push((std::thread::current().id(), mark));
    }

    /// The marks of this operation: what its thread has announced. A modification that was given up after it
    /// was announced leaves its mark to the next one of the thread: a zone too many, but never one too few.
    pub(super) fn take(&mut self, op: &Op) -> Vec<Mark> {
        let bytes = matches!(op, Op::Write { .. } | Op::Truncate { .. } | Op::Allocate { .. });
        let names = matches!(
            op,
            Op::Create { .. } | Op::Symlink { .. } | Op::Tmpfile { .. } | Op::Link { .. } | Op::Rename { .. }
        );
        if !bytes && !names {
            return Vec::new();
        }
        let thread = std::thread::current().id();
        let own = |entry: &(ThreadId, Mark)| entry.0 == thread;
        let marks: Vec<Mark> = self.0.iter().filter(|e| own(e)).map(|(_, mark)| mark.clone()).collect();
        if names {
            // A rename announces two files at most; all of it is this operation's.
            self.0.retain(|entry| !own(entry));
            return marks;
        }
        if let Some(oldest) = self.0.iter().position(own) {
            self.0.remove(oldest);
            return marks;
        }
        // Announced on another thread, against the contract: it is one of these.
        self.0.iter().map(|(_, mark)| mark.clone()).collect()
    }

    /// No modification is under way: what is left belongs to some that were given up.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.0.iter().map(|(_, mark)| mark)
    }
}

/// The same bytes in as few ranges as possible: each costs a durable write.
pub(super) fn merged(marks: impl Iterator<Item = Mark>) -> Vec<Mark> {
    let mut all: Vec<Mark> = marks.filter(|(_, range)| !range.is_empty()).collect();
    all.sort_by_key(|(file, range)| (*file, range.start));
    let mut merged: Vec<Mark> = Vec::new();
    for (file, range) in all {
        match merged.last_mut() {
            Some((last, before)) if *last == file && range.start <= before.end => {
                before.end = before.end.max(range.end);
            }
            _ => merged.push((file, range)),
        }
    }
    merged
}
