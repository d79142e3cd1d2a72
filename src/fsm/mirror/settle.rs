//! What a settled state does with all that the node knows: edges wake, levels decide.

use super::face::{Face, Posture};
use super::plan::{Change, Move, Moving, Todo};
use super::state::{At, Goal, Order, Peer, Waits, Why};
use super::{DefaultPrim, Run, Timer};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::{Flag, Relation};
use crate::fsm::scripts::Action;
use crate::fsm::start;
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
            At::Moving(m) if m.mv == Move::Join => {
                // A copy may take hours: it is not waited for when it has become pointless.
                let copying = m.todo(self.cfg.data).get(usize::from(m.at)) == Some(&Todo::Reintegrate);
                if copying && (self.join_is_broken() || self.s.pending.is_some()) {
                    self.leave_join();
                }
            }
            At::Moving(_) => {}
        }
    }

    /// The peer's face, if it counts (S10).
    pub(super) fn peer(&self) -> Option<Face> {
        match &self.s.peer {
            Peer::Heard { face, counts: true } => Some((**face).clone()),
            _ => None,
        }
    }

    /// Who hears a claim stores *down* before answering it (S10); so does who meets a primary that it
    /// did not go on from (S6), or it would start beside it once that one falls silent.
    fn hear_claim(&mut self, role: Role) {
        let newer = |f: &Face| self.s.record.history.relation(&f.history) == Relation::Descendant;
        let gives_up = self.peer().is_some_and(|f| match f.posture {
            Posture::Claim => true,
            Posture::Running if matches!(f.role, Role::Alone | Role::Prim) => self.cfg.data && !newer(&f),
            _ => false,
        });
        if gives_up && self.s.record.flag == Flag::Up {
            self.begin(Moving::new(Move::Yield, role, role));
        }
    }

    fn wait(&mut self) {
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
        let proven = !self.cfg.data || (self.s.record.flag == Flag::Up && !self.s.record.reintegrating);
        match self.s.order {
            Some(Order::Second) => self.abort(),
            Some(Order::Prim) => self.begin(Moving::new(Move::Promote, Role::Wait, Role::Alone)),
            None if !proven => self.because(Why::NotUptodate),
            None if !self.s.may_lead() => self.because(Why::FailoverOff),
            None => self.begin(Moving::new(Move::Promote, Role::Wait, Role::Alone)),
        }
    }

    /// WAIT, and the peer is heard: S6, S10.
    fn wait_with(&mut self, f: &Face) {
        match (f.posture, self.s.order) {
            (Posture::Running, Some(Order::Prim)) => self.abort(),
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
        if why == Why::NotUptodate {
            self.log(Message::NotUptodate);
            self.log(Message::Action(Command::StopWait, Caller::Rule("notuptodate_server".to_owned())));
            self.log(Message::RunPrim);
        }
    }

    /// The claim is shown; it runs only on an answer, or on silence everywhere (S10).
    fn claim(&mut self) {
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
        self.log(message);
        self.finish_to(Goal::Stop, Some(Action::Stop));
    }

    /// WAIT -> STOP.
    pub(super) fn finish_to(&mut self, goal: Goal, action: Option<Action>) {
        self.begin(Moving { goal, action, ..Moving::new(Move::Finish, Role::Wait, Role::Stop) });
    }

    /// Becomes SECOND; a new session begins (S2).
    pub(super) fn join(&mut self, from: Role) {
        self.s.order = None;
        self.s.session = self.s.draw();
        self.s.adopted = false;
        self.s.promotable = false;
        self.s.swapped = from == Role::Prim;
        self.begin(Moving::new(Move::Join, from, Role::Second));
    }

    pub(super) fn join_is_broken(&self) -> bool {
        match &self.s.peer {
            // After a swap the peer may still be on its way.
            Peer::Heard { face, counts: true } => {
                !matches!(face.posture, Posture::Running | Posture::TakingOver) || face.ask.is_some()
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
        let Some(f) = self.peer() else { return };
        let mine = self.s.record.history.current();
        match f.posture {
            Posture::Running if f.ask.is_some() || f.history.current() != mine => self.leave_second(),
            Posture::Running if !self.s.promotable && f.in_step == Some((mine, self.s.session)) => {
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

    /// The same before the end of the move to SECOND: for want of a primary, or by an order.
    pub(super) fn leave_join(&mut self) {
        match self.s.pending.take() {
            Some((command, caller)) if Goal::of(command).is_some() => {
                self.s.at = At::Joining;
                self.apply(command, caller);
            }
            _ => {}
        }
        if !matches!(&self.s.at, At::Moving(m) if m.mv == Move::Halt) {
            self.leave_second();
        }
    }

    /// ALONE, PRIM or SECOND -> WAIT or STOP.
    pub(super) fn halt(&mut self, from: Role, goal: Goal, action: Option<Action>) {
        self.s.promotable = false;
        self.s.adopted = false;
        self.s.swap = None;
        let to = Role::Wait;
        self.begin(Moving { goal, action, ..Moving::new(Move::Halt, from, to) });
    }

    fn alone(&mut self) {
        // Its peer may come back as it was; it must not pass for in step with what is written now.
        if self.s.parted {
            self.begin(Moving::new(Move::Ask, Role::Alone, Role::Alone));
            return;
        }
        let Some(f) = self.peer() else { return };
        if f.posture == Posture::Running {
            self.conflict(Role::Alone, &f);
            return;
        }
        self.s.split = false;
        if self.s.pairs_with(&f) && self.s.timer.is_none() {
            let swap = self.s.swapped;
            self.begin(Moving { swap, ..Moving::new(Move::Pair, Role::Alone, Role::Prim) });
        }
    }

    fn prim(&mut self) {
        let ask = Moving::new(Move::Ask, Role::Prim, Role::Prim);
        if self.s.peer == Peer::Silent {
            self.begin(ask);
            return;
        }
        let Some(f) = self.peer() else { return };
        match f.posture {
            Posture::Running => self.conflict(Role::Prim, &f),
            Posture::Stopped | Posture::Waiting | Posture::Settling => self.begin(ask),
            Posture::Joining | Posture::Second if !self.s.pairs_with(&f) => self.begin(ask),
            Posture::Second if f.wants_swap.is_some() => self.swap_out(),
            _ => {}
        }
    }

    /// First half of a swap: nothing runs here before S is told (S9).
    pub(super) fn swap_out(&mut self) {
        self.log(Message::BeginOfSwap);
        self.begin(Moving { swap: true, ..Moving::new(Move::SwapOut, Role::Prim, Role::Second) });
    }

    /// S3: S says that it gave up, or is silent everywhere.
    fn asking(&mut self) {
        let alone = Moving::new(Move::GoAlone, Role::Prim, Role::Alone);
        if self.s.peer == Peer::Silent {
            self.begin(alone);
            return;
        }
        let Some(f) = self.peer() else { return };
        match f.posture {
            Posture::Stopped | Posture::Waiting | Posture::Settling => self.begin(alone),
            Posture::Running => self.conflict(Role::Prim, &f),
            _ => {}
        }
    }

    /// Two primaries meet after a partition (S6, ST-58).
    fn conflict(&mut self, role: Role, f: &Face) {
        if start::stays(self.cfg.me, &self.s.record, f) {
            if !self.s.split {
                self.s.split = true;
                self.log(Message::SplitBrainStaying);
            }
            return;
        }
        self.log(Message::SplitBrainExiting);
        self.s.split = false;
        let halt = Moving::new(Move::Halt, role, Role::Wait);
        let action = Some(Action::StopStart);
        self.begin(Moving { goal: Goal::StopStart, action, store: Some(Change::HandedOver), ..halt });
    }

    /// S5: the answer of S, or its silence.
    fn leaving(&mut self, goal: Goal) {
        if self.s.peer == Peer::Silent {
            self.answered(goal, None);
            return;
        }
        let Some(f) = self.peer() else { return };
        let newer = f.history.current() != self.s.record.history.current();
        match f.posture {
            Posture::Running => self.answered(goal, Some(Change::HandedOver)),
            Posture::TakingOver if newer => self.answered(goal, Some(Change::HandedOver)),
            Posture::Stopped | Posture::Waiting | Posture::Settling => {
                self.answered(goal, Some(if newer { Change::HandedOver } else { Change::Kept }));
            }
            _ => {}
        }
    }

    /// Goes on from [`At::Leaving`].
    pub(super) fn answered(&mut self, goal: Goal, store: Option<Change>) {
        let from = if goal == Goal::Rejoin { Role::Second } else { Role::Wait };
        self.begin(Moving { goal, store, ..Moving::new(Move::Answered, from, Role::Wait) });
    }
}
