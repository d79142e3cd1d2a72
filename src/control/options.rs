//! The words of requests: what to wait for, what to clean, where something comes from.

use super::access::Access;
use crate::fsm::state::Role;
use crate::ids::{ModuleId, ModuleName};
use crate::node::rfssync::Policy;
use crate::rfs::rescue::Purge;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

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

/// Operation on the web service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebserverOp {
    /// Start it; ends when it answers.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Print `running`, or `stopped` and end with 1.
    Status,
    /// Start it at boot.
    BootOn,
    /// Do not.
    BootOff,
    /// Print whether it is started at boot: `on` or `off`.
    BootStatus,
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

/// What an administrator did with a token of the web service (MSG-CMD-01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEvent {
    /// He has made one.
    Created {
        /// Its name.
        name: String,
        /// Its role.
        role: Access,
        /// Days that it lives.
        days: u32,
    },
    /// He has revoked one.
    Revoked {
        /// Its name.
        name: String,
    },
}

/// What happened at the door of the web service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionEvent {
    /// A session began.
    Login,
    /// It was ended by its user.
    Logout,
    /// A login was refused.
    Refused {
        /// Others refused since the last note, whoever they were.
        more: u32,
    },
}
