//! The rescue archive (S6): before the data of a node that may hold what nobody else has is made equal
//! to the primary's, its files that differ are kept in `SAFEUSERVAR/rescue/<date>/`:
//!
//! - `archive.json`: what, why, from which history to which ([`Header`]);
//! - `manifest.jsonl`: a line for each file, directory or link ([`Entry`]);
//! - `files/<number>`: the bytes of regular files.
//!
//! [`Keeper`] writes it, in `rfsbox`, while the reintegration goes on; the other modules read it for
//! `safekit rescue`. Files are kept whole, as they were before the first byte of them changed. What was
//! brought from the primary already, by a reintegration that was interrupted, is never taken for data
//! of this node: its files are stamped later than its beginning.

mod copy;
mod entry;
mod files;
mod keeper;
mod read;
mod restore;

pub use entry::{Entry, Kind, What, escape, unescape};
pub use files::{Header, MOST, Room};
pub use keeper::{Keeper, Kept, Source};
pub use read::{Archive, Compared, Now, Purge, archives, diff, find, mark_read, purge, unread};
pub use restore::{Restored, Target, restore};

use crate::log::Lang;
use crate::told::attempt::Attempt;
use crate::told::{Tell, Told};
use std::path::{Path, PathBuf};

/// Why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RescueError {
    /// The system refused.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// File or directory.
        path: PathBuf,
        /// What was tried.
        action: Attempt,
        /// Why.
        source: std::io::Error,
    },
    /// A record.
    #[error(transparent)]
    Record(#[from] crate::node::record::RecordError),
    /// A line of a manifest is not ours.
    #[error("{path}: line {line} is damaged: {why}; the files are in files/", path = path.display())]
    Damaged {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// What was asked for makes no sense.
    #[error("{0}")]
    Refused(Told),
}

impl Tell for RescueError {
    fn french(&self) -> String {
        match self {
            RescueError::Io { path, action, source } => {
                format!("{} : impossible de {} : {source}", path.display(), action.french())
            }
            RescueError::Record(e) => e.french(),
            RescueError::Damaged { path, line, why } => format!(
                "{} : la ligne {line} est endommagée : {why} ; les fichiers sont dans files/",
                path.display()
            ),
            RescueError::Refused(why) => why.of(Lang::Fr).to_owned(),
        }
    }
}

/// Makes an error for `map_err`.
fn io<'a>(action: Attempt, path: &'a Path) -> impl Fn(std::io::Error) -> RescueError + 'a {
    move |source| RescueError::Io { path: path.to_owned(), action, source }
}

/// Directory of the archives in SAFEUSERVAR.
pub fn dir(uservar: &Path) -> PathBuf {
    uservar.join("rescue")
}
