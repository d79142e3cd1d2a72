//! One machine of a sandbox: a node, a client, or the switch between them.

use super::bounded::{run_bounded, wait_until};
use super::error::{During, Result, SandboxError};
use super::init::{self, ServiceStatus};
use super::root;
use super::state::{self, Boot, State};
use super::{cgroup, console, disk, users};
use crate::node::service::SUPERVISOR_VARIABLE;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// The web service, which runs as user safekit.
pub const WEB: &str = "safewebserver";

/// Programs each node runs, in the order in which they start.
pub const SERVICES: [&str; 3] = ["safeguard", "safeadmin", WEB];

/// A boot, a stop of a program and a power off are given up after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever has entered a machine is given this time to collect what it had started there, and is killed
/// then: it may be a stopped job of some shell.
const ENTERED_PATIENCE: Duration = Duration::from_secs(1);

/// `safeadmin` stops its modules before it ends, scripts included.
const STOP_PATIENCE: Duration = Duration::from_secs(90);

/// One machine of a sandbox.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) sandbox: PathBuf,
    pub(super) name: String,
    /// Last part of its addresses: from 1 for nodes, from 254 downwards for clients; 0, without addresses, the
    /// switch.
    pub(super) number: u8,
}

impl Node {
    /// Its name: `node1`, `node2`, ..., `client`, `client2`, ...
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its files: `safe`, `var`, copies of private directories, and what its programs print.
    pub fn dir(&self) -> PathBuf {
        self.sandbox.join(&self.name)
    }

    /// Its `SAFE` directory.
    pub fn safe(&self) -> PathBuf {
        self.dir().join("safe")
    }

    /// Its `SAFEVAR` directory. On a lossy disk only the node itself sees what is in it.
    pub fn safevar(&self) -> PathBuf {
        self.dir().join("var")
    }

    /// What a program started by the machine ([`SERVICES`]) has printed.
    pub fn output_of(&self, service: &str) -> PathBuf {
        self.dir().join(format!("{service}.out"))
    }

    /// There while a program is not to be started at boot.
    pub(super) fn boot_setting(&self, service: &str) -> PathBuf {
        self.dir().join(format!("{service}.off"))
    }

    /// Its IPv4 address on the LAN number `lan` (counted from 1).
    pub fn address(&self, lan: usize) -> String {
        format!("10.77.{lan}.{}", self.number)
    }

    /// Its IPv6 address on the LAN number `lan` (counted from 1).
    pub fn address6(&self, lan: usize) -> String {
        format!("fd77:{lan}::{}", self.number)
    }

    /// Whether it is a node of the cluster, with `SAFE` and `SAFEVAR`.
    pub fn is_node(&self) -> bool {
        self.number != 0 && !self.name.starts_with(super::CLIENT)
    }

    fn boot_file(&self) -> PathBuf {
        self.dir().join("boot.json")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir().join("init.sock")
    }

    /// Its present boot, or `None` if it is powered off.
    pub fn boot(&self) -> Result<Option<Boot>> {
        Ok(state::read::<Boot>(&self.boot_file())?.filter(Boot::alive))
    }

    /// Its present boot; an error if it is powered off.
    pub fn running(&self) -> Result<Boot> {
        self.boot()?.ok_or_else(|| SandboxError::PoweredOff { machine: self.name.clone() })
    }

    /// Runs `task` in its network: on a thread of its own, so that nothing else of the caller moves.
    pub fn in_network<T: Send>(&self, task: impl FnOnce() -> T + Send) -> Result<T> {
        let path = format!("/proc/{}/ns/net", self.running()?.pid);
        let what = || format!("enter the network of {}", self.name);
        let namespace = File::open(path).during(what)?;
        thread::scope(|scope| {
            let thread = scope.spawn(|| setns(&namespace, CloneFlags::CLONE_NEWNET).map(|()| task()));
            match thread.join() {
                Ok(result) => result.during(what),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// A command that runs `program` inside the machine, with its environment, and ends as it ends.
    /// Once spawned, a signal to its process group reaches both.
    pub fn command(&self, state: &State, program: &str) -> Command {
        let mut command = Command::new(state.programs.join("safekit"));
        command.args(["sandbox", "exec", "--name", &state.name, "--dir"]);
        command.arg(self.sandbox.parent().unwrap_or(Path::new("/")));
        command.args([&self.name, "--", program]);
        command
    }

    /// What the machine's programs find in their environment.
    pub fn environment(&self, state: &State, boot: &Boot) -> Vec<(&'static str, String)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let old_path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".into());
        let mut vars = vec![
            ("SAFEKIT_SANDBOX", state.name.clone()),
            ("SAFEKIT_NODE", self.name.clone()),
            ("SAFEKIT_BOOT_ID", boot.id.clone()),
        ];
        if let Some(cgroup) = cgroup::of_machine(&state.name, &self.name) {
            vars.push(("SAFEKIT_CGROUP", text(cgroup)));
        }
        if self.is_node() {
            let (safe, bin) = (text(self.safe()), text(self.safe().join("private/bin")));
            vars.push(("PATH", format!("{safe}:{bin}:{old_path}")));
            vars.push(("SAFE", safe));
            vars.push(("SAFEVAR", text(self.safevar())));
            vars.push((SUPERVISOR_VARIABLE, text(self.socket())));
        } else {
            vars.push(("PATH", format!("{}:{old_path}", state.programs.display())));
        }
        vars
    }

    pub(super) fn has_disk(&self, state: &State) -> bool {
        state.disk.is_some() && self.is_node()
    }

    /// What holds `var` and the copies of private directories: its directory, or its disk.
    pub(super) fn content(&self, state: &State) -> PathBuf {
        if self.has_disk(state) { self.disk_mount() } else { self.dir() }
    }

    /// What the node has in the place of what this machine has.
    pub(super) fn own(&self, state: &State) -> Vec<root::Private> {
        let mut own = self.private(state);
        if self.is_node() {
            let list =
                |name| root::Private { copy: self.sandbox.join(name), at: Path::new("/etc").join(name) };
            own.extend(users::FILES.map(list));
            let program = |dir: PathBuf| dir.join(WEB);
            if console::wanted(state) {
                let (copy, at) = (program(state.programs.clone()), program(self.safe().join("private/bin")));
                own.push(root::Private { copy, at });
            }
        }
        own
    }

    /// The node's copies of private directories.
    pub(super) fn private(&self, state: &State) -> Vec<root::Private> {
        if !self.is_node() {
            return Vec::new();
        }
        let copies = self.content(state).join("private");
        let copy = |at: &PathBuf| copies.join(at.to_string_lossy().replace('/', "%"));
        state.private.iter().map(|at| root::Private { copy: copy(at), at: at.clone() }).collect()
    }

    /// Starts its first process, which stays without network and programs until told so.
    pub(super) fn power_on(&self, state: &State) -> Result<()> {
        let said = self.dir().join("init.out");
        let what = || format!("boot {}", self.name);
        let log = File::options().create(true).append(true).open(&said).during(what)?;
        let before = log.metadata().during(what)?.len();
        let mut command = Command::new(state.programs.join("safekit"));
        command.args(["sandbox", init::BOOT]).arg(&self.sandbox).arg(&self.name);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).current_dir("/");
        let ended = run_bounded(&mut command, PATIENCE, &format!("the boot of {}", self.name))?;
        if ended.success() && self.boot()?.is_some() {
            return Ok(());
        }
        let text = fs::read(&said).unwrap_or_default();
        let new = text.get(before as usize..).unwrap_or_default();
        let reason = String::from_utf8_lossy(new).trim().to_owned();
        Err(SandboxError::Boot { machine: self.name.clone(), reason })
    }

    /// SIGKILL to everything of the machine at once; returns when nothing of it is left. `seed`: what
    /// survives on its disk ([`disk::cut`]).
    pub(super) fn power_off(&self, state: &State, seed: Option<u64>) -> Result<()> {
        let Some(boot) = self.boot()? else { return Ok(()) };
        // Kept until the disk has lost its power: unmounting would write and flush all of it.
        let mounts = File::open(format!("/proc/{}/ns/mnt", boot.pid));
        let mounts = mounts.during(|| format!("hold the mounts of {}", self.name))?;
        // ESRCH: it has just died. The kernel kills a pid namespace together with its first process, which
        // is gone only when every process in it is, those entered from outside included.
        let _ = kill(Pid::from_raw(boot.pid), Signal::SIGKILL);
        disk::hurry(self)?;
        let gone = wait_until(ENTERED_PATIENCE, || !boot.alive());
        if let Some(cgroup) = cgroup::of_machine(&state.name, &self.name) {
            cgroup::kill(&cgroup)?;
        }
        if !gone && !wait_until(PATIENCE, || !boot.alive()) {
            let what = format!("the end of {}", self.name);
            return Err(SandboxError::Timeout { what, within: PATIENCE });
        }
        disk::cut(self, seed)?;
        drop(mounts);
        // Left from this life: a new boot must not find it.
        let _ = fs::remove_file(self.socket());
        disk::wait_end(self)
    }

    /// The programs ([`SERVICES`]) that the machine keeps running, and their pids as it sees them.
    pub fn services(&self) -> Result<Vec<ServiceStatus>> {
        self.running()?;
        init::list(&self.socket())
    }

    /// Starts a program and keeps it running, as `systemctl start` does.
    pub fn start_service(&self, service: &str) -> Result<()> {
        self.running()?;
        init::ask(&self.socket(), &format!("start {service}")).map(drop)
    }

    /// Ends a program by SIGTERM and waits for its end, as `systemctl stop` does.
    pub fn stop_service(&self, service: &str) -> Result<()> {
        self.running()?;
        init::ask(&self.socket(), &format!("stop {service}"))?;
        let gone = || match init::list(&self.socket()) {
            Ok(list) => list.iter().all(|s| s.name != service || s.pid.is_none()),
            Err(_) => false,
        };
        if wait_until(STOP_PATIENCE, gone) {
            return Ok(());
        }
        Err(SandboxError::Timeout {
            what: format!("the end of {service} on {}", self.name),
            within: STOP_PATIENCE,
        })
    }
}
