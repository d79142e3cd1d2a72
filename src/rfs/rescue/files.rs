//! The files of an archive, and how much room archives may take.

use super::entry::Entry;
use super::{RescueError, io};
use crate::fsm::start::Rescue;
use crate::node::record;
use crate::told::attempt::Attempt;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Archives of a module; the oldest goes when one more begins.
pub const MOST: usize = 10;

/// What an archive is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Header {
    /// When it was begun, UTC.
    pub began: String,
    /// Why, from which history to which.
    pub why: Rescue,
    /// Index of this node.
    pub node: u8,
    /// The replicated directories.
    #[schema(value_type = Vec<String>)]
    pub dirs: Vec<PathBuf>,
    /// The reintegration goes on, or was interrupted and will be resumed.
    pub open: bool,
}

/// How much the archives of a module may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all archives together (`rescuelimit`).
    pub limit: u64,
    /// Bytes of the file system that stay free; `None`: a tenth of it, at most 5 GiB.
    pub reserve: Option<u64>,
}

/// Most of the reserve that is kept free, bytes.
const RESERVE: u64 = 5 << 30;

impl Room {
    /// Bytes that may still be written where `dir` is.
    pub(super) fn free(&self, dir: &Path) -> Result<u64, RescueError> {
        let fs = rustix::fs::statvfs(dir).map_err(|e| io(Attempt::Examine, dir)(e.into()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(fs.f_frsize);
        let reserve = self.reserve.unwrap_or_else(|| (bytes(fs.f_blocks) / 10).min(RESERVE));
        Ok(bytes(fs.f_bavail).saturating_sub(reserve))
    }
}

/// Where the parts of an archive are.
#[derive(Clone, Debug)]
pub(super) struct Place(pub PathBuf);

impl Place {
    /// Its name: when it was begun.
    pub fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn header(&self) -> PathBuf {
        self.0.join("archive.json")
    }

    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.jsonl")
    }

    pub fn files(&self) -> PathBuf {
        self.0.join("files")
    }

    pub fn file(&self, number: u64) -> PathBuf {
        self.files().join(number.to_string())
    }

    /// Somebody has looked into it.
    pub fn read_mark(&self) -> PathBuf {
        self.0.join("read")
    }

    /// What it is about; `None`: it is no archive.
    pub fn load_header(&self) -> Result<Option<Header>, RescueError> {
        Ok(record::load(&self.header())?)
    }

    /// What it is about, if its reintegration has not ended. One that is damaged is nobody's concern but
    /// of who lists it.
    pub fn is_open(&self) -> Option<Header> {
        self.load_header()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "a rescue archive is damaged");
                None
            })
            .filter(|h| h.open)
    }

    /// Bytes that its files take on the disk.
    pub fn bytes(&self) -> Result<u64, RescueError> {
        let files = self.files();
        let mut sum = 0;
        let entries = match fs::read_dir(&files) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            other => other.map_err(io(Attempt::Read, &files))?,
        };
        for entry in entries {
            let entry = entry.map_err(io(Attempt::Read, &files))?;
            let meta = entry.metadata().map_err(io(Attempt::Examine, &entry.path()))?;
            sum += std::os::unix::fs::MetadataExt::blocks(&meta) * 512;
        }
        Ok(sum)
    }

    /// Makes an empty archive, durably.
    pub fn create(&self, header: &Header) -> Result<(), RescueError> {
        let files = self.files();
        fs::create_dir_all(&files).map_err(io(Attempt::Create, &files))?;
        // Owners and permissions are in the manifest: until they are restored nobody else may read.
        private(&self.0)?;
        let manifest = self.manifest();
        File::create(&manifest).and_then(|f| f.sync_all()).map_err(io(Attempt::Create, &manifest))?;
        record::store(&self.header(), header)?;
        for dir in [Some(self.0.as_path()), self.0.parent()].into_iter().flatten() {
            sync_dir(dir)?;
        }
        Ok(())
    }

    /// The manifest. A last line that was cut off by a crash is not there.
    pub fn load_manifest(&self) -> Result<Vec<Entry>, RescueError> {
        let path = self.manifest();
        let bytes = fs::read(&path).map_err(io(Attempt::Read, &path))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let lines = bytes[..whole].split(|&b| b == b'\n').filter(|l| !l.is_empty()).enumerate();
        let damaged = |(line, text): (usize, &[u8])| {
            serde_json::from_slice(text).map_err(|e| RescueError::Damaged {
                path: path.clone(),
                line: line + 1,
                why: e.to_string(),
            })
        };
        lines.map(damaged).collect()
    }

    /// The manifest, to add lines to.
    pub fn append(&self) -> Result<File, RescueError> {
        let path = self.manifest();
        let file =
            OpenOptions::new().read(true).append(true).open(&path).map_err(io(Attempt::Open, &path))?;
        let bytes = fs::read(&path).map_err(io(Attempt::Read, &path))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        file.set_len(whole as u64).map_err(io(Attempt::Repair, &path))?;
        Ok(file)
    }

    /// Adds a line, durably.
    pub fn add(&self, manifest: &mut File, entry: &Entry) -> Result<(), RescueError> {
        let path = self.manifest();
        let mut line = serde_json::to_vec(entry).map_err(|e| io(Attempt::Write, &path)(e.into()))?;
        line.push(b'\n');
        manifest.write_all(&line).and_then(|()| manifest.sync_data()).map_err(io(Attempt::Write, &path))
    }

    /// Takes it away.
    pub fn remove(&self) -> Result<(), RescueError> {
        fs::remove_dir_all(&self.0).map_err(io(Attempt::Remove, &self.0))
    }
}

fn private(dir: &Path) -> Result<(), RescueError> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(dir, mode).map_err(io(Attempt::Protect, dir))
}

/// Names in a directory are durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), RescueError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(io(Attempt::Sync, dir))
}

/// The archives in a directory, oldest first: their names are dates.
pub(super) fn places(root: &Path) -> Result<Vec<Place>, RescueError> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io(Attempt::Read, root)(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let place = Place(entry.map_err(io(Attempt::Read, root))?.path());
        if place.header().is_file() {
            found.push(place);
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}
