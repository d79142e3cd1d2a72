//! The lossy disk of a node (DESIGN 10): SAFEVAR and the private directories lie on an ext4 file system
//! whose disk forgets, at a power failure, everything that was not flushed. A SIGKILL alone would not:
//! what was written is in the page cache of this machine. It fails, lies and is slow on demand.
//!
//! The file system is mounted in the node's own mount namespace, on a loop device whose file is shown by
//! the disk's server ([`server`]). All of it goes by itself once node and server are gone.

mod device;
mod extents;
mod media;
pub mod server;

pub use media::{Failing, Faults};

use super::bounded::{run_bounded, wait_until};
use super::error::{During, Result, SandboxError};
use super::files;
use super::node::Node;
use super::state;
use nix::mount::{MsFlags, mount};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Hidden subcommand: serves the disk of a node.
pub const DISK: &str = "__disk";

/// Size in bytes unless told otherwise. It takes only the room of what is written on it.
pub const DEFAULT_SIZE: u64 = 2 << 30;
/// Sizes in bytes that a disk may have.
pub const SIZES: std::ops::RangeInclusive<u64> = 16 << 20..=1 << 40;

/// What nobody syncs stays unsynced: the file system's own commits come every five minutes, not every
/// five seconds, so that a forgotten fsync does not go unnoticed. Errors make it read-only.
const OPTIONS: &str = "errors=remount-ro,commit=300";

const READY: &str = "ready";
/// A server that was told to end, a file system that is made.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the server prints first.
const LONGEST_LINE: u64 = 100;

/// What the server of a disk is told, one JSON value a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Say what is wrong at present.
    Show,
    /// More requests fail.
    Fail(Vec<Failing>),
    /// Flushes do nothing.
    Lie,
    /// Every request takes longer.
    Slow(Duration),
    /// Nothing is wrong any more.
    Heal,
    /// The power goes; with a seed a random part of what was not flushed survives.
    Cut(Option<u64>),
}

/// Its answer.
type Reply = std::result::Result<Faults, String>;

/// The server of a disk: `disk.json` in the directory of its machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Server {
    pid: i32,
    /// Start time of the process in clock ticks, as of [`state::Boot`].
    started: u64,
    /// Number of its loop device.
    device: u32,
}

impl Server {
    fn alive(&self) -> bool {
        state::start_time(self.pid) == Some(self.started)
    }
}

/// What is to fail, as an operator says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Only reads.
    Reads,
    /// Only writes.
    Writes,
    /// Both.
    All,
}

/// Where it is to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// On the whole disk.
    Everywhere,
    /// Between two bytes of the disk.
    Between(u64, u64),
    /// Where the content of a file lies at present, by the path that the node sees.
    File(PathBuf),
}

impl Node {
    pub(super) fn disk_image(&self) -> PathBuf {
        self.dir().join("disk.img")
    }

    pub(super) fn disk_socket(&self) -> PathBuf {
        self.dir().join("disk.sock")
    }

    /// Where its file system is mounted, inside of the node.
    pub(super) fn disk_mount(&self) -> PathBuf {
        self.dir().join("disk")
    }

    fn disk_file(&self) -> PathBuf {
        self.dir().join("disk.json")
    }

    fn disk_server(&self) -> Result<Option<Server>> {
        Ok(state::read::<Server>(&self.disk_file())?.filter(Server::alive))
    }

    /// What is wrong with its disk; `None` if it has no disk of its own, or is powered off.
    pub fn disk_faults(&self) -> Result<Option<Faults>> {
        match self.disk_server()? {
            Some(_) => self.disk_order(&Order::Show).map(Some),
            None => Ok(None),
        }
    }

    fn disk_order(&self, order: &Order) -> Result<Faults> {
        self.running()?;
        if self.disk_server()?.is_none() {
            let name = &self.name;
            return Err(SandboxError::Options(format!(
                "{name} has no lossy disk: bring the sandbox up with --disk lossy"
            )));
        }
        server::order(&self.disk_socket(), order)
    }

    /// Lets requests to its disk fail with EIO, besides those that fail already.
    pub fn disk_fail(&self, what: What, at: &Where) -> Result<()> {
        let (reads, writes) = (what != What::Writes, what != What::Reads);
        let ranges = match at {
            Where::Everywhere => vec![(0, u64::MAX)],
            Where::Between(from, to) => vec![(*from, *to)],
            Where::File(path) => {
                let device = self.disk_server()?.map_or(0, |s| s.device);
                extents::of_file(self.running()?.pid, path, device)?
            }
        };
        let failing = ranges.into_iter().map(|(from, to)| Failing { reads, writes, from, to }).collect();
        self.disk_order(&Order::Fail(failing)).map(drop)
    }

    /// Its disk acknowledges flushes but forgets what they were to make durable.
    pub fn disk_lie(&self) -> Result<()> {
        self.disk_order(&Order::Lie).map(drop)
    }

    /// Every request to its disk takes so much longer.
    pub fn disk_slow(&self, delay: Duration) -> Result<()> {
        self.disk_order(&Order::Slow(delay)).map(drop)
    }

    /// Nothing is wrong with its disk any more.
    pub fn disk_heal(&self) -> Result<()> {
        self.disk_order(&Order::Heal).map(drop)
    }
}

/// Makes the disk of a node; what lies in its `disk` directory moves onto it.
pub(super) fn make(node: &Node, size: u64) -> Result<()> {
    let (image, content) = (node.disk_image(), node.disk_mount());
    let what = || format!("make {}", image.display());
    // A whole number of blocks.
    File::create_new(&image).and_then(|file| file.set_len(size / 4096 * 4096)).during(what)?;
    let mut command = Command::new("mkfs.ext4");
    command.args([
        "-q",
        "-F",
        "-b",
        "4096",
        "-m",
        "0",
        "-E",
        "nodiscard,lazy_itable_init=0,root_owner=0:0",
        "-d",
    ]);
    command.arg(&content).arg(&image).stdin(Stdio::null()).stdout(Stdio::null());
    let made = match run_bounded(&mut command, PATIENCE, "mkfs.ext4") {
        Err(SandboxError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(SandboxError::Missing { tool: "mkfs.ext4", package: "e2fsprogs" });
        }
        other => other?,
    };
    if !made.success() {
        return Err(SandboxError::Options(format!(
            "cannot make a file system of {} MiB for {}: name a larger size with --disk lossy:SIZE",
            size >> 20,
            node.name
        )));
    }
    files::remove(&content)
        .and_then(|()| fs::create_dir(&content))
        .during(|| format!("empty {}", content.display()))
}

/// Starts the server of a node's disk. Afterwards the loop device is there.
pub(super) fn start(node: &Node) -> Result<()> {
    // Left where a node ended without a power failure: its file system was unmounted in peace.
    cut(node, None)?;
    wait_end(node)?;
    let program = std::env::current_exe().during(|| "find the program safekit".into())?;
    let mut command = Command::new(program);
    command.args(["sandbox", DISK]).arg(&node.sandbox).arg(&node.name);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).current_dir("/");
    let mut child = command.spawn().during(|| "start the server of the disk".into())?;
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        // The boot that waits here is itself waited for with a bound.
        let read = BufReader::new(out.take(LONGEST_LINE)).read_line(&mut said);
        read.during(|| "hear from the server of the disk".into())?;
    }
    let pid = child.id().cast_signed();
    let device = said.trim_end().strip_prefix(READY).and_then(|n| n.trim().parse().ok());
    match (device, state::start_time(pid)) {
        (Some(device), Some(started)) => state::write(&node.disk_file(), &Server { pid, started, device }),
        _ => Err(SandboxError::Boot {
            machine: node.name.clone(),
            reason: "the server of its disk ended".into(),
        }),
    }
}

/// Mounts the disk in the calling process's mount namespace, SAFEVAR included.
pub(super) fn show(node: &Node) -> Result<()> {
    let at = node.disk_mount();
    let what = || format!("mount {}", at.display());
    let server = node.disk_server()?;
    let server = server.ok_or_else(|| std::io::Error::other("its server has ended")).during(what)?;
    let device = device::node(server.device, &node.dir()).during(what)?;
    let nothing: Option<&str> = None;
    mount(Some(&device), &at, Some("ext4"), MsFlags::empty(), Some(OPTIONS)).during(what)?;
    let var = at.join("var");
    mount(Some(&var), &node.safevar(), nothing, MsFlags::MS_BIND, nothing).during(what)
}

/// Cuts the power of a disk, if its server runs.
pub(super) fn cut(node: &Node, seed: Option<u64>) -> Result<()> {
    match node.disk_server()? {
        Some(_) => server::order(&node.disk_socket(), &Order::Cut(seed)).map(drop),
        None => Ok(()),
    }
}

/// Lets a slow disk answer at once: what waits for it is about to die.
pub(super) fn hurry(node: &Node) -> Result<()> {
    match node.disk_server()? {
        Some(_) => server::order(&node.disk_socket(), &Order::Slow(Duration::ZERO)).map(drop),
        None => Ok(()),
    }
}

/// Waits until the server of a disk that was cut has ended: nothing of the disk is in use then.
pub(super) fn wait_end(node: &Node) -> Result<()> {
    let Some(server) = node.disk_server()? else { return Ok(()) };
    if wait_until(PATIENCE, || !server.alive()) {
        return Ok(());
    }
    let what = format!("the end of the disk of {}", node.name);
    Err(SandboxError::Timeout { what, within: PATIENCE })
}

/// Whether `argv` is that of the server of a disk of the sandbox in `dir`.
pub(super) fn is_server(argv: &[&str], dir: &Path) -> bool {
    matches!(argv, [_, "sandbox", DISK, of, _] if Path::new(of) == dir)
}
