//! Extended attributes of files of the backing directory.

use super::attr::proc_path;
use rustix::fd::BorrowedFd;
use rustix::fs::XattrFlags;
use rustix::io::Errno;
use std::ffi::CStr;

/// Names under which POSIX ACLs are kept.
pub const ACL: &[u8] = b"system.posix_acl_";

/// Reads an attribute into `buffer`, or only its size if that is empty.
pub fn get(fd: BorrowedFd<'_>, name: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    rustix::fs::getxattr(proc_path(fd), name, buffer)
}

/// Whether there is such an attribute.
pub fn exists(fd: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    match get(fd, name, &mut []) {
        Ok(_) => Ok(true),
        Err(Errno::NODATA) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Reads the names of all attributes, each ended by NUL.
pub fn list(fd: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let path = proc_path(fd);
    loop {
        let size = rustix::fs::listxattr(path.as_str(), &mut [0u8; 0])?;
        let mut names = vec![0; size];
        match rustix::fs::listxattr(path.as_str(), &mut names[..]) {
            Err(Errno::RANGE) => {} // More of them meanwhile.
            Err(e) => return Err(e),
            Ok(n) => {
                names.truncate(if size == 0 { 0 } else { n });
                return Ok(names);
            }
        }
    }
}

/// Sets an attribute.
pub fn set(fd: BorrowedFd<'_>, name: &CStr, value: &[u8], flags: u32) -> Result<(), Errno> {
    rustix::fs::setxattr(proc_path(fd), name, value, XattrFlags::from_bits_retain(flags))
}

/// Removes an attribute.
pub fn remove(fd: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    rustix::fs::removexattr(proc_path(fd), name)
}
