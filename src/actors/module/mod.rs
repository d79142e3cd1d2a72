//! The actor of a module: it records what happens, steps the automaton and runs its effects.
//!
//! Each instance has an arbiter of its own, so that a panic in one module does not touch another.
//! Decisions are in [`crate::fsm`]; what is here is the order of carrying them out. What all modules
//! have in common is here; a [`Kind`] adds its automaton and what goes with it: [`mirror`] its heart
//! and its data plane, [`farm`] its group.

mod adopt;
mod api;
mod effects;
mod farm;
mod ground;
mod groups;
mod handlers;
mod launch;
mod mirror;
mod resources;
mod windows;

pub use api::{
    Close, Control, Examination, Examine, Explain, Forget, GetGroup, GetResources, Loop, ModuleAddr,
    ModuleHandle, News, Print, SetResource, Setup, Shown, SyncPolicy,
};
pub use farm::{Farm, FarmSetup, launch_farm};
pub use launch::{LaunchError, vip_plan};
pub use mirror::{Mirror, PairSetup, launch_mirror};

use super::guard::GuardEvent;
use super::script::ScriptRunner;
use super::vip::Vip;
use crate::fsm::anew::Anew;
use crate::fsm::command::Command;
use crate::fsm::explain::Explanation;
use crate::fsm::instance::{Happening, Outcome, Step, Window};
use crate::fsm::maxloop::Loops;
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::fsm::rules::machine::Machine;
use crate::fsm::state::{Readiness, Role};
use crate::log::Message as LogMessage;
use crate::told::{Told, told};
use actix::prelude::*;
use groups::Groups;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::time::Duration;
use tokio::sync::watch;
use windows::Windows;

/// Messages that may wait for the module.
const MAILBOX: usize = 512;

/// What one kind of module has of its own: the automaton, and what it acts on.
pub trait Kind: Sized + Unpin + 'static {
    /// What the configuration says to the automaton.
    type Config: Send + Unpin;
    /// Its state, which outlives this process.
    type State: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Unpin;
    /// What happens to it.
    type Event: From<Happening> + Debug;
    /// What it wants done.
    type Effect;
    /// Its durable record.
    type Record: Serialize + DeserializeOwned + Send + Unpin;

    /// File of the durable record.
    const RECORD: &'static str;
    /// File of the state, of use for as long as this boot of the node lasts.
    const STATE: &'static str;

    /// The record of a module that never ran.
    fn first_record() -> Self::Record;
    /// The state is STOP, and nothing moves.
    fn stopped(state: &Self::State) -> bool;
    /// The module is in WAIT until its rules have been evaluated.
    fn unexamined(state: &Self::State) -> bool;
    /// Role and readiness as users see them.
    fn shown(state: &Self::State) -> (Role, Readiness);
    /// The windows of checkers that are open after an adoption.
    fn windows(state: &Self::State) -> Vec<Window>;
    /// What a module does when another one, which it checks, has begun anew.
    fn anew(state: &Self::State) -> Anew;
    /// One step of the automaton.
    fn step(cfg: &Self::Config, state: &Self::State, event: Self::Event) -> Step<Self::State, Self::Effect>;

    /// The module went on without safeadmin.
    fn adopt(module: &mut Module<Self>, ctx: &mut Context<Module<Self>>);
    /// Carries out an effect.
    fn run(module: &mut Module<Self>, effect: Self::Effect, ctx: &mut Context<Module<Self>>);
    /// Why the module is in its state.
    fn explain(module: &Module<Self>) -> Explanation;
    /// Which commands make sense; `checkers`: they are on.
    fn offered(cfg: &Self::Config, state: &Self::State, checkers: bool) -> Vec<Command>;

    // What follows does nothing in a kind that has nothing to do there.

    /// The actor begins.
    fn begin(_: &mut Module<Self>, _: &mut Context<Module<Self>>) {}
    /// Cleans what an earlier life has left; the module is in STOP.
    fn clean(_: &mut Module<Self>) {}
    /// The state has changed; its effects are not carried out yet.
    fn changed(_: &mut Module<Self>) {}
    /// They are; the state was `before`.
    fn changed_from(_: &mut Module<Self>, _: &Self::State, _: &mut Context<Module<Self>>) {}
    /// Says again what others must know; they take notice only of what is new.
    fn refresh(_: &mut Module<Self>) {}
    /// A resource has changed.
    fn publish(_: &Module<Self>) {}
    /// Resources that stand from the beginning.
    fn initial_resources(_: &mut Module<Self>) {}
    /// Resources that follow from the state, besides `state.local`.
    fn state_resources(_: &mut Module<Self>) {}
    /// Before the rules are evaluated.
    fn examine(_: &mut Module<Self>, _: &mut Context<Module<Self>>) {}
    /// What the rules see of other nodes: resources of the peer, and the word `cluster()`.
    fn others<'a>(&'a self, _: &Self::State) -> (Option<&'a Resources>, Value) {
        (None, Value::Up)
    }
    /// Whether a rule assigns something.
    fn assigned(_: &mut Module<Self>, _: bool, _: &mut Context<Module<Self>>) {}
    /// State of the peer as `state.remote` has it.
    fn remote(_: &Module<Self>) -> Option<String> {
        None
    }
    /// The actor ends; nothing of the module is touched.
    fn close(_: &mut Module<Self>) {}
}

/// The actor.
pub struct Module<K: Kind> {
    setup: Setup,
    fsm: K::Config,
    state: K::State,
    own: K,
    scripts: Addr<ScriptRunner>,
    vip: Option<Addr<Vip>>,
    groups: Groups,
    guard: Recipient<GuardEvent>,
    shown: watch::Sender<Shown>,
    values: BTreeMap<ResourceName, (Value, Timestamp)>,
    machine: Machine,
    checkers_on: bool,
    /// The resources that make the rule true which holds the module in WAIT, as `explain` says it.
    blocking: Told,
    loops: Loops,
    windows: Windows,
    /// Where the virtual addresses are set, for the guard.
    places: Vec<crate::net::addr::Placement>,
    /// The script that runs.
    script: Option<Running>,
    /// Grows with each life of this actor: late answers of an earlier one are known by it.
    epoch: u64,
    vips: crate::net::vip::VipPlan,
    /// Records to be made durable, in order; at most a few, one awaited at a time.
    stores: VecDeque<(u64, K::Record)>,
    storing: bool,
    /// An evaluation of the rules is due at once.
    soon: bool,
    /// Which start of each checked module was seen last.
    begun: BTreeMap<ResourceName, u64>,
    /// Such a module began anew, and this one has not followed yet.
    anew: bool,
}

/// A script that runs.
struct Running {
    /// The effect that asked for it.
    id: u64,
    name: String,
    since: Timestamp,
    timeout: Option<Duration>,
}

impl<K: Kind> Module<K> {
    /// Steps the automaton and carries out what it says.
    fn feed(&mut self, event: impl Into<K::Event>, ctx: &mut Context<Self>) -> Outcome {
        let event = event.into();
        tracing::debug!(module = %self.setup.name, ?event, "event");
        let step = K::step(&self.fsm, &self.state, event);
        self.take(step, ctx)
    }

    fn take(&mut self, step: Step<K::State, K::Effect>, ctx: &mut Context<Self>) -> Outcome {
        let Step { state, effects, outcome } = step;
        let changed = state != self.state;
        if K::shown(&self.state).0 == Role::Stop && K::shown(&state).0 != Role::Stop {
            self.truncate_userlogs();
        }
        let before = std::mem::replace(&mut self.state, state);
        if changed {
            if !runs(K::shown(&before).0) && runs(K::shown(&self.state).0) {
                self.count_start();
            }
            self.keep();
            K::changed(self);
        }
        for effect in effects {
            K::run(self, effect, ctx);
        }
        if changed {
            self.publish_state();
            K::changed_from(self, &before, ctx);
            if self.anew {
                ctx.run_later(Duration::ZERO, Self::follow);
            }
            // Whoever has just reached WAIT need not wait for the next period.
            if K::unexamined(&self.state) && !self.soon {
                self.soon = true;
                ctx.run_later(Duration::ZERO, |module, ctx| {
                    module.soon = false;
                    module.evaluate(ctx);
                });
            }
        }
        outcome
    }

    fn log(&self, message: &LogMessage) {
        self.setup.store.append(Timestamp::now(), message);
    }

    fn publish_state(&mut self) {
        let (role, readiness) = K::shown(&self.state);
        self.assign(&name("state", "local"), Value::Text(format!("{role} {readiness}")));
        K::state_resources(self);
        self.show();
    }

    /// Tells whoever waits for a change.
    fn show(&self) {
        let (role, readiness) = K::shown(&self.state);
        let remote = K::remote(self);
        let reason = self.explanation().reasons.into_iter().next().unwrap_or_default();
        let commands = K::offered(&self.fsm, &self.state, self.checkers_on);
        self.shown.send_modify(|shown| {
            if (shown.role, shown.readiness) != (role, readiness) {
                shown.since = Timestamp::now();
            }
            (shown.role, shown.readiness, shown.remote, shown.reason) = (role, readiness, remote, reason);
            shown.commands = commands;
        });
    }

    /// The application is being started.
    fn count_start(&self) {
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        self.shown.send_modify(|shown| shown.starts = now.max(shown.starts + 1));
    }

    fn explanation(&self) -> Explanation {
        let mut e = K::explain(self);
        if let (Some(_), Some(first)) = (&e.rule, e.reasons.first_mut()) {
            *first += self.blocking.clone();
        }
        if let Some(Running { name: script, since, .. }) = &self.script {
            let seconds = Timestamp::now().duration_since(*since).as_secs();
            e.reasons.insert(
                1.min(e.reasons.len()),
                told!(
                    "the script {script} has been running for {seconds} s",
                    "le script {script} s'exécute depuis {seconds} s"
                ),
            );
        }
        if let Some(p) = self.machine.pending(super::cluster::now_ms()) {
            let (rule, command, ms) = (p.rule, p.command, p.remaining_ms);
            e.reasons.push(told!(
                "the failover rule {rule} does {command} in {ms} ms if nothing changes",
                "la règle de failover {rule} fait {command} dans {ms} ms si rien ne change"
            ));
        }
        e
    }
}

/// The application runs in this role.
fn runs(role: Role) -> bool {
    matches!(role, Role::Alone | Role::Prim | Role::Up)
}

fn name(class: &str, id: &str) -> ResourceName {
    ResourceName::new(class, id)
}

impl<K: Kind> Actor for Module<K> {
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
