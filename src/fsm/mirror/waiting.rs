//! WAIT: who starts, who becomes secondary, and who waits on (S1, S6, S10).

use super::Run;
use super::Waits;
use super::face::{Face, Posture};
use super::plan::{Move, Moving};
use super::state::{At, Goal, Order, Peer, Why};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::{Flag, Relation};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::scripts::Action;
use crate::fsm::start;
use crate::fsm::state::Role;
use crate::log::Message;

impl Run<'_> {
    /// Who hears a claim stores *down* before answering it (S10); so does who meets a primary that it
    /// did not go on from, or anybody who went on from here (S6), or it would start once the other
    /// falls silent.
    pub(super) fn hear_claim(&mut self, role: Role) {
        let relation = |f: &Face| self.s.record.history.relation(&f.history);
        let gives_up = self.peer().is_some_and(|f| match f.posture {
            Posture::Claim => true,
            Posture::Running if matches!(f.role, Role::Alone | Role::Prim) => {
                self.cfg.data && relation(&f) != Relation::Descendant
            }
            _ => false,
        });
        if (gives_up || self.s.outdated) && self.s.record.flag == Flag::Up {
            self.begin(Moving::new(Move::Yield, role, role));
        }
    }

    pub(super) fn wait(&mut self) {
        self.hear_claim(Role::Wait);
        if self.s.at != At::Waiting {
            return;
        }
        match self.s.waits.clone() {
            Waits::Hold(_) => return,
            Waits::Blocked(rule) => {
                if !self.s.held {
                    self.s.held = true;
                    self.log(Message::Action(Command::StopWait, Caller::Rule(rule.clone())));
                    self.log(Message::TransitionFromRule(Command::StopWait, rule));
                }
                return;
            }
            Waits::Clear if self.s.held => {
                self.s.held = false;
                self.log(Message::Wakeup);
            }
            Waits::Clear => {}
        }
        match self.s.peer.clone() {
            Peer::Unheard | Peer::Quiet => self.because(Why::PeerUnknown),
            Peer::Silent => self.wait_alone(),
            Peer::Heard { counts: false, .. } => {}
            Peer::Heard { face, .. } => self.wait_with(&face),
        }
    }

    /// WAIT, and no peer: S1.
    fn wait_alone(&mut self) {
        let whole = !self.s.record.reintegrating;
        let tolerated = self.s.tolerated && whole && self.s.record.flag != Flag::Up;
        let proven = !self.cfg.data || tolerated || (self.s.record.flag == Flag::Up && whole);
        match self.s.order {
            Some(Order::Second) => self.abort(),
            Some(Order::Prim) => self.begin(Moving::new(Move::Promote, Role::Wait, Role::Alone)),
            None if !proven => self.because(Why::NotUptodate),
            None if !self.s.may_lead() => self.because(Why::FailoverOff),
            None if tolerated => {
                let (name, rule) = (ResourceName::new("rfs", "uptodate"), "rfs_forceuptodate".to_owned());
                self.log(Message::Resource(name, Value::Up, rule));
                self.begin(Moving::new(Move::Promote, Role::Wait, Role::Alone));
            }
            None => self.begin(Moving::new(Move::Promote, Role::Wait, Role::Alone)),
        }
    }

    /// WAIT, and the peer is heard: S6, S10.
    fn wait_with(&mut self, f: &Face) {
        match (f.posture, self.s.order) {
            (Posture::Running, Some(Order::Prim)) => self.abort(),
            (Posture::Running, _) if self.is_primary(f) && self.cfg.data && f.degraded => {
                self.because(Why::Degraded);
            }
            (Posture::Running, _) if self.is_primary(f) && f.alike != self.s.alike => {
                self.because(Why::Differs);
            }
            (Posture::Running, _) if self.is_primary(f) && self.s.refusal.is_some() => {
                self.because(Why::Refused);
            }
            (Posture::Running, _) if self.is_primary(f) => self.join(Role::Wait),
            (Posture::Stopped | Posture::Waiting, Some(Order::Prim)) => self.s.at = At::Claiming,
            (Posture::Stopped | Posture::Waiting, Some(Order::Second)) => self.abort(),
            (Posture::Stopped | Posture::Waiting, None) => {
                let me = &self.s.record;
                if !self.s.may_lead() {
                    self.because(Why::FailoverOff);
                } else if start::may_claim(self.cfg.data, self.cfg.me, me, f) {
                    self.s.why = None;
                    self.s.at = At::Claiming;
                } else if self.cfg.data
                    && (f.posture == Posture::Stopped || !f.able || me.history.current() == 0)
                {
                    self.because(Why::NotUptodate);
                } else {
                    self.because(Why::PeerFirst);
                }
            }
            _ => self.because(Why::PeerFirst),
        }
    }

    /// A primary to be secondary of: it is settled in that role, asks nobody to give up, and this
    /// node did not go on from its history (S6).
    fn is_primary(&self, f: &Face) -> bool {
        let newer = self.cfg.data && self.s.record.history.relation(&f.history) == Relation::Descendant;
        matches!(f.role, Role::Alone | Role::Prim) && f.ask.is_none() && !newer
    }

    fn because(&mut self, why: Why) {
        if self.s.why == Some(why) {
            return;
        }
        self.s.why = Some(why);
        if why == Why::Degraded {
            self.say_degraded();
        } else if why == Why::Differs {
            self.say_differs();
        } else if why == Why::NotUptodate {
            self.log(Message::NotUptodate);
            self.log(Message::Action(Command::StopWait, Caller::Rule("notuptodate_server".to_owned())));
            self.log(Message::RunPrim);
        }
    }

    /// The claim is shown; it runs only on an answer, or on silence everywhere (S10).
    pub(super) fn claim(&mut self) {
        let forced = self.s.order == Some(Order::Prim);
        if self.s.waits != Waits::Clear {
            self.s.at = At::Waiting;
            return;
        }
        let promote = Moving::new(Move::Promote, Role::Wait, Role::Alone);
        if self.s.peer == Peer::Silent {
            if forced {
                self.begin(promote);
            } else {
                self.s.at = At::Waiting;
            }
            return;
        }
        let Some(f) = self.peer() else { return };
        match f.posture {
            Posture::Stopped | Posture::Waiting if f.flag == Flag::Up => {}
            Posture::Stopped | Posture::Waiting => {
                if forced || start::may_claim(self.cfg.data, self.cfg.me, &self.s.record, &f) {
                    self.begin(promote);
                } else {
                    self.s.at = At::Waiting;
                }
            }
            Posture::Joining | Posture::Settling => {}
            Posture::Claim if !start::yields(self.cfg.me, forced, &f) => {}
            _ if forced && f.posture != Posture::Claim => self.abort(),
            _ => {
                self.s.order = None;
                self.s.at = At::Waiting;
            }
        }
    }

    /// The operator's `prim` or `second` cannot be done: back to STOP (ST-40, ST-44).
    fn abort(&mut self) {
        let message = match self.s.order.take() {
            Some(Order::Second) => Message::SecondAborted,
            _ => Message::PrimAborted,
        };
        self.s.fullsync = false;
        self.s.since = None;
        self.log(message);
        self.finish_to(Goal::Stop, Some(Action::Stop));
    }

    /// WAIT -> STOP.
    pub(super) fn finish_to(&mut self, goal: Goal, action: Option<Action>) {
        self.begin(Moving { goal, action, ..Moving::new(Move::Finish, Role::Wait, Role::Stop) });
    }
}
