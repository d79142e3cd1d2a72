//! Mounting and unmounting, by the system calls themselves: rfsbox is root, no helper is needed.

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Longest read in bytes.
pub const MAX_READ: u32 = 1 << 20;

/// Mounts a new FUSE file system on `mountpoint`; `source` is what the table of mounts shows. The
/// session's first message is still to be answered. Set-id programs and devices work on it, as on
/// the directory that it replaces.
pub fn mount(source: &Path, mountpoint: &Path) -> Result<OwnedFd, Errno> {
    let fd = rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read={MAX_READ}",
        fd.as_raw_fd()
    );
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    let source = CString::new(source.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
    rustix::mount::mount(&source, mountpoint, c"fuse.safekit", MountFlags::empty(), options.as_c_str())?;
    Ok(fd)
}

/// Takes the file system off `mountpoint` and ends its session, whoever holds its descriptor: what is
/// not answered fails, and so does all that comes through files which are still open.
pub fn unmount(mountpoint: &Path) -> Result<(), Errno> {
    let flags = UnmountFlags::FORCE | UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    rustix::mount::unmount(mountpoint, flags)
}
