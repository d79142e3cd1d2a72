//! Memory that outlives this process while somebody keeps its descriptor. What one thread stores is
//! there in the order in which it was stored, whenever the process is killed; a loss of power takes
//! all of it, and with it the mounts that it is about.
//!
//! A page of header, then two halves of which one is in use. Records are appended to it; they count
//! from the moment in which its length says so. Written anew, they go to the other half, which is
//! then put into use by one store.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FallocateFlags, MemfdFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

const HEADER: usize = 4096;
const MAGIC: u64 = u64::from_le_bytes(*b"SKNODES1");

/// The memory, mapped. One thread at a time changes it: `&mut self`.
#[derive(Debug)]
pub(super) struct Memory {
    fd: OwnedFd,
    base: NonNull<u8>,
    half: usize,
}

// SAFETY: the mapping belongs to this value alone in this process, and is changed through `&mut` only.
unsafe impl Send for Memory {}

/// Words of the header.
#[derive(Clone, Copy)]
enum Word {
    Magic,
    Active,
    /// Two of them.
    Length,
    Void = 4,
}

impl Memory {
    /// New memory with two halves of `half` bytes; pages are taken only as they are written.
    pub fn create(half: usize) -> Result<Memory, Errno> {
        let fd = rustix::fs::memfd_create("safekit-nodes", MemfdFlags::CLOEXEC)?;
        let size = u64::try_from(HEADER + 2 * half).map_err(|_| Errno::OVERFLOW)?;
        rustix::fs::ftruncate(&fd, size)?;
        let memory = Memory::map(fd, half)?;
        memory.word(Word::Magic, 0).store(MAGIC, Ordering::Release);
        Ok(memory)
    }

    /// The memory that another process has left. ILSEQ: it is something else.
    pub fn adopt(fd: OwnedFd) -> Result<Memory, Errno> {
        let size = usize::try_from(rustix::fs::fstat(&fd)?.st_size).map_err(|_| Errno::OVERFLOW)?;
        let half = size.checked_sub(HEADER).filter(|s| s % 2 == 0 && *s > 0).ok_or(Errno::ILSEQ)? / 2;
        let memory = Memory::map(fd, half)?;
        let lengths = [0, 1].map(|n| memory.word(Word::Length, n).load(Ordering::Acquire));
        let sound = memory.word(Word::Magic, 0).load(Ordering::Acquire) == MAGIC
            && memory.active() < 2
            && lengths.iter().all(|l| usize::try_from(*l).is_ok_and(|l| l <= half));
        if sound { Ok(memory) } else { Err(Errno::ILSEQ) }
    }

    fn map(fd: OwnedFd, half: usize) -> Result<Memory, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let length = HEADER + 2 * half;
        // SAFETY: a new mapping at a place of the kernel's choice; the file is as long as it.
        let base = unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, &fd, 0)? };
        let base = NonNull::new(base.cast()).ok_or(Errno::FAULT)?;
        Ok(Memory { fd, base, half })
    }

    /// The descriptor that is to be kept.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn word(&self, word: Word, more: usize) -> &AtomicU64 {
        let at = (word as usize + more) * size_of::<u64>();
        // SAFETY: within the header, which is mapped as long as `self` lives and aligned as a page is.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(at).cast()) }
    }

    fn active(&self) -> usize {
        usize::try_from(self.word(Word::Active, 0).load(Ordering::Acquire)).unwrap_or(usize::MAX)
    }

    fn length(&self, half: usize) -> usize {
        usize::try_from(self.word(Word::Length, half).load(Ordering::Acquire)).unwrap_or(usize::MAX)
    }

    /// Bytes that are used.
    pub fn used(&self) -> usize {
        self.length(self.active())
    }

    /// What was appended.
    pub fn bytes(&self) -> &[u8] {
        let start = HEADER + self.active() * self.half;
        // SAFETY: `adopt` and `put` see to it that the length is within the half, which is mapped; nothing
        // changes it while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr().add(start), self.used()) }
    }

    /// Puts bytes at the end of a half; false if there is no room.
    fn put(&mut self, half: usize, parts: &[&[u8]]) -> bool {
        let mut end = self.length(half);
        let more: usize = parts.iter().map(|p| p.len()).sum();
        if more > self.half - end {
            return false;
        }
        for part in parts {
            let at = HEADER + half * self.half + end;
            // SAFETY: there is room in the half, as was just seen, and nobody else has a reference to it.
            unsafe { self.base.as_ptr().add(at).copy_from_nonoverlapping(part.as_ptr(), part.len()) };
            end += part.len();
        }
        self.word(Word::Length, half).store(end as u64, Ordering::Release);
        true
    }

    /// Appends one record; false if there is no room.
    pub fn append(&mut self, parts: &[&[u8]]) -> bool {
        self.put(self.active(), parts)
    }

    /// Writes everything anew: `write` is given what appends. If it returns false, all is as before.
    pub fn rewrite(&mut self, write: impl FnOnce(&mut dyn FnMut(&[&[u8]]) -> bool) -> bool) -> bool {
        let (old, new) = (self.active(), 1 - self.active());
        self.word(Word::Length, new).store(0, Ordering::Release);
        let whole = write(&mut |parts| self.put(new, parts));
        if whole {
            self.word(Word::Active, 0).store(new as u64, Ordering::Release);
        }
        self.empty(if whole { old } else { new });
        whole
    }

    /// Gives the pages of a half back to the system.
    fn empty(&mut self, half: usize) {
        self.word(Word::Length, half).store(0, Ordering::Release);
        let (at, len) = ((HEADER + half * self.half) as u64, self.half as u64);
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if let Err(error) = rustix::fs::fallocate(&self.fd, flags, at, len) {
            tracing::debug!(%error, "memory of old records is not given back");
        }
    }

    /// Says for ever that the records are not complete.
    pub fn set_void(&self) {
        self.word(Word::Void, 0).store(1, Ordering::Release);
    }

    /// Whether the records are not complete.
    pub fn is_void(&self) -> bool {
        self.word(Word::Void, 0).load(Ordering::Acquire) != 0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length; no reference to it outlives `self`.
        if let Err(error) = unsafe { munmap(self.base.as_ptr().cast(), HEADER + 2 * self.half) } {
            tracing::debug!(%error, "cannot unmap");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(memory: &Memory) -> Memory {
        Memory::adopt(memory.fd().try_clone_to_owned().unwrap()).unwrap()
    }

    #[test]
    fn what_was_appended_is_found_by_the_next() {
        let mut memory = Memory::create(8192).unwrap();
        assert!(memory.append(&[b"ab", b"c"]) && memory.append(&[b"d"]));
        assert_eq!(again(&memory).bytes(), b"abcd");
        assert!(!memory.append(&[&[0; 8190]]), "no room");
        assert_eq!(again(&memory).bytes(), b"abcd");
        assert!(memory.rewrite(|put| put(&[b"new"])));
        assert!(memory.append(&[b"er"]));
        assert_eq!(again(&memory).bytes(), b"newer");
        assert!(!memory.rewrite(|put| put(&[b"x"]) && put(&[&[0; 8192]])), "it does not fit");
        assert_eq!((again(&memory).bytes(), again(&memory).is_void()), (&b"newer"[..], false));
        assert!(memory.rewrite(|put| put(&[&[7; 8192]])));
        memory.set_void();
        assert_eq!((again(&memory).used(), again(&memory).is_void()), (8192, true));
    }

    #[test]
    fn something_else_is_refused() {
        let other = |size| {
            let fd = rustix::fs::memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
            rustix::fs::ftruncate(&fd, size).unwrap();
            Memory::adopt(fd).map(drop)
        };
        for size in [0, 100, 4096, 4097, 12288] {
            assert_eq!(other(size), Err(Errno::ILSEQ), "{size}");
        }
        let memory = Memory::create(4096).unwrap();
        memory.word(Word::Length, 1).store(4097, Ordering::Release);
        let fd = memory.fd().try_clone_to_owned().unwrap();
        assert_eq!(Memory::adopt(fd).map(drop), Err(Errno::ILSEQ));
    }
}
