//! Compares the secondary's tree with the primary's and changes nothing (RFS-61). What differs while the
//! primary is in use is looked at again, at last while it holds its modifications and all that it has sent
//! is applied here: both are then at the same point of the stream, and only what really differs is told.
//! Dates are not compared: those of a file in use and of a directory are each node's own.

use super::beneath::{TreePath, list, open_at, open_dir};
use super::data;
use super::meta::Entry;
use super::target::{Client, Open, Options, Page, Target};
use super::wire::{Piece, Which};
use super::{Progress, ResyncError};
use crate::rfs::op::{FileKey, Name};
use rustix::fs::OFlags;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Times that what differs is looked at again while the primary is in use.
const AGAIN: u32 = 2;
/// Between two looks, so that the secondary can apply what it has received.
const PAUSE: Duration = Duration::from_millis(100);
/// How long the primary is asked to wait at a time...
const HOLD: Duration = Duration::from_secs(2);
/// ... and how many times.
const HOLDS: u32 = 5;

/// What differs of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The primary has it, this node has not.
    Missing,
    /// This node has it, the primary has not.
    Extra,
    /// A file here, a directory or something else there.
    Type,
    /// The bytes.
    Content,
    /// The permissions.
    Mode,
    /// User or group.
    Owner,
    /// Where a symbolic link leads, or which device it is.
    Target,
    /// Extended attributes.
    Attributes,
    /// Which names belong to one file.
    Links,
    /// It changes too fast to be compared.
    Busy,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Difference::Missing => "missing on this node",
            Difference::Extra => "not on the primary",
            Difference::Type => "of another type",
            Difference::Content => "content",
            Difference::Mode => "mode",
            Difference::Owner => "owner",
            Difference::Target => "target",
            Difference::Attributes => "extended attributes",
            Difference::Links => "hard links",
            Difference::Busy => "changes too fast to be compared",
        })
    }
}

/// Bytes that differed, from and to, ascending; none: nothing is known of them.
type Blocks = Vec<(u64, u64)>;

/// The blocks of one part of a file that differ, and where the next part begins.
type Part = (Blocks, Option<u64>);

struct Verify<'a> {
    root: &'a OwnedFd,
    options: &'a Options,
    progress: &'a Progress,
    client: Client,
    /// Files of the primary with several names, and which file they are here.
    links: HashMap<FileKey, u64>,
    /// What differed when it was looked at last.
    suspects: BTreeMap<TreePath, (Difference, Blocks)>,
}

impl Target {
    /// The paths whose entries differ from the primary's. `applied` waits until all that this node has
    /// received is applied, and says false if that takes longer than it may.
    ///
    /// # Errors
    /// The connection, the primary, this node's disk, `cancel`.
    pub fn verify(
        &self,
        open: impl Open,
        applied: &dyn Fn(Duration) -> bool,
    ) -> Result<Vec<(TreePath, Difference)>, ResyncError> {
        let (root, options, progress) = self.parts();
        let client = Client::connect(&open, options.acl)?;
        let (links, suspects) = (HashMap::new(), BTreeMap::new());
        let mut v = Verify { root, options, progress, client, links, suspects };
        v.subtree(&TreePath::default())?;
        for _ in 0..AGAIN {
            if !v.suspects.is_empty() {
                std::thread::sleep(PAUSE);
                let differing = v.again(None)?;
                v.suspects.extend(differing);
            }
        }
        let mut found = BTreeMap::new();
        for _ in 0..HOLDS {
            if !v.suspects.is_empty() {
                // The end of a hold is that of its connection.
                v.client = Client::connect(&open, options.acl)?;
                found.extend(v.held(applied)?);
            }
        }
        let busy = v.suspects.into_keys().map(|path| (path, Difference::Busy));
        found.extend(busy);
        Ok(found.into_iter().collect())
    }
}

impl Verify<'_> {
    fn local(path: &TreePath, source: io::Error) -> ResyncError {
        ResyncError::Local { path: path.shown(), source }
    }

    /// Looks at the suspects while nothing changes. What differs then does; what there was no time for
    /// stays suspect.
    fn held(
        &mut self,
        applied: &dyn Fn(Duration) -> bool,
    ) -> Result<BTreeMap<TreePath, Difference>, ResyncError> {
        match self.client.round(true, true, Vec::new()) {
            Ok(_) => {}
            // Too much is under way there: the next time, perhaps.
            Err(ResyncError::Refused(_)) => return Ok(BTreeMap::new()),
            Err(e) => return Err(e),
        }
        let until = Instant::now() + HOLD;
        let differing = if applied(HOLD) { self.again(Some(until))? } else { BTreeMap::new() };
        match self.client.finish() {
            Ok(()) => Ok(differing.into_iter().map(|(path, (what, _))| (path, what)).collect()),
            // The primary has let modifications go on before the end: it proves nothing.
            Err(ResyncError::Refused(_)) => {
                self.suspects.extend(differing);
                Ok(BTreeMap::new())
            }
            Err(e) => Err(e),
        }
    }

    /// The suspects that still differ. With a deadline one difference of a file is enough, and what is left
    /// then stays suspect.
    fn again(
        &mut self,
        until: Option<Instant>,
    ) -> Result<BTreeMap<TreePath, (Difference, Blocks)>, ResyncError> {
        self.links.clear();
        let mut differing = BTreeMap::new();
        for (path, (what, blocks)) in std::mem::take(&mut self.suspects) {
            if until.is_some_and(|until| Instant::now() >= until) {
                self.suspects.insert(path, (what, blocks));
                continue;
            }
            let there = self.client.stat(&path, None)?.map(|(_, _, entry)| entry);
            let is_dir = there.as_ref().is_some_and(|e| e.meta.is_dir());
            match self.one(&path, there, &blocks, until)? {
                Some((Difference::Busy, left)) => drop(self.suspects.insert(path, (what, left))),
                Some(differs) => drop(differing.insert(path, differs)),
                None if is_dir && what == Difference::Missing => self.subtree(&path)?,
                None => {}
            }
        }
        Ok(differing)
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
                    self.suspect(path, Difference::Missing);
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
                self.suspect(path, Difference::Extra);
                continue;
            };
            self.progress.files_known.fetch_add(there.len() as u64, Ordering::Relaxed);
            for entry in there {
                let child = path.join(&entry.name);
                let present = Name::new(&entry.name).is_some_and(|n| here.remove(&n));
                if present && entry.meta.is_dir() {
                    todo.push(child.clone());
                }
                if let Some(differs) = self.one(&child, Some(entry), &Blocks::new(), None)? {
                    self.suspects.insert(child, differs);
                }
                self.progress.files_done.fetch_add(1, Ordering::Relaxed);
                self.progress.moved();
            }
            for name in here {
                self.suspect(path.join(name.as_bytes()), Difference::Extra);
            }
        }
        Ok(())
    }

    fn suspect(&mut self, path: TreePath, what: Difference) {
        self.suspects.insert(path, (what, Blocks::new()));
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
    fn one(
        &mut self,
        path: &TreePath,
        there: Option<Entry>,
        blocks: &Blocks,
        until: Option<Instant>,
    ) -> Result<Option<(Difference, Blocks)>, ResyncError> {
        let (dir_path, name) = path.split().unwrap_or((TreePath::default(), b"."));
        let here = open_dir(self.root.as_fd(), &dir_path)
            .and_then(|dir| Ok((Entry::read(&dir, name, self.options.acl)?, dir)));
        let gone = |e: &io::Error| matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        let (here, dir) = match here {
            Ok(here) => here,
            Err(e) if gone(&e) => return Ok(there.map(|_| (Difference::Missing, Blocks::new()))),
            Err(e) => return Err(Self::local(path, e)),
        };
        let Some(there) = there else { return Ok(Some((Difference::Extra, Blocks::new()))) };
        if let Some(what) = self.outside(&here, &there) {
            return Ok(Some((what, Blocks::new())));
        }
        if !there.meta.is_file() {
            return Ok(None);
        }
        self.bytes(path, &dir, &there, blocks, until)
    }

    /// All but the bytes.
    fn outside(&mut self, a: &Entry, b: &Entry) -> Option<Difference> {
        let links = |v: &mut Self| {
            let several = b.meta.nlink > 1;
            several && *v.links.entry(b.meta.key()).or_insert(a.meta.ino) != a.meta.ino
        };
        if a.meta.kind() != b.meta.kind() {
            Some(Difference::Type)
        } else if a.meta.mode != b.meta.mode {
            Some(Difference::Mode)
        } else if (a.meta.uid, a.meta.gid) != (b.meta.uid, b.meta.gid) {
            Some(Difference::Owner)
        } else if a.target != b.target || a.meta.rdev != b.meta.rdev {
            Some(Difference::Target)
        } else if a.xattrs != b.xattrs {
            Some(Difference::Attributes)
        } else if !b.meta.is_dir() && (links(self) || a.meta.nlink != b.meta.nlink) {
            Some(Difference::Links)
        } else if b.meta.is_file() && a.meta.size != b.meta.size {
            Some(Difference::Content)
        } else {
            None
        }
    }

    /// Compares the bytes of a file: of these blocks, or of all if there are none. With a deadline one
    /// difference is enough, and what is not compared then is [`Difference::Busy`].
    fn bytes(
        &mut self,
        path: &TreePath,
        dir: &OwnedFd,
        there: &Entry,
        blocks: &Blocks,
        until: Option<Instant>,
    ) -> Result<Option<(Difference, Blocks)>, ResyncError> {
        let file = match open_at(dir, &there.name, OFlags::RDONLY) {
            Ok(file) => File::from(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Some((Difference::Missing, Blocks::new())));
            }
            Err(e) => return Err(Self::local(path, e)),
        };
        let which = Which { path: path.clone(), key: (there.meta.ino, there.meta.birth) };
        let wanted = if blocks.is_empty() { vec![(0, u64::MAX)] } else { blocks.clone() };
        let (mut left, mut differing) = (wanted.clone(), Blocks::new());
        while let Some(&(at, _)) = left.first() {
            if self.progress.is_cancelled() {
                return Err(ResyncError::Cancelled);
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Some((Difference::Busy, left)));
            }
            let Some((part, more)) = self.part(path, &file, &which, at)? else {
                return Ok(Some((Difference::Content, Blocks::new())));
            };
            let asked = |&(from, to): &(u64, u64)| wanted.iter().any(|w| from < w.1 && w.0 < to);
            differing.extend(part.into_iter().filter(asked));
            if until.is_some() && !differing.is_empty() {
                break;
            }
            let Some(more) = more else { break };
            left.retain(|(_, to)| *to > more);
            if let Some(first) = left.first_mut() {
                first.0 = first.0.max(more);
            }
        }
        Ok((!differing.is_empty()).then_some((Difference::Content, differing)))
    }

    /// Compares one part of a file. `None`: the file is not there any more.
    fn part(
        &mut self,
        path: &TreePath,
        file: &File,
        which: &Which,
        from: u64,
    ) -> Result<Option<Part>, ResyncError> {
        let block = self.options.zone_bytes.clamp(4096, 64 << 20);
        let Some((pieces, more)) = self.client.hashes(which, from, block)? else { return Ok(None) };
        let (mut at, mut differing) = (from, Blocks::new());
        for piece in pieces {
            let (len, same) = match piece {
                Piece::Hole(len) => (len, data::is_zero(file, at, len)),
                Piece::Hash(len, hash) if len <= 64 << 20 => {
                    self.progress.compared.fetch_add(len, Ordering::Relaxed);
                    self.progress.moved();
                    (len, data::hash(file, at, len).map(|h| h == hash))
                }
                _ => return Ok(None),
            };
            let end = at.saturating_add(len);
            if !same.map_err(|e| Self::local(path, e))? {
                differing.push((at, end));
            }
            at = end;
        }
        Ok(Some((differing, more)))
    }
}
