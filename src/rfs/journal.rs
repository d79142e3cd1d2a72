//! Where the modifications of a replicated directory go: the seam between the file system, which
//! does them locally, and the replication, which sends or tracks them.

use super::op::{FileKey, Op};
use rustix::io::Errno;
use std::io;
use std::ops::Range;

/// Whether a modification may begin.
#[derive(Debug)]
pub enum Admission<P> {
    /// Now. The permit is held until the local work is done and its operations are recorded; who
    /// wants to close the directory for modifications waits for all permits to be dropped.
    Now(P),
    /// Refused with EROFS: this node is not primary.
    ReadOnly,
    /// Not now: keep the request and ask again when the mode with this number has changed
    /// ([`Journal::when_changed`]).
    Later(u64),
}

/// Place of a recorded operation in the order; acknowledgements are cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Something to run later, on a thread that must not block for long. It is run at most once; dropped without
/// being run, the answer to its caller is EIO (the stream was lost while the directory was being closed).
pub type Then = Box<dyn FnOnce() + Send>;

/// Takes the modifications of one replicated directory. Nothing here waits for the peer.
///
/// A modification goes: [`admit`](Journal::admit); [`touch`](Journal::touch) if it changes the
/// bytes of a file; then, under the lock that orders it with all it could collide with (the names
/// of the directory, the bytes of the file), the local work and [`record`](Journal::record), for a
/// write in the other order; at last [`when_acknowledged`](Journal::when_acknowledged), whose
/// callback answers the caller.
pub trait Journal: Send + Sync + 'static {
    /// Held while a modification is under way.
    type Permit: Send + 'static;

    /// May a modification begin?
    fn admit(&self) -> Admission<Self::Permit>;

    /// Runs `then` once the mode numbered `number` is over; at once if it is over already.
    fn when_changed(&self, number: u64, then: Then);

    /// The bytes `range` of `file` are about to change. Alone, their zones are durably marked when
    /// this returns, which may take an fsync; an error forbids the modification.
    fn touch(&self, file: FileKey, range: Range<u64>) -> io::Result<()>;

    /// `file` is about to get a name, or has just got its first one (`fresh`, before anybody is
    /// answered). What the secondary has under that name is another file, so no zone of it can be
    /// trusted there. An error forbids the modification.
    fn named(&self, file: FileKey, fresh: bool) -> io::Result<()>;

    /// Identity of the peer's knowledge of ids: 0 while there is no peer; another number after each
    /// attachment. An id that was bound under another number must be bound again before it is named.
    fn peer(&self) -> u64;

    /// Takes an operation; never blocks on the network or a disk.
    fn record(&self, op: Op) -> Ticket;

    /// The local work of a recorded operation did not do what was recorded (a short or failed write):
    /// what is on this node's disk has to be sent again for this range.
    fn failed(&self, file: FileKey, range: Range<u64>);

    /// The disk of this node did not do what it was asked, for this reason, and the caller is told so.
    /// What was recorded of it, if anything, says what is there.
    fn refused(&self, reason: Errno);

    /// Runs `then` when everything up to `ticket` is acknowledged, or released by the automaton;
    /// at once when there is no peer.
    fn when_acknowledged(&self, ticket: Ticket, then: Then);
}

/// A journal of a directory without a peer: everything may begin at once and is acknowledged at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Journal for Local {
    type Permit = ();

    fn admit(&self) -> Admission<()> {
        Admission::Now(())
    }

    fn when_changed(&self, _number: u64, then: Then) {
        then();
    }

    fn touch(&self, _file: FileKey, _range: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    fn named(&self, _file: FileKey, _fresh: bool) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> u64 {
        0
    }

    fn record(&self, _op: Op) -> Ticket {
        Ticket::default()
    }

    fn failed(&self, _file: FileKey, _range: Range<u64>) {}

    fn refused(&self, _reason: Errno) {}

    fn when_acknowledged(&self, _ticket: Ticket, then: Then) {
        then();
    }
}
