//! Whole directories: durable copies, and replacement in one step.

use super::record::{RecordError, io_error, sync_dir};
use crate::told::attempt::Attempt;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Deepest directory tree that is copied: a module has three levels.
const DEEPEST: u32 = 32;

/// Copies the directory `from` to the new directory `to`, with permissions and modification times,
/// and makes the copy durable. Anything but directories and files is refused.
pub fn copy(from: &Path, to: &Path) -> Result<(), RecordError> {
    copy_level(from, to, DEEPEST)
}

fn copy_level(from: &Path, to: &Path, deeper: u32) -> Result<(), RecordError> {
    if deeper == 0 {
        return Err(io_error(Attempt::Copy, from)(io::Error::other("too many directory levels")));
    }
    fs::create_dir_all(to).map_err(io_error(Attempt::Create, to))?;
    for entry in entries(from)? {
        let target = to.join(entry.file_name().unwrap_or_default());
        let meta = fs::symlink_metadata(&entry).map_err(io_error(Attempt::Read, &entry))?;
        if meta.is_dir() {
            copy_level(&entry, &target, deeper - 1)?;
        } else if meta.is_file() {
            copy_file(&entry, &target).map_err(io_error(Attempt::Copy, &entry))?;
        } else {
            return Err(io_error(Attempt::Copy, &entry)(io::Error::other("neither a file nor a directory")));
        }
    }
    let mode = fs::metadata(from).map_err(io_error(Attempt::Read, from))?.permissions();
    fs::set_permissions(to, mode).map_err(io_error(Attempt::Write, to))?;
    sync_dir(to)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    let file = File::open(to)?;
    file.set_modified(fs::metadata(from)?.modified()?)?;
    file.sync_all()
}

/// Puts `fresh` in the place of `target` in one step, then deletes what was there.
/// Both must be on one file system. A crash leaves the old or the new directory at `target`.
pub fn replace(fresh: &Path, target: &Path) -> Result<(), RecordError> {
    swap(fresh, target)?;
    remove(fresh)
}

/// Puts `fresh` in the place of `target` in one step; what was there, if anything, is then at `fresh`.
pub fn swap(fresh: &Path, target: &Path) -> Result<(), RecordError> {
    let parent = target.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(io_error(Attempt::Create, parent))?;
    let moved = match renameat2(AT_FDCWD, fresh, AT_FDCWD, target, RenameFlags::RENAME_EXCHANGE) {
        Err(nix::Error::ENOENT) => fs::rename(fresh, target),
        other => other.map_err(io::Error::from),
    };
    moved.map_err(io_error(Attempt::Replace, target))?;
    sync_dir(parent)
}

/// Takes `target` away in one step, then deletes it; nothing to do if it does not exist.
pub fn take_away(target: &Path) -> Result<(), RecordError> {
    let gone = beside(target, "gone");
    remove(&gone)?;
    match fs::rename(target, &gone) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(io_error(Attempt::Delete, target))?,
    }
    sync_dir(target.parent().unwrap_or(Path::new("/")))?;
    remove(&gone)
}

/// Deletes a directory with all it holds, if it exists.
pub fn remove(dir: &Path) -> Result<(), RecordError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(Attempt::Delete, dir)(e)),
        _ => Ok(()),
    }
}

/// The directory beside `dir` in which its replacement is prepared: hidden, so that no listing of
/// modules takes it for one.
pub fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!(".{name}.{suffix}"))
}

/// Makes an empty directory that only root may enter, in the place of what an earlier crash left.
pub fn make_private(dir: &Path) -> Result<(), RecordError> {
    remove(dir)?;
    let parent = dir.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(io_error(Attempt::Create, parent))?;
    DirBuilder::new().mode(0o700).create(dir).map_err(io_error(Attempt::Create, dir))
}

/// Newest modification time of the files of a tree; `None` when it has none.
pub fn modified(dir: &Path) -> Result<Option<SystemTime>, RecordError> {
    let mut newest = None;
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in entries(&dir)? {
            let meta = fs::symlink_metadata(&entry).map_err(io_error(Attempt::Read, &entry))?;
            if meta.is_dir() {
                open.push(entry);
            } else {
                newest = newest.max(meta.modified().ok());
            }
        }
    }
    Ok(newest)
}

/// What a directory holds, sorted; empty when it does not exist.
pub fn entries(dir: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let listing = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(io_error(Attempt::Read, dir))?,
    };
    let mut found = Vec::new();
    for entry in listing {
        found.push(entry.map_err(io_error(Attempt::Read, dir))?.path());
    }
    found.sort();
    Ok(found)
}

/// True if the file may be executed by somebody.
pub fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, text: &str, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_copy_keeps_content_permissions_and_times() {
        let root = tempfile::tempdir().unwrap();
        let (from, to) = (root.path().join("a"), root.path().join("b"));
        write(from.join("bin/start"), "#!/bin/sh\n", 0o755);
        write(from.join("conf/key"), "k", 0o600);
        File::open(from.join("conf/key")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        copy(&from, &to).unwrap();
        assert!(is_executable(&to.join("bin/start")));
        let meta = fs::metadata(to.join("conf/key")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
        assert_eq!(meta.modified().unwrap(), SystemTime::UNIX_EPOCH);
        assert!(modified(&to).unwrap() > Some(SystemTime::UNIX_EPOCH));
    }

    #[test]
    fn a_link_in_a_tree_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("a");
        fs::create_dir(&from).unwrap();
        std::os::unix::fs::symlink("/etc/shadow", from.join("link")).unwrap();
        let error = copy(&from, &root.path().join("b")).unwrap_err().to_string();
        assert!(error.contains("link") && error.contains("neither a file"), "{error}");
    }

    #[test]
    fn replacing_works_with_and_without_an_old_directory() {
        let root = tempfile::tempdir().unwrap();
        let (fresh, target) = (root.path().join(".new"), root.path().join("sub/target"));
        for text in ["one", "two"] {
            // Same parent is not required, same file system is.
            write(fresh.join("file"), text, 0o644);
            replace(&fresh, &target).unwrap();
            assert_eq!(fs::read_to_string(target.join("file")).unwrap(), text);
            assert!(!fresh.exists());
        }
        take_away(&target).unwrap();
        take_away(&target).unwrap();
        assert!(entries(&root.path().join("sub")).unwrap().is_empty());
        assert_eq!(beside(&target, "new"), root.path().join("sub/.target.new"));
    }
}
