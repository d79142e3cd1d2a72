//! File handles: they keep hold of a file without an open descriptor, over renames.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::CStr;

/// Longest handle that a file system makes (`MAX_HANDLE_SZ`).
const LONGEST: usize = 128;

/// `struct file_handle` with room for any.
#[repr(C)]
struct Raw {
    bytes: u32,
    kind: i32,
    handle: [u8; LONGEST],
}

/// What the file system calls a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHandle {
    kind: i32,
    bytes: Box<[u8]>,
}

impl FileHandle {
    /// A handle that was written down.
    pub fn new(kind: i32, bytes: &[u8]) -> FileHandle {
        FileHandle { kind, bytes: bytes.into() }
    }

    /// Its type and bytes, to be written down.
    pub fn parts(&self) -> (i32, &[u8]) {
        (self.kind, &self.bytes)
    }

    /// The handle of the file that `fd` is, and the number of its mount. EOPNOTSUPP where the file
    /// system makes none.
    pub fn of(fd: BorrowedFd<'_>) -> Result<(FileHandle, i32), Errno> {
        let mut raw = Raw { bytes: LONGEST as u32, kind: 0, handle: [0; LONGEST] };
        let mut mount = 0i32;
        let empty: &CStr = c"";
        // SAFETY: the descriptor is open, the path is a C string, `raw` is laid out as the kernel's
        // structure with as much room as it says, and `mount` is an int.
        let done = unsafe {
            libc::syscall(
                libc::SYS_name_to_handle_at,
                fd.as_raw_fd(),
                empty.as_ptr(),
                std::ptr::from_mut(&mut raw),
                std::ptr::from_mut(&mut mount),
                libc::AT_EMPTY_PATH,
            )
        };
        if done != 0 {
            return Err(last_error());
        }
        let bytes = raw.handle.get(..raw.bytes as usize).ok_or(Errno::OVERFLOW)?;
        Ok((FileHandle { kind: raw.kind, bytes: bytes.into() }, mount))
    }

    /// Opens the file; ESTALE if it is no more. `mount` is any open file of its mount.
    pub fn open(&self, mount: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd, Errno> {
        let len = u32::try_from(self.bytes.len()).map_err(|_| Errno::OVERFLOW)?;
        let mut raw = Raw { bytes: len, kind: self.kind, handle: [0; LONGEST] };
        raw.handle.get_mut(..self.bytes.len()).ok_or(Errno::OVERFLOW)?.copy_from_slice(&self.bytes);
        let flags = flags | OFlags::CLOEXEC;
        // SAFETY: the descriptor is open and `raw` is laid out as the kernel's structure.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_open_by_handle_at,
                mount.as_raw_fd(),
                std::ptr::from_mut(&mut raw),
                flags.bits(),
            )
        };
        let fd = i32::try_from(fd).map_err(|_| Errno::BADF)?;
        if fd < 0 {
            return Err(last_error());
        }
        // SAFETY: the kernel has just opened this descriptor, nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// The error of the system call that just failed.
pub(super) fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
