//! What `safekit rescue` shows of the archives, and their end.

use super::entry::{Entry, Kind, What, unescape};
use super::files::{Header, Place, places, sync_dir};
use super::{RescueError, io};
use crate::rfs::resync::beneath::{gone, open_at, open_dir, stat_at};
use crate::rfs::resync::data::same;
use crate::rfs::resync::{Meta, open_root};
use crate::told::attempt::Attempt;
use crate::told::told;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// An archive in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Archive {
    /// Its name: when it was begun, UTC.
    pub name: String,
    /// What it is about.
    pub header: Header,
    /// Entries of its manifest.
    pub files: u64,
    /// Bytes of the files kept.
    pub bytes: u64,
    /// Files that are listed only, for want of room.
    pub left_out: u64,
    /// Somebody has compared or restored it.
    pub read: bool,
}

/// What is at the path of an entry now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Now {
    /// Nothing.
    Missing,
    /// Something of another type.
    OtherType,
    /// A file of another size: this many bytes.
    OtherSize(u64),
    /// Other bytes, or another target or device.
    Different,
    /// Other owner, permissions or date only.
    Attributes,
    /// The same.
    Same,
    /// The same size; the bytes were not kept, so nothing more can be said.
    Unknown,
}

/// An entry compared with what is there now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Compared {
    /// Full path, see [`super::escape`].
    pub path: String,
    /// How it differed when it was rescued.
    pub what: What,
    /// Bytes then.
    pub size: u64,
    /// What is there now.
    pub now: Now,
    /// Why its bytes are not in the archive.
    pub left_out: Option<String>,
    /// It may be half copied.
    pub doubtful: bool,
}

/// Which archives are purged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purge {
    /// This one.
    One(String),
    /// Those that were begun before this second since 1970.
    Before(i64),
    /// Every one.
    All,
}

/// The archives in `root`, oldest first.
///
/// # Errors
/// One of them cannot be read.
pub fn archives(root: &Path) -> Result<Vec<Archive>, RescueError> {
    let found = places(root)?.into_iter().map(|place| {
        let Some(header) = place.load_header()? else { return Ok(None) };
        let entries = place.load_manifest()?;
        let mut stored: Vec<(u64, u64)> = entries.iter().filter_map(|e| Some((e.stored?, e.size))).collect();
        stored.sort_unstable();
        stored.dedup();
        Ok(Some(Archive {
            name: place.name(),
            header,
            files: entries.len() as u64,
            bytes: stored.iter().map(|(_, size)| size).sum(),
            left_out: entries.iter().filter(|e| e.left_out.is_some()).count() as u64,
            read: place.read_mark().exists(),
        }))
    });
    found.filter_map(Result::transpose).collect()
}

/// Names of the archives that nobody has compared or restored yet.
///
/// # Errors
/// The directory cannot be read.
pub fn unread(root: &Path) -> Result<Vec<String>, RescueError> {
    Ok(places(root)?.iter().filter(|p| !p.read_mark().exists()).map(Place::name).collect())
}

/// The archive of this name, the newest without one.
///
/// # Errors
/// There is none.
pub fn find(root: &Path, wanted: Option<&str>) -> Result<std::path::PathBuf, RescueError> {
    let found = places(root)?.into_iter().rfind(|p| wanted.is_none_or(|w| p.name() == w));
    found.map(|p| p.0).ok_or_else(|| {
        RescueError::Refused(match wanted {
            Some(wanted) => told!(
                "there is no rescue archive {wanted}: see safekit rescue list",
                "il n'y a pas d'archive de secours {wanted} : voir safekit rescue list"
            ),
            None => told!("there is no rescue archive", "il n'y a pas d'archive de secours"),
        })
    })
}

/// Notes that somebody has looked into an archive.
///
/// # Errors
/// The mark cannot be written.
pub fn mark_read(archive: &Path) -> Result<(), RescueError> {
    let mark = Place(archive.to_owned()).read_mark();
    File::create(&mark).map(drop).map_err(io(Attempt::Write, &mark))
}

/// Compares an archive with what is in the directories now.
///
/// # Errors
/// Something cannot be read.
pub fn diff(archive: &Path, mut found: impl FnMut(Compared)) -> Result<(), RescueError> {
    let place = Place(archive.to_owned());
    let header = header_of(&place)?;
    for entry in place.load_manifest()? {
        let Some(dir) = header.dirs.get(entry.dir) else { continue };
        let path = format!("{}/{}", dir.display(), entry.path);
        let now = now(&place, dir, &entry).map_err(io(Attempt::Compare, Path::new(&path)))?;
        let Entry { what, size, left_out, doubtful, .. } = entry;
        found(Compared { path, what, size, now, left_out, doubtful });
    }
    Ok(())
}

pub(super) fn header_of(place: &Place) -> Result<Header, RescueError> {
    let path = place.0.display();
    let none = || {
        RescueError::Refused(told!("{path} is no rescue archive", "{path} n'est pas une archive de secours"))
    };
    place.load_header()?.ok_or_else(none)
}

fn now(place: &Place, dir: &Path, entry: &Entry) -> std::io::Result<Now> {
    let Some(path) = entry.tree_path() else { return Ok(Now::Unknown) };
    let Some((parent, name)) = path.split() else { return Ok(Now::Unknown) };
    let opened = open_root(dir).and_then(|root| open_dir(root.as_fd(), &parent));
    let found = opened.and_then(|dir| Ok((Meta::of(&stat_at(&dir, name)?), dir)));
    let (meta, dir) = match found {
        Err(e) if gone(&e) => return Ok(Now::Missing),
        other => other?,
    };
    if Kind::of(meta.kind()) != Some(entry.kind) {
        return Ok(Now::OtherType);
    }
    let alike = (meta.uid, meta.gid, meta.mode & 0o7777) == (entry.uid, entry.gid, entry.mode)
        && (entry.kind == Kind::Directory || meta.mtime == entry.mtime);
    let equal = match entry.kind {
        Kind::File if meta.size != entry.size => return Ok(Now::OtherSize(meta.size)),
        // Its bytes were those of the primary.
        Kind::File if entry.what == What::Attributes => true,
        Kind::File => match entry.stored {
            None => return Ok(Now::Unknown),
            Some(number) => {
                let kept = File::open(place.file(number))?;
                same(&kept, &File::from(open_at(&dir, name, OFlags::RDONLY)?), meta.size)?
            }
        },
        Kind::Symlink => {
            let target = rustix::fs::readlinkat(&dir, name, Vec::new())?;
            entry.target.as_deref().and_then(unescape).as_deref() == Some(target.as_bytes())
        }
        Kind::CharDevice | Kind::BlockDevice => entry.rdev == Some(meta.rdev),
        Kind::Directory | Kind::Fifo | Kind::Socket => true,
    };
    Ok(match (equal, alike) {
        (false, _) => Now::Different,
        (true, false) => Now::Attributes,
        (true, true) => Now::Same,
    })
}

/// Removes archives; their names. One whose reintegration goes on stays.
///
/// # Errors
/// One cannot be removed, or there is none of that name.
pub fn purge(root: &Path, which: &Purge) -> Result<Vec<String>, RescueError> {
    if let Purge::One(wanted) = which {
        find(root, Some(wanted))?;
    }
    let limit = match which {
        Purge::Before(second) => jiff::Timestamp::from_second(*second).ok(),
        _ => None,
    };
    let limit = limit.map(|t| t.strftime("%Y-%m-%dT%H-%M-%SZ").to_string());
    let mut removed = Vec::new();
    for place in places(root)? {
        let wanted = match which {
            Purge::One(wanted) => place.name() == *wanted,
            Purge::Before(_) => limit.as_ref().is_some_and(|limit| place.name() < *limit),
            Purge::All => true,
        };
        let open = place.load_header()?.is_some_and(|h| h.open);
        if wanted && open && matches!(which, Purge::One(_)) {
            let name = place.name();
            return Err(RescueError::Refused(told!(
                "the reintegration that fills {name} has not ended: it is purged after that",
                "la réintégration qui remplit {name} n'est pas terminée : l'archive sera supprimée après"
            )));
        }
        if wanted && !open {
            place.remove()?;
            removed.push(place.name());
        }
    }
    if !removed.is_empty() {
        sync_dir(root)?;
    }
    Ok(removed)
}
