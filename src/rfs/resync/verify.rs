//! Compares the secondary's tree with the primary's and changes nothing (RFS-61). What differs while the
//! primary is in use is looked at again, at last while it holds its modifications, so that only what
//! really differs is told.

use super::beneath::{TreePath, list, open_at, open_dir};
use super::data;
use super::meta::Entry;
use super::target::{Client, Open, Options, Page, Target};
use super::wire::{Piece, Which};
use super::{Progress, ResyncError};
use crate::rfs::op::{FileKey, Name};
use rustix::fs::OFlags;
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Times that what differs is looked at again while the primary is in use.
const AGAIN: u32 = 3;
/// Between two looks, so that the secondary can apply what it has received.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the primary is asked to wait.
const HOLD: Duration = Duration::from_secs(2);

struct Verify<'a> {
    root: &'a OwnedFd,
    options: &'a Options,
    progress: &'a Progress,
    client: Client,
    /// Files of the primary with several names, and which file they are here.
    links: HashMap<FileKey, u64>,
    differing: BTreeSet<TreePath>,
}

impl Target {
    /// The paths whose entries differ from the primary's.
    ///
    /// # Errors
    /// The connection, the primary, this node's disk, `cancel`.
    pub fn verify(&self, open: impl Open) -> Result<Vec<TreePath>, ResyncError> {
        let (root, options, progress) = self.parts();
        let client = Client::connect(&open, options.acl)?;
        let mut v =
            Verify { root, options, progress, client, links: HashMap::new(), differing: BTreeSet::new() };
        v.subtree(&TreePath::default())?;
        for _ in 0..AGAIN {
            if !v.differing.is_empty() {
                std::thread::sleep(PAUSE);
                v.again()?;
            }
        }
        if !v.differing.is_empty() {
            v.client.round(true, true, Vec::new())?;
            let start = Instant::now();
            v.again()?;
            while !v.differing.is_empty() && start.elapsed() < HOLD {
                std::thread::sleep(PAUSE);
                v.again()?;
            }
            v.client.resume()?;
        }
        Ok(v.differing.into_iter().collect())
    }
}

impl Verify<'_> {
    fn local(path: &TreePath, source: io::Error) -> ResyncError {
        ResyncError::Local { path: path.shown(), source }
    }

    fn again(&mut self) -> Result<(), ResyncError> {
        self.links.clear();
        for path in std::mem::take(&mut self.differing) {
            let there = self.client.stat(&path, None)?.map(|(_, _, entry)| entry);
            let is_dir = there.as_ref().is_some_and(|e| e.meta.is_dir());
            self.one(&path, there)?;
            if is_dir {
                self.subtree(&path)?;
            }
        }
        Ok(())
    }

    /// Everything below a directory that both have.
    fn subtree(&mut self, from: &TreePath) -> Result<(), ResyncError> {
        let mut todo = vec![from.clone()];
        while let Some(path) = todo.pop() {
            if self.progress.is_cancelled() {
                return Err(ResyncError::Cancelled);
            }
            let here = match open_dir(self.root.as_fd(), &path).and_then(|d| list(&d, path.split().is_none()))
            {
                Ok(names) => names,
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    self.differing.insert(path);
                    continue;
                }
                Err(e) => return Err(Self::local(&path, e)),
            };
            let replicated = |n: &Name| match (&self.options.replicated, path.join(n.as_bytes()).names()) {
                (Some(replicated), Some(names)) => replicated(&names),
                _ => true,
            };
            let mut here: BTreeSet<Name> = here.into_iter().filter(replicated).collect();
            let Some(there) = self.listing(&path)? else {
                self.differing.insert(path);
                continue;
            };
            for entry in there {
                let child = path.join(&entry.name);
                let present = Name::new(&entry.name).is_some_and(|n| here.remove(&n));
                if present && entry.meta.is_dir() {
                    todo.push(child.clone());
                }
                self.one(&child, Some(entry))?;
            }
            self.differing.extend(here.iter().map(|n| path.join(n.as_bytes())));
        }
        Ok(())
    }

    fn listing(&mut self, path: &TreePath) -> Result<Option<Vec<Entry>>, ResyncError> {
        let mut all = Vec::new();
        let mut page = self.client.list(path)?;
        while let Some(Page { entries, more, .. }) = page {
            all.extend(entries);
            if !more {
                return Ok(Some(all));
            }
            page = self.client.more()?;
        }
        Ok(None)
    }

    /// Compares an entry, not what is below it.
    fn one(&mut self, path: &TreePath, there: Option<Entry>) -> Result<(), ResyncError> {
        let (dir_path, name) = path.split().unwrap_or((TreePath::default(), b"."));
        let here = open_dir(self.root.as_fd(), &dir_path)
            .and_then(|dir| Ok((Entry::read(&dir, name, self.options.acl)?, dir)));
        let same = match (here, there) {
            (Ok((here, dir)), Some(there)) => self.equal(path, &dir, &here, &there)?,
            (Ok(_), None) => false,
            (Err(e), there) if e.kind() == io::ErrorKind::NotFound => there.is_none(),
            (Err(e), _) => return Err(Self::local(path, e)),
        };
        if !same {
            self.differing.insert(path.clone());
        }
        Ok(())
    }

    fn equal(&mut self, path: &TreePath, dir: &OwnedFd, a: &Entry, b: &Entry) -> Result<bool, ResyncError> {
        if !a.meta.same_attrs(&b.meta)
            || a.target != b.target
            || a.xattrs != b.xattrs
            || a.meta.rdev != b.meta.rdev
        {
            return Ok(false);
        }
        if a.meta.is_dir() || b.meta.is_dir() {
            return Ok(a.meta.kind() == b.meta.kind());
        }
        if b.meta.nlink > 1 && *self.links.entry(b.meta.key()).or_insert(a.meta.ino) != a.meta.ino {
            return Ok(false);
        }
        if !b.meta.is_file() {
            return Ok(a.meta.nlink == b.meta.nlink);
        }
        Ok(a.meta.size == b.meta.size && self.same_bytes(path, dir, &a.name, b)?)
    }

    fn same_bytes(
        &mut self,
        path: &TreePath,
        dir: &OwnedFd,
        name: &[u8],
        b: &Entry,
    ) -> Result<bool, ResyncError> {
        let file = match open_at(dir, name, OFlags::RDONLY) {
            Ok(file) => File::from(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(Self::local(path, e)),
        };
        let which = Which { path: path.clone(), key: (b.meta.ino, b.meta.birth) };
        let block = self.options.zone_bytes.clamp(4096, 64 << 20);
        let mut next = Some(0);
        while let Some(mut at) = next {
            if self.progress.is_cancelled() {
                return Err(ResyncError::Cancelled);
            }
            let Some((pieces, more)) = self.client.hashes(&which, at, block)? else { return Ok(false) };
            for piece in pieces {
                let (len, same) = match piece {
                    Piece::Hole(len) => (len, data::is_zero(&file, at, len)),
                    Piece::Hash(len, hash) if len <= 64 << 20 => {
                        self.progress.compared.fetch_add(len, Ordering::Relaxed);
                        (len, data::hash(&file, at, len).map(|h| h == hash))
                    }
                    _ => return Ok(false),
                };
                if !same.map_err(|e| Self::local(path, e))? {
                    return Ok(false);
                }
                at = at.saturating_add(len);
            }
            next = more;
        }
        Ok(true)
    }
}
