//! A cgroup for each node, where the machine has cgroup version 2: a power off kills it as a whole.

use super::bounded::wait_until;
use super::error::{During, Result, SandboxError};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where cgroup version 2 is mounted, if it is.
fn mount_point() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mut fields = mounts.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.find(|f| f.get(2) == Some(&"cgroup2")).and_then(|f| f.get(1).map(PathBuf::from))
}

/// The cgroup of a whole sandbox.
pub(super) fn of_sandbox(name: &str) -> Option<PathBuf> {
    Some(mount_point()?.join(format!("safekit-sandbox-{name}")))
}

/// The cgroup of one machine.
pub(super) fn of_machine(sandbox: &str, machine: &str) -> Option<PathBuf> {
    Some(of_sandbox(sandbox)?.join(machine))
}

/// Moves the calling process, and so what it starts later, into `cgroup`.
pub(super) fn join(cgroup: &Path) -> Result<()> {
    let what = || format!("enter the cgroup {}", cgroup.display());
    fs::create_dir_all(cgroup).during(what)?;
    fs::write(cgroup.join("cgroup.procs"), "0").during(what)
}

/// Sends SIGKILL to every process in it and below it.
pub(super) fn kill(cgroup: &Path) -> Result<()> {
    match fs::write(cgroup.join("cgroup.kill"), "1") {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.during(|| format!("kill the cgroup {}", cgroup.display())),
    }
}

/// Removes it and all below it, once its processes are gone.
pub(super) fn remove(cgroup: &Path) -> Result<()> {
    let mut last = None;
    let done = wait_until(Duration::from_secs(5), || {
        last = remove_now(cgroup).err();
        last.is_none()
    });
    match last {
        Some(source) if !done => {
            Err(SandboxError::Io { what: format!("remove the cgroup {}", cgroup.display()), source })
        }
        _ => Ok(()),
    }
}

fn remove_now(cgroup: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(cgroup) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_now(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}
