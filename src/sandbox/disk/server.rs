//! The server of one disk: a process outside of its node, so that it outlives a power failure by just
//! as long as it needs. It shows the disk as the only file of a FUSE file system which only it sees, and
//! makes that file a loop device.

use super::super::error::{During, Result, SandboxError};
use super::super::{Sandbox, cgroup};
use super::device::Loop;
use super::media::Media;
use super::{Order, READY, Reply as Answer};
use crate::rfs::fuse::abi::FOPEN_DIRECT_IO;
use crate::rfs::fuse::{Attr, Entry, Filesystem, Mounted, Opened, Operation, Reply, Request};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const THREADS: usize = 4;
const ROOT: u64 = 1;
const FILE: u64 = 2;
const NAME: &str = "disk";
/// Nothing but this process changes names and attributes.
const FOR_EVER: u64 = 1 << 30;

/// An order is one short line, soon.
const PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_LINE: u64 = 1 << 20;
/// The node is dead when its disk is cut; unmounting it takes this long at most.
const LAST_PATIENCE: Duration = Duration::from_secs(30);

struct State {
    media: Media,
    /// The loop device has let the file go.
    released: bool,
    /// Counts orders: whoever is being delayed looks at the faults again.
    orders: u64,
}

struct Disk {
    state: Mutex<State>,
    changed: Condvar,
}

/// Serves the disk of a node until it is cut. Prints a line with the number of its loop device once the
/// disk is there.
pub fn run(sandbox: &Path, machine: &str) -> Result<()> {
    let (sandbox, state) = Sandbox::at(sandbox)?;
    let machine = sandbox.machine(&state, machine)?;
    if let Some(cgroup) = cgroup::of_machine(&state.name, &format!("disk-{}", machine.name())) {
        cgroup::join(&cgroup)?;
    }
    // Out of the caller's terminal: its interrupt key is not for the disk.
    nix::unistd::setsid().during(|| "start a session".into())?;
    io_flusher();
    unshare(CloneFlags::CLONE_NEWNS).during(|| "make a mount namespace".into())?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .during(|| "keep mounts to this process".into())?;

    let image = machine.disk_image();
    let what = || format!("serve {}", image.display());
    let media = File::options().read(true).write(true).open(&image).and_then(Media::new).during(what)?;
    let state = Mutex::new(State { media, released: false, orders: 0 });
    let disk = Arc::new(Disk { state, changed: Condvar::new() });
    let point = machine.dir().join("media");
    fs::create_dir_all(&point).during(|| format!("make {}", point.display()))?;
    let session = Mounted::new(&image, &point, None, false).and_then(|m| m.serve(&disk, THREADS));
    let session = session.map_err(io::Error::other).during(what)?;
    let file = File::options().read(true).write(true).open(point.join(NAME)).during(what)?;
    let device = Loop::attach(&file, &machine.dir())?;
    drop(file);

    let socket = machine.disk_socket();
    let listener = listen(&socket)?;
    println!("{READY} {}", device.number);
    disk.obey(&listener);
    drop(device);
    disk.wait_released();
    session.close();
    // The next boot makes its own.
    let _ = fs::remove_file(&socket);
    Ok(())
}

/// Memory that this process needs must not be waited for by writing to the disk that it serves.
fn io_flusher() {
    const PR_SET_IO_FLUSHER: libc::c_int = 57;
    // SAFETY: prctl with numbers only. A kernel before 5.6 does not know the option, and works without.
    let _ = unsafe { libc::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) };
}

fn listen(socket: &Path) -> Result<UnixListener> {
    // Left by a server that was killed.
    let _ = fs::remove_file(socket);
    UnixListener::bind(socket).during(|| format!("listen on {}", socket.display()))
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out orders, up to the one that cuts the power.
    fn obey(&self, listener: &UnixListener) {
        loop {
            let Ok((stream, _)) = listener.accept() else { continue };
            match self.hear(&stream) {
                Ok(true) => return,
                Ok(false) => {}
                Err(e) => eprintln!("an order to the disk was not understood: {e}"),
            }
        }
    }

    /// Carries out one order; whether it was the last.
    fn hear(&self, stream: &UnixStream) -> io::Result<bool> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = String::new();
        BufReader::new(stream.take(LONGEST_LINE)).read_line(&mut line)?;
        let order: Order = serde_json::from_str(&line)?;
        let last = matches!(order, Order::Cut(_));
        let answer: Answer = self.carry_out(order).map_err(|e| e.to_string());
        let mut stream = stream;
        // The power is gone whether or not the caller still listens.
        let said = serde_json::to_writer(&mut stream, &answer).map_err(io::Error::from);
        match said.and_then(|()| stream.write_all(b"\n")) {
            Err(e) if !last => Err(e),
            _ => Ok(last),
        }
    }

    fn carry_out(&self, order: Order) -> io::Result<super::Faults> {
        let mut state = self.lock();
        match order {
            Order::Show => {}
            Order::Fail(more) => state.media.faults.failing.extend(more),
            Order::Lie => state.media.faults.lies = true,
            Order::Slow(delay) => state.media.faults.delay = delay,
            Order::Heal => state.media.faults = super::Faults::default(),
            Order::Cut(seed) => {
                // What unmounts a dead node's file system is not to be troubled.
                state.media.faults = super::Faults::default();
                state.media.cut(seed)?;
            }
        }
        state.orders += 1;
        self.changed.notify_all();
        Ok(state.media.faults.clone())
    }

    /// Waits as long as a slow disk takes, or until it is told otherwise.
    fn delayed(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let (begin, orders) = (Instant::now(), state.orders);
        while let Some(rest) = state.media.faults.delay.checked_sub(begin.elapsed()) {
            if rest.is_zero() || state.orders != orders {
                break;
            }
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn wait_released(&self) {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, LAST_PATIENCE, |s| !s.released);
        if waited.is_ok_and(|(_, timeout)| timeout.timed_out()) {
            eprintln!("the disk is still in use {} s after its power went", LAST_PATIENCE.as_secs());
        }
    }

    fn attr(&self, node: u64) -> Attr {
        match node {
            FILE => {
                let size = self.lock().media.size();
                Attr {
                    ino: FILE,
                    size,
                    blocks: size / 512,
                    mode: libc::S_IFREG | 0o600,
                    nlink: 1,
                    ..Attr::default()
                }
            }
            _ => Attr { ino: ROOT, mode: libc::S_IFDIR | 0o700, nlink: 2, ..Attr::default() },
        }
    }
}

impl Filesystem for Disk {
    fn handle(&self, request: &Request<'_>, buffer: &mut [u8], reply: Reply) {
        match (request.node, &request.operation) {
            (ROOT, Operation::Lookup { name }) if *name == NAME.as_bytes() => {
                reply.entry(&Entry { node: FILE, ttl: FOR_EVER, attr: self.attr(FILE) })
            }
            (_, Operation::Lookup { .. }) => reply.error(Errno::NOENT),
            (node, Operation::GetAttr { .. } | Operation::SetAttr(_)) => {
                reply.attr(FOR_EVER, &self.attr(node))
            }
            // Every read and write comes here, none ends in a page cache of this file.
            (FILE, Operation::Open { .. }) => reply.opened(Opened { handle: 0, flags: FOPEN_DIRECT_IO }),
            (FILE, Operation::Read { offset, size, .. }) => {
                let length = buffer.len().min(*size as usize);
                let read = self.delayed().media.read(*offset, &mut buffer[..length]);
                match read {
                    Ok(n) => reply.bytes(&buffer[..n]),
                    Err(e) => reply.error(errno(&e)),
                }
            }
            (FILE, Operation::Write { offset, data, .. }) => {
                let written = self.delayed().media.write(*offset, data);
                match written {
                    Ok(()) => reply.size(u32::try_from(data.len()).unwrap_or(u32::MAX)),
                    Err(e) => reply.error(errno(&e)),
                }
            }
            (FILE, Operation::Fsync { .. }) => {
                let flushed = self.delayed().media.flush();
                match flushed {
                    Ok(()) => reply.empty(),
                    Err(e) => reply.error(errno(&e)),
                }
            }
            (FILE, Operation::Release { .. }) => {
                self.lock().released = true;
                self.changed.notify_all();
                reply.empty()
            }
            _ => reply.error(Errno::OPNOTSUPP),
        };
    }

    fn forget(&self, _node: u64, _lookups: u64) {}
}

fn errno(e: &io::Error) -> Errno {
    e.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

/// Gives an order to the server that listens on `socket`; what is wrong with the disk then.
pub(super) fn order(socket: &Path, order: &Order) -> Result<super::Faults> {
    let what = || format!("give an order to the disk at {}", socket.display());
    let mut stream = UnixStream::connect(socket).during(what)?;
    stream.set_read_timeout(Some(PATIENCE * 5)).during(what)?;
    stream.set_write_timeout(Some(PATIENCE)).during(what)?;
    let mut line = serde_json::to_vec(order).during(what)?;
    line.push(b'\n');
    stream.write_all(&line).during(what)?;
    let mut text = String::new();
    stream.take(LONGEST_LINE).read_to_string(&mut text).during(what)?;
    let answer: Answer = serde_json::from_str(&text).during(what)?;
    answer.map_err(SandboxError::Options)
}
