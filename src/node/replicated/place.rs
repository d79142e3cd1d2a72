//! The place of one replicated directory: what is found there, and the steps from one form to another.
//!
//! Every form is changed by exchanging two names (`RENAME_EXCHANGE`), so that at each moment the data
//! has a name, and whatever a crash leaves is recognized and finished by the next call. All work is
//! relative to the opened parent directory and follows no symbolic link in the names it works on.

use super::ReplicatedError;
use rustix::fs::{self, AtFlags, FileType, IFlags, Mode, OFlags, RenameFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// Where one replicated directory is.
pub(super) struct Place {
    dir: PathBuf,
    parent: OwnedFd,
    /// Name of the directory.
    name: OsString,
    /// Name with the suffix.
    backing: OsString,
    /// Name under which the mount point, or the link, is prepared.
    aside: OsString,
}

/// What a name stands for.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Missing,
    Directory {
        mode: u32,
    },
    /// A directory on which something is mounted, or which does not answer.
    MountPoint,
    Link(OsString),
    Other,
}

/// The form in which a replicated directory is found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The directory itself, not taken.
    Original,
    /// The data under the name with the suffix, a link to it under the name.
    Linked,
    /// Something is mounted on the name; the data is under the name with the suffix.
    Mounted,
    /// An empty directory to mount on; `ours`: made by [`Place::prepare_mount`].
    Bare { ours: bool },
    /// Nothing under the name; the data is under the name with the suffix.
    Nameless,
}

impl Place {
    /// Opens the parent of `dir`, which must be there.
    pub(super) fn open(dir: &Path, suffix: &str) -> Result<Place, ReplicatedError> {
        let (Some(parent), Some(name)) = (dir.parent(), dir.file_name()) else {
            return Err(ReplicatedError::Missing(dir.to_owned()));
        };
        let opened = fs::open(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let parent = match opened {
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(ReplicatedError::Missing(dir.to_owned())),
            other => other.map_err(|e| ReplicatedError::Io(parent.to_owned(), e.into()))?,
        };
        let mut backing = name.to_owned();
        backing.push(suffix);
        let mut aside = OsString::from(".");
        aside.push(name);
        aside.push(".safekit_mount");
        Ok(Place { dir: dir.to_owned(), parent, name: name.to_owned(), backing, aside })
    }

    /// The form it has; an error when it has none of them.
    pub(super) fn find(&self) -> Result<Found, ReplicatedError> {
        let (here, behind) = (self.look(&self.name)?, self.look(&self.backing)?);
        let taken = matches!(behind, Entry::Directory { .. } | Entry::MountPoint);
        let free = behind == Entry::Missing || behind == Entry::Link(self.backing.clone());
        match here {
            Entry::Directory { .. } if free => Ok(Found::Original),
            Entry::Directory { mode } if taken && self.is_empty(&self.name)? => {
                Ok(Found::Bare { ours: mode & 0o777 == 0 })
            }
            Entry::Directory { .. } => {
                Err(ReplicatedError::Both(self.dir.clone(), self.beside(&self.backing)))
            }
            Entry::MountPoint if taken => Ok(Found::Mounted),
            Entry::MountPoint => Err(self.busy()),
            Entry::Link(to) if to == self.backing && taken => Ok(Found::Linked),
            Entry::Link(to) => Err(ReplicatedError::Link(self.dir.clone(), PathBuf::from(to))),
            Entry::Missing if taken => Ok(Found::Nameless),
            Entry::Missing => Err(ReplicatedError::Missing(self.dir.clone())),
            Entry::Other => Err(ReplicatedError::NotDirectory(self.dir.clone())),
        }
    }

    /// Moves the data to the name with the suffix and makes the link (RFS-10). A mounted directory
    /// stays as it is. True if the link had been lost.
    pub(super) fn configure(&self) -> Result<bool, ReplicatedError> {
        match self.find()? {
            Found::Mounted => Ok(false),
            Found::Linked => self.tidy().map(|()| false),
            Found::Original => {
                if self.look(&self.backing)? == Entry::Missing {
                    // Text of the link that the name will hold once both are exchanged.
                    self.act(|| fs::symlinkat(&self.backing, &self.parent, &self.backing))?;
                }
                self.exchange(&self.backing)?;
                self.tidy().map(|()| false)
            }
            Found::Bare { .. } => self.after_unmount(),
            Found::Nameless => {
                self.act(|| fs::symlinkat(&self.backing, &self.parent, &self.name))?;
                self.tidy().map(|()| true)
            }
        }
    }

    /// The reverse: the data has its own name again.
    pub(super) fn give_back(&self) -> Result<(), ReplicatedError> {
        match self.find()? {
            Found::Mounted => return Err(ReplicatedError::Mounted(self.dir.clone())),
            Found::Bare { .. } => drop(self.after_unmount()?),
            Found::Original | Found::Linked | Found::Nameless => {}
        }
        match self.find()? {
            Found::Linked => self.exchange(&self.backing)?,
            Found::Nameless => {
                let flags = RenameFlags::NOREPLACE;
                self.act(|| fs::renameat_with(&self.parent, &self.backing, &self.parent, &self.name, flags))?;
            }
            _ => {}
        }
        if self.look(&self.backing)? == Entry::Link(self.backing.clone()) {
            self.act(|| fs::unlinkat(&self.parent, &self.backing, AtFlags::empty()))?;
        }
        self.remove_aside()
    }

    /// Replaces the link by an empty directory into which nobody can write, and opens it: whoever mounts
    /// must do so on this descriptor, because a path could have become a link again.
    pub(super) fn prepare_mount(&self) -> Result<OwnedFd, ReplicatedError> {
        match self.find()? {
            Found::Bare { ours: true } => {}
            Found::Linked => {
                self.remove_aside()?;
                self.act(|| fs::mkdirat(&self.parent, &self.aside, Mode::empty()))?;
                self.exchange(&self.aside)?;
            }
            Found::Mounted => return Err(ReplicatedError::Mounted(self.dir.clone())),
            Found::Original | Found::Nameless | Found::Bare { .. } => {
                return Err(ReplicatedError::NotLinked(self.dir.clone()));
            }
        }
        self.remove_aside()?;
        self.set_immutable(&self.name, true);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.parent, &self.name, flags, Mode::empty()).map_err(|e| self.io(e))
    }

    /// The reverse of [`Place::prepare_mount`]. True if there was something to do.
    pub(super) fn after_unmount(&self) -> Result<bool, ReplicatedError> {
        match self.find()? {
            Found::Linked => return self.tidy().map(|()| false),
            Found::Bare { .. } => {}
            Found::Mounted => return Err(ReplicatedError::Mounted(self.dir.clone())),
            Found::Original | Found::Nameless => return Err(ReplicatedError::NotLinked(self.dir.clone())),
        }
        self.remove_aside()?;
        self.set_immutable(&self.name, false);
        self.act(|| fs::symlinkat(&self.backing, &self.parent, &self.aside))?;
        self.exchange(&self.aside)?;
        self.tidy().map(|()| true)
    }

    /// Whether a path below the data is there.
    pub(super) fn holds(&self, path: &Path) -> Result<bool, ReplicatedError> {
        match fs::statat(&self.parent, Path::new(&self.backing).join(path), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
            Err(e) => Err(ReplicatedError::Io(self.beside(&self.backing).join(path), e.into())),
        }
    }

    fn tidy(&self) -> Result<(), ReplicatedError> {
        self.remove_aside()?;
        // Also what an earlier life did may not have reached the disk.
        self.act(|| Ok(()))
    }

    /// Removes what a crash may have left beside the name: our link or an empty mount point.
    fn remove_aside(&self) -> Result<(), ReplicatedError> {
        match self.look(&self.aside)? {
            Entry::Missing => Ok(()),
            Entry::Link(to) if to == self.backing => {
                self.act(|| fs::unlinkat(&self.parent, &self.aside, AtFlags::empty()))
            }
            Entry::Directory { .. } => {
                self.set_immutable(&self.aside, false);
                self.act(|| fs::unlinkat(&self.parent, &self.aside, AtFlags::REMOVEDIR))
            }
            _ => Err(ReplicatedError::Aside(self.beside(&self.aside))),
        }
    }

    fn exchange(&self, other: &OsStr) -> Result<(), ReplicatedError> {
        self.act(|| fs::renameat_with(&self.parent, &self.name, &self.parent, other, RenameFlags::EXCHANGE))
    }

    /// One step, durable when it returns.
    fn act(&self, work: impl FnOnce() -> rustix::io::Result<()>) -> Result<(), ReplicatedError> {
        crash_point().map_err(|e| ReplicatedError::Io(self.dir.clone(), e))?;
        work().map_err(|e| if e == Errno::BUSY { self.busy() } else { self.io(e) })?;
        fs::fsync(&self.parent).map_err(|e| self.io(e))?;
        crash_point().map_err(|e| ReplicatedError::Io(self.dir.clone(), e))
    }

    fn look(&self, name: &OsStr) -> Result<Entry, ReplicatedError> {
        // Without asking a file system that may hang.
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
        let status = match fs::statx(&self.parent, name, flags, StatxFlags::TYPE | StatxFlags::MODE) {
            Err(Errno::NOENT) => return Ok(Entry::Missing),
            // The process behind a mounted file system is gone.
            Err(Errno::NOTCONN | Errno::CONNABORTED | Errno::IO) => return Ok(Entry::MountPoint),
            other => other.map_err(|e| self.io(e))?,
        };
        Ok(match FileType::from_raw_mode(u32::from(status.stx_mode)) {
            FileType::Directory if status.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) => {
                Entry::MountPoint
            }
            FileType::Directory => Entry::Directory { mode: u32::from(status.stx_mode) },
            FileType::Symlink => {
                let text = fs::readlinkat(&self.parent, name, Vec::new()).map_err(|e| self.io(e))?;
                Entry::Link(OsString::from_vec(text.into_bytes()))
            }
            _ => Entry::Other,
        })
    }

    fn is_empty(&self, name: &OsStr) -> Result<bool, ReplicatedError> {
        let entries = fs::Dir::new(self.open_dir(name).map_err(|e| self.io(e))?).map_err(|e| self.io(e))?;
        for entry in entries {
            if !matches!(entry.map_err(|e| self.io(e))?.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn open_dir(&self, name: &OsStr) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&self.parent, name, flags, Mode::empty())
    }

    /// As `chattr +i` does: root cannot write into the directory either. Not all file systems can.
    fn set_immutable(&self, name: &OsStr, on: bool) {
        let done = self.open_dir(name).and_then(|dir| {
            let mut flags = fs::ioctl_getflags(&dir)?;
            if flags.contains(IFlags::IMMUTABLE) == on {
                return Ok(());
            }
            flags.set(IFlags::IMMUTABLE, on);
            fs::ioctl_setflags(&dir, flags)
        });
        if let Err(error) = done {
            tracing::debug!(dir = %self.dir.display(), %error, "the mount point is protected by its mode only");
        }
    }

    fn beside(&self, name: &OsStr) -> PathBuf {
        self.dir.with_file_name(name)
    }

    fn busy(&self) -> ReplicatedError {
        ReplicatedError::Busy(self.dir.clone(), self.beside(&self.backing))
    }

    fn io(&self, error: Errno) -> ReplicatedError {
        ReplicatedError::Io(self.dir.clone(), io::Error::from(error))
    }
}

/// Where a test lets the machine lose its power.
#[cfg(not(test))]
fn crash_point() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use super::tests::crash_point;
