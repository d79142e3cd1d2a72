//! Mirror modules: the automaton of the pair, its heart, its data plane.

mod effects;
mod examine;
mod fscheck;
mod handlers;
mod launch;
mod neighbours;
mod replicated;
mod resources;
mod synced;

pub use launch::launch_mirror;

use super::{Kind, Module, name};
use crate::actors::cluster::Heard;
use crate::actors::heart::{Guarded, Heart, Publish, Show, Silence};
use crate::actors::replication::Replication;
use crate::control::LogChoice;
use crate::fsm::anew::Anew;
use crate::fsm::command::Command;
use crate::fsm::explain::{Explanation, explain};
use crate::fsm::generation::Record;
use crate::fsm::instance::{Step, Waits, Window};
use crate::fsm::losses::Losses;
use crate::fsm::mirror::{self, At, Config, Effect, Event, Face, Peer, State};
use crate::fsm::offer;
use crate::fsm::resource::{Resources, Value};
use crate::fsm::state::{Readiness, Role};
use crate::ids::NodeName;
use crate::node::rfssync::Policy;
use crate::told::told;
use actix::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What a mirror module is made from, besides what every module is.
pub struct PairSetup {
    /// Index and name of the other node of the pair (AMB-41).
    pub peer: (u8, NodeName),
    /// Heartbeat networks in the order of the configuration: identity, own address, the peer's.
    pub networks: Vec<(String, IpAddr, IpAddr)>,
    /// When each node was last heard on the cluster channel.
    pub heard: Heard,
    /// The arbiter that owns the heartbeats.
    pub hearts: actix::ArbiterHandle,
    /// `failover` as a command left it (ST-53); none: as configured.
    pub failover: Option<bool>,
    /// Last word on the synchronization policy of its replicated directories (RFS-54); none since it was
    /// configured.
    pub rfssync: Option<Policy>,
}

/// What a mirror module has of its own.
pub struct Mirror {
    pair: PairSetup,
    heart: Addr<Heart>,
    /// Of a module with replicated directories.
    replication: Option<Addr<Replication>>,
    /// What its box counted last.
    counted: Option<crate::rfs::control::Traffic>,
    /// Of the last synchronizations.
    dates: synced::Dates,
    /// How often its box was lost of late.
    losses: Losses,
    /// A box that was lost is being replaced.
    replaced: bool,
    /// The effect of the reintegration that is under way.
    reintegrating: Option<u64>,
    /// The reintegrations that have failed one after the other.
    uncopied: Option<replicated::Uncopied>,
    examinations: examine::Examinations,
    /// When the own last heartbeat was sent.
    last_sent: Arc<AtomicU64>,
    remote: Option<Resources>,
    /// The face that is shown, and its number, which grows with each change of it.
    face: Face,
    face_no: u64,
    guarded: bool,
}

impl Kind for Mirror {
    type Config = Config;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Record = Record;

    const RECORD: &'static str = "record.json";
    const STATE: &'static str = "state.json";

    fn first_record() -> Record {
        Record::first()
    }

    fn stopped(state: &State) -> bool {
        state.at == At::Stopped
    }

    fn unexamined(state: &State) -> bool {
        matches!(state.waits, Waits::Hold(_)) && state.at == At::Waiting
    }

    fn shown(state: &State) -> (Role, Readiness) {
        state.shown()
    }

    fn windows(state: &State) -> Vec<Window> {
        state.windows()
    }

    fn anew(state: &State) -> Anew {
        state.anew()
    }

    fn step(cfg: &Config, state: &State, event: Event) -> Step<State, Effect> {
        mirror::step(cfg, state, event)
    }

    fn begin(module: &mut Module<Mirror>, ctx: &mut Context<Module<Mirror>>) {
        module.check_directories(ctx);
        ctx.run_interval(neighbours::PERIOD, |module, ctx| module.renew_neighbours(ctx));
    }

    fn adopt(module: &mut Module<Mirror>, ctx: &mut Context<Module<Mirror>>) {
        module.adopt_mirror(ctx);
    }

    fn clean(module: &mut Module<Mirror>) {
        module.restore_links();
    }

    fn run(module: &mut Module<Mirror>, effect: Effect, ctx: &mut Context<Module<Mirror>>) {
        module.carry_out(effect, ctx);
    }

    fn changed(module: &mut Module<Mirror>) {
        // The peer and the guard know before an effect can follow from it.
        let face = module.state.face();
        if face != module.own.face {
            module.own.face_no += 1;
            module.own.face = face;
        }
        module.show_face();
        module.renewals();
    }

    fn changed_from(module: &mut Module<Mirror>, before: &State, ctx: &mut Context<Module<Mirror>>) {
        if before.degraded != module.state.degraded {
            let value = if module.state.degraded { Value::Up } else { Value::Down };
            module.set(&name("rfs", "degraded"), value, "nfsadmin", LogChoice::Always);
        }
        module.keep_dates(ctx);
        module.check_policies();
        let remote = remote_of(&module.state);
        if remote_of(before) != remote {
            module.assign(&name("state", "remote"), Value::Text(remote));
        }
    }

    fn refresh(module: &mut Module<Mirror>) {
        module.show_face();
        Mirror::publish(module);
        drop(module.own.heart.try_send(Guarded(module.own.guarded)));
    }

    fn publish(module: &Module<Mirror>) {
        drop(module.own.heart.try_send(Publish(module.local())));
    }

    fn initial_resources(module: &mut Module<Mirror>) {
        module.initial_mirror_resources();
    }

    fn state_resources(module: &mut Module<Mirror>) {
        // Modules without replicated directories are always up to date (ST-34).
        let uptodate = !module.fsm.data || module.state.uptodate();
        module.assign(&name("rfs", "uptodate"), if uptodate { Value::Up } else { Value::Down });
    }

    fn examine(module: &mut Module<Mirror>, ctx: &mut Context<Module<Mirror>>) {
        module.keep_dates(ctx);
        module.check_policies();
    }

    fn others<'a>(&'a self, state: &State) -> (Option<&'a Resources>, Value) {
        let cluster = match state.peer {
            Peer::Silent => Value::Down,
            _ => Value::Up,
        };
        (self.remote.as_ref(), cluster)
    }

    fn assigned(module: &mut Module<Mirror>, on: bool, ctx: &mut Context<Module<Mirror>>) {
        // The one rule of the product that assigns something (ST-35).
        module.feed(Event::Tolerated(on), ctx);
    }

    fn remote(module: &Module<Mirror>) -> Option<String> {
        Some(remote_of(&module.state))
    }

    fn offered(cfg: &Config, state: &State, checkers: bool) -> Vec<Command> {
        offer::mirror(cfg, state, checkers)
    }

    fn explain(module: &Module<Mirror>) -> Explanation {
        let (me, peer) = (module.setup.name.as_str(), module.own.pair.peer.1.as_str());
        let mut e = explain(&module.fsm, &module.state, me, peer);
        if let Some(failure) = &module.own.uncopied {
            let place = 1.min(e.reasons.len());
            let again = told!("; it is tried again", " ; nouvel essai en cours");
            e.reasons.insert(place, failure.why.clone() + again);
        }
        e
    }

    fn close(module: &mut Module<Mirror>) {
        drop(module.own.heart.try_send(Silence));
        if let Some(replication) = &module.own.replication {
            drop(replication.try_send(super::Close));
        }
    }
}

impl Module<Mirror> {
    /// Tells the heart what to show. A full mailbox is no loss: `refresh` says it again.
    fn show_face(&self) {
        if self.own.heart.try_send(Show(self.own.face_no, self.own.face.clone())).is_err() {
            tracing::warn!(module = %self.setup.name, "the heart is busy: the peer sees a change later");
        }
    }

    fn renewals(&mut self) {
        let guarded = self.state.guarded(self.fsm.data);
        if guarded != self.own.guarded {
            self.own.guarded = guarded;
            drop(self.own.heart.try_send(Guarded(guarded)));
        }
    }
}

/// State of the peer as `state.remote` has it (RES-02).
fn remote_of(state: &State) -> String {
    match &state.peer {
        Peer::Heard { face, .. } => format!("{} {}", face.role, face.readiness),
        _ => "UNKNOWN Unknown".to_owned(),
    }
}
