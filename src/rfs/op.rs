//! The vocabulary of replication: one modification of a replicated directory, as it is sent.

use bytes::Bytes;
use std::fmt;

/// Identity of a file in the life of a volume. Never reused; it survives rename and
/// unlink-while-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u64);

impl FileId {
    /// The replicated directory itself.
    pub const ROOT: FileId = FileId(1);
}

/// A file of the backing file system over restarts: its inode number and its birth time in
/// nanoseconds (0 where the file system does not keep it), so that a reused number is another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    /// Inode number.
    pub ino: u64,
    /// Birth time, nanoseconds since 1970.
    pub birth: u64,
}

/// Name of an entry of a directory: 1 to 255 bytes of any kind but `/` and NUL, neither `.` nor `..`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Longest name, bytes.
    pub const LONGEST: usize = 255;

    /// A name from outside; `None` if it is not one.
    pub fn new(bytes: &[u8]) -> Option<Name> {
        let fits = (1..=Self::LONGEST).contains(&bytes.len());
        let dots = bytes == b"." || bytes == b"..";
        (fits && !dots && !bytes.contains(&b'/') && !bytes.contains(&0)).then(|| Name(bytes.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// A time of a file, in seconds and nanoseconds since 1970; seconds may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time {
    /// Seconds.
    pub secs: i64,
    /// 0 to 999,999,999.
    pub nanos: u32,
}

/// Owner and permissions of a new entry. `mode` holds the type and the permissions as they were made
/// (umask and default ACL applied).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `st_mode`.
    pub mode: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Attributes that change together; none stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Permission bits.
    pub mode: Option<u32>,
    /// User.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Access time.
    pub atime: Option<Time>,
    /// Modification time.
    pub mtime: Option<Time>,
}

/// One modification. An id is known to the secondary from its `Bind`, `Create`, `Symlink` or
/// `Tmpfile` on; the root is known always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// This id is that of an entry that exists already.
    Bind {
        /// The id.
        id: FileId,
        /// Its directory.
        parent: FileId,
        /// Its name there.
        name: Name,
    },
    /// A new file, directory, fifo, socket or device.
    Create {
        /// Its id.
        id: FileId,
        /// Its directory.
        parent: FileId,
        /// Its name there.
        name: Name,
        /// Type, permissions and owner.
        owner: Owner,
        /// Device number of a device, else 0.
        rdev: u64,
    },
    /// A new symbolic link.
    Symlink {
        /// Its id.
        id: FileId,
        /// Its directory.
        parent: FileId,
        /// Its name there.
        name: Name,
        /// Where it leads; not empty, at most 4095 bytes, no NUL.
        target: Vec<u8>,
        /// Owner.
        owner: Owner,
    },
    /// A new file without a name (`O_TMPFILE`).
    Tmpfile {
        /// Its id.
        id: FileId,
        /// Directory that it was opened in.
        parent: FileId,
        /// Permissions and owner.
        owner: Owner,
    },
    /// One more name of a file.
    Link {
        /// The file.
        id: FileId,
        /// Directory of the new name.
        parent: FileId,
        /// The new name.
        name: Name,
    },
    /// A name is removed; `dir`: it is that of an empty directory.
    Unlink {
        /// Directory.
        parent: FileId,
        /// Name.
        name: Name,
        /// `rmdir`.
        dir: bool,
    },
    /// A name is moved, as `renameat2` does it.
    Rename {
        /// Directory before.
        parent: FileId,
        /// Name before.
        name: Name,
        /// Directory after.
        to_parent: FileId,
        /// Name after.
        to_name: Name,
        /// `RENAME_NOREPLACE`, `RENAME_EXCHANGE`, `RENAME_WHITEOUT`.
        flags: u32,
    },
    /// Bytes of a file.
    Write {
        /// File.
        id: FileId,
        /// Where they begin.
        offset: u64,
        /// The bytes, 1 MiB at most.
        data: Bytes,
        /// The handle is `O_SYNC` or `O_DSYNC`.
        sync: bool,
    },
    /// Another length.
    Truncate {
        /// File.
        id: FileId,
        /// Bytes.
        size: u64,
    },
    /// `fallocate`.
    Allocate {
        /// File.
        id: FileId,
        /// Its flags.
        mode: u32,
        /// Where the range begins.
        offset: u64,
        /// Its length.
        len: u64,
    },
    /// Permissions, owner, times.
    SetAttrs {
        /// File.
        id: FileId,
        /// What changes.
        attrs: Attrs,
    },
    /// An extended attribute is set.
    SetXattr {
        /// File.
        id: FileId,
        /// Its name, at most 255 bytes.
        name: Vec<u8>,
        /// Its value, at most 64 KiB.
        value: Vec<u8>,
        /// `XATTR_CREATE`, `XATTR_REPLACE`.
        flags: u32,
    },
    /// An extended attribute is removed.
    RemoveXattr {
        /// File.
        id: FileId,
        /// Its name.
        name: Vec<u8>,
    },
    /// What was written to this file must be durable.
    Fsync {
        /// File or directory.
        id: FileId,
    },
    /// The primary will not name these ids again.
    Forget(Vec<FileId>),
}
