//! What a settled state does with all that the node knows: edges wake, levels decide.

use super::face::{Face, Posture};
use super::plan::{Change, Move, Moving};
use super::state::{At, Goal, Peer, Stream};
use super::{DefaultPrim, Run, Timer};
use crate::fsm::scripts::Action;
use crate::fsm::state::Role;
use crate::log::Message;

/// A step settles after a handful of rounds; more would be a loop between states.
const ROUNDS: usize = 12;

impl Run<'_> {
    /// Looks at everything again until nothing changes.
    pub(super) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let before = self.s.at.clone();
            let why = self.s.why;
            let shown = self.s.face();
            self.look();
            if self.s.at == before && self.s.why == why {
                return;
            }
            self.void(&shown);
        }
        debug_assert!(false, "the automaton does not settle: {:?}", self.s);
    }

    fn look(&mut self) {
        if !matches!(self.s.at, At::Moving(_) | At::Leaving(Goal::Rejoin))
            && let Some((command, caller)) = self.s.pending.take()
        {
            self.apply(command, caller);
            return;
        }
        match &self.s.at {
            At::Stopped => self.hear_claim(Role::Stop),
            At::Waiting => self.wait(),
            At::Claiming => self.claim(),
            At::Joining | At::Second => self.second(),
            At::Alone => self.alone(),
            At::Prim => self.prim(),
            At::Asking => self.asking(),
            At::Leaving(goal) => self.leaving(*goal),
            At::Moving(m) => {
                let m = m.clone();
                self.moving(&m);
            }
        }
    }

    /// The peer's face, if it counts (S10).
    pub(super) fn peer(&self) -> Option<Face> {
        match &self.s.peer {
            Peer::Heard { face, counts: true } => Some((**face).clone()),
            _ => None,
        }
    }

    /// Becomes SECOND; a new session begins (S2).
    pub(super) fn join(&mut self, from: Role) {
        self.s.order = None;
        self.s.session = self.s.draw();
        self.s.adopted = false;
        self.s.promotable = false;
        self.s.swapped = from == Role::Prim;
        let whole = !self.s.record.reintegrating;
        self.begin(Moving { whole, ..Moving::new(Move::Join, from, Role::Second) });
    }

    pub(super) fn join_is_broken(&self) -> bool {
        if self.s.stream == Stream::Broken {
            return true;
        }
        match &self.s.peer {
            // After a swap the peer may still be on its way.
            Peer::Heard { face, counts: true } => {
                !matches!(face.posture, Posture::Running | Posture::TakingOver)
                    || face.ask.is_some()
                    || face.degraded
            }
            Peer::Heard { .. } => false,
            _ => true,
        }
    }

    fn second(&mut self) {
        if self.s.peer == Peer::Silent {
            return if self.s.promotable {
                self.take_over(Message::AloneNoHeartbeat)
            } else {
                self.leave_second()
            };
        }
        // Who is promotable holds all that was answered, and waits for the primary's word or silence
        // (S3); everybody else begins anew.
        if self.s.stream == Stream::Broken && !self.s.promotable {
            return self.leave_second();
        }
        let Some(f) = self.peer() else { return };
        let mine = self.s.record.history.current();
        match f.posture {
            Posture::Running if f.ask.is_some() || f.history.current() != mine => self.leave_second(),
            Posture::Running
                if !self.s.promotable && self.attached() && f.in_step == Some((mine, self.s.session)) =>
            {
                self.in_step()
            }
            Posture::Running => {}
            Posture::TakingOver if self.s.swapped && f.history.current() == mine => {}
            Posture::Leaving | Posture::Stopped | Posture::Waiting | Posture::Settling => {
                if self.s.promotable {
                    self.take_over(Message::AloneRemoteStop);
                } else {
                    self.leave_second();
                }
            }
            Posture::Claim | Posture::Joining | Posture::Second | Posture::TakingOver => self.leave_second(),
        }
    }

    /// SECOND: it gets what the primary writes.
    fn attached(&self) -> bool {
        !self.cfg.data || matches!(self.s.stream, Stream::InStep(_))
    }

    /// S2: only now promotable, and SECOND Ready.
    fn in_step(&mut self) {
        self.s.promotable = true;
        let first = self.s.at == At::Joining;
        self.s.at = At::Second;
        let wanted = match self.cfg.default_prim {
            DefaultPrim::Node(n) => n == self.cfg.me,
            DefaultPrim::Last => self.s.lastprim,
            DefaultPrim::Alone => false,
        };
        if first && wanted && !self.s.swapped {
            self.s.lastprim = false;
            self.log(Message::SwapFromDefaultprim);
            self.s.swap = Some(false);
            self.retry(Timer::Swap);
        }
    }

    /// ST-17, or ST-50 with failover="off". A swap is the operator's word and no failover.
    fn take_over(&mut self, reason: Message) {
        let swap = matches!(&self.s.peer, Peer::Heard { face, .. } if face.swapping);
        if !self.s.failover && !swap {
            self.log(Message::FailoverOff);
            self.log(Message::FailoverOffStopstart);
            self.log(Message::StopstartFromFailoverOff);
            self.halt(Role::Second, Goal::StopStart, Some(Action::StopStart));
            return;
        }
        if !swap {
            self.log(reason);
        }
        self.s.swap = None;
        let to = if swap { Role::Prim } else { Role::Alone };
        self.begin(Moving { swap, ..Moving::new(Move::Takeover, Role::Second, to) });
    }

    /// The session ends: not promotable from here on.
    pub(super) fn leave_second(&mut self) {
        self.halt(Role::Second, Goal::Wait, None);
    }

    /// The same when what was received could not be applied (S7): the primary's word that all of it
    /// is there holds no more, and `prim` must not serve it.
    pub(super) fn leave_unapplied(&mut self) {
        self.leave_role(Role::Second, Goal::Wait, None, Some(Change::Unapplied));
    }

    /// The same before the end of the move to SECOND: for want of a primary, or by an order. `store`: what
    /// is known of its data, unless an order leads elsewhere.
    pub(super) fn leave_join(&mut self, store: Option<Change>) {
        match self.s.pending.take() {
            Some((command, caller)) if Goal::of(command).is_some() => {
                self.s.at = At::Joining;
                self.apply(command, caller);
            }
            _ => {}
        }
        if !matches!(&self.s.at, At::Moving(m) if m.mv == Move::Halt) {
            self.leave_role(Role::Second, Goal::Wait, None, store);
        }
    }

    /// ALONE, PRIM or SECOND -> WAIT or STOP.
    pub(super) fn halt(&mut self, from: Role, goal: Goal, action: Option<Action>) {
        self.leave_role(from, goal, action, None);
    }

    fn leave_role(&mut self, from: Role, goal: Goal, action: Option<Action>, store: Option<Change>) {
        self.s.promotable = false;
        self.s.adopted = false;
        self.s.swap = None;
        let halt = Moving::new(Move::Halt, from, Role::Wait);
        self.begin(Moving { goal, action, store, ..halt });
    }
}
