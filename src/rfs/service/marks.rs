//! What is durably known of a directory besides its zones.
//!
//! - *settled(g)*: the directory is, and durably so, what the primary's was when this node left its
//!   stream in generation g. Written when a secondary has applied and synced all it received, or when
//!   a primary has left with everything acknowledged. Removed before the directory changes again.
//!   It carries this node's clock: what is stamped later was changed behind the mount.
//! - *valid(g)*: the zones say everything that this node changed since generation g, and all that it
//!   had written before is on its disk: a power failure cannot take it back. Removed when a stream is
//!   attached, since nothing is marked then. It also carries the clock up to which nobody but the
//!   mount changed anything; later changes are looked for before the zones are used again.
//!
//! - *following(t)*: since t, by this node's clock, its files come from the primary. Written before the
//!   first reintegration changes anything, removed before the directory takes modifications: what is
//!   stamped later is nothing that only this node has.
//!
//! A directory settled at g needs of a primary valid at g only the marked zones; in every other case
//! both sides compare hashes.

use crate::lock::lock;
use crate::node::record::{self, RecordError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Where the directory is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The generation.
    pub generation: u64,
    /// This node's clock then, ns since 1970: who changed a file later did it behind the mount.
    pub at: u64,
}

/// What the zones are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valid {
    /// The generation that they begin in.
    pub generation: u64,
    /// This node's clock when they began, ns since 1970: what was made later is not in the zones.
    pub since: u64,
    /// This node's clock, ns since 1970, up to which only the mount changed files.
    pub until: u64,
}

/// The marks of one directory.
#[derive(Debug)]
pub struct Marks {
    settled: PathBuf,
    valid: PathBuf,
    following: PathBuf,
    /// Held while `valid` is replaced by what depends on it.
    change: Mutex<()>,
}

impl Marks {
    /// Those kept in `dir`.
    pub fn new(dir: &Path) -> Marks {
        Marks {
            settled: dir.join("settled.json"),
            valid: dir.join("valid.json"),
            following: dir.join("following.json"),
            change: Mutex::default(),
        }
    }

    /// Where the directory is settled. A file that cannot be read says nothing.
    pub fn settled(&self) -> Option<Settled> {
        read(&self.settled)
    }

    /// What the zones are good for; none: nothing.
    pub fn valid(&self) -> Option<Valid> {
        read(&self.valid)
    }

    /// Since when its files come from the primary, ns since 1970; `None`: they are this node's own.
    pub fn following(&self) -> Option<u64> {
        read(&self.following)
    }

    /// Says since when its files come from the primary; `None`: it takes modifications from now on.
    pub fn follow(&self, since: Option<u64>) -> Result<(), RecordError> {
        write(&self.following, since)
    }

    /// Says that the directory is settled; `None`: it changes from now on.
    pub fn settle(&self, settled: Option<Settled>) -> Result<(), RecordError> {
        write(&self.settled, settled)
    }

    /// Says that the zones are complete; `None`: not any more.
    pub fn validate(&self, valid: Option<Valid>) -> Result<(), RecordError> {
        let _change = lock(&self.change);
        write(&self.valid, valid)
    }

    /// Only the mount changed files up to now; nothing to do if the zones are not complete.
    pub fn watched(&self, until: u64) -> Result<(), RecordError> {
        let _change = lock(&self.change);
        match self.valid() {
            Some(valid) => write(&self.valid, Some(Valid { until, ..valid })),
            None => Ok(()),
        }
    }
}

/// The generation of a directory that is as it was when this backup was taken. Generations are random
/// numbers: no other one is the same.
pub fn of_backup(uid: &str) -> u64 {
    let hash = blake3::hash(uid.as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[1; 8], &[]));
    u64::from_le_bytes(*first).max(1)
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    record::load(path).unwrap_or_else(|error| {
        tracing::warn!(%error, "a mark of replication says nothing: hashes are compared");
        None
    })
}

fn write<T: Serialize>(path: &Path, value: Option<T>) -> Result<(), RecordError> {
    match value {
        Some(value) => record::store(path, &value),
        None => record::remove(path).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_and_taken_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let marks = Marks::new(dir.path());
        assert_eq!((marks.settled(), marks.valid()), (None, None));
        let settled = Settled { generation: 7, at: 3 };
        marks.settle(Some(settled)).expect("it is writable");
        marks.watched(2).expect("there is nothing to write");
        assert_eq!(marks.valid(), None, "watching alone makes no zones complete");
        let valid = Valid { generation: 9, since: 1, until: 1 };
        marks.validate(Some(valid)).expect("it is writable");
        assert_eq!((Marks::new(dir.path()).settled(), marks.valid()), (Some(settled), Some(valid)));
        marks.settle(None).expect("it is writable");
        marks.watched(5).expect("it is writable");
        assert_eq!((marks.settled(), marks.valid()), (None, Some(Valid { until: 5, ..valid })));
    }

    #[test]
    fn a_damaged_mark_says_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let marks = Marks::new(dir.path());
        std::fs::write(dir.path().join("settled.json"), "9\n#blake3 00\n").expect("it is writable");
        assert_eq!(marks.settled(), None);
    }
}
