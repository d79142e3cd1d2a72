//! What `safeadmin` answers. The tables are printed as they are by `--json`.

use super::content::{CertificateReport, ConfigurationRow, Fault, HistoryRow, TemplateRow, UserLogRow};
use super::farm::FarmReport;
use super::overview::{ClusterReport, NodeRow, Overview};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::log::Level;
use crate::node::rfssync::Policy;
use crate::rfs::rescue::{Archive, Compared};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One piece of an answer; [`Reply::End`] is the last one.
///
/// Dates are text in local time, made by the daemon: `2024-02-13 09:03:12` where no other form
/// is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Text for standard output, printed with a line end.
    Text(String),
    /// What went wrong.
    Error(Failure),
    /// How far a wait or a long command is; one line.
    Progress(String),
    /// To `Level`.
    Level(LevelReport),
    /// To `State` and `Watch`, one entry a module.
    State(Vec<StateReport>),
    /// To `Watch`.
    Overview(Overview),
    /// To `History`, oldest first.
    History(Vec<HistoryRow>),
    /// To `Log`, oldest first; may come several times.
    Log(Vec<LogLine>),
    /// To `CmdLog`, oldest first; may come several times.
    Commands(Vec<CommandRow>),
    /// To `Explain`.
    Explain(ExplainReport),
    /// To `Loop`.
    Loop(LoopReport),
    /// To `Rfs`; to a verification several times.
    Rfs(RfsReport),
    /// To `Rescue`; to a comparison several times.
    Rescue(RescueReport),
    /// To `FarmBitmaps` and `FarmOwner`.
    Farm(FarmReport),
    /// To `Nodes`, in the order of cluster.xml.
    Nodes(Vec<NodeRow>),
    /// To `Certificate`.
    Certificate(CertificateReport),
    /// To `ClusterGet`.
    Cluster(ClusterReport),
    /// To `Templates`.
    Templates(Vec<TemplateRow>),
    /// To `ConfCheckText` and `ClusterConfCheck`, by line.
    Faults(Vec<Fault>),
    /// To `Configurations`, the newest first.
    Configurations(Vec<ConfigurationRow>),
    /// To `UserLogs`, the newest first.
    UserLogs(Vec<UserLogRow>),
    /// Somebody else was faster: what was to be replaced has another signature now.
    Conflict {
        /// That one.
        signature: String,
    },
    /// To what changes SAFE/modules/AM, files or key.
    Saved {
        /// Its signature now.
        signature: String,
    },
    /// To `ModuleList`.
    Modules(Vec<ModuleRow>),
    /// To `ModuleGetPorts`, in the order of printing.
    Ports(Vec<PortRow>),
    /// To `ConfInfo`.
    ConfInfo(ConfInfo),
    /// To `ClusterConfInfo`.
    ClusterNodes(Vec<ClusterNodeRow>),
    /// To `ClusterState`.
    ClusterState(Vec<ClusterStateRow>),
    /// To `ClusterCheck`.
    Checks(Vec<CheckRow>),
    /// To `Boot` with `Status`.
    Boot(Vec<BootRow>),
    /// Last piece.
    End {
        /// Exit code of the command.
        code: i32,
    },
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Of what kind it is; programs look at this, people at the text.
    pub kind: FailureKind,
    /// What went wrong and what to do, without the word "Error".
    pub text: String,
}

/// Kinds of failures, by what whoever asks can do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// What it is about is not there.
    NotFound,
    /// Somebody else was faster, or something of that name is there already.
    Conflict,
    /// The caller may not.
    Denied,
    /// The state does not allow it, or what was given has faults.
    Refused,
    /// Not now: try again.
    Busy,
    /// The node cannot: its disk, its kernel, a program of it.
    Failed,
}

impl Reply {
    /// What went wrong.
    pub fn error(kind: FailureKind, text: impl Into<String>) -> Reply {
        Reply::Error(Failure { kind, text: text.into() })
    }
}

/// Version and license (CLI-080, ADM-30).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LevelReport {
    /// Host name.
    pub host: String,
    /// Version of the system.
    pub os: String,
    /// Version of SafeKit.
    pub safekit: String,
    /// State of the license.
    pub license: String,
    /// Output of the module's `level` script.
    pub module: Option<String>,
}

/// State of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateReport {
    /// The module.
    pub module: ModuleName,
    /// `mirror`, `farm` or `light`.
    pub mode: String,
    /// Its role here.
    pub role: Role,
    /// Its stability here.
    pub readiness: Readiness,
    /// State of the other node of a mirror, as the resource state.remote has it.
    pub remote: Option<String>,
    /// Date of the last change of state.
    pub since: String,
    /// First line of `explain`, when the module is not Ready.
    pub reason: Option<String>,
    /// Only when verbose.
    pub resources: Vec<ResourceRow>,
    /// Output of the module's `state` script, when verbose.
    pub script: Option<String>,
}

/// A resource of a module (resources.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResourceRow {
    /// `class.id`.
    #[schema(value_type = String)]
    pub resource: ResourceName,
    /// Its value.
    #[schema(value_type = String)]
    pub value: Value,
    /// Date of the last assignment; none if it was never set.
    pub date: Option<String>,
    /// Name for people, e.g. `Local state`.
    pub label: String,
}

/// A line of the module log (MSG-L-01).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Grows with every message of the module; never used again.
    pub id: i64,
    /// `2021-08-06 08:40:20.909224`.
    pub date: String,
    /// Who says it, e.g. `heart`.
    pub origin: String,
    /// Its level.
    pub level: Level,
    /// The text in the asked language.
    pub text: String,
}

/// A line of the command log (MSG-CMD-01, MSG-CMD-02).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandRow {
    /// `2021-07-27 14:37:33.205122`.
    pub date: String,
    /// `safekit`, `cluster` or empty at the end of a command.
    pub kind: String,
    /// Module, or empty.
    pub module: String,
    /// Process of the command, 0 for events.
    pub pid: i32,
    /// `START`, `END` or `I`.
    pub event: String,
    /// Arguments, exit code or text of the event.
    pub text: String,
}

/// Why a module is in its state and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainReport {
    /// The module.
    pub module: ModuleName,
    /// `<ROLE> <Readiness>`.
    pub state: String,
    /// Date of the last change of state.
    pub since: String,
    /// Causes, the main one first.
    pub reasons: Vec<String>,
    /// What the operator can do, in order.
    pub advice: Vec<String>,
}

/// The loop counter of a module (7.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoopReport {
    /// Automatic actions counted.
    pub count: u32,
    /// `maxloop` of the configuration.
    pub limit: u32,
    /// The limit is reached.
    pub reached: bool,
}

/// What is said of rescue archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RescueReport {
    /// The archives, oldest first.
    Archives(Vec<Archive>),
    /// Files of an archive compared with what is there now.
    Compared(Vec<Compared>),
    /// What was given back.
    Restored {
        /// From this archive.
        archive: String,
        /// Files, directories and links.
        files: u64,
        /// Files whose bytes are not in the archive.
        left_out: Vec<String>,
    },
    /// Names of the archives that were removed.
    Purged(Vec<String>),
}

/// What is said of replicated directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RfsReport {
    /// The synchronization policy.
    Policy(Policy),
    /// Files that differ, as far as they are known.
    Different(Vec<DifferentFile>),
    /// End of a verification.
    Verified {
        /// Files and directories that were compared.
        examined: u64,
        /// Those that differ.
        different: u64,
    },
    /// What a synchronization would copy.
    Diff {
        /// Modified regular files.
        files: u64,
        /// What would be copied of them, bytes.
        bytes: u64,
        /// Estimated duration, seconds.
        seconds: u64,
        /// KB/s that it is estimated with.
        rate: u64,
        /// It is the rate of the last synchronization or of the configured limit; else it is assumed.
        known: bool,
    },
}

/// A file that is not the same on both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferentFile {
    /// Its path.
    pub path: String,
    /// What differs, e.g. `missing`, `content`, `mode`.
    pub what: String,
}

/// An installed module (CLI-098).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModuleRow {
    /// Its name.
    pub module: ModuleName,
    /// Its number.
    pub id: ModuleId,
    /// `mirror`, `farm` or `light`; none if its configuration cannot be read.
    pub mode: Option<String>,
    /// A configuration was applied.
    pub configured: bool,
}

/// A port (CLI-099).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PortRow {
    /// Process, e.g. `heart`.
    pub process: String,
    /// What the port is, e.g. `port` or `safenfs_port`.
    pub name: String,
    /// `UDP` or `TCP`.
    pub protocol: String,
    /// Number.
    pub port: u16,
}

/// Identity of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stamp {
    /// Signature, hexadecimal.
    pub signature: String,
    /// Last modification, Unix timestamp in seconds.
    pub date: i64,
}

/// Configurations of a module (CLI-093).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfInfo {
    /// The one last applied; none before the first `config`.
    pub active: Option<Stamp>,
    /// The one of SAFE/modules/AM.
    pub current: Stamp,
}

/// Cluster configuration of a node (CLI-044).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterNodeRow {
    /// The node.
    pub node: NodeName,
    /// Signature, hexadecimal.
    pub signature: String,
    /// `2016-05-20T17:06:45`.
    pub date: String,
    /// Locked against `cluster config`.
    pub lock: bool,
}

/// A module of a node of the cluster (CLI-046).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClusterStateRow {
    /// The node.
    pub node: NodeName,
    /// The module.
    pub module: ModuleName,
    /// `mirror`, `farm` or `light`.
    pub mode: String,
    /// Number of the module.
    pub id: ModuleId,
    /// Date of the last configuration, `2016-05-20T17:06:45`.
    pub date: String,
    /// Signature of the last configuration, hexadecimal.
    pub signature: String,
}

/// How something examined by `cluster check` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Good.
    Ok,
    /// It works, but something should be done.
    Warning,
    /// It does not work, or will fail when it is needed.
    Error,
}

/// A result of `cluster check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckRow {
    /// What was examined.
    pub check: String,
    /// How it is.
    pub status: CheckStatus,
    /// What was found.
    pub found: String,
    /// What to do when it is not good.
    pub advice: Option<String>,
}

/// Boot setting of a module (CLI-033).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BootRow {
    /// The module.
    pub module: ModuleName,
    /// Started at boot.
    pub on: bool,
    /// The `boot` of userconfig.xml when it rules instead, e.g. `auto`.
    pub configured: Option<String>,
}
