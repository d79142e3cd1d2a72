//! The web consoles of the nodes on this machine: one port of its loopback address for each node. A process
//! of the sandbox's own listens there, and connects to the web service inside the node's network.

use super::bounded::wait_until;
use super::error::{During, Result, SandboxError};
use super::node::{Node, WEB};
use super::state::{self, State};
use super::{Sandbox, cgroup};
use crate::config::paths::Paths;
use crate::node::webserver;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Hidden subcommand: is that process.
pub const CONSOLE: &str = "__console";

/// Connections at the same time, of all nodes together; one more is closed at once.
const CONNECTIONS: usize = 512;
/// Time for a connection inside a node: its loopback answers at once, or not at all.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause after a failed accept, e.g. without descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time in which the process listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// The console of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Console {
    /// The node.
    pub node: String,
    /// Where a browser on this machine finds it.
    pub url: String,
}

/// The process that listens: `console.json` in the sandbox's directory.
#[derive(Debug, Serialize, Deserialize)]
struct Listening {
    pid: i32,
    /// Start time in clock ticks: with the pid it names one process for ever.
    started: u64,
    /// Ports of the nodes, in their order.
    ports: Vec<u16>,
}

/// Whether the nodes have a web service at all.
pub(super) fn wanted(state: &State) -> bool {
    has_web(state.daemons, &state.programs)
}

/// The same, of a sandbox that is not there yet.
pub(super) fn has_web(daemons: bool, programs: &Path) -> bool {
    daemons && programs.join(WEB).is_file()
}

/// Starts the process, without waiting for it.
pub(super) fn launch(sandbox: &Sandbox, state: &State) -> Result<()> {
    let said = sandbox.dir.join("console.out");
    let log = File::options().create(true).append(true).open(&said);
    let log = log.during(|| format!("write {}", said.display()))?;
    let mut command = Command::new(state.programs.join("safekit"));
    command.args(["sandbox", CONSOLE]).arg(&sandbox.dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).current_dir("/");
    command.spawn().during(|| "start the process of the consoles".into()).map(drop)
}

/// Waits until it listens.
pub(super) fn wait(sandbox: &Sandbox) -> Result<()> {
    if wait_until(PATIENCE, || matches!(listening(sandbox), Ok(Some(_)))) {
        return Ok(());
    }
    Err(SandboxError::Timeout { what: "the process of the consoles".into(), within: PATIENCE })
}

/// The consoles that can be reached; none while the process does not run.
pub(super) fn list(sandbox: &Sandbox, state: &State) -> Result<Vec<Console>> {
    let Some(listening) = listening(sandbox)? else { return Ok(Vec::new()) };
    let console = |(node, port): (Node, u16)| Console {
        node: node.name.clone(),
        url: format!(
            "{}://127.0.0.1:{port}/",
            if paths(&node).https_switch().exists() { "https" } else { "http" }
        ),
    };
    Ok(nodes(sandbox, state).zip(listening.ports).map(console).collect())
}

fn listening(sandbox: &Sandbox) -> Result<Option<Listening>> {
    let known = state::read::<Listening>(&sandbox.dir.join("console.json"))?;
    Ok(known.filter(|l| state::start_time(l.pid) == Some(l.started)))
}

fn nodes(sandbox: &Sandbox, state: &State) -> impl Iterator<Item = Node> {
    sandbox.machines(state).into_iter().filter(Node::is_node)
}

fn paths(node: &Node) -> Paths {
    Paths::new(node.safe(), node.safevar())
}

/// The process: listens until it is killed. Returns only on an error.
pub fn run(sandbox: &Path) -> Result<()> {
    let (sandbox, state) = Sandbox::at(sandbox)?;
    if let Some(cgroup) = cgroup::of_machine(&state.name, "console") {
        cgroup::join(&cgroup)?;
    }
    // Out of the caller's terminal: its interrupt key is not for the sandbox.
    nix::unistd::setsid().during(|| "start a session".into())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .during(|| "start the runtime of the consoles".into())?;
    runtime.block_on(serve(&sandbox, &state))
}

async fn serve(sandbox: &Sandbox, state: &State) -> Result<()> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let (mut ports, mut tasks) = (Vec::new(), Vec::new());
    for node in nodes(sandbox, state) {
        let what = || format!("listen for the console of {}", node.name);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.during(what)?;
        ports.push(listener.local_addr().during(what)?.port());
        tasks.push(tokio::spawn(accept(listener, node, slots.clone())));
    }
    let pid = std::process::id().cast_signed();
    let started = state::start_time(pid).unwrap_or_default();
    state::write(&sandbox.dir.join("console.json"), &Listening { pid, started, ports })?;
    for task in tasks {
        task.await.map_err(std::io::Error::other).during(|| "listen for the consoles".into())?;
    }
    Ok(())
}

async fn accept(listener: TcpListener, node: Node, slots: Arc<Semaphore>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if let Ok(slot) = slots.clone().try_acquire_owned() {
            tokio::spawn(forward(stream, node.clone(), slot));
        }
    }
}

/// One connection, up to its end. A node that is off, or has no web service now, ends it at once.
async fn forward(mut outside: TcpStream, node: Node, slot: OwnedSemaphorePermit) {
    let inside = spawn_blocking(move || node.in_network(|| connect(&node))).await;
    if let Ok(Ok(Ok(inside))) = inside
        && let Ok(mut inside) = TcpStream::from_std(inside)
    {
        // Either side may break off at any time.
        let _ = copy_bidirectional(&mut outside, &mut inside).await;
    }
    drop(slot);
}

/// Connects to the web service from a thread that is in the node's network.
fn connect(node: &Node) -> std::io::Result<std::net::TcpStream> {
    let port = webserver::port(&paths(node)).map_err(std::io::Error::other)?;
    let stream =
        std::net::TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), CONNECT)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Whether `argv` is that of the process of the sandbox in `dir`.
pub(super) fn is_process(argv: &[&str], dir: &Path) -> bool {
    matches!(argv, [_, "sandbox", CONSOLE, of] if Path::new(of) == dir)
}
