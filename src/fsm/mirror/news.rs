//! What is heard: the peer's face, its silence, the rules, the own pause, the guard.

use super::plan::{Move, Moving};
use super::state::{At, Goal, Peer};
use super::{Effect, Face, Ignored, Outcome, Posture, Run, Waits};
use crate::fsm::generation::Relation;
use crate::fsm::state::Role;
use crate::log::Message;
use crate::told::Told;

impl Run<'_> {
    /// A heartbeat.
    pub(super) fn hear(&mut self, face: Face, counts: bool) -> Outcome {
        if let Peer::Heard { face: old, counts: before } = &self.s.peer
            && **old == face
            && *before == counts
        {
            return Outcome::Ignored(Ignored::Known);
        }
        let second = matches!(self.s.at, At::Second | At::Joining);
        let (swapped, said) = match &self.s.peer {
            Peer::Heard { face: old, .. } => (old.swapping, Some((old.role, old.readiness))),
            _ => (false, None),
        };
        if face.swapping && !swapped && second {
            self.log(Message::BeginOfSwap);
        }
        if said != Some((face.role, face.readiness)) && self.s.at != At::Stopped {
            self.log(Message::RemoteState(face.role, face.readiness));
        }
        // Histories only grow: whatever it answers, and also if it falls silent before this node settles.
        self.s.outdated |=
            self.cfg.data && self.s.record.history.relation(&face.history) == Relation::Ancestor;
        self.s.peer = Peer::Heard { face: Box::new(face), counts };
        self.s.tolerated = false;
        if self.posture_of_peer() != Some(Posture::Running) {
            self.s.refusal = None;
        }
        Outcome::Taken
    }

    fn posture_of_peer(&self) -> Option<Posture> {
        if let Peer::Heard { face, .. } = &self.s.peer { Some(face.posture) } else { None }
    }

    /// UNKNOWN needs silence on all authenticated channels (S10).
    pub(super) fn lose(&mut self) {
        // It may hold all that was written so far, also if it could not say so yet.
        let follows = match &self.s.peer {
            Peer::Unheard | Peer::Quiet => true,
            Peer::Heard { face, .. } => matches!(face.posture, Posture::Joining | Posture::Second),
            Peer::Silent => false,
        };
        self.s.parted |= self.cfg.data && follows && self.s.running();
        self.s.peer = Peer::Silent;
        self.s.split = false;
        if self.s.at != At::Stopped {
            self.log(Message::RemoteUnknown);
        }
    }

    pub(super) fn quiet(&mut self) -> Outcome {
        if self.s.peer == Peer::Quiet {
            return Outcome::Ignored(Ignored::Known);
        }
        self.s.peer = Peer::Quiet;
        if self.s.at != At::Stopped {
            self.log(Message::HeartbeatsOnlySilent);
        }
        Outcome::Taken
    }

    /// The rules' word on waiting changed; settled states look at it.
    pub(super) fn verdict(&mut self, w: Waits) {
        self.s.waits = w;
    }

    /// Decided to run, but does not yet: the last moment to think again.
    pub(super) fn promoting(&self) -> bool {
        matches!(&self.s.at, At::Moving(m) if matches!(m.mv, Move::Takeover | Move::Promote) && !m.running)
    }

    /// Gives up a promotion, but not while its record is being stored: what is durable then would be
    /// unknown. The answer decides.
    fn think_again(&mut self) {
        let storing = matches!(&self.s.at, At::Moving(m) if matches!(m.awaited, Some((_, Some(_)))));
        if storing {
            self.s.doubt = true;
        } else {
            self.give_up();
        }
    }

    /// Back to WAIT from a promotion that does not run yet.
    pub(super) fn give_up(&mut self) {
        let (from, awaited, opened) = match &self.s.at {
            At::Moving(m) => (m.from, m.awaited.as_ref().map(|a| a.0), self.opened(m)),
            _ => return,
        };
        // Its script must not run beside those of the next move.
        if let Some(id) = awaited {
            self.out.push(Effect::KillScript(id));
        }
        self.s.order = None;
        if from == Role::Second {
            self.leave_second();
        } else if opened {
            self.close(Goal::Wait, None);
        } else {
            self.s.at = At::Waiting;
        }
    }

    /// S4: whoever finds that it was asleep suspects itself first.
    pub(super) fn paused(&mut self, ms: u64) -> Outcome {
        // Who slept did not hear whether the peer was silent, nor what it did since.
        match &mut self.s.peer {
            Peer::Heard { counts, .. } => *counts = false,
            other => *other = Peer::Unheard,
        }
        let second = matches!(self.s.at, At::Second | At::Joining)
            || matches!(&self.s.at, At::Moving(m) if m.mv == Move::Join || (m.mv == Move::Restart && m.from == Role::Second));
        if self.promoting() {
            self.log(Message::OwnPause(ms));
            self.think_again();
        } else if second {
            self.log(Message::OwnPause(ms));
            self.s.promotable = false;
            self.s.session = self.s.draw();
        } else if self.s.at == At::Claiming {
            self.s.at = At::Waiting;
        } else {
            return Outcome::Ignored(Ignored::Known);
        }
        Outcome::Taken
    }

    /// S8: the guard has stopped this node; make sure, then begin anew.
    pub(super) fn fenced(&mut self, what: Told) -> Outcome {
        if !self.s.running() {
            return Outcome::Ignored(Ignored::Known);
        }
        self.log(Message::Fenced(what));
        let from = self.s.shown().0;
        if let At::Moving(m) = &self.s.at
            && let Some((id, _)) = m.awaited
        {
            self.out.push(Effect::KillScript(id));
        }
        let goal = self.s.at.goal();
        self.begin(Moving::recover(from, goal));
        Outcome::Taken
    }
}
