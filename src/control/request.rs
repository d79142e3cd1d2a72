//! What `safekit` and the web service can ask of `safeadmin` (spec/cli.md 3 to 8).

use super::options::{
    BootOp, CleanWhat, ClusterSource, FirewallOp, InstallSource, LogChoice, LoopOp, PortsOf, PrintLevel,
    RescueRequest, RfsRequest, SessionEvent, TokenEvent, Until, WebserverOp,
};
use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Value};
use crate::ids::{ModuleId, ModuleName};
use crate::log::{Lang, LogFilter};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

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
    /// What the console shows, now and after every change, until the caller hangs up. Changes that come
    /// together are told together, within 100 ms.
    Watch {
        /// Without it: [`super::Reply::Overview`] of the node. With it: [`super::Reply::State`] of the
        /// module with its resources, without the output of a script; empty while it is not configured.
        module: Option<ModuleName>,
    },
    /// Values that a resource had; answered with [`super::Reply::History`].
    History {
        /// The module.
        module: ModuleName,
        /// The resource.
        resource: ResourceName,
        /// How many of the last values.
        count: u32,
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
        /// Only messages before the one with this [`super::LogLine::id`].
        before: Option<i64>,
        /// Only messages that it takes.
        #[serde(default, skip_serializing_if = "LogFilter::is_empty")]
        filter: LogFilter,
    },
    /// The script logs of a module; answered with [`super::Reply::UserLogs`].
    UserLogs {
        /// The module.
        module: ModuleName,
    },
    /// The end of a script log, 1 MiB at most, as the attachment.
    UserLog {
        /// The module.
        module: ModuleName,
        /// Its name, one of [`super::Reply::UserLogs`].
        name: String,
    },
    /// The command log of the node (CLI-038).
    CmdLog {
        /// How many of the last lines; 1000 without it.
        count: Option<u32>,
        /// Go on with new lines until the client hangs up.
        follow: bool,
    },
    /// Note in the command log what is done with tokens of the web service.
    Token(TokenEvent),
    /// Note in the command log who logs in to the web service; it is asked on behalf of that user.
    Session(SessionEvent),
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
        /// Only if SAFE/modules/AM has one of these signatures, empty: if it is not there; else
        /// [`super::Reply::Conflict`], and nothing is changed.
        if_signature: Option<Vec<String>>,
        /// The key of the module stays as it is, whatever the archive brings.
        keep_key: bool,
    },
    /// Package a module; the archive comes back as the attachment (CLI-096).
    ModulePackage {
        /// The module.
        module: ModuleName,
        /// With the module's key; only an administrator gets it.
        keys: bool,
    },
    /// The `.safe` files of SAFE/Application_Modules; answered with [`super::Reply::Templates`].
    Templates,
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
        /// Only if SAFE/modules/AM, its key included, has one of these signatures; else
        /// [`super::Reply::Conflict`], and nothing is changed.
        if_signature: Option<Vec<String>>,
    },
    /// Erase the key of a module (CLI-092).
    ModuleDelKey {
        /// The module.
        module: ModuleName,
        /// As for [`Request::ModuleGenKey`].
        if_signature: Option<Vec<String>>,
    },
    /// Apply SAFE/modules/AM (CLI-090).
    Config {
        /// The module.
        module: ModuleName,
        /// Only if SAFE/modules/AM has one of these signatures; else [`super::Reply::Conflict`], and nothing
        /// is changed.
        if_signature: Option<Vec<String>>,
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
    /// Check an attached userconfig.xml without saving it, as `confcheck` does but for its scripts; answered
    /// with [`super::Reply::Faults`]. Fails if it has faults other than warnings.
    ConfCheckText {
        /// The module that it is for; without it only what does not depend on a module is checked.
        module: Option<ModuleName>,
    },
    /// The last successful configurations (WEB-29); answered with [`super::Reply::Configurations`].
    Configurations {
        /// Only this module's.
        module: Option<ModuleName>,
    },
    /// One of the last successful configurations without its key, as the attachment.
    ConfigurationGet {
        /// The module.
        module: ModuleName,
        /// One of [`super::Reply::Configurations`].
        name: String,
    },
    /// Install SAFE/modules/AM again as it was in one of the last successful configurations. The key of the
    /// module stays as it is.
    ConfigurationRestore {
        /// The module.
        module: ModuleName,
        /// One of [`super::Reply::Configurations`].
        name: String,
        /// Only if SAFE/modules/AM has one of these signatures; else [`super::Reply::Conflict`], and nothing
        /// is changed.
        if_signature: Option<Vec<String>>,
    },
    /// Apply a cluster configuration (CLI-041, CLI-042).
    ClusterConfig {
        /// What to apply.
        source: ClusterSource,
        /// `Some(true)`: lock, `Some(false)`: unlock.
        lock: Option<bool>,
        /// Only if the cluster configuration has one of these signatures, empty: if there is none; else
        /// [`super::Reply::Conflict`], and nothing is changed.
        if_signature: Option<Vec<String>>,
    },
    /// The cluster configuration of this node; answered with [`super::Reply::Cluster`]. cluster.xml is the
    /// attachment for an administrator, empty when the cluster is not configured.
    ClusterGet,
    /// The zip of cluster.xml and key that [`Request::ClusterConfig`] takes, as the attachment.
    ClusterExport,
    /// The nodes of the cluster; answered with [`super::Reply::Nodes`].
    Nodes,
    /// The certificate that is installed for the web service of the node; answered with
    /// [`super::Reply::Certificate`].
    Certificate,
    /// Check the attached cluster.xml without applying (CLI-043); faults come as [`super::Reply::Faults`].
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
    /// The web service of the node (CLI-031, CLI-032).
    Webserver {
        /// The operation.
        op: WebserverOp,
    },
    /// Firewall rules of SafeKit or of a module (CLI-039, CLI-040).
    Firewall {
        /// The operation.
        op: FirewallOp,
        /// The module; safeadmin and the web service without it.
        module: Option<ModuleName>,
    },
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
