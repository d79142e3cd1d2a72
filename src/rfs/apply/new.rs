//! New entries, exactly as the primary made them. What is there already, of the same kind, is taken over:
//! after a reintegration an entry may be older than its operation.

use super::{Applier, ApplyError, Tried, change, open_entry, shown};
use crate::rfs::op::{Attrs, FileId, Name, Owner};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

impl Applier {
    pub(super) fn create(
        &mut self,
        id: FileId,
        parent: FileId,
        name: &Name,
        owner: &Owner,
        rdev: u64,
    ) -> Result<(), ApplyError> {
        let directory = self.directory(parent, name)?;
        let kind = FileType::from_raw_mode(owner.mode);
        let mode = Mode::from_raw_mode(owner.mode & 0o7777);
        let made = match kind {
            FileType::Directory => fs::mkdirat(&*directory, name.as_bytes(), mode),
            _ => fs::mknodat(&*directory, name.as_bytes(), kind, mode, rdev),
        };
        let adopt = made == Err(Errno::EXIST);
        if !adopt {
            made.tried("create", || shown(name))?;
        }
        let file = open_entry(&directory, name).tried("open", || shown(name))?;
        if adopt && !same(&file, kind, rdev).tried("look at", || shown(name))? {
            return Err(Errno::EXIST).tried("create", || shown(name));
        }
        give(&file, owner).tried("set owner and permissions of", || shown(name))?;
        self.ids.bind(id, file)?;
        if adopt && kind == FileType::RegularFile {
            self.ids.data(id)?.set_len(0).tried("empty", || shown(name))?;
        }
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        id: FileId,
        parent: FileId,
        name: &Name,
        target: &[u8],
        owner: &Owner,
    ) -> Result<(), ApplyError> {
        let directory = self.directory(parent, name)?;
        match fs::symlinkat(target, &*directory, name.as_bytes()) {
            Err(Errno::EXIST) => {
                let there = fs::readlinkat(&*directory, name.as_bytes(), Vec::new());
                if there.ok().is_none_or(|there| there.as_bytes() != target) {
                    return Err(Errno::EXIST).tried("create the link", || shown(name));
                }
            }
            made => made.tried("create the link", || shown(name))?,
        }
        let link = open_entry(&directory, name).tried("open", || shown(name))?;
        give(&link, owner).tried("set owner of", || shown(name))?;
        self.ids.bind(id, link)
    }

    pub(super) fn tmpfile(&mut self, id: FileId, parent: FileId, owner: &Owner) -> Result<(), ApplyError> {
        let directory = self.ids.path(parent)?;
        let unnamed = || "an unnamed file".to_owned();
        let mode = Mode::from_raw_mode(owner.mode & 0o7777);
        let file = fs::openat(&*directory, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode)
            .tried("create", unnamed)?;
        give(&file, owner).tried("set owner and permissions of", unnamed)?;
        self.ids.bind_unnamed(id, file)
    }
}

/// Owner and permissions as they have to be; the umask and the directory may have made others.
fn give(file: &OwnedFd, owner: &Owner) -> Result<(), std::io::Error> {
    let now = fs::statat(file, "", AtFlags::EMPTY_PATH)?;
    let other_owner = now.st_uid != owner.uid || now.st_gid != owner.gid;
    let link = FileType::from_raw_mode(now.st_mode) == FileType::Symlink;
    // A new owner clears bits of the mode.
    let other_mode = !link && (other_owner || (now.st_mode ^ owner.mode) & 0o7777 != 0);
    let attrs = Attrs {
        mode: other_mode.then_some(owner.mode),
        uid: other_owner.then_some(owner.uid),
        gid: other_owner.then_some(owner.gid),
        ..Attrs::default()
    };
    change(file, &attrs)
}

/// Whether what is there is of this kind.
fn same(file: &OwnedFd, kind: FileType, rdev: u64) -> Result<bool, Errno> {
    let now = fs::statat(file, "", AtFlags::EMPTY_PATH)?;
    let device = matches!(kind, FileType::CharacterDevice | FileType::BlockDevice);
    Ok(FileType::from_raw_mode(now.st_mode) == kind && (!device || now.st_rdev == rdev))
}
