//! `<service>` (CFG-SVC).

use crate::ids::NodeName;
use std::fmt;
use std::time::Duration;

/// Architecture of a module (CFG-SVC-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Two nodes, one primary.
    Mirror,
    /// All nodes active.
    Farm,
    /// One node, local supervision.
    Light,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::Mirror => "mirror",
            Mode::Farm => "farm",
            Mode::Light => "light",
        })
    }
}

/// Start at boot (CFG-SVC-02); prints the value of `usersetting.boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boot {
    /// Started at boot.
    On,
    /// Not started at boot.
    Off,
    /// Started if it was started before the reboot.
    Auto,
    /// Governed by the command `safekit boot`.
    Ignore,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Boot::On => "on",
            Boot::Off => "off",
            Boot::Auto => "auto",
            Boot::Ignore => "ignore",
        })
    }
}

/// Which node is primary once both run (CFG-SVC-05).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DefaultPrim {
    /// The one that runs stays primary.
    Alone,
    /// The one that was primary before its last stop.
    LastPrim,
    /// This node: its name in cluster.xml, or its host name (AMB-50).
    Server(NodeName),
}

/// `<service>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Architecture.
    pub mode: Mode,
    /// Start at boot.
    pub boot: Boot,
    /// Delay before the start at boot (CFG-SVC-03).
    pub boot_delay: Duration,
    /// Automatic failover; mirror only (CFG-SVC-04).
    pub failover: bool,
    /// Default primary; mirror only.
    pub defaultprim: DefaultPrim,
    /// Automatic restarts allowed in one `loop_interval` (CFG-SVC-06).
    pub maxloop: u32,
    /// Interval of the loop counter; zero = counter inactive (CFG-SVC-07).
    pub loop_interval: Duration,
    /// An automatic stopstart reboots the server instead (CFG-SVC-08).
    pub automatic_reboot: bool,
}
