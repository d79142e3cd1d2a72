//! The CA service `safecaserv`: signs the requests of the other nodes while HTTPS is set up (WEB-53).
//!
//! It is a process of its own, started by `startcaserv` and ended by `stopcaserv`, and runs as root: the
//! key of the authority is root's alone, so that the web service can never reach it. It keeps running
//! until it is stopped, and says every hour that it still does.

mod door;
mod serve;

pub use serve::run;

use super::files::Tree;
use super::{CA_PORT, PkiError, authority, certificate};
use crate::config::paths::Paths;
use crate::config::ports::Port;
use crate::node::firewall::{self, Change, FirewallError, System};
use crate::web::settings;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Name of the process: this program under another name.
pub const NAME: &str = "safecaserv";
/// Word of a service that listens.
const READY: &str = "ready";
/// Time the service has to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(20);

/// What the service is told on its standard input: a password never stands on a command line that others
/// can read.
#[derive(Serialize, Deserialize)]
struct Setup {
    password: String,
    port: u16,
}

/// Who serves, in the file that it keeps locked.
#[derive(Serialize, Deserialize)]
struct Running {
    pid: i32,
    /// Seconds since 1970.
    since: i64,
    /// Its port, which is to be closed when it ends: that of its settings may be another by then.
    port: u16,
}

impl Running {
    fn up(&self) -> Duration {
        Duration::from_secs((certificate::now() - self.since).max(0).unsigned_abs())
    }
}

fn lock_file(paths: &Paths) -> PathBuf {
    paths.run().join("safecaserv.lock")
}

/// What the service says about itself and whom it has signed for.
pub fn log_file(paths: &Paths) -> PathBuf {
    paths.safevar.join("safecaserv.log")
}

/// The lock of the service, or who has it.
fn lock(paths: &Paths) -> io::Result<Result<Flock<File>, Running>> {
    std::fs::create_dir_all(paths.run())?;
    let path = lock_file(paths);
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Ok(lock)),
        Err((_, nix::Error::EWOULDBLOCK)) => {
            let text = std::fs::read_to_string(&path)?;
            let unknown = || Running { pid: 0, since: certificate::now(), port: CA_PORT };
            Ok(Err(serde_json::from_str(&text).unwrap_or_else(|_| unknown())))
        }
        Err((_, e)) => Err(e.into()),
    }
}

/// `startcaserv` (CLI-136): returns what to say once the service listens.
pub fn start(paths: &Paths, password: &str) -> Result<Vec<String>, PkiError> {
    let failed = |what: String| PkiError::Start(what);
    // The directories of its files are made by whoever starts it.
    let tree = Tree::open(paths)?;
    let port = settings::ca_port(&paths.caserv_conf())?;
    match lock(paths).map_err(|e| failed(format!("{}: {e}", lock_file(paths).display())))? {
        Err(running) => return Err(PkiError::Running(running.up())),
        Ok(lock) => drop(lock),
    }
    let mut child = spawn(paths).map_err(|e| failed(e.to_string()))?;
    if let Err(what) = told_and_ready(&mut child, Setup { password: password.to_owned(), port }) {
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
        return Err(failed(format!("{what}; see {}", log_file(paths).display())));
    }
    let mut lines = vec![format!(
        "safecaserv listens on TCP port {port}: stop it with stopcaserv when all certificates are made"
    )];
    lines.push(match certificate::load(&tree.certificate(authority::NAME)) {
        Ok(chain) => format!("SHA-256 fingerprint of the CA: {}", chain[0].fingerprint()),
        Err(_) => "there is no certification authority yet: run initssl sca".to_owned(),
    });
    lines.push(change_firewall(Change::Add, port)?);
    Ok(lines)
}

fn spawn(paths: &Paths) -> io::Result<Child> {
    let log = OpenOptions::new().append(true).create(true).mode(0o640).open(log_file(paths))?;
    Command::new(std::env::current_exe()?)
        .arg0(NAME)
        .env("SAFE", &paths.safe)
        .env("SAFEVAR", &paths.safevar)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
}

/// Tells the service its password and waits for its word.
fn told_and_ready(child: &mut Child, setup: Setup) -> Result<(), String> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("it has no pipes".into());
    };
    let setup = serde_json::to_string(&setup).map_err(|e| e.to_string())?;
    stdin.write_all(setup.as_bytes()).map_err(|e| e.to_string())?;
    drop(stdin);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        // Whoever waited too long has gone.
        let _ = sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(line)) if line.trim() == READY => Ok(()),
        Ok(Ok(line)) if line.trim().is_empty() => Err("it has ended".into()),
        Ok(Ok(line)) => Err(line.trim().to_owned()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err(format!("it does not listen after {} s", PATIENCE.as_secs())),
    }
}

/// `stopcaserv` (CLI-137).
pub fn stop(paths: &Paths) -> Result<Vec<String>, PkiError> {
    let trouble = |e: io::Error| PkiError::Stop(format!("{}: {e}", lock_file(paths).display()));
    let (line, port) = match lock(paths).map_err(trouble)? {
        Ok(_) => ("safecaserv does not run".to_owned(), settings::ca_port(&paths.caserv_conf())?),
        Err(running) => {
            end(paths, &running).map_err(trouble)?;
            let line = format!("safecaserv has ended; it had been up for {}", super::up(&running.up()));
            (line, running.port)
        }
    };
    Ok(vec![line, change_firewall(Change::Delete, port)?])
}

fn end(paths: &Paths, running: &Running) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    if running.pid > 0 {
        // It may have ended just now: the lock tells.
        let _ = kill(Pid::from_raw(running.pid), Signal::SIGTERM);
    }
    while lock(paths)?.is_err() {
        if Instant::now() > deadline {
            return Err(io::Error::other(format!("process {} does not end", running.pid)));
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Opens or closes the port of the service. A node without firewall has nothing to open.
fn change_firewall(change: Change, port: u16) -> Result<String, PkiError> {
    let opened = Port { process: NAME, name: "port", proto: "TCP", number: port };
    let done = if change == Change::Add { "open" } else { "closed" };
    match firewall::apply(&mut System, change, &[opened]) {
        Ok(_) => Ok(format!("TCP port {port} is {done} in the firewall of this node")),
        Err(e @ FirewallError::None) => Ok(format!("TCP port {port}: {e}")),
        Err(source) => Err(PkiError::Firewall { port, source }),
    }
}
