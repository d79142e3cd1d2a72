//! The local protocol: typed requests and answers shared by the command line and the web service.
//!
//! One connection carries one request. Both sides exchange [`frame`]s; the user's files travel
//! as attachments, so that no path of the user is ever opened by root on his behalf.

pub mod access;
pub mod async_client;
pub mod caller;
mod check;
pub mod client;
mod content;
mod farm;
pub mod frame;
mod options;
mod overview;
mod peers;
pub mod reply;
pub mod request;
pub mod server;
mod sink;

pub use access::{Access, Behalf};
pub use caller::Caller;
pub use content::{
    CertificateReport, ConfigurationRow, Fault, HistoryRow, TemplateKind, TemplateRow, UserLogRow,
};
pub use farm::{BitmapRow, FarmReport, OwnerRow};
pub use options::{
    BootOp, CleanWhat, ClusterSource, FirewallOp, InstallSource, LogChoice, LoopOp, PortsOf, PrintLevel,
    RescueRequest, RfsRequest, SessionEvent, TokenEvent, Until, WebserverOp,
};
pub use overview::{
    AddressRow, ClusterOverview, ClusterReport, ModuleOverview, NodeRow, Overview, ProgressReport, SavedKey,
    ShareRow,
};
pub use reply::{
    BootRow, CheckRow, CheckStatus, ClusterNodeRow, ClusterStateRow, CommandRow, ConfInfo, DifferentFile,
    ExplainReport, Failure, FailureKind, LevelReport, LogLine, LoopReport, ModuleRow, PortRow, Reply,
    RescueReport, ResourceRow, RfsReport, Stamp, StateReport,
};
pub use request::Request;
pub use sink::{Gone, ReplySink};

/// Version of the protocol; both sides must have the same.
pub const PROTOCOL: u32 = 2;

/// Group whose members may use `safekit`, besides root (CLI-002).
pub const GROUP: &str = "safekit";
