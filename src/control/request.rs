//! What `safekit` and the web service can ask of `safeadmin` (spec/cli.md 3 to 8).

use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::Role;
use crate::ids::{ModuleId, ModuleName};
use crate::log::Lang;
use crate::node::rfssync::Policy;
use crate::rfs::rescue::Purge;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// One request; a connection carries exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Is the daemon there? Answered by the end alone.
    Ping,
    /// Version and license; with a module also the output of its `level` script (CLI-080).
    Level {
        /// Module whose script is to run.
        module: Option<ModuleName>,
    },
    /// State of one or all modules (CLI-081, CLI-082).
    State {
        /// Only this module.
        module: Option<ModuleName>,
        /// With the resources and the output of the module's `state` script.
        verbose: bool,
    },
    /// Wait for the end of a start or stop, or for a stable state (CLI-051, -054, -055).
    Wait {
        /// The module.
        module: ModuleName,
        /// What to wait for.
        until: Until,
    },
    /// Messages of the module log (CLI-083 to CLI-086).
    Log {
        /// The module.
        module: ModuleName,
        /// How many of the last messages; all without it.
        count: Option<u32>,
        /// Verbose messages too (`-A`).
        all: bool,
        /// Language of the texts (`-l`).
        lang: Lang,
        /// Go on with new messages until the client hangs up.
        follow: bool,
    },
    /// The command log of the node (CLI-038).
    CmdLog,
    /// Why a module is in its state, and what to do.
    Explain {
        /// The module.
        module: ModuleName,
    },
    /// A control command of a module (CLI-050 to CLI-068).
    Control {
        /// The module.
        module: ModuleName,
        /// The command.
        command: Command,
        /// Detector or script that calls (`-i`, CLI-005).
        identity: Option<String>,
        /// Remote user on whose behalf it is called (`-u`, CLI-006).
        user: Option<String>,
    },
    /// Set a resource (CLI-113).
    Set {
        /// The module.
        module: ModuleName,
        /// The resource.
        resource: ResourceName,
        /// Its new value.
        value: Value,
        /// Whether the assignment is logged.
        log: LogChoice,
        /// Who sets it.
        identity: Option<String>,
    },
    /// Write a message in the module log (CLI-087).
    Print {
        /// The module.
        module: ModuleName,
        /// Level of the message.
        level: PrintLevel,
        /// The text, one line.
        text: String,
    },
    /// Operate the loop counter (CLI-110 to CLI-112); the code of the end is the answer.
    Loop {
        /// The module.
        module: ModuleName,
        /// The operation.
        op: LoopOp,
        /// The handler that calls.
        identity: Option<String>,
    },
    /// Clean logs, resources or processes (CLI-107).
    Clean {
        /// Only this module; all without it.
        module: Option<ModuleName>,
        /// What to clean.
        what: CleanWhat,
    },
    /// Ask or order something of the replication of a module (CLI-063, CLI-118).
    Rfs {
        /// The module.
        module: ModuleName,
        /// What.
        request: RfsRequest,
    },
    /// Look at, restore or remove rescue archives of a module (S6).
    Rescue {
        /// The module.
        module: ModuleName,
        /// What.
        request: RescueRequest,
    },
    /// What the packet filter of this node accepts, as the kernel has it (CLI-123); answered with
    /// [`super::FarmReport::Bitmaps`].
    FarmBitmaps {
        /// The module; without it every farm module that runs.
        module: Option<ModuleName>,
    },
    /// Which node answers a client; answered with [`super::FarmReport::Owners`].
    FarmOwner {
        /// The module.
        module: ModuleName,
        /// Address of the client.
        client: IpAddr,
        /// Its port, if it is known.
        port: Option<u16>,
    },
    /// Install a `.safe` (CLI-095).
    ModuleInstall {
        /// Name of the module to create.
        module: ModuleName,
        /// Number to give it (`-M`).
        id: Option<ModuleId>,
        /// Install over an existing one (`-r`).
        reinstall: bool,
        /// Where the archive comes from.
        source: InstallSource,
    },
    /// Package a module; the archive comes back as the attachment (CLI-096).
    ModulePackage {
        /// The module.
        module: ModuleName,
    },
    /// Uninstall a module (CLI-097).
    ModuleUninstall {
        /// The module.
        module: ModuleName,
    },
    /// Installed modules; answers `list` and `listid` (CLI-098).
    ModuleList,
    /// Ports of a module (CLI-099).
    ModuleGetPorts(PortsOf),
    /// Create the key of a module (CLI-092).
    ModuleGenKey {
        /// The module.
        module: ModuleName,
    },
    /// Erase the key of a module (CLI-092).
    ModuleDelKey {
        /// The module.
        module: ModuleName,
    },
    /// Apply SAFE/modules/AM (CLI-090).
    Config {
        /// The module.
        module: ModuleName,
    },
    /// Unconfigure a module (CLI-091).
    Deconfig {
        /// The module.
        module: ModuleName,
    },
    /// Signatures of the active and the current configuration (CLI-093).
    ConfInfo {
        /// The module.
        module: ModuleName,
    },
    /// Check SAFE/modules/AM without applying (CLI-094).
    ConfCheck {
        /// The module.
        module: ModuleName,
    },
    /// Apply a cluster configuration (CLI-041, CLI-042).
    ClusterConfig {
        /// What to apply.
        source: ClusterSource,
        /// `Some(true)`: lock, `Some(false)`: unlock.
        lock: Option<bool>,
    },
    /// Check the attached cluster.xml without applying (CLI-043).
    ClusterConfCheck,
    /// Cluster configuration of each active node (CLI-044).
    ClusterConfInfo,
    /// Remove the cluster configuration and its key (CLI-045).
    ClusterDeconfig,
    /// Modules of each node (CLI-046).
    ClusterState,
    /// Create the key of the cluster (CLI-047).
    ClusterGenKey,
    /// Suppress the key of the cluster (CLI-048).
    ClusterDelKey,
    /// Examine the cluster from this node: networks, clocks, ports, keys, other nodes.
    ClusterCheck,
    /// Boot start of modules (CLI-033).
    Boot {
        /// The module; all for the status without it.
        module: Option<ModuleName>,
        /// The operation.
        op: BootOp,
    },
    /// Stop all running modules (CLI-034).
    Shutdown,
    /// Firewall rules of SafeKit or of a module (CLI-039, CLI-040).
    Firewall {
        /// The operation.
        op: FirewallOp,
        /// The module; safeadmin and the web service without it.
        module: Option<ModuleName>,
    },
}

/// What can be asked of the replicated directories of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RfsRequest {
    /// The synchronization policy (RFS-54); answered with [`super::RfsReport::Policy`].
    Policy,
    /// A new one (RFS-50 to RFS-53); answered in the same way.
    SetPolicy(Policy),
    /// Compare the files of this SECOND with those of the primary (RFS-61).
    Verify,
    /// What this ALONE node would have to copy (RFS-62).
    Diff,
}

/// What can be done with the rescue archives of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RescueRequest {
    /// List them.
    List,
    /// Compare one with what is there now.
    Diff {
        /// Its name; the newest without one.
        archive: Option<String>,
    },
    /// Give back what is in one.
    Restore {
        /// Its name; the newest without one.
        archive: Option<String>,
        /// Below this directory; `None`: in place, on a primary.
        to: Option<PathBuf>,
        /// Only what is at and below these full paths; everything without one.
        paths: Vec<PathBuf>,
    },
    /// Remove them.
    Purge(Purge),
}

/// End of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The start has ended, well or not.
    Start,
    /// The module is stopped.
    Stop,
    /// This stable state: NotReady for STOP and WAIT, Ready for the others.
    State(Role),
}

/// Whether the assignment of a resource is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogChoice {
    /// As the resource wants it: only main resources.
    #[default]
    Default,
    /// `-n`.
    Never,
    /// `-l`.
    Always,
}

/// Level of a message of `printi` or `printe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrintLevel {
    /// `printi`: level I.
    Info,
    /// `printe`: level E.
    Event,
}

/// Operation on the loop counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoopOp {
    /// `incloop`: ends with 1 when the limit has been reached, else 0.
    Inc,
    /// `resetloop`.
    Reset,
    /// `checkloop`: 1 if the limit is reached and the last increment is recent, else 0.
    Check,
}

/// What `clean` cleans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum CleanWhat {
    /// The three others.
    #[default]
    All,
    /// The module log and the script logs.
    Log,
    /// The main processes of the module.
    Process,
    /// The resources.
    Resource,
}

/// Where a module to install comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstallSource {
    /// The attached `.safe`.
    Attachment,
    /// A file of SAFE/Application_Modules, by its name; `.safe` may be left out.
    Template(String),
}

/// Where a cluster configuration comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterSource {
    /// Keep the configuration: new keys, or a change of the lock.
    Keep,
    /// The attachment is a cluster.xml; new keys are made.
    Xml,
    /// The attachment is a zip of cluster.xml and keys.
    Zip,
}

/// Whose ports are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortsOf {
    /// Those of an installed module.
    Module(ModuleName),
    /// Those that a module of this number could use.
    Id(ModuleId),
}

/// Operation on the boot start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootOp {
    /// Start the module at boot.
    On,
    /// Do not.
    Off,
    /// Print the setting.
    Status,
}

/// Operation on the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum FirewallOp {
    /// Open the ports.
    Add,
    /// Close them.
    Del,
}
