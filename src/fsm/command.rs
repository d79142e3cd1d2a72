//! What an operator, a script or a rule can ask of a module, and who asks (spec/cli.md 5).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A control command of a module (CLI-050 to CLI-068).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    /// Start, role decided by the pair.
    Start,
    /// Stop to STOP.
    Stop,
    /// Stop even if something is frozen.
    ForceStop,
    /// Stop and start the application only.
    Restart,
    /// Stop, then start automatically.
    StopStart,
    /// Stop to WAIT (the action `wait()` of a rule).
    StopWait,
    /// Exchange the roles; `nosync`: without synchronizing the directories.
    Swap {
        /// Skip the synchronization of the replicated directories.
        nosync: bool,
    },
    /// Start as primary; the operator's word. `fullsync`: the next secondary is copied in full.
    Prim {
        /// Full reintegration of the next secondary.
        fullsync: bool,
    },
    /// Start as primary even with inconsistent data.
    PrimForce,
    /// Start as secondary of a running primary.
    Second {
        /// Full reintegration of this node.
        fullsync: bool,
    },
    /// Start as secondary of a running primary, copying only the files modified after a date (RFS-60).
    SecondForce {
        /// The date, Unix time in seconds.
        after: i64,
    },
    /// Automatic failover on or off at run time.
    Failover(bool),
    /// Checkers on or off at run time.
    Checker(bool),
    /// Stop of the whole node (CLI-034, ADM-22).
    Shutdown,
}

impl Command {
    /// Whether it starts a stopped module.
    pub fn begins(self) -> bool {
        matches!(self, Command::Start | Command::Prim { .. } | Command::PrimForce) || self.begins_second()
    }

    /// Whether it starts a stopped module as secondary of a running primary.
    pub fn begins_second(self) -> bool {
        matches!(self, Command::Second { .. } | Command::SecondForce { .. })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Command::Start => "start",
            Command::Stop => "stop",
            Command::ForceStop => "forcestop",
            Command::Restart => "restart",
            Command::StopStart => "stopstart",
            Command::StopWait => "wait",
            Command::Swap { .. } => "swap",
            Command::Prim { .. } => "prim",
            Command::PrimForce => "primforce",
            Command::Second { .. } => "second",
            Command::SecondForce { .. } => "secondforce",
            Command::Failover(true) => "failover on",
            Command::Failover(false) => "failover off",
            Command::Checker(true) => "checker on",
            Command::Checker(false) => "checker off",
            Command::Shutdown => "shutdown",
        })
    }
}

/// Who asked, as printed after `called by` or `from` (CLI-005, CLI-008, MSG-A).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Caller {
    /// A user: `root`, a name of group safekit, `admin@<ip>`.
    User(String),
    /// The system's shutdown: `SYSTEM` (AMB-10).
    System,
    /// A script or detector, given by `-i`: moves the loop counter.
    Identity(String),
    /// The boot of the node: `at boot time`.
    Boot,
    /// The second half of a stopstart: `automatically`.
    Automatic,
    /// A failover rule, by its label.
    Rule(String),
}

impl Caller {
    /// Automatic callers move the loop counter; an administrator resets it (ST-61, ST-63).
    pub fn is_administrator(&self) -> bool {
        matches!(self, Caller::User(_) | Caller::System)
    }
}
