//! Random operations on the mount and on a plain directory: both must answer and end up the same.

use crate::support::{Fixture, errno};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

#[derive(Clone, Debug)]
pub enum Act {
    Make(usize),
    MakeDir(usize),
    Write(usize, u16, u8),
    Truncate(usize, u16),
    Remove(usize),
    RemoveDir(usize),
    Rename(usize, usize, u32),
    Link(usize, usize),
    Symlink(usize, usize),
    Chmod(usize, u32),
    Xattr(usize, bool),
}

const PATHS: [&str; 8] = ["a", "b", "d", "d/a", "d/e", "d/e/a", "d/e/b", "f"];

pub fn act() -> impl Strategy<Value = Act> {
    let path = || 0..PATHS.len();
    prop_oneof![
        path().prop_map(Act::Make),
        path().prop_map(Act::MakeDir),
        (path(), any::<u16>(), any::<u8>()).prop_map(|(p, o, b)| Act::Write(p, o, b)),
        (path(), any::<u16>()).prop_map(|(p, s)| Act::Truncate(p, s)),
        path().prop_map(Act::Remove),
        path().prop_map(Act::RemoveDir),
        (path(), path(), 0u32..3).prop_map(|(a, b, f)| Act::Rename(a, b, f)),
        (path(), path()).prop_map(|(a, b)| Act::Link(a, b)),
        (path(), path()).prop_map(|(a, b)| Act::Symlink(a, b)),
        (path(), 0o400u32..0o1000).prop_map(|(p, m)| Act::Chmod(p, m)),
        (path(), any::<bool>()).prop_map(|(p, set)| Act::Xattr(p, set)),
    ]
}

pub fn run(root: &Path, act: &Act) -> io::Result<()> {
    let at = |i: &usize| root.join(PATHS[*i]);
    match act {
        Act::Make(p) => File::create_new(at(p)).map(drop),
        Act::MakeDir(p) => fs::create_dir(at(p)),
        Act::Write(p, offset, byte) => {
            let file = OpenOptions::new().write(true).open(at(p))?;
            file.write_all_at(&[*byte; 3000], u64::from(*offset))
        }
        Act::Truncate(p, size) => OpenOptions::new().write(true).open(at(p))?.set_len(u64::from(*size)),
        Act::Remove(p) => fs::remove_file(at(p)),
        Act::RemoveDir(p) => fs::remove_dir(at(p)),
        Act::Rename(a, b, flags) => {
            let flags = rustix::fs::RenameFlags::from_bits_retain(*flags);
            let cwd = rustix::fs::CWD;
            rustix::fs::renameat_with(cwd, at(a), cwd, at(b), flags).map_err(io::Error::from)
        }
        Act::Link(a, b) => fs::hard_link(at(a), at(b)),
        Act::Symlink(a, b) => symlink(PATHS[*a], at(b)),
        Act::Chmod(p, mode) => fs::set_permissions(at(p), fs::Permissions::from_mode(*mode)),
        Act::Xattr(p, true) => rustix::fs::setxattr(at(p), "user.x", b"v", rustix::fs::XattrFlags::CREATE)
            .map_err(io::Error::from),
        Act::Xattr(p, false) => rustix::fs::removexattr(at(p), "user.x").map_err(io::Error::from),
    }
}

/// What is in a tree: type and mode, links, and bytes or target.
pub fn tree(root: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_dir() {
                left.push(path.clone());
                Vec::new()
            } else if meta.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, (meta.mode(), meta.nlink(), bytes));
        }
    }
    found
}

pub fn empty(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path).unwrap().is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }
}

#[test]
fn the_mount_is_like_a_plain_directory() {
    let f = Fixture::new();
    f.journal.attach(1);
    let plain = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let same = TestRunner::new(config).run(&prop::collection::vec(act(), 1..60), |acts| {
        empty(&f.mnt);
        empty(plain.path());
        for act in &acts {
            let (here, there) = (errno(run(&f.mnt, act)), errno(run(plain.path(), act)));
            prop_assert_eq!(here, there, "{:?}", act);
        }
        prop_assert_eq!(tree(&f.mnt), tree(plain.path()));
        prop_assert_eq!(tree(&f.backing), tree(plain.path()));
        f.journal.ops();
        Ok(())
    });
    same.unwrap();
}
