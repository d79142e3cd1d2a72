//! What was changed behind the mount while the module was stopped.

use super::beneath::{stat_at, stat_fd, walk};
use super::meta::Meta;
use crate::rfs::op::{FileKey, Name};
use std::io;
use std::os::fd::BorrowedFd;

/// The regular files below `root` that were changed at `at` by this node's clock (ns since 1970) or
/// later, and the directories that may have been moved then. Only what `wanted` says is looked at.
///
/// # Errors
/// The tree cannot be read.
pub fn touched_since(
    root: BorrowedFd<'_>,
    at: u64,
    wanted: impl Fn(&[Name]) -> bool,
) -> io::Result<Vec<FileKey>> {
    let mut found = Vec::new();
    walk(root, |dir, path, name| {
        if !path.names().is_some_and(|names| wanted(&names)) {
            return Ok(false);
        }
        let meta = Meta::of(&stat_at(dir, name.as_bytes())?);
        if meta.is_file() && meta.touched_since(at) {
            found.push(meta.key());
        }
        // Who moves a directory changes it and the one that it is in.
        if meta.is_dir() && meta.ctime >= at && Meta::of(&stat_fd(dir)?).ctime >= at {
            found.push(meta.key());
        }
        Ok(meta.is_dir())
    })?;
    Ok(found)
}
