//! The beginning of a mirror module: its heart, its data plane, its adoption.

use super::synced::Dates;
use super::{Mirror, PairSetup, replicated};
use crate::actors::cluster::now_ms;
use crate::actors::guard::GuardOrder;
use crate::actors::heart::{Heart, HeartSetup, Network};
use crate::actors::module::launch::{self, Prepared, Start};
use crate::actors::module::{LaunchError, Module, ModuleAddr, ModuleHandle, Setup};
use crate::actors::replication::TakeOver;
use crate::config::module::DefaultPrim as ConfiguredPrim;
use crate::config::ports;
use crate::fsm::losses::Losses;
use crate::fsm::mirror::{self, Config, DefaultPrim, State};
use crate::wire::{Channel, Kind as Traffic};
use actix::prelude::*;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Starts a mirror module on an arbiter of its own. What a former safeadmin of the same boot left
/// is taken over (DESIGN 3). Reads files and may ask the resolver: call it from a blocking thread.
///
/// # Errors
/// See [`LaunchError`]; nothing runs then.
pub fn launch_mirror(setup: Setup, pair: PairSetup) -> Result<ModuleHandle, LaunchError> {
    let fsm = fsm_config(&setup, &pair);
    let networks = networks(&setup, &pair)?;
    let dates = Dates::load(&setup.paths, &setup.name);
    let prepared = launch::prepare::<Mirror>(setup, fsm)?;
    let mut life = [0; 16];
    getrandom::fill(&mut life).map_err(LaunchError::Random)?;
    let launched = launch::start(prepared, move |p, me| begin(p, pair, networks, dates, life, me));
    Ok(launched.handle(ModuleAddr::Mirror))
}

fn begin(
    p: &Prepared<Mirror>,
    pair: PairSetup,
    networks: Vec<Network>,
    dates: Dates,
    life: [u8; 16],
    me: &Addr<Module<Mirror>>,
) -> Start<Mirror> {
    let last_sent = Arc::new(AtomicU64::new(0));
    let replication = replicated::replication(&p.setup, &pair, me);
    let heart = heart(p, &pair, networks, life, me, last_sent.clone());
    let failover = pair.failover.unwrap_or(p.setup.config.service.failover);
    let state = match p.kept.clone() {
        // Taken over by `adopt`, when the actor can answer.
        Some(kept) => State { record: p.record.clone(), seed: p.seed, ..kept },
        None => State::stopped(p.record.clone(), failover, p.seed),
    };
    let own = Mirror {
        pair,
        heart,
        replication,
        counted: None,
        dates,
        losses: Losses::default(),
        replaced: false,
        reintegrating: None,
        uncopied: None,
        examinations: Default::default(),
        last_sent,
        remote: None,
        face: state.face(),
        face_no: 1,
        guarded: false,
    };
    Start { state, own }
}

fn networks(setup: &Setup, pair: &PairSetup) -> Result<Vec<Network>, LaunchError> {
    let heart = setup.config.heart.as_ref().ok_or(LaunchError::NoHeart)?;
    let default = heart.port.unwrap_or_else(|| ports::heart(setup.id));
    let network = |(beat, (_, local, peer)): (&crate::config::module::Heartbeat, &(String, _, _))| Network {
        local: *local,
        peer: *peer,
        port: beat.port.unwrap_or(default),
        timeout: beat.timeout,
        pulse: beat.pulse,
    };
    Ok(heart.heartbeats.iter().zip(&pair.networks).map(network).collect())
}

/// What the configuration says to the automaton.
fn fsm_config(setup: &Setup, pair: &PairSetup) -> Config {
    let service = &setup.config.service;
    let host = crate::node::level::hostname();
    let default_prim = match &service.defaultprim {
        ConfiguredPrim::Alone => DefaultPrim::Alone,
        ConfiguredPrim::LastPrim => DefaultPrim::Last,
        ConfiguredPrim::Server(n) if *n == setup.me.1 || n.as_str() == host => DefaultPrim::Node(setup.me.0),
        ConfiguredPrim::Server(_) => DefaultPrim::Node(pair.peer.0),
    };
    Config {
        me: setup.me.0,
        data: setup.config.rfs.is_some(),
        default_prim,
        scripts: launch::scripts(setup),
        automatic_reboot: service.automatic_reboot,
        alike: replicated::alike(setup),
    }
}

impl Module<Mirror> {
    /// The module went on without safeadmin.
    pub(super) fn adopt_mirror(&mut self, ctx: &mut Context<Self>) {
        if let Some(replication) = &self.own.replication {
            drop(replication.try_send(TakeOver));
        }
        let kept = self.state.clone();
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
    }
}

fn heart(
    p: &Prepared<Mirror>,
    pair: &PairSetup,
    networks: Vec<Network>,
    life: [u8; 16],
    me: &Addr<Module<Mirror>>,
    last_sent: Arc<AtomicU64>,
) -> Addr<Heart> {
    let s = &p.setup;
    let context = format!("heartbeat {} {}", s.name, s.id);
    let key = s.key.as_ref().map(|k| *k.as_bytes());
    let setup = HeartSetup {
        name: s.name.clone(),
        networks,
        channel: Channel::new(Traffic::Heartbeat, s.me.0, key.as_ref(), &context, life),
        life: p.seed | 1,
        peer: pair.peer.0,
        heard: pair.heard.clone(),
        last_sent,
        guard: (s.guard.clone(), me.clone().recipient()),
        module: me.clone().recipient(),
    };
    Heart::start_in_arbiter(&pair.hearts, move |_| Heart::new(setup))
}
