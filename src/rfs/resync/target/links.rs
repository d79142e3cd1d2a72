//! Hard links: names that are one file on the primary become one file here, and no others do.

use super::super::beneath::{TreePath, open_dir, stat_at};
use super::super::meta::{Entry, Meta};
use crate::rfs::op::FileKey;
use rustix::fs::{AtFlags, linkat};
use std::collections::HashMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// What a file of the primary with several names is here.
#[derive(Debug)]
struct Group {
    ino: u64,
    names: Vec<TreePath>,
    /// Round in which its bytes were seen to.
    round: u32,
}

#[derive(Debug, Default)]
pub(super) struct Links {
    groups: HashMap<FileKey, Group>,
    /// Files here with several names, and which file of the primary they are.
    claims: HashMap<u64, FileKey>,
}

/// What a name is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kin {
    /// One of a file that was seen to in this round.
    Known,
    /// One that should be a link to a file that is here; nothing was done.
    LinkTo(TreePath),
    /// It stands for itself.
    Own,
}

impl Links {
    /// Whether the file here with this number may be that file of the primary.
    pub fn fits(&self, key: FileKey, own: &Meta) -> bool {
        own.nlink < 2 || self.claims.get(&own.ino).is_none_or(|k| *k == key)
    }

    /// What to do with this name, where `own` is here now.
    pub fn kin(
        &mut self,
        root: BorrowedFd<'_>,
        path: &TreePath,
        entry: &Entry,
        own: Option<&Meta>,
        round: u32,
    ) -> Kin {
        let key = entry.meta.key();
        let Some(group) = self.groups.get_mut(&key).filter(|_| entry.meta.nlink > 1) else { return Kin::Own };
        if own.is_some_and(|o| o.ino == group.ino) {
            if !group.names.contains(path) {
                group.names.push(path.clone());
            }
            let known = group.round == round;
            group.round = round;
            return if known { Kin::Known } else { Kin::Own };
        }
        let ino = group.ino;
        let there = |p: &&TreePath| *p != path && number(root, p).is_ok_and(|n| n == ino);
        group.names.iter().find(there).map_or(Kin::Own, |p| Kin::LinkTo(p.clone()))
    }

    /// The names here of a file of the primary with several.
    pub fn names(&self, key: FileKey) -> Vec<TreePath> {
        self.groups.get(&key).map_or_else(Vec::new, |g| g.names.clone())
    }

    /// Whether its bytes were seen to in this round.
    pub fn is_seen(&self, key: FileKey, round: u32) -> bool {
        self.groups.get(&key).is_some_and(|g| g.round == round)
    }

    /// Its bytes are to be seen to, though they may have been.
    pub fn look_again(&mut self, key: FileKey) {
        if let Some(group) = self.groups.get_mut(&key) {
            group.round = 0;
        }
    }

    /// This name became a link to a file that is here. Its bytes were not seen to by that.
    pub fn joined(&mut self, path: &TreePath, key: FileKey) {
        if let Some(group) = self.groups.get_mut(&key) {
            self.claims.insert(group.ino, key);
            if !group.names.contains(path) {
                group.names.push(path.clone());
            }
        }
    }

    /// This name is that file now, and its bytes are seen to in this round.
    pub fn is_now(&mut self, path: &TreePath, entry: &Entry, own: &Meta, round: u32) {
        let key = entry.meta.key();
        if own.nlink > 1 {
            self.claims.insert(own.ino, key);
        }
        if entry.meta.nlink > 1 {
            let new = || Group { ino: own.ino, names: Vec::new(), round };
            let group = self.groups.entry(key).or_insert_with(new);
            if group.ino != own.ino {
                *group = new();
            }
            group.round = round;
            if !group.names.contains(path) {
                group.names.push(path.clone());
            }
        }
    }
}

fn number(root: BorrowedFd<'_>, path: &TreePath) -> io::Result<u64> {
    let (parent, name) = path.split().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(stat_at(open_dir(root, &parent)?, name)?.stx_ino)
}

/// Makes `name` a link to the file at `to`.
pub(super) fn link(root: BorrowedFd<'_>, to: &TreePath, dir: &OwnedFd, name: &[u8]) -> io::Result<()> {
    let (parent, old) = to.split().ok_or(io::ErrorKind::InvalidInput)?;
    Ok(linkat(open_dir(root, &parent)?, old, dir, name, AtFlags::empty())?)
}
