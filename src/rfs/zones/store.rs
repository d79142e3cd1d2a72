//! Zones on disk and in memory; marks of many threads share one sync.

use super::log::{Log, Mark, load};
use super::medium::{Disk, Medium};
use super::set::{Files, ZoneSet, zones_of};
use crate::lock::lock;
use crate::rfs::op::FileKey;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Records beyond which a log is written anew, when it holds four times what it needs.
const COMPACT: usize = 65_536;

/// Why zones cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum ZonesError {
    /// The directory or the file in it cannot be used.
    #[error(
        "the zone bitmap in {path} cannot be opened: {source}; check that the disk is mounted and writable"
    )]
    Open {
        /// Directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Configuration.
    #[error("a zone of {0} bytes is too small; ruzone_blocksize must be at least 4 KiB")]
    ZoneBytes(u64),
}

/// How much is kept before the set says that it knows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Ranges of zones.
    pub ranges: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { files: 1 << 20, ranges: 1 << 21 }
    }
}

#[derive(Debug, Default)]
struct State {
    base: Option<u64>,
    /// What is on disk.
    files: Files,
}

/// Marks that wait for their sync.
#[derive(Debug)]
struct Queue {
    pending: Vec<Mark>,
    /// Number of the batch that is being collected.
    next: u64,
    /// Number of the last batch that is on disk.
    done: u64,
    /// A thread is writing a batch.
    busy: bool,
    /// Last batch that failed, and its errno.
    failed: (u64, i32),
}

/// The durable set of dirty zones of one replicated directory.
///
/// While its base is unknown nothing is kept: reintegration examines everything then.
#[derive(Debug)]
pub struct Zones {
    medium: Box<dyn Medium>,
    zone_bytes: u64,
    limits: Limits,
    state: RwLock<State>,
    queue: Mutex<Queue>,
    turned: Condvar,
    /// Taken before `state`, never after it.
    log: Mutex<Option<Log>>,
}

impl Zones {
    /// Opens or creates the set kept in `dir`, for zones of `zone_bytes`.
    ///
    /// # Errors
    /// The directory cannot be read or written, or the zones are too small. A damaged set is no
    /// error: its base is unknown.
    pub fn open(dir: &Path, zone_bytes: u64) -> Result<Zones, ZonesError> {
        Zones::with_limits(dir, zone_bytes, Limits::default())
    }

    /// As [`open`](Zones::open), with other limits.
    ///
    /// # Errors
    /// As for `open`.
    pub fn with_limits(dir: &Path, zone_bytes: u64, limits: Limits) -> Result<Zones, ZonesError> {
        fs::create_dir_all(dir).map_err(|source| ZonesError::Open { path: dir.to_owned(), source })?;
        Zones::over(Box::new(Disk::new(dir)), zone_bytes, limits)
    }

    /// As [`open`](Zones::open), kept on `medium`.
    ///
    /// # Errors
    /// As for `open`.
    pub fn over(medium: Box<dyn Medium>, zone_bytes: u64, limits: Limits) -> Result<Zones, ZonesError> {
        if zone_bytes < 4096 {
            return Err(ZonesError::ZoneBytes(zone_bytes));
        }
        let zones = Zones::bare(medium, zone_bytes, limits);
        zones.restore().map_err(|source| ZonesError::Open { path: zones.medium.name(), source })?;
        Ok(zones)
    }

    fn bare(medium: Box<dyn Medium>, zone_bytes: u64, limits: Limits) -> Zones {
        let queue = Queue { pending: Vec::new(), next: 1, done: 0, busy: false, failed: (0, 0) };
        Zones {
            medium,
            zone_bytes,
            limits,
            state: RwLock::default(),
            queue: Mutex::new(queue),
            turned: Condvar::new(),
            log: Mutex::new(None),
        }
    }

    /// A set that knows nothing and will not: what was kept in `dir` is durably gone.
    ///
    /// # Errors
    /// As for `open`; the old set may be there still.
    pub fn unused(dir: &Path, zone_bytes: u64) -> Result<Zones, ZonesError> {
        let failed = |source| ZonesError::Open { path: dir.to_owned(), source };
        fs::create_dir_all(dir).map_err(failed)?;
        let zones = Zones::bare(Box::new(Disk::new(dir)), zone_bytes, Limits::default());
        zones.invalidate().map_err(failed)?;
        Ok(zones)
    }

    fn restore(&self) -> io::Result<()> {
        let Some(bytes) = self.medium.read()? else { return Ok(()) };
        match load(&bytes, self.zone_bytes) {
            // Written anew, so that a torn record is never followed by a good one.
            Ok(loaded) => self.replace(loaded.generation, loaded.files),
            Err(why) => {
                tracing::warn!("the zone bitmap in {} is not used: {why}", self.medium.name().display());
                self.invalidate()
            }
        }
    }

    /// Bytes of a zone.
    pub fn zone_bytes(&self) -> u64 {
        self.zone_bytes
    }

    /// The generation from which on the set holds every modification; `None`: unknown.
    pub fn base(&self) -> Option<u64> {
        self.read().base
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Starts an empty set that holds every modification from this generation on. The caller lets no
    /// modification be under way.
    ///
    /// # Errors
    /// It could not be made durable; the set is as before, or unknown.
    pub fn begin(&self, generation: u64) -> io::Result<()> {
        self.replace(generation, Files::default())
    }

    fn replace(&self, generation: u64, files: Files) -> io::Result<()> {
        let mut log = lock(&self.log);
        *log = Some(Log::create(&*self.medium, self.zone_bytes, generation, &files)?);
        self.set(State { base: Some(generation), files });
        Ok(())
    }

    /// From now on, and after a restart, the set is unknown until the next `begin`.
    ///
    /// # Errors
    /// That could not be made durable; the set goes on as before.
    pub fn invalidate(&self) -> io::Result<()> {
        self.forget(&mut lock(&self.log))
    }

    fn forget(&self, log: &mut Option<Log>) -> io::Result<()> {
        self.medium.remove()?;
        *log = None;
        self.set(State::default());
        Ok(())
    }

    /// Returns when every zone of these bytes of the file is marked on disk; a zone that is marked
    /// already costs nothing. An end of `u64::MAX` is the end of the file whatever it will be, as a
    /// truncation needs it.
    ///
    /// # Errors
    /// The marks could not be made durable, and neither could it be recorded that the set is unknown.
    pub fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        let zones = zones_of(&range, self.zone_bytes);
        {
            let state = self.read();
            if state.base.is_none() || state.files.covers(file, &zones) {
                return Ok(());
            }
        }
        self.commit([Mark { file, zones }])
    }

    /// As [`mark`](Zones::mark), for all bytes of many files at once.
    ///
    /// # Errors
    /// As for `mark`.
    pub fn mark_whole(&self, files: impl IntoIterator<Item = FileKey>) -> io::Result<()> {
        self.commit(files.into_iter().map(|file| Mark { file, zones: 0..u64::MAX }))
    }

    /// One of the waiting threads writes the marks of all.
    fn commit(&self, marks: impl IntoIterator<Item = Mark>) -> io::Result<()> {
        let mut queue = lock(&self.queue);
        queue.pending.extend(marks);
        let mine = queue.next;
        while queue.done < mine {
            if queue.busy {
                let waited = self.turned.wait_timeout(queue, Duration::from_secs(1));
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            queue.busy = true;
            queue.next = mine + 1;
            let batch = std::mem::take(&mut queue.pending);
            drop(queue);
            let written = self.write(batch);
            queue = lock(&self.queue);
            queue.busy = false;
            queue.done = mine;
            if let Err(e) = written {
                queue.failed = (mine, e.raw_os_error().unwrap_or(libc::EIO));
            }
            self.turned.notify_all();
        }
        let (failed, errno) = queue.failed;
        if failed >= mine { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
    }

    fn write(&self, batch: Vec<Mark>) -> io::Result<()> {
        let mut slot = lock(&self.log);
        let Some(log) = slot.as_mut() else { return Ok(()) };
        if let Err(e) = log.append(&batch) {
            return self.give_up(&mut slot, &format!("a mark could not be written: {e}"));
        }
        let records = log.records;
        let (files, ranges) = {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            batch.into_iter().for_each(|m| state.files.insert(m.file, m.zones));
            (state.files.files.len(), state.files.ranges)
        };
        if files > self.limits.files || ranges > self.limits.ranges {
            return self.give_up(&mut slot, "too many files were modified");
        }
        if records > COMPACT && records / 4 > ranges {
            let state = self.read();
            let generation = state.base.unwrap_or_default();
            match Log::create(&*self.medium, self.zone_bytes, generation, &state.files) {
                Ok(new) => *slot = Some(new),
                // Which of the two files a restart would find is not known.
                Err(e) => {
                    drop(state);
                    return self.give_up(&mut slot, &format!("the bitmap could not be compacted: {e}"));
                }
            }
        }
        Ok(())
    }

    /// Marks that are lost void the set; the modification may go on then.
    fn give_up(&self, log: &mut Option<Log>, why: &str) -> io::Result<()> {
        self.forget(log)?;
        tracing::warn!(
            "the zone bitmap in {} is given up: {why}; the next reintegration compares everything",
            self.medium.name().display()
        );
        Ok(())
    }

    /// The dirty zones of a file.
    pub fn dirty(&self, file: FileKey) -> ZoneSet {
        self.read().files.files.get(&file).cloned().unwrap_or_default()
    }

    /// Number of files with dirty zones.
    pub fn count(&self) -> usize {
        self.read().files.files.len()
    }

    /// The files with dirty zones.
    pub fn files(&self) -> Vec<FileKey> {
        self.read().files.files.keys().copied().collect()
    }

    /// Records of the log, for tests of what costs a write.
    #[cfg(test)]
    pub(super) fn records(&self) -> usize {
        lock(&self.log).as_ref().map_or(0, |l| l.records)
    }

    /// Batches written so far.
    #[cfg(test)]
    pub(super) fn batches(&self) -> u64 {
        lock(&self.queue).done
    }
}
