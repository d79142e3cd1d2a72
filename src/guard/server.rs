//! The loop of safeguard: one thread that answers safeadmin and, when renewals stop, fences (S8).
//!
//! It waits for nothing but its sockets and its timer; a fence that cannot be completed at once is
//! tried again from the loop, so one module that hangs does not hold up another.

use super::address::Addresses;
use super::boottime_ns;
use super::frame::{Answer, Ask, MAX_FRAME, Refusal, Reply, Request, Status, Target};
use super::kept::{self, Kept, MAX_KEPT};
use super::packet;
use super::scribe::{Note, Scribe, read_markers};
use super::table::{Entry, Standing, Table};
use crate::farm::{FarmError, nft};
use crate::ids::ModuleName;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, socket,
};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::geteuid;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most connections at once: safeadmin, the replication of each module, and some that come and go.
const MAX_CLIENTS: usize = 96;
/// Descriptors besides those that are kept.
const OWN: u64 = 256;
/// Most packets read from one connection before the deadlines are looked at again.
const MAX_BATCH: usize = 512;
/// Next attempt at a fence that is not complete, in its first second and later.
const RETRY_SOON: u64 = 10_000_000;
const RETRY_LATER: u64 = 250_000_000;
const FIRST_SECOND: u64 = 1_000_000_000;
/// Modest: above all ordinary processes is enough.
const PRIORITY: i32 = 10;

/// Why the guard cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A file or directory of SAFEVAR/run.
    #[error("cannot {what} {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another guard runs.
    #[error("another safeguard holds {}", .0.display())]
    Held(PathBuf),
    /// A system call that the guard cannot do without.
    #[error("{what}: {errno}")]
    System {
        /// Which.
        what: &'static str,
        /// What the system said.
        errno: Errno,
    },
}

fn system(what: &'static str) -> impl FnOnce(Errno) -> ServerError {
    move |errno| ServerError::System { what, errno }
}

/// The guard of this node.
pub struct Server {
    listener: OwnedFd,
    clients: Vec<OwnedFd>,
    timer: TimerFd,
    table: Table,
    addresses: Addresses,
    scribe: Scribe,
    kept: Kept,
    /// Locked while this guard lives.
    _lock: File,
}

impl Server {
    /// Listens on `<run>/safeguard.sock`, open to root (or the own user) only. Modules with a marker
    /// are fenced from the start.
    pub fn open(run: &Path) -> Result<Server, ServerError> {
        let file = |what, path: &Path| {
            let path = path.to_owned();
            move |source| ServerError::File { what, path, source }
        };
        fs::create_dir_all(run).map_err(file("create", run))?;
        let lock_path = run.join("safeguard.lock");
        let lock = File::create(&lock_path).map_err(file("create", &lock_path))?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => ServerError::Held(lock_path.clone()),
            TryLockError::Error(e) => file("lock", &lock_path)(e),
        })?;
        let mut table = Table::new(boottime_ns());
        for (module, fenced) in read_markers(run).map_err(file("read", run))? {
            table.restore(module, fenced);
        }
        let scribe = Scribe::start(run.to_owned()).map_err(file("start the scribe for", run))?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, flags).map_err(system("timerfd_create"))?;
        let addresses = Addresses::open().map_err(system("rtnetlink socket"))?;
        let path = run.join("safeguard.sock");
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(file("remove", &path)(e)),
            _ => {}
        }
        let listener = listen_on(&path).map_err(|e| file("listen on", &path)(e.into()))?;
        // Peers are also asked for their credentials, so nobody slips in before this.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(file("protect", &path))?;
        let (clients, kept) = (Vec::new(), Kept::default());
        Ok(Server { listener, clients, timer, table, addresses, scribe, kept, _lock: lock })
    }

    /// Locks the memory, raises priority and lowers the OOM score. Each as far as the system permits:
    /// what it refuses is only logged, for a guard in ordinary conditions is better than none.
    pub fn harden(&self) {
        let locked = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE);
        self.regret("lock its memory", locked.map_err(io::Error::from));
        let parameters = libc::sched_param { sched_priority: PRIORITY };
        // SAFETY: the parameters are valid for the call; 0 is this thread.
        let scheduled =
            unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) };
        if scheduled != 0 {
            self.regret("run at real-time priority", Err(io::Error::last_os_error()));
            // SAFETY: plain numbers; 0 is this process.
            let niced = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) };
            self.regret(
                "raise its priority",
                if niced == 0 { Ok(()) } else { Err(io::Error::last_os_error()) },
            );
        }
        self.regret("lower its OOM score", fs::write("/proc/self/oom_score_adj", "-1000"));
        let files = OWN + u64::try_from(MAX_KEPT).unwrap_or(u64::MAX);
        let raised = getrlimit(Resource::RLIMIT_NOFILE)
            .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, files, most.max(files)));
        self.regret("raise its limit of open files", raised.map_err(io::Error::from));
    }

    fn regret(&self, what: &str, result: io::Result<()>) {
        if let Err(e) = result {
            self.scribe.note(Note::Line(format!("cannot {what}: {e}")));
        }
    }

    /// Serves until a system call fails that must not.
    pub fn run(&mut self) -> Result<(), ServerError> {
        let fenced = self.table.entries.len();
        self.scribe.note(Note::Line(format!("started: nothing armed, {fenced} modules fenced earlier")));
        loop {
            self.set_timer().map_err(system("timerfd_settime"))?;
            let ready = self.wait().map_err(system("poll"))?;
            // Read what was sent before judging: it may be the guard itself that was held up.
            let clients = std::mem::take(&mut self.clients);
            let kept = clients.into_iter().zip(ready.clients).filter(|(fd, ready)| !*ready || self.serve(fd));
            let kept: Vec<OwnedFd> = kept.map(|(fd, _)| fd).collect();
            self.clients = kept;
            if ready.listener {
                self.accept();
            }
            self.fence_due();
        }
    }

    /// Also clears an expiry that poll has reported.
    fn set_timer(&self) -> Result<(), Errno> {
        let Some(next) = self.table.next_due() else { return self.timer.unset() };
        // 0 would stop the timer; a time that is past makes it expire at once.
        let at = TimeSpec::from_duration(Duration::from_nanos(next.max(1)));
        self.timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
    }

    fn wait(&self) -> Result<Ready, Errno> {
        let all = [self.timer.as_fd(), self.listener.as_fd()]
            .into_iter()
            .chain(self.clients.iter().map(AsFd::as_fd));
        let mut fds: Vec<PollFd> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        let mut ready = fds.iter().skip(1).map(|fd| fd.any().unwrap_or(true));
        Ok(Ready { listener: ready.next().unwrap_or(false), clients: ready.collect() })
    }

    fn accept(&mut self) {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        // A caller that is gone already, or a lack of descriptors: it will try again.
        let Ok(fd) = accept4(self.listener.as_raw_fd(), flags) else { return };
        // SAFETY: accept4 has just returned this descriptor, and nobody else owns it.
        let client = unsafe { OwnedFd::from_raw_fd(fd) };
        let user = getsockopt(&client, PeerCredentials).map(|peer| peer.uid());
        let known = user.is_ok_and(|user| user == 0 || user == geteuid().as_raw());
        if known && self.clients.len() < MAX_CLIENTS {
            self.clients.push(client);
        } else {
            self.scribe.note(Note::Line(format!("connection of user {user:?} refused")));
        }
    }

    /// Answers what a client has sent; false when it has gone, which by itself fences nothing: a
    /// restarted safeadmin comes back.
    fn serve(&mut self, client: &OwnedFd) -> bool {
        let mut buffer = [0; MAX_FRAME];
        for _ in 0..MAX_BATCH {
            match packet::receive(client, &mut buffer) {
                Ok((0, _)) => return false,
                Ok((length, fd)) => {
                    let (number, done) = self.reply(&buffer[..length], fd);
                    let reply = Reply { number, answer: done.answer }.encode();
                    // A client that does not read its answers does without.
                    let _ = packet::send(client, &reply, done.send.as_ref().map(AsFd::as_fd));
                    self.close(done.close);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return true,
                Err(_) => return false,
            }
        }
        true
    }

    fn close(&self, fds: Vec<OwnedFd>) {
        if !fds.is_empty() {
            self.scribe.note(Note::Close(fds));
        }
    }

    /// The answer to a packet, and the number of its question.
    fn reply(&mut self, packet: &[u8], fd: Option<OwnedFd>) -> (u32, kept::Outcome) {
        let Ok(request) = Request::decode(packet) else {
            let number = packet.first_chunk().map_or(0, |number| u32::from_le_bytes(*number));
            return (number, Answer::Refused(Refusal::Malformed).into());
        };
        let (number, ask) = (request.number, request.ask.clone());
        if let Ask::Keep(module, keep) = ask {
            return (number, self.kept.carry_out(&module, keep, fd));
        }
        let answer = self.table.answer(boottime_ns(), request);
        if let (Ask::Acknowledge(module), Answer::Status(Status { fenced: None, .. })) = (ask, answer) {
            self.scribe.note(Note::Acknowledged(module));
        }
        (number, answer.into())
    }

    fn fence_due(&mut self) {
        let now = boottime_ns();
        for entry in self.table.due(now) {
            // Who waits for a process of replication that is gone could not be killed. One that lives
            // gives its descriptors again.
            let kept = self.kept.forget(&entry.module, "");
            if !kept.is_empty() {
                self.scribe.note(Note::Close(kept));
            }
            fence(entry, now, &mut self.addresses, &self.scribe);
        }
    }
}

/// What poll has found.
struct Ready {
    listener: bool,
    clients: Vec<bool>,
}

fn listen_on(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&listener, Backlog::new(8)?)?;
    Ok(listener)
}

/// One attempt at an incomplete fence: buckets and addresses first, for they must be free for the peer.
fn fence(entry: &mut Entry, now: u64, addresses: &mut Addresses, scribe: &Scribe) {
    let Standing::Fenced { fenced, retry_at } = &mut entry.standing else { return };
    let (module, first) = (&entry.module, *retry_at == 0);
    let result = carry_out(module, &entry.target, addresses);
    let ms = |since: u64| now.saturating_sub(since) / 1_000_000;
    if first {
        let (renewed, echoed, vips) = (ms(fenced.renewed_at), ms(fenced.echoed_at), entry.target.vips.len());
        scribe.note(Note::Line(format!(
            "module {module} is fenced: no renewal for {renewed} ms, newest echoed heartbeat {echoed} ms old; \
             withdrawing its buckets, removing {vips} virtual addresses and killing its application"
        )));
    }
    match result {
        Ok(()) => {
            fenced.complete = true;
            scribe.note(Note::Line(format!("module {module}: fence complete after {} ms", ms(fenced.at))));
            scribe.note(Note::Fenced(module.clone(), *fenced));
        }
        Err(what) => {
            let age = now.saturating_sub(fenced.at);
            *retry_at = now + if age < FIRST_SECOND { RETRY_SOON } else { RETRY_LATER };
            // Dying takes the kernel a moment: worth a line only when it lasts.
            let lasting = age < FIRST_SECOND && age + RETRY_SOON >= FIRST_SECOND;
            if lasting {
                scribe.note(Note::Line(format!("module {module}: fence not complete yet: {what}")));
            }
        }
    }
}

/// Removes and kills, and says what is still there. A failure of one does not keep it from the other.
fn carry_out(module: &ModuleName, target: &Target, addresses: &mut Addresses) -> Result<(), String> {
    let mut result = match nft::withdraw(module) {
        // Without nftables there is nothing to withdraw.
        Ok(()) | Err(FarmError::Missing { .. }) => Ok(()),
        Err(e) => Err(e.to_string()),
    };
    for vip in &target.vips {
        if let Err(errno) = addresses.remove(vip) {
            result = Err(format!("cannot remove {} from interface {}: {errno}", vip.addr, vip.index));
        }
    }
    if let Some(group) = &target.group {
        match group.kill().and_then(|()| group.is_empty()) {
            Ok(true) => {}
            Ok(false) => result = Err("processes of the application are still there".to_owned()),
            Err(e) => result = Err(e.to_string()),
        }
    }
    result
}
