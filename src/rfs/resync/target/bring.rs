//! The bytes and the attributes of one file.

use super::super::ResyncError;
use super::super::beneath::{TreePath, gone, open_at, open_dir, proc_path, stat_at};
use super::super::data;
use super::super::meta::{Meta, digest, set_xattrs, xattrs};
use super::super::wire::{PACKET_MOST, Piece, Which};
use super::Plan;
use super::client::Client;
use super::shared::{Job, Shared, Work};
use crate::rfs::rescue::What;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

/// Does a job. What is gone, here or there, is left to the next round.
pub(super) fn bring(shared: &Shared<'_>, client: &mut Client, job: &Job) -> Result<(), ResyncError> {
    let done = if job.work == Work::Keep { Ok(true) } else { bytes(shared, client, job) };
    let done = settle(shared, &job.path, &job.entry.meta, done)?;
    if done {
        attributes(shared, client, &job.path, &job.entry.meta, job.entry.xattrs)?;
        if shared.plan == Plan::Full && job.work == Work::Copy {
            shared.copied(job);
        }
    }
    shared.file_done(if job.work == Work::Keep { 0 } else { job.entry.meta.size });
    Ok(())
}

/// Why a step went wrong: the primary, or this node's disk.
enum Trouble {
    Remote(ResyncError),
    Here(io::Error),
}

impl From<ResyncError> for Trouble {
    fn from(e: ResyncError) -> Trouble {
        Trouble::Remote(e)
    }
}

impl From<io::Error> for Trouble {
    fn from(e: io::Error) -> Trouble {
        Trouble::Here(e)
    }
}

impl From<rustix::io::Errno> for Trouble {
    fn from(e: rustix::io::Errno) -> Trouble {
        Trouble::Here(e.into())
    }
}

/// `Ok(false)`: the next round has to look at it again.
fn settle(
    shared: &Shared<'_>,
    path: &TreePath,
    there: &Meta,
    done: Result<bool, Trouble>,
) -> Result<bool, ResyncError> {
    match done {
        Ok(true) => return Ok(true),
        Ok(false) => {}
        Err(Trouble::Here(e)) if gone(&e) => {}
        Err(Trouble::Here(e)) => return Err(shared.local(path, e)),
        Err(Trouble::Remote(e)) => return Err(e),
    }
    shared.retry(path, Some(there));
    Ok(false)
}

fn bytes(shared: &Shared<'_>, client: &mut Client, job: &Job) -> Result<bool, Trouble> {
    let (parent, name) = job.path.split().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    let dir = open_dir(shared.root, &parent)?;
    let file = File::from(open_at(&dir, name, OFlags::RDWR)?);
    let size = job.entry.meta.size;
    let before = file.metadata()?;
    if !before.is_file() {
        return Ok(false);
    }
    let key = job.entry.meta.key();
    let which = Which { path: job.path.clone(), key: (key.ino, key.birth) };
    let mut fetch = Fetch { shared, client, file: &file, which: &which, got: 0, committed: 0 };
    if shared.keeps() {
        match fetch.differs(before.len(), size)? {
            None => return Ok(false),
            Some(true) => shared.keep(&dir, &job.path, What::Changed)?,
            Some(false) if job.work == Work::Hash => return Ok(true),
            Some(false) => {}
        }
    }
    if job.work == Work::Copy {
        file.set_len(0)?;
    }
    if file.metadata()?.len() != size {
        file.set_len(size)?;
    }
    let (how, done) = match &job.work {
        Work::Keep => return Ok(true),
        Work::Copy => ("copied whole", fetch.range(0, u64::MAX)?),
        Work::Hash => ("compared by hash", fetch.differing()?),
        Work::Zones(zones) => {
            let mut zones = zones.iter().filter(|z| z.0 < size);
            let done = zones.try_fold(true, |done, z| Ok::<_, Trouble>(done && fetch.range(z.0, z.1)?))?;
            ("modified zones", done)
        }
    };
    if done && let Some(detail) = &shared.options.detail {
        detail(format!("{}: {how}, {} of {size} bytes copied", job.path.shown(), fetch.got));
    }
    Ok(done)
}

struct Fetch<'a, 'b> {
    shared: &'a Shared<'b>,
    client: &'a mut Client,
    file: &'a File,
    which: &'a Which,
    /// Bytes received.
    got: u64,
    /// Of them, on the disk for sure.
    committed: u64,
}

impl Fetch<'_, '_> {
    /// Bytes of one answer, so that a bandwidth is kept smoothly.
    fn packet(&self) -> u32 {
        let packet = self.shared.options.packet.clamp(4096, PACKET_MOST);
        match self.bandwidth() {
            Some(b) => packet.min(u32::try_from(b / 8).unwrap_or(PACKET_MOST).max(16 << 10)),
            None => packet,
        }
    }

    fn bandwidth(&self) -> Option<u64> {
        self.shared.options.bandwidth.map(|kb| kb.saturating_mul(1024))
    }

    fn alive(&self) -> Result<(), Trouble> {
        if self.shared.progress.is_cancelled() { Err(ResyncError::Cancelled.into()) } else { Ok(()) }
    }

    /// Fetches a range. `false`: the primary has no such file any more.
    fn range(&mut self, from: u64, to: u64) -> Result<bool, Trouble> {
        let mut next = Some(from);
        while let Some(mut at) = next.filter(|&at| at < to) {
            self.alive()?;
            let Some((pieces, more)) = self.client.read(self.which, at, to, self.packet())? else {
                return Ok(false);
            };
            for piece in pieces {
                match piece {
                    Piece::Hole(len) => {
                        data::punch(self.file, at, len)?;
                        at = at.saturating_add(len);
                    }
                    Piece::Bytes(blob) => {
                        self.file.write_all_at(&blob.0, at)?;
                        at = at.saturating_add(blob.0.len() as u64);
                        self.got += blob.0.len() as u64;
                        self.shared.progress.received(blob.0.len() as u64, self.bandwidth());
                    }
                    Piece::Hash(..) => return Err(mixed().into()),
                }
            }
            self.commit()?;
            next = more;
        }
        Ok(true)
    }

    /// `reicommit`: what a long copy has brought does not wait in memory for its end.
    fn commit(&mut self) -> io::Result<()> {
        let every = self.shared.options.commit;
        if every == 0 || self.got - self.committed < every {
            return Ok(());
        }
        self.committed = self.got;
        self.file.sync_data()
    }

    /// Whether the file here, of `own` bytes, differs from the primary's of `size`; nothing is changed.
    /// `None`: the primary has no such file any more.
    fn differs(&mut self, own: u64, size: u64) -> Result<Option<bool>, Trouble> {
        if own != size {
            return Ok(Some(true));
        }
        let mut next = Some(0);
        while let Some(mut at) = next.filter(|_| size > 0) {
            self.alive()?;
            let Some((pieces, more)) = self.client.hashes(self.which, at, self.block())? else {
                return Ok(None);
            };
            for piece in pieces {
                let (len, same) = match piece {
                    Piece::Hole(len) => (len, data::is_zero(self.file, at, len)?),
                    Piece::Hash(len, _) if len > 64 << 20 => return Err(mixed().into()),
                    Piece::Hash(len, hash) => (len, data::hash(self.file, at, len)? == hash),
                    Piece::Bytes(_) => return Err(mixed().into()),
                };
                self.shared.progress.compared.fetch_add(len, Ordering::Relaxed);
                self.shared.progress.moved();
                if !same {
                    return Ok(Some(true));
                }
                at = at.saturating_add(len);
            }
            next = more;
        }
        Ok(Some(false))
    }

    fn block(&self) -> u32 {
        self.shared.options.zone_bytes.clamp(4096, 64 << 20)
    }

    /// Compares block by block and fetches what differs.
    fn differing(&mut self) -> Result<bool, Trouble> {
        let mut next = Some(0);
        while let Some(mut at) = next {
            self.alive()?;
            let Some((pieces, more)) = self.client.hashes(self.which, at, self.block())? else {
                return Ok(false);
            };
            for piece in pieces {
                match piece {
                    Piece::Hole(len) => {
                        data::punch(self.file, at, len)?;
                        at = at.saturating_add(len);
                    }
                    Piece::Hash(len, _) if len > 64 << 20 => return Err(mixed().into()),
                    Piece::Hash(len, hash) => {
                        self.shared.progress.compared.fetch_add(len, Ordering::Relaxed);
                        self.shared.progress.moved();
                        let to = at.saturating_add(len);
                        if data::hash(self.file, at, len)? != hash && !self.range(at, to)? {
                            return Ok(false);
                        }
                        at = to;
                    }
                    Piece::Bytes(_) => return Err(mixed().into()),
                }
            }
            next = more;
        }
        Ok(true)
    }
}

fn mixed() -> ResyncError {
    ResyncError::Protocol(io::Error::other("a piece of another kind"))
}

/// Gives an entry its owner, permissions, extended attributes and date.
pub(super) fn attributes(
    shared: &Shared<'_>,
    client: &mut Client,
    path: &TreePath,
    wanted: &Meta,
    digest: u128,
) -> Result<(), ResyncError> {
    let done = set_attributes(shared, client, path, wanted, digest);
    settle(shared, path, wanted, done).map(|_| ())
}

fn set_attributes(
    shared: &Shared<'_>,
    client: &mut Client,
    path: &TreePath,
    wanted: &Meta,
    wanted_digest: u128,
) -> Result<bool, Trouble> {
    let (parent, name) = path.split().unwrap_or((TreePath::default(), b"."));
    let dir = open_dir(shared.root, &parent)?;
    let own = || Ok::<_, io::Error>(Meta::of(&stat_at(&dir, name)?));
    let before = own()?;
    if before.kind() != wanted.kind() {
        return Ok(false);
    }
    // The date of a directory says nothing that its entries do not say.
    let alike = match wanted.is_dir() {
        true => (before.mode, before.uid, before.gid) == (wanted.mode, wanted.uid, wanted.gid),
        false => before.same_attrs(wanted),
    };
    let acl = shared.options.acl;
    if shared.keeps() && !(alike && digest(&xattrs(&dir, name, acl)?) == wanted_digest) {
        shared.keep(&dir, path, What::Attributes)?;
    }
    if (before.uid, before.gid) != (wanted.uid, wanted.gid) {
        let ids = (Some(Uid::from_raw(wanted.uid)), Some(Gid::from_raw(wanted.gid)));
        rustix::fs::chownat(&dir, name, ids.0, ids.1, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    // After the owner, which takes capabilities away; before the permissions, which an ACL changes.
    if digest(&xattrs(&dir, name, acl)?) != wanted_digest {
        let Some(wanted) = client.xattrs(path)? else { return Ok(false) };
        set_xattrs(&dir, name, acl, &wanted)?;
    }
    let now = own()?;
    if now.mode != wanted.mode && wanted.kind() != rustix::fs::FileType::Symlink {
        // Nobody else writes to this tree, so it is still no symbolic link.
        rustix::fs::chmod(proc_path(&dir, name)?, Mode::from_raw_mode(wanted.mode & 0o7777))?;
    }
    if now.mtime != wanted.mtime {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: wanted.mtime.0, tv_nsec: i64::from(wanted.mtime.1) },
        };
        rustix::fs::utimensat(&dir, name, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(true)
}
