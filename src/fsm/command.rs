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

/// Role of a user; a greater one may all that a smaller one may (WEB-23).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Access {
    /// Looks at states and logs, changes nothing.
    Monitor,
    /// Starts and stops modules too.
    Control,
    /// Configures modules and the cluster too.
    Admin,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Access::Monitor => "Monitor",
            Access::Control => "Control",
            Access::Admin => "Admin",
        })
    }
}

/// How a command is known outside of the automata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its words after `safekit`, which the command log has too; a date is not among them.
    pub typed: &'static str,
    /// Its name in the API and in consoles.
    pub name: &'static str,
    /// The least role that may give it.
    pub access: Access,
}

impl Command {
    /// What the API takes and a console may offer (WEB-30), in the order of a menu. `primforce` is for the
    /// command line only (CLI-016).
    pub const MENU: [Command; 16] = [
        Command::Start,
        Command::Prim { fullsync: false },
        Command::Prim { fullsync: true },
        Command::Second { fullsync: false },
        Command::Second { fullsync: true },
        Command::Stop,
        Command::Restart,
        Command::Swap { nosync: false },
        Command::Swap { nosync: true },
        Command::StopStart,
        Command::StopWait,
        Command::ForceStop,
        Command::Checker(true),
        Command::Checker(false),
        Command::Failover(true),
        Command::Failover(false),
    ];

    /// The table of names and roles. Commands that can lose data, or end the node, are for administrators.
    pub fn known(self) -> Known {
        use Access::{Admin, Control};
        let row = |typed, name, access| Known { typed, name, access };
        match self {
            Command::Start => row("start", "start", Control),
            Command::Prim { fullsync: false } => row("prim", "prim", Control),
            Command::Prim { fullsync: true } => row("prim fullsync", "prim fullsync", Control),
            Command::PrimForce => row("primforce", "primforce", Admin),
            Command::Second { fullsync: false } => row("second", "second", Control),
            Command::Second { fullsync: true } => row("second fullsync", "second fullsync", Control),
            Command::SecondForce { .. } => row("secondforce", "secondforce", Admin),
            Command::Stop => row("stop", "stop", Control),
            Command::Restart => row("restart", "restart", Control),
            Command::Swap { nosync: false } => row("swap", "swap", Control),
            Command::Swap { nosync: true } => row("swap nosync", "swap nosync", Control),
            Command::StopStart => row("stopstart", "stopstart", Control),
            Command::StopWait => row("stopwait", "wait", Control),
            Command::ForceStop => row("forcestop", "forcestop", Control),
            Command::Checker(true) => row("checker on", "checker on", Control),
            Command::Checker(false) => row("checker off", "checker off", Control),
            Command::Failover(true) => row("failover on", "failover on", Control),
            Command::Failover(false) => row("failover off", "failover off", Control),
            Command::Shutdown => row("shutdown", "shutdown", Admin),
        }
    }

    /// The command of the menu that has this name in the API.
    pub fn named(name: &str) -> Option<Command> {
        Command::MENU.into_iter().find(|command| command.known().name == name)
    }

    /// Whether it starts a stopped module.
    pub fn begins(self) -> bool {
        matches!(self, Command::Start | Command::Prim { .. } | Command::PrimForce) || self.begins_second()
    }

    /// Whether it starts a stopped module as secondary of a running primary.
    pub fn begins_second(self) -> bool {
        matches!(self, Command::Second { .. } | Command::SecondForce { .. })
    }
}

/// As messages and refusals name it (CLI-069): without its arguments.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = match self {
            Command::Swap { .. } => Command::Swap { nosync: false },
            Command::Prim { .. } => Command::Prim { fullsync: false },
            Command::Second { .. } => Command::Second { fullsync: false },
            other => *other,
        };
        f.pad(bare.known().name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_of_the_menu_has_a_name_of_its_own() {
        for command in Command::MENU {
            assert_eq!(Command::named(command.known().name), Some(command));
            assert_eq!(command.known().access, Access::Control, "{command}: who sees menus may give it");
        }
    }

    #[test]
    fn what_only_the_command_line_may_is_not_in_the_menu() {
        for name in ["primforce", "secondforce", "shutdown", "stopwait", "checker_off", ""] {
            assert_eq!(Command::named(name), None, "{name}");
        }
    }

    #[test]
    fn messages_name_no_arguments() {
        let commands =
            [Command::Swap { nosync: true }, Command::Prim { fullsync: true }, Command::Checker(false)];
        assert_eq!(commands.map(|c| c.to_string()), ["swap", "prim", "checker off"]);
    }
}
