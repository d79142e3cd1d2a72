//! The primary's side: answers what the secondary asks, one connection at a time. It reads below the
//! backing directory and holds no lock while it does: what changes meanwhile is in the next round.

use super::ResyncError;
use super::beneath::{TreePath, gone, list, open_at, open_dir, stat_fd};
use super::data;
use super::meta::{Entry, Meta, Verdict, digest, xattrs};
use super::wire::{Channel, PACKET_MOST, Request, Response, VERSION, Which, decode, encode};
use crate::rfs::op::{FileId, FileKey, Name};
use crate::rfs::zones::{Changes, GRAIN};
use rustix::fs::OFlags;
use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Entries of a directory in one answer.
const ENTRIES_MOST: usize = 2000;
/// Bytes of paths and link targets in one answer, about.
const TEXT_MOST: usize = 1 << 20;

/// What the primary lends to a reintegration.
pub trait Primary: Send + Sync {
    /// The backing directory.
    fn root(&self) -> BorrowedFd<'_>;
    /// A path of a file; `None` if it has no name any more.
    fn path_of(&self, id: FileId) -> Option<Vec<Name>>;
    /// What changed of a regular file, or of the names below a directory, since both nodes had the same.
    fn verdict(&self, file: FileKey, meta: &Meta) -> Verdict;
    /// What changed since the last call; asked only while modifications are held.
    fn changes(&self) -> Changes;
    /// Lets modifications wait and returns when none is under way. It ends by `resume`, by `attach`
    /// or by itself after a bounded time.
    ///
    /// # Errors
    /// Those under way did not end in time; nothing waits.
    fn hold(&self) -> Result<(), String>;
    /// Lets modifications go on.
    fn resume(&self);
    /// The secondary has everything: the hold becomes the attachment of the stream, which lets
    /// modifications go on.
    ///
    /// # Errors
    /// The hold has ended by itself; another round has to follow.
    fn attach(&self) -> Result<(), String>;
    /// Whether this path is replicated (RFS-16).
    fn replicated(&self, path: &[Name]) -> bool;
}

/// Serves one primary's tree.
pub struct Source<P> {
    primary: P,
}

/// What a connection is in the middle of.
#[derive(Default)]
struct Session {
    acl: bool,
    greeted: bool,
    /// The changes of this round; `None`: the first one.
    round: Option<Changes>,
    dirs: VecDeque<FileId>,
    files: VecDeque<FileId>,
    /// Changed in an earlier round, of whose bytes nothing is known any more.
    again: BTreeSet<FileId>,
    listing: Option<Listing>,
    open: Option<(Which, File)>,
    holds: bool,
}

struct Listing {
    dir: OwnedFd,
    path: TreePath,
    names: VecDeque<Name>,
}

/// Lets modifications go on when a connection ends in the middle of a hold.
struct Release<'a, P: Primary> {
    primary: &'a P,
    session: Session,
}

impl<P: Primary> Drop for Release<'_, P> {
    fn drop(&mut self) {
        if self.session.holds {
            self.primary.resume();
        }
    }
}

impl<P: Primary> Source<P> {
    /// A source of this primary's tree.
    pub fn new(primary: P) -> Source<P> {
        Source { primary }
    }

    /// Answers one connection until it ends. `Ok(true)`: the secondary has everything and the stream
    /// is attached.
    ///
    /// # Errors
    /// The connection is lost or the peer does not speak the protocol; a hold is over then.
    pub fn serve(&self, channel: &mut dyn Channel) -> Result<bool, ResyncError> {
        let mut state = Release { primary: &self.primary, session: Session::default() };
        loop {
            let request = match channel.receive() {
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                other => decode(&other.map_err(ResyncError::Connection)?).map_err(ResyncError::Protocol)?,
            };
            let finish = request == Request::Finish;
            let response = self.answer(&mut state.session, request).unwrap_or_else(|e| refusal(&e));
            let done = finish && response == Response::Done;
            channel
                .send(&encode(&response).map_err(ResyncError::Protocol)?)
                .map_err(ResyncError::Connection)?;
            if done {
                return Ok(true);
            }
        }
    }

    fn answer(&self, s: &mut Session, request: Request) -> io::Result<Response> {
        if !s.greeted && !matches!(request, Request::Hello { .. }) {
            return Err(io::Error::other("the peer did not say hello"));
        }
        match request {
            Request::Hello { version, acl } if version == VERSION => {
                (s.greeted, s.acl) = (true, acl);
                Ok(Response::Done)
            }
            Request::Hello { version, .. } => Err(io::Error::other(format!(
                "version {version} of reintegration, {VERSION} here; use the same package on both nodes"
            ))),
            Request::Round { first, hold, again } => self.round(s, first, hold, &again),
            Request::More if s.listing.is_some() => self.entries(s),
            Request::More => Ok(self.changed(s)),
            Request::List { path } => self.list(s, path),
            Request::Stat { path, id } => self.stat(s, &path, id.map(FileId)),
            Request::Xattrs { path } => self.xattrs(s, &path),
            Request::Hashes { file, offset, block } => {
                let block = u64::from(block.clamp(4096, 64 << 20));
                let (file, size) = self.file(s, file)?;
                let (pieces, next) = data::hashes(file, size, offset, block)?;
                Ok(Response::Pieces { pieces, next })
            }
            Request::Read { file, offset, end, most } => {
                let (file, size) = self.file(s, file)?;
                let (pieces, next) = data::read(file, size, offset, end, u64::from(most.min(PACKET_MOST)))?;
                Ok(Response::Pieces { pieces, next })
            }
            Request::Resume => {
                self.release(s);
                Ok(Response::Done)
            }
            Request::Finish if s.holds => {
                self.primary.attach().map_err(io::Error::other)?;
                s.holds = false;
                Ok(Response::Done)
            }
            Request::Finish => Err(io::Error::other("modifications were not held")),
        }
    }

    fn release(&self, s: &mut Session) {
        if std::mem::take(&mut s.holds) {
            self.primary.resume();
        }
    }

    /// Changes are taken while no modification is under way: one that was noted but whose bytes are
    /// written later would be in no round.
    fn round(&self, s: &mut Session, first: bool, hold: bool, again: &[u64]) -> io::Result<Response> {
        self.release(s);
        self.primary.hold().map_err(io::Error::other)?;
        s.holds = true;
        let changes = self.primary.changes();
        if !hold {
            self.release(s);
        }
        s.listing = None;
        // The first round asks the zones about everything.
        let everything = first || changes.overflow;
        s.dirs = changes.dirs.iter().copied().filter(|_| !everything).collect();
        s.again = again.iter().copied().map(FileId).collect();
        s.files = changes.files.union(&s.again).copied().filter(|_| !everything).collect();
        s.round = (!everything).then_some(changes);
        Ok(self.changed(s))
    }

    fn changed(&self, s: &mut Session) -> Response {
        let overflow = s.round.is_none();
        let (mut dirs, mut files, mut text) = (Vec::new(), Vec::new(), 0);
        let mut path = |id| {
            let names = self.primary.path_of(id)?;
            let kept = (0..=names.len()).skip(1).all(|n| self.primary.replicated(&names[..n]));
            let path = TreePath::of(&names);
            text += path.shown().len() + 8;
            Some((path, text)).filter(|_| kept)
        };
        let mut full = false;
        while !full && let Some(id) = s.dirs.pop_front() {
            full = path(id).is_some_and(|(p, text)| {
                dirs.push(p);
                text > TEXT_MOST
            });
        }
        while !full && let Some(id) = s.files.pop_front() {
            full = path(id).is_some_and(|(p, text)| {
                files.push((id.0, p));
                text > TEXT_MOST
            });
        }
        Response::Changed { dirs, files, overflow, more: !(s.dirs.is_empty() && s.files.is_empty()) }
    }

    fn verdict(&self, s: &Session, meta: &Meta) -> Verdict {
        if !meta.is_file() && !meta.is_dir() {
            return Verdict::HashAll;
        }
        match &s.round {
            Some(changes) => match changes.bytes.get(&meta.key()) {
                Some(set) => Verdict::of_set(set, GRAIN),
                None => Verdict::Clean,
            },
            None => self.primary.verdict(meta.key(), meta),
        }
    }

    fn list(&self, s: &mut Session, path: TreePath) -> io::Result<Response> {
        let names = path.names().ok_or(io::ErrorKind::InvalidInput)?;
        let dir = open_dir(self.primary.root(), &path)?;
        let kept = |name: &Name| {
            let mut full = names.clone();
            full.push(name.clone());
            self.primary.replicated(&full)
        };
        let names = list(&dir, names.is_empty())?.into_iter().filter(kept).collect();
        s.listing = Some(Listing { dir, path, names });
        self.entries(s)
    }

    fn entries(&self, s: &mut Session) -> io::Result<Response> {
        let Some(mut listing) = s.listing.take() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let dir = Meta::of(&stat_fd(&listing.dir)?);
        let own = digest(&xattrs(&listing.dir, b".", s.acl)?);
        let (mut entries, mut text) = (Vec::new(), 0);
        while entries.len() < ENTRIES_MOST && text < TEXT_MOST {
            let Some(name) = listing.names.pop_front() else { break };
            // What went since the names were read is in the changes of the next round.
            match Entry::read(&listing.dir, name.as_bytes(), s.acl) {
                Ok(entry) => {
                    let verdict = self.verdict(s, &entry.meta);
                    let ranges = if let Verdict::Zones(zones) = &verdict { zones.len() } else { 0 };
                    text += entry.target.len() + ranges * 20;
                    entries.push(Entry { verdict, ..entry });
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(named(e, &listing.path.join(name.as_bytes()))),
            }
        }
        let more = !listing.names.is_empty();
        s.listing = more.then_some(listing);
        Ok(Response::Entries { dir, xattrs: own, entries, more })
    }

    /// A file with several names may have lost the one that it was told by, and another file may have it.
    /// That is `NotFound`: any new name is a change of the next round, but a loss is none of the other names.
    fn stat(&self, s: &Session, path: &TreePath, id: Option<FileId>) -> io::Result<Response> {
        path.names().ok_or(io::ErrorKind::InvalidInput)?;
        let (parent, name) = path.split().unwrap_or((TreePath::default(), b"."));
        let dir = open_dir(self.primary.root(), &parent)?;
        let entry = Entry::read(&dir, name, s.acl)?;
        let elsewhere = |id| self.primary.path_of(id).is_some_and(|now| TreePath::of(&now) != *path);
        if id.is_some_and(elsewhere) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let again = id.is_some_and(|id| s.again.contains(&id));
        let verdict = if again { Verdict::HashAll } else { self.verdict(s, &entry.meta) };
        let entry = Entry { verdict, ..entry };
        let xattrs = digest(&xattrs(&dir, b".", s.acl)?);
        let dir = Meta::of(&stat_fd(&dir)?);
        Ok(Response::Entries { dir, xattrs, entries: vec![entry], more: false })
    }

    fn xattrs(&self, s: &Session, path: &TreePath) -> io::Result<Response> {
        path.names().ok_or(io::ErrorKind::InvalidInput)?;
        let (parent, name) = path.split().unwrap_or((TreePath::default(), b"."));
        let dir = open_dir(self.primary.root(), &parent)?;
        Ok(Response::Xattrs(xattrs(&dir, name, s.acl)?))
    }

    /// The file that is meant, open, and its length. Another file under this name is `NotFound`.
    fn file<'s>(&self, s: &'s mut Session, which: Which) -> io::Result<(&'s File, u64)> {
        if s.open.as_ref().is_none_or(|(open, _)| *open != which) {
            which.path.names().ok_or(io::ErrorKind::InvalidInput)?;
            let (parent, name) = which.path.split().ok_or(io::ErrorKind::InvalidInput)?;
            let dir = open_dir(self.primary.root(), &parent)?;
            let file = File::from(open_at(&dir, name, OFlags::RDONLY)?);
            let meta = Meta::of(&stat_fd(&file)?);
            if !meta.is_file() || (meta.ino, meta.birth) != which.key {
                return Err(io::ErrorKind::NotFound.into());
            }
            s.open = Some((which, file));
        }
        let file = s.open.as_ref().map(|(_, file)| file).ok_or(io::ErrorKind::NotFound)?;
        Ok((file, file.metadata()?.len()))
    }
}

fn named(e: io::Error, path: &TreePath) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.shown()))
}

fn refusal(e: &io::Error) -> Response {
    if gone(e) { Response::Gone } else { Response::Refused(e.to_string()) }
}
