//! Commands: where each is allowed, and what it begins (spec/cli.md 5, AMB-03).

use super::plan::{Move, Moving, Todo};
use super::state::{At, Goal};
use super::{Effect, Ignored, Outcome, Refused, Run, Waits};
use crate::fsm::command::{Caller, Command};
use crate::fsm::scripts::Action;
use crate::fsm::state::Role;
use crate::log::Message;
use crate::told::{Told, told};

impl Run<'_> {
    /// A command: refused with a reason, kept until the move in progress ends, or applied.
    pub(super) fn command(&mut self, command: Command, caller: Caller) -> Result<Outcome, Refused> {
        let moving = matches!(self.s.at, At::Moving(_));
        match command {
            Command::Stop | Command::ForceStop | Command::Shutdown | Command::StopWait
                if self.s.at == At::Stopped =>
            {
                return Ok(Outcome::Ignored(Ignored::AlreadyStopped));
            }
            Command::Swap { .. }
            | Command::Prim { .. }
            | Command::PrimForce
            | Command::Second { .. }
            | Command::SecondForce { .. }
            | Command::Failover(_) => return Err(self.refuse_mode(command)),
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
            Command::Start if self.s.at != At::Stopped => {
                return Err(self.refuse(command, told!("stop the module first", "arrêtez d'abord le module")));
            }
            Command::StopStart if self.s.at == At::Stopped => {
                return Err(self.refuse(command, told!("start the module", "démarrez le module")));
            }
            Command::Restart if self.s.at != At::Up => {
                return Err(self.refuse(
                    command,
                    told!(
                        "it restarts the application of a module that is UP Ready",
                        "il redémarre l'application d'un module UP Ready"
                    ),
                ));
            }
            _ => {}
        }
        self.say(command, &caller);
        if command == Command::StopStart && self.cfg.automatic_reboot && !caller.is_administrator() {
            self.out.push(Effect::Reboot);
        } else if moving {
            self.keep(command, caller);
        } else {
            self.apply(command);
        }
        Ok(Outcome::Taken)
    }

    fn say(&mut self, command: Command, caller: &Caller) {
        self.log(Message::Action(command, caller.clone()));
        // Whoever sent it to WAIT, the rules let it go again (ST-24).
        self.s.held |= command == Command::StopWait;
        if let Caller::Rule(rule) = caller {
            self.log(Message::TransitionFromRule(command, rule.clone()));
        }
    }

    /// A command during a move waits for its end; a stop that somebody waits for is not undone by a
    /// rule's wish.
    fn keep(&mut self, command: Command, caller: Caller) {
        let At::Moving(m) = &self.s.at else { return };
        let joins = m.current(self.cfg.farm) == Some(Todo::Join);
        if command == Command::ForceStop
            && let Some((id, _)) = m.awaited
        {
            self.out.push(Effect::KillScript(id));
        }
        let kept = self.s.pending.as_ref().and_then(|(c, _)| Goal::of(*c));
        if kept != Some(Goal::Stop) || Goal::of(command) == Some(Goal::Stop) {
            self.s.pending = Some((command, caller));
        }
        if joins {
            // The group is left again whether it has answered or not.
            self.leave_now();
        }
    }

    /// Does what was accepted; the state may have changed since, then it does what still makes sense.
    pub(super) fn apply(&mut self, command: Command) {
        match command {
            Command::Start => self.start(),
            Command::Restart if self.s.at == At::Up => {
                self.begin(Moving::new(Move::Restart, Role::Up, Role::Up));
            }
            _ => {
                if let Some(goal) = Goal::of(command) {
                    self.leave(goal);
                }
            }
        }
    }

    fn start(&mut self) {
        if self.s.at != At::Stopped {
            return;
        }
        if !self.s.record.clean {
            self.log(Message::PreviousHaltUnexpected);
        }
        // Also after a stopstart, where the role shown did not change.
        self.s.waits = Waits::Hold("rules".to_owned());
        self.out.push(Effect::ResetRules);
        let action = Some(Action::Start);
        self.begin(Moving { action, ..Moving::new(Move::Start, Role::Stop, Role::Wait) });
    }

    /// Leaves UP or WAIT.
    fn leave(&mut self, goal: Goal) {
        match &self.s.at {
            At::Stopped | At::Moving(_) => {}
            At::Waiting if goal == Goal::Wait => {}
            At::Waiting => self.begin(Moving::leaving(Move::Finish, goal)),
            At::Up => self.begin(Moving::leaving(Move::Halt, goal)),
        }
    }

    /// Leaves UP on the way there, if the command that waits wants it.
    pub(super) fn leave_now(&mut self) -> bool {
        let goal = self.s.pending.as_ref().and_then(|(command, _)| Goal::of(*command));
        if let Some(goal) = goal {
            self.s.pending = None;
            self.begin(Moving::leaving(Move::Halt, goal));
        }
        goal.is_some()
    }

    fn refuse(&self, command: Command, advice: Told) -> Refused {
        let (role, readiness) = self.s.shown();
        Refused::State { command: command.to_string(), state: format!("{role} {readiness}"), advice }
    }

    fn refuse_mode(&self, command: Command) -> Refused {
        let mode = if self.cfg.farm { "farm" } else { "light" };
        let advice = match command {
            Command::Swap { .. } if self.cfg.farm => told!(
                "every node that is UP serves its share of the clients",
                "chaque nœud UP sert sa part des clients"
            ),
            Command::Swap { .. } | Command::Failover(_) => told!(
                "a mirror module has a second node to go to",
                "un module miroir a un second nœud où aller"
            ),
            _ => told!("use start", "utilisez start"),
        };
        Refused::Mode { command: command.to_string(), mode: mode.to_owned(), advice }
    }
}
