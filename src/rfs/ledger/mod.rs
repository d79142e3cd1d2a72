//! What the kernel knows of a mounted directory, written down so that it outlives this process: the
//! numbers of nodes and of open files, and modifications that are done but not answered (ADR 9).
//!
//! Each record is some stores to memory under a lock, no system call. Records are appended where what
//! they say happens, under the lock of that; when they have become many more than what they come to,
//! all is written anew.

mod memory;
mod record;

pub use record::{Intent, KeptIntent, Key, Mode, NodeRecord, Outcome, Record};

use memory::Memory;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of records at most: about two million nodes with their names.
const MOST: usize = 512 << 20;
/// Bytes below which nothing is written anew.
const FEW: usize = 8 << 20;
/// A bit that the kernel sets in the number of a request which it sends again.
const RESENT: u64 = 1 << 63;

/// The records of one mount.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<State>,
    /// There is much more written than needed.
    long: AtomicBool,
}

#[derive(Debug)]
struct State {
    memory: Memory,
    /// Bytes at which all is to be written anew.
    limit: usize,
    session: Option<(u32, u64)>,
    mode: Mode,
}

/// Why there is nothing to go on with.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No memory, or it is not of a ledger.
    #[error("the records of the mount cannot be used: {0}")]
    Memory(#[from] Errno),
    /// The process that wrote them could not write all.
    #[error("the records of the mount are not complete")]
    Void,
    /// They contradict themselves.
    #[error("the records of the mount are damaged")]
    Damaged,
}

/// The number of a request, whether or not it is sent again.
pub fn plain(unique: u64) -> u64 {
    unique & !RESENT
}

/// Whether the kernel sends this request once more, since nobody has answered it.
pub fn is_resent(unique: u64) -> bool {
    unique & RESENT != 0
}

impl Ledger {
    /// An empty one.
    ///
    /// # Errors
    /// There is no memory to be had.
    pub fn create() -> Result<Ledger, LedgerError> {
        Ok(Ledger::of(Memory::create(MOST)?))
    }

    /// One that another process has left.
    ///
    /// # Errors
    /// See [`LedgerError`].
    pub fn adopt(fd: OwnedFd) -> Result<Ledger, LedgerError> {
        let memory = Memory::adopt(fd)?;
        if memory.is_void() { Err(LedgerError::Void) } else { Ok(Ledger::of(memory)) }
    }

    fn of(memory: Memory) -> Ledger {
        let state = State { memory, limit: FEW, session: None, mode: Mode::Closed };
        Ledger { state: Mutex::new(state), long: AtomicBool::new(false) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A record counts once it is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the descriptor that is to be kept elsewhere.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn descriptor(&self) -> Result<OwnedFd, Errno> {
        rustix::io::dup(self.lock().memory.fd())
    }

    /// The same without a copy, for as long as `with` takes.
    pub fn with_descriptor<T>(&self, with: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        with(self.lock().memory.fd())
    }

    /// Writes a record down. Without room for it the ledger is void from then on: nobody can go on with
    /// this mount.
    pub fn note(&self, record: &Record<'_>) {
        let mut state = self.lock();
        let State { memory, limit, session, mode } = &mut *state;
        match *record {
            Record::Session { minor, flags } => *session = Some((minor, flags)),
            Record::Mode(now) => *mode = now,
            _ => {}
        }
        if !record.write(&mut |parts| memory.append(parts)) {
            drop(state);
            return self.give_up("there is no room for more");
        }
        if memory.used() > *limit {
            self.long.store(true, Ordering::Relaxed);
        }
    }

    /// The records are not complete from here on.
    pub fn give_up(&self, why: &str) {
        let state = self.lock();
        if !state.memory.is_void() {
            state.memory.set_void();
            tracing::warn!("the mount would not survive the end of this process from now on: {why}");
        }
    }

    /// Whether somebody could go on with this mount.
    pub fn is_void(&self) -> bool {
        self.lock().memory.is_void()
    }

    /// How the directory takes modifications.
    pub fn mode(&self) -> Mode {
        self.lock().mode
    }

    /// Much more is written than needed: [`Ledger::rewrite`] is due. Says so once.
    pub fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed) && self.long.swap(false, Ordering::Relaxed)
    }

    /// Writes anew what `all` gives to its argument. The caller lets nothing change meanwhile.
    pub fn rewrite(&self, all: impl FnOnce(&mut dyn FnMut(&Record<'_>))) {
        let mut state = self.lock();
        let State { memory, limit, session, mode } = &mut *state;
        let (session, mode) = (*session, *mode);
        let whole = memory.rewrite(|put| {
            let mut fits = true;
            let mut write = |record: &Record<'_>| fits = fits && record.write(put);
            if let Some((minor, flags)) = session {
                write(&Record::Session { minor, flags });
            }
            write(&Record::Mode(mode));
            all(&mut write);
            fits
        });
        // Without room it goes on as it was, as long as that has room.
        *limit = if whole { FEW.max(2 * memory.used()) } else { usize::MAX };
    }

    /// Gives every record to `each`, which says whether it makes sense.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`].
    pub fn replay(&self, mut each: impl FnMut(&Record<'_>) -> bool) -> Result<(), LedgerError> {
        let mut state = self.lock();
        let State { memory, session, mode, .. } = &mut *state;
        for record in record::read(memory.bytes()) {
            let record = record.ok_or(LedgerError::Damaged)?;
            match record {
                Record::Session { minor, flags } => *session = Some((minor, flags)),
                Record::Mode(now) => *mode = now,
                ref other => {
                    if !each(other) {
                        return Err(LedgerError::Damaged);
                    }
                }
            }
        }
        Ok(())
    }

    /// What was agreed on with the kernel: minor version and flags; known after [`Ledger::replay`].
    pub fn session(&self) -> Option<(u32, u64)> {
        self.lock().session
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64) -> Record<'static> {
        let handle = &[1, 2, 3][..];
        Record::Node(NodeRecord {
            id,
            dev: 1,
            ino: id,
            birth: 5,
            kind: libc::S_IFREG,
            replicated: true,
            lookups: 1,
            unnamed: None,
            handle_kind: 1,
            handle,
        })
    }

    fn found(ledger: &Ledger) -> (Ledger, Vec<String>) {
        let next = Ledger::adopt(ledger.descriptor().unwrap()).unwrap();
        let mut all = Vec::new();
        next.replay(|record| {
            all.push(format!("{record:?}"));
            true
        })
        .unwrap();
        (next, all)
    }

    #[test]
    fn records_are_found_by_the_next_process() {
        let ledger = Ledger::create().unwrap();
        let name = &[b'n'; 255][..];
        let renamed = Intent::Renamed {
            from: (1, name),
            to: (2, name),
            key: (u64::MAX, u64::MAX, u64::MAX),
            over: Some((u64::MAX, 0, 0)),
            exchange: true,
        };
        let all = [
            node(2),
            Record::Linked { id: 2, parent: 1, name },
            Record::Begun(u64::MAX, true, renamed),
            Record::Ended(8, false, Outcome::Created(7, 9)),
            Record::Answered(8),
        ];
        ledger.note(&Record::Session { minor: 45, flags: 3 });
        ledger.note(&Record::Mode(Mode::Alone(7, true)));
        all.iter().for_each(|record| ledger.note(record));
        let (next, records) = found(&ledger);
        assert_eq!(records, all.map(|r| format!("{r:?}")));
        assert_eq!((next.session(), next.mode()), (Some((45, 3)), Mode::Alone(7, true)));
        next.rewrite(|write| write(&node(3)));
        next.note(&Record::LookedUp(3));
        let (last, records) = found(&next);
        assert_eq!(records, [format!("{:?}", node(3)), "LookedUp(3)".to_owned()]);
        assert_eq!((last.session(), last.mode()), (Some((45, 3)), Mode::Alone(7, true)));
    }

    #[test]
    fn many_records_are_to_be_written_anew_and_a_void_ledger_is_refused() {
        let ledger = Ledger::create().unwrap();
        while !ledger.is_long() {
            ledger.note(&node(2));
        }
        assert!(!ledger.is_long(), "said once");
        ledger.rewrite(|write| write(&node(2)));
        assert_eq!(found(&ledger).1.len(), 1);
        ledger.give_up("a test");
        assert!(ledger.is_void());
        assert!(matches!(Ledger::adopt(ledger.descriptor().unwrap()), Err(LedgerError::Void)));
    }

    #[test]
    fn damaged_records_are_no_records() {
        for bytes in [&[9, 0, 1][..], &[1, 0, 255], &[1]] {
            let mut memory = Memory::create(4096).unwrap();
            assert!(memory.append(&[bytes]));
            assert!(matches!(Ledger::of(memory).replay(|_| true), Err(LedgerError::Damaged)));
        }
    }
}
