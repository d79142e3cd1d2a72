//! safeadmin's side of the connection with safeguard.

use super::boottime_ns;
use super::frame::{
    Answer, Ask, BadFrame, Keep, MAX_FRAME, Refusal, Reply, Request, Status, Target, VERSION,
};
use super::packet;
use crate::ids::ModuleName;
use crate::told::Tell;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest wait for an answer of the guard.
pub const CALL_LIMIT: Duration = Duration::from_millis(50);

/// Why the guard did not do it. After any of these but `Refused` the connection is of no more use:
/// connect again and arm again.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Nobody listens.
    #[error("safeguard cannot be reached at {}: {source}; is the service running?", path.display())]
    Absent {
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        source: Errno,
    },
    /// The connection broke: the guard has ended or was restarted.
    #[error("the connection with safeguard broke: {0}")]
    Lost(Errno),
    /// No answer in time.
    #[error("safeguard did not answer within {} ms", CALL_LIMIT.as_millis())]
    Silent,
    /// Another version answers.
    #[error("safeguard speaks protocol version {0}, not {VERSION}: restart it after an upgrade")]
    Version(u16),
    /// A message could not be made or understood.
    #[error("talking with safeguard: {0}")]
    Frame(#[from] BadFrame),
    /// The guard refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Tell for GuardError {
    fn french(&self) -> String {
        match self {
            GuardError::Absent { path, source } => format!(
                "safeguard ne peut pas être joint à {} : {source} ; le service s'exécute-t-il ?",
                path.display()
            ),
            GuardError::Lost(why) => format!("la connexion avec safeguard est rompue : {why}"),
            GuardError::Silent => format!("safeguard n'a pas répondu en {} ms", CALL_LIMIT.as_millis()),
            GuardError::Version(version) => format!(
                "safeguard parle la version {version} du protocole, et non {VERSION} : redémarrez-le après une mise à \
                 niveau"
            ),
            GuardError::Frame(e) => format!("échange avec safeguard : {e}"),
            GuardError::Refused(e) => e.french(),
        }
    }
}

/// A connection with safeguard. Every call waits at most [`CALL_LIMIT`].
#[derive(Debug)]
pub struct GuardClient {
    socket: OwnedFd,
    number: u32,
}

impl GuardClient {
    /// Connects to the guard's socket (SAFEVAR/run/safeguard.sock) and compares versions.
    pub fn connect(path: &Path) -> Result<GuardClient, GuardError> {
        let absent = |source| GuardError::Absent { path: path.to_owned(), source };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).map_err(absent)?;
        let address = UnixAddr::new(path).map_err(absent)?;
        connect(socket.as_raw_fd(), &address).map_err(absent)?;
        let mut client = GuardClient { socket, number: 0 };
        match client.call(Ask::Hello { version: VERSION })? {
            Answer::Welcome { version: VERSION, .. } => Ok(client),
            Answer::Welcome { version, .. } => Err(GuardError::Version(version)),
            other => Err(unexpected(other)),
        }
    }

    /// Guards `module` from now on, or replaces what a fence removes and kills. `timeout` is the
    /// heartbeat timeout, `echoed_at` the send time (CLOCK_BOOTTIME, ns) of the newest heartbeat that
    /// the peer has echoed. A fenced module is not armed: look at the status.
    pub fn arm(
        &mut self,
        module: &ModuleName,
        timeout: Duration,
        echoed_at: u64,
        target: Target,
    ) -> Result<Status, GuardError> {
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        self.status(Ask::Arm { module: module.clone(), timeout_ms, echoed_at, target })
    }

    /// Tells that safeadmin lives; due every 0.05 x timeout. `armed: false` without a fence means that
    /// the guard was restarted or never armed: arm again.
    pub fn renew(&mut self, module: &ModuleName, echoed_at: u64) -> Result<Status, GuardError> {
        self.status(Ask::Renew { module: module.clone(), echoed_at })
    }

    /// Ends the guarding of `module`; a fence that has fallen stays.
    pub fn disarm(&mut self, module: &ModuleName) -> Result<Status, GuardError> {
        self.status(Ask::Disarm(module.clone()))
    }

    /// How `module` stands.
    pub fn query(&mut self, module: &ModuleName) -> Result<Status, GuardError> {
        self.status(Ask::Query(module.clone()))
    }

    /// Lifts the fence of `module`, for a caller that has cleaned up. Without effect (look at the
    /// status) until the guard itself has seen addresses and processes gone.
    pub fn acknowledge(&mut self, module: &ModuleName) -> Result<Status, GuardError> {
        self.status(Ask::Acknowledge(module.clone()))
    }

    /// Gives a copy of a descriptor to the guard, under a name within the module; one of the same name
    /// is replaced. Returns how many the guard keeps for the module.
    pub fn give(&mut self, module: &ModuleName, name: &str, fd: BorrowedFd<'_>) -> Result<u32, GuardError> {
        let ask = Ask::Keep(module.clone(), Keep::Give(name.to_owned()));
        kept(self.exchange(ask, Some(fd))?.0)
    }

    /// A copy of a descriptor that was given; the guard keeps its own.
    pub fn take(&mut self, module: &ModuleName, name: &str) -> Result<OwnedFd, GuardError> {
        let ask = Ask::Keep(module.clone(), Keep::Take(name.to_owned()));
        match self.exchange(ask, None)? {
            (Answer::Here, Some(fd)) => Ok(fd),
            (answer, _) => Err(unexpected(answer)),
        }
    }

    /// The guard closes its descriptors of the module whose names begin so. Returns how many it keeps
    /// still.
    pub fn forget(&mut self, module: &ModuleName, beginning: &str) -> Result<u32, GuardError> {
        kept(self.call(Ask::Keep(module.clone(), Keep::Drop(beginning.to_owned())))?)
    }

    /// How many descriptors the guard keeps for the module.
    pub fn count(&mut self, module: &ModuleName) -> Result<u32, GuardError> {
        kept(self.call(Ask::Keep(module.clone(), Keep::Count))?)
    }

    fn status(&mut self, ask: Ask) -> Result<Status, GuardError> {
        match self.call(ask)? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(other)),
        }
    }

    fn call(&mut self, ask: Ask) -> Result<Answer, GuardError> {
        self.exchange(ask, None).map(|(answer, _)| answer)
    }

    fn exchange(
        &mut self,
        ask: Ask,
        with: Option<BorrowedFd<'_>>,
    ) -> Result<(Answer, Option<OwnedFd>), GuardError> {
        self.number = self.number.wrapping_add(1);
        let frame = Request { number: self.number, sent_at: boottime_ns(), ask }.encode()?;
        let end = Instant::now() + CALL_LIMIT;
        match packet::send(&self.socket, &frame, with) {
            Ok(()) => {}
            Err(Errno::EAGAIN) => return Err(GuardError::Silent),
            Err(errno) => return Err(GuardError::Lost(errno)),
        }
        let mut buffer = [0; MAX_FRAME];
        loop {
            self.wait_readable(end)?;
            match packet::receive(&self.socket, &mut buffer) {
                Ok((0, _)) => return Err(GuardError::Lost(Errno::ECONNRESET)),
                Ok((length, fd)) => {
                    let reply = Reply::decode(&buffer[..length])?;
                    // The answer to an earlier call that was not waited for is passed over.
                    if reply.number == self.number {
                        return Ok((reply.answer, fd));
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(GuardError::Lost(errno)),
            }
        }
    }

    fn wait_readable(&self, end: Instant) -> Result<(), GuardError> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            // Rounded up: a wait of 0 ms would spin through the last millisecond.
            let left = left.as_micros().div_ceil(1000);
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            match poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => return Err(GuardError::Silent),
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(GuardError::Lost(errno)),
            }
        }
    }
}

fn kept(answer: Answer) -> Result<u32, GuardError> {
    match answer {
        Answer::Kept(count) => Ok(count),
        other => Err(unexpected(other)),
    }
}

/// A refusal, or the answer to another question.
fn unexpected(answer: Answer) -> GuardError {
    match answer {
        Answer::Refused(refusal) => refusal.into(),
        _ => BadFrame::Unknown("answer").into(),
    }
}
