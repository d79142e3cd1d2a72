//! The first process of a machine. It is made in two steps: [`boot`] makes the namespaces and starts
//! [`run`] in them, which is process 1 there: it keeps the node's programs running, collects orphans, and
//! takes the whole machine with it when it is killed.

use super::error::{During, Result, SandboxError};
use super::node::Node;
use super::services::Services;
use super::state::{self, Boot, State};
use super::{Sandbox, cgroup, disk, random_id, root};
use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep_until, timeout};

/// Hidden subcommand: makes the namespaces of a machine.
pub const BOOT: &str = "__boot";
/// Hidden subcommand: is the first process in them.
pub const INIT: &str = "__init";

const READY: &str = "ready";

/// A request or an answer over the control socket is one short line, soon.
const CONTROL_PATIENCE: Duration = Duration::from_secs(2);
const LONGEST_LINE: u64 = 4096;

/// A program that a machine keeps running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Its pid as the machine's own processes see it; `None` while it does not run.
    pub pid: Option<i32>,
    /// How often it was started in this boot.
    pub starts: u32,
    /// Whether it is started at boot.
    pub boot: bool,
}

/// First step: in new namespaces, starts process 1 and waits until it has its root. Ends at once, so
/// that process 1 belongs to nobody; what it is told to remember is in `boot.json`.
pub fn boot(sandbox: &Path, machine: &str) -> Result<()> {
    let (sandbox, state) = Sandbox::at(sandbox)?;
    let machine = sandbox.machine_or_switch(&state, machine)?;
    if machine.has_disk(&state) {
        disk::start(&machine)?;
    }
    if let Some(cgroup) = cgroup::of_machine(&state.name, machine.name()) {
        cgroup::join(&cgroup)?;
    }
    // Out of the caller's terminal: its interrupt key is not for the machine.
    nix::unistd::setsid().during(|| "start a session".into())?;
    // Process 1 takes its own mount namespace: a change of root moves everybody in it, also us.
    let own = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID;
    unshare(own).during(|| "make namespaces".into())?;
    let program = std::env::current_exe().during(|| "find the program safekit".into())?;
    let mut command = Command::new(program);
    command.args(["sandbox", INIT]).arg(&machine.sandbox).arg(machine.name());
    command.env("SAFEKIT_BOOT_ID", random_id()?).stdout(Stdio::piped());
    let mut child = command.spawn().during(|| "start the first process".into())?;
    let pid = child.id().cast_signed();
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        // Its end closes the pipe, so this cannot last; its own steps are bounded by the caller.
        BufReader::new(out.take(LONGEST_LINE))
            .read_line(&mut said)
            .during(|| "hear from process 1".into())?;
    }
    let mut words = said.split_whitespace();
    match (words.next(), words.next(), state::start_time(pid)) {
        (Some(READY), Some(id), Some(started)) => {
            state::write(&machine.dir().join("boot.json"), &Boot { pid, started, id: id.into() })
        }
        _ => Err(SandboxError::Boot {
            machine: machine.name.clone(),
            reason: "its first process ended".into(),
        }),
    }
}

/// Second step: process 1 of the machine. Returns only on an error.
pub fn run(sandbox: &Path, machine: &str) -> Result<()> {
    let (sandbox, state) = Sandbox::at(sandbox)?;
    let machine = sandbox.machine_or_switch(&state, machine)?;
    nix::unistd::sethostname(machine.name()).during(|| "set the host name".into())?;
    let new_root = machine.dir().join("root");
    fs::create_dir_all(&new_root).during(|| format!("make {}", new_root.display()))?;
    unshare(CloneFlags::CLONE_NEWNS).during(|| "make a mount namespace".into())?;
    root::isolate()?;
    if machine.has_disk(&state) {
        disk::show(&machine)?;
    }
    root::enter(&new_root, &machine.own(&state))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .during(|| "start the runtime of process 1".into())?;
    runtime.block_on(serve(&machine, &state))
}

async fn serve(machine: &Node, state: &State) -> Result<()> {
    let mut children = signal(SignalKind::child()).during(|| "watch for the end of processes".into())?;
    let socket = machine.socket();
    let what = || format!("listen on {}", socket.display());
    // Left by a life that ended by SIGKILL.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).during(what)?;
    let id = std::env::var("SAFEKIT_BOOT_ID").map_err(std::io::Error::other);
    let id = id.during(|| "find SAFEKIT_BOOT_ID in the environment".into())?;
    println!("{READY} {id}");
    let boot = Boot { pid: 1, started: 0, id };
    let mut services = Services::new(machine, state, machine.environment(state, &boot));
    loop {
        services.start_due(Instant::now());
        let wake = services.next_start();
        tokio::select! {
            _ = children.recv() => services.reap(Instant::now()),
            caller = listener.accept() => if let Ok((stream, _)) = caller {
                // One caller at a time, and none for long.
                let _ = timeout(CONTROL_PATIENCE, answer(stream, &mut services)).await;
            },
            () = sleep_until(wake.unwrap_or_else(far_away).into()), if wake.is_some() => {}
        }
    }
}

/// A moment that only fills a disabled branch.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

async fn answer(stream: tokio::net::UnixStream, services: &mut Services) -> std::io::Result<()> {
    let mut stream = tokio::io::BufReader::new(stream.take(LONGEST_LINE));
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let reply = match line.trim().split_once(' ') {
        Some(("start", name)) => services.want(name, true),
        Some(("stop", name)) => services.want(name, false),
        Some(("enable", name)) => services.set_boot(name, true),
        Some(("disable", name)) => services.set_boot(name, false),
        None if line.trim() == "list" => Ok(()),
        _ => Err(format!("unknown request \"{}\"", line.trim())),
    };
    let text = serde_json::to_string(&reply.map(|()| services.status()))?;
    stream.into_inner().into_inner().write_all(text.as_bytes()).await
}

/// Asks process 1 of a machine for something; its answer is the list of its programs.
pub(super) fn ask(socket: &Path, request: &str) -> Result<Vec<ServiceStatus>> {
    let what = || format!("talk to {}", socket.display());
    let mut stream = UnixStream::connect(socket).during(what)?;
    stream.set_read_timeout(Some(CONTROL_PATIENCE * 2)).during(what)?;
    stream.set_write_timeout(Some(CONTROL_PATIENCE)).during(what)?;
    writeln!(stream, "{request}").during(what)?;
    let mut text = String::new();
    stream.take(LONGEST_LINE).read_to_string(&mut text).during(what)?;
    let reply: std::result::Result<Vec<ServiceStatus>, String> = serde_json::from_str(&text).during(what)?;
    reply.map_err(SandboxError::Options)
}

/// The programs of a machine.
pub(super) fn list(socket: &Path) -> Result<Vec<ServiceStatus>> {
    ask(socket, "list")
}

/// Where the output of a program goes.
pub(super) fn output_file(path: &Path) -> Result<File> {
    File::options().create(true).append(true).open(path).during(|| format!("write {}", path.display()))
}

/// Whether `argv` is that of the first process, or of its maker, of a machine of the sandbox in `dir`.
pub(super) fn is_first_process(argv: &[&str], dir: &Path) -> bool {
    matches!(argv, [_, "sandbox", BOOT | INIT, of, _] if Path::new(of) == dir)
}
