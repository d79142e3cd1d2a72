//! Moves between settled states: what is to be done, in order, one awaited thing at a time.

use super::state::{Goal, Record};
use crate::fsm::instance::Window;
use crate::fsm::scripts::{self, Action, Script};
use crate::fsm::state::{Readiness, Role};
use crate::log::Message;
use crate::told::Told;
use serde::{Deserialize, Serialize};

/// A move of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Move {
    /// STOP -> WAIT.
    Start,
    /// WAIT -> UP.
    Rise,
    /// Stop and start of the application.
    Restart,
    /// UP: its share of the clients was lost; it takes part in the group again.
    Join,
    /// UP: the same after a restart of the control plane, which the clients have not noticed.
    Resume,
    /// UP -> WAIT.
    Halt,
    /// WAIT -> STOP.
    Finish,
    /// After a crash of the control plane in a move: all is stopped and seen stopped.
    Recover,
}

impl Move {
    /// The application runs, and only its part in the group is under way.
    pub(super) fn shares(self) -> bool {
        matches!(self, Move::Join | Move::Resume)
    }
}

/// A change of the durable record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// Started: not halted cleanly until it stops.
    Started,
    /// Halted cleanly.
    Halted,
    /// As it is: after a store whose end nobody waited for.
    Same,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are the effects of the same name")]
pub enum Todo {
    Script(Script, bool),
    Store(Change),
    Load,
    Unload,
    VipOn,
    VipOff,
    Arm,
    Disarm,
    Join,
    Leave,
    Kill,
    Checkers(Window, bool),
    Log(Message),
}

/// A move in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moving {
    /// Which move.
    pub mv: Move,
    /// Role before.
    pub from: Role,
    /// Role after, as scripts are told.
    pub to: Role,
    /// Where a halt leads.
    pub goal: Goal,
    /// Action that caused it, as scripts are told.
    pub action: Option<Action>,
    /// Restart: its share of the clients was lost meanwhile.
    pub rejoin: bool,
    /// Index of the thing being done.
    pub at: u8,
    /// Why the thing being done failed last; it is tried again.
    pub failure: Option<Told>,
    /// Effect awaited, and the record it makes durable.
    pub awaited: Option<(u64, Option<Record>)>,
}

impl Moving {
    /// A move from one role to another, not begun.
    pub fn new(mv: Move, from: Role, to: Role) -> Moving {
        Moving {
            mv,
            from,
            to,
            goal: Goal::Wait,
            action: None,
            rejoin: false,
            at: 0,
            failure: None,
            awaited: None,
        }
    }

    /// UP or WAIT -> where a command leads.
    pub(super) fn leaving(mv: Move, goal: Goal) -> Moving {
        let (from, to) = if mv == Move::Halt { (Role::Up, Role::Wait) } else { (Role::Wait, Role::Stop) };
        Moving { goal, action: Some(goal.action()), ..Moving::new(mv, from, to) }
    }

    /// The cleaning of what an earlier life left. `goal`: where a halt that was cut off led; a module
    /// that was being stopped stays stopped.
    pub(super) fn recover(from: Role, goal: Goal) -> Moving {
        let goal = if goal == Goal::Stop { Goal::Stop } else { Goal::StopStart };
        Moving { goal, ..Moving::new(Move::Recover, from, Role::Wait) }
    }

    /// Role and readiness as users see them.
    pub fn shown(&self) -> (Role, Readiness) {
        match self.mv {
            Move::Start | Move::Finish => (Role::Wait, Readiness::Transient),
            Move::Rise | Move::Restart | Move::Join | Move::Halt => (Role::Up, Readiness::Transient),
            Move::Resume => (Role::Up, Readiness::Ready),
            Move::Recover => (self.from, Readiness::Transient),
        }
    }

    /// The thing being done; none at the end of the move.
    pub(super) fn current(&self, farm: bool) -> Option<Todo> {
        self.todo(farm).into_iter().nth(self.at.into())
    }

    /// The things to do, in order (spec/automata.md, image404, where UP shares a circle with ALONE; of
    /// the scripts a module that is UP has start_both and stop_both).
    pub fn todo(&self, farm: bool) -> Vec<Todo> {
        use Todo::{
            Arm, Checkers, Disarm, Join, Kill, Leave, Load, Script as Run, Store, Unload, VipOff, VipOn,
        };
        let of_farm = move |todo: Todo| farm.then_some(todo);
        match self.mv {
            Move::Start => vec![
                Store(Change::Started),
                Run(Script::Transition, false),
                Run(Script::Prestart, false),
                Checkers(Window::Pre, true),
            ],
            Move::Rise => [Run(Script::Transition, false)]
                .into_iter()
                .chain([Load, VipOn].into_iter().filter_map(of_farm))
                .chain(starting())
                .chain([Arm, Join].into_iter().filter_map(of_farm))
                .chain([Checkers(Window::Both, true)])
                .collect(),
            Move::Restart => [Checkers(Window::Both, false)]
                .into_iter()
                .chain(stopping())
                // What its script has left would run beside what is started now.
                .chain([Kill])
                .chain(starting())
                .chain(self.rejoin.then_some([Arm, Join]).into_iter().flatten())
                .chain([Checkers(Window::Both, true)])
                .collect(),
            Move::Join | Move::Resume => vec![Arm, Join],
            Move::Halt => [Checkers(Window::Both, false)]
                .into_iter()
                .chain([Leave, Disarm].into_iter().filter_map(of_farm))
                .chain(stopping())
                .chain([VipOff, Unload].into_iter().filter_map(of_farm))
                .chain([Kill])
                .chain([Run(Script::Transition, false)])
                .collect(),
            Move::Finish => forced()
                .chain([Checkers(Window::Pre, false), Run(Script::Poststop, false)])
                .chain([Run(Script::Transition, false), Store(Change::Halted), Todo::Log(Message::EndOfStop)])
                .collect(),
            // A store may be under way that this move does not wait for: it is overwritten first.
            Move::Recover => {
                [Store(Change::Same), Checkers(Window::Both, false), Checkers(Window::Pre, false)]
                    .into_iter()
                    .chain([Leave, VipOff].into_iter().filter_map(of_farm))
                    .chain([Kill])
                    .chain(of_farm(Disarm))
                    .chain(forced())
                    .collect()
            }
        }
    }

    /// Name of the move in the verbose log, e.g. `WAIT_TO_UP` (spec/extra-facts.md C3).
    pub(super) fn name(&self) -> String {
        format!("{}_TO_{}", self.from, self.to)
    }
}

fn starting() -> impl Iterator<Item = Todo> {
    scripts::starts(Role::Up).iter().map(|&s| Todo::Script(s, false))
}

fn stopping() -> impl Iterator<Item = Todo> {
    scripts::stops(Role::Up).iter().flat_map(|&s| [Todo::Script(s, false), Todo::Script(s, true)])
}

fn forced() -> impl Iterator<Item = Todo> {
    scripts::stops(Role::Up).iter().map(|&s| Todo::Script(s, true))
}
