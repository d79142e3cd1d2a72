//! Where the content of a file lies on its disk.

use super::super::error::{During, Result};
use super::device::MAJOR;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Pieces of a file that are looked at.
const MOST: usize = 1024;
/// Flag of a request: what is not on the disk yet is written first.
const SYNC: u32 = 1;
/// Flag of a piece: where it lies is not known.
const UNKNOWN: u32 = 2;

/// `struct fiemap_extent` of the kernel.
#[repr(C)]
#[derive(Clone, Copy)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    reserved_too: [u32; 3],
}

/// `struct fiemap` of the kernel, and room for its answer.
#[repr(C)]
struct Map {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [Extent; MOST],
}

nix::ioctl_readwrite_bad!(fiemap, 0xc020_660b, Map);

/// The ranges of the disk that hold the file `path` of the machine whose first process is `pid`. It must
/// lie on the loop device `device` itself, not in a file system over it.
pub(super) fn of_file(pid: i32, path: &Path, device: u32) -> Result<Vec<(u64, u64)>> {
    let what = || format!("find {} on the disk", path.display());
    let file = open(pid, path).during(what)?;
    let on = rustix::fs::fstat(&file).during(what)?.st_dev;
    if (u64::from(rustix::fs::major(on)), rustix::fs::minor(on)) != (MAJOR, device) {
        let elsewhere = "it lies elsewhere (of a replicated directory name the renamed one)";
        return Err(io::Error::other(elsewhere)).during(what);
    }
    ranges(&file).during(what)
}

fn open(pid: i32, path: &Path) -> rustix::io::Result<OwnedFd> {
    let (mode, flags) = (Mode::empty(), OFlags::RDONLY | OFlags::CLOEXEC);
    let root = rustix::fs::openat(CWD, format!("/proc/{pid}/root"), flags | OFlags::DIRECTORY, mode)?;
    // Links lead where they lead inside of the machine.
    rustix::fs::openat2(root, path, flags | OFlags::NONBLOCK, mode, ResolveFlags::IN_ROOT)
}

fn ranges(file: &OwnedFd) -> io::Result<Vec<(u64, u64)>> {
    let nothing =
        Extent { logical: 0, physical: 0, length: 0, reserved: [0; 2], flags: 0, reserved_too: [0; 3] };
    let mut map = Box::new(Map {
        start: 0,
        length: u64::MAX,
        flags: SYNC,
        mapped: 0,
        count: MOST as u32,
        reserved: 0,
        extents: [nothing; MOST],
    });
    // SAFETY: the kernel reads the head of `map` and fills at most `count` extents, for which there is room.
    unsafe { fiemap(file.as_raw_fd(), &raw mut *map) }?;
    let found = map.extents.iter().take(map.mapped as usize).filter(|e| e.flags & UNKNOWN == 0);
    let found: Vec<_> = found.map(|e| (e.physical, e.physical + e.length)).collect();
    if found.is_empty() {
        return Err(io::Error::other("it has no content on the disk"));
    }
    Ok(found)
}
