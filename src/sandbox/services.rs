//! Keeping the programs of a node running: started at once when they die, slower when they keep dying.

use super::init::{ServiceStatus, output_file};
use super::node::{Node, SERVICES, WEB};
use super::state::State;
use super::users::Account;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that lived this long has not failed quickly.
const LONG_LIFE: Duration = Duration::from_secs(1);
/// Delay after the second quick failure in a row; it doubles with each more.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The delay grows no further than this.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

struct Service {
    name: &'static str,
    program: PathBuf,
    /// Who it runs as; root without.
    account: Option<Account>,
    /// There while it is not to be started at boot.
    off: PathBuf,
    output: PathBuf,
    /// Running, if anything.
    pid: Option<Pid>,
    started: Option<Instant>,
    starts: u32,
    quick_failures: u32,
    /// When it is to be started; `None` while it runs or is not wanted.
    due: Option<Instant>,
    wanted: bool,
}

/// The programs of one machine.
pub(super) struct Services {
    list: Vec<Service>,
    environment: Vec<(&'static str, String)>,
}

impl Services {
    /// Nothing is started before it is wanted.
    pub(super) fn new(machine: &Node, state: &State, environment: Vec<(&'static str, String)>) -> Services {
        let service = |name: &'static str| Service {
            name,
            program: machine.safe().join("private/bin").join(name),
            account: (name == WEB).then_some(state.account),
            off: machine.boot_setting(name),
            output: machine.output_of(name),
            pid: None,
            started: None,
            starts: 0,
            quick_failures: 0,
            due: None,
            wanted: false,
        };
        let names: &[&'static str] = if machine.is_node() { &SERVICES } else { &[] };
        Services { list: names.iter().copied().map(service).collect(), environment }
    }

    fn find(&mut self, name: &str) -> Result<&mut Service, String> {
        let service = self.list.iter_mut().find(|s| s.name == name);
        service.ok_or_else(|| format!("this machine has no program {name}"))
    }

    /// Wants a program running, or ended by SIGTERM.
    pub(super) fn want(&mut self, name: &str, running: bool) -> Result<(), String> {
        let service = self.find(name)?;
        service.wanted = running;
        service.quick_failures = 0;
        match (running, service.pid) {
            (true, None) => service.due = Some(Instant::now()),
            // It may have ended just now: `reap` will see it.
            (false, Some(pid)) => drop(kill(pid, Signal::SIGTERM)),
            (false, None) => service.due = None,
            (true, Some(_)) => {}
        }
        Ok(())
    }

    /// Whether a program is started at later boots.
    pub(super) fn set_boot(&mut self, name: &str, on: bool) -> Result<(), String> {
        let off = &self.find(name)?.off;
        let done = if on { fs::remove_file(off) } else { fs::write(off, "") };
        match done {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(format!("cannot write {}: {e}", off.display())),
            _ => Ok(()),
        }
    }

    /// When the next program is to be started.
    pub(super) fn next_start(&self) -> Option<Instant> {
        self.list.iter().filter_map(|s| s.due).min()
    }

    /// Starts what is due, in the order of [`SERVICES`].
    pub(super) fn start_due(&mut self, now: Instant) {
        for service in &mut self.list {
            if service.due.is_none_or(|due| due > now) {
                continue;
            }
            service.due = None;
            service.started = Some(now);
            service.starts += 1;
            match spawn(service, &self.environment) {
                Ok(pid) => service.pid = Some(pid),
                Err(e) => {
                    eprintln!("cannot start {}: {e}", service.program.display());
                    service.ended(now);
                }
            }
        }
    }

    /// Collects every process that has ended, orphans included, and plans restarts.
    pub(super) fn reap(&mut self, now: Instant) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(status @ (WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..))) => {
                    if let Some(service) = self.list.iter_mut().find(|s| s.pid == Some(pid)) {
                        eprintln!("{} has ended: {status:?}", service.name);
                        service.pid = None;
                        service.ended(now);
                    }
                }
                // Nothing more for now, or no child at all.
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// What runs.
    pub(super) fn status(&self) -> Vec<ServiceStatus> {
        let status = |s: &Service| ServiceStatus {
            name: s.name.to_owned(),
            pid: s.pid.map(Pid::as_raw),
            starts: s.starts,
            boot: !s.off.exists(),
        };
        self.list.iter().map(status).collect()
    }
}

impl Service {
    fn ended(&mut self, now: Instant) {
        let lived = self.started.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.quick_failures = if lived >= LONG_LIFE { 0 } else { self.quick_failures + 1 };
        self.due = self.wanted.then(|| now + delay(self.quick_failures));
    }
}

/// How long to wait before a restart, after so many quick failures in a row.
fn delay(quick_failures: u32) -> Duration {
    match quick_failures {
        0 | 1 => Duration::ZERO,
        n => FIRST_DELAY.saturating_mul(1 << (n - 2).min(16)).min(LONGEST_DELAY),
    }
}

fn spawn(service: &Service, environment: &[(&'static str, String)]) -> std::io::Result<Pid> {
    let output = output_file(&service.output).map_err(std::io::Error::other)?;
    let mut command = Command::new(&service.program);
    if let Some(Account { uid, gid }) = service.account {
        command.uid(uid).gid(gid);
    }
    let child = command
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    // Not waited for through `child`: `reap` collects every process.
    Ok(Pid::from_raw(child.id().cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_immediate_then_slower_but_never_rare() {
        assert_eq!(delay(0), Duration::ZERO);
        assert_eq!(delay(1), Duration::ZERO);
        assert_eq!(delay(2), Duration::from_millis(100));
        assert_eq!(delay(4), Duration::from_millis(400));
        assert_eq!(delay(60), LONGEST_DELAY);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }
}
