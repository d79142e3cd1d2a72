//! The beginning of a module instance: its actors, its first state, its adoption.

use super::adopt::{load_record, load_state};
use super::groups::Groups;
use super::replicated;
use super::synced::Dates;
use super::windows::{Planned, Windows};
use super::{Module, ModuleHandle, Setup, Shown, name, remote_of};
use crate::actors::checkers::plan;
use crate::actors::cluster::now_ms;
use crate::actors::guard::GuardOrder;
use crate::actors::heart::{Heart, HeartSetup, Network};
use crate::actors::replication::TakeOver;
use crate::actors::script::ScriptRunner;
use crate::actors::vip::{Vip, VipAddr, VipPlan};
use crate::config::module::{DefaultPrim as ConfiguredPrim, ModuleConfig, Where};
use crate::config::ports;
use crate::fsm::losses::Losses;
use crate::fsm::maxloop::Loops;
use crate::fsm::mirror::{self, At, Config, DefaultPrim, State};
use crate::fsm::resource::Value;
use crate::fsm::rules::machine::Machine;
use crate::fsm::scripts::{Script, Scripts};
use crate::fsm::state::{Readiness, Role};
use crate::net::{MacAddr, addr};
use crate::node::boot;
use crate::wire::{Channel, Kind};
use actix::prelude::*;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
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
    Rules(String),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// A virtual address is a name that does not resolve.
    #[error("the virtual address {0} cannot be resolved: {1}")]
    Resolve(String, String),
    /// It is not a mirror module.
    #[error("this version runs mirror modules only")]
    Mode,
}

/// What is prepared outside the module's arbiter.
struct Prepared {
    setup: Setup,
    fsm: Config,
    record: crate::fsm::generation::Record,
    kept: Option<State>,
    groups: Groups,
    machine: Machine,
    planned: Vec<Planned>,
    vips: VipPlan,
    loops: Loops,
    seed: u64,
    life: [u8; 16],
    networks: Vec<Network>,
    dates: Dates,
}

/// Starts a module instance on an arbiter of its own. What a former safeadmin of the same boot left
/// is taken over (DESIGN 3). Reads files and may ask the resolver: call it from a blocking thread.
///
/// # Errors
/// See [`LaunchError`]; nothing runs then.
pub fn launch(setup: Setup) -> Result<ModuleHandle, LaunchError> {
    let prepared = prepare(setup)?;
    let s = &prepared.setup;
    let (role, readiness) = match &prepared.kept {
        Some(state) => state.shown(),
        None => (Role::Stop, Readiness::NotReady),
    };
    let (sender, shown) = watch::channel(Shown {
        role,
        readiness,
        remote: "UNKNOWN Unknown".to_owned(),
        since: Timestamp::now(),
        reason: String::new(),
        progress: None,
        evaluations: 0,
    });
    let (module, id, config, store) = (s.name.clone(), s.id, s.config.clone(), s.store.clone());
    let arbiter = Arbiter::new();
    let addr = Module::start_in_arbiter(&arbiter.handle(), move |ctx| Module::new(prepared, sender, ctx));
    Ok(ModuleHandle { name: module, id, config, addr, shown, store })
}

fn prepare(setup: Setup) -> Result<Prepared, LaunchError> {
    let (paths, module) = (&setup.paths, &setup.name);
    let record = load_record(paths, module)?;
    let kept = load_state(paths, module, &setup.boot);
    let groups = Groups::open(module, &paths.run())?;
    if kept.as_ref().is_none_or(|s| s.at == At::Stopped)
        && let Err(error) = groups.kill(false, Instant::now() + LEFTOVERS)
    {
        tracing::warn!(%module, %error, "something of an earlier life is left");
    }
    let rules = plan::ruleset(&setup.config).map_err(|errors| {
        LaunchError::Rules(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    })?;
    let failover = &setup.config.failover;
    let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let machine = Machine::new(rules, millis(failover.period), millis(failover.handle_time));
    let planned = setup.config.checks.iter();
    let planned = planned.map(|c| Planned { check: c.clone(), resource: plan::identify(c) }).collect();
    let vips = vip_plan(&setup.config)?;
    let loops = boot::loop_counter(paths, module)?.unwrap_or_default();
    let (mut seed, mut life) = ([0; 8], [0; 16]);
    getrandom::fill(&mut seed).and_then(|()| getrandom::fill(&mut life)).map_err(LaunchError::Random)?;
    let fsm = fsm_config(&setup);
    let networks = networks(&setup)?;
    let seed = u64::from_le_bytes(seed);
    let dates = Dates::load(&setup.paths, &setup.name);
    Ok(Prepared {
        setup,
        fsm,
        record,
        kept,
        groups,
        machine,
        planned,
        vips,
        loops,
        seed,
        life,
        networks,
        dates,
    })
}

fn networks(setup: &Setup) -> Result<Vec<Network>, LaunchError> {
    let heart = setup.config.heart.as_ref().ok_or(LaunchError::Mode)?;
    let default = heart.port.unwrap_or_else(|| ports::heart(setup.id));
    let network = |(beat, (_, local, peer)): (&crate::config::module::Heartbeat, &(String, _, _))| Network {
        local: *local,
        peer: *peer,
        port: beat.port.unwrap_or(default),
        timeout: beat.timeout,
        pulse: beat.pulse,
    };
    Ok(heart.heartbeats.iter().zip(&setup.networks).map(network).collect())
}

/// What the configuration says to the automaton.
fn fsm_config(setup: &Setup) -> Config {
    let service = &setup.config.service;
    let host = crate::node::level::hostname();
    let default_prim = match &service.defaultprim {
        ConfiguredPrim::Alone => DefaultPrim::Alone,
        ConfiguredPrim::LastPrim => DefaultPrim::Last,
        ConfiguredPrim::Server(n) if *n == setup.me.1 || n.as_str() == host => DefaultPrim::Node(setup.me.0),
        ConfiguredPrim::Server(_) => DefaultPrim::Node(setup.peer.0),
    };
    let bin = setup.paths.userbin(&setup.name);
    let there = |s: &&Script| {
        let file = std::fs::metadata(bin.join(s.name()));
        file.is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    let all = Script::ALL.iter().filter(|_| setup.config.user.is_some());
    Config {
        me: setup.me.0,
        data: setup.config.rfs.is_some(),
        default_prim,
        scripts: all.filter(there).fold(Scripts::default(), |set, s| set.with(*s)),
        automatic_reboot: service.automatic_reboot,
        alike: replicated::alike(setup),
    }
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

impl Module {
    fn new(p: Prepared, shown: watch::Sender<Shown>, ctx: &mut Context<Self>) -> Module {
        let me = ctx.address();
        let last_sent = Arc::new(AtomicU64::new(0));
        let scripts = ScriptRunner::new(me.clone().recipient()).start();
        let vip =
            (!p.vips.addrs.is_empty()).then(|| Vip::new(p.vips.clone(), me.clone().recipient()).start());
        let guard = me.clone().recipient();
        let replication = replicated::replication(&p.setup, &me);
        let heart = heart(&p, &me, last_sent.clone());
        let failover = p.setup.failover.unwrap_or(p.setup.config.service.failover);
        let mut state = State::stopped(p.record, failover, p.seed);
        if let Some(kept) = p.kept {
            // Taken over in `begin`, when the actor can answer.
            state = State { record: state.record, seed: p.seed, ..kept };
        }
        let face = state.face();
        Module {
            fsm: p.fsm,
            state,
            heart,
            scripts,
            vip,
            replication,
            counted: None,
            dates: p.dates,
            losses: Losses::default(),
            replaced: false,
            examinations: Default::default(),
            reintegrating: None,
            uncopied: None,
            groups: p.groups,
            guard,
            last_sent,
            shown,
            values: BTreeMap::new(),
            remote: None,
            machine: p.machine,
            checkers_on: true,
            loops: p.loops,
            windows: Windows::new(p.planned, me.recipient()),
            places: Vec::new(),
            script: None,
            epoch: p.seed,
            guarded: false,
            vips: p.vips,
            stores: VecDeque::new(),
            storing: false,
            face,
            face_no: 1,
            soon: false,
            setup: p.setup,
        }
    }

    /// The first step of this life.
    pub(super) fn begin(&mut self, ctx: &mut Context<Self>) {
        self.initial_resources();
        let period = self.setup.config.failover.period;
        ctx.run_interval(period, |module, ctx| {
            module.evaluate(ctx);
            module.refresh();
        });
        self.check_directories(ctx);
        ctx.run_interval(super::neighbours::PERIOD, |module, ctx| module.renew_neighbours(ctx));
        if self.state.at == At::Stopped {
            // What an earlier life or boot may have left, e.g. a virtual address after a crash.
            self.clean_leftovers();
            self.keep();
            self.show_face();
            self.publish_state();
            return;
        }
        if let Some(replication) = &self.replication {
            drop(replication.try_send(TakeOver));
        }
        let kept = self.state.clone();
        tracing::info!(module = %self.setup.name, state = ?kept.at, "the module went on without safeadmin: taking it over");
        self.places = self.placements();
        let was_guarded = kept.guarded(self.fsm.data);
        let record = self.state.record.clone();
        let step = mirror::adopt(&self.fsm, kept, record, self.state.seed);
        if was_guarded {
            let order = GuardOrder::Resume {
                timeout: self.setup.config.heart.as_ref().map(|h| h.timeout).unwrap_or_default(),
                echoed_at: now_ms() * 1_000_000,
                target: self.target(),
            };
            self.setup.guard.order(&self.setup.name, order, &self.guard);
        }
        self.take(step, ctx);
        self.show_face();
        self.renewals();
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
            drop(vip.try_send(crate::actors::vip::UnsetAll { epoch: 0 }));
        }
        let groups = self.groups.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) =
                groups.kill(false, std::time::Instant::now() + std::time::Duration::from_secs(5))
            {
                tracing::warn!(%error, "something of an earlier life is left");
            }
        });
        self.restore_links();
        self.setup.guard.order(&self.setup.name, GuardOrder::Acknowledge, &self.guard);
    }

    /// Resources that stand from the beginning.
    pub(super) fn initial_resources(&mut self) {
        let on_off = |on| Value::Text(if on { "on" } else { "off" }.to_owned());
        let failover = self.state.failover;
        self.assign(&name("usersetting", "failover"), on_off(failover));
        self.assign(&name("usersetting", "checker"), on_off(self.checkers_on));
        let encrypted = self.setup.key.is_some();
        self.assign(&name("usersetting", "encryption"), on_off(encrypted));
        let boot = Value::Text(self.setup.config.service.boot.to_string());
        self.assign(&name("usersetting", "boot"), boot);
        self.show_rfssync();
        self.assign(&name("heart", "maxloop"), Value::Text("false".to_owned()));
        self.assign(&name("heart", "stopstartloop"), Value::Text(self.loops.began_s.to_string()));
        if self.fsm.data {
            let degraded = if self.state.degraded { Value::Up } else { Value::Down };
            self.assign(&name("rfs", "degraded"), degraded);
            self.assign(&name("rfs", "reintegre_failed"), Value::Text("false".to_owned()));
            self.show_dates();
            self.check_policies();
        }
        let remote = remote_of(&self.state);
        self.assign(&name("state", "remote"), Value::Text(remote));
        let checked: Vec<_> = self.windows.resources().cloned().collect();
        for resource in checked {
            self.assign(&resource, Value::Init);
        }
        let idents: Vec<_> = self.setup.networks.iter().map(|n| n.0.clone()).collect();
        for ident in idents {
            self.assign(&name("heartbeat", &ident), Value::Init);
        }
    }
}

fn heart(p: &Prepared, me: &Addr<Module>, last_sent: Arc<AtomicU64>) -> Addr<Heart> {
    let s = &p.setup;
    let context = format!("heartbeat {} {}", s.name, s.id);
    let key = s.key.as_ref().map(|k| *k.as_bytes());
    let setup = HeartSetup {
        name: s.name.clone(),
        networks: p.networks.clone(),
        channel: Channel::new(Kind::Heartbeat, s.me.0, key.as_ref(), &context, p.life),
        life: p.seed | 1,
        peer: s.peer.0,
        heard: s.heard.clone(),
        last_sent,
        guard: (s.guard.clone(), me.clone().recipient()),
        module: me.clone().recipient(),
    };
    Heart::start_in_arbiter(&s.hearts, move |_| Heart::new(setup))
}
