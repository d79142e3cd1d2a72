//! The beginning of a module instance: its actors, its first state, its adoption.

use super::adopt::{load_record, load_state};
use super::ground;
use super::groups::Groups;
use super::windows::{Planned, Windows};
use super::{Kind, Module, ModuleAddr, ModuleHandle, Setup, Shown, name};
use crate::actors::checkers::plan;
use crate::actors::guard::GuardOrder;
use crate::actors::script::ScriptRunner;
use crate::actors::vip::{UnsetAll, Vip, VipAddr, VipPlan};
use crate::config::module::{ModuleConfig, Where};
use crate::fsm::maxloop::Loops;
use crate::fsm::resource::Value;
use crate::fsm::rules::machine::Machine;
use crate::fsm::rules::parse;
use crate::fsm::scripts::{Script, Scripts};
use crate::fsm::state::{Readiness, Role};
use crate::log::Lang;
use crate::net::{MacAddr, addr};
use crate::node::boot;
use crate::told::{Tell, Told};
use actix::prelude::*;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long what an earlier life of the module left may take to disappear.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// Why a module cannot be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its record cannot be read.
    #[error(transparent)]
    Record(#[from] crate::node::record::RecordError),
    /// Its process groups cannot be made.
    #[error(transparent)]
    Group(#[from] crate::guard::cgroup::GroupError),
    /// Its rules are wrong, which `config` should have found.
    #[error("{0}")]
    Rules(Told),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A virtual address is a name that does not resolve.
    #[error("the virtual address {0} cannot be resolved: {1}")]
    Resolve(String, String),
    /// A mirror module without `<heart>`, which `config` should have found.
    #[error("<heart> is missing")]
    NoHeart,
}

impl Tell for LaunchError {
    fn french(&self) -> String {
        match self {
            LaunchError::Record(e) => e.french(),
            LaunchError::Group(e) => e.french(),
            LaunchError::Rules(why) => why.of(Lang::Fr).to_owned(),
            LaunchError::Random(e) => format!("le système ne donne pas de nombres aléatoires : {e}"),
            LaunchError::Resolve(addr, why) => {
                format!("l'adresse virtuelle {addr} ne peut pas être résolue : {why}")
            }
            LaunchError::NoHeart => "<heart> manque".to_owned(),
        }
    }
}

/// What is prepared outside the module's arbiter.
pub(super) struct Prepared<K: Kind> {
    pub(super) setup: Setup,
    fsm: K::Config,
    pub(super) record: K::Record,
    /// The state as an earlier safeadmin of this boot left it.
    pub(super) kept: Option<K::State>,
    starts: u64,
    groups: Groups,
    machine: Machine,
    planned: Vec<Planned>,
    vips: VipPlan,
    loops: Loops,
    /// Random.
    pub(super) seed: u64,
}

/// What a kind of module begins with.
pub(super) struct Start<K: Kind> {
    pub(super) state: K::State,
    pub(super) own: K,
}

/// A module whose actor has been started.
pub(super) struct Launched<K: Kind> {
    name: crate::ids::ModuleName,
    id: crate::ids::ModuleId,
    config: std::sync::Arc<ModuleConfig>,
    store: crate::store::ModuleStore,
    addr: Addr<Module<K>>,
    shown: watch::Receiver<Shown>,
}

impl<K: Kind> Launched<K> {
    /// The handle; `wrap` names the kind.
    pub(super) fn handle(self, wrap: impl FnOnce(Addr<Module<K>>) -> ModuleAddr) -> ModuleHandle {
        let Launched { name, id, config, store, addr, shown } = self;
        ModuleHandle { name, id, config, addr: wrap(addr), shown, store }
    }
}

/// Reads what the module left, makes its process groups and rules. Blocks, may ask the resolver.
pub(super) fn prepare<K: Kind>(setup: Setup, fsm: K::Config) -> Result<Prepared<K>, LaunchError> {
    let (paths, module) = (&setup.paths, &setup.name);
    let record = load_record::<K>(paths, module)?;
    let (kept, starts) = load_state::<K>(paths, module, &setup.boot).unzip();
    let groups = Groups::open(module, &paths.run())?;
    if kept.as_ref().is_none_or(K::stopped)
        && let Err(error) = groups.kill(false, Instant::now() + LEFTOVERS)
    {
        tracing::warn!(%module, %error, "something of an earlier life is left");
    }
    let rules = plan::ruleset(&setup.config).map_err(|errors| LaunchError::Rules(parse::told(&errors)))?;
    let failover = &setup.config.failover;
    let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let machine = Machine::new(rules, millis(failover.period), millis(failover.handle_time));
    let planned = setup.config.checks.iter();
    let planned = planned.map(|c| Planned { check: c.clone(), resource: plan::identify(c) }).collect();
    let vips = vip_plan(&setup.config)?;
    let loops = boot::loop_counter(paths, module)?.unwrap_or_default();
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(LaunchError::Random)?;
    let seed = u64::from_le_bytes(seed);
    let starts = starts.unwrap_or_default();
    Ok(Prepared { setup, fsm, record, kept, starts, groups, machine, planned, vips, loops, seed })
}

/// Starts the actor on an arbiter of its own; `own` makes what is of its kind there.
pub(super) fn start<K: Kind>(
    prepared: Prepared<K>,
    own: impl FnOnce(&Prepared<K>, &Addr<Module<K>>) -> Start<K> + Send + 'static,
) -> Launched<K>
where
    Prepared<K>: Send,
{
    let s = &prepared.setup;
    let (role, readiness) = prepared.kept.as_ref().map_or((Role::Stop, Readiness::NotReady), K::shown);
    let (sender, shown) = watch::channel(Shown {
        role,
        readiness,
        remote: None,
        since: Timestamp::now(),
        reason: crate::told::Told::default(),
        progress: None,
        uptodate: None,
        degraded: false,
        shares: Vec::new(),
        commands: Vec::new(),
        starts: prepared.starts,
        changes: 0,
        evaluations: 0,
    });
    let (name, id, config, store) = (s.name.clone(), s.id, s.config.clone(), s.store.clone());
    let arbiter = Arbiter::new();
    let addr = Module::start_in_arbiter(&arbiter.handle(), move |ctx| {
        let start = own(&prepared, &ctx.address());
        Module::new(prepared, start, sender, ctx)
    });
    Launched { name, id, config, store, addr, shown }
}

/// The scripts that the module has; none without `<user>`.
pub(super) fn scripts(setup: &Setup) -> Scripts {
    let bin = setup.paths.userbin(&setup.name);
    let there = |s: &&Script| {
        let file = std::fs::metadata(bin.join(s.name()));
        file.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let all = Script::ALL.iter().filter(|_| setup.config.user.is_some());
    all.filter(there).fold(Scripts::default(), |set, s| set.with(*s))
}

/// The virtual addresses of a module. May ask the resolver: blocks.
///
/// # Errors
/// [`LaunchError::Resolve`].
pub fn vip_plan(config: &ModuleConfig) -> Result<VipPlan, LaunchError> {
    let mut plan = VipPlan { tcpreset: true, addrs: Vec::new() };
    let Some(vip) = &config.vip else { return Ok(plan) };
    plan.tcpreset = vip.tcpreset;
    for interface in &vip.interfaces {
        let mut vmac = None;
        for (n, a) in interface.addrs.iter().enumerate() {
            let addr =
                a.addr.resolve().map_err(|e| LaunchError::Resolve(a.addr.to_string(), e.to_string()))?;
            if n == 0 {
                vmac = interface.vmac(addr).map(MacAddr);
            }
            plan.addrs.push(VipAddr {
                addr,
                interface: interface.name.clone(),
                prefix: a.prefix(),
                arpreroute: interface.arpreroute,
                arpinterval: interface.arpinterval,
                arpelapse: interface.arpelapse,
                connections: a.connections,
                vmac,
                shared: a.where_ == Where::Alias,
            });
        }
    }
    Ok(plan)
}

impl<K: Kind> Module<K> {
    fn new(p: Prepared<K>, start: Start<K>, shown: watch::Sender<Shown>, ctx: &mut Context<Self>) -> Self {
        let me = ctx.address();
        let scripts = ScriptRunner::new(me.clone().recipient()).start();
        let vip = (!p.vips.addrs.is_empty()).then(|| {
            Vip::new(p.vips.clone(), me.clone().recipient()).on(ground::of(&p.setup, &p.vips)).start()
        });
        Module {
            fsm: p.fsm,
            state: start.state,
            own: start.own,
            scripts,
            vip,
            groups: p.groups,
            guard: me.clone().recipient(),
            shown,
            values: BTreeMap::new(),
            machine: p.machine,
            checkers_on: true,
            blocking: crate::told::Told::default(),
            loops: p.loops,
            windows: Windows::new(p.planned, me.recipient()),
            places: Vec::new(),
            script: None,
            epoch: p.seed,
            vips: p.vips,
            stores: VecDeque::new(),
            storing: false,
            soon: false,
            begun: BTreeMap::new(),
            anew: false,
            setup: p.setup,
        }
    }

    /// The first step of this life.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>) {
        self.initial_resources();
        let period = self.setup.config.failover.period;
        ctx.run_interval(period, |module, ctx| {
            module.evaluate(ctx);
            K::refresh(module);
        });
        K::begin(self, ctx);
        if K::stopped(&self.state) {
            // What an earlier life or boot may have left, e.g. a virtual address after a crash.
            self.clean_leftovers();
            self.keep();
            K::refresh(self);
            self.publish_state();
            return;
        }
        tracing::info!(module = %self.setup.name, state = ?self.state, "the module went on without safeadmin: taking it over");
        self.places = self.placements();
        K::adopt(self, ctx);
        self.adopt_windows();
        self.publish_state();
    }

    /// Where the virtual addresses are or will be.
    pub(super) fn placements(&self) -> Vec<addr::Placement> {
        let Ok(interfaces) = addr::interfaces() else { return Vec::new() };
        let place = |v: &VipAddr| addr::place(&interfaces, v.addr, v.interface.as_deref(), v.prefix).ok();
        self.vips.addrs.iter().filter_map(place).collect()
    }

    fn clean_leftovers(&mut self) {
        if let Some(vip) = &self.vip {
            drop(vip.try_send(UnsetAll { epoch: 0 }));
        }
        let groups = self.groups.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = groups.kill(false, Instant::now() + LEFTOVERS) {
                tracing::warn!(%error, "something of an earlier life is left");
            }
        });
        K::clean(self);
        self.setup.guard.order(&self.setup.name, GuardOrder::Acknowledge, &self.guard);
    }

    /// Resources that stand from the beginning.
    pub(super) fn initial_resources(&mut self) {
        let on_off = |on| Value::Text(if on { "on" } else { "off" }.to_owned());
        self.assign(&name("usersetting", "checker"), on_off(self.checkers_on));
        let encrypted = self.setup.key.is_some();
        self.assign(&name("usersetting", "encryption"), on_off(encrypted));
        let boot = Value::Text(self.setup.config.service.boot.to_string());
        self.assign(&name("usersetting", "boot"), boot);
        self.assign(&name("heart", "maxloop"), Value::Text("false".to_owned()));
        self.assign(&name("heart", "stopstartloop"), Value::Text(self.loops.began_s.to_string()));
        let checked: Vec<_> = self.windows.resources().cloned().collect();
        for resource in checked {
            self.assign(&resource, Value::Init);
        }
        K::initial_resources(self);
    }
}
