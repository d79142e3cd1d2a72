//! The primary: with its secondary, without it, and on its way between the two (S3, S5, S6).

use super::Run;
use super::face::{Face, Posture};
use super::plan::{Change, Move, Moving};
use super::state::{Goal, Peer};
use crate::fsm::scripts::Action;
use crate::fsm::start;
use crate::fsm::state::Role;
use crate::log::Message;

impl Run<'_> {
    pub(super) fn alone(&mut self) {
        // Its peer may come back as it was; it must not pass for in step with what is written now.
        if self.s.parted || self.s.stream_lost() {
            self.begin(Moving::new(Move::Ask, Role::Alone, Role::Alone));
            return;
        }
        if self.s.again {
            self.begin(Moving::new(Move::Restart, Role::Alone, Role::Alone));
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

    pub(super) fn prim(&mut self) {
        let ask = Moving::new(Move::Ask, Role::Prim, Role::Prim);
        if self.s.peer == Peer::Silent || self.s.stream_lost() || self.s.degraded {
            self.begin(ask);
            return;
        }
        if self.s.again {
            self.begin(Moving::new(Move::Restart, Role::Prim, Role::Prim));
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
    pub(super) fn asking(&mut self) {
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
    pub(super) fn leaving(&mut self, goal: Goal) {
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
