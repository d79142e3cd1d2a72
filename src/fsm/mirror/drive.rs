//! The drive through a move: one thing issued, its answer awaited, up to the end of the move.

use super::face::Posture;
use super::plan::{Change, Move, Moving, Todo};
use super::state::{At, Goal, Peer, Stream};
use super::{Effect, Event, Ignored, Outcome, Run, Timer};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::{Flag, Generation, Record};
use crate::fsm::scripts::{Action, Call};
use crate::fsm::state::Role;
use crate::log::Message;
use crate::told::{Told, told};

impl Run<'_> {
    /// Begins a move; what needs no answer is done at once.
    pub(super) fn begin(&mut self, m: Moving) {
        self.s.doubt = false;
        self.s.timer = None;
        self.s.why = None;
        // What leaves the role does not come back to what was cut short.
        self.s.again &= matches!(m.mv, Move::Ask | Move::GoAlone);
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
            Todo::Script(s, _) if !self.cfg.scripts.has(*s) || self.leaves_out() => return false,
            Todo::Script(script, force) => {
                let call = Call { script: *script, force: *force, from, to, action };
                Effect::Script(self.id(), call)
            }
            Todo::Store(change) => {
                let record = self.changed(*change);
                if record == self.s.record && *change != Change::Same {
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
            Todo::Mount
            | Todo::Unmount
            | Todo::Writable
            | Todo::ReadOnly
            | Todo::Reintegrate
            | Todo::Drain
            | Todo::MarkDirty
            | Todo::Release => self.data(todo),
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
    pub(super) fn done(&mut self, id: u64, result: Result<(), Told>) -> Outcome {
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
            // None of these leaves a stream.
            (Todo::Release | Todo::ReadOnly | Todo::Drain | Todo::Mount, Ok(())) => {
                self.s.stream = Stream::None
            }
            // A stop is not blocked for ever by what stays mounted.
            (Todo::Unmount, Err(why)) => {
                self.log(Message::Error(
                    told!(
                        "the replicated directories stay mounted: ",
                        "les répertoires répliqués restent montés : "
                    ) + why,
                ));
            }
            // The step is lost with the power if it is not durable; a clean halt may be forgotten. What
            // the guard is still killing after a fence must not be started again.
            (Todo::Disarm, Err(_)) if m.mv != Move::Recover => {}
            (Todo::Store(Change::Halted) | Todo::Script(..), _) | (_, Ok(())) => {}
            (todo, Err(why)) => {
                self.failed(&m, todo, why);
                return Outcome::Taken;
            }
        }
        self.go_on();
        Outcome::Taken
    }

    /// Something that had to work did not: the move ends otherwise, or it is tried again.
    fn failed(&mut self, m: &Moving, todo: &Todo, why: Told) {
        match todo {
            Todo::VipOn => {
                self.log(Message::Error(
                    told!(
                        "the virtual ip cannot be set: ",
                        "l'adresse IP virtuelle ne peut pas être configurée : "
                    ) + why,
                ));
                let from = if m.from == Role::Second { Role::Second } else { Role::Alone };
                let action = Some(Action::Stop);
                let halt = Moving::new(Move::Halt, from, Role::Wait);
                self.begin(Moving { action, goal: Goal::Stop, running: true, ran: true, ..halt });
            }
            Todo::Arm if m.mv == Move::Pair => {
                self.log(Message::Error(
                    told!(
                        "no secondary is accepted without the guard: ",
                        "aucun secondaire n'est accepté sans safeguard : "
                    ) + why,
                ));
                self.s.at = At::Alone;
                self.retry(Timer::Retry);
            }
            Todo::Drain => {
                self.log(Message::Error(why));
                self.leave_unapplied();
            }
            todo => {
                let stuck = matches!(todo, Todo::VipOff | Todo::Kill { .. } | Todo::ReadOnly | Todo::Disarm);
                let why = self.in_clear(todo, why);
                self.log(if stuck { Message::CannotStop(why) } else { Message::Error(why) });
                if *todo == Todo::Reintegrate {
                    // Again in a new session (S2), but not without a pause.
                    self.s.session = self.s.draw();
                }
                if let At::Moving(m) = &mut self.s.at {
                    m.awaited = None;
                }
                self.retry(Timer::Retry);
            }
        }
    }

    /// To the next thing of a move, unless the move has become pointless.
    fn go_on(&mut self) {
        self.skip();
        // A reintegrating SECOND goes on only while there is a primary, and no order to stop.
        let joining = matches!(&self.s.at, At::Moving(m) if m.mv == Move::Join);
        if joining && (self.join_is_broken() || self.s.pending.is_some()) {
            self.leave_join(None);
        } else if self.promoting()
            && (self.s.doubt || self.peer().is_some_and(|f| f.posture == Posture::Running))
        {
            self.give_up();
        } else {
            self.advance();
        }
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
            Change::Untouched => Record { reintegrating: false, ..old },
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
            Change::Unapplied => Record { flag: Flag::Down, reintegrating: true, ..old },
            Change::Kept => Record { flag: Flag::Up, ..old },
            Change::Halted => Record { clean: true, ..old },
            Change::Same => old,
        }
    }

    fn generation(&mut self) -> Generation {
        Generation { id: self.s.draw(), by: self.cfg.me }
    }

    /// What follows from a record that is durable now.
    fn stored(&mut self, change: Change) {
        self.s.outdated &= self.s.record.flag == Flag::Up && change != Change::Promoted;
        match change {
            Change::Promoted => {
                self.s.order = None;
                self.s.lastprim = false;
                self.s.fullsync = false;
                self.s.parted = false;
            }
            Change::Adopted => {
                self.s.adopted = true;
                self.s.fullsync = false;
                self.s.since = None;
            }
            Change::Asked => self.s.parted = false,
            _ => {}
        }
    }

    /// The end of a move.
    pub(super) fn arrive(&mut self, m: Moving) {
        self.s.timer = None;
        match m.mv {
            Move::Takeover => self.s.swapped = m.swap,
            Move::Promote | Move::Pair => self.s.swapped = false,
            _ => {}
        }
        self.s.at = match m.mv {
            Move::Start => At::Waiting,
            Move::Promote | Move::Takeover | Move::GoAlone => At::Alone,
            Move::Join => At::Joining,
            Move::Pair => At::Prim,
            Move::Ask if m.from == Role::Alone => At::Alone,
            Move::Ask => At::Asking,
            Move::Restart => match m.from {
                Role::Alone => At::Alone,
                Role::Prim => At::Prim,
                _ => At::Second,
            },
            Move::Yield if m.from == Role::Stop => At::Stopped,
            Move::Yield => At::Waiting,
            Move::SwapOut => At::Leaving(Goal::Rejoin),
            Move::Halt if m.from == Role::Prim && m.store.is_none() => At::Leaving(m.goal),
            Move::Halt | Move::Answered => return self.halted(&m),
            Move::Recover if m.goal == Goal::Stop => return self.finish_to(m.goal, Some(Action::Stop)),
            Move::Finish | Move::Recover => return self.stopped(m.goal),
        };
        let internal = format!("{}_{}", m.name(), m.at);
        self.log(Message::InternalState(internal));
        if matches!(self.s.at, At::Leaving(_)) {
            self.retry(Timer::Answer);
        }
    }

    fn halted(&mut self, m: &Moving) {
        match (m.goal, m.store) {
            (Goal::Wait, _) => self.s.at = At::Waiting,
            (Goal::Rejoin, Some(Change::HandedOver)) => self.join(Role::Prim),
            // The other half of the swap did not come: what still runs for both roles is stopped,
            // then the pair meets anew.
            (Goal::Rejoin, _) => self.halt(Role::Second, Goal::Wait, None),
            (goal, _) => self.finish_to(goal, Some(goal.action())),
        }
    }

    /// STOP is reached; the second half of a stopstart follows (ST-66).
    fn stopped(&mut self, goal: Goal) {
        self.s.at = At::Stopped;
        self.s.order = None;
        self.s.held = false;
        self.s.split = false;
        let then = self.s.pending.take().and_then(|(c, who)| Some((Goal::of(c)?, who)));
        // A stop that came during the halt wins over the automatic start; whoever runs the module by
        // hand may also have changed his mind from stop to stopstart.
        let again = match then {
            Some((Goal::Stop, _)) => false,
            Some((Goal::StopStart, who)) if who.is_administrator() => true,
            _ => goal == Goal::StopStart,
        };
        if again {
            self.log(Message::Action(Command::Start, Caller::Automatic));
            self.apply(Command::Start, Caller::Automatic);
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
