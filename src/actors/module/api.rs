//! What the rest of safeadmin may ask of a module's actor.

use super::{Farm, Mirror, Module};
use crate::actors::group::Group;
use crate::config::module::ModuleConfig;
use crate::config::paths::Paths;
use crate::control::{LogChoice, LoopOp, LoopReport, PrintLevel, RfsReport, ShareRow};
use crate::fsm::command::{Caller, Command};
use crate::fsm::instance::Refused;
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::node::keys::SecretKey;
use crate::node::rfssync::Policy;
use crate::rfs::control::Measure;
use crate::store::ModuleStore;
use crate::told::Told;
use actix::{Addr, Handler, MailboxError, Message};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// All that a module instance is made from.
pub struct Setup {
    /// The module.
    pub name: ModuleName,
    /// Its number: ports derive from it.
    pub id: ModuleId,
    /// Where things are.
    pub paths: Paths,
    /// Its active configuration.
    pub config: Arc<ModuleConfig>,
    /// Identity of this boot of the node: what another boot left does not run any more.
    pub boot: String,
    /// Index and name of this node in cluster.xml.
    pub me: (u8, NodeName),
    /// Key of the module, if it has one (CFG-GEN-07).
    pub key: Option<SecretKey>,
    /// Its journal.
    pub store: ModuleStore,
    /// The thread that talks to the guard.
    pub guard: crate::actors::guard::GuardHandle,
}

/// A module instance as seen from outside. Dropping it does not end it: send [`Close`].
#[derive(Clone)]
pub struct ModuleHandle {
    /// The module.
    pub name: ModuleName,
    /// Its number.
    pub id: ModuleId,
    /// Its configuration.
    pub config: Arc<ModuleConfig>,
    /// Its actor.
    pub addr: ModuleAddr,
    /// What it shows; changes wake.
    pub shown: watch::Receiver<Shown>,
    /// Its journal.
    pub store: ModuleStore,
}

/// The actor of a module, by its kind.
#[derive(Clone, PartialEq, Eq)]
pub enum ModuleAddr {
    /// Of a mirror module.
    Mirror(Addr<Module<Mirror>>),
    /// Of a farm or light module.
    Farm(Addr<Module<Farm>>),
}

impl ModuleAddr {
    /// Asks for something that every module answers.
    ///
    /// # Errors
    /// The actor has ended.
    pub async fn send<M>(&self, message: M) -> Result<M::Result, MailboxError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Module<Mirror>: Handler<M>,
        Module<Farm>: Handler<M>,
    {
        match self {
            ModuleAddr::Mirror(addr) => addr.send(message).await,
            ModuleAddr::Farm(addr) => addr.send(message).await,
        }
    }

    /// The actor of a farm or light module.
    pub fn farm(&self) -> Option<&Addr<Module<Farm>>> {
        match self {
            ModuleAddr::Farm(addr) => Some(addr),
            ModuleAddr::Mirror(_) => None,
        }
    }

    /// The actor of a mirror module.
    pub fn mirror(&self) -> Option<&Addr<Module<Mirror>>> {
        match self {
            ModuleAddr::Mirror(addr) => Some(addr),
            ModuleAddr::Farm(_) => None,
        }
    }
}

/// What a module shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its role here.
    pub role: Role,
    /// Its readiness here.
    pub readiness: Readiness,
    /// `state.remote`; none without a peer.
    pub remote: Option<String>,
    /// Time of the last change of state.
    pub since: Timestamp,
    /// First line of `explain`.
    pub reason: Told,
    /// Of a mirror with replicated directories: its data are up to date.
    pub uptodate: Option<bool>,
    /// It goes on without replication.
    pub degraded: bool,
    /// Of a farm: what this node serves.
    pub shares: Vec<ShareRow>,
    /// Commands that make sense now.
    pub commands: Vec<Command>,
    /// Time of the last start of the application here, in microseconds since 1970, and later than the one
    /// before whatever the clock says; 0 before the first one of this boot. It outlives safeadmin.
    pub starts: u64,
    /// Changes of resources so far.
    pub changes: u64,
    /// How far its reintegration is, while there is one.
    pub progress: Option<Measure>,
    /// Evaluations of the failover rules so far: "nothing happens" is asserted by it.
    pub evaluations: u64,
}

/// The group of a farm module, while it shares clients.
#[derive(Debug, Message)]
#[rtype(result = "Option<Addr<Group>>")]
pub struct GetGroup;

/// A control command. Answered once it is accepted or refused.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refused>")]
pub struct Control {
    /// The command.
    pub command: Command,
    /// Who asks.
    pub caller: Caller,
}

/// `safekit set` (CLI-113).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetResource {
    /// The resource.
    pub name: ResourceName,
    /// Its new value.
    pub value: Value,
    /// Whether it is logged.
    pub log: LogChoice,
    /// Who sets it.
    pub setter: String,
}

/// `safekit printi` and `printe` (CLI-087).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Print(pub PrintLevel, pub String);

/// `incloop`, `resetloop`, `checkloop` (CLI-110 to CLI-112).
#[derive(Debug, Message)]
#[rtype(result = "LoopReport")]
pub struct Loop(pub LoopOp, pub Option<String>);

/// The synchronization policy (CLI-063); first a new one, which is durable already.
#[derive(Debug, Message)]
#[rtype(result = "Policy")]
pub struct SyncPolicy(pub Option<Policy>);

/// A comparison of the replicated directories; what it says comes through the sender, [`News::End`] last
/// (RFS-61, RFS-62). Refused in a state that it is not for. Who drops the receiver ends it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Told>")]
pub struct Examine(pub Examination, pub mpsc::Sender<News>);

/// Which comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examination {
    /// Of this SECOND with the primary.
    Verify,
    /// Of this ALONE with what a secondary has.
    Diff,
}

/// What a comparison says.
#[derive(Clone, Debug)]
pub enum News {
    /// How far it is.
    Progress(Measure),
    /// What it found.
    Report(RfsReport),
    /// It is over, or why it broke off.
    End(Result<(), Told>),
}

/// Every resource with the time of its last assignment.
#[derive(Debug, Message)]
#[rtype(result = "Vec<(ResourceName, Value, Timestamp)>")]
pub struct GetResources;

/// `safekit explain`.
#[derive(Debug, Message)]
#[rtype(result = "crate::fsm::explain::Explanation")]
pub struct Explain;

/// `clean resource`: what checkers and commands set is forgotten (CLI-107).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Forget;

/// End of the instance: its actors stop; nothing of the module is touched. A new instance takes it
/// over, with the new configuration if there is one: that is a dynamic configuration (CFG-GEN-04).
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Close;
