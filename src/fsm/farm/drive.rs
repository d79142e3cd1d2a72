//! The drive through a move: one thing issued, its answer awaited, up to the end of the move.

use super::plan::{Change, Move, Moving, Todo};
use super::state::{At, Goal, Record};
use super::{Effect, Event, Ignored, Outcome, Run};
use crate::fsm::command::{Caller, Command};
use crate::fsm::scripts::Call;
use crate::log::Message;
use crate::told::{Told, told};

impl Run<'_> {
    /// Begins a move; what needs no answer is done at once.
    pub(super) fn begin(&mut self, m: Moving) {
        self.s.timer = None;
        self.s.at = At::Moving(m);
        self.advance();
    }

    /// Goes through the move up to the next thing that is awaited, or to its end.
    fn advance(&mut self) {
        while let At::Moving(m) = &self.s.at {
            let Some(todo) = m.current(self.cfg.farm) else {
                let m = m.clone();
                self.arrive(&m);
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
            m.failure = None;
        }
    }

    /// Issues one thing; true if its answer is awaited.
    fn issue(&mut self, todo: &Todo) -> bool {
        let At::Moving(m) = &self.s.at else { return false };
        let (from, to, action) = (m.from, m.to, m.action);
        let mut record = None;
        let effect = match todo {
            Todo::Script(script, _) if !self.cfg.scripts.has(*script) => return false,
            Todo::Script(script, force) => {
                Effect::Script(self.id(), Call { script: *script, force: *force, from, to, action })
            }
            Todo::Store(change) => {
                let changed = changed(self.s.record, *change);
                if changed == self.s.record && *change != Change::Same {
                    return false;
                }
                record = Some(changed);
                Effect::Store(self.id(), changed)
            }
            Todo::Load => Effect::Load(self.id()),
            Todo::Unload => Effect::Unload(self.id()),
            Todo::VipOn => Effect::VipOn(self.id()),
            Todo::VipOff => Effect::VipOff(self.id()),
            Todo::Arm => Effect::Arm(self.id()),
            Todo::Disarm => Effect::Disarm(self.id()),
            Todo::Join => Effect::Join(self.id()),
            Todo::Leave => Effect::Leave(self.id()),
            Todo::Kill => Effect::Kill(self.id()),
            Todo::Checkers(window, on) => {
                self.out.push(Effect::Checkers(*window, *on));
                return false;
            }
            Todo::Log(message) => {
                self.log(message.clone());
                return false;
            }
        };
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
            Some((awaited, record)) if *awaited == id => *record,
            _ => return Outcome::Ignored(Ignored::Late),
        };
        let m = m.clone();
        let Some(todo) = m.current(self.cfg.farm) else { return Outcome::Ignored(Ignored::Late) };
        // Nobody notices that it goes on.
        if m.mv != Move::Resume {
            let internal = format!("{}_{}", m.name().to_lowercase(), m.at + 1);
            self.log(Message::InternalAction(internal, result.clone()));
        }
        match (&todo, result) {
            (Todo::Store(_), Ok(())) => self.s.record = record.unwrap_or(self.s.record),
            // A clean halt may be forgotten. A script that fails says so itself, and may stop the module
            // (ST-89).
            (Todo::Store(Change::Halted) | Todo::Script(..), _) | (_, Ok(())) => {}
            // The others notice in time that this node is gone, the guard is told again, and a filter without
            // addresses filters nothing.
            (Todo::Leave | Todo::Disarm | Todo::Unload, Err(why)) => self.log(Message::Error(why)),
            (_, Err(why)) => {
                self.failed(&m, &todo, why);
                return Outcome::Taken;
            }
        }
        self.go_on();
        Outcome::Taken
    }

    /// Something that had to work did not: the move ends otherwise, or it is tried again.
    fn failed(&mut self, m: &Moving, todo: &Todo, why: Told) {
        let said = match todo {
            Todo::Load => Some(Message::Error(
                told!(
                    "the packet filter cannot be put in place: ",
                    "le filtre de paquets ne peut pas être mis en place : "
                ) + why.clone(),
            )),
            Todo::VipOn => Some(Message::Error(
                told!(
                    "the virtual ip cannot be set: ",
                    "l'adresse IP virtuelle ne peut pas être configurée : "
                ) + why.clone(),
            )),
            _ => None,
        };
        if let Some(said) = said {
            self.log(said);
            return self.begin(Moving::leaving(Move::Halt, Goal::Stop));
        }
        // Said once, not at each try.
        if m.failure.as_ref() != Some(&why) {
            let stuck = matches!(todo, Todo::VipOff | Todo::Kill);
            self.log(if stuck { Message::CannotStop(why.clone()) } else { Message::Error(why.clone()) });
        }
        if let At::Moving(m) = &mut self.s.at {
            // From here on the clients notice.
            if m.mv == Move::Resume {
                m.mv = Move::Join;
            }
            m.awaited = None;
            m.failure = Some(why);
        }
        let id = self.id();
        self.s.timer = Some(id);
        self.out.push(Effect::Timer(id));
    }

    /// To the next thing of a move, unless somebody wants to leave: then nothing is started first, and
    /// no client is sent here.
    fn go_on(&mut self) {
        self.skip();
        let stays = |mv: Move| matches!(mv, Move::Rise | Move::Restart | Move::Join | Move::Resume);
        if !(matches!(&self.s.at, At::Moving(m) if stays(m.mv)) && self.leave_now()) {
            self.advance();
        }
    }

    /// The end of a timer: what failed is tried again.
    pub(super) fn timer(&mut self, id: u64) -> Outcome {
        if self.s.timer != Some(id) {
            return Outcome::Ignored(Ignored::Late);
        }
        self.s.timer = None;
        self.advance();
        Outcome::Taken
    }

    /// The end of a move.
    fn arrive(&mut self, m: &Moving) {
        self.s.at = match m.mv {
            Move::Start => At::Waiting,
            Move::Rise | Move::Restart | Move::Join | Move::Resume => At::Up,
            Move::Halt if m.goal == Goal::Wait => At::Waiting,
            Move::Halt => return self.begin(Moving::leaving(Move::Finish, m.goal)),
            Move::Recover if m.goal == Goal::Stop => {
                return self.begin(Moving::leaving(Move::Finish, Goal::Stop));
            }
            Move::Finish | Move::Recover => return self.stopped(m.goal),
        };
        if m.mv != Move::Resume {
            self.log(Message::InternalState(format!("{}_{}", m.name(), m.at)));
        }
    }

    /// STOP is reached; the second half of a stopstart follows (ST-66).
    fn stopped(&mut self, goal: Goal) {
        self.s.at = At::Stopped;
        self.s.held = false;
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
            self.apply(Command::Start);
        }
    }
}

fn changed(old: Record, change: Change) -> Record {
    match change {
        Change::Started => Record { clean: false },
        Change::Halted => Record { clean: true },
        Change::Same => old,
    }
}

impl Event {
    /// The answer to an effect that worked.
    pub fn ok(id: u64) -> Event {
        Event::Done(id, Ok(()))
    }
}
