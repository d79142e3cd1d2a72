//! One connection to the primary.

use super::super::beneath::TreePath;
use super::super::meta::{Entry, Meta, Xattrs};
use super::super::wire::{Channel, Piece, Request, Response, VERSION, Which, decode, encode};
use super::ResyncError;
use std::io;

/// Makes connections.
pub trait Open: Fn() -> io::Result<Box<dyn Channel + Send>> + Sync {}
impl<F: Fn() -> io::Result<Box<dyn Channel + Send>> + Sync> Open for F {}

pub(in crate::rfs::resync) struct Client {
    channel: Box<dyn Channel + Send>,
}

/// What changed on the primary.
#[derive(Debug, Default)]
pub(in crate::rfs::resync) struct Changed {
    pub dirs: Vec<TreePath>,
    /// With what the primary calls them.
    pub files: Vec<(u64, TreePath)>,
    pub everything: bool,
}

/// A page of a directory.
pub(in crate::rfs::resync) struct Page {
    pub dir: Meta,
    pub xattrs: u128,
    pub entries: Vec<Entry>,
    pub more: bool,
}

/// Pieces of a file, and where the rest begins.
pub(in crate::rfs::resync) type Part = (Vec<Piece>, Option<u64>);

fn unexpected<T>() -> Result<T, ResyncError> {
    Err(ResyncError::Protocol(io::Error::other("an answer to another question")))
}

impl Client {
    pub fn connect(open: &impl Open, acl: bool) -> Result<Client, ResyncError> {
        let mut client = Client { channel: open().map_err(ResyncError::Connection)? };
        client.done(&Request::Hello { version: VERSION, acl })?;
        Ok(client)
    }

    /// `None`: it is gone.
    fn call(&mut self, request: &Request) -> Result<Option<Response>, ResyncError> {
        let message = encode(request).map_err(ResyncError::Protocol)?;
        self.channel.send(&message).map_err(ResyncError::Connection)?;
        let answer = self.channel.receive().map_err(ResyncError::Connection)?;
        match decode(&answer).map_err(ResyncError::Protocol)? {
            Response::Gone => Ok(None),
            Response::Refused(why) => Err(ResyncError::Refused(why)),
            other => Ok(Some(other)),
        }
    }

    fn done(&mut self, request: &Request) -> Result<(), ResyncError> {
        match self.call(request)? {
            Some(Response::Done) => Ok(()),
            _ => unexpected(),
        }
    }

    pub fn round(&mut self, first: bool, hold: bool, again: Vec<u64>) -> Result<Changed, ResyncError> {
        let mut all = Changed::default();
        let mut request = Request::Round { first, hold, again };
        loop {
            match self.call(&request)? {
                Some(Response::Changed { dirs, files, overflow, more }) => {
                    all.dirs.extend(dirs);
                    all.files.extend(files);
                    all.everything |= overflow;
                    if !more {
                        return Ok(all);
                    }
                }
                _ => return unexpected(),
            }
            request = Request::More;
        }
    }

    pub fn resume(&mut self) -> Result<(), ResyncError> {
        self.done(&Request::Resume)
    }

    pub fn finish(&mut self) -> Result<(), ResyncError> {
        self.done(&Request::Finish)
    }

    fn page(&mut self, request: &Request) -> Result<Option<Page>, ResyncError> {
        match self.call(request)? {
            None => Ok(None),
            Some(Response::Entries { dir, xattrs, entries, more }) => {
                let names_fit =
                    entries.iter().all(|e| e.name == b"." || crate::rfs::op::Name::new(&e.name).is_some());
                if names_fit { Ok(Some(Page { dir, xattrs, entries, more })) } else { unexpected() }
            }
            Some(_) => unexpected(),
        }
    }

    /// The first page of a directory.
    pub fn list(&mut self, path: &TreePath) -> Result<Option<Page>, ResyncError> {
        self.page(&Request::List { path: path.clone() })
    }

    /// The next page.
    pub fn more(&mut self) -> Result<Option<Page>, ResyncError> {
        self.page(&Request::More)
    }

    /// One entry, and the directory that it is in. `None` also if `id` is given and is elsewhere.
    pub fn stat(
        &mut self,
        path: &TreePath,
        id: Option<u64>,
    ) -> Result<Option<(Meta, u128, Entry)>, ResyncError> {
        let page = self.page(&Request::Stat { path: path.clone(), id })?;
        Ok(page.and_then(|p| Some((p.dir, p.xattrs, p.entries.into_iter().next()?))))
    }

    pub fn xattrs(&mut self, path: &TreePath) -> Result<Option<Xattrs>, ResyncError> {
        match self.call(&Request::Xattrs { path: path.clone() })? {
            None => Ok(None),
            Some(Response::Xattrs(xattrs)) => Ok(Some(xattrs)),
            Some(_) => unexpected(),
        }
    }

    fn part(&mut self, request: &Request, from: u64) -> Result<Option<Part>, ResyncError> {
        match self.call(request)? {
            None => Ok(None),
            Some(Response::Pieces { pieces, next }) if next.is_none_or(|n| n > from) => {
                Ok(Some((pieces, next)))
            }
            Some(_) => unexpected(),
        }
    }

    pub fn hashes(&mut self, file: &Which, offset: u64, block: u32) -> Result<Option<Part>, ResyncError> {
        self.part(&Request::Hashes { file: file.clone(), offset, block }, offset)
    }

    pub fn read(
        &mut self,
        file: &Which,
        offset: u64,
        end: u64,
        most: u32,
    ) -> Result<Option<Part>, ResyncError> {
        self.part(&Request::Read { file: file.clone(), offset, end, most }, offset)
    }
}
