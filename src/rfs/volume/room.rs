//! Whether the disk has room. Where it has little, a write is done here before it is recorded: what
//! this disk does not take is not sent either, since the secondary's may be as full.

use rustix::fd::AsFd;
use std::sync::atomic::{AtomicI64, Ordering};

/// Free bytes below which the disk counts as nearly full.
const LITTLE: i64 = 64 << 20;

/// Free space of the file system, looked at again after half of it could have been used up.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicI64);

impl Room {
    /// Whether there is little room for `bytes` more in the file system of `file`.
    pub(super) fn is_little(&self, file: impl AsFd, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        if self.0.fetch_sub(bytes, Ordering::Relaxed) > bytes {
            return false;
        }
        let free =
            rustix::fs::fstatfs(file).map_or(0, |s| s.f_bavail.saturating_mul(s.f_bsize.unsigned_abs()));
        let spare = i64::try_from(free).unwrap_or(i64::MAX) - LITTLE;
        self.0.store(spare / 2, Ordering::Relaxed);
        spare <= bytes
    }

    /// The disk was full: the next write looks at it.
    pub(super) fn doubt(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_seen_at_each_write_and_a_large_one_seldom() {
        let room = Room::default();
        let file = tempfile::tempfile().expect("a file");
        assert!(!room.is_little(&file, 4096), "the machine of this test has a nearly full disk");
        let before = room.0.load(Ordering::Relaxed);
        assert!(!room.is_little(&file, 4096));
        assert_eq!(room.0.load(Ordering::Relaxed), before - 4096, "it was not looked at again");
        // A process has no room to speak of.
        let none = std::fs::File::open("/proc/self/status").expect("it is there");
        let room = Room::default();
        assert!(room.is_little(&none, 1) && room.is_little(&none, 1));
    }
}
