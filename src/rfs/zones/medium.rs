//! What zones are kept on: a file of a directory, or the disk of a simulation.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a whole log.
pub type Fill<'a> = dyn FnMut(&mut dyn Write) -> io::Result<()> + 'a;

/// Keeps one log of zones.
pub trait Medium: Debug + Send + Sync {
    /// What it is called in messages.
    fn name(&self) -> PathBuf;

    /// The bytes of the log; none: there is no log.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self) -> io::Result<Option<Vec<u8>>>;

    /// Puts what `fill` writes in the place of the log. It is durable when this returns; a crash on
    /// the way leaves the old one or the new one.
    ///
    /// # Errors
    /// Which of the two is there is not known.
    fn replace(&self, fill: &mut Fill<'_>) -> io::Result<Box<dyn Append>>;

    /// Takes the log away, durably.
    ///
    /// # Errors
    /// It may still be there.
    fn remove(&self) -> io::Result<()>;
}

/// A log that is open for more.
pub trait Append: Debug + Send {
    /// Appends; the bytes are durable when this returns.
    ///
    /// # Errors
    /// Any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// A directory.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub fn new(dir: &Path) -> Disk {
        Disk { dir: dir.to_owned() }
    }
}

/// The log kept in a directory.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("zones")
}

/// Makes a directory's entries durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

impl Medium for Disk {
    fn name(&self) -> PathBuf {
        self.dir.clone()
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path(&self.dir)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn replace(&self, fill: &mut Fill<'_>) -> io::Result<Box<dyn Append>> {
        let new = self.dir.join("zones.new");
        let mut file = File::create(&new)?;
        let mut out = io::BufWriter::new(&mut file);
        fill(&mut out)?;
        out.flush()?;
        drop(out);
        file.sync_all()?;
        fs::rename(&new, path(&self.dir))?;
        sync_dir(&self.dir)?;
        Ok(Box::new(file))
    }

    fn remove(&self) -> io::Result<()> {
        match fs::remove_file(path(&self.dir)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => sync_dir(&self.dir),
        }
    }
}

impl Append for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}
