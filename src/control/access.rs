//! What a user of the web service may ask for: roles (WEB-23), and which request needs which.

use super::options::{BootOp, RescueRequest, RfsRequest, WebserverOp};
use super::request::Request;
pub use crate::fsm::command::Access;
use crate::log::Lang;
use crate::told::{Told, told};
use serde::{Deserialize, Serialize};

/// Longest user on whose behalf something is asked, bytes.
const MOST_USER: usize = 160;

/// The remote user on whose behalf a program of this machine asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Behalf {
    /// Name and address, e.g. `admin@10.0.0.3` (CLI-008).
    pub user: String,
    /// Its role.
    pub access: Access,
    /// The language that it reads.
    #[serde(default)]
    pub lang: Lang,
}

impl Behalf {
    /// Refuses a name that would spoil a log line.
    pub(super) fn check(&self) -> Result<(), Told> {
        if self.user.is_empty() || self.user.len() > MOST_USER || self.user.chars().any(char::is_control) {
            return Err(told!(
                "the name of the remote user must have 1 to {MOST_USER} bytes and no control characters",
                "le nom de l'utilisateur distant doit avoir 1 à {MOST_USER} octets et aucun caractère de contrôle"
            ));
        }
        Ok(())
    }
}

impl Request {
    /// The least role that may ask it.
    pub fn needs(&self) -> Access {
        self.rule().0
    }

    /// The command as a user knows it, e.g. `start` or `module install`.
    pub fn name(&self) -> String {
        match self {
            Request::Control { command, .. } => command.to_string(),
            other => other.rule().1.to_owned(),
        }
    }

    /// Role and name of each request; no wildcard, so that a new request gets its rule.
    fn rule(&self) -> (Access, &'static str) {
        use Access::{Admin, Control, Monitor};
        match self {
            Request::Ping => (Monitor, "ping"),
            Request::Session(_) => (Monitor, "session"),
            Request::Token(_) => (Admin, "token"),
            Request::Level { .. } => (Monitor, "level"),
            Request::State { .. } => (Monitor, "state"),
            Request::Wait { .. } => (Monitor, "waitstate"),
            Request::Log { .. } => (Monitor, "logview"),
            Request::Watch { .. } => (Monitor, "watch"),
            Request::History { .. } => (Monitor, "history"),
            Request::UserLogs { .. } | Request::UserLog { .. } => (Monitor, "userlog"),
            Request::Nodes => (Monitor, "nodes"),
            Request::Certificate => (Monitor, "certificate"),
            Request::ClusterGet => (Monitor, "cluster"),
            Request::CmdLog { .. } => (Monitor, "cmdlog"),
            Request::Explain { .. } => (Monitor, "explain"),
            Request::FarmBitmaps { .. } => (Monitor, "vip_if_ctrl"),
            Request::FarmOwner { .. } => (Monitor, "farm owner"),
            Request::ModuleList => (Monitor, "module list"),
            Request::ModuleGetPorts(_) => (Monitor, "module getports"),
            Request::ConfInfo { .. } => (Monitor, "confinfo"),
            Request::ClusterConfInfo => (Monitor, "cluster confinfo"),
            Request::ClusterState => (Monitor, "cluster state"),
            Request::ClusterCheck => (Monitor, "cluster check"),
            Request::Control { command, .. } => (command.known().access, "control"),
            Request::Set { .. } => (Control, "set"),
            Request::Print { .. } => (Control, "printi"),
            Request::Loop { .. } => (Control, "incloop"),
            Request::Rfs { request, .. } => (rfs(request), "rfs"),
            Request::Rescue { request, .. } => (rescue(request), "rescue"),
            Request::Clean { .. } => (Admin, "clean"),
            Request::ModuleInstall { .. } => (Admin, "module install"),
            Request::ModulePackage { .. } => (Admin, "module package"),
            Request::Templates => (Admin, "module templates"),
            Request::ConfCheckText { .. } => (Admin, "confcheck"),
            Request::Configurations { .. } => (Admin, "module configurations"),
            Request::ConfigurationGet { .. } => (Admin, "module configuration"),
            Request::ConfigurationRestore { .. } => (Admin, "module restore"),
            Request::ClusterExport => (Admin, "cluster export"),
            Request::ModuleUninstall { .. } => (Admin, "module uninstall"),
            Request::ModuleGenKey { .. } => (Admin, "module genkey"),
            Request::ModuleDelKey { .. } => (Admin, "module delkey"),
            Request::Config { .. } => (Admin, "config"),
            Request::Deconfig { .. } => (Admin, "deconfig"),
            Request::ConfCheck { .. } => (Admin, "confcheck"),
            Request::ClusterConfig { .. } => (Admin, "cluster config"),
            Request::ClusterConfCheck => (Admin, "cluster confcheck"),
            Request::ClusterDeconfig => (Admin, "cluster deconfig"),
            Request::ClusterGenKey => (Admin, "cluster genkey"),
            Request::ClusterDelKey => (Admin, "cluster delkey"),
            Request::Boot { op: BootOp::Status, .. } => (Monitor, "boot status"),
            Request::Boot { op: BootOp::On | BootOp::Off, .. } => (Admin, "boot"),
            Request::Shutdown => (Admin, "shutdown"),
            Request::Webserver { op: WebserverOp::Status | WebserverOp::BootStatus } => {
                (Monitor, "webserver status")
            }
            Request::Webserver { .. } => (Admin, "webserver"),
            Request::Firewall { .. } => (Admin, "firewallcfg"),
        }
    }
}

/// A comparison reads whole directories: it is work for the node, not a look.
fn rfs(request: &RfsRequest) -> Access {
    match request {
        RfsRequest::Policy => Access::Monitor,
        RfsRequest::SetPolicy(_) | RfsRequest::Verify | RfsRequest::Diff => Access::Control,
    }
}

fn rescue(request: &RescueRequest) -> Access {
    match request {
        RescueRequest::List => Access::Monitor,
        RescueRequest::Diff { .. } => Access::Control,
        RescueRequest::Restore { .. } | RescueRequest::Purge(_) => Access::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::command::Command;

    fn start(command: Command) -> Request {
        Request::Control { module: "m".parse().unwrap(), command, identity: None, user: None }
    }

    #[test]
    fn roles_are_ordered() {
        assert!(Access::Monitor < Access::Control && Access::Control < Access::Admin);
    }

    #[test]
    fn who_only_looks_changes_nothing() {
        for request in [
            start(Command::Start),
            start(Command::Stop),
            Request::Config { module: "m".parse().unwrap(), if_signature: None },
            Request::Boot { module: None, op: BootOp::On },
            Request::Shutdown,
        ] {
            assert!(
                request.logged(None).is_some() && request.needs() > Access::Monitor,
                "{}",
                request.name()
            );
        }
        assert_eq!(Request::Boot { module: None, op: BootOp::Status }.needs(), Access::Monitor);
    }

    #[test]
    fn dangerous_commands_are_for_administrators() {
        assert_eq!(start(Command::Prim { fullsync: false }).needs(), Access::Control);
        assert_eq!(start(Command::PrimForce).needs(), Access::Admin);
        assert_eq!(start(Command::PrimForce).name(), "primforce");
    }

    #[test]
    fn names_stay_on_one_line() {
        let behalf = |user: &str| Behalf { user: user.to_owned(), access: Access::Admin, lang: Lang::En };
        assert!(behalf("admin@10.0.0.3").check().is_ok());
        for bad in ["", "a\nb@10.0.0.3", &"u".repeat(MOST_USER + 1)] {
            assert!(behalf(bad).check().is_err());
        }
    }
}
