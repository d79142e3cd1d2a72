//! Why a command of a user fails: the text is what he reads.

use super::farm::FarmError;
use super::pair::PairError;
use super::watchers::WATCHERS;
use crate::actors::cluster::SetupError;
use crate::actors::module::LaunchError;
use crate::config::archive::ArchiveError;
use crate::config::error::ConfigErrors;
use crate::control::FailureKind;
use crate::fsm::instance::Refused;
use crate::ids::ModuleName;
use crate::log::userlog::UserlogError;
use crate::node::cluster::ClusterError;
use crate::node::cluster_zip::ClusterZipError;
use crate::node::configure::ConfigureError;
use crate::node::firewall::FirewallError;
use crate::node::identity::IdentityError;
use crate::node::keys::KeyError;
use crate::node::modules::ModuleError;
use crate::node::record::RecordError;
use crate::node::webserver::WebserverError;
use crate::rfs::rescue::RescueError;
use crate::store::StoreError;
use crate::told::Told;

/// Seconds in which a module must answer.
pub const ANSWER_S: u64 = 10;
/// Seconds for which a change of the configuration waits for the one before it.
pub const TURN_S: u64 = 120;

/// Why a command fails.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Not there.
    #[error("module {0} is not installed: install it with \"safekit module install -m {0}\"")]
    NotInstalled(ModuleName),
    /// Installed only.
    #[error("module {0} is not configured: run \"safekit config -m {0}\"")]
    NotConfigured(ModuleName),
    /// Configured, but it cannot be launched.
    #[error("module {0} cannot run: {1}")]
    NotLaunched(ModuleName, Told),
    /// Its actor is stuck or gone.
    #[error(
        "module {0} does not answer within {ANSWER_S} s: see the journal of safeadmin (journalctl -u safeadmin)"
    )]
    NoAnswer(ModuleName),
    /// The cluster's actor is stuck or gone.
    #[error("the cluster does not answer within {ANSWER_S} s: see the journal of safeadmin")]
    NoCluster,
    /// Between two configurations.
    #[error("module {0} is being configured or launched again: try again when that has ended")]
    Busy(ModuleName),
    /// A long change goes on.
    #[error("another change of the configuration has been under way for {TURN_S} s: try again later")]
    Turn,
    /// Others read slowly.
    #[error("other archives are being sent: try again when one has ended")]
    Archives,
    /// It runs with what is to be changed.
    #[error("module {0} is running: stop it first ({1})")]
    Running(ModuleName, Told),
    /// Somebody else was faster.
    #[error("{0} has changed meanwhile: look at what it is now, then change that; nothing was changed")]
    Conflict(Told),
    /// No such script log.
    #[error("\"{0}\" is no script log of module {1}: the module was started again, or its logs were cleaned")]
    NoUserlog(String, ModuleName),
    /// Not kept, or not any more.
    #[error("\"{0}\" is none of the last successful configurations of module {1}: give one of the list")]
    NoConfiguration(String, ModuleName),
    /// Too many consoles.
    #[error("{WATCHERS} watchers look at this node already: close a window of the console")]
    Watchers,
    /// The machine goes down.
    #[error("the modules of this node are being stopped: nothing can be started now")]
    Stopping,
    /// This node takes part in no cluster.
    #[error("{0}")]
    NoPlace(Told),
    /// No `<rfs>`.
    #[error("module {0} has no replicated directories: it is configured without <rfs>")]
    NoRfs(ModuleName),
    /// The replication refuses.
    #[error("{0}")]
    Rfs(Told),
    /// Rescue archives.
    #[error(transparent)]
    Rescue(#[from] RescueError),
    /// The work did not end.
    #[error("the work broke off: {0}; see the journal of safeadmin")]
    Broken(#[from] tokio::task::JoinError),
    /// The state or the data do not allow it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Installed modules.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// Configuration of a module.
    #[error(transparent)]
    Configure(#[from] ConfigureError),
    /// Configuration of the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The cluster as this node uses it.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A zip of cluster.xml and key.
    #[error(transparent)]
    Zip(#[from] ClusterZipError),
    /// Faults of a file.
    #[error(transparent)]
    Faults(#[from] ConfigErrors),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A durable file.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The logs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A log of a script.
    #[error(transparent)]
    Userlog(#[from] UserlogError),
    /// The web service.
    #[error(transparent)]
    Webserver(#[from] WebserverError),
    /// The firewall.
    #[error(transparent)]
    Firewall(#[from] FirewallError),
    /// Which node this is.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The two nodes of a module.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// A farm module has no network.
    #[error(transparent)]
    Farm(#[from] FarmError),
    /// It shares no clients.
    #[error("module {0} is no farm: only modules with mode=\"farm\" share clients between nodes")]
    NoFarm(ModuleName),
    /// It serves nobody here.
    #[error("module {0} is not up on this node: ask a node where it is, or start it")]
    NotUp(ModuleName),
    /// The packet filter of a farm.
    #[error(transparent)]
    Filter(#[from] crate::farm::FarmError),
    /// The beginning of a module instance.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A file or directory.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Io(std::path::PathBuf, std::io::Error),
}

impl AdminError {
    /// What whoever asks can do about it.
    pub fn kind(&self) -> FailureKind {
        use AdminError as E;
        match self {
            E::NotInstalled(_) | E::NoUserlog(..) | E::NoConfiguration(..) => FailureKind::NotFound,
            E::Conflict(_) => FailureKind::Conflict,
            E::NoAnswer(_)
            | E::NoCluster
            | E::Busy(_)
            | E::Turn
            | E::Archives
            | E::Watchers
            | E::Stopping => FailureKind::Busy,
            E::Broken(_) | E::Record(_) | E::Userlog(_) | E::Io(..) => FailureKind::Failed,
            E::Store(StoreError::Busy(_)) => FailureKind::Busy,
            E::Store(_) => FailureKind::Failed,
            E::Module(error) | E::Pair(PairError::Elsewhere(error)) => of_module(error),
            E::Configure(error) => of_configuration(error),
            E::Cluster(ClusterError::Record(_)) => FailureKind::Failed,
            E::Cluster(ClusterError::Key(error)) | E::Key(error) => of_key(error),
            E::Rescue(RescueError::Io { .. } | RescueError::Record(_)) => FailureKind::Failed,
            E::NotConfigured(_)
            | E::NotLaunched(..)
            | E::Running(..)
            | E::NoPlace(_)
            | E::NoRfs(_)
            | E::Rfs(_)
            | E::Rescue(_)
            | E::Refused(_)
            | E::Cluster(_)
            | E::Setup(_)
            | E::Zip(_)
            | E::Faults(_)
            | E::Webserver(_)
            | E::Firewall(_)
            | E::Identity(_)
            | E::Pair(_)
            | E::Farm(_)
            | E::NoFarm(_)
            | E::NotUp(_)
            | E::Filter(_)
            | E::Launch(_) => FailureKind::Refused,
        }
    }
}

fn of_module(error: &ModuleError) -> FailureKind {
    match error {
        ModuleError::NotInstalled(_) | ModuleError::NoTemplate { .. } => FailureKind::NotFound,
        ModuleError::AlreadyInstalled(_) | ModuleError::IdHeld { .. } => FailureKind::Conflict,
        ModuleError::Record(_) | ModuleError::Archive(ArchiveError::Io { .. }) => FailureKind::Failed,
        ModuleError::Configure(error) => of_configuration(error),
        _ => FailureKind::Refused,
    }
}

fn of_configuration(error: &ConfigureError) -> FailureKind {
    match error {
        ConfigureError::NotInstalled(_) | ConfigureError::NoFile(_) => FailureKind::NotFound,
        ConfigureError::Record(_) | ConfigureError::Archive(ArchiveError::Io { .. }) => FailureKind::Failed,
        _ => FailureKind::Refused,
    }
}

fn of_key(error: &KeyError) -> FailureKind {
    match error {
        KeyError::NotInstalled(_) => FailureKind::NotFound,
        KeyError::Record(_) | KeyError::Random(_) => FailureKind::Failed,
        KeyError::NotAKey(_) => FailureKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_apart() {
        let m: ModuleName = "m".parse().unwrap();
        for (error, kind) in [
            (AdminError::NotInstalled(m.clone()), FailureKind::NotFound),
            (ModuleError::NotInstalled(m.clone()).into(), FailureKind::NotFound),
            (ModuleError::AlreadyInstalled(m.clone()).into(), FailureKind::Conflict),
            (ConfigureError::NotInstalled(m.clone()).into(), FailureKind::NotFound),
            (KeyError::NotInstalled(m.clone()).into(), FailureKind::NotFound),
            (ConfigureError::Running(m.clone()).into(), FailureKind::Refused),
            (AdminError::Conflict(Told::same("m")), FailureKind::Conflict),
            (Refused::NoPrimary.into(), FailureKind::Refused),
            (AdminError::Busy(m), FailureKind::Busy),
            (StoreError::NoWriter("gone".to_owned()).into(), FailureKind::Failed),
        ] {
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
