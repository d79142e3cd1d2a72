//! Running a command inside a machine.

use super::cgroup;
use super::error::{During, Result, SandboxError};
use super::node::Node;
use super::state::State;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

/// Exit codes of shells: not found, not executable, ended by a signal (plus its number).
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;
const BY_SIGNAL: i32 = 128;

/// Enters the namespaces of `machine`, runs `command` with the standard streams of this process, and
/// returns its exit code (128 + signal if it was killed). The calling process stays inside for good, and
/// must have a single thread: the kernel refuses to move others.
pub fn exec(machine: &Node, state: &State, command: &[OsString]) -> Result<i32> {
    let [program, arguments @ ..] = command else {
        return Err(SandboxError::Options("no command: give it after --".into()));
    };
    let boot = machine.running()?;
    let mut child = Command::new(program);
    child.args(arguments).envs(machine.environment(state, &boot));
    // SAFETY: between fork and exec only prctl is called, which is async-signal-safe and allocates nothing.
    unsafe {
        // Whoever kills this process means the command.
        child.pre_exec(|| Ok(set_pdeathsig(Signal::SIGKILL)?));
    }
    enter(machine, state, boot.pid)?;
    match child.status() {
        Ok(status) => Ok(status.code().unwrap_or_else(|| BY_SIGNAL + status.signal().unwrap_or(0))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            eprintln!("{}: no command {} here", machine.name(), program.display());
            Ok(NOT_FOUND)
        }
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("{}: {} cannot be executed: {e}", machine.name(), program.display());
            Ok(NOT_EXECUTABLE)
        }
        Err(source) => Err(SandboxError::Io { what: format!("run {}", program.display()), source }),
    }
}

fn enter(machine: &Node, state: &State, pid: i32) -> Result<()> {
    let what = || format!("enter {}", machine.name());
    // All are opened before the first is entered: /proc is another one afterwards.
    let kinds = [
        ("net", CloneFlags::CLONE_NEWNET),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("mnt", CloneFlags::CLONE_NEWNS),
    ];
    let open = |(name, kind)| Ok((File::open(format!("/proc/{pid}/ns/{name}")).during(what)?, kind));
    let namespaces = kinds.into_iter().map(open).collect::<Result<Vec<_>>>()?;
    let here = std::env::current_dir();
    if let Some(cgroup) = cgroup::of_machine(&state.name, machine.name()) {
        cgroup::join(&cgroup)?;
    }
    for (namespace, kind) in namespaces {
        setns(namespace, kind).during(what)?;
    }
    // Entering has put us into its root; stay where we were if that exists there.
    if let Ok(here) = here {
        let _ = std::env::set_current_dir(here);
    }
    Ok(())
}
