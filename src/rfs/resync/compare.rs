//! Compares two directories of this machine, for tests and for who wants to be sure.

use super::beneath::{TreePath, list, open_at, open_dir, open_root, walk};
use super::data;
use super::meta::Entry;
use crate::rfs::op::FileKey;
use rustix::fs::OFlags;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// What differs between two trees, one line each; empty: nothing. Compared are names, types, owners,
/// permissions, dates, link targets, devices, extended attributes and ACLs, contents, and which names
/// are hard links of each other. Space used is not: a hole equals zeros.
///
/// # Errors
/// One of the trees cannot be read.
pub fn same_tree(a: &Path, b: &Path) -> io::Result<Vec<String>> {
    let (a, b) = (open_root(a)?, open_root(b)?);
    let (left, right) = (entries(&a)?, entries(&b)?);
    let mut found = Vec::new();
    for (path, entry) in &left {
        match right.get(path) {
            None => found.push(format!("{path:?} is only in the first")),
            Some(other) => found.extend(
                differences((&a, &b), path, entry, other)?.into_iter().map(|d| format!("{path:?}: {d}")),
            ),
        }
    }
    found.extend(
        right.keys().filter(|p| !left.contains_key(*p)).map(|p| format!("{p:?} is only in the second")),
    );
    let (left, right) = (groups(&left), groups(&right));
    let unlike = left.iter().filter(|(path, first)| right.get(*path).is_some_and(|other| other != *first));
    found.extend(unlike.map(|(path, _)| format!("{path:?}: other hard links")));
    Ok(found)
}

fn entries(root: &OwnedFd) -> io::Result<BTreeMap<TreePath, Entry>> {
    let mut found = BTreeMap::from([(TreePath::default(), Entry::read(root, b".", true)?)]);
    walk(root.as_fd(), |dir, path, name| {
        let entry = Entry::read(dir, name.as_bytes(), true)?;
        let is_dir = entry.meta.is_dir();
        found.insert(path.clone(), entry);
        Ok(is_dir)
    })?;
    Ok(found)
}

/// For each name the first name of the same file.
fn groups(entries: &BTreeMap<TreePath, Entry>) -> BTreeMap<&TreePath, &TreePath> {
    let mut first: HashMap<FileKey, &TreePath> = HashMap::new();
    entries.iter().map(|(path, e)| (path, *first.entry(e.meta.key()).or_insert(path))).collect()
}

fn differences(
    roots: (&OwnedFd, &OwnedFd),
    path: &TreePath,
    a: &Entry,
    b: &Entry,
) -> io::Result<Vec<&'static str>> {
    let own = |root: &OwnedFd| -> io::Result<bool> {
        Ok(path.split().is_none() && list(root, false)?.len() != list(root, true)?.len())
    };
    // Our own directory in a root changes its date.
    let dated = path.split().is_some() || !(own(roots.0)? || own(roots.1)?);
    let mut found = Vec::new();
    let mut differ = |what, differs: bool| found.extend(differs.then_some(what));
    differ("type or permissions", a.meta.mode != b.meta.mode);
    differ("owner", (a.meta.uid, a.meta.gid) != (b.meta.uid, b.meta.gid));
    differ("date", dated && a.meta.mtime != b.meta.mtime);
    differ("target", a.target != b.target);
    differ("device", a.meta.rdev != b.meta.rdev);
    differ("extended attributes", a.xattrs != b.xattrs);
    if a.meta.is_file() && b.meta.is_file() {
        differ("length", a.meta.size != b.meta.size);
        differ("content", a.meta.size == b.meta.size && !same_bytes(roots, path, a.meta.size)?);
    }
    Ok(found)
}

fn same_bytes(roots: (&OwnedFd, &OwnedFd), path: &TreePath, size: u64) -> io::Result<bool> {
    let open = |root: &OwnedFd| -> io::Result<File> {
        let (dir, name) = path.split().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(open_at(open_dir(root.as_fd(), &dir)?, name, OFlags::RDONLY)?.into())
    };
    data::same(&open(roots.0)?, &open(roots.1)?, size)
}
