//! A namespace of mounts, a directory on the disk, a volume mounted over it, and a journal that keeps
//! what it is given.

use rustix::io::Errno;
use safekit::rfs::journal::{Admission, Journal, Then, Ticket};
use safekit::rfs::op::{FileKey, Op};
use safekit::rfs::volume::{Exclude, Volume, VolumeOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// Longest wait for what has to happen.
pub const LONG: Duration = Duration::from_secs(20);

/// What the journal says to a modification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Open,
    ReadOnly,
    Closed,
}

#[derive(Default)]
struct State {
    mode: Option<Mode>,
    number: u64,
    waiting: Vec<Then>,
    peer: u64,
    ops: Vec<Op>,
    touched: Vec<Range<u64>>,
    named: Vec<u64>,
    failed: Vec<Range<u64>>,
    refusals: Vec<Errno>,
    acknowledge_by_hand: bool,
    unacknowledged: Vec<Then>,
}

/// Keeps operations; acknowledges and admits as it is told.
#[derive(Default)]
pub struct Recorder {
    state: Mutex<State>,
    news: Condvar,
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn set_mode(&self, mode: Mode) {
        let waiting = {
            let mut s = self.lock();
            s.mode = Some(mode);
            s.number += 1;
            std::mem::take(&mut s.waiting)
        };
        waiting.into_iter().for_each(|then| then());
    }

    /// Another peer, which knows no ids.
    pub fn attach(&self, peer: u64) {
        self.lock().peer = peer;
    }

    /// What was recorded since the last call, without the times that are set at the end of writing.
    pub fn ops(&self) -> Vec<Op> {
        let ops = std::mem::take(&mut self.lock().ops);
        ops.into_iter().filter(|op| !is_time(op)).collect()
    }

    /// Waits until a time is recorded, which happens after `close` has returned.
    pub fn wait_for_time(&self) {
        let s = self.lock();
        let (s, late) = self.news.wait_timeout_while(s, LONG, |s| !s.ops.iter().any(is_time)).unwrap();
        assert!(!late.timed_out(), "no time was recorded: {:?}", s.ops);
    }

    pub fn touched(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.lock().touched)
    }

    /// Inode numbers of what got a name.
    pub fn named_files(&self) -> Vec<u64> {
        std::mem::take(&mut self.lock().named)
    }

    pub fn failed_ranges(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.lock().failed)
    }

    pub fn refusals(&self) -> Vec<Errno> {
        std::mem::take(&mut self.lock().refusals)
    }

    pub fn acknowledge_by_hand(&self) {
        self.lock().acknowledge_by_hand = true;
    }

    /// Waits until `n` callers wait for the journal or for an acknowledgement.
    pub fn wait_for_callers(&self, n: usize) {
        let s = self.lock();
        let few = |s: &mut State| s.waiting.len() + s.unacknowledged.len() < n;
        let (_s, late) = self.news.wait_timeout_while(s, LONG, few).unwrap();
        assert!(!late.timed_out(), "fewer than {n} callers wait");
    }

    pub fn acknowledge(&self) {
        let all = std::mem::take(&mut self.lock().unacknowledged);
        all.into_iter().for_each(|then| then());
    }
}

fn is_time(op: &Op) -> bool {
    matches!(op, Op::SetAttrs { attrs, .. } if attrs.mtime.is_some() && attrs.atime.is_none())
}

impl Journal for Recorder {
    type Permit = ();

    fn admit(&self) -> Admission<()> {
        let s = self.lock();
        match s.mode {
            None | Some(Mode::Open) => Admission::Now(()),
            Some(Mode::ReadOnly) => Admission::ReadOnly,
            Some(Mode::Closed) => Admission::Later(s.number),
        }
    }

    fn when_changed(&self, number: u64, then: Then) {
        let mut s = self.lock();
        if s.number == number {
            s.waiting.push(then);
            self.news.notify_all();
        } else {
            drop(s);
            then();
        }
    }

    fn named(&self, file: FileKey, _fresh: bool) -> io::Result<()> {
        self.lock().named.push(file.ino);
        Ok(())
    }

    fn touch(&self, _file: FileKey, range: Range<u64>) -> io::Result<()> {
        self.lock().touched.push(range);
        Ok(())
    }

    fn peer(&self) -> u64 {
        self.lock().peer
    }

    fn record(&self, op: Op) -> Ticket {
        let mut s = self.lock();
        s.ops.push(op);
        self.news.notify_all();
        Ticket(s.ops.len() as u64)
    }

    fn failed(&self, _file: FileKey, range: Range<u64>) {
        self.lock().failed.push(range);
    }

    fn refused(&self, reason: Errno) {
        self.lock().refusals.push(reason);
    }

    fn when_acknowledged(&self, _ticket: Ticket, then: Then) {
        let mut s = self.lock();
        if s.acknowledge_by_hand {
            s.unacknowledged.push(then);
            self.news.notify_all();
        } else {
            drop(s);
            then();
        }
    }
}

/// From here on what this thread mounts is seen by it and the threads that it starts only.
pub fn private_mounts() {
    let flags = nix::sched::CloneFlags::CLONE_NEWNS;
    nix::sched::unshare(flags).expect("these tests need root, for a mount namespace");
    let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
}

/// A mounted volume. Its mount is seen by this test's thread and those that it starts only.
pub struct Fixture {
    pub backing: PathBuf,
    pub mnt: PathBuf,
    pub journal: Arc<Recorder>,
    pub volume: Arc<Volume<Recorder>>,
    _dir: tempfile::TempDir,
}

impl Fixture {
    pub fn new() -> Fixture {
        Fixture::with(Exclude::default(), false)
    }

    pub fn with(exclude: Exclude, acl: bool) -> Fixture {
        private_mounts();
        // On the disk: a file system in memory behaves differently.
        Fixture::of(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(), exclude, acl)
    }

    /// On a file system of this size.
    pub fn small(size: &str) -> Fixture {
        private_mounts();
        let dir = tempfile::tempdir().unwrap();
        let flags = nix::mount::MsFlags::empty();
        let size = format!("size={size}");
        nix::mount::mount(Some("none"), dir.path(), Some("tmpfs"), flags, Some(size.as_str())).unwrap();
        Fixture::of(dir, Exclude::default(), false)
    }

    fn of(dir: tempfile::TempDir, exclude: Exclude, acl: bool) -> Fixture {
        let (backing, mnt) = (dir.path().join("back"), dir.path().join("mnt"));
        std::fs::create_dir(&backing).unwrap();
        std::fs::create_dir(&mnt).unwrap();
        let journal = Arc::new(Recorder::default());
        let options = VolumeOptions { acl, threads: 2 };
        let volume =
            Volume::mount(&backing, &mnt, None, Arc::clone(&journal), exclude, options, None).unwrap();
        volume.primary(true);
        Fixture { backing, mnt, journal, volume, _dir: dir }
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.mnt.join(path)
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // What still waits must not keep a failed test from its end.
        self.journal.set_mode(Mode::ReadOnly);
        self.journal.acknowledge();
        self.volume.unmount();
    }
}

/// Runs `work` on a thread of its own, in the same namespaces.
pub fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> std::thread::JoinHandle<T> {
    std::thread::spawn(work)
}

/// The number of the error of a failed call.
pub fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|e| e.raw_os_error())
}

/// A path for system calls.
pub fn c(path: &Path) -> std::ffi::CString {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap()
}

/// An ACL that lets one more user in: `user::rwx, user:uid:rwx, group::r-x, mask::rwx, other::---`.
pub fn acl_for(uid: u32) -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] =
        [(1, 7, u32::MAX), (2, 7, uid), (4, 5, u32::MAX), (16, 7, u32::MAX), (32, 0, u32::MAX)];
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        acl.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        acl.extend(id.to_le_bytes());
    }
    acl
}
