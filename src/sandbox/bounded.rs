//! Doing things at once and for a bounded time.

use super::error::{During, Result, SandboxError};
use super::node::Node;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// Does the same for several machines at once; all have ended when it returns.
pub(super) fn in_parallel(machines: Vec<&Node>, task: impl Fn(&Node) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let task = &task;
        let threads: Vec<_> = machines.into_iter().map(|m| scope.spawn(move || task(m))).collect();
        let join =
            |t: thread::ScopedJoinHandle<'_, _>| t.join().unwrap_or_else(|p| std::panic::resume_unwind(p));
        // All have ended before the first error is returned.
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect()
    })
}

/// Looks for `done` every few milliseconds until it holds or the time is over.
pub(super) fn wait_until(within: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + within;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a command to its end, and kills it when the time is over.
pub(super) fn run_bounded(command: &mut Command, within: Duration, what: &str) -> Result<ExitStatus> {
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and allocates nothing.
    unsafe {
        // What goes on after this process was killed would fill a sandbox that is being taken down.
        command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?));
    }
    let mut child = command.spawn().during(|| format!("run {}", command.get_program().display()))?;
    wait_bounded(&mut child, within, what)
}

/// Waits for the end of a process, and kills it when the time is over.
pub(super) fn wait_bounded(child: &mut Child, within: Duration, what: &str) -> Result<ExitStatus> {
    let mut result = None;
    wait_until(within, || {
        result = child.try_wait().transpose();
        result.is_some()
    });
    match result {
        Some(status) => status.during(|| format!("wait for {what}")),
        None => {
            // Both fail only if it has just ended.
            let _ = child.kill();
            let _ = child.wait();
            Err(SandboxError::Timeout { what: what.to_owned(), within })
        }
    }
}
