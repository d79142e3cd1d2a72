//! The node: what `safeadmin` knows and does for its users (spec/cli.md). It runs on the main arbiter;
//! what blocks runs on other threads, and no state is borrowed while something is awaited.

mod cluster;
mod configure;
mod content;
mod control;
mod disk;
mod dispatch;
mod error;
mod farm;
mod follow;
mod french;
mod install;
mod launch;
mod left_behind;
mod node;
mod nodes;
mod observe;
mod owner;
mod pair;
mod realtime;
mod rescue;
mod rfs;
mod run;
mod shutdown;
mod view;
mod watchers;
mod webserver;

pub use error::AdminError;
pub use run::{StartError, run};

use crate::actors::cluster::{Cluster, GetMembers, Heard, Member};
use crate::actors::guard::GuardHandle;
use crate::actors::module::{Farm, Mirror, Module, ModuleHandle, Shown};
use crate::config::cluster::ClusterConfig;
use crate::config::module::ModuleConfig;
use crate::config::paths::Paths;
use crate::control::server::{Backend, Call};
use crate::control::{Caller, Reply, Request};
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::node::cluster::ClusterInfo;
use crate::node::configure::ConfInfo;
use crate::node::modules::Elsewhere;
use crate::store::Store;
use crate::told::{Tell, Told};
use actix::{Addr, ArbiterHandle, Handler, MailboxError, Message};
use error::{ANSWER_S, TURN_S};
use jiff::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// The node; clones are the same one.
#[derive(Clone)]
pub struct Admin(Rc<Inner>);

struct Inner {
    paths: Paths,
    /// Identity of this boot.
    boot: String,
    store: Store,
    guard: GuardHandle,
    hearts: ArbiterHandle,
    cluster: Addr<Cluster>,
    heard: Heard,
    /// The cluster, or why this node is in none.
    place: RefCell<Result<Arc<Place>, Told>>,
    slots: RefCell<BTreeMap<ModuleName, Slot>>,
    /// The cluster configuration, if there is one, whether this node is in it or not.
    cluster_info: RefCell<Option<ClusterInfo>>,
    /// What the other nodes said last, for the command log.
    seen: RefCell<view::Seen>,
    /// One change of the configuration at a time.
    turn: Mutex<()>,
    /// What the `state` scripts that run now will say.
    scripts: RefCell<observe::Scripts>,
    /// The other nodes are to be told something else.
    news: Notify,
    /// Consoles are to be shown something else.
    stirred: watch::Sender<()>,
    /// How many there are.
    watchers: watch::Sender<usize>,
    disk: disk::Disk,
    /// A module that was being changed is free again.
    freed: watch::Sender<()>,
    /// All modules of the disk are known: before, each would look as if it were not installed.
    launched: watch::Sender<bool>,
    stopping: Cell<bool>,
    /// Commands of remote users so far.
    remote: Cell<u32>,
}

/// First number of a command of a remote user: beyond all processes (the kernel's PID_MAX_LIMIT).
const BEYOND_PROCESSES: u32 = 1 << 22;

/// This node in its cluster.
struct Place {
    config: ClusterConfig,
    me: NodeName,
    info: ClusterInfo,
}

impl Place {
    /// Index and name of this node.
    fn me(&self) -> (u8, NodeName) {
        // It was found among these nodes.
        let index = self.config.nodes().iter().position(|n| *n == self.me).unwrap_or_default();
        (u8::try_from(index).unwrap_or(u8::MAX), self.me.clone())
    }
}

/// An installed module.
struct Slot {
    id: ModuleId,
    /// Its active configuration, if there is a readable one.
    config: Option<Arc<ModuleConfig>>,
    /// Signature and date of it.
    applied: Option<ConfInfo>,
    /// Its instance, or why there is none.
    instance: Result<Instance, Told>,
    /// What it showed last, while it is launched again.
    between: Option<Shown>,
    /// The active configuration has a key.
    encrypted: bool,
    /// It is being changed: nothing else may change it.
    busy: Option<Change>,
}

/// What a module is being changed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// Its configuration, which may take long: commands are refused meanwhile.
    Configuration,
    /// Another instance of the same: commands wait for that.
    Instance,
}

#[derive(Clone)]
struct Instance {
    handle: ModuleHandle,
    /// The two nodes of a mirror module.
    pair: Option<pair::Pair>,
    /// The cluster as it was made for: when that has changed, another instance takes over in STOP.
    place: Arc<Place>,
}

impl Slot {
    fn role(&self) -> Role {
        self.instance.as_ref().map_or(Role::Stop, |i| i.handle.shown.borrow().role)
    }

    fn shown(&self) -> (Role, Readiness) {
        let stopped = (Role::Stop, Readiness::NotReady);
        self.instance.as_ref().map_or(stopped, |i| {
            let shown = i.handle.shown.borrow();
            (shown.role, shown.readiness)
        })
    }
}

/// Blocking work on another thread.
async fn off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AdminError> {
    Ok(tokio::task::spawn_blocking(work).await?)
}

/// Asks a module; it has a bounded time to answer.
async fn ask<M>(handle: &ModuleHandle, message: M) -> Result<M::Result, AdminError>
where
    Module<Mirror>: Handler<M>,
    Module<Farm>: Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    answered(handle, handle.addr.send(message)).await
}

/// Asks a mirror module for what only those with replicated directories have.
async fn ask_mirror<M>(handle: &ModuleHandle, message: M) -> Result<M::Result, AdminError>
where
    Module<Mirror>: Handler<M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    let mirror = handle.addr.mirror().ok_or_else(|| AdminError::NoRfs(handle.name.clone()))?;
    answered(handle, mirror.send(message)).await
}

async fn answered<T>(
    handle: &ModuleHandle,
    answer: impl Future<Output = Result<T, MailboxError>>,
) -> Result<T, AdminError> {
    match timeout(Duration::from_secs(ANSWER_S), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) => Err(AdminError::NoAnswer(handle.name.clone())),
    }
}

/// Marks a module as being changed, for as long as it lives.
struct Mark {
    admin: Admin,
    module: ModuleName,
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some(slot) = self.admin.0.slots.borrow_mut().get_mut(&self.module) {
            slot.busy = None;
        }
        self.admin.0.freed.send_replace(());
    }
}

impl Admin {
    /// Something of a slot; refused if the module is not installed.
    fn slot<T>(&self, module: &ModuleName, read: impl FnOnce(&Slot) -> T) -> Result<T, AdminError> {
        let slots = self.0.slots.borrow();
        slots.get(module).map(read).ok_or_else(|| AdminError::NotInstalled(module.clone()))
    }

    /// The instance of a module that can run. One that is being replaced is waited for.
    async fn instance(&self, module: &ModuleName) -> Result<Instance, AdminError> {
        self.in_turn(module, || self.present(module)).await
    }

    /// Takes the module for a change, after an instance that is being replaced.
    async fn mark(&self, module: &ModuleName, change: Change) -> Result<Mark, AdminError> {
        self.in_turn(module, || self.try_mark(module, change)).await
    }

    /// Tries again while the instance of the module is being replaced, for a bounded time. Nothing comes between
    /// what succeeds and whoever goes on with it.
    async fn in_turn<T>(
        &self,
        module: &ModuleName,
        mut tried: impl FnMut() -> Result<T, AdminError>,
    ) -> Result<T, AdminError> {
        let mut freed = self.0.freed.subscribe();
        let replaced = || self.slot(module, |slot| slot.busy == Some(Change::Instance)).unwrap_or(false);
        let end = Instant::now() + Duration::from_secs(ANSWER_S);
        loop {
            freed.borrow_and_update();
            match tried() {
                Err(AdminError::Busy(_)) if replaced() && Instant::now() < end => {
                    let _late = timeout_at(end, freed.changed()).await;
                }
                other => return other,
            }
        }
    }

    fn present(&self, module: &ModuleName) -> Result<Instance, AdminError> {
        self.slot(module, |slot| {
            if slot.busy.is_some() {
                return Err(AdminError::Busy(module.clone()));
            }
            match (&slot.instance, &slot.applied) {
                (Ok(instance), _) => Ok(instance.clone()),
                (Err(_), None) => Err(AdminError::NotConfigured(module.clone())),
                (Err(why), _) => Err(AdminError::NotLaunched(module.clone(), why.clone())),
            }
        })?
    }

    fn try_mark(&self, module: &ModuleName, change: Change) -> Result<Mark, AdminError> {
        let mut slots = self.0.slots.borrow_mut();
        let slot = slots.get_mut(module).ok_or_else(|| AdminError::NotInstalled(module.clone()))?;
        if slot.busy.is_some() {
            return Err(AdminError::Busy(module.clone()));
        }
        slot.busy = Some(change);
        Ok(Mark { admin: self.clone(), module: module.clone() })
    }

    /// Waits for the turn to change the configuration.
    async fn turn(&self) -> Result<MutexGuard<'_, ()>, AdminError> {
        timeout(Duration::from_secs(TURN_S), self.0.turn.lock()).await.map_err(|_| AdminError::Turn)
    }

    fn place(&self) -> Result<Arc<Place>, AdminError> {
        self.0.place.borrow().clone().map_err(AdminError::NoPlace)
    }

    /// The node has changed: the other nodes and the consoles are to know.
    fn changed(&self) {
        self.0.news.notify_one();
        self.0.disk.touch();
        self.stir();
    }

    fn names(&self) -> Vec<ModuleName> {
        self.0.slots.borrow().keys().cloned().collect()
    }

    async fn members(&self) -> Result<Vec<Member>, AdminError> {
        match timeout(Duration::from_secs(ANSWER_S), self.0.cluster.send(GetMembers)).await {
            Ok(Ok(mut members)) => {
                // What this node says of itself is true at once, not when the cluster has heard of it.
                for member in members.iter_mut().filter(|m| m.me) {
                    let ids = member.view.as_ref().map(|v| (v.safekit_uid, v.safekit_gid));
                    member.view = Some(self.node_view(ids.unwrap_or_default()));
                }
                Ok(members)
            }
            Ok(Err(_)) | Err(_) => Err(AdminError::NoCluster),
        }
    }

    /// Modules of the other nodes that are online.
    async fn elsewhere(&self) -> Result<Vec<Elsewhere>, AdminError> {
        let members = self.members().await?;
        let online = members.into_iter().filter(|m| m.online && !m.me);
        let module = |node: NodeName| {
            move |m: crate::actors::cluster::ModuleView| Elsewhere {
                node: node.clone(),
                module: m.name,
                id: m.id,
                configured: m.configured,
            }
        };
        Ok(online.flat_map(|m| m.view.unwrap_or_default().modules.into_iter().map(module(m.name))).collect())
    }

    /// Waits until the modules are launched, for a bounded time: one may hang in the resolver.
    async fn launched(&self) {
        let mut launched = self.0.launched.subscribe();
        let _late = timeout(Duration::from_secs(ANSWER_S), launched.wait_for(|launched| *launched)).await;
    }

    /// What identifies a command in the command log (MSG-CMD-01): its process. All remote users speak through
    /// one, the web service: their commands are counted.
    fn number(&self, caller: &Caller) -> u32 {
        if caller.remote.is_none() {
            return u32::try_from(caller.pid).unwrap_or(0);
        }
        let before = self.0.remote.get();
        self.0.remote.set(before.wrapping_add(1) % BEYOND_PROCESSES);
        BEYOND_PROCESSES + before
    }

    /// Sends a text in the language of the user.
    async fn tell(&self, call: &Call, text: Told) {
        self.say(call, Reply::Text(text.into(call.caller.lang))).await;
    }

    /// Sends a piece of the answer; a user who has gone away misses it.
    async fn say(&self, call: &Call, reply: Reply) {
        let _gone = call.sink.send(reply).await;
    }
}

impl Backend for Admin {
    async fn handle(&self, call: Call) -> i32 {
        let commands = self.0.store.commands();
        let lang = call.caller.lang;
        let logged = call.request.logged(call.caller.remote.as_deref()).map(|line| {
            let (module, number) = (call.request.module().map(ModuleName::as_str), self.number(&call.caller));
            commands.start(Timestamp::now(), module, number, &line);
            number
        });
        if call.request != Request::Ping {
            self.launched().await;
        }
        let code = match self.answer(&call).await {
            Ok(code) => code,
            Err(error) => {
                self.say(&call, Reply::error(error.kind(), error.told().into(lang))).await;
                1
            }
        };
        if let Some(number) = logged {
            self.0.disk.touch();
            commands.end(Timestamp::now(), number, code);
        }
        code
    }
}
