//! Numbers and field order of the kernel's FUSE protocol, version 7, as its public header
//! `linux/fuse.h` gives them. All integers are in the byte order of the machine.

/// Oldest minor version that is spoken (Linux 5.4).
pub const MINOR_LEAST: u32 = 31;
/// Newest minor version that is spoken.
pub const MINOR_MOST: u32 = 45;
/// First minor version with [`notify::EPOCH`].
pub const MINOR_EPOCH: u32 = 44;

/// Bytes before the body of a request.
pub const IN_HEADER: usize = 40;
/// Bytes before the body of a reply.
pub const OUT_HEADER: usize = 16;
/// Bytes of an entry in a reply.
pub const ENTRY: usize = 128;
/// Bytes of attributes in a reply.
pub const ATTR: usize = 88;

/// Operation codes.
pub mod opcode {
    #![allow(missing_docs, reason = "the kernel's own names")]
    pub const LOOKUP: u32 = 1;
    pub const FORGET: u32 = 2;
    pub const GETATTR: u32 = 3;
    pub const SETATTR: u32 = 4;
    pub const READLINK: u32 = 5;
    pub const SYMLINK: u32 = 6;
    pub const MKNOD: u32 = 8;
    pub const MKDIR: u32 = 9;
    pub const UNLINK: u32 = 10;
    pub const RMDIR: u32 = 11;
    pub const RENAME: u32 = 12;
    pub const LINK: u32 = 13;
    pub const OPEN: u32 = 14;
    pub const READ: u32 = 15;
    pub const WRITE: u32 = 16;
    pub const STATFS: u32 = 17;
    pub const RELEASE: u32 = 18;
    pub const FSYNC: u32 = 20;
    pub const SETXATTR: u32 = 21;
    pub const GETXATTR: u32 = 22;
    pub const LISTXATTR: u32 = 23;
    pub const REMOVEXATTR: u32 = 24;
    pub const FLUSH: u32 = 25;
    pub const INIT: u32 = 26;
    pub const OPENDIR: u32 = 27;
    pub const READDIR: u32 = 28;
    pub const RELEASEDIR: u32 = 29;
    pub const FSYNCDIR: u32 = 30;
    pub const CREATE: u32 = 35;
    pub const INTERRUPT: u32 = 36;
    pub const DESTROY: u32 = 38;
    pub const IOCTL: u32 = 39;
    pub const BATCH_FORGET: u32 = 42;
    pub const FALLOCATE: u32 = 43;
    pub const READDIRPLUS: u32 = 44;
    pub const RENAME2: u32 = 45;
    pub const LSEEK: u32 = 46;
    pub const SYNCFS: u32 = 50;
    pub const TMPFILE: u32 = 51;
}

/// Capabilities that INIT negotiates; from bit 32 on they travel in `flags2`.
pub mod init {
    #![allow(missing_docs, reason = "the kernel's own names")]
    pub const ASYNC_READ: u64 = 1 << 0;
    pub const BIG_WRITES: u64 = 1 << 5;
    pub const DONT_MASK: u64 = 1 << 6;
    pub const DO_READDIRPLUS: u64 = 1 << 13;
    pub const READDIRPLUS_AUTO: u64 = 1 << 14;
    pub const ASYNC_DIO: u64 = 1 << 15;
    pub const PARALLEL_DIROPS: u64 = 1 << 18;
    pub const POSIX_ACL: u64 = 1 << 20;
    pub const MAX_PAGES: u64 = 1 << 22;
    pub const EXPLICIT_INVAL_DATA: u64 = 1 << 25;
    pub const HANDLE_KILLPRIV_V2: u64 = 1 << 28;
    pub const SETXATTR_EXT: u64 = 1 << 29;
    pub const INIT_EXT: u64 = 1 << 30;
    pub const DIRECT_IO_ALLOW_MMAP: u64 = 1 << 36;
    pub const HAS_RESEND: u64 = 1 << 39;
}

/// Codes of notifications.
pub mod notify {
    #![allow(missing_docs, reason = "the kernel's own names")]
    pub const INVAL_INODE: i32 = 2;
    pub const INVAL_ENTRY: i32 = 3;
    pub const RESEND: i32 = 7;
    pub const EPOCH: i32 = 8;
}

/// What a `SETATTR` sets.
pub mod fattr {
    #![allow(missing_docs, reason = "the kernel's own names")]
    pub const MODE: u32 = 1 << 0;
    pub const UID: u32 = 1 << 1;
    pub const GID: u32 = 1 << 2;
    pub const SIZE: u32 = 1 << 3;
    pub const ATIME: u32 = 1 << 4;
    pub const MTIME: u32 = 1 << 5;
    pub const FH: u32 = 1 << 6;
    pub const ATIME_NOW: u32 = 1 << 7;
    pub const MTIME_NOW: u32 = 1 << 8;
    pub const KILL_SUIDGID: u32 = 1 << 11;
}

/// `GETATTR` names a handle.
pub const GETATTR_FH: u32 = 1 << 0;
/// `WRITE` has to remove the set-id bits.
pub const WRITE_KILL_SUIDGID: u32 = 1 << 2;
/// `OPEN` with truncation has to remove the set-id bits.
pub const OPEN_KILL_SUIDGID: u32 = 1 << 0;
/// `SETXATTR` of an ACL has to remove the set-group-id bit.
pub const SETXATTR_ACL_KILL_SGID: u32 = 1 << 0;
/// `FSYNC` of data only.
pub const FSYNC_FDATASYNC: u32 = 1 << 0;
/// Reply to `OPEN`: reads and writes come here, none ends in the page cache.
pub const FOPEN_DIRECT_IO: u32 = 1 << 0;
/// Reply to `OPEN`: cached pages stay valid.
pub const FOPEN_KEEP_CACHE: u32 = 1 << 1;

/// Takes fields off the front of the body of a request; `None` where it is too short.
pub(super) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n)?;
        self.0 = tail;
        Some(head)
    }

    pub fn u16(&mut self) -> Option<u16> {
        Some(u16::from_ne_bytes(self.take(2)?.try_into().ok()?))
    }

    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_ne_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn u64(&mut self) -> Option<u64> {
        Some(u64::from_ne_bytes(self.take(8)?.try_into().ok()?))
    }

    pub fn skip(&mut self, n: usize) -> Option<()> {
        self.take(n).map(|_| ())
    }

    /// A string that ends with NUL, without it.
    pub fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|b| *b == 0)?;
        let text = self.take(end)?;
        self.skip(1)?;
        Some(text)
    }

    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        self.take(n)
    }
}

/// The body of a reply of fixed size, built field by field; what does not fit is a fault of this
/// program and left out, which the kernel refuses.
pub(super) struct Body<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Body<N> {
    pub fn new() -> Self {
        Body { bytes: [0; N], len: 0 }
    }

    pub fn put(mut self, field: &[u8]) -> Self {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + field.len()) {
            place.copy_from_slice(field);
            self.len += field.len();
        }
        self
    }

    pub fn u16(self, v: u16) -> Self {
        self.put(&v.to_ne_bytes())
    }

    pub fn u32(self, v: u32) -> Self {
        self.put(&v.to_ne_bytes())
    }

    pub fn u64(self, v: u64) -> Self {
        self.put(&v.to_ne_bytes())
    }

    pub fn bytes(&self) -> &[u8; N] {
        &self.bytes
    }
}
