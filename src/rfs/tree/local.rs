//! New entries in the backing directory, made with the caller's identity.

use super::handle::last_error;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::cell::Cell;
use std::ffi::CStr;

/// Who makes a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions that it does not give, unless the directory has a default ACL.
    pub umask: u32,
}

const ROOT: Caller = Caller { uid: 0, gid: 0, umask: 0 };

thread_local! {
    /// As whom this thread makes new entries; `None` before the first one.
    static NOW: Cell<Option<Caller>> = const { Cell::new(None) };
}

/// `SECBIT_NO_SETUID_FIXUP`: a change of the file system user takes no capability away.
const KEEP_CAPABILITIES: libc::c_ulong = 1 << 2;

fn check(done: libc::c_long) -> Result<(), Errno> {
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

/// Makes this thread's own identity and umask changeable without the others'.
fn part_from_other_threads() -> Result<(), Errno> {
    // SAFETY: both calls take integers only and concern this thread only: it gets its own working
    // directory and umask, and keeps its capabilities whatever its file system user is.
    check(unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_FS) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_prctl, libc::PR_SET_SECUREBITS, KEEP_CAPABILITIES, 0, 0, 0) })
}

/// From now on this thread makes new entries as `caller`. Nothing else depends on it: the thread
/// keeps all its capabilities, so it need not go back.
fn become_caller(caller: Caller) -> Result<(), Errno> {
    let now = match NOW.get() {
        Some(now) if now == caller => return Ok(()),
        Some(now) => now,
        None => {
            part_from_other_threads()?;
            rustix::process::umask(Mode::empty());
            ROOT
        }
    };
    NOW.set(Some(now));
    if caller.umask != now.umask {
        rustix::process::umask(Mode::from_raw_mode(caller.umask & 0o777));
    }
    if caller.uid != now.uid {
        // SAFETY: takes an integer; the raw call concerns this thread only.
        unsafe { libc::syscall(libc::SYS_setfsuid, caller.uid) };
    }
    if caller.gid != now.gid {
        // SAFETY: as above.
        unsafe { libc::syscall(libc::SYS_setfsgid, caller.gid) };
    }
    NOW.set(Some(caller));
    Ok(())
}

/// Makes a directory.
pub fn mkdir(dir: BorrowedFd<'_>, name: &CStr, mode: u32, caller: Caller) -> Result<(), Errno> {
    become_caller(caller)?;
    rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(mode & 0o7777))
}

/// Makes a file, fifo, socket or device; `mode` has its type.
pub fn mknod(dir: BorrowedFd<'_>, name: &CStr, mode: u32, rdev: u64, caller: Caller) -> Result<(), Errno> {
    become_caller(caller)?;
    let kind = if mode & libc::S_IFMT == 0 { libc::S_IFREG } else { mode & libc::S_IFMT };
    let mode = Mode::from_raw_mode(mode & 0o7777);
    rustix::fs::mknodat(dir, name, FileType::from_raw_mode(kind), mode, rdev)
}

/// Makes a symbolic link.
pub fn symlink(dir: BorrowedFd<'_>, name: &CStr, target: &CStr, caller: Caller) -> Result<(), Errno> {
    become_caller(caller)?;
    rustix::fs::symlinkat(target, dir, name)
}

/// Makes a file and opens it; EEXIST if there is one.
pub fn create(
    dir: BorrowedFd<'_>,
    name: &CStr,
    flags: OFlags,
    mode: u32,
    caller: Caller,
) -> Result<OwnedFd, Errno> {
    become_caller(caller)?;
    let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(mode & 0o7777))
}

/// Makes a file without a name in `dir`.
pub fn tmpfile(dir: BorrowedFd<'_>, flags: OFlags, mode: u32, caller: Caller) -> Result<OwnedFd, Errno> {
    become_caller(caller)?;
    let flags = flags | OFlags::TMPFILE | OFlags::CLOEXEC;
    rustix::fs::openat(dir, c".", flags, Mode::from_raw_mode(mode & 0o7777))
}

/// Renames as `renameat2` does; a whiteout is made with the caller's identity.
pub fn rename(
    (from, name): (BorrowedFd<'_>, &CStr),
    (to, to_name): (BorrowedFd<'_>, &CStr),
    flags: u32,
    caller: Caller,
) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::from_bits_retain(flags);
    if flags.contains(rustix::fs::RenameFlags::WHITEOUT) {
        become_caller(caller)?;
    }
    rustix::fs::renameat_with(from, name, to, to_name, flags)
}

/// The flags of the caller's `open` that the backing file is opened with: `O_DIRECT` goes (the
/// buffers of requests are not aligned; the kernel bypasses the cache above all the same), as does
/// `O_APPEND` (the kernel sends offsets).
pub fn backing_flags(flags: u32) -> OFlags {
    let kept = libc::O_ACCMODE | libc::O_SYNC | libc::O_DSYNC | libc::O_NOATIME;
    OFlags::from_bits_retain(flags & kept.cast_unsigned()) | OFlags::CLOEXEC | OFlags::NOCTTY
}
