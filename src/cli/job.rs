//! What a command line asks for, and what can be wrong with it.

use super::htpasswd::Htpasswd;
use super::pki::PkiJob;
use super::remote::Remote;
use super::sandbox::SandboxCommand;
use super::webservercfg::Webservercfg;
use crate::config::paths::BadRoot;
use crate::control::Request;
use crate::control::client::ClientError;
use crate::control::frame::MAX_ATTACHMENT;
use crate::net::NetError;
use crate::sandbox::SandboxError;
use crate::web::pki::PkiError;
use crate::web::remote::error::RemoteError;
use crate::web::remote::secret::SecretError;
use crate::web::remote::target::TargetError;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// What the environment adds to the command line.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// SAFEMODULE, the module when `-m` is left out (CLI-004).
    pub module: Option<String>,
}

impl Context {
    /// The one of this process.
    pub fn from_env() -> Self {
        Context { module: std::env::var("SAFEMODULE").ok().filter(|m| !m.is_empty()) }
    }
}

/// A command line, understood.
#[derive(Debug)]
pub enum Job {
    /// Ask `safeadmin`.
    Ask(Ask),
    /// Ask other nodes: `-H`, `-G`, `-E`.
    Remote(Remote),
    /// `safekit -p` (CLI-109).
    Environment,
    /// `safekit -r` (CLI-108): the special command and its arguments.
    Special(Vec<OsString>),
    /// `vip_if_ctrl -L` (CLI-124).
    Interfaces,
    /// `webservercfg` (CLI-133, CLI-134).
    Webservercfg(Webservercfg),
    /// `htpasswd` (CLI-135).
    Htpasswd(Htpasswd),
    /// A command of SAFE/web/bin for certificates (CLI-136 to CLI-143).
    Pki(PkiJob),
    /// `safekit sandbox`: a cluster on this machine.
    Sandbox(SandboxCommand),
    /// Completion script of a shell.
    Completions(clap_complete::Shell),
}

/// A request with all that the command does before and after it.
#[derive(Debug, PartialEq, Eq)]
pub struct Ask {
    /// The request.
    pub request: Request,
    /// File to attach.
    pub attach: Option<PathBuf>,
    /// Form of the answer.
    pub print: Print,
}

/// Form of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Print {
    /// For people: tables.
    Text,
    /// `--json`: one value a line.
    Json,
    /// Only the names of `module list`, only the setting of `boot status -m AM`.
    Bare,
    /// `state -lq`: the role, also as exit code (CLI-052).
    Role,
    /// The log or the attachment goes into this file.
    Save(PathBuf),
}

impl Job {
    /// A request whose answer is printed for people.
    pub fn text(request: Request) -> Job {
        Job::Ask(Ask { request, attach: None, print: Print::Text })
    }

    /// A request with `--json` or without.
    pub fn json(request: Request, json: bool) -> Job {
        let print = if json { Print::Json } else { Print::Text };
        Job::Ask(Ask { request, attach: None, print })
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line is wrong, or help was asked: clap prints it.
    #[error(transparent)]
    Clap(#[from] clap::Error),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A special command did not do it.
    #[error("{0}")]
    Failed(String),
    /// A command of the guide that a later version will have.
    #[error("not supported yet: safekit {0}")]
    NotYet(String),
    /// A command of the guide for Windows.
    #[error("not supported on Linux: safekit {0}")]
    NotLinux(String),
    /// SAFE or SAFEVAR is wrong.
    #[error(transparent)]
    Root(#[from] BadRoot),
    /// The daemon did not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The nodes of `-H`.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The secret of distributed commands.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The way to other nodes.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// This node does not give what is to be given to others, or does not know where they are.
    #[error("{0}")]
    Here(String),
    /// The system gives no event queue or thread.
    #[error("cannot ask other nodes: {0}")]
    Runtime(io::Error),
    /// Certificates.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The network of this node.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file of the user.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// A file of the user that cannot be sent.
    #[error("{}: longer than {} MiB", .0.display(), MAX_ATTACHMENT >> 20)]
    TooLong(PathBuf),
    /// Standard output.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
}

impl CliError {
    /// A wrong command line.
    pub fn usage(text: impl Into<String>) -> Self {
        CliError::Usage(text.into())
    }

    /// What is wrong with a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> CliError {
        let path = path.into();
        move |error| CliError::File { path, error }
    }

    /// Prints it and returns the exit code.
    pub fn report(&self) -> i32 {
        match self {
            CliError::Clap(e) => {
                // Nothing can be done if the terminal is gone.
                let _ = e.print();
                e.exit_code()
            }
            other => {
                eprintln!("Error: {other}");
                if matches!(other, CliError::Usage(_) | CliError::Target(_)) { 2 } else { 1 }
            }
        }
    }
}
