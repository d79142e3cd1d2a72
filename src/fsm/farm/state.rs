//! The state of the automaton of farm and light modules.

use super::plan::{Move, Moving};
use crate::fsm::anew::Anew;
use crate::fsm::command::{Caller, Command};
use crate::fsm::instance::{Waits, Window};
use crate::fsm::scripts::Action;
use crate::fsm::state::{Readiness, Role};
use serde::{Deserialize, Serialize};

/// The record of a module on a node: replaced atomically and fsynced before the step that needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// The module was stopped cleanly; false from its start on (MSG-O-03).
    pub clean: bool,
}

impl Default for Record {
    /// The record of a module that was just configured: it never ran, so it halted cleanly.
    fn default() -> Record {
        Record { clean: true }
    }
}

/// Where the module is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum At {
    /// STOP.
    Stopped,
    /// WAIT.
    Waiting,
    /// UP Ready.
    Up,
    /// Between two of the above.
    Moving(Moving),
}

/// Where a halt leads; the first leave least behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Goal {
    /// STOP.
    Stop,
    /// STOP, then an automatic start.
    StopStart,
    /// WAIT.
    Wait,
}

impl Goal {
    /// The action that scripts are told (ST-91).
    pub(super) fn action(self) -> Action {
        match self {
            Goal::Stop => Action::Stop,
            Goal::StopStart => Action::StopStart,
            Goal::Wait => Action::StopWait,
        }
    }

    /// What a command to leave wants; none for every other command.
    pub(super) fn of(command: Command) -> Option<Goal> {
        match command {
            Command::Stop | Command::ForceStop | Command::Shutdown => Some(Goal::Stop),
            Command::StopStart => Some(Goal::StopStart),
            Command::StopWait => Some(Goal::Wait),
            _ => None,
        }
    }
}

/// State of a farm or light module on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Where the module is.
    pub at: At,
    /// The record as it is durable.
    pub record: Record,
    /// The rules' word on waiting.
    pub waits: Waits,
    /// A command that came during a move.
    pub pending: Option<(Command, Caller)>,
    /// A rule held it in WAIT: its release is said as wakeup (ST-73).
    pub held: bool,
    /// Effects issued so far.
    pub ids: u64,
    /// The timer that counts, if any.
    pub timer: Option<u64>,
}

impl State {
    /// A module in STOP with the record read from disk. `ids`: what effects are counted from.
    pub fn stopped(record: Record, ids: u64) -> State {
        let waits = Waits::Hold("rules".to_owned());
        State { at: At::Stopped, record, waits, pending: None, held: false, ids, timer: None }
    }

    /// The state of a control plane that died and came back while the module went on (DESIGN 3).
    ///
    /// A settled state is taken over as it is; in a farm it takes part in the group again. A move
    /// cannot be: what its effects became is unknown, so everything is stopped and seen stopped
    /// first, then the module starts by itself.
    pub(super) fn adopted(kept: State, record: Record, farm: bool) -> State {
        // The rest is asked for again by whoever asked; an operator's stop is not.
        let pending = kept.pending.filter(|(c, _)| Goal::of(*c) == Some(Goal::Stop));
        let up = || match farm && pending.is_none() {
            true => At::Moving(Moving::new(Move::Resume, Role::Up, Role::Up)),
            false => At::Up,
        };
        let at = match kept.at {
            At::Up => up(),
            At::Moving(m) if m.mv.shares() => up(),
            At::Moving(m) => At::Moving(Moving::recover(m.shown().0, m.goal)),
            settled => settled,
        };
        let waits = Waits::Hold("rules".to_owned());
        State { at, record, waits, pending, timer: None, ..kept }
    }

    /// A module that is checked began anew: this one stops and starts (CFG-MOD-03).
    pub fn anew(&self) -> Anew {
        match &self.at {
            At::Up => Anew::Now(Command::StopStart),
            At::Moving(m) if matches!(m.mv, Move::Rise | Move::Restart) || m.mv.shares() => Anew::Later,
            At::Stopped | At::Waiting | At::Moving(_) => Anew::Nothing,
        }
    }

    /// Role and readiness as users see them (ST-02, ST-03).
    pub fn shown(&self) -> (Role, Readiness) {
        match &self.at {
            At::Stopped => (Role::Stop, Readiness::NotReady),
            At::Waiting if matches!(self.waits, Waits::Blocked(_)) => (Role::Wait, Readiness::NotReady),
            At::Waiting => (Role::Wait, Readiness::Transient),
            At::Up => (Role::Up, Readiness::Ready),
            At::Moving(m) => m.shown(),
        }
    }

    /// The windows of checkers that are open after an adoption.
    pub fn windows(&self) -> &'static [Window] {
        match &self.at {
            At::Up => &[Window::Pre, Window::Both],
            At::Moving(m) if m.mv.shares() => &[Window::Pre, Window::Both],
            At::Waiting => &[Window::Pre],
            At::Stopped | At::Moving(_) => &[],
        }
    }
}
