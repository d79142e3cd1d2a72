//! Moves between settled states: what is to be done, in order, one awaited thing at a time.

use super::face::Posture;
use super::state::Goal;
use crate::fsm::generation::Record;
use crate::fsm::instance::Window;
use crate::fsm::scripts::{self, Action, Script};
use crate::fsm::state::{Readiness, Role};
use crate::log::Message;
use serde::{Deserialize, Serialize};

/// A move of the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Move {
    /// STOP -> WAIT.
    Start,
    /// WAIT -> ALONE.
    Promote,
    /// WAIT -> SECOND, or PRIM -> SECOND at the end of a swap.
    Join,
    /// ALONE -> PRIM.
    Pair,
    /// PRIM: the new generation becomes durable before S is asked to give up; ALONE: before it goes
    /// on without an S that had the old one (S3).
    Ask,
    /// PRIM -> ALONE.
    GoAlone,
    /// SECOND -> ALONE (S7).
    Takeover,
    /// Stop and start of the application.
    Restart,
    /// ALONE, PRIM or SECOND -> WAIT.
    Halt,
    /// The answer of S is stored (S5).
    Answered,
    /// WAIT -> STOP.
    Finish,
    /// PRIM: first half of a swap.
    SwapOut,
    /// A claim of the peer was heard, or that it went on from here: *down* is stored before that is
    /// answered (S10, S6).
    Yield,
    /// After a crash of the control plane in a move, or a fencing: all is stopped and seen stopped.
    Recover,
}

/// A change of the durable record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Change {
    /// Started: not halted cleanly until it stops.
    Started,
    /// Primary by its own decision: new term, new generation, *up*.
    Promoted,
    /// Becomes SECOND: *down*, and inconsistent until the data is there.
    Joined,
    /// The reintegration was refused before anything was changed: not half copied after all.
    Untouched,
    /// SECOND has the data and takes the history of the primary.
    Adopted,
    /// PRIM of a pair in this generation; its secondary has all, so nothing is to be copied in full.
    Paired,
    /// New generation, still *paired* (S3).
    Asked,
    /// *up* again, S gave up or is silent (S3).
    WentAlone,
    /// S took over (S5), or won after a partition (S6): *down*.
    HandedOver,
    /// S does not take over (S5): *up*.
    Kept,
    /// A claim of the peer was heard (S10), or that it went on from here (S6): *down*.
    Yielded,
    /// What was received could not be applied at a takeover (S7): inconsistent until it is
    /// reintegrated (ST-41).
    Unapplied,
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
    VipOn,
    VipOff,
    Kill {
        swap: bool,
    },
    Arm,
    Disarm,
    Mount,
    Unmount,
    Writable,
    ReadOnly,
    Reintegrate,
    Drain,
    MarkDirty,
    Release,
    Checkers(Window, bool),
    /// From here on the node runs, or runs no more.
    Running(bool),
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
    /// Part of a swap.
    pub swap: bool,
    /// What is to be stored without asking S, because S runs already (S6); or its answer (S5); or, of
    /// a SECOND, first of all: whether its data is whole (S7, ST-37).
    pub store: Option<Change>,
    /// Able to acknowledge to clients.
    pub running: bool,
    /// It was when the move began: what is undone must not change while it is undone.
    pub ran: bool,
    /// Join: the data was not half copied when it began.
    pub whole: bool,
    /// A broken stream cut it short: no script follows, or what waits is refused already.
    pub cut: bool,
    /// Index of the thing being done.
    pub at: u8,
    /// Effect awaited, and the record it makes durable.
    pub awaited: Option<(u64, Option<Record>)>,
}

impl Moving {
    /// A move from one role to another, not begun.
    pub fn new(mv: Move, from: Role, to: Role) -> Moving {
        let running = matches!(
            (mv, from),
            (Move::Pair | Move::Ask | Move::GoAlone | Move::SwapOut | Move::Recover, _)
                | (Move::Restart | Move::Halt, Role::Alone | Role::Prim)
        );
        let (goal, action, swap, store) = (Goal::Wait, None, false, None);
        Moving {
            mv,
            from,
            to,
            goal,
            action,
            swap,
            store,
            running,
            ran: running,
            whole: false,
            cut: false,
            at: 0,
            awaited: None,
        }
    }

    /// The cleaning of what an earlier life or the guard left.
    /// `goal`: where a halt that was cut off led; a module that was being stopped stays stopped.
    pub fn recover(from: Role, goal: Option<Goal>) -> Moving {
        let goal = if goal == Some(Goal::Stop) { Goal::Stop } else { Goal::StopStart };
        Moving { goal, ..Moving::new(Move::Recover, from, Role::Wait) }
    }

    /// Role and readiness as users see them.
    pub fn shown(&self) -> (Role, Readiness) {
        use Readiness::{NotReady, Ready, Transient};
        match self.mv {
            Move::Answered if self.goal == Goal::Rejoin => (Role::Second, Transient),
            Move::Start | Move::Answered | Move::Finish | Move::Recover => (Role::Wait, Transient),
            Move::Promote => (Role::Alone, Transient),
            Move::Join => (Role::Second, Transient),
            Move::Pair => (Role::Alone, Ready),
            Move::Ask => (self.from, Ready),
            Move::GoAlone => (Role::Prim, Ready),
            Move::Takeover if self.running => (Role::Alone, Transient),
            Move::Takeover => (Role::Second, Transient),
            Move::Restart | Move::Halt | Move::SwapOut => (self.from, Transient),
            Move::Yield if self.from == Role::Stop => (Role::Stop, NotReady),
            Move::Yield => (Role::Wait, Transient),
        }
    }

    /// What the peer may conclude.
    pub fn posture(&self, promotable: bool) -> Posture {
        match self.mv {
            _ if self.running => Posture::Running,
            Move::Takeover | Move::Promote => Posture::TakingOver,
            Move::Join => Posture::Joining,
            Move::Restart if promotable => Posture::Second,
            Move::Restart => Posture::Joining,
            Move::Yield if self.from == Role::Stop => Posture::Stopped,
            Move::Yield => Posture::Waiting,
            _ => Posture::Settling,
        }
    }

    /// A peer could take over from this node (S8), see [`super::State::guarded`].
    pub fn guarded(&self, data: bool) -> bool {
        let armed = match self.mv {
            Move::Promote | Move::Takeover => {
                self.todo(data).iter().position(|t| *t == Todo::Arm).is_some_and(|i| i < usize::from(self.at))
            }
            _ => !data || self.from == Role::Prim,
        };
        self.running && armed
    }

    /// The things to do, in order (spec/automata.md, image404; the places of record, virtual IP and
    /// guard are those of DESIGN 6).
    pub fn todo(&self, data: bool) -> Vec<Todo> {
        use Todo::{Arm, Checkers, Disarm, Kill, MarkDirty, Mount, ReadOnly, Release, Running, Unmount};
        use Todo::{Script as Run, Store, VipOff, VipOn};
        let stop = |s: Script| [Run(s, false), Run(s, true)];
        match self.mv {
            Move::Start => [Store(Change::Started)]
                .into_iter()
                .chain([Script::Transition, Script::Prestart].map(|s| Run(s, false)))
                .chain(data.then_some(Mount))
                .chain([Checkers(Window::Pre, true)])
                .collect(),
            Move::Promote => [Store(Change::Promoted), Run(Script::Transition, false)]
                .into_iter()
                .chain((!data).then_some(Arm))
                .chain(opening(data))
                .chain([Running(true), VipOn])
                .chain(starting(Role::Alone))
                .collect(),
            Move::Join => self.joining(data),
            // By a swap it has been told PRIM already.
            Move::Pair if self.swap => vec![Arm, Store(Change::Paired)],
            Move::Pair => [Arm, Store(Change::Paired)]
                .into_iter()
                .chain(stop(Script::StopSec))
                .chain([Run(Script::Transition, false)])
                .collect(),
            // Who is ALONE has told nobody *in step*: callers are answered as soon as the generation is
            // durable. PRIM answers them in the move to ALONE.
            Move::Ask => data
                .then_some(MarkDirty)
                .into_iter()
                .chain([Store(Change::Asked)])
                .chain((data && self.from == Role::Alone).then_some(Release))
                .collect(),
            Move::GoAlone => [Store(Change::WentAlone)]
                .into_iter()
                .chain(data.then_some(Release))
                .chain(data.then_some(Disarm))
                .chain([Run(Script::Transition, false), Run(Script::StartSec, false)])
                .collect(),
            Move::Takeover => self.taking_over(data),
            Move::Restart => stopping(self.from).into_iter().chain(starting(self.from)).collect(),
            Move::Halt => self.halting(data),
            Move::Answered => self.store.map(Store).into_iter().collect(),
            Move::Finish => scripts::FORCED
                .into_iter()
                .map(|s| Run(s, true))
                .chain([Checkers(Window::Pre, false), Run(Script::Poststop, false)])
                .chain([Run(Script::Transition, false)])
                .chain(data.then_some(Unmount))
                .chain([Store(Change::Halted), Todo::Log(Message::EndOfStop)])
                .collect(),
            Move::SwapOut => [Checkers(Window::Prim, false)]
                .into_iter()
                .chain(stop(Script::StopPrim))
                .chain([VipOff, Kill { swap: true }])
                .chain(data.then_some(ReadOnly))
                .chain([Disarm, Running(false)])
                .collect(),
            Move::Yield => vec![Store(Change::Yielded)],
            // A store may be under way that this move does not wait for: it is overwritten first.
            Move::Recover => [Store(Change::Same)]
                .into_iter()
                .chain([Window::Prim, Window::Second, Window::Both, Window::Pre].map(|w| Checkers(w, false)))
                .chain([VipOff, Kill { swap: false }])
                .chain(data.then_some(ReadOnly))
                .chain([Disarm, Running(false)])
                .chain(scripts::FORCED.into_iter().map(|s| Run(s, true)))
                .chain(data.then_some(Unmount))
                .collect(),
        }
    }

    fn joining(&self, data: bool) -> Vec<Todo> {
        let both = |t: &Todo| {
            self.from != Role::Prim
                || !matches!(t, Todo::Script(Script::StartBoth, _) | Todo::Checkers(Window::Both, _))
        };
        [Todo::Store(Change::Joined), Todo::Script(Script::Transition, false)]
            .into_iter()
            .chain(data.then_some(Todo::Reintegrate))
            .chain([Todo::Store(Change::Adopted)])
            .chain(starting(Role::Second).into_iter().filter(both))
            .collect()
    }

    fn halting(&self, data: bool) -> Vec<Todo> {
        let armed = self.ran && (!data || self.from == Role::Prim);
        let second = self.from == Role::Second;
        let (first, last) = (self.store.filter(|_| second), self.store.filter(|_| !second));
        first
            .map(Todo::Store)
            .into_iter()
            .chain(stopping(self.from))
            .chain(self.ran.then_some(Todo::VipOff))
            .chain([Todo::Kill { swap: false }])
            .chain(data.then_some(Todo::ReadOnly))
            .chain(armed.then_some(Todo::Disarm))
            .chain([Todo::Running(false), Todo::Script(Script::Transition, false)])
            .chain(last.map(Todo::Store))
            .collect()
    }

    /// S7: what was received is applied before the promotion is durable; only then it runs.
    fn taking_over(&self, data: bool) -> Vec<Todo> {
        let sec = [Todo::Script(Script::StopSec, false), Todo::Script(Script::StopSec, true)];
        let sec = sec.into_iter().filter(|_| self.swap);
        [Todo::Checkers(Window::Second, false)]
            .into_iter()
            .chain(data.then_some(Todo::Drain))
            .chain([Todo::Store(Change::Promoted)])
            .chain(opening(data))
            .chain(sec)
            .chain([Todo::Script(Script::StopSecond, false), Todo::Script(Script::StopSecond, true)])
            .chain([Todo::Script(Script::Transition, false)])
            .chain((!data).then_some(Todo::Arm))
            .chain([Todo::Running(true), Todo::VipOn])
            .chain([Todo::Script(Script::StartPrim, false), Todo::Checkers(Window::Prim, true)])
            .collect()
    }

    /// Name of the move in the verbose log, e.g. `ALONE_TO_PRI` (spec/extra-facts.md C3).
    pub fn name(&self) -> String {
        let to = self.to.to_string();
        format!("{}_TO_{}", self.from, &to[..to.len().min(3)])
    }
}

/// The directories are opened for modification; what they hold counts from here on.
fn opening(data: bool) -> impl Iterator<Item = Todo> {
    data.then_some([Todo::Writable, Todo::Log(Message::UptodateData)]).into_iter().flatten()
}

/// The windows that are open in a role besides *pre*, in the order of their opening.
pub(super) fn windows(role: Role) -> &'static [Window] {
    match role {
        Role::Alone | Role::Prim => &[Window::Both, Window::Prim],
        Role::Second => &[Window::Both, Window::Second],
        Role::Up => &[Window::Both],
        Role::Stop | Role::Wait => &[],
    }
}

fn starting(role: Role) -> Vec<Todo> {
    let scripts = scripts::starts(role).iter().map(|&s| Todo::Script(s, false));
    scripts.chain(windows(role).iter().map(|&w| Todo::Checkers(w, true))).collect()
}

fn stopping(role: Role) -> Vec<Todo> {
    let off = windows(role).iter().rev().map(|&w| Todo::Checkers(w, false));
    let twice = scripts::stops(role).iter().flat_map(|&s| [Todo::Script(s, false), Todo::Script(s, true)]);
    off.chain(twice).collect()
}

/// Mixes a seed and a count to an identity that is never 0.
pub(super) fn mix(seed: u64, count: u64) -> u64 {
    let mut z = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).max(1)
}
