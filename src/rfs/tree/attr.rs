//! Attributes of files of the backing directory.

use crate::rfs::fuse::{Attr, SetTime};
use crate::rfs::op::{FileKey, Time};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd};
use rustix::fs::{AtFlags, Gid, Mode, Statx, StatxFlags, StatxTimestamp, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use std::ffi::CStr;

/// What a file is and has.
#[derive(Clone, Copy, Debug)]
pub struct Stat {
    /// Its identity.
    pub key: FileKey,
    /// File system that it is on.
    pub dev: u64,
    /// Attributes.
    pub attr: Attr,
}

impl Stat {
    /// Type of the file, `S_IFMT` bits.
    pub fn kind(&self) -> u32 {
        self.attr.mode & libc::S_IFMT
    }

    /// Is it a directory?
    pub fn is_dir(&self) -> bool {
        self.kind() == libc::S_IFDIR
    }

    /// Modification time.
    pub fn mtime(&self) -> Time {
        Time { secs: self.attr.mtime.0, nanos: self.attr.mtime.1 }
    }

    /// Access time.
    pub fn atime(&self) -> Time {
        Time { secs: self.attr.atime.0, nanos: self.attr.atime.1 }
    }
}

/// Attributes of an open file (`O_PATH` does).
pub fn stat(fd: BorrowedFd<'_>) -> Result<Stat, Errno> {
    stat_at(fd, c"")
}

/// Attributes of an entry, of the link itself if it is one.
pub fn stat_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<Stat, Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    let s = rustix::fs::statx(dir, name, flags, StatxFlags::BASIC_STATS | StatxFlags::BTIME)?;
    Ok(from_statx(&s))
}

fn from_statx(s: &Statx) -> Stat {
    let time = |t: &StatxTimestamp| (t.tv_sec, t.tv_nsec);
    let born = s.stx_mask & StatxFlags::BTIME.bits() != 0;
    let nanos = i128::from(s.stx_btime.tv_sec) * 1_000_000_000 + i128::from(s.stx_btime.tv_nsec);
    let birth = if born { u64::try_from(nanos).unwrap_or(0) } else { 0 };
    Stat {
        key: FileKey { ino: s.stx_ino, birth },
        dev: u64::from(s.stx_dev_major) << 32 | u64::from(s.stx_dev_minor),
        attr: Attr {
            ino: s.stx_ino,
            size: s.stx_size,
            blocks: s.stx_blocks,
            atime: time(&s.stx_atime),
            mtime: time(&s.stx_mtime),
            ctime: time(&s.stx_ctime),
            mode: u32::from(s.stx_mode),
            nlink: s.stx_nlink,
            uid: s.stx_uid,
            gid: s.stx_gid,
            rdev: encode_dev(s.stx_rdev_major, s.stx_rdev_minor),
            blksize: s.stx_blksize,
        },
    }
}

/// A device number as FUSE carries it.
pub fn encode_dev(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// A device number of FUSE as the system calls take it.
pub fn decode_dev(dev: u32) -> u64 {
    rustix::fs::makedev((dev & 0xf_ff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xf_ff00))
}

/// The path by which system calls that take only paths reach an open file.
pub fn proc_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Sets the permission bits; a symbolic link has none.
pub fn set_mode(fd: BorrowedFd<'_>, kind: u32, mode: u32) -> Result<(), Errno> {
    if kind == libc::S_IFLNK {
        return Err(Errno::OPNOTSUPP);
    }
    rustix::fs::chmod(proc_path(fd), Mode::from_raw_mode(mode & 0o7777))
}

/// Sets owner and group, where given.
pub fn set_owner(fd: BorrowedFd<'_>, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    rustix::fs::chownat(fd, c"", uid.map(Uid::from_raw), gid.map(Gid::from_raw), AtFlags::EMPTY_PATH)
}

/// Sets times, where given.
pub fn set_times(fd: BorrowedFd<'_>, atime: Option<SetTime>, mtime: Option<SetTime>) -> Result<(), Errno> {
    let times = Timestamps { last_access: timespec(atime), last_modification: timespec(mtime) };
    rustix::fs::utimensat(fd.as_fd(), c"", &times, AtFlags::EMPTY_PATH)
}

fn timespec(time: Option<SetTime>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        Some(SetTime::Now) => Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW },
        Some(SetTime::At(secs, nanos)) => Timespec { tv_sec: secs, tv_nsec: i64::from(nanos) },
    }
}

/// The mode without the set-id bits that a write takes away, if it has any of them.
pub fn without_set_id(mode: u32) -> Option<u32> {
    let mut left = mode & !libc::S_ISUID;
    if mode & libc::S_IXGRP != 0 {
        left &= !libc::S_ISGID;
    }
    (left != mode).then_some(left & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_go_both_ways() {
        for (major, minor) in [(1, 3), (8, 300), (0xfff, 0xf_ffff), (10, 229)] {
            let dev = decode_dev(encode_dev(major, minor));
            assert_eq!((rustix::fs::major(dev), rustix::fs::minor(dev)), (major, minor));
        }
    }

    #[test]
    fn set_id_bits_go_as_natively() {
        assert_eq!(without_set_id(0o100_755), None);
        assert_eq!(without_set_id(0o104_755), Some(0o755));
        assert_eq!(without_set_id(0o102_644), None, "mandatory locking, not a set-group-id program");
        assert_eq!(without_set_id(0o106_755), Some(0o755));
    }
}
