//! Replies: values that may be sent later and from any thread.

use super::abi::{self, Body};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use std::io::IoSlice;
use std::sync::{Arc, Weak};

/// The descriptor of `/dev/fuse` that requests come from and replies go to.
#[derive(Debug)]
pub(super) struct Channel {
    pub fd: OwnedFd,
}

impl Channel {
    /// Sends one message in one piece.
    pub fn send(&self, unique: u64, error: i32, parts: &[&[u8]]) -> Result<(), Errno> {
        let len = abi::OUT_HEADER + parts.iter().map(|p| p.len()).sum::<usize>();
        let len = u32::try_from(len).map_err(|_| Errno::INVAL)?;
        let head = Body::<{ abi::OUT_HEADER }>::new().u32(len).put(&error.to_ne_bytes()).u64(unique);
        let mut slices = [IoSlice::new(&[]); 4];
        slices[0] = IoSlice::new(head.bytes());
        for (slice, part) in slices[1..].iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
        }
        let used = slices.get(..=parts.len()).ok_or(Errno::INVAL)?;
        rustix::io::writev(self.fd.as_fd(), used).map(|_| ())
    }
}

/// Attributes of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of stat(2)")]
pub struct Attr {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub atime: (i64, u32),
    pub mtime: (i64, u32),
    pub ctime: (i64, u32),
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
}

impl Attr {
    fn put<const N: usize>(&self, body: Body<N>) -> Body<N> {
        body.u64(self.ino)
            .u64(self.size)
            .u64(self.blocks)
            .put(&self.atime.0.to_ne_bytes())
            .put(&self.mtime.0.to_ne_bytes())
            .put(&self.ctime.0.to_ne_bytes())
            .u32(self.atime.1)
            .u32(self.mtime.1)
            .u32(self.ctime.1)
            .u32(self.mode)
            .u32(self.nlink)
            .u32(self.uid)
            .u32(self.gid)
            .u32(self.rdev)
            .u32(self.blksize)
            .u32(0)
    }
}

/// An entry of a directory and what it leads to; each one sent is one lookup of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Node; 0 with a `ttl` is a name that does not exist.
    pub node: u64,
    /// Seconds that the kernel may keep name and attributes.
    pub ttl: u64,
    /// Attributes.
    pub attr: Attr,
}

impl Entry {
    /// The entry as it is sent.
    pub fn bytes(&self) -> [u8; abi::ENTRY] {
        let body = Body::<{ abi::ENTRY }>::new().u64(self.node).u64(0).u64(self.ttl).u64(self.ttl).u64(0);
        *self.attr.put(body).bytes()
    }
}

/// An open file or directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Its number.
    pub handle: u64,
    /// `FOPEN_` flags.
    pub flags: u32,
}

impl Opened {
    fn bytes(self) -> [u8; 16] {
        *Body::<16>::new().u64(self.handle).u32(self.flags).bytes()
    }
}

/// The reply to one request. Dropped without an answer it answers EIO. The functions return whether
/// the kernel took the reply: an entry that it did not take is no lookup, a handle no open file.
#[derive(Debug)]
pub struct Reply {
    unique: u64,
    channel: Weak<Channel>,
    done: bool,
}

impl Reply {
    pub(super) fn new(unique: u64, channel: &Arc<Channel>) -> Reply {
        Reply { unique, channel: Arc::downgrade(channel), done: false }
    }

    /// Number of the request.
    pub fn unique(&self) -> u64 {
        self.unique
    }

    fn send(&mut self, error: i32, parts: &[&[u8]]) -> bool {
        self.done = true;
        self.channel.upgrade().is_some_and(|c| c.send(self.unique, error, parts).is_ok())
    }

    /// The request failed.
    pub fn error(mut self, errno: Errno) -> bool {
        self.send(-errno.raw_os_error(), &[])
    }

    /// Done, nothing to say.
    pub fn empty(mut self) -> bool {
        self.send(0, &[])
    }

    /// Bytes: of a file, of a directory, of an attribute.
    pub fn bytes(mut self, bytes: &[u8]) -> bool {
        self.send(0, &[bytes])
    }

    /// An entry.
    pub fn entry(mut self, entry: &Entry) -> bool {
        self.send(0, &[&entry.bytes()])
    }

    /// An entry that is open too.
    pub fn created(mut self, entry: &Entry, opened: Opened) -> bool {
        self.send(0, &[&entry.bytes(), &opened.bytes()])
    }

    /// Attributes, and the seconds that the kernel may keep them.
    pub fn attr(mut self, ttl: u64, attr: &Attr) -> bool {
        let body = Body::<{ 16 + abi::ATTR }>::new().u64(ttl).u64(0);
        self.send(0, &[attr.put(body).bytes()])
    }

    /// An open file.
    pub fn opened(mut self, opened: Opened) -> bool {
        self.send(0, &[&opened.bytes()])
    }

    /// Bytes written, or the size of an attribute.
    pub fn size(mut self, size: u32) -> bool {
        self.send(0, &[Body::<8>::new().u32(size).bytes()])
    }

    /// A place in a file.
    pub fn offset(mut self, offset: u64) -> bool {
        self.send(0, &[&offset.to_ne_bytes()])
    }

    /// The file system's figures.
    pub fn statfs(mut self, s: &rustix::fs::StatVfs) -> bool {
        let small = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
        let body = Body::<80>::new()
            .u64(s.f_blocks)
            .u64(s.f_bfree)
            .u64(s.f_bavail)
            .u64(s.f_files)
            .u64(s.f_ffree)
            .u32(small(s.f_bsize))
            .u32(small(s.f_namemax))
            .u32(small(s.f_frsize));
        self.send(0, &[body.bytes()])
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.done {
            self.send(-Errno::IO.raw_os_error(), &[]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixDatagram;

    fn channel() -> (Arc<Channel>, std::fs::File) {
        let (a, b) = UnixDatagram::pair().unwrap();
        (Arc::new(Channel { fd: a.into() }), std::fs::File::from(OwnedFd::from(b)))
    }

    #[test]
    fn a_dropped_reply_is_eio() {
        let (channel, mut kernel) = channel();
        drop(Reply::new(9, &channel));
        let mut buf = [0u8; 64];
        assert_eq!(kernel.read(&mut buf).unwrap(), 16);
        assert_eq!(buf[4..8], (-5i32).to_ne_bytes());
        assert_eq!(buf[8..16], 9u64.to_ne_bytes());
    }

    #[test]
    fn sizes_are_those_of_the_kernel() {
        let (channel, mut kernel) = channel();
        let mut len = |send: &dyn Fn(Reply) -> bool| {
            assert!(send(Reply::new(1, &channel)));
            kernel.read(&mut [0u8; 512]).unwrap() - abi::OUT_HEADER
        };
        assert_eq!(len(&|r| r.entry(&Entry::default())), 128);
        assert_eq!(len(&|r| r.created(&Entry::default(), Opened::default())), 144);
        assert_eq!(len(&|r| r.attr(1, &Attr::default())), 104);
        assert_eq!(len(&|r| r.opened(Opened::default())), 16);
        assert_eq!(len(&|r| r.size(3)), 8);
        assert_eq!(len(&|r| r.offset(3)), 8);
    }
}
