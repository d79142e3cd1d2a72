//! What a secondary would have to copy now (RFS-62).

use super::Progress;
use super::beneath::{stat_at, walk};
use super::meta::{Meta, Verdict};
use crate::rfs::op::{FileKey, Name};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering;

/// Regular files that were modified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// How many.
    pub files: u64,
    /// Bytes of their zones, or of the whole file where the zones are unknown.
    pub bytes: u64,
}

/// Walks a primary's tree and adds up what its verdicts say.
///
/// # Errors
/// The tree cannot be read; it was cancelled.
pub fn diff(
    root: BorrowedFd<'_>,
    verdict: &dyn Fn(FileKey, &Meta) -> Verdict,
    replicated: &dyn Fn(&[Name]) -> bool,
    progress: &Progress,
) -> io::Result<Diff> {
    let mut sum = Diff::default();
    walk(root, |dir, path, name| {
        if !path.names().is_some_and(|names| replicated(&names)) {
            return Ok(false);
        }
        if progress.is_cancelled() {
            return Err(io::Error::other("it was cancelled"));
        }
        let meta = Meta::of(&stat_at(dir, name.as_bytes())?);
        progress.moved();
        if meta.is_file() {
            progress.files_known.fetch_add(1, Ordering::Relaxed);
            progress.files_done.fetch_add(1, Ordering::Relaxed);
            let dirty = match verdict(meta.key(), &meta) {
                Verdict::Clean => return Ok(false),
                Verdict::Zones(zones) => {
                    let inside = |&(from, to): &(u64, u64)| to.min(meta.size).saturating_sub(from);
                    zones.iter().map(inside).sum()
                }
                Verdict::HashAll | Verdict::CopyAll => meta.size,
            };
            sum.files += 1;
            sum.bytes += dirty;
        }
        Ok(meta.is_dir())
    })?;
    Ok(sum)
}
