//! The services of this node and their start at boot: systemd on a real system, the supervisor of a node in
//! a sandbox. Blocking.

use super::script;
use crate::told::Tell;
use serde::Deserialize;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Variable with the socket of the supervisor, set in a sandbox.
pub const SUPERVISOR_VARIABLE: &str = "SAFEKIT_SUPERVISOR";

/// Time of a start or stop. systemd kills what does not end within 90 s.
const TIMEOUT: Duration = Duration::from_secs(120);
/// The supervisor answers at once.
const SOCKET_TIMEOUT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Longest answer of the supervisor.
const LONGEST: u64 = 4096;

/// Who starts and stops the services of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manager {
    /// systemd, by its program `systemctl`.
    Systemd(PathBuf),
    /// The supervisor of a node in a sandbox, by its socket.
    Supervisor(PathBuf),
}

/// Why a service was not started, stopped or set.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// systemd refused, or is not there.
    #[error("\"systemctl {command}\" failed: {reason}")]
    Systemctl {
        /// Its arguments.
        command: String,
        /// Its error output, or why it was not started.
        reason: String,
    },
    /// The supervisor was not reached.
    #[error("cannot ask the supervisor of this node at {}: {source}", socket.display())]
    Supervisor {
        /// Its socket.
        socket: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The supervisor refused.
    #[error("{0}")]
    Refused(String),
    /// It goes on running.
    #[error("{service} has not ended within {} s", TIMEOUT.as_secs())]
    Runs {
        /// The service.
        service: String,
    },
}

impl Tell for ServiceError {
    fn french(&self) -> String {
        match self {
            ServiceError::Systemctl { command, reason } => {
                format!("échec de \"systemctl {command}\" : {reason}")
            }
            ServiceError::Supervisor { socket, source } => {
                format!("impossible d'interroger le superviseur de ce nœud à {} : {source}", socket.display())
            }
            // The supervisor of a sandbox knows English only.
            ServiceError::Refused(_) => self.to_string(),
            ServiceError::Runs { service } => {
                format!("{service} ne s'est pas terminé en {} s", TIMEOUT.as_secs())
            }
        }
    }
}

/// A program as the supervisor shows it.
#[derive(Deserialize)]
struct Shown {
    name: String,
    pid: Option<i32>,
    boot: bool,
}

impl Manager {
    /// The one of this process.
    pub fn from_env() -> Manager {
        match std::env::var_os(SUPERVISOR_VARIABLE).filter(|socket| !socket.is_empty()) {
            Some(socket) => Manager::Supervisor(socket.into()),
            None => Manager::Systemd("systemctl".into()),
        }
    }

    /// Starts a service that does not run.
    ///
    /// # Errors
    /// Every [`ServiceError`] but `Runs`; that it has answered is another matter.
    pub fn start(&self, service: &str) -> Result<(), ServiceError> {
        match self {
            Manager::Systemd(program) => systemctl(program, &["start", &unit(service)]),
            Manager::Supervisor(socket) => ask(socket, &format!("start {service}")).map(drop),
        }
    }

    /// Ends a service; returns when it has ended.
    ///
    /// # Errors
    /// Every [`ServiceError`].
    pub fn stop(&self, service: &str) -> Result<(), ServiceError> {
        match self {
            Manager::Systemd(program) => systemctl(program, &["stop", &unit(service)]),
            Manager::Supervisor(socket) => {
                let end = Instant::now() + TIMEOUT;
                ask(socket, &format!("stop {service}"))?;
                while self.runs(service)? {
                    if Instant::now() >= end {
                        return Err(ServiceError::Runs { service: service.to_owned() });
                    }
                    std::thread::sleep(LOOK_AGAIN);
                }
                Ok(())
            }
        }
    }

    /// Whether a service runs.
    ///
    /// # Errors
    /// The supervisor cannot be asked; systemd that cannot be asked runs nothing.
    pub fn runs(&self, service: &str) -> Result<bool, ServiceError> {
        match self {
            Manager::Systemd(program) => {
                Ok(systemctl(program, &["is-active", "--quiet", &unit(service)]).is_ok())
            }
            Manager::Supervisor(socket) => Ok(shown(socket, service)?.pid.is_some()),
        }
    }

    /// Whether a service is started at boot.
    ///
    /// # Errors
    /// As [`Manager::runs`].
    pub fn at_boot(&self, service: &str) -> Result<bool, ServiceError> {
        match self {
            Manager::Systemd(program) => {
                Ok(systemctl(program, &["is-enabled", "--quiet", &unit(service)]).is_ok())
            }
            Manager::Supervisor(socket) => Ok(shown(socket, service)?.boot),
        }
    }

    /// Has a service started at boot, or not; it goes on as it is now.
    ///
    /// # Errors
    /// Every [`ServiceError`] but `Runs`.
    pub fn set_boot(&self, service: &str, on: bool) -> Result<(), ServiceError> {
        let word = if on { "enable" } else { "disable" };
        match self {
            Manager::Systemd(program) => systemctl(program, &[word, &unit(service)]),
            Manager::Supervisor(socket) => ask(socket, &format!("{word} {service}")).map(drop),
        }
    }
}

fn unit(service: &str) -> String {
    format!("{service}.service")
}

fn systemctl(program: &Path, args: &[&str]) -> Result<(), ServiceError> {
    let mut command = Command::new(program);
    let done = script::output(command.args(args), TIMEOUT);
    done.map(drop).map_err(|reason| ServiceError::Systemctl { command: args.join(" "), reason })
}

fn shown(socket: &Path, service: &str) -> Result<Shown, ServiceError> {
    let unknown = || ServiceError::Refused(format!("the supervisor of this node does not know {service}"));
    ask(socket, "list")?.into_iter().find(|s| s.name == service).ok_or_else(unknown)
}

fn ask(socket: &Path, request: &str) -> Result<Vec<Shown>, ServiceError> {
    let answer = exchange(socket, request)
        .map_err(|source| ServiceError::Supervisor { socket: socket.to_owned(), source })?;
    answer.map_err(ServiceError::Refused)
}

fn exchange(socket: &Path, request: &str) -> io::Result<Result<Vec<Shown>, String>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SOCKET_TIMEOUT))?;
    stream.set_write_timeout(Some(SOCKET_TIMEOUT))?;
    writeln!(stream, "{request}")?;
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// A systemctl that writes its arguments down, and refuses what its file `refused` names.
    #[test]
    fn systemd_is_asked_by_systemctl() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("systemctl");
        let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho \"$*\" >>calls\n\
                      if [ \"$1\" = \"$(cat refused)\" ]; then echo 'no such unit' >&2; exit 5; fi\n";
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let refuse = |word: &str| fs::write(dir.path().join("refused"), word).unwrap();
        let manager = Manager::Systemd(program);
        refuse("none");
        manager.start("web").unwrap();
        manager.stop("web").unwrap();
        manager.set_boot("web", true).unwrap();
        manager.set_boot("web", false).unwrap();
        assert!(manager.runs("web").unwrap() && manager.at_boot("web").unwrap());
        refuse("is-active");
        assert!(!manager.runs("web").unwrap());
        refuse("is-enabled");
        assert!(!manager.at_boot("web").unwrap());
        refuse("start");
        let error = manager.start("web").unwrap_err().to_string();
        assert_eq!(error, "\"systemctl start web.service\" failed: exit status: 5: no such unit");
        let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
        let wanted = [
            "start web.service",
            "stop web.service",
            "enable web.service",
            "disable web.service",
            "is-active --quiet web.service",
            "is-enabled --quiet web.service",
        ];
        assert_eq!(calls.lines().take(6).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn without_a_supervisor_it_says_where_it_was_looked_for() {
        let error = Manager::Supervisor("/none/init.sock".into()).start("web").unwrap_err().to_string();
        assert!(error.starts_with("cannot ask the supervisor of this node at /none/init.sock: "), "{error}");
    }
}
