//! The side of the volume.

use super::outlet;
use super::shared::Shared;
use super::state::{Gate, Line};
use super::{Replicator, StreamEvent};
use crate::rfs::journal::{Admission, Journal, Then, Ticket};
use crate::rfs::op::{FileKey, Op};
use rustix::io::Errno;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A modification is under way.
pub struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.permits -= 1;
        if state.permits == 0 {
            state.touched.clear();
            drop(state);
            self.0.settled.notify_all();
        }
    }
}

impl Journal for Replicator {
    type Permit = Permit;

    fn admit(&self) -> Admission<Permit> {
        let mut state = self.shared.lock();
        if state.gate == Gate::ReadOnly {
            return Admission::ReadOnly;
        }
        if !state.admits() {
            return Admission::Later(state.number);
        }
        state.permits += 1;
        Admission::Now(Permit(self.shared.clone()))
    }

    fn when_changed(&self, number: u64, then: Then) {
        let now = self.shared.lock().when_changed(number, then);
        if let Some(then) = now {
            then();
        }
    }

    fn touch(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        let mut state = self.shared.lock();
        if matches!(state.line, Line::Live(_)) {
            state.touched.push((file, range));
            return Ok(());
        }
        drop(state);
        // Also after the stream was lost: what was marked then did not know of this.
        self.shared.mark(file, range)
    }

    fn named(&self, file: FileKey, fresh: bool) -> io::Result<()> {
        let mut state = self.shared.lock();
        if matches!(state.line, Line::Live(_)) {
            state.touched.push((file, 0..u64::MAX));
            return Ok(());
        }
        drop(state);
        self.shared.marker.named(file, fresh)
    }

    fn peer(&self) -> u64 {
        let state = self.shared.lock();
        if matches!(state.line, Line::Live(_)) { state.attachment } else { 0 }
    }

    fn record(&self, op: Op) -> Ticket {
        // The others are done already: they go when the locks of the volume are given back.
        let early = matches!(op, Op::Write { .. } | Op::Fsync { .. });
        let (ticket, left) = self.shared.lock().record(op);
        match left {
            Some(op) => self.shared.marker.note(&op),
            None if early => outlet::send_now(&self.shared),
            None => {}
        }
        Ticket(ticket)
    }

    fn failed(&self, file: FileKey, range: Range<u64>) {
        let unmarked = self.shared.mark(file, range.clone()).err().map(|error| error.to_string());
        let attachment = self.shared.lock().attachment;
        (self.shared.events)(StreamEvent::LocalFailure { file, range, unmarked });
        self.shared.lose(attachment, "local work failed after it was sent");
    }

    fn refused(&self, reason: Errno) {
        (self.shared.events)(StreamEvent::Refused { reason });
    }

    fn when_acknowledged(&self, ticket: Ticket, then: Then) {
        let mut state = self.shared.lock();
        let now = state.when_acknowledged(ticket.0, then);
        let unsent = !state.queue.nothing_to_send();
        drop(state);
        if unsent {
            outlet::send_now(&self.shared);
        }
        if let Some(then) = now {
            then();
        }
    }
}
