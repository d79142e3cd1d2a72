//! Does on a backing directory what was recorded on another. Files are found by their ids, names only in
//! directories that are open already and never through a symbolic link, so nothing outside the directory
//! can be reached.

mod handle;
mod ids;
mod new;

#[cfg(test)]
pub(crate) mod tests;

use super::op::{Attrs, FileId, Name, Op, Time};
use ids::Ids;
use rustix::fs::{self, AtFlags, FallocateFlags, Gid, Mode, OFlags, RenameFlags, Timespec, Uid, XattrFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Entry of the replicated directory that belongs to the product: it is never replicated.
pub const RESERVED: &str = ".safekit_rfs";

/// Why an operation was not applied. The directories of both nodes differ then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The primary names a file that it has not introduced.
    #[error("the primary names file {0:?}, which this node does not know")]
    Unknown(FileId),
    /// A new file has the id of the replicated directory.
    #[error("the primary gives the id of the replicated directory to another file")]
    Root,
    /// The entry belongs to the product.
    #[error("the entry {RESERVED} of the replicated directory is not replicated")]
    Reserved,
    /// The system refused.
    #[error("{what} {on}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// A name, or the number of a file.
        on: String,
        /// Why not.
        source: io::Error,
    },
}

impl ApplyError {
    /// Error number of the system, 0 if it is another error.
    pub fn errno(&self) -> i32 {
        match self {
            ApplyError::System { source, .. } => source.raw_os_error().unwrap_or(0),
            ApplyError::Unknown(_) | ApplyError::Root | ApplyError::Reserved => 0,
        }
    }
}

/// Turns the error of a system call into one that says what was tried.
trait Tried<T> {
    fn tried(self, what: &'static str, on: impl FnOnce() -> String) -> Result<T, ApplyError>;
}

impl<T, E: Into<io::Error>> Tried<T> for Result<T, E> {
    fn tried(self, what: &'static str, on: impl FnOnce() -> String) -> Result<T, ApplyError> {
        self.map_err(|source| ApplyError::System { what, on: on(), source: source.into() })
    }
}

/// Applies operations, in the order in which they are given.
pub struct Applier {
    ids: Ids,
}

impl Applier {
    /// For the backing directory `root`.
    ///
    /// # Errors
    /// It is not a directory that can be read.
    pub fn new(root: OwnedFd) -> io::Result<Applier> {
        Ok(Applier { ids: Ids::new(root)? })
    }

    /// The backing directory, for `syncfs`.
    pub fn root(&self) -> Arc<OwnedFd> {
        self.ids.root()
    }

    /// Applies one operation; what it wrote is not durable yet. [`Op::Fsync`] does nothing here.
    ///
    /// # Errors
    /// It could not be done, or not wholly. The stream must end then.
    pub fn apply(&mut self, op: &Op) -> Result<(), ApplyError> {
        match op {
            Op::Bind { id, parent, name } => self.bind(*id, *parent, name),
            Op::Create { id, parent, name, owner, rdev } => self.create(*id, *parent, name, owner, *rdev),
            Op::Symlink { id, parent, name, target, owner } => {
                self.symlink(*id, *parent, name, target, owner)
            }
            Op::Tmpfile { id, parent, owner } => self.tmpfile(*id, *parent, owner),
            Op::Link { id, parent, name } => self.link(*id, *parent, name),
            Op::Unlink { parent, name, dir } => self.unlink(*parent, name, *dir),
            Op::Rename { .. } => self.rename(op),
            Op::Write { id, offset, data, .. } => {
                self.ids.data(*id)?.write_all_at(data, *offset).tried("write to file", || number(*id))
            }
            Op::Truncate { id, size } => {
                self.ids.data(*id)?.set_len(*size).tried("change the length of file", || number(*id))
            }
            Op::Allocate { id, mode, offset, len } => {
                let mode = FallocateFlags::from_bits_retain(*mode);
                fs::fallocate(&*self.ids.data(*id)?, mode, *offset, *len)
                    .tried("allocate blocks of file", || number(*id))
            }
            Op::SetAttrs { id, attrs } => self.set_attrs(*id, attrs),
            Op::SetXattr { id, name, value, flags } => {
                let flags = XattrFlags::from_bits_retain(*flags);
                fs::setxattr(proc_path(&*self.ids.path(*id)?), name.as_slice(), value, flags)
                    .tried("set an attribute of file", || number(*id))
            }
            Op::RemoveXattr { id, name } => {
                fs::removexattr(proc_path(&*self.ids.path(*id)?), name.as_slice())
                    .tried("remove an attribute of file", || number(*id))
            }
            Op::Fsync { id } => self.ids.path(*id).map(drop),
            Op::Forget(ids) => {
                ids.iter().for_each(|id| self.ids.forget(*id));
                Ok(())
            }
        }
    }

    /// Makes durable what the primary's application waits for: the file of [`Op::Fsync`] and of a
    /// synchronous write; nothing for any other operation.
    ///
    /// # Errors
    /// The disk failed.
    pub fn sync(&mut self, op: &Op) -> Result<(), ApplyError> {
        let (Op::Fsync { id } | Op::Write { id, sync: true, .. }) = op else { return Ok(()) };
        if self.ids.is_regular(*id)? {
            return fs::fdatasync(&*self.ids.data(*id)?).tried("sync file", || number(*id));
        }
        let path = self.ids.path(*id)?;
        // Other entries have no data; a directory is opened for its own.
        match fs::openat(&*path, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(directory) => fs::fsync(directory).tried("sync directory", || number(*id)),
            Err(Errno::NOTDIR) => Ok(()),
            Err(error) => Err(error).tried("open directory", || number(*id)),
        }
    }

    fn bind(&mut self, id: FileId, parent: FileId, name: &Name) -> Result<(), ApplyError> {
        let directory = self.directory(parent, name)?;
        let found = open_entry(&directory, name).tried("open", || shown(name))?;
        self.ids.bind(id, found)
    }

    fn link(&mut self, id: FileId, parent: FileId, name: &Name) -> Result<(), ApplyError> {
        let directory = self.directory(parent, name)?;
        let file = self.ids.path(id)?;
        fs::linkat(fs::CWD, proc_path(&*file), &*directory, name.as_bytes(), AtFlags::SYMLINK_FOLLOW)
            .tried("link", || shown(name))
    }

    fn unlink(&mut self, parent: FileId, name: &Name, dir: bool) -> Result<(), ApplyError> {
        let directory = self.directory(parent, name)?;
        self.ids.about_to_go(&directory, name)?;
        let flags = if dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        fs::unlinkat(&*directory, name.as_bytes(), flags).tried("remove", || shown(name))
    }

    fn rename(&mut self, op: &Op) -> Result<(), ApplyError> {
        let Op::Rename { parent, name, to_parent, to_name, flags } = op else { return Ok(()) };
        let from = self.directory(*parent, name)?;
        let to = self.directory(*to_parent, to_name)?;
        self.ids.about_to_go(&to, to_name)?;
        let flags = RenameFlags::from_bits_retain(*flags);
        fs::renameat_with(&*from, name.as_bytes(), &*to, to_name.as_bytes(), flags)
            .tried("rename", || shown(name))
    }

    fn set_attrs(&mut self, id: FileId, attrs: &Attrs) -> Result<(), ApplyError> {
        let file = self.ids.path(id)?;
        change(&file, attrs).tried("change the attributes of file", || number(id))
    }

    /// The directory in which `name` is about to be used.
    fn directory(&mut self, parent: FileId, name: &Name) -> Result<Arc<OwnedFd>, ApplyError> {
        if parent == FileId::ROOT && name.as_bytes() == RESERVED.as_bytes() {
            return Err(ApplyError::Reserved);
        }
        self.ids.path(parent)
    }
}

/// Changes attributes in the order in which none undoes another: a new owner clears set-id bits.
fn change(file: &OwnedFd, attrs: &Attrs) -> io::Result<()> {
    if attrs.uid.is_some() || attrs.gid.is_some() {
        let (uid, gid) = (attrs.uid.map(Uid::from_raw), attrs.gid.map(Gid::from_raw));
        fs::chownat(file, "", uid, gid, AtFlags::EMPTY_PATH)?;
    }
    if let Some(mode) = attrs.mode {
        // Through /proc, because the kernel changes no mode by an O_PATH descriptor before 6.6.
        fs::chmod(proc_path(file), Mode::from_raw_mode(mode & 0o7777))?;
    }
    if attrs.atime.is_some() || attrs.mtime.is_some() {
        let times =
            fs::Timestamps { last_access: timespec(attrs.atime), last_modification: timespec(attrs.mtime) };
        fs::utimensat(file, "", &times, AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

fn timespec(time: Option<Time>) -> Timespec {
    match time {
        Some(time) => Timespec { tv_sec: time.secs, tv_nsec: time.nanos.into() },
        None => Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
    }
}

/// The entry itself, whatever it is: a symbolic link is not followed.
fn open_entry(directory: &OwnedFd, name: &Name) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::openat(directory, name.as_bytes(), flags, Mode::empty())
}

/// A path that leads to exactly the file that is open, for calls that take no descriptor of this kind.
fn proc_path(file: impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

fn shown(name: &Name) -> String {
    format!("{name:?}")
}

fn number(id: FileId) -> String {
    format!("number {}", id.0)
}
