//! Running the scripts of a module, one at a time (ST-90 to ST-93, MSG-L-06). Which script runs when,
//! and with what arguments, is the module automaton's business.

mod runner;

pub use runner::{
    Kill, QUEUE_LIMIT, Run, RunError, STILL_RUNNING_EVERY, ScriptEvent, ScriptEventKind, ScriptRunner,
};

use crate::guard::cgroup::AppGroup;
use crate::ids::ModuleName;
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Time between SIGTERM and SIGKILL for a script that must end.
pub const TERM_LIMIT: Duration = Duration::from_secs(1);
/// Longest wait for a script to disappear after SIGKILL; then it hangs in the kernel.
pub const KILL_LIMIT: Duration = Duration::from_secs(5);
/// How often an ending process group is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Attempts at a script whose file is still open for writing, and the pause between two.
const BUSY_TRIES: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// One run of a script.
#[derive(Clone, Debug)]
pub struct ScriptJob {
    /// Module that it belongs to.
    pub module: ModuleName,
    /// Name of the script, e.g. `start_prim`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its arguments (ST-91, ST-92).
    pub args: Vec<String>,
    /// Variables set beside those of safeadmin (ST-93).
    pub env: Vec<(String, String)>,
    /// File for its output, appended to after a header line; without it the output is dropped.
    pub userlog: Option<PathBuf>,
    /// After this long it is killed; without it the script may run for ever.
    pub timeout: Option<Duration>,
    /// Group that the script, and so the application that it starts, lives in.
    pub group: AppGroup,
}

/// How a script has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// There is no such script: all are optional (ST-90).
    Missing,
    /// Exit code.
    Exited(i32),
    /// Killed by this signal, not by us.
    Signaled(i32),
    /// Killed at its timeout.
    TimedOut,
    /// Killed, or taken from the queue, on request.
    Cancelled,
    /// It could not be started; the text says why.
    Failed(String),
}

/// A script that was started. Dropping it leaves the script running.
#[derive(Debug)]
pub struct RunningScript {
    child: tokio::process::Child,
    /// Process, process group and session in one: the script leads all of them.
    pid: Pid,
    end: Option<Instant>,
}

/// Asks for the end of a script; dropping it asks for nothing.
#[derive(Debug)]
pub struct Canceller(oneshot::Sender<()>);

/// The script's side of a [`Canceller`].
#[derive(Debug)]
pub struct Cancelled(oneshot::Receiver<()>);

impl Canceller {
    /// A canceller and what it reaches.
    pub fn new() -> (Canceller, Cancelled) {
        let (sender, receiver) = oneshot::channel();
        (Canceller(sender), Cancelled(receiver))
    }

    /// Kills the script's process group as a timeout does (forcestop).
    pub fn cancel(self) {
        // A script that has just ended does not listen any more, which is as good.
        let _ = self.0.send(());
    }
}

impl Cancelled {
    async fn requested(self) {
        if self.0.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl ScriptJob {
    /// Starts the script; to be called inside a tokio runtime. Its output goes straight to the file,
    /// so that the end of safeadmin does not disturb it. Errors are the end of the script.
    pub fn start(&self) -> Result<RunningScript, ScriptEnd> {
        self.check_executable()?;
        let failed = |e: &dyn std::fmt::Display| ScriptEnd::Failed(e.to_string());
        let log = self.open_log().map_err(|e| failed(&format_args!("cannot write the script's log: {e}")))?;
        let mut command = Command::new(&self.path);
        command.args(&self.args).envs(self.env.iter().map(|(k, v)| (k, v))).current_dir("/");
        command.stdin(Stdio::null());
        match log {
            Some((out, err)) => command.stdout(out).stderr(err),
            None => command.stdout(Stdio::null()).stderr(Stdio::null()),
        };
        self.group.enter(&mut command).map_err(|e| failed(&e))?;
        // SAFETY: setsid is async-signal-safe and touches no memory of ours.
        unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(io::Error::from)) };
        let mut command = tokio::process::Command::from(command);
        let child = spawn(command.kill_on_drop(false)).map_err(|e| self.start_error(&e))?;
        let pid = child.id().map(|pid| Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| failed(&"the script ended while it was started"))?;
        Ok(RunningScript { child, pid, end: self.timeout.map(|t| Instant::now() + t) })
    }

    fn check_executable(&self) -> Result<(), ScriptEnd> {
        let shown = self.path.display();
        match self.path.metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(ScriptEnd::Missing),
            Err(e) => Err(ScriptEnd::Failed(format!("cannot look at {shown}: {e}"))),
            Ok(data) if !data.is_file() => Err(ScriptEnd::Failed(format!("{shown} is not a file"))),
            Ok(data) if data.permissions().mode() & 0o111 == 0 => {
                Err(ScriptEnd::Failed(format!("{shown} is not executable: chmod +x it")))
            }
            Ok(_) => Ok(()),
        }
    }

    fn start_error(&self, error: &io::Error) -> ScriptEnd {
        let hint = match error.raw_os_error() {
            Some(libc::ENOEXEC) => "; its first line must name an interpreter (#!/bin/sh)",
            Some(libc::ENOENT) => "; does the interpreter of its first line exist?",
            _ => "",
        };
        ScriptEnd::Failed(format!(
            "cannot start {} for module {}: {error}{hint}",
            self.path.display(),
            self.module
        ))
    }

    /// The log with its header line, twice: for the two outputs.
    fn open_log(&self) -> io::Result<Option<(File, File)>> {
        let Some(path) = &self.userlog else { return Ok(None) };
        let mut file = append(path)?;
        let date = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S");
        file.write_all(format!("----- {date} {}\n", self.name).as_bytes())?;
        Ok(Some((file.try_clone()?, file)))
    }
}

/// Starts it in spite of "text file busy": a script that was just written is so for as long as any
/// child forked meanwhile, by another thread, has not yet reached its own exec.
fn spawn(command: &mut tokio::process::Command) -> io::Result<tokio::process::Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => std::thread::sleep(BUSY_PAUSE),
            other => return other,
        }
    }
    command.spawn()
}

fn append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

impl RunningScript {
    /// Process id of the script.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for the end. At the timeout or on request the script's process group gets SIGTERM, and
    /// SIGKILL [`TERM_LIMIT`] later; what left that group, as daemons do, stays.
    pub async fn ended(mut self, cancelled: Cancelled) -> ScriptEnd {
        let end = self.end;
        let timed_out = async move {
            match end {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        let killed_as = tokio::select! {
            // A script that is at its end is not called killed.
            biased;
            status = self.child.wait() => return told(status),
            () = cancelled.requested() => ScriptEnd::Cancelled,
            () = timed_out => ScriptEnd::TimedOut,
        };
        self.kill_group().await;
        killed_as
    }

    async fn kill_group(&mut self) {
        let limit = Instant::now() + TERM_LIMIT;
        self.signal(Signal::SIGTERM);
        let _ = timeout_at(limit, self.child.wait()).await;
        while self.group_alive() && Instant::now() < limit {
            sleep(LOOK_AGAIN).await;
        }
        self.signal(Signal::SIGKILL);
        if timeout(KILL_LIMIT, self.child.wait()).await.is_err() {
            tracing::error!(pid = self.pid(), "script does not end after SIGKILL: it hangs in the kernel");
        }
    }

    fn group_alive(&self) -> bool {
        killpg(self.pid, None) != Err(Errno::ESRCH)
    }

    /// A process group that is empty already is no error.
    fn signal(&self, signal: Signal) {
        match killpg(self.pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => tracing::warn!(pid = self.pid(), %signal, %errno, "cannot signal a script"),
        }
    }
}

fn told(status: io::Result<ExitStatus>) -> ScriptEnd {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => ScriptEnd::Exited(code),
            (None, Some(signal)) => ScriptEnd::Signaled(signal),
            (None, None) => ScriptEnd::Failed(format!("unknown end of the script: {status}")),
        },
        Err(e) => ScriptEnd::Failed(format!("cannot wait for the script: {e}")),
    }
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
