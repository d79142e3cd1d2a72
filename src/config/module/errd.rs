//! `<errd>`: death of processes and services (CFG-ER).

use std::time::Duration;

/// `<errd>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errd {
    /// Period of the polls (CFG-ER-01).
    pub polltimer: Duration,
    /// Monitored processes.
    pub procs: Vec<Proc>,
}

/// What follows when the number of processes is wrong (CFG-ER-08).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProcAction {
    /// Local restart of the application.
    Restart,
    /// Stop and start of the module.
    StopStart,
    /// Stop of the module.
    Stop,
    /// A message only.
    NoAction,
    /// A handler: absolute path, or relative to the module's bin.
    Handler(String),
}

/// `<proc>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proc {
    /// Command or service name, and resource `proc.<name>` (CFG-ER-02).
    pub name: String,
    /// Regular expression on the command name (CFG-ER-03).
    pub nameregex: Option<String>,
    /// A systemd service (CFG-ER-04).
    pub service: bool,
    /// Regular expression on the argument list (CFG-ER-05).
    pub argregex: Option<String>,
    /// Fewest processes; none: not checked (CFG-ER-06).
    pub atleast: Option<u32>,
    /// Most processes; none: not checked (CFG-ER-07).
    pub atmax: Option<u32>,
    /// What follows.
    pub action: ProcAction,
    /// Class that is enabled and disabled as one (CFG-ER-09).
    pub class: String,
    /// Monitoring begins (n-1) polls after the class is enabled (CFG-ER-10).
    pub start_after: u32,
}
