//! What applications do to a tree, as the file system would report it.

use super::super::Meta;
use super::super::beneath::{open_root, stat_at};
use crate::rfs::op::{Attrs, FileId, FileKey, Name, Op, Owner};
use crate::rfs::zones::Marks;
use proptest::prelude::*;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub enum Act {
    Write(Spot, u64, usize, u8),
    Truncate(Spot, u64),
    Mkdir(Spot),
    Fifo(Spot),
    Symlink(Spot, u8),
    Rename(Spot, Spot),
    Exchange(Spot, Spot),
    Link(Spot, Spot),
    Remove(Spot),
    Chmod(Spot, u32),
    Chown(Spot, u32),
    Xattr(Spot, u8),
    Date(Spot, i64),
}

/// A place in a small tree: one to three of few names.
#[derive(Clone, Debug)]
pub struct Spot(pub Vec<u8>);

impl Spot {
    pub fn under(&self, root: &Path) -> PathBuf {
        let long = [b'x'; 255];
        let names: [&[u8]; 4] = [b"a", b"b", b"\xff\xfe ", &long];
        self.0.iter().fold(root.to_owned(), |p, &n| {
            p.join(std::ffi::OsStr::from_bytes(names[usize::from(n) % names.len()]))
        })
    }
}

fn spot() -> impl Strategy<Value = Spot> {
    prop::collection::vec(0u8..4, 1..4).prop_map(Spot)
}

pub fn act() -> impl Strategy<Value = Act> {
    let at = prop_oneof![Just(0u64), 0u64..400_000];
    let write = (spot(), at.clone(), 1usize..150_000, any::<u8>());
    prop_oneof![
        6 => write.prop_map(|(s, o, n, b)| Act::Write(s, o, n, b)),
        2 => (spot(), at).prop_map(|(s, n)| Act::Truncate(s, n)),
        5 => prop::collection::vec(0u8..4, 1..3).prop_map(|s| Act::Mkdir(Spot(s))),
        1 => spot().prop_map(Act::Fifo),
        1 => (spot(), any::<u8>()).prop_map(|(s, t)| Act::Symlink(s, t)),
        4 => (spot(), spot()).prop_map(|(a, b)| Act::Rename(a, b)),
        1 => (spot(), spot()).prop_map(|(a, b)| Act::Exchange(a, b)),
        2 => (spot(), spot()).prop_map(|(a, b)| Act::Link(a, b)),
        2 => spot().prop_map(Act::Remove),
        1 => (spot(), 0u32..0o7777).prop_map(|(s, m)| Act::Chmod(s, m)),
        1 => (spot(), 0u32..3).prop_map(|(s, m)| Act::Chown(s, m)),
        1 => (spot(), any::<u8>()).prop_map(|(s, v)| Act::Xattr(s, v)),
        1 => (spot(), 0i64..3).prop_map(|(s, d)| Act::Date(s, d)),
    ]
}

fn key(path: &Path) -> io::Result<(FileKey, FileId)> {
    let dir = open_root(path.parent().unwrap())?;
    let meta = Meta::of(&stat_at(&dir, path.file_name().unwrap().as_bytes())?);
    Ok((meta.key(), FileId(meta.ino)))
}

fn parent(path: &Path) -> io::Result<FileId> {
    Ok(FileId(fs::metadata(path.parent().unwrap())?.ino()))
}

fn name(path: &Path) -> Name {
    Name::new(path.file_name().unwrap().as_bytes()).unwrap()
}

/// A name is given to what is there: the whole of it counts as changed.
fn named(marks: &Marks, path: &Path) -> io::Result<FileId> {
    let (file, id) = key(path)?;
    marks.mark(file, 0..u64::MAX)?;
    Ok(id)
}

fn created(marks: &Marks, path: &Path) -> io::Result<()> {
    let (id, parent) = (named(marks, path)?, parent(path)?);
    let owner = Owner { mode: 0, uid: 0, gid: 0 };
    marks.note(&Op::Create { id, parent, name: name(path), owner, rdev: 0 });
    Ok(())
}

pub fn write(marks: &Marks, path: &Path, offset: u64, data: &[u8]) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err() {
        OpenOptions::new().write(true).create_new(true).open(path)?;
        created(marks, path)?;
    }
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let (file, id) = key(path)?;
    marks.mark(file, offset..offset + data.len() as u64)?;
    marks.note(&Op::Write { id, offset, data: bytes::Bytes::new(), sync: false });
    OpenOptions::new().write(true).open(path)?.write_all_at(data, offset)
}

pub fn rename(marks: &Marks, from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    named(marks, from)?;
    if !flags.is_empty() {
        named(marks, to)?;
    }
    let (parent, to_parent) = (parent(from)?, parent(to)?);
    rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flags)?;
    marks.note(&Op::Rename { parent, name: name(from), to_parent, to_name: name(to), flags: 0 });
    Ok(())
}

pub fn link(marks: &Marks, from: &Path, to: &Path) -> io::Result<()> {
    let id = named(marks, from)?;
    fs::hard_link(from, to)?;
    marks.note(&Op::Link { id, parent: parent(to)?, name: name(to) });
    Ok(())
}

pub fn remove(marks: &Marks, path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for child in fs::read_dir(path)? {
            remove(marks, &child?.path())?;
        }
        fs::remove_dir(path)?;
    } else {
        fs::remove_file(path)?;
    }
    marks.note(&Op::Unlink { parent: parent(path)?, name: name(path), dir: false });
    Ok(())
}

/// Does it below `root`; what cannot be done there is left undone.
pub fn apply(marks: &Marks, root: &Path, act: &Act) -> io::Result<()> {
    let attrs = |path: &Path| -> io::Result<()> {
        let kind = fs::symlink_metadata(path)?.file_type();
        if kind.is_symlink() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        marks.note(&Op::SetAttrs { id: key(path)?.1, attrs: Attrs::default() });
        Ok(())
    };
    match act {
        Act::Write(s, at, len, byte) => {
            write(marks, &s.under(root), *at, &vec![*byte; *len])?;
        }
        Act::Truncate(s, size) => {
            let path = s.under(root);
            if fs::symlink_metadata(&path)?.is_file() {
                let (file, id) = key(&path)?;
                marks.mark(file, *size..u64::MAX)?;
                marks.note(&Op::Truncate { id, size: *size });
                OpenOptions::new().write(true).open(&path)?.set_len(*size)?;
            }
        }
        Act::Mkdir(s) => fs::create_dir(s.under(root)).and_then(|()| created(marks, &s.under(root)))?,
        Act::Fifo(s) => {
            let path = s.under(root);
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0)?;
            created(marks, &path)?;
        }
        Act::Symlink(s, to) => {
            symlink(format!("../nowhere/{to}"), s.under(root))?;
            created(marks, &s.under(root))?;
        }
        Act::Rename(a, b) => rename(marks, &a.under(root), &b.under(root), rustix::fs::RenameFlags::empty())?,
        Act::Exchange(a, b) => {
            rename(marks, &a.under(root), &b.under(root), rustix::fs::RenameFlags::EXCHANGE)?;
        }
        Act::Link(a, b) => link(marks, &a.under(root), &b.under(root))?,
        Act::Remove(s) => remove(marks, &s.under(root))?,
        Act::Chmod(s, mode) => {
            attrs(&s.under(root))?;
            fs::set_permissions(s.under(root), fs::Permissions::from_mode(*mode))?;
        }
        Act::Chown(s, id) => {
            attrs(&s.under(root))?;
            std::os::unix::fs::chown(s.under(root), Some(*id), Some(*id))?;
        }
        Act::Xattr(s, value) => {
            attrs(&s.under(root))?;
            let path = s.under(root);
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(path, "trusted.test", &vec![*value; usize::from(*value)], flags)?;
        }
        Act::Date(s, date) => {
            attrs(&s.under(root))?;
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(date.unsigned_abs() * 1000);
            fs::File::open(s.under(root)).and_then(|f| {
                if f.metadata()?.file_type().is_file() { f.set_modified(at) } else { Ok(()) }
            })?;
        }
    }
    Ok(())
}
