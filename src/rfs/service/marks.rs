//! What is durably known of a directory besides its zones.
//!
//! - *settled(g)*: the directory is, and durably so, what the primary's was when this node left its
//!   stream in generation g. Written when a secondary has applied and synced all it received, or when
//!   a primary has left with everything acknowledged. Removed before the directory changes again.
//! - *valid(g)*: the zones say everything that this node changed since generation g, and all that it
//!   had written before is on its disk: a power failure cannot take it back. Removed when a stream is
//!   attached, since nothing is marked then.
//!
//! A directory settled at g needs of a primary valid at g only the marked zones; in every other case
//! both sides compare hashes.

use crate::node::record::{self, RecordError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the zones are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Valid {
    /// The generation that they begin in.
    pub generation: u64,
    /// This node's clock when they began, ns since 1970: what was made later is not in the zones.
    pub since: u64,
}

/// The marks of one directory.
#[derive(Debug)]
pub struct Marks {
    settled: PathBuf,
    valid: PathBuf,
}

impl Marks {
    /// Those kept in `dir`.
    pub fn new(dir: &Path) -> Marks {
        Marks { settled: dir.join("settled.json"), valid: dir.join("valid.json") }
    }

    /// Generation that the directory is settled at. A file that cannot be read says nothing.
    pub fn settled(&self) -> Option<u64> {
        read(&self.settled)
    }

    /// What the zones are good for; none: nothing.
    pub fn valid(&self) -> Option<Valid> {
        read(&self.valid)
    }

    /// Says that the directory is settled; `None`: it changes from now on.
    pub fn settle(&self, generation: Option<u64>) -> Result<(), RecordError> {
        write(&self.settled, generation)
    }

    /// Says that the zones are complete; `None`: not any more.
    pub fn validate(&self, valid: Option<Valid>) -> Result<(), RecordError> {
        write(&self.valid, valid)
    }
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
        marks.settle(Some(7)).expect("it is writable");
        let valid = Valid { generation: 9, since: 1 };
        marks.validate(Some(valid)).expect("it is writable");
        assert_eq!((Marks::new(dir.path()).settled(), marks.valid()), (Some(7), Some(valid)));
        marks.settle(None).expect("it is writable");
        assert_eq!((marks.settled(), marks.valid()), (None, Some(valid)));
    }

    #[test]
    fn a_damaged_mark_says_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let marks = Marks::new(dir.path());
        std::fs::write(dir.path().join("settled.json"), "9\n#blake3 00\n").expect("it is writable");
        assert_eq!(marks.settled(), None);
    }
}
