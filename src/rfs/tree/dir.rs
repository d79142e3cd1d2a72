//! Open directories.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{RawDir, SeekFrom};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

/// Bytes that are read of a directory at once.
const CHUNK: usize = 16 * 1024;

/// An open directory. Offsets are those of the backing file system, so they stay valid while
/// entries come and go.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    place: Mutex<Place>,
}

#[derive(Debug)]
struct Place {
    /// Offset that the descriptor stands at.
    at: u64,
    buffer: Box<[MaybeUninit<u8>]>,
}

/// An entry of a directory, `.` and `..` too.
#[derive(Debug)]
pub struct DirEntry<'a> {
    /// Name.
    pub name: &'a [u8],
    /// Inode number.
    pub ino: u64,
    /// Type as `d_type` has it.
    pub kind: u8,
    /// Offset of the next one.
    pub next: u64,
}

impl Dir {
    /// A directory that is open for reading.
    pub fn new(fd: OwnedFd) -> Dir {
        let buffer = vec![MaybeUninit::uninit(); CHUNK].into_boxed_slice();
        Dir { fd, place: Mutex::new(Place { at: 0, buffer }) }
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Gives the entries from `offset` on to `take`, until it returns false or there are no more.
    pub fn read(&self, offset: u64, mut take: impl FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.at != offset || offset == 0 {
            rustix::fs::seek(&self.fd, SeekFrom::Start(offset))?;
            place.at = offset;
        }
        let Place { at, buffer } = &mut *place;
        let mut entries = RawDir::new(&self.fd, buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            let kind = kind(entry.file_type());
            let next = entry.next_entry_cookie();
            if !take(&DirEntry { name, ino: entry.ino(), kind, next }) {
                // The descriptor is beyond what was taken: the next call has to seek.
                *at = u64::MAX;
                return Ok(());
            }
            *at = next;
        }
        Ok(())
    }
}

fn kind(t: rustix::fs::FileType) -> u8 {
    match t {
        rustix::fs::FileType::Unknown => 0,
        known => u8::try_from(known.as_raw_mode() >> 12).unwrap_or(0),
    }
}
