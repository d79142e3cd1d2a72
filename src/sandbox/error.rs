//! What can go wrong with a sandbox, in an operator's words.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a sandbox, or one of its machines, did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file, process or system call failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was being done, and to what.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// Namespaces and bridges need root.
    #[error("a sandbox is made of namespaces: run this command as root")]
    NotRoot,
    /// The options of `up` cannot be satisfied.
    #[error("{0}")]
    Options(String),
    /// A sandbox of this name is there already.
    #[error("sandbox {name} is up already: take it down with \"safekit sandbox down --name {name}\"")]
    Exists {
        /// Its name.
        name: String,
    },
    /// No such sandbox.
    #[error("no sandbox {name} in {dir}: bring it up with \"safekit sandbox up --name {name}\"")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where sandboxes were looked for.
        dir: PathBuf,
    },
    /// No such machine or LAN in this sandbox.
    #[error("no {what} \"{name}\" in this sandbox: it has {known}")]
    NoSuch {
        /// `machine`, `lan` or `console`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The machine is powered off.
    #[error("{machine} is powered off: \"safekit sandbox poweron {machine}\" boots it")]
    PoweredOff {
        /// Its name.
        machine: String,
    },
    /// The machine is powered on.
    #[error("{machine} is powered on already")]
    PoweredOn {
        /// Its name.
        machine: String,
    },
    /// A machine could not be booted; what it said.
    #[error("{machine} does not boot: {reason}")]
    Boot {
        /// Its name.
        machine: String,
        /// What its first process said.
        reason: String,
    },
    /// A tool of the system is missing.
    #[error(
        "the command \"{tool}\" is missing: install the package {package} (apt-get or dnf install {package})"
    )]
    Missing {
        /// The command.
        tool: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// A tool of the system failed.
    #[error("{command} failed on {machine}: {reason}")]
    Tool {
        /// The command.
        command: String,
        /// Where it ran.
        machine: String,
        /// What it wrote to its standard error.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("gave up after {} s waiting for {what}", within.as_secs_f32())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
    },
}

/// Result of everything in this room.
pub type Result<T> = std::result::Result<T, SandboxError>;

/// Says what was being done when a system call failed.
pub(super) trait During<T> {
    /// `what` completes "cannot ...".
    fn during(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> During<T> for std::result::Result<T, E> {
    fn during(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| SandboxError::Io { what: what(), source: e.into() })
    }
}
