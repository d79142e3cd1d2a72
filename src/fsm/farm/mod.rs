//! The automaton of farm and light modules: STOP, WAIT, UP (ST-80 to ST-89).
//!
//! [`step`] takes a state and an event and gives the next state and the effects. A state is either
//! *settled* or in a *move*: a list of things to do in order ([`plan`]), one awaited at a time. A farm
//! has no peer here: who serves which clients is the business of its group, which this node joins
//! when its application runs and leaves before it stops.

mod command;
mod drive;
mod plan;
mod state;
#[cfg(test)]
mod tests;

pub use super::instance::{Ignored, Outcome, Refused, Waits, Window};
pub use plan::{Change, Move, Moving, Todo};
pub use state::{At, Goal, Record, State};

use super::command::{Caller, Command};
use super::instance::{self, Happening};
use super::scripts::{Call, Scripts};
use super::state::Role;
use crate::log::Message;
use crate::told::Told;
use serde::{Deserialize, Serialize};

/// What the configuration says to the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// Mode farm: it has virtual addresses and shares the clients with its group. Else mode light.
    pub farm: bool,
    /// Scripts that the module has.
    pub scripts: Scripts,
    /// `automatic_reboot`: a stopstart by a detector reboots the node (CFG-SVC-08).
    pub automatic_reboot: bool,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// Somebody asks for something.
    Command(Command, Caller),
    /// The rules' word on waiting changed.
    Waits(Waits),
    /// The awaited effect ended.
    Done(u64, Result<(), Told>),
    /// A timer ended.
    Timer(u64),
    /// The group lost what it needs to share the clients: the reason. This node gets none then.
    Unshared(Told),
    /// The guard has taken this node's share of the clients, because its control plane did not answer
    /// (S8).
    Fenced(Told),
}

impl From<Happening> for Event {
    fn from(h: Happening) -> Event {
        match h {
            Happening::Command(command, caller) => Event::Command(command, caller),
            Happening::Waits(waits) => Event::Waits(waits),
            Happening::Done(id, result) => Event::Done(id, result),
            Happening::Timer(id) => Event::Timer(id),
            Happening::Fenced(what) => Event::Fenced(what),
        }
    }
}

/// Something for the actor to do. Those with an id are answered by [`Event::Done`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Write a message of the module log.
    Log(Message),
    /// Make the record durable.
    Store(u64, Record),
    /// Run a script.
    Script(u64, Call),
    /// Put the packet filter in place; it accepts no client. This and the following, up to `Leave`, are for
    /// farms only.
    Load(u64),
    /// Remove the packet filter.
    Unload(u64),
    /// Set the virtual addresses.
    VipOn(u64),
    /// Reset connections and remove the virtual addresses; done when they are seen gone.
    VipOff(u64),
    /// Be ready to withdraw this node's share if this process does not answer any more (S8).
    Arm(u64),
    /// No longer.
    Disarm(u64),
    /// Take part in the group: this node serves clients when it is done.
    Join(u64),
    /// Take no more clients; done when the others have them, or a bounded time is over.
    Leave(u64),
    /// Kill what is left of the application and see it gone.
    Kill(u64),
    /// Open or close the window of checkers.
    Checkers(Window, bool),
    /// Start a timer of a second; its end is [`Event::Timer`] with this id.
    Timer(u64),
    /// Kill the script that runs, for forcestop.
    KillScript(u64),
    /// The role changed: the rules begin anew.
    ResetRules,
    /// Reboot the node (CFG-SVC-08).
    Reboot,
}

/// The result of [`step`].
pub type Step = instance::Step<State, Effect>;

/// One step of the automaton.
pub fn step(cfg: &Config, state: &State, event: Event) -> Step {
    let mut run = Run { cfg, s: state.clone(), out: Vec::new() };
    let outcome = run.take(event);
    run.settle();
    run.finish(state);
    Step { state: run.s, effects: run.out, outcome }
}

/// The first step of a control plane that came back while the module went on (DESIGN 3): `kept` is
/// the state as its last life left it, `record` the durable record.
pub fn adopt(cfg: &Config, kept: State, record: Record) -> Step {
    let before = kept.clone();
    let mut run = Run { cfg, s: State::adopted(kept, record, cfg.farm), out: Vec::new() };
    if let At::Moving(m) = run.s.at.clone() {
        run.begin(m);
    }
    run.settle();
    run.finish(&before);
    Step { state: run.s, effects: run.out, outcome: Outcome::Taken }
}

/// The work of one step: the state under change and the effects so far.
struct Run<'a> {
    cfg: &'a Config,
    s: State,
    out: Vec<Effect>,
}

/// A step settles after a handful of rounds; more would be a loop between states.
const ROUNDS: usize = 8;

impl Run<'_> {
    fn take(&mut self, event: Event) -> Outcome {
        match event {
            Event::Command(command, caller) => match self.command(command, caller) {
                Ok(outcome) => outcome,
                Err(refused) => Outcome::Refused(refused),
            },
            Event::Waits(w) if self.s.waits == w => Outcome::Ignored(Ignored::Known),
            Event::Waits(w) => {
                self.s.waits = w;
                Outcome::Taken
            }
            Event::Done(id, result) => self.done(id, result),
            Event::Timer(id) => self.timer(id),
            Event::Unshared(why) => self.unshared(Message::Error(why)),
            Event::Fenced(what) => self.unshared(Message::Fenced(what)),
        }
    }

    /// Looks at what is known again until nothing changes: edges wake, levels decide.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let before = (self.s.at.clone(), self.s.pending.is_some());
            self.look();
            if (&self.s.at, self.s.pending.is_some()) == (&before.0, before.1) {
                return;
            }
        }
        debug_assert!(false, "the automaton does not settle: {:?}", self.s);
    }

    fn look(&mut self) {
        if matches!(self.s.at, At::Moving(_)) {
            return;
        }
        if let Some((command, _)) = self.s.pending.take() {
            self.apply(command);
        } else if self.s.at == At::Waiting {
            self.wait();
        }
    }

    /// WAIT: UP as soon as no rule holds it (ST-81).
    fn wait(&mut self) {
        match self.s.waits.clone() {
            Waits::Hold(_) => {}
            Waits::Blocked(_) if self.s.held => {}
            Waits::Blocked(rule) => {
                self.s.held = true;
                self.log(Message::Action(Command::StopWait, Caller::Rule(rule.clone())));
                self.log(Message::TransitionFromRule(Command::StopWait, rule));
            }
            Waits::Clear => {
                if std::mem::take(&mut self.s.held) {
                    self.log(Message::Wakeup);
                }
                self.begin(Moving::new(Move::Rise, Role::Wait, Role::Up));
            }
        }
    }

    /// This node's share of the clients is gone, but its application runs: it joins again.
    fn unshared(&mut self, said: Message) -> Outcome {
        match &mut self.s.at {
            At::Up if self.cfg.farm => {
                self.log(said);
                self.begin(Moving::new(Move::Join, Role::Up, Role::Up));
            }
            // At its end, when the application runs.
            At::Moving(m) if m.mv == Move::Restart && self.cfg.farm => {
                m.rejoin = true;
                self.log(said);
            }
            _ => return Outcome::Ignored(Ignored::Known),
        }
        Outcome::Taken
    }

    fn log(&mut self, m: Message) {
        self.out.push(Effect::Log(m));
    }

    fn id(&mut self) -> u64 {
        self.s.ids += 1;
        self.s.ids
    }

    /// What follows from the change as a whole: the state messages.
    fn finish(&mut self, before: &State) {
        if self.s.shown() == before.shown() {
            return;
        }
        let (role, readiness) = self.s.shown();
        if role != before.shown().0 && !self.out.contains(&Effect::ResetRules) {
            self.out.push(Effect::ResetRules);
        }
        self.log(Message::LocalState(role, readiness));
    }
}
