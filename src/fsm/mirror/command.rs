//! Commands: where each is allowed, and what it begins (spec/cli.md 5, AMB-03).

use super::plan::{Move, Moving};
use super::state::{At, Goal, Order, Peer, Stream};
use super::{Effect, Ignored, Outcome, Posture, Refused, Run, Timer};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::Flag;
use crate::fsm::scripts::Action;
use crate::fsm::state::Role;
use crate::log::Message;
use crate::told::{Told, told};

impl Run<'_> {
    /// A command: refused with a reason, kept until the move in progress ends, or applied.
    pub(super) fn command(&mut self, command: Command, caller: Caller) -> Result<Outcome, Refused> {
        // In the middle of a swap a part of the application still runs: what came waits for its end.
        let moving = matches!(self.s.at, At::Moving(_) | At::Leaving(Goal::Rejoin));
        match command {
            Command::Stop | Command::ForceStop | Command::Shutdown | Command::StopWait
                if self.s.at == At::Stopped =>
            {
                return Ok(Outcome::Ignored(Ignored::AlreadyStopped));
            }
            Command::Failover(on) => return self.failover(on, command, caller),
            // The actor runs the checkers; the automaton only says where it is allowed (CLI-066).
            Command::Checker(_) if moving || self.s.at == At::Stopped => {
                return Err(self.refuse(
                    command,
                    told!(
                        "wait until the module is stable and not in STOP",
                        "attendez que le module soit stable et hors de STOP"
                    ),
                ));
            }
            Command::Checker(_) => return Ok(Outcome::Taken),
            _ if command.begins() => self.may_start(command, &caller)?,
            Command::Swap { .. } => self.may_swap(command)?,
            Command::Restart if !self.settled_in_role() => {
                return Err(self.refuse(
                    command,
                    told!(
                        "it restarts the application of a node that is Ready",
                        "il redémarre l'application d'un nœud Ready"
                    ),
                ));
            }
            _ => {}
        }
        self.say(command, &caller);
        if moving {
            if command == Command::ForceStop
                && let At::Moving(m) = &self.s.at
                && let Some((id, _)) = m.awaited
            {
                self.out.push(Effect::KillScript(id));
            }
            let kept = self.s.pending.as_ref().and_then(|(c, _)| Goal::of(*c));
            // A rule's wish does not undo a stop that somebody waits for.
            if kept != Some(Goal::Stop) || Goal::of(command) == Some(Goal::Stop) {
                self.s.pending = Some((command, caller));
            }
        } else {
            self.apply(command, caller);
        }
        Ok(Outcome::Taken)
    }

    fn say(&mut self, command: Command, caller: &Caller) {
        self.log(Message::Action(command, caller.clone()));
        // Whoever sent it to WAIT, the rules let it go again (ST-24).
        self.s.held |= command == Command::StopWait;
        match caller {
            Caller::Rule(rule) => {
                self.log(Message::TransitionFromRule(command, rule.clone()));
            }
            _ if matches!(command, Command::Swap { .. }) => self.log(Message::SwapFromSystem),
            _ => {}
        }
    }

    /// Does what was accepted; the state may have changed since, then it does what still makes sense.
    pub(super) fn apply(&mut self, command: Command, caller: Caller) {
        if command == Command::Start || caller.is_administrator() {
            self.s.refusal = None;
        }
        if command.begins() {
            self.s.since = None;
        }
        match command {
            Command::Start => self.start(None),
            Command::Prim { fullsync } => {
                self.s.fullsync = fullsync;
                self.start(Some(Order::Prim));
            }
            Command::PrimForce => {
                self.s.fullsync = true;
                self.start(Some(Order::Prim));
            }
            Command::Second { fullsync } => {
                self.s.fullsync = fullsync;
                self.start(Some(Order::Second));
            }
            Command::SecondForce { after } => {
                self.s.fullsync = false;
                self.s.since = Some(after);
                self.start(Some(Order::Second));
            }
            Command::Stop | Command::ForceStop | Command::Shutdown => self.leave(Goal::Stop, Action::Stop),
            Command::StopStart if self.cfg.automatic_reboot && !caller.is_administrator() => {
                self.out.push(Effect::Reboot);
            }
            Command::StopStart => self.leave(Goal::StopStart, Action::StopStart),
            Command::StopWait => self.leave(Goal::Wait, Action::StopWait),
            Command::Restart if self.settled_in_role() => {
                let role = self.s.shown().0;
                self.begin(Moving::new(Move::Restart, role, role));
            }
            Command::Swap { nosync } => self.swap(nosync),
            Command::Restart | Command::Failover(_) | Command::Checker(_) => {}
        }
    }

    fn start(&mut self, order: Option<Order>) {
        if self.s.at != At::Stopped {
            return;
        }
        if !self.s.record.clean {
            self.log(Message::PreviousHaltUnexpected);
        }
        match &self.s.peer {
            Peer::Heard { face, .. } => {
                let m = Message::RemoteState(face.role, face.readiness);
                self.log(m);
            }
            Peer::Silent => self.log(Message::RemoteUnknown),
            Peer::Quiet => self.log(Message::HeartbeatsOnlySilent),
            Peer::Unheard => {}
        }
        self.s.order = order;
        self.s.lastprim = self.s.record.primary;
        self.s.replicated = self.cfg.data;
        self.s.alike = self.cfg.alike;
        self.s.degraded = false;
        self.s.again = false;
        self.s.stream = Stream::None;
        // Also after a stopstart, where the role shown did not change.
        self.s.waits = super::Waits::Hold("rules".to_owned());
        self.out.push(Effect::ResetRules);
        let action = Some(Action::Start);
        self.begin(Moving { action, ..Moving::new(Move::Start, Role::Stop, Role::Wait) });
    }

    /// Leaves whatever role the node has.
    fn leave(&mut self, goal: Goal, action: Action) {
        match &self.s.at {
            At::Stopped => {}
            At::Waiting | At::Claiming if goal == Goal::Wait => {
                self.s.order = None;
                self.s.at = At::Waiting;
            }
            At::Waiting | At::Claiming => {
                self.s.order = None;
                self.finish_to(goal, Some(action));
            }
            At::Joining | At::Second => self.halt(Role::Second, goal, Some(action)),
            At::Alone => self.halt(Role::Alone, goal, Some(action)),
            At::Prim | At::Asking => self.halt(Role::Prim, goal, Some(action)),
            // The goal that leaves more behind wins: a stop is never undone by a rule.
            At::Leaving(old) => self.s.at = At::Leaving(goal.min(*old)),
            At::Moving(_) => self.s.pending = Some((command_of(goal), Caller::System)),
        }
    }

    fn settled_in_role(&self) -> bool {
        matches!(self.s.at, At::Alone | At::Prim | At::Second)
    }

    fn may_start(&mut self, command: Command, caller: &Caller) -> Result<(), Refused> {
        // A claim of the peer is being stored in STOP: that is no move of the operator.
        let yielding = matches!(&self.s.at, At::Moving(m) if m.mv == Move::Yield && m.from == Role::Stop);
        if self.s.at != At::Stopped && !yielding {
            return Err(self.refuse(command, told!("stop the module first", "arrêtez d'abord le module")));
        }
        if matches!(command, Command::SecondForce { .. }) && !self.cfg.data {
            return Err(self.refuse(
                command,
                told!(
                    "this module has no replicated directories: safekit second",
                    "ce module n'a pas de répertoires répliqués : safekit second"
                ),
            ));
        }
        let prim = matches!(command, Command::Prim { .. } | Command::PrimForce);
        let running = matches!(&self.s.peer, Peer::Heard { face, .. } if face.posture == Posture::Running);
        if prim && running {
            self.say(command, caller);
            self.log(Message::PrimAborted);
            return Err(Refused::PeerIsPrimary(command.to_string()));
        }
        if matches!(command, Command::Prim { .. }) && self.cfg.data && self.s.record.reintegrating {
            self.say(command, caller);
            self.log(Message::Inconsistent);
            self.log(Message::RunPrimforce);
            self.log(Message::PrimAborted);
            return Err(Refused::Inconsistent);
        }
        if command.begins_second() && !running && self.s.peer != Peer::Unheard {
            self.say(command, caller);
            self.log(Message::SecondAborted);
            return Err(Refused::NoPrimary);
        }
        Ok(())
    }

    fn may_swap(&self, command: Command) -> Result<(), Refused> {
        let pair = match (&self.s.at, &self.s.peer) {
            (At::Prim, Peer::Heard { face, .. }) => {
                face.posture == Posture::Second && self.s.pairs_with(face)
            }
            (At::Second, Peer::Heard { .. }) => self.s.promotable,
            _ => false,
        };
        if pair {
            Ok(())
        } else {
            Err(self.refuse(
                command,
                told!(
                    "it exchanges the roles of PRIM Ready and SECOND Ready",
                    "il échange les rôles de PRIM Ready et SECOND Ready"
                ),
            ))
        }
    }

    fn swap(&mut self, nosync: bool) {
        match &self.s.at {
            At::Prim => self.swap_out(),
            At::Second if self.s.promotable => {
                self.s.swap = Some(nosync);
                self.retry(Timer::Swap);
            }
            _ => {}
        }
    }

    /// ST-53, CLI-067.
    fn failover(&mut self, on: bool, command: Command, caller: Caller) -> Result<Outcome, Refused> {
        if matches!(self.s.at, At::Moving(_) | At::Stopped | At::Leaving(_)) {
            return Err(self.refuse(
                command,
                told!(
                    "wait until the module is stable and not in STOP",
                    "attendez que le module soit stable et hors de STOP"
                ),
            ));
        }
        self.log(Message::Action(command, caller));
        self.s.failover = on;
        if self.s.why == Some(super::Why::FailoverOff) {
            self.s.why = None;
        }
        self.out.push(Effect::Failover(on));
        Ok(Outcome::Taken)
    }

    fn refuse(&self, command: Command, advice: Told) -> Refused {
        let (role, readiness) = self.s.shown();
        Refused::State { command: command.to_string(), state: format!("{role} {readiness}"), advice }
    }
}

fn command_of(goal: Goal) -> Command {
    match goal {
        Goal::Stop | Goal::Rejoin => Command::Stop,
        Goal::StopStart => Command::StopStart,
        Goal::Wait => Command::StopWait,
    }
}

impl super::State {
    /// `rfs.uptodate` (RES-30): by itself, or as the SECOND or PRIM of a pair in step.
    pub fn uptodate(&self) -> bool {
        self.record.flag == Flag::Up
            || self.promotable
            || (self.running() && self.record.flag == Flag::Paired)
    }
}
