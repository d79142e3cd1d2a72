//! The actor of a mirror module: it records what happens, steps the automaton and runs its effects.
//!
//! Each instance has an arbiter of its own, so that a panic in one module does not touch another.
//! Decisions are in [`crate::fsm`]; what is here is the order of carrying them out.

mod adopt;
mod api;
mod effects;
mod examine;
mod fscheck;
mod groups;
mod handlers;
mod launch;
mod neighbours;
mod replicated;
mod resources;
mod synced;
mod windows;

pub use api::{
    Close, Control, Examination, Examine, Explain, Forget, GetResources, Loop, ModuleHandle, News, Print,
    SetResource, Setup, Shown, SyncPolicy,
};
pub use launch::{LaunchError, launch, vip_plan};

use super::guard::GuardEvent;
use super::heart::{Guarded, Heart, Publish, Show};
use super::replication::Replication;
use super::script::ScriptRunner;
use super::vip::Vip;
use crate::control::LogChoice;
use crate::fsm::explain::{Explanation, explain};
use crate::fsm::generation::Record;
use crate::fsm::losses::Losses;
use crate::fsm::maxloop::Loops;
use crate::fsm::mirror::{self, At, Event, Face, Outcome, State, Step, Waits};
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::fsm::rules::machine::Machine;
use crate::fsm::state::Role;
use crate::log::Message as LogMessage;
use actix::prelude::*;
use groups::Groups;
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::watch;
use windows::Windows;

/// Messages that may wait for the module.
const MAILBOX: usize = 512;

/// The actor.
pub struct Module {
    setup: Setup,
    fsm: mirror::Config,
    state: State,
    heart: Addr<Heart>,
    scripts: Addr<ScriptRunner>,
    vip: Option<Addr<Vip>>,
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
    groups: Groups,
    guard: Recipient<GuardEvent>,
    last_sent: Arc<AtomicU64>,
    shown: watch::Sender<Shown>,
    values: BTreeMap<ResourceName, (Value, Timestamp)>,
    remote: Option<Resources>,
    machine: Machine,
    checkers_on: bool,
    loops: Loops,
    windows: Windows,
    /// Where the virtual addresses are set, for the guard.
    places: Vec<crate::net::addr::Placement>,
    /// The script that runs.
    script: Option<Running>,
    /// Grows with each life of this actor: late answers of an earlier one are known by it.
    epoch: u64,
    guarded: bool,
    vips: crate::net::vip::VipPlan,
    /// Records to be made durable, in order; at most a few, one awaited at a time.
    stores: VecDeque<(u64, Record)>,
    storing: bool,
    /// The face that is shown, and its number, which grows with each change of it.
    face: Face,
    face_no: u64,
    /// An evaluation of the rules is due at once.
    soon: bool,
}

/// A script that runs.
struct Running {
    /// The effect that asked for it.
    id: u64,
    name: String,
    since: Timestamp,
    timeout: Option<Duration>,
}

impl Module {
    /// Steps the automaton and carries out what it says.
    fn feed(&mut self, event: Event, ctx: &mut Context<Self>) -> Outcome {
        tracing::debug!(module = %self.setup.name, ?event, "event");
        let step = mirror::step(&self.fsm, &self.state, event);
        self.take(step, ctx)
    }

    fn take(&mut self, step: Step, ctx: &mut Context<Self>) -> Outcome {
        let Step { state, effects, outcome } = step;
        let changed = state != self.state;
        let remote = remote_of(&self.state) != remote_of(&state);
        let degraded = self.state.degraded != state.degraded;
        if self.state.shown().0 == Role::Stop && state.shown().0 != Role::Stop {
            self.truncate_userlogs();
        }
        self.state = state;
        if changed {
            self.keep();
            // The peer and the guard know before an effect can follow from it.
            let face = self.state.face();
            if face != self.face {
                self.face_no += 1;
                self.face = face;
            }
            self.show_face();
            self.renewals();
        }
        for effect in effects {
            self.run(effect, ctx);
        }
        if degraded {
            let value = if self.state.degraded { Value::Up } else { Value::Down };
            self.set(&name("rfs", "degraded"), value, "nfsadmin", LogChoice::Always);
        }
        if changed {
            self.publish_state();
            self.keep_dates(ctx);
            self.check_policies();
            // Whoever has just reached WAIT need not wait for the next period.
            if matches!(self.state.waits, Waits::Hold(_)) && self.state.at == At::Waiting && !self.soon {
                self.soon = true;
                ctx.run_later(Duration::ZERO, |module, ctx| {
                    module.soon = false;
                    module.evaluate(ctx);
                });
            }
            if remote {
                self.assign(&name("state", "remote"), Value::Text(remote_of(&self.state)));
            }
        }
        outcome
    }

    /// Tells the heart what to show. A full mailbox is no loss: [`Module::refresh`] says it again.
    fn show_face(&self) {
        if self.heart.try_send(Show(self.face_no, self.face.clone())).is_err() {
            tracing::warn!(module = %self.setup.name, "the heart is busy: the peer sees a change later");
        }
    }

    /// Says again what the heart must know; it takes notice only of what is new.
    fn refresh(&self) {
        self.show_face();
        drop(self.heart.try_send(Publish(self.local())));
        drop(self.heart.try_send(Guarded(self.guarded)));
    }

    fn log(&self, message: &LogMessage) {
        self.setup.store.append(Timestamp::now(), message);
    }

    fn renewals(&mut self) {
        let guarded = self.state.guarded(self.fsm.data);
        if guarded != self.guarded {
            self.guarded = guarded;
            drop(self.heart.try_send(Guarded(guarded)));
        }
    }

    fn publish_state(&mut self) {
        let (role, readiness) = self.state.shown();
        self.assign(&name("state", "local"), Value::Text(format!("{role} {readiness}")));
        self.assign(&name("rfs", "uptodate"), if self.uptodate() { Value::Up } else { Value::Down });
        self.show();
    }

    /// Modules without replicated directories are always up to date (ST-34).
    fn uptodate(&self) -> bool {
        !self.fsm.data || self.state.uptodate()
    }

    /// Tells whoever waits for a change.
    fn show(&self) {
        let (role, readiness) = self.state.shown();
        let remote = remote_of(&self.state);
        let ready = readiness == crate::fsm::state::Readiness::Ready;
        let reason = if ready {
            String::new()
        } else {
            self.explanation().reasons.into_iter().next().unwrap_or_default()
        };
        self.shown.send_modify(|shown| {
            if (shown.role, shown.readiness) != (role, readiness) {
                shown.since = Timestamp::now();
            }
            (shown.role, shown.readiness, shown.remote, shown.reason) = (role, readiness, remote, reason);
        });
    }

    fn explanation(&self) -> Explanation {
        let mut e = explain(&self.fsm, &self.state, self.setup.name.as_str(), self.setup.peer.1.as_str());
        if let Some(Running { name: script, since, .. }) = &self.script {
            let seconds = Timestamp::now().duration_since(*since).as_secs();
            e.reasons.insert(
                1.min(e.reasons.len()),
                format!("the script {script} has been running for {seconds} s"),
            );
        }
        if let Some(failure) = &self.uncopied {
            let place = 1.min(e.reasons.len());
            e.reasons.insert(place, format!("{}; it is tried again", failure.why));
        }
        if let Some(p) = self.machine.pending(super::cluster::now_ms()) {
            e.reasons.push(format!(
                "the failover rule {} does {} in {} ms if nothing changes",
                p.rule, p.command, p.remaining_ms
            ));
        }
        e
    }
}

/// State of the peer as `state.remote` has it (RES-02).
fn remote_of(state: &State) -> String {
    match &state.peer {
        mirror::Peer::Heard { face, .. } => format!("{} {}", face.role, face.readiness),
        _ => "UNKNOWN Unknown".to_owned(),
    }
}

fn name(class: &str, id: &str) -> ResourceName {
    ResourceName::new(class, id)
}

impl Actor for Module {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.begin(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // Its scripts' and addresses' actors live here too; what they started goes on.
        Arbiter::current().stop();
    }
}
