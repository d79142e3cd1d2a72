//! Module instances: how they are launched, replaced and launched again.

use super::farm;
use super::pair::{self, Known, Pair};
use super::{Admin, AdminError, Change, Instance, Place, Slot, ask, off};
use crate::actors::cluster::Heard;
use crate::actors::guard::GuardHandle;
use crate::actors::module::{self, Close, FarmSetup, ModuleHandle, PairSetup, Setup, Shown};
use crate::config::module::{Mode, ModuleConfig};
use crate::config::paths::Paths;
use crate::fsm::state::{Readiness, Role};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::node::identity::Machine;
use crate::node::modules::Elsewhere;
use crate::node::{boot, configure, keys, modules, record, rfssync};
use crate::store::Store;
use crate::told::{Tell, Told, told};
use actix::{ArbiterHandle, System};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long an instance may take until it shows its state.
const BEGIN: Duration = Duration::from_secs(1);
/// Pause before an instance that broke down is launched again.
const AGAIN: Duration = Duration::from_secs(2);

/// What a launch needs on another thread.
struct Order {
    module: ModuleName,
    paths: Paths,
    boot: String,
    store: Store,
    guard: GuardHandle,
    hearts: ArbiterHandle,
    heard: Heard,
    place: Result<Arc<Place>, Told>,
    elsewhere: Vec<Elsewhere>,
    system: System,
}

impl Admin {
    /// Reads what is installed as `module` and launches it if it is configured. An instance that may be
    /// there is replaced without touching the application.
    pub(super) async fn launch(&self, module: &ModuleName) -> Result<(), AdminError> {
        self.close(module).await;
        // Without the others only the modules of large clusters lack something, and they say so.
        let elsewhere = self.elsewhere().await.unwrap_or_default();
        let order = Order {
            module: module.clone(),
            paths: self.0.paths.clone(),
            boot: self.0.boot.clone(),
            store: self.0.store.clone(),
            guard: self.0.guard.clone(),
            hearts: self.0.hearts.clone(),
            heard: self.0.heard.clone(),
            place: self.0.place.borrow().clone(),
            elsewhere,
            system: System::current(),
        };
        let launched = off(move || order.carry_out()).await.and_then(|slot| slot);
        let mut slot = match launched {
            Ok(slot) => slot,
            Err(error) => {
                self.0.slots.borrow_mut().get_mut(module).map(|slot| slot.between.take());
                self.changed();
                return Err(error);
            }
        };
        let watched = slot.instance.as_ref().ok().map(|i| i.handle.clone());
        if let Some(handle) = &watched {
            // What it shows is complete once it has said why it is in its state.
            let mut shown = handle.shown.clone();
            let _late = timeout(BEGIN, shown.wait_for(|shown| !shown.reason.is_empty())).await;
        }
        {
            let mut slots = self.0.slots.borrow_mut();
            slot.busy = slots.get(module).and_then(|old| old.busy);
            slots.insert(module.clone(), slot);
        }
        if let Some(handle) = watched {
            let admin = self.clone();
            actix::spawn(async move { admin.watch(handle).await });
        }
        if let Ok(members) = self.members().await {
            self.tell_holders(&members);
        }
        self.changed();
        Ok(())
    }

    /// Ends the instance, if there is one; the application is not touched.
    pub(super) async fn close(&self, module: &ModuleName) {
        let instance = {
            let mut slots = self.0.slots.borrow_mut();
            let gone = Err(told!("it is being launched again", "il est en cours de relance"));
            slots.get_mut(module).map(|slot| {
                slot.between = slot.instance.as_ref().ok().map(|i| i.handle.shown.borrow().clone());
                std::mem::replace(&mut slot.instance, gone)
            })
        };
        let Some(Ok(instance)) = instance else { return };
        if let Err(error) = ask(&instance.handle, Close).await {
            tracing::warn!(%module, %error, "the former instance did not take its leave");
        }
    }

    /// Tells the others what changes, and launches the module again if its instance breaks down, or has stopped
    /// and the cluster has left it behind: what the other node hears of it comes from its new addresses then.
    async fn watch(&self, handle: ModuleHandle) {
        let (mut shown, mut freed) = (handle.shown.clone(), self.0.freed.subscribe());
        let mut last = None;
        loop {
            freed.borrow_and_update();
            let now = Shown { evaluations: 0, changes: 0, ..shown.borrow_and_update().clone() };
            let state = |shown: &Shown| (shown.role, shown.readiness);
            if last.as_ref() != Some(&now) {
                self.stir();
            }
            if last.as_ref().is_some_and(|last| state(last) != state(&now)) {
                self.0.news.notify_one();
                self.own_change(&handle.name, now.readiness);
            }
            let stopped = (now.role, now.readiness) == (Role::Stop, Readiness::NotReady);
            last = Some(now);
            if stopped && !self.0.stopping.get() && self.in_use(&handle).is_some_and(|i| self.outdated(&i)) {
                self.launch_again(&handle.name).await;
            }
            tokio::select! {
                changed = shown.changed() => if changed.is_err() { break },
                // A command may have had the module when it stopped.
                _ = freed.changed() => {}
            }
        }
        self.relaunch_broken(&handle).await;
    }

    /// The instance of this handle, unless there is another one or none any more.
    fn in_use(&self, handle: &ModuleHandle) -> Option<Instance> {
        let instance = self.slot(&handle.name, |s| s.instance.clone().ok()).ok().flatten();
        instance.filter(|instance| instance.handle.addr == handle.addr)
    }

    /// The instance has ended: on purpose, unless it is still the one in use.
    async fn relaunch_broken(&self, handle: &ModuleHandle) {
        let module = &handle.name;
        if self.in_use(handle).is_none() {
            return;
        }
        tracing::error!(%module, "the actor of the module broke down: it is launched again");
        tokio::time::sleep(AGAIN).await;
        let mut freed = self.0.freed.subscribe();
        while self.in_use(handle).is_some() {
            freed.borrow_and_update();
            if !self.launch_again(module).await {
                let _free = freed.changed().await;
            }
        }
    }

    /// Launches a module again; false while something else changes it.
    async fn launch_again(&self, module: &ModuleName) -> bool {
        let Ok(_mark) = self.try_mark(module, Change::Instance) else { return false };
        if let Err(error) = self.launch(module).await {
            tracing::error!(%module, %error, "the module cannot be launched");
        }
        true
    }

    /// Launches again what a change of the cluster has made possible or out of date. Modules that run
    /// go on as they are until they stop, and so do those that something else changes until that has ended.
    pub(super) async fn follow_cluster(&self) {
        for module in self.names() {
            if self.slot(&module, |s| s.role() == Role::Stop && s.applied.is_some()).unwrap_or(false) {
                self.launch_again(&module).await;
            }
        }
    }

    /// Launches what waited for the word of another node.
    pub(super) async fn launch_waiting(&self) {
        for module in self.names() {
            if self.slot(&module, |s| s.instance.is_err() && s.applied.is_some()).unwrap_or(false) {
                self.launch_again(&module).await;
            }
        }
    }

    /// Whether the cluster has changed since the instance was launched.
    pub(super) fn outdated(&self, instance: &Instance) -> bool {
        !self.place().is_ok_and(|place| Arc::ptr_eq(&place, &instance.place))
    }

    /// In STOP, replaces an instance that the cluster has left behind.
    pub(super) async fn refresh(&self, module: &ModuleName) -> Result<Instance, AdminError> {
        let instance = self.instance(module).await?;
        let stopped = instance.handle.shown.borrow().role == Role::Stop;
        if !(stopped && self.outdated(&instance)) {
            return Ok(instance);
        }
        let mark = self.try_mark(module, Change::Instance)?;
        self.launch(module).await?;
        drop(mark);
        self.instance(module).await
    }
}

impl Order {
    fn carry_out(self) -> Result<Slot, AdminError> {
        let module = self.module.clone();
        let id = modules::id(&self.paths, &self.module)?;
        let applied = configure::applied(&self.paths, &self.module)?;
        let read = configure::active(&self.paths, &self.module).map_err(|e| e.told());
        let config = read.clone().ok().flatten().map(Arc::new);
        let encrypted = keys::active_module_key(&self.paths, &self.module).is_ok_and(|key| key.is_some());
        let instance = match (read, &config) {
            (Err(why), _) => Err(why),
            (Ok(_), None) => Err(told!("it is not configured", "il n'est pas configuré")),
            (Ok(_), Some(config)) => self.instance(id, config.clone()).map_err(|e| e.told()),
        };
        if let (Err(why), true) = (&instance, applied.is_some()) {
            tracing::warn!(%module, %why, "the module is not launched");
        }
        Ok(Slot { id, config, applied, instance, between: None, encrypted, busy: None })
    }

    fn instance(self, id: ModuleId, config: Arc<ModuleConfig>) -> Result<Instance, AdminError> {
        let place = self.place.clone().map_err(AdminError::NoPlace)?;
        let uservar = self.paths.uservar(&self.module);
        std::fs::create_dir_all(&uservar).map_err(|e| AdminError::Io(uservar.clone(), e))?;
        let setup = Setup {
            id,
            config: config.clone(),
            boot: self.boot,
            me: place.me(),
            key: keys::active_module_key(&self.paths, &self.module)?,
            store: self.store.module(&self.module, &uservar),
            guard: self.guard,
            name: self.module.clone(),
            paths: self.paths.clone(),
        };
        // The module makes its arbiter from here, and arbiters belong to the system.
        System::set_current(self.system);
        if config.service.mode != Mode::Mirror {
            let lans =
                config.farm.as_ref().map(|farm| farm::lans(farm, &place.config, &place.me)).transpose()?;
            let of_farm = |lans| FarmSetup { nodes: place.config.nodes(), lans, hearts: self.hearts };
            let handle = module::launch_farm(setup, lans.map(of_farm))?;
            return Ok(Instance { handle, pair: None, place });
        }
        let pair = find_pair(&self.paths, &self.module, id, &config, &place, &self.elsewhere)?;
        remember_peer(&self.paths, &self.module, &pair.peer.1)?;
        let settings = boot::user_settings(&self.paths, &self.module)?;
        let of_pair = PairSetup {
            peer: pair.peer.clone(),
            networks: pair.networks.clone(),
            heard: self.heard,
            hearts: self.hearts,
            failover: settings.failover,
            rfssync: rfssync::spoken(&uservar)?,
        };
        let handle = module::launch_mirror(setup, of_pair)?;
        Ok(Instance { handle, pair: Some(pair), place })
    }
}

/// The pair of a module as it is now. Blocks.
pub(super) fn find_pair(
    paths: &Paths,
    module: &ModuleName,
    id: ModuleId,
    config: &ModuleConfig,
    place: &Place,
    elsewhere: &[Elsewhere],
) -> Result<Pair, AdminError> {
    let last = record::load::<NodeName>(&peer_file(paths, module))?;
    let machine = Machine::this_one()?;
    let known = Known {
        module,
        id,
        cluster: &place.config,
        me: &place.me,
        elsewhere,
        last: last.as_ref(),
        machine: &machine.addresses,
    };
    Ok(pair::pair(config, &known)?)
}

/// In a cluster of more than two nodes the peer is known without being online.
fn remember_peer(paths: &Paths, module: &ModuleName, peer: &NodeName) -> Result<(), AdminError> {
    let file = peer_file(paths, module);
    let last = record::load::<NodeName>(&file)?;
    if last.as_ref() != Some(peer) {
        if last.is_some() {
            // What was synchronized with another node says nothing about this one (RFS-56).
            rfssync::forget(paths, module)?;
        }
        record::store(&file, peer)?;
    }
    Ok(())
}

fn peer_file(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("peer.json")
}

/// Whether a state is one in which nothing moves.
pub(super) fn settled(readiness: Readiness) -> bool {
    readiness != Readiness::Transient
}
