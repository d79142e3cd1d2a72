//! A session with the kernel: negotiation, and threads that read requests.

use super::abi::{self, Body, init};
use super::mount::{self, MAX_READ};
use super::notify::Notifier;
use super::reply::{Channel, Reply};
use super::request::{Dialect, Init, Operation, Request};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Longest write in bytes; the kernel allows no more than 256 pages by default.
pub const MAX_WRITE: u32 = 1 << 20;
/// A request with the longest write.
const BUFFER: usize = MAX_WRITE as usize + 4096;
/// Requests that the kernel may have under way in the background.
const BACKGROUND: u16 = 64;

/// Answers requests. Functions are called by several threads at once.
pub trait Filesystem: Send + Sync + 'static {
    /// Answers a request, now or later. `buffer` has room for the longest read.
    fn handle(&self, request: &Request<'_>, buffer: &mut [u8], reply: Reply);

    /// The kernel forgets `lookups` of the lookups of a node.
    fn forget(&self, node: u64, lookups: u64);
}

/// What was agreed on at the beginning; with it a session can be taken over on its descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Minor version of the protocol.
    pub minor: u32,
    /// Capabilities that both sides use.
    pub flags: u64,
}

impl Negotiated {
    /// Whether the kernel sends again what a process that is gone has not answered (Linux 6.9):
    /// without that a session cannot be taken over.
    pub fn resends(self) -> bool {
        self.flags & init::HAS_RESEND != 0
    }

    fn dialect(self) -> Dialect {
        Dialect { setxattr_ext: self.flags & init::SETXATTR_EXT != 0 }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The mount failed.
    #[error("cannot mount the replicated directory on {path}: {errno}")]
    Mount {
        /// Mount point.
        path: PathBuf,
        /// Reason.
        errno: Errno,
    },
    /// The kernel's first message did not come or was refused.
    #[error("the kernel did not begin the fuse session: {0}")]
    Begin(Errno),
    /// Its protocol is too old.
    #[error("the kernel speaks fuse {major}.{minor}; 7.{least} or later is needed (Linux 5.4)", least = abi::MINOR_LEAST)]
    Version {
        /// Its version.
        major: u32,
        /// Its version.
        minor: u32,
    },
    /// A thread could not be started.
    #[error("cannot start a thread for fuse requests: {0}")]
    Thread(std::io::Error),
}

/// A mounted file system and its threads.
#[derive(Debug)]
pub struct Session {
    channel: Mutex<Option<Arc<Channel>>>,
    stop: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    mountpoint: PathBuf,
    negotiated: Negotiated,
}

/// A file system that is mounted and negotiated but served by nobody yet.
#[derive(Debug)]
pub struct Mounted {
    channel: Arc<Channel>,
    mountpoint: PathBuf,
    negotiated: Negotiated,
}

impl Mounted {
    /// Mounts on `mountpoint` and agrees with the kernel; `acl`: it keeps POSIX ACLs in mind. With `on`,
    /// an open directory that has this path, no link that somebody puts there meanwhile is followed.
    pub fn new(
        source: &Path,
        mountpoint: &Path,
        on: Option<BorrowedFd<'_>>,
        acl: bool,
    ) -> Result<Mounted, SessionError> {
        let open = on.map(|fd| PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd())));
        let fd = mount::mount(source, open.as_deref().unwrap_or(mountpoint))
            .map_err(|errno| SessionError::Mount { path: mountpoint.to_owned(), errno })?;
        let channel = Channel { fd };
        let negotiated = negotiate(&channel, acl).inspect_err(|_| {
            // What cannot be served must not stay; the reason that is reported is the first one.
            let _ = mount::unmount(mountpoint);
        })?;
        Ok(Mounted { channel: Arc::new(channel), mountpoint: mountpoint.to_owned(), negotiated })
    }

    /// Takes over a session that another process has negotiated on `fd`, the descriptor of
    /// `/dev/fuse`. The kernel is asked for what that process left unanswered as soon as it is served.
    pub fn resume(fd: OwnedFd, mountpoint: &Path, negotiated: Negotiated) -> Mounted {
        Mounted { channel: Arc::new(Channel { fd }), mountpoint: mountpoint.to_owned(), negotiated }
    }

    /// Sends notifications.
    pub fn notifier(&self) -> Notifier {
        Notifier { channel: Arc::downgrade(&self.channel), minor: self.negotiated.minor }
    }

    /// What was agreed on.
    pub fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// The descriptor of `/dev/fuse`.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.channel.fd.as_fd()
    }

    /// Begins to answer, with `threads` threads.
    pub fn serve<F: Filesystem>(self, fs: &Arc<F>, threads: usize) -> Result<Session, SessionError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Vec::new();
        for i in 0..threads.max(1) {
            let (channel, fs, stop) = (Arc::clone(&self.channel), Arc::clone(fs), Arc::clone(&stop));
            let dialect = self.negotiated.dialect();
            let thread = std::thread::Builder::new()
                .name(format!("fuse{i}"))
                .spawn(move || read_requests(&channel, fs.as_ref(), &stop, dialect));
            running.push(thread.map_err(SessionError::Thread)?);
        }
        Ok(Session {
            channel: Mutex::new(Some(self.channel)),
            stop,
            threads: Mutex::new(running),
            mountpoint: self.mountpoint,
            negotiated: self.negotiated,
        })
    }
}

impl Session {
    /// [`Mounted::resume`], served, and the kernel sends again what has no reply.
    pub fn resume<F: Filesystem>(
        fd: OwnedFd,
        mountpoint: &Path,
        negotiated: Negotiated,
        fs: &Arc<F>,
        threads: usize,
    ) -> Result<Session, SessionError> {
        let mounted = Mounted::resume(fd, mountpoint, negotiated);
        let notifier = mounted.notifier();
        // Before anything is read: what this process has read would be sent again as well.
        if negotiated.resends() {
            notifier.resend().map_err(SessionError::Begin)?;
        }
        mounted.serve(fs, threads)
    }

    /// What was agreed on.
    pub fn negotiated(&self) -> Negotiated {
        self.negotiated
    }

    /// The descriptor of `/dev/fuse`, to be kept where it outlives this process; `None` after
    /// [`close`](Session::close).
    pub fn fd(&self) -> Option<OwnedFd> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        channel.as_ref().and_then(|c| c.fd.try_clone().ok())
    }

    /// Unmounts and ends the threads. Requests that are not answered yet fail.
    pub fn close(&self) {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).take();
        if channel.is_none() {
            return;
        }
        self.stop.store(true, Ordering::SeqCst);
        if let Err(e) = mount::unmount(&self.mountpoint) {
            tracing::warn!("cannot unmount {}: {e}", self.mountpoint.display());
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread for fuse requests had panicked");
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads requests until the session ends.
fn read_requests<F: Filesystem>(channel: &Arc<Channel>, fs: &F, stop: &AtomicBool, dialect: Dialect) {
    let mut input = vec![0u8; BUFFER];
    let mut output = vec![0u8; MAX_READ as usize];
    while !stop.load(Ordering::SeqCst) {
        match rustix::io::read(channel.fd.as_fd(), &mut input[..]) {
            // ENOENT: the request was withdrawn while it was read.
            Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => {}
            Err(Errno::NODEV) => return,
            Err(e) => {
                tracing::error!("cannot read fuse requests: {e}");
                return;
            }
            Ok(n) => dispatch(channel, fs, input.get(..n).unwrap_or_default(), &mut output, dialect),
        }
    }
}

fn dispatch<F: Filesystem>(channel: &Arc<Channel>, fs: &F, raw: &[u8], output: &mut [u8], dialect: Dialect) {
    let request = match Request::parse(raw, dialect) {
        Ok(request) => request,
        Err(e) => {
            tracing::warn!("a fuse request of {} bytes is malformed", raw.len());
            if let Some(unique) = e.unique {
                Reply::new(unique, channel).error(Errno::INVAL);
            }
            return;
        }
    };
    match request.operation {
        Operation::Forget { lookups } => fs.forget(request.node, lookups),
        Operation::BatchForget(ref all) => all.clone().for_each(|(node, n)| fs.forget(node, n)),
        // Once refused, the kernel asks no more.
        Operation::Interrupt | Operation::Init(_) | Operation::Other(_) => {
            Reply::new(request.unique, channel).error(Errno::NOSYS);
        }
        Operation::Destroy => {
            Reply::new(request.unique, channel).empty();
        }
        _ => fs.handle(&request, output, Reply::new(request.unique, channel)),
    }
}

/// What is used of what the kernel offers. Not asked for: `WRITEBACK_CACHE` (acknowledged writes
/// would be only in this machine's memory), `ATOMIC_O_TRUNC` (a program that runs would be cut before
/// the kernel refuses with ETXTBSY), `CACHE_SYMLINKS` and locks (the kernel's own do).
fn wanted(acl: bool) -> u64 {
    init::ASYNC_READ
        | init::BIG_WRITES
        | init::DONT_MASK
        | init::DO_READDIRPLUS
        | init::READDIRPLUS_AUTO
        | init::ASYNC_DIO
        | init::PARALLEL_DIROPS
        | init::MAX_PAGES
        | init::EXPLICIT_INVAL_DATA
        | init::HANDLE_KILLPRIV_V2
        | init::SETXATTR_EXT
        | init::INIT_EXT
        | init::DIRECT_IO_ALLOW_MMAP
        | init::HAS_RESEND
        | if acl { init::POSIX_ACL } else { 0 }
}

/// Reads and answers the first message.
fn negotiate(channel: &Channel, acl: bool) -> Result<Negotiated, SessionError> {
    let mut buffer = vec![0u8; BUFFER];
    let n = loop {
        match rustix::io::read(channel.fd.as_fd(), &mut buffer[..]) {
            Err(Errno::INTR | Errno::AGAIN | Errno::NOENT) => {}
            other => break other.map_err(SessionError::Begin)?,
        }
    };
    let raw = buffer.get(..n).unwrap_or_default();
    let request = Request::parse(raw, Dialect { setxattr_ext: false });
    let Ok(Request { unique, operation: Operation::Init(offer), .. }) = request else {
        return Err(SessionError::Begin(Errno::PROTO));
    };
    if offer.major != 7 || offer.minor < abi::MINOR_LEAST {
        // The reason matters more than whether the kernel hears of it.
        let _ = channel.send(unique, -Errno::PROTO.raw_os_error(), &[]);
        return Err(SessionError::Version { major: offer.major, minor: offer.minor });
    }
    let (negotiated, answer) = agree(offer, acl);
    channel.send(unique, 0, &[&answer]).map_err(SessionError::Begin)?;
    Ok(negotiated)
}

fn agree(offer: Init, acl: bool) -> (Negotiated, [u8; 64]) {
    let minor = offer.minor.min(abi::MINOR_MOST);
    let flags = offer.flags & wanted(acl);
    let low = u32::try_from(flags & u64::from(u32::MAX)).unwrap_or(0);
    let high = u32::try_from(flags >> 32).unwrap_or(0);
    let pages = u16::try_from(MAX_WRITE / 4096).unwrap_or(u16::MAX);
    let body = Body::<64>::new()
        .u32(7)
        .u32(minor)
        .u32(offer.max_readahead)
        .u32(low)
        .u16(BACKGROUND)
        .u16(BACKGROUND / 4 * 3)
        .u32(MAX_WRITE)
        .u32(1) // Times count nanoseconds.
        .u16(pages)
        .u16(0)
        .u32(high);
    (Negotiated { minor, flags }, *body.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_sides_know_is_agreed_on() {
        let offer = Init { major: 7, minor: 99, max_readahead: 4096, flags: u64::MAX };
        let (agreed, bytes) = agree(offer, false);
        assert_eq!(agreed.minor, abi::MINOR_MOST);
        assert_eq!(agreed.flags & (init::POSIX_ACL | 1 << 16 | 1 << 1 | 1 << 10 | 1 << 23), 0);
        assert_eq!(bytes[20..24], MAX_WRITE.to_ne_bytes());
        let old = Init { major: 7, minor: 31, max_readahead: 4096, flags: init::MAX_PAGES };
        assert_eq!(agree(old, true).0, Negotiated { minor: 31, flags: init::MAX_PAGES });
    }
}
