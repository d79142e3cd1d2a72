//! What the primary does not have any more is kept until the end of the run: it may only have been
//! renamed, and then nothing has to be copied.

use super::super::beneath::{TreePath, list, open_at, open_dir, stat_at};
use super::super::meta::Meta;
use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, renameat, unlinkat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Files that can be found again.
const INDEX_MOST: usize = 1 << 20;

pub(super) struct Trash {
    dir: OwnedFd,
    next: u64,
    index: HashMap<(u64, (i64, u32)), Vec<TreePath>>,
    indexed: usize,
}

impl Trash {
    /// Opens it, empty.
    pub fn open(own: &OwnedFd) -> io::Result<Trash> {
        match mkdirat(own, "trash", Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let dir = open_at(own, b"trash", OFlags::RDONLY | OFlags::DIRECTORY)?;
        let next = list(&dir, false)?
            .iter()
            .filter_map(|n| std::str::from_utf8(n.as_bytes()).ok()?.parse::<u64>().ok())
            .max()
            .map_or(0, |n| n + 1);
        let mut trash = Trash { dir, next, index: HashMap::new(), indexed: 0 };
        trash.empty()?;
        Ok(trash)
    }

    fn move_in(&mut self, dir: impl AsFd, name: &[u8]) -> io::Result<TreePath> {
        let to = self.next.to_string();
        self.next += 1;
        renameat(dir, name, &self.dir, to.as_str())?;
        Ok(TreePath::default().join(to.as_bytes()))
    }

    /// Moves an entry here.
    pub fn put(&mut self, dir: impl AsFd, name: &[u8]) -> io::Result<()> {
        let mut todo = vec![self.move_in(dir, name)?];
        while let Some(path) = todo.pop() {
            let Some((parent, name)) = path.split() else { continue };
            let dir = open_dir(self.dir.as_fd(), &parent)?;
            let meta = Meta::of(&stat_at(&dir, name)?);
            if meta.is_dir() {
                let inner = open_at(&dir, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
                todo.extend(list(&inner, false)?.iter().map(|n| path.join(n.as_bytes())));
            } else if meta.is_file() && meta.size > 0 && self.indexed < INDEX_MOST {
                self.indexed += 1;
                self.index.entry((meta.size, meta.mtime)).or_default().push(path);
            }
        }
        Ok(())
    }

    /// Moves a file of this length and date out of here; `fits` may refuse it.
    pub fn take(
        &mut self,
        like: &Meta,
        fits: impl Fn(&Meta) -> bool,
        dir: impl AsFd,
        name: &[u8],
    ) -> io::Result<bool> {
        let Some(paths) = self.index.get_mut(&(like.size, like.mtime)) else { return Ok(false) };
        while let Some(path) = paths.pop() {
            self.indexed -= 1;
            let Some((parent, from)) = path.split() else { continue };
            let parent = open_dir(self.dir.as_fd(), &parent)?;
            if fits(&Meta::of(&stat_at(&parent, from)?)) {
                renameat(&parent, from, dir, name)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes everything, however deep.
    pub fn empty(&mut self) -> io::Result<()> {
        (self.index, self.indexed) = (HashMap::new(), 0);
        loop {
            let names = list(&self.dir, false)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                if !remove(&self.dir, name.as_bytes())? {
                    let inner = open_at(&self.dir, name.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY)?;
                    for child in list(&inner, false)? {
                        if !remove(&inner, child.as_bytes())? {
                            self.move_in(&inner, child.as_bytes())?;
                        }
                    }
                    unlinkat(&self.dir, name.as_bytes(), AtFlags::REMOVEDIR)?;
                }
            }
        }
    }
}

/// Removes an entry unless it is a directory with entries.
pub(super) fn remove(dir: impl AsFd, name: &[u8]) -> io::Result<bool> {
    match unlinkat(&dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        other => return Ok(other.map(|()| true)?),
    }
    match unlinkat(&dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        other => Ok(other.map(|()| true)?),
    }
}
