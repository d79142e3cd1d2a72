//! Moves between settled states: what is to be done, in order, one awaited thing at a time.

use super::face::Posture;
use super::state::{At, Goal, Peer};
use super::{Effect, Event, Ignored, Outcome, Run, Timer};
use crate::fsm::generation::{Flag, Generation, Record};
use crate::fsm::scripts::{self, Action, Call, Script};
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
    /// PRIM: the new generation becomes durable before S is asked to give up (S3).
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
    /// A claim of the peer was heard: *down* is stored before it is answered (S10).
    Yield,
    /// After a crash of the control plane in a move, or a fencing: all is stopped and seen stopped.
    Recover,
}

/// When checkers run (ST-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Window {
    /// From prestart to poststop.
    Pre,
    /// While PRIM or ALONE.
    Prim,
    /// While SECOND.
    Second,
    /// While PRIM, ALONE or SECOND.
    Both,
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
    /// SECOND has the data and takes the history of the primary.
    Adopted,
    /// PRIM of a pair in this generation.
    Paired,
    /// New generation, still *paired* (S3).
    Asked,
    /// *up* again, S gave up or is silent (S3).
    WentAlone,
    /// S took over (S5), or won after a partition (S6): *down*.
    HandedOver,
    /// S does not take over (S5): *up*.
    Kept,
    /// A claim of the peer was heard (S10): *down*.
    Yielded,
    /// Halted cleanly.
    Halted,
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
    Reintegrate,
    Drain,
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
    /// What is to be stored without asking S, because S runs already (S6); or its answer (S5).
    pub store: Option<Change>,
    /// Able to acknowledge to clients.
    pub running: bool,
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
        Moving { mv, from, to, goal, action, swap, store, running, at: 0, awaited: None }
    }

    /// The cleaning of what an earlier life or the guard left.
    pub fn recover(from: Role) -> Moving {
        Moving { goal: Goal::StopStart, ..Moving::new(Move::Recover, from, Role::Wait) }
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
            Move::Ask | Move::GoAlone => (Role::Prim, Ready),
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
                self.todo(data).iter().position(|t| *t == Todo::Arm).is_some_and(|i| i < self.at.into())
            }
            _ => !data || self.from == Role::Prim,
        };
        self.running && armed
    }

    /// The things to do, in order (spec/automata.md, image404; the places of record, virtual IP and
    /// guard are those of DESIGN 6).
    pub fn todo(&self, data: bool) -> Vec<Todo> {
        use Todo::{
            Arm, Checkers, Disarm, Drain, Kill, Reintegrate, Running, Script as Run, Store, VipOff, VipOn,
        };
        let stop = |s: Script| [Run(s, false), Run(s, true)];
        match self.mv {
            Move::Start => vec![
                Store(Change::Started),
                Run(Script::Transition, false),
                Run(Script::Prestart, false),
                Checkers(Window::Pre, true),
            ],
            Move::Promote => [Store(Change::Promoted), Run(Script::Transition, false)]
                .into_iter()
                .chain((!data).then_some(Arm))
                .chain([Running(true), VipOn])
                .chain(starting(Role::Alone))
                .collect(),
            Move::Join => {
                let copied = [Store(Change::Joined), Run(Script::Transition, false)];
                let both = |t: &Todo| {
                    self.from != Role::Prim
                        || !matches!(t, Run(Script::StartBoth, _) | Checkers(Window::Both, _))
                };
                let rest = starting(Role::Second).into_iter().filter(both);
                let reintegrate = data.then_some(Reintegrate);
                copied.into_iter().chain(reintegrate).chain([Store(Change::Adopted)]).chain(rest).collect()
            }
            Move::Pair => [Arm, Store(Change::Paired)]
                .into_iter()
                .chain(stop(Script::StopSec))
                .chain([Run(Script::Transition, false)])
                .collect(),
            Move::Ask => vec![Store(Change::Asked)],
            Move::GoAlone => [Store(Change::WentAlone)]
                .into_iter()
                .chain(data.then_some(Disarm))
                .chain([Run(Script::Transition, false), Run(Script::StartSec, false)])
                .collect(),
            Move::Takeover => [Checkers(Window::Second, false)]
                .into_iter()
                .chain(data.then_some(Drain))
                .chain([Store(Change::Promoted)])
                .chain(stop(Script::StopSecond))
                .chain([Run(Script::Transition, false)])
                .chain((!data).then_some(Arm))
                .chain([Running(true), VipOn])
                .chain([Run(Script::StartPrim, false), Checkers(Window::Prim, true)])
                .collect(),
            Move::Restart => stopping(self.from).into_iter().chain(starting(self.from)).collect(),
            Move::Halt => stopping(self.from)
                .into_iter()
                .chain(self.running.then_some(VipOff))
                .chain([Kill { swap: false }])
                .chain((self.running && (!data || self.from == Role::Prim)).then_some(Disarm))
                .chain([Running(false), Run(Script::Transition, false)])
                .chain(self.store.map(Store))
                .collect(),
            Move::Answered => self.store.map(Store).into_iter().collect(),
            Move::Finish => scripts::FORCED
                .into_iter()
                .map(|s| Run(s, true))
                .chain([Checkers(Window::Pre, false), Run(Script::Poststop, false)])
                .chain([Run(Script::Transition, false), Store(Change::Halted), Todo::Log(Message::EndOfStop)])
                .collect(),
            Move::SwapOut => [Checkers(Window::Prim, false)]
                .into_iter()
                .chain(stop(Script::StopPrim))
                .chain([VipOff, Kill { swap: true }, Disarm, Running(false)])
                .collect(),
            Move::Yield => vec![Store(Change::Yielded)],
            Move::Recover => [Window::Prim, Window::Second, Window::Both, Window::Pre]
                .into_iter()
                .map(|w| Checkers(w, false))
                .chain([VipOff, Kill { swap: false }, Disarm, Running(false)])
                .chain(scripts::FORCED.into_iter().map(|s| Run(s, true)))
                .collect(),
        }
    }

    /// Name of the move in the verbose log, e.g. `ALONE_TO_PRI` (spec/extra-facts.md C3).
    pub fn name(&self) -> String {
        let to = self.to.to_string();
        format!("{}_TO_{}", self.from, &to[..to.len().min(3)])
    }
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

impl Run<'_> {
    /// Begins a move; what needs no answer is done at once.
    pub(super) fn begin(&mut self, m: Moving) {
        self.s.timer = None;
        self.s.why = None;
        self.s.at = At::Moving(m);
        self.advance();
    }

    /// Goes through the move up to the next thing that is awaited, or to its end.
    fn advance(&mut self) {
        while let At::Moving(m) = &self.s.at {
            let Some(todo) = m.todo(self.cfg.data).into_iter().nth(m.at.into()) else {
                let m = m.clone();
                self.arrive(m);
                return;
            };
            if self.issue(&todo) {
                return;
            }
            self.skip();
        }
    }

    fn skip(&mut self) {
        if let At::Moving(m) = &mut self.s.at {
            m.at += 1;
            m.awaited = None;
        }
    }

    /// Issues one thing; true if its answer is awaited.
    fn issue(&mut self, todo: &Todo) -> bool {
        let At::Moving(m) = &self.s.at else { return false };
        let (from, to, action) = (m.from, m.to, m.action);
        let effect = match todo {
            Todo::Script(s, _) if !self.cfg.scripts.has(*s) => return false,
            Todo::Script(script, force) => {
                let call = Call { script: *script, force: *force, from, to, action };
                Effect::Script(self.id(), call)
            }
            Todo::Store(change) => {
                let record = self.changed(*change);
                if record == self.s.record {
                    self.stored(*change);
                    return false;
                }
                Effect::Store(self.id(), record)
            }
            Todo::VipOn => Effect::VipOn(self.id()),
            Todo::VipOff => Effect::VipOff(self.id()),
            Todo::Kill { swap } => Effect::Kill { id: self.id(), swap: *swap },
            Todo::Arm => Effect::Arm(self.id()),
            Todo::Disarm => Effect::Disarm(self.id()),
            Todo::Reintegrate => Effect::Reintegrate(self.id()),
            Todo::Drain => Effect::Drain(self.id()),
            Todo::Checkers(w, on) => {
                self.out.push(Effect::Checkers(*w, *on));
                return false;
            }
            Todo::Running(on) => {
                if let At::Moving(m) = &mut self.s.at {
                    m.running = *on;
                }
                return false;
            }
            Todo::Log(message) => {
                self.log(message.clone());
                return false;
            }
        };
        let record = if let Effect::Store(_, r) = &effect { Some(r.clone()) } else { None };
        let id = self.s.ids;
        if let At::Moving(m) = &mut self.s.at {
            m.awaited = Some((id, record));
        }
        self.out.push(effect);
        true
    }

    /// The answer to an effect.
    pub(super) fn done(&mut self, id: u64, result: Result<(), String>) -> Outcome {
        let At::Moving(m) = &self.s.at else { return Outcome::Ignored(Ignored::Late) };
        let record = match &m.awaited {
            Some((awaited, record)) if *awaited == id => record.clone(),
            _ => return Outcome::Ignored(Ignored::Late),
        };
        let (m, todos) = (m.clone(), m.todo(self.cfg.data));
        let Some(todo) = todos.get(usize::from(m.at)) else { return Outcome::Ignored(Ignored::Late) };
        self.log(Message::InternalAction(internal(&m), result.clone()));
        match (todo, result) {
            (Todo::Store(change), Ok(())) => {
                if let Some(r) = record {
                    self.s.record = r;
                }
                self.stored(*change);
            }
            // The step is lost with the power if it is not durable; a clean halt may be forgotten.
            (Todo::Store(Change::Halted) | Todo::Script(..) | Todo::Disarm, _) | (_, Ok(())) => {}
            (Todo::VipOn, Err(why)) => {
                self.log(Message::Error(format!("the virtual ip cannot be set: {why}")));
                let from = if m.from == Role::Second { Role::Second } else { Role::Alone };
                let halt =
                    Moving { goal: Goal::Stop, running: true, ..Moving::new(Move::Halt, from, Role::Wait) };
                self.begin(halt);
                return Outcome::Taken;
            }
            (Todo::Arm, Err(why)) if m.mv == Move::Pair => {
                self.log(Message::Error(format!("no secondary is accepted without the guard: {why}")));
                self.s.at = At::Alone;
                self.retry(Timer::Retry);
                return Outcome::Taken;
            }
            (Todo::Reintegrate | Todo::Drain, Err(why)) => {
                self.log(Message::Error(why));
                self.leave_second();
                return Outcome::Taken;
            }
            (todo, Err(why)) => {
                let stuck = matches!(todo, Todo::VipOff | Todo::Kill { .. });
                self.log(if stuck { Message::CannotStop(why) } else { Message::Error(why) });
                if let At::Moving(m) = &mut self.s.at {
                    m.awaited = None;
                }
                self.retry(Timer::Retry);
                return Outcome::Taken;
            }
        }
        self.skip();
        // A reintegrating SECOND goes on only while there is a primary, and no order to stop.
        let joining = matches!(&self.s.at, At::Moving(m) if m.mv == Move::Join);
        if joining && (self.join_is_broken() || self.s.pending.is_some()) {
            self.leave_second();
        } else if self.promoting() && self.peer().is_some_and(|f| f.posture == Posture::Running) {
            self.give_up();
        } else {
            self.advance();
        }
        Outcome::Taken
    }

    pub(super) fn retry(&mut self, timer: Timer) {
        let id = self.id();
        self.s.timer = Some(id);
        self.out.push(Effect::Timer(id, timer));
    }

    /// The end of a timer.
    pub(super) fn timer(&mut self, id: u64) -> Outcome {
        if self.s.timer != Some(id) {
            return Outcome::Ignored(Ignored::Late);
        }
        self.s.timer = None;
        match &self.s.at {
            At::Moving(_) => self.advance(),
            At::Leaving(goal) => self.answered(*goal, None),
            At::Second => self.s.swap = None,
            _ => {}
        }
        Outcome::Taken
    }

    /// The record after a change.
    fn changed(&mut self, change: Change) -> Record {
        let old = self.s.record.clone();
        let peer = match &self.s.peer {
            Peer::Heard { face, .. } => Some(face.clone()),
            _ => None,
        };
        let peer_term = peer.as_ref().map_or(0, |f| f.term);
        match change {
            Change::Started => Record { clean: false, ..old },
            Change::Promoted => Record {
                term: old.term.max(peer_term) + 1,
                holder: true,
                flag: Flag::Up,
                reintegrating: false,
                primary: true,
                fullsync: old.fullsync || self.s.fullsync,
                history: old.history.with(self.generation()),
                ..old
            },
            Change::Joined => {
                Record { flag: Flag::Down, reintegrating: self.cfg.data, primary: false, ..old }
            }
            Change::Adopted => match peer {
                Some(f) => Record {
                    term: f.term,
                    holder: false,
                    flag: Flag::Down,
                    reintegrating: false,
                    fullsync: false,
                    history: f.history,
                    ..old
                },
                None => old,
            },
            Change::Paired => Record { flag: Flag::Paired, fullsync: false, ..old },
            Change::Asked => Record { history: old.history.with(self.generation()), ..old },
            Change::WentAlone => Record { term: old.term + 1, holder: true, flag: Flag::Up, ..old },
            Change::HandedOver | Change::Yielded => Record { flag: Flag::Down, ..old },
            Change::Kept => Record { flag: Flag::Up, ..old },
            Change::Halted => Record { clean: true, ..old },
        }
    }

    fn generation(&mut self) -> Generation {
        Generation { id: self.s.draw(), by: self.cfg.me }
    }

    /// What follows from a record that is durable now.
    fn stored(&mut self, change: Change) {
        match change {
            Change::Promoted => {
                self.s.order = None;
                self.s.fullsync = false;
            }
            Change::Adopted => self.s.adopted = true,
            _ => {}
        }
    }
}

fn internal(m: &Moving) -> String {
    format!("{}_{}", m.name().to_lowercase(), m.at + 1)
}

impl Event {
    /// The answer to an effect that worked.
    pub fn ok(id: u64) -> Event {
        Event::Done(id, Ok(()))
    }
}
