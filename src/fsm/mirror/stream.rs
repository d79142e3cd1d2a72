//! The data plane: what it is told, what it says, and moves that must not outlast a broken stream.

use super::alike::difference;
use super::plan::{Change, Move, Moving, Todo};
use super::state::{At, Goal, Peer, Stream};
use super::{Effect, Ignored, Outcome, Run};
use crate::fsm::command::{Caller, Command};
use crate::fsm::losses::Fate;
use crate::fsm::scripts::Action;
use crate::fsm::start;
use crate::fsm::state::Role;
use crate::log::Message;
use crate::told::{Told, told};

impl Run<'_> {
    /// The order to the data plane for a thing of a move.
    pub(super) fn data(&mut self, todo: &Todo) -> Effect {
        let id = self.id();
        let generation = self.s.record.history.current();
        match todo {
            Todo::Mount => Effect::Mount(id),
            Todo::Unmount => Effect::Unmount(id),
            Todo::Writable => Effect::Writable(id, generation, self.s.record.fullsync),
            Todo::Drain => Effect::Drain(id),
            Todo::MarkDirty => Effect::MarkDirty(id),
            Todo::Release => Effect::Release(id, generation),
            Todo::Reintegrate => {
                // What was said of an earlier session is over.
                self.s.stream = Stream::None;
                let primary = matches!(&self.s.peer, Peer::Heard { face, .. } if face.fullsync);
                let full = self.s.fullsync || primary;
                let face = match &self.s.peer {
                    Peer::Heard { face, .. } => Some(&**face),
                    _ => None,
                };
                let rescue = start::rescue(&self.s.record, face);
                let (session, since, swap) = (self.s.session, self.s.since, self.s.swapped);
                Effect::Reintegrate { id, session, full, since, swap, rescue }
            }
            _ => Effect::ReadOnly(id),
        }
    }

    /// What an operator is told when the data plane does not do it.
    pub(super) fn in_clear(&self, todo: &Todo, why: Told) -> Told {
        match todo {
            Todo::Mount => {
                told!(
                    "the replicated directories cannot be mounted: ",
                    "les répertoires répliqués ne peuvent pas être montés : "
                ) + why
            }
            Todo::Writable => {
                told!(
                    "the replicated directories cannot be opened: ",
                    "les répertoires répliqués ne peuvent pas être ouverts : "
                ) + why
            }
            Todo::ReadOnly => {
                told!(
                    "the replicated directories cannot be closed: ",
                    "les répertoires répliqués ne peuvent pas être fermés : "
                ) + why
            }
            Todo::MarkDirty | Todo::Release => {
                told!(
                    "modifications cannot go on alone: ",
                    "les modifications ne peuvent pas continuer sur ce nœud seul : "
                ) + why
            }
            _ => why,
        }
    }

    /// A level, as everything that settled states look at.
    pub(super) fn streams(&mut self, stream: Stream) -> Outcome {
        if self.s.stream == stream {
            return Outcome::Ignored(Ignored::Known);
        }
        self.s.stream = stream;
        Outcome::Taken
    }

    /// The process of replication is lost, with all that it had in memory. A secondary does not hold all
    /// that was answered any more. A primary that had one goes alone, in the order of S3: its callers wait
    /// in the kernel until then. If its mounts are dead it cannot go on at all.
    pub(super) fn box_lost(&mut self, fate: Fate) -> Outcome {
        self.s.stream = match self.s.stream {
            Stream::InStep(_) | Stream::Broken => Stream::Broken,
            Stream::None | Stream::Syncing(_) => Stream::None,
        };
        self.s.promotable = false;
        if !self.s.running() {
            return Outcome::Taken;
        }
        match fate {
            Fate::Replaced => Outcome::Taken,
            Fate::Degraded => {
                self.s.degraded = true;
                Outcome::Taken
            }
            Fate::Gone => self.fenced(told!(
                "stopped here: the replicated directories are not mounted any more",
                "arrêté ici : les répertoires répliqués ne sont plus montés"
            )),
        }
    }

    /// Nothing was changed, and another attempt would end in the same way (ST-37): no secondary until
    /// somebody does something
    /// here or on the primary.
    pub(super) fn not_reintegrated(&mut self, id: u64, why: Told) -> Outcome {
        let awaited = |m: &Moving| m.mv == Move::Join && m.awaited.as_ref().is_some_and(|a| a.0 == id);
        let whole = match &self.s.at {
            At::Moving(m) if awaited(m) => m.whole,
            _ => return Outcome::Ignored(Ignored::Late),
        };
        let refused = told!("the reintegration is refused: ", "la réintégration est refusée : ");
        self.log(Message::Error(refused + why.clone()));
        self.s.refusal = Some(why);
        self.leave_join(whole.then_some(Change::Untouched));
        Outcome::Taken
    }

    /// In the middle of a move: what must not wait for its end.
    pub(super) fn moving(&mut self, m: &Moving) {
        let now = m.todo(self.cfg.data).into_iter().nth(m.at.into());
        // A copy may take hours: it is not waited for when it has become pointless.
        let copying = now == Some(Todo::Reintegrate);
        if copying && (self.join_is_broken() || self.s.pending.is_some()) {
            self.leave_join(None);
        } else if m.running && !m.cut && self.s.stream_lost() {
            self.cut_short(m);
        } else if m.awaited.is_none() && self.s.timer.is_some() {
            self.leave_stalled(m, now);
        }
    }

    /// Callers wait for a secondary that is lost, and the scripts of this move may wait for those
    /// callers. Who is to stay primary ends the move at once: the script that runs is killed, the
    /// others are left out, S3 follows, and then the application is restarted. Who is to stop refuses
    /// what waits: nobody was told that it is done.
    fn cut_short(&mut self, m: &Moving) {
        match m.mv {
            Move::Halt | Move::SwapOut | Move::Recover => {
                let effect = self.data(&Todo::ReadOnly);
                self.out.push(effect);
            }
            // Its own release is the answer to the loss that began it.
            Move::GoAlone if !self.released(m) => return,
            Move::Promote | Move::Takeover | Move::Restart | Move::Pair | Move::GoAlone => {
                self.s.again |= matches!(m.mv, Move::Promote | Move::Takeover | Move::Restart);
                let script = m.todo(self.cfg.data).get(usize::from(m.at)).cloned();
                if let (Some(Todo::Script(..)), Some((id, _))) = (script, &m.awaited) {
                    self.out.push(Effect::KillScript(*id));
                }
            }
            _ => return,
        }
        if let At::Moving(m) = &mut self.s.at {
            m.cut = true;
        }
    }

    fn released(&self, m: &Moving) -> bool {
        let place = m.todo(self.cfg.data).iter().position(|t| *t == Todo::Release);
        place.is_some_and(|p| p < usize::from(m.at))
    }

    /// Scripts are not run any more, since their move was cut short.
    pub(super) fn leaves_out(&self) -> bool {
        let stays = |m: &Moving| !matches!(m.mv, Move::Halt | Move::SwapOut | Move::Recover);
        matches!(&self.s.at, At::Moving(m) if m.cut && stays(m))
    }

    /// The data plane does not do its part, and somebody wants to leave: that is not kept waiting.
    fn leave_stalled(&mut self, m: &Moving, now: Option<Todo>) {
        let Some(goal) = self.s.pending.as_ref().and_then(|(c, _)| Goal::of(*c)) else { return };
        let action = Some(goal.action());
        match (m.mv, now) {
            (Move::Start, Some(Todo::Mount)) if goal != Goal::Wait => {
                self.s.pending = None;
                self.finish_to(goal, action);
            }
            (Move::Promote, Some(Todo::Writable)) => {
                self.s.pending = None;
                self.close(goal, action);
            }
            (Move::Takeover, Some(Todo::Writable)) => {
                self.s.pending = None;
                self.halt(Role::Second, goal, action);
            }
            (Move::Ask | Move::GoAlone, Some(Todo::MarkDirty | Todo::Release)) => {
                self.s.pending = None;
                self.halt(m.from, goal, action);
            }
            _ => {}
        }
    }

    /// From a promotion whose directories may be open already, but that does not run yet.
    pub(super) fn close(&mut self, goal: Goal, action: Option<Action>) {
        let halt = Moving::new(Move::Halt, Role::Alone, Role::Wait);
        self.begin(Moving { goal, action, running: false, ran: false, ..halt });
    }

    /// The order to open the directories was given, or is the next.
    pub(super) fn opened(&self, m: &Moving) -> bool {
        let place = m.todo(self.cfg.data).iter().position(|t| *t == Todo::Writable);
        m.mv == Move::Promote && place.is_some_and(|p| p <= usize::from(m.at))
    }

    /// What an operator has to make equal before there is a secondary.
    pub(super) fn say_differs(&mut self) {
        let theirs = self.peer().and_then(|f| f.alike);
        let what = difference(self.s.alike, theirs).unwrap_or_else(|| Told::same("<rfs>"));
        let differs = told!(
            "the reintegration is refused: the other node has another configuration, ",
            "la réintégration est refusée : l'autre nœud a une autre configuration, "
        );
        self.log(Message::Error(differs + what));
    }

    /// A primary without replication takes no secondary: as a failover rule would say it (ST-28).
    pub(super) fn say_degraded(&mut self) {
        let rule = Caller::Rule("degraded_server".to_owned());
        self.log(Message::Action(Command::StopWait, rule));
    }
}
