//! Which bytes changed while there was no secondary (RFS-03, RFS-21).
//!
//! [`Zones`] survives a power failure: a zone is marked on disk before the first write to it begins.
//! [`Tracker`] lives in memory while a secondary reintegrates and says what changed since it was last
//! asked. [`Marks`] is both, as the replication uses them.
//!
//! **A name counts as bytes.** Who gives a file or a directory a name (creates, links, renames it) marks
//! the whole of it, `0..u64::MAX`, before: the secondary has something else under that name, so no
//! zone of it can be trusted there. It is then compared by hashes, which costs no traffic, and a new
//! file is marked once and for all.

mod log;
mod medium;
mod set;
mod store;
#[cfg(test)]
mod tests;
mod tracker;

pub use medium::{Append, Fill, Medium};
pub use set::ZoneSet;
pub use store::{Limits, Zones, ZonesError};
pub use tracker::{Changes, GRAIN, Tracker};

use crate::rfs::op::{FileKey, Op};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// Where the modifications of a primary without a secondary are noted.
#[derive(Clone, Debug)]
pub struct Marks {
    /// On disk, while alone.
    pub zones: Arc<Zones>,
    /// In memory, while a secondary reintegrates.
    pub tracker: Arc<Tracker>,
}

impl Marks {
    /// The bytes `range` of `file` are about to change; when this returns that is on disk. Empty: nothing
    /// happens; to `u64::MAX`: up to the end, whatever it will be.
    ///
    /// # Errors
    /// The marks could be made neither durable nor void; the modification must not begin.
    pub fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        self.tracker.touch(file, range.clone());
        self.zones.mark(file, range)
    }

    /// An operation is under way.
    pub fn note(&self, op: &Op) {
        self.tracker.note(op);
    }

    /// Whether anybody wants to know: zones are kept, or a secondary reintegrates.
    pub fn is_tracking(&self) -> bool {
        self.tracker.is_on() || self.zones.base().is_some()
    }
}
