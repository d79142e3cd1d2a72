//! Paths below a root, opened step by step through directory descriptors: a symbolic link is never
//! followed, nothing above the root is ever reached, and a path may be longer than `PATH_MAX`.

use crate::rfs::op::Name;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Statx, StatxFlags, openat2, statx};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Directory of this module's own things in the root of a replicated directory; never replicated.
pub const OWN: &[u8] = b".safekit_rfs";

/// Bytes of a path that are opened in one step.
const STEP: usize = 3000;

/// A path below the root of a replicated directory: names joined by `/`; empty is the root.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TreePath(Vec<u8>);

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shown())
    }
}

impl TreePath {
    /// The path made of these names.
    pub fn of(names: &[Name]) -> TreePath {
        names.iter().fold(TreePath::default(), |path, name| path.join(name.as_bytes()))
    }

    /// An entry of this directory.
    pub fn join(&self, name: &[u8]) -> TreePath {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        TreePath(path)
    }

    /// Its directory and its name; `None` for the root.
    pub fn split(&self) -> Option<(TreePath, &[u8])> {
        match self.0.iter().rposition(|&b| b == b'/') {
            Some(at) => Some((TreePath(self.0[..at].to_vec()), &self.0[at + 1..])),
            None if self.0.is_empty() => None,
            None => Some((TreePath::default(), &self.0)),
        }
    }

    /// Its names; `None` if one of them is not a name, as only a path from outside can have it.
    pub fn names(&self) -> Option<Vec<Name>> {
        if self.0.is_empty() {
            return Some(Vec::new());
        }
        self.0.split(|&b| b == b'/').map(Name::new).collect()
    }

    /// As bytes.
    pub(in crate::rfs) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// From bytes; `None` if they are not the names of a path.
    pub(in crate::rfs) fn from_bytes(bytes: Vec<u8>) -> Option<TreePath> {
        let path = TreePath(bytes);
        path.names().is_some().then_some(path)
    }

    /// For messages.
    pub fn shown(&self) -> String {
        if self.0.is_empty() { ".".to_owned() } else { String::from_utf8_lossy(&self.0).into_owned() }
    }
}

/// Whether an entry is gone or of another type than it was.
pub(in crate::rfs) fn gone(e: &io::Error) -> bool {
    let other = matches!(e.raw_os_error(), Some(libc::ELOOP | libc::EISDIR | libc::ENXIO));
    other || matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn inside() -> ResolveFlags {
    ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS
}

/// Opens an entry of a directory; a name only.
pub(in crate::rfs) fn open_at(dir: impl AsFd, name: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    Ok(openat2(dir, name, flags, Mode::empty(), inside())?)
}

/// Opens a directory below `root`.
pub(in crate::rfs) fn open_dir(root: BorrowedFd<'_>, path: &TreePath) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let mut dir = open_at(root, b".", flags)?;
    let mut rest = path.0.as_slice();
    while !rest.is_empty() {
        let cut = match rest.get(..STEP) {
            Some(head) => head.iter().rposition(|&b| b == b'/').unwrap_or(STEP),
            None => rest.len(),
        };
        dir = open_at(&dir, &rest[..cut], flags)?;
        rest = rest.get(cut + 1..).unwrap_or_default();
    }
    Ok(dir)
}

/// Names in a directory, sorted; neither `.` nor `..`, nor our own directory in the root.
pub(in crate::rfs) fn list(dir: &OwnedFd, is_root: bool) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if let Some(name) = Name::new(name)
            && !(is_root && name.as_bytes() == OWN)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// What is known of an entry of a directory.
pub(in crate::rfs) fn stat_at(dir: impl AsFd, name: &[u8]) -> io::Result<Statx> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    Ok(statx(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, wanted)?)
}

/// What is known of an open file.
pub(in crate::rfs) fn stat_fd(fd: impl AsFd) -> io::Result<Statx> {
    Ok(statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?)
}

/// A path for calls that know no directory descriptor; the last name is not followed by an `l` call.
pub(in crate::rfs) fn proc_path(dir: impl AsFd, name: &[u8]) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    CString::new(path).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Opens the directory of a path on this machine, to be used as a root.
///
/// # Errors
/// There is no such directory.
pub fn open_root(path: &std::path::Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Visits every entry below `root`, a directory before what is in it; `visit` says whether to go into
/// a directory. The module's own directory is left out, and what goes away meanwhile.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    mut visit: impl FnMut(&OwnedFd, &TreePath, &Name) -> io::Result<bool>,
) -> io::Result<()> {
    let mut todo = vec![TreePath::default()];
    while let Some(path) = todo.pop() {
        let dir = match open_dir(root, &path) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            other => other?,
        };
        for name in list(&dir, path.0.is_empty())? {
            let child = path.join(name.as_bytes());
            match visit(&dir, &child, &name) {
                Ok(true) => todo.push(child),
                Ok(false) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}
