//! Entries of this node's tree: made and removed.

use super::super::beneath::{TreePath, list, open_dir, stat_at};
use super::super::meta::{Entry, Meta};
use super::shared::Shared;
use super::trash::{Trash, remove};
use rustix::fs::{FileType, Mode, makedev, mkdirat, mknodat, symlinkat};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Whether what is here can become that entry without being replaced.
pub(super) fn fits(dir: &OwnedFd, own: &Meta, entry: &Entry) -> io::Result<bool> {
    let same = own.kind() == entry.meta.kind();
    Ok(same
        && match own.kind() {
            FileType::Symlink => {
                rustix::fs::readlinkat(dir, entry.name.as_slice(), Vec::new())?.as_bytes() == entry.target
            }
            FileType::CharacterDevice | FileType::BlockDevice => own.rdev == entry.meta.rdev,
            _ => true,
        })
}

/// Makes an empty entry of the right type; its attributes follow.
pub(super) fn create(dir: &OwnedFd, entry: &Entry) -> io::Result<()> {
    let name = entry.name.as_slice();
    let private = Mode::RUSR | Mode::WUSR;
    let (major, minor) = entry.meta.rdev;
    match entry.meta.kind() {
        FileType::Directory => mkdirat(dir, name, Mode::RWXU)?,
        FileType::Symlink => symlinkat(entry.target.as_slice(), dir, name)?,
        FileType::Unknown => return Err(io::Error::other("a file of an unknown type")),
        kind => mknodat(dir, name, kind, private, makedev(major, minor))?,
    }
    Ok(())
}

/// Moves an entry into the trash; what is not replicated stays where it is, with its directories.
pub(super) fn discard(
    shared: &Shared<'_>,
    trash: &mut Trash,
    dir: &OwnedFd,
    path: &TreePath,
) -> io::Result<()> {
    let Some((_, name)) = path.split() else { return Ok(()) };
    let is_dir = Meta::of(&stat_at(dir, name)?).is_dir();
    if shared.options.replicated.is_none() || !is_dir {
        return trash.put(dir, name);
    }
    let (mut dirs, mut files, mut stays) = (vec![path.clone()], Vec::new(), false);
    let mut at = 0;
    while let Some(here) = dirs.get(at).cloned() {
        let open = open_dir(shared.root, &here)?;
        for child in list(&open, false)? {
            let child_path = here.join(child.as_bytes());
            if !shared.replicated(&child_path) {
                stays = true;
            } else if Meta::of(&stat_at(&open, child.as_bytes())?).is_dir() {
                dirs.push(child_path);
            } else {
                files.push(child_path);
            }
        }
        at += 1;
    }
    if !stays {
        return trash.put(dir, name);
    }
    for file in files {
        if let Some((parent, name)) = file.split() {
            trash.put(open_dir(shared.root, &parent)?.as_fd(), name)?;
        }
    }
    for dir in dirs.iter().rev() {
        if let Some((parent, name)) = dir.split() {
            remove(open_dir(shared.root, &parent)?, name)?;
        }
    }
    Ok(())
}
