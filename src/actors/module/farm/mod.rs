//! Farm and light modules: the automaton of STOP, WAIT and UP, and the group of a farm.

mod group;
mod launch;

pub use group::FarmSetup;
pub use launch::launch_farm;

use super::{Kind, Module};
use crate::fsm::anew::Anew;
use crate::fsm::command::Command;
use crate::fsm::explain::{self, Explanation};
use crate::fsm::farm::{self, At, Config, Effect, Event, Record, State};
use crate::fsm::instance::{Step, Waits, Window};
use crate::fsm::offer;
use crate::fsm::state::{Readiness, Role};
use actix::prelude::*;
use std::time::Duration;

/// The timer of the automaton.
const RETRY: Duration = Duration::from_secs(1);

/// What a farm or light module has of its own.
pub struct Farm {
    /// Of mode farm.
    setup: Option<FarmSetup>,
    part: group::Part,
}

impl Kind for Farm {
    type Config = Config;
    type State = State;
    type Event = Event;
    type Effect = Effect;
    type Record = Record;

    const RECORD: &'static str = "halt.json";
    const STATE: &'static str = "instance.json";

    fn first_record() -> Record {
        Record::default()
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
        state.windows().to_vec()
    }

    fn anew(state: &State) -> Anew {
        state.anew()
    }

    fn step(cfg: &Config, state: &State, event: Event) -> Step<State, Effect> {
        farm::step(cfg, state, event)
    }

    fn adopt(module: &mut Module<Farm>, ctx: &mut Context<Module<Farm>>) {
        module.rejoin(ctx);
        let step = farm::adopt(&module.fsm, module.state.clone(), module.state.record);
        module.take(step, ctx);
    }

    fn run(module: &mut Module<Farm>, effect: Effect, ctx: &mut Context<Module<Farm>>) {
        match effect {
            Effect::Log(message) => module.log(&message),
            Effect::Store(id, record) => module.store(id, record, ctx),
            Effect::Script(id, call) => module.script(id, &call, ctx),
            Effect::VipOn(id) => module.set_vips(id, ctx),
            Effect::VipOff(id) => module.unset_vips(id, ctx),
            Effect::Load(id) => module.load(id, ctx),
            Effect::Unload(id) => module.unload(id, ctx),
            Effect::Arm(id) => module.arm(id, ctx),
            Effect::Disarm(id) => module.disarm(id, ctx),
            Effect::Join(id) => module.join(id, ctx),
            Effect::Leave(id) => module.leave(id, ctx),
            Effect::Kill(id) => module.kill(id, false, ctx),
            Effect::Checkers(window, on) => module.window(window, on),
            Effect::Timer(id) => module.timer(id, RETRY, ctx),
            Effect::KillScript(id) => module.kill_script(id),
            Effect::ResetRules => module.machine.reset(),
            Effect::Reboot => module.reboot(),
        }
    }

    fn explain(module: &Module<Farm>) -> Explanation {
        explain::farm::explain(&module.fsm, &module.state, module.setup.name.as_str())
    }

    fn offered(cfg: &Config, state: &State, checkers: bool) -> Vec<Command> {
        offer::farm(cfg, state, checkers)
    }

    fn initial_resources(module: &mut Module<Farm>) {
        module.show_loads(&[]);
    }

    fn close(module: &mut Module<Farm>) {
        module.close_group();
    }
}
