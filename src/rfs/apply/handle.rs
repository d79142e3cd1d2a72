//! Handles of files: they name an inode without keeping it open, so that millions of ids need no
//! descriptor.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Bytes of the kernel's header before a handle.
const HEADER: usize = 8;
/// Longest handle.
const LONGEST: usize = libc::MAX_HANDLE_SZ as usize;

/// As the kernel lays it out: length, type, bytes.
#[repr(C, align(8))]
struct Buffer([u8; HEADER + LONGEST]);

impl Buffer {
    fn empty() -> Buffer {
        let mut buffer = Buffer([0; HEADER + LONGEST]);
        buffer.0[..4].copy_from_slice(&(LONGEST as u32).to_ne_bytes());
        buffer
    }

    fn as_mut_ptr(&mut self) -> *mut libc::file_handle {
        self.0.as_mut_ptr().cast()
    }
}

/// Names an inode of one file system.
pub(super) struct Handle(Box<[u8]>);

impl Handle {
    /// Handle of an open file; an error where the file system has none.
    pub(super) fn of(file: &OwnedFd) -> io::Result<Handle> {
        let mut buffer = Buffer::empty();
        let mut mount = 0;
        // SAFETY: the path is a C string; the buffer is aligned for the header and as long as its length
        // field says, plus the header; the kernel writes no further.
        let done = unsafe {
            libc::name_to_handle_at(
                file.as_raw_fd(),
                c"".as_ptr(),
                buffer.as_mut_ptr(),
                &raw mut mount,
                libc::AT_EMPTY_PATH,
            )
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        let length = buffer.0.first_chunk().map_or(0, |length| u32::from_ne_bytes(*length)) as usize;
        Ok(Handle(buffer.0[..HEADER + length.min(LONGEST)].into()))
    }

    /// Opens it with `O_PATH`. `root` is any open directory of the file system, without `O_PATH`.
    pub(super) fn open(&self, root: &OwnedFd) -> io::Result<OwnedFd> {
        let mut buffer = Buffer::empty();
        buffer.0[..self.0.len()].copy_from_slice(&self.0);
        // SAFETY: the buffer holds a handle as the kernel gave it, header included.
        let fd = unsafe {
            libc::open_by_handle_at(root.as_raw_fd(), buffer.as_mut_ptr(), libc::O_PATH | libc::O_CLOEXEC)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given this descriptor to us alone.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}
