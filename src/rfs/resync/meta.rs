//! What is compared of an entry beside its bytes.

use super::beneath::{proc_path, stat_at};
use super::wire::Blob;
use crate::rfs::op::FileKey;
use rustix::fs::{FileType, Statx, XattrFlags};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsFd;

/// How much earlier than asked for a change counts, ns: it costs a comparison.
const GRACE: u64 = 2_000_000_000;

/// Attributes of a file, with the key that says which file it is on its own node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Inode number.
    pub ino: u64,
    /// Birth, nanoseconds since 1970; 0: unknown.
    pub birth: u64,
    /// Type and permissions.
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number of a device.
    pub rdev: (u32, u32),
    /// Names of the file.
    pub nlink: u32,
    /// Last change of anything of it, nanoseconds since 1970 by the clock of the node that has it; the
    /// other node is not told.
    #[serde(skip)]
    pub ctime: u64,
}

impl Meta {
    /// From what the kernel says.
    pub fn of(s: &Statx) -> Meta {
        let ns = |t: &rustix::fs::StatxTimestamp| {
            u64::try_from(i128::from(t.tv_sec) * 1_000_000_000 + i128::from(t.tv_nsec)).unwrap_or(0)
        };
        let known = s.stx_mask & rustix::fs::StatxFlags::BTIME.bits() != 0;
        Meta {
            ino: s.stx_ino,
            birth: if known { ns(&s.stx_btime) } else { 0 },
            mode: u32::from(s.stx_mode),
            uid: s.stx_uid,
            gid: s.stx_gid,
            size: s.stx_size,
            mtime: (s.stx_mtime.tv_sec, s.stx_mtime.tv_nsec),
            rdev: (s.stx_rdev_major, s.stx_rdev_minor),
            nlink: s.stx_nlink,
            ctime: ns(&s.stx_ctime),
        }
    }

    /// Which file it is.
    pub fn key(&self) -> FileKey {
        FileKey { ino: self.ino, birth: self.birth }
    }

    /// Its type.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    /// Whether it was changed at that time by the clock of its node, ns since 1970, or later. Such stamps
    /// tick coarsely, hence the grace.
    pub fn touched_since(&self, at: u64) -> bool {
        self.ctime >= at.saturating_sub(GRACE)
    }

    /// Whether two regular files have the same length and date.
    pub fn same_data(&self, other: &Meta) -> bool {
        self.size == other.size && self.mtime == other.mtime
    }

    /// Whether owner, permissions and, but for a symbolic link, the date are the same.
    pub fn same_attrs(&self, other: &Meta) -> bool {
        self.mode == other.mode && self.uid == other.uid && self.gid == other.gid && self.mtime == other.mtime
    }
}

/// Ranges of one file that are told; with more it is compared as a whole.
const RANGES_MOST: usize = 50_000;

/// What the primary knows of the bytes of a regular file, or of the names in a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Unchanged.
    Clean,
    /// These ranges of bytes changed, from and to; a last end of `u64::MAX` is the end of the file.
    Zones(Vec<(u64, u64)>),
    /// Anything may have changed. For a directory: nothing below it can be trusted.
    HashAll,
    /// Everything is to be copied.
    CopyAll,
}

impl Verdict {
    /// What the zones of an alone primary say of a file or directory.
    pub fn of(zones: &crate::rfs::zones::Zones, file: FileKey) -> Verdict {
        match zones.base() {
            None => Verdict::HashAll,
            Some(_) => Verdict::of_set(&zones.dirty(file), zones.zone_bytes()),
        }
    }

    pub(super) fn of_set(set: &crate::rfs::zones::ZoneSet, unit: u64) -> Verdict {
        match set {
            s if s.is_empty() => Verdict::Clean,
            // So many ranges do not fit into a message.
            s if s.is_everything() || s.len() > RANGES_MOST => Verdict::HashAll,
            s => Verdict::Zones(s.bytes(unit).into_iter().map(|r| (r.start, r.end)).collect()),
        }
    }
}

/// An entry as the primary has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its attributes.
    pub meta: Meta,
    /// Where a symbolic link leads.
    pub target: Vec<u8>,
    /// Digest of its extended attributes.
    pub xattrs: u128,
    /// What is known of its bytes.
    pub verdict: Verdict,
}

impl Entry {
    /// An entry of a directory of this node; its verdict is `HashAll`.
    pub fn read(dir: impl AsFd, name: &[u8], acl: bool) -> io::Result<Entry> {
        let dir = dir.as_fd();
        let meta = Meta::of(&stat_at(dir, name)?);
        let target = match meta.kind() {
            FileType::Symlink => rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes(),
            _ => Vec::new(),
        };
        let xattrs = digest(&xattrs(dir, name, acl)?);
        Ok(Entry { name: name.to_vec(), meta, target, xattrs, verdict: Verdict::HashAll })
    }
}

/// Extended attributes, sorted by name.
pub(in crate::rfs) type Xattrs = Vec<(Vec<u8>, Blob)>;

/// ACLs only where they are replicated (RFS-17); other names of `system.` belong to the file system.
fn wanted(name: &[u8], acl: bool) -> bool {
    let kept: [&[u8]; 3] = [b"user.", b"trusted.", b"security."];
    kept.iter().any(|k| name.starts_with(k)) || (acl && name.starts_with(b"system.posix_acl_"))
}

/// The extended attributes of an entry that are replicated.
pub(in crate::rfs) fn xattrs(dir: impl AsFd, name: &[u8], acl: bool) -> io::Result<Xattrs> {
    let path = proc_path(dir, name)?;
    let mut names = Vec::with_capacity(1024);
    match rustix::fs::llistxattr(path.as_c_str(), rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Err(rustix::io::Errno::RANGE) => {
            names.reserve(64 << 10);
            rustix::fs::llistxattr(path.as_c_str(), rustix::buffer::spare_capacity(&mut names))?;
        }
        Err(e) => return Err(e.into()),
    }
    let mut found = Vec::new();
    for name in names.split(|&b| b == 0).filter(|n| !n.is_empty() && wanted(n, acl)) {
        let mut value = Vec::with_capacity(64 << 10);
        match rustix::fs::lgetxattr(path.as_c_str(), name, rustix::buffer::spare_capacity(&mut value)) {
            Ok(_) => found.push((name.to_vec(), Blob(value))),
            Err(rustix::io::Errno::NODATA) => {}
            Err(e) => return Err(e.into()),
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Makes the extended attributes of an entry these.
pub(in crate::rfs) fn set_xattrs(dir: impl AsFd, name: &[u8], acl: bool, wanted: &Xattrs) -> io::Result<()> {
    let dir = dir.as_fd();
    let path = proc_path(dir, name)?;
    let present = xattrs(dir, name, acl)?;
    for (key, _) in present.iter().filter(|(k, _)| wanted.iter().all(|(w, _)| w != k)) {
        rustix::fs::lremovexattr(path.as_c_str(), key.as_slice())?;
    }
    for pair in wanted.iter().filter(|w| !present.contains(w)) {
        rustix::fs::lsetxattr(path.as_c_str(), pair.0.as_slice(), &pair.1.0, XattrFlags::empty())?;
    }
    Ok(())
}

/// A digest that is 0 for none.
pub(in crate::rfs) fn digest(xattrs: &Xattrs) -> u128 {
    if xattrs.is_empty() {
        return 0;
    }
    let mut hash = blake3::Hasher::new();
    for part in xattrs.iter().flat_map(|(k, v)| [k, &v.0]) {
        hash.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    u128::from_le_bytes(half)
}
