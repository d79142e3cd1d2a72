//! Writing an archive while a reintegration goes on.

use super::copy::copy;
use super::entry::{Entry, Kind, What};
use super::files::{Header, MOST, Place, Room, places, sync_dir};
use super::{RescueError, io};
use crate::fsm::start::Rescue;
use crate::rfs::op::FileKey;
use crate::rfs::resync::TreePath;
use crate::rfs::resync::beneath::open_at;
use crate::rfs::resync::meta::{Entry as Found, xattrs};
use crate::told::attempt::Attempt;
use jiff::Timestamp;
use rustix::fs::OFlags;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an archive holds in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Name of the archive.
    pub name: String,
    /// Entries of the manifest.
    pub files: u64,
    /// Bytes of the files kept.
    pub bytes: u64,
    /// Files whose bytes are not kept for want of room.
    pub left_out: u64,
}

/// A replicated directory that is reintegrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its index.
    pub dir: usize,
    /// What was stamped at that time by this node's clock or later, ns since 1970, was brought from the
    /// primary.
    pub before: u64,
    /// The clock was set back since: stamps may lie.
    pub doubtful: bool,
}

/// Keeps the files of a node that may hold what nobody else has. The archive begins with the first file.
#[derive(Debug)]
pub struct Keeper {
    root: PathBuf,
    room: Room,
    header: Header,
    state: Mutex<Option<Writing>>,
}

#[derive(Debug)]
struct Writing {
    place: Place,
    manifest: File,
    /// Files that are in the manifest, their names, and the number of their bytes.
    known: HashMap<(usize, FileKey), (Vec<TreePath>, Option<u64>)>,
    next: u64,
    bytes: u64,
    kept: Kept,
}

impl Keeper {
    /// A keeper that goes on with the archive of an interrupted reintegration, or will begin one.
    ///
    /// # Errors
    /// What is there cannot be read.
    pub fn new(
        root: PathBuf,
        room: Room,
        why: Rescue,
        node: u8,
        dirs: Vec<PathBuf>,
    ) -> Result<Keeper, RescueError> {
        let began = Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
        let header = Header { began, why, node, dirs, open: true };
        let mut state = None;
        for place in places(&root)? {
            if place.is_open().is_some_and(|h| h.dirs == header.dirs) {
                state = Some(Writing::resume(place)?);
            }
        }
        Ok(Keeper { root, room, header, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, Option<Writing>> {
        // Who panicked has not begun to change the file that it was about to keep.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is at a path, durably; `dir` is its directory. Nothing to do if it was brought from the
    /// primary, or is kept. A file that has no room is listed only.
    ///
    /// # Errors
    /// The archive cannot be written: nothing may be changed then.
    pub fn keep(
        &self,
        from: Source,
        dir: &OwnedFd,
        path: &TreePath,
        what: What,
        acl: bool,
    ) -> Result<(), RescueError> {
        let Some((_, name)) = path.split() else { return Ok(()) };
        let shown = PathBuf::from(path.shown());
        let found = match Found::read(dir, name, acl) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(io(Attempt::Examine, &shown))?,
        };
        let file = (from.dir, found.meta.key());
        let mut state = self.state();
        let known = state.as_ref().and_then(|w| w.known.get(&file));
        if known.is_some_and(|(names, _)| names.contains(path))
            || (known.is_none() && found.meta.ctime >= from.before)
        {
            return Ok(());
        }
        // Another name of a file that is kept, and may be changed already.
        let stored = known.map(|(_, stored)| *stored);
        let xattrs = xattrs(dir, name, acl).map_err(io(Attempt::Examine, &shown))?;
        let Some(mut entry) = Entry::of(from.dir, path, what, &found, &xattrs) else { return Ok(()) };
        entry.doubtful = from.doubtful;
        let writing = match &mut *state {
            Some(writing) => writing,
            empty => empty.insert(self.begin()?),
        };
        match stored {
            Some(stored) => entry.stored = stored,
            None if entry.kind == Kind::File && what != What::Attributes => {
                self.bytes(writing, &mut entry, dir, name)?;
            }
            None => {}
        }
        writing.add(path, &entry)
    }

    /// Keeps the bytes of a file, if there is room.
    fn bytes(
        &self,
        writing: &mut Writing,
        entry: &mut Entry,
        dir: &OwnedFd,
        name: &[u8],
    ) -> Result<(), RescueError> {
        let file = match open_at(dir, name, OFlags::RDONLY).map(File::from) {
            Ok(file) => file,
            // What cannot be read cannot be kept, and not be copied over either: that is said there.
            Err(e) => {
                entry.left_out = Some(e.to_string());
                return Ok(());
            }
        };
        let meta = file.metadata().map_err(io(Attempt::Examine, &writing.place.0))?;
        let bytes = std::os::unix::fs::MetadataExt::blocks(&meta) * 512;
        if !self.make_room(writing, bytes)? {
            entry.left_out = Some("no room".to_owned());
            return Ok(());
        }
        let number = writing.next;
        let path = writing.place.file(number);
        let mut options = OpenOptions::new();
        let to = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let to = to.map_err(io(Attempt::Create, &path))?;
        match copy(&file, &to).and_then(|hash| to.sync_all().map(|()| hash)) {
            Ok(hash) => {
                sync_dir(&writing.place.files())?;
                writing.next += 1;
                writing.bytes += bytes;
                (entry.stored, entry.hash) = (Some(number), Some(hash));
            }
            Err(e) if matches!(e.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG)) => {
                std::fs::remove_file(&path).map_err(io(Attempt::Remove, &path))?;
                entry.left_out = Some("no room".to_owned());
            }
            Err(e) => return Err(io(Attempt::Write, &path)(e)),
        }
        Ok(())
    }

    /// Whether so many bytes fit. Older archives go for it, the oldest first.
    fn make_room(&self, writing: &Writing, bytes: u64) -> Result<bool, RescueError> {
        let mut others = Vec::new();
        for place in places(&self.root)?.into_iter().filter(|p| p.0 != writing.place.0) {
            others.push((place.bytes()?, place));
        }
        let older: u64 = others.iter().map(|(bytes, _)| bytes).sum();
        let free = self.room.free(&self.root)?;
        let needed = writing.bytes.saturating_add(bytes);
        if needed > self.room.limit || bytes > free.saturating_add(older) {
            return Ok(false);
        }
        let mut gone = 0;
        for (size, place) in others {
            if needed + (older - gone) <= self.room.limit && bytes <= free + gone {
                break;
            }
            tracing::warn!(archive = %place.0.display(), "an older rescue archive makes room for a new one");
            place.remove()?;
            gone += size;
        }
        Ok(needed + (older - gone) <= self.room.limit && bytes <= free + gone)
    }

    fn begin(&self) -> Result<Writing, RescueError> {
        let others = places(&self.root)?;
        for place in others.iter().take((others.len() + 1).saturating_sub(MOST)) {
            tracing::warn!(archive = %place.0.display(), "the oldest of too many rescue archives is removed");
            place.remove()?;
        }
        let place = Place(self.root.join(fresh(&self.header.began, others.last())));
        place.create(&self.header)?;
        Writing::resume(place)
    }

    /// The reintegration has ended well: the archive is complete. `None`: nothing differed.
    ///
    /// # Errors
    /// That cannot be noted.
    pub fn finish(&self) -> Result<Option<Kept>, RescueError> {
        let Some(writing) = self.state().take() else { return Ok(None) };
        close(&writing.place)?;
        Ok(Some(writing.kept))
    }

    /// Notes that this node's directories change by themselves from now on: an archive that waits for
    /// the end of an interrupted reintegration is complete as it is.
    ///
    /// # Errors
    /// That cannot be noted.
    pub fn close_all(root: &std::path::Path) -> Result<Option<Kept>, RescueError> {
        let mut last = None;
        for place in places(root)? {
            if place.is_open().is_some() {
                last = Some(Writing::resume(place.clone())?.kept);
                close(&place)?;
            }
        }
        Ok(last)
    }
}

/// A name that sorts after that of the newest archive, also in the same second, or when the clock was
/// set back.
fn fresh(began: &str, newest: Option<&Place>) -> String {
    let newest = newest.map(Place::name).unwrap_or_default();
    if began > newest.as_str() {
        return began.to_owned();
    }
    let (base, number) = newest.split_once("Z-").unwrap_or((newest.trim_end_matches('Z'), "0"));
    format!("{base}Z-{:06}", number.parse::<u32>().unwrap_or_default().saturating_add(1))
}

fn close(place: &Place) -> Result<(), RescueError> {
    if let Some(header) = place.load_header()? {
        crate::node::record::store(&place.header(), &Header { open: false, ..header })?;
    }
    Ok(())
}

impl Writing {
    fn resume(place: Place) -> Result<Writing, RescueError> {
        let manifest = place.append()?;
        let name = place.name();
        let bytes = place.bytes()?;
        let kept = Kept { name, ..Kept::default() };
        let mut writing = Writing { manifest, known: HashMap::new(), next: 1, bytes, kept, place };
        for entry in writing.place.load_manifest()? {
            if let Some(path) = entry.tree_path() {
                writing.note(&path, &entry);
            }
        }
        Ok(writing)
    }

    fn add(&mut self, path: &TreePath, entry: &Entry) -> Result<(), RescueError> {
        self.place.add(&mut self.manifest, entry)?;
        self.note(path, entry);
        Ok(())
    }

    fn note(&mut self, path: &TreePath, entry: &Entry) {
        let (names, stored) = self.known.entry((entry.dir, entry.file())).or_default();
        if names.is_empty() && entry.stored.is_some() {
            self.kept.bytes += entry.size;
        }
        names.push(path.clone());
        *stored = entry.stored;
        self.next = self.next.max(entry.stored.map_or(0, |n| n + 1));
        self.kept.files += 1;
        self.kept.left_out += u64::from(entry.left_out.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_archive_sorts_last() {
        let name = |began: &str, newest: &str| fresh(began, Some(&Place(PathBuf::from(newest))));
        assert_eq!(fresh("2026-03-01T12-00-00Z", None), "2026-03-01T12-00-00Z");
        assert_eq!(name("2026-03-01T12-00-01Z", "/r/2026-03-01T12-00-00Z"), "2026-03-01T12-00-01Z");
        assert_eq!(name("2026-03-01T12-00-00Z", "/r/2026-03-01T12-00-00Z"), "2026-03-01T12-00-00Z-000001");
        let after = name("2026-02-01T12-00-00Z", "/r/2026-03-01T12-00-00Z-000009");
        assert_eq!(after, "2026-03-01T12-00-00Z-000010", "the clock was set back");
    }
}
