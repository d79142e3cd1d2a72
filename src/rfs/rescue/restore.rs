//! Giving back what an archive holds.

use super::entry::{Entry, Kind, What, unescape};
use super::files::Place;
use super::read::header_of;
use super::{RescueError, io};
use crate::rfs::op::FileKey;
use crate::rfs::resync::beneath::{gone, open_at, open_dir, proc_path, stat_at};
use crate::rfs::resync::meta::{Meta, set_xattrs};
use crate::rfs::resync::{TreePath, open_root};
use crate::told::attempt::Attempt;
use crate::told::told;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Below this directory, each file under its full path. It is empty, or is made.
    Directory(PathBuf),
    /// To where the files were, through the mounts of a primary: the secondary gets them too.
    InPlace,
}

/// What was given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files, directories and links.
    pub files: u64,
    /// Files whose bytes are not in the archive.
    pub left_out: Vec<String>,
}

/// The name under which a file is made before it takes its place.
const FRESH: &[u8] = b".safekit-rescue-new";

/// Restores an archive, or what is at and below these full paths only, with owners, permissions, dates
/// and extended attributes.
///
/// # Errors
/// The target is not what it has to be, or something cannot be written.
pub fn restore(archive: &Path, target: &Target, paths: &[PathBuf]) -> Result<Restored, RescueError> {
    let place = Place(archive.to_owned());
    let header = header_of(&place)?;
    let wanted = |dir: &Path, entry: &Entry| {
        let name = entry.tree_path().map(|p| dir.join(bytes_path(&p)));
        paths.is_empty() || name.is_some_and(|n| paths.iter().any(|p| n.starts_with(p)))
    };
    let mut roots = HashMap::new();
    let mut run = Run { place: &place, links: HashMap::new(), dirs: Vec::new(), done: Restored::default() };
    if let Target::Directory(to) = target {
        empty(to)?;
    }
    for entry in place.load_manifest()? {
        let Some(dir) = header.dirs.get(entry.dir).filter(|dir| wanted(dir, &entry)) else { continue };
        let root = match target {
            Target::InPlace => dir.clone(),
            Target::Directory(to) => to.join(dir.strip_prefix("/").unwrap_or(dir)),
        };
        if !roots.contains_key(&root) {
            let opened = open(&root, *target == Target::InPlace)?;
            roots.insert(root.clone(), opened);
        }
        let shown = PathBuf::from(format!("{}/{}", root.display(), entry.path));
        run.give(&roots[&root], &entry, *target == Target::InPlace).map_err(io(Attempt::Restore, &shown))?;
    }
    // What was made in them has changed their dates.
    for (dir, entry) in std::mem::take(&mut run.dirs).into_iter().rev() {
        attributes(&dir, b".", &entry).map_err(io(Attempt::Restore, Path::new(&entry.path)))?;
    }
    if run.done == Restored::default() {
        return Err(RescueError::Refused(told!(
            "nothing in this archive is at these paths",
            "rien dans cette archive n'est à ces chemins"
        )));
    }
    Ok(run.done)
}

fn bytes_path(path: &TreePath) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
        path.bytes(),
    )))
}

/// The directory is there and has no entry.
fn empty(to: &Path) -> Result<(), RescueError> {
    fs::create_dir_all(to).map_err(io(Attempt::Create, to))?;
    let mut entries = fs::read_dir(to).map_err(io(Attempt::Read, to))?;
    if entries.next().is_none() {
        return Ok(());
    }
    let to = to.display();
    Err(RescueError::Refused(told!(
        "{to} is not empty: nothing is overwritten; give a new directory",
        "{to} n'est pas vide : rien n'est écrasé ; donnez un nouveau répertoire"
    )))
}

fn open(root: &Path, mounted: bool) -> Result<OwnedFd, RescueError> {
    if !mounted {
        fs::create_dir_all(root).map_err(io(Attempt::Create, root))?;
    }
    if mounted && root.is_symlink() {
        return Err(unmounted(root));
    }
    let fd = open_root(root).map_err(io(Attempt::Open, root))?;
    let parent = root.parent().unwrap_or(root);
    let above = fs::metadata(parent).map_err(io(Attempt::Examine, parent))?;
    let same = std::os::unix::fs::MetadataExt::dev(&above)
        == File::from(fd.try_clone().map_err(io(Attempt::Open, root))?)
            .metadata()
            .map(|m| std::os::unix::fs::MetadataExt::dev(&m))
            .map_err(io(Attempt::Examine, root))?;
    if mounted && same {
        return Err(unmounted(root));
    }
    Ok(fd)
}

fn unmounted(root: &Path) -> RescueError {
    let root = root.display();
    RescueError::Refused(told!(
        "{root} is not mounted: nothing written there would be replicated",
        "{root} n'est pas monté : rien de ce qui y serait écrit ne serait répliqué"
    ))
}

struct Run<'a> {
    place: &'a Place,
    /// Where files with several names were restored to.
    links: HashMap<(usize, FileKey), (OwnedFd, Vec<u8>)>,
    dirs: Vec<(OwnedFd, Entry)>,
    done: Restored,
}

impl Run<'_> {
    fn give(&mut self, root: &OwnedFd, entry: &Entry, replace: bool) -> std::io::Result<()> {
        let path = entry.tree_path().ok_or_else(|| std::io::Error::other("its path is damaged"))?;
        let Some((parent, name)) = path.split() else { return Ok(()) };
        if entry.kind == Kind::File && entry.stored.is_none() && entry.what != What::Attributes {
            self.done.left_out.push(entry.path.clone());
            return Ok(());
        }
        let dir = parents(root, &parent)?;
        if entry.what == What::Attributes {
            if replace && stat_at(&dir, name).is_ok_and(|s| Kind::of(Meta::of(&s).kind()) == Some(entry.kind))
            {
                attributes(&dir, name, entry)?;
                self.done.files += 1;
            }
            return Ok(());
        }
        if entry.kind == Kind::Directory {
            match rustix::fs::mkdirat(&dir, name, Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(e) => return Err(e.into()),
            }
            self.dirs.push((open_at(&dir, name, OFlags::RDONLY | OFlags::DIRECTORY)?, entry.clone()));
            self.done.files += 1;
            return Ok(());
        }
        self.make(&dir, entry)?;
        rustix::fs::renameat(&dir, FRESH, &dir, name)?;
        self.links.insert((entry.dir, entry.file()), (dir, name.to_vec()));
        self.done.files += 1;
        Ok(())
    }

    /// Makes it, complete, under a name of our own.
    fn make(&self, dir: &OwnedFd, entry: &Entry) -> std::io::Result<()> {
        match rustix::fs::unlinkat(dir, FRESH, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(e) => return Err(e.into()),
        }
        if let Some((there, name)) = self.links.get(&(entry.dir, entry.file())) {
            return Ok(rustix::fs::linkat(there, name.as_slice(), dir, FRESH, AtFlags::empty())?);
        }
        match entry.kind {
            Kind::File => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let to = File::from(rustix::fs::openat(dir, FRESH, flags, Mode::RUSR | Mode::WUSR)?);
                let from = File::open(self.place.file(entry.stored.unwrap_or_default()))?;
                super::copy::copy(&from, &to)?;
                to.sync_all()?;
            }
            Kind::Symlink => {
                let target = entry.target.as_deref().and_then(unescape);
                let target = target.ok_or_else(|| std::io::Error::other("its target is damaged"))?;
                rustix::fs::symlinkat(target.as_slice(), dir, FRESH)?;
            }
            kind => {
                let (major, minor) = entry.rdev.unwrap_or_default();
                let device = rustix::fs::makedev(major, minor);
                rustix::fs::mknodat(dir, FRESH, kind.file_type(), Mode::RUSR | Mode::WUSR, device)?;
            }
        }
        attributes(dir, FRESH, entry)
    }
}

/// Opens a directory, and makes those on the way that are missing.
fn parents(root: &OwnedFd, path: &TreePath) -> std::io::Result<OwnedFd> {
    match open_dir(root.as_fd(), path) {
        Err(e) if gone(&e) => {}
        other => return other,
    }
    let mut dir = open_dir(root.as_fd(), &TreePath::default())?;
    for name in path.names().unwrap_or_default() {
        match rustix::fs::mkdirat(&dir, name.as_bytes(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        dir = open_at(&dir, name.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY)?;
    }
    Ok(dir)
}

fn attributes(dir: &OwnedFd, name: &[u8], entry: &Entry) -> std::io::Result<()> {
    let owner = (Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)));
    rustix::fs::chownat(dir, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
    let xattrs =
        entry.xattrs().ok_or_else(|| std::io::Error::other("its extended attributes are damaged"))?;
    let acl = xattrs.iter().any(|(name, _)| name.starts_with(b"system."));
    match set_xattrs(dir, name, acl, &xattrs) {
        // A file system without them can still have the rest.
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            tracing::warn!(path = entry.path, "its extended attributes cannot be restored here");
        }
        other => other?,
    }
    if entry.kind != Kind::Symlink {
        rustix::fs::chmod(proc_path(dir, name)?, Mode::from_raw_mode(entry.mode))?;
    }
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: entry.mtime.0, tv_nsec: i64::from(entry.mtime.1) },
    };
    Ok(rustix::fs::utimensat(dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
