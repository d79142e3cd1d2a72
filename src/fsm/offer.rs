//! Which commands make sense in a state: what a console offers (WEB-30). The automaton itself says what it
//! accepts; what it would accept without changing anything is left out here.

use super::command::{Caller, Command};
use super::instance::Outcome;
use super::state::Role;
use super::{farm, mirror};

/// Where a module is, as far as commands to leave are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// STOP: there is nothing to leave.
    Stopped,
    /// On its way to STOP: only a killed script makes that faster.
    Stopping,
    /// In WAIT, or on its way to it.
    Waiting,
    /// Anywhere else.
    Elsewhere,
}

/// What decides on the rest.
struct Now {
    place: Place,
    /// Checkers are on.
    checkers: bool,
    /// Automatic failover is on; none where there is none.
    failover: Option<bool>,
    /// There are replicated directories.
    data: bool,
}

/// The commands that make sense for a mirror module; `checkers`: they are on.
pub fn mirror(cfg: &mirror::Config, s: &mirror::State, checkers: bool) -> Vec<Command> {
    use mirror::{At, Goal};
    let place = match &s.at {
        At::Stopped => Place::Stopped,
        _ if stops(s.pending.as_ref()) => Place::Stopping,
        At::Leaving(Goal::Stop) => Place::Stopping,
        At::Moving(m) if m.goal == Goal::Stop => Place::Stopping,
        At::Waiting | At::Claiming | At::Leaving(Goal::Wait) => Place::Waiting,
        At::Moving(m) if m.to == Role::Wait && m.goal == Goal::Wait => Place::Waiting,
        _ => Place::Elsewhere,
    };
    let accepts = |command| {
        let event = mirror::Event::Command(command, console());
        mirror::step(cfg, s, event).outcome == Outcome::Taken
    };
    let now = Now { place, checkers, failover: Some(s.failover), data: cfg.data };
    offered(&now, accepts)
}

/// The same for a farm or light module.
pub fn farm(cfg: &farm::Config, s: &farm::State, checkers: bool) -> Vec<Command> {
    use farm::{At, Goal};
    let place = match &s.at {
        At::Stopped => Place::Stopped,
        _ if stops(s.pending.as_ref()) => Place::Stopping,
        At::Moving(m) if m.goal == Goal::Stop => Place::Stopping,
        At::Waiting => Place::Waiting,
        At::Moving(m) if m.to == Role::Wait && m.goal == Goal::Wait => Place::Waiting,
        _ => Place::Elsewhere,
    };
    let accepts = |command| {
        let event = farm::Event::Command(command, console());
        farm::step(cfg, s, event).outcome == Outcome::Taken
    };
    offered(&Now { place, checkers, failover: None, data: false }, accepts)
}

fn offered(now: &Now, accepts: impl Fn(Command) -> bool) -> Vec<Command> {
    Command::MENU.into_iter().filter(|command| changes(*command, now) && accepts(*command)).collect()
}

/// Whether it would change something where it is accepted.
fn changes(command: Command, now: &Now) -> bool {
    match command {
        Command::ForceStop => now.place != Place::Stopped,
        Command::Stop | Command::StopStart => matches!(now.place, Place::Waiting | Place::Elsewhere),
        Command::StopWait => now.place == Place::Elsewhere,
        Command::Checker(on) => now.checkers != on,
        Command::Failover(on) => now.failover == Some(!on),
        Command::Prim { fullsync: true } | Command::Second { fullsync: true } => now.data,
        Command::Swap { nosync: true } => now.data,
        _ => true,
    }
}

/// A stop follows what is under way.
fn stops(pending: Option<&(Command, Caller)>) -> bool {
    matches!(pending, Some((Command::Stop | Command::ForceStop | Command::Shutdown, _)))
}

/// Whoever will ask is an administrator; who, makes no difference.
fn console() -> Caller {
    Caller::User(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::table;

    fn words(commands: &[Command]) -> String {
        commands.iter().map(|c| c.known().name).collect::<Vec<_>>().join(", ")
    }

    /// What is offered is accepted; of the rest, nothing that is accepted would leave the state.
    fn is_exact(name: &str, offered: &[Command], leaves: impl Fn(Command) -> Option<bool>) {
        for command in Command::MENU {
            match (offered.contains(&command), leaves(command)) {
                (true, taken) => assert!(taken.is_some(), "{name}: {command} is offered and refused"),
                (false, taken) => assert_ne!(taken, Some(true), "{name}: {command} is not offered"),
            }
        }
    }

    #[test]
    fn a_mirror_offers_what_it_accepts() {
        let cfg = table::mirror::config();
        let said = table::mirror::states().into_iter().map(|(name, s)| {
            let offered = mirror(&cfg, &s, true);
            is_exact(name, &offered, |command| {
                let step = mirror::step(&cfg, &s, mirror::Event::Command(command, console()));
                let leaves = step.state.at != s.at
                    && matches!(step.state.at, mirror::At::Moving(_) | mirror::At::Leaving(_));
                (step.outcome == Outcome::Taken).then_some(leaves || step.state.failover != s.failover)
            });
            (name, words(&offered))
        });
        let said: std::collections::BTreeMap<_, _> = said.collect();
        assert_eq!(said["STOP, up to date"], "start, prim, prim fullsync");
        assert_eq!(said["WAIT, held by a rule"], "stop, stopstart, forcestop, checker off, failover off");
        assert_eq!(said["ALONE"], "stop, restart, stopstart, wait, forcestop, checker off, failover off");
        assert_eq!(
            said["PRIM"],
            "stop, restart, swap, swap nosync, stopstart, wait, forcestop, checker off, failover off"
        );
        assert_eq!(said["SECOND, in step"], said["PRIM"]);
        assert_eq!(said["SECOND, joining"], "stop, stopstart, wait, forcestop, checker off, failover off");
        assert_eq!(said["PRIM leaves to STOP"], "forcestop, checker off");
    }

    #[test]
    fn a_farm_offers_what_it_accepts() {
        let (cfg, states) = table::farm::states_of(true);
        for (name, s) in &states {
            let offered = farm(&cfg, s, false);
            is_exact(name, &offered, |command| {
                let step = farm::step(&cfg, s, farm::Event::Command(command, console()));
                (step.outcome == Outcome::Taken).then(|| step.state.at != s.at)
            });
        }
        let said =
            |name: &str| states.iter().find(|(n, _)| n == name).map(|(_, s)| words(&farm(&cfg, s, false)));
        assert_eq!(said("STOP").unwrap(), "start");
        assert_eq!(said("UP").unwrap(), "stop, restart, stopstart, wait, forcestop, checker on");
        assert_eq!(said("WAIT, held by a rule").unwrap(), "stop, stopstart, forcestop, checker on");
    }

    #[test]
    fn a_stop_that_waits_is_not_offered_again() {
        let (cfg, states) = table::farm::states_of(false);
        let (_, mut s) = states.into_iter().find(|(name, _)| name.starts_with("starts")).unwrap();
        assert_eq!(words(&farm(&cfg, &s, true)), "stop, stopstart, forcestop");
        s.pending = Some((Command::Stop, console()));
        assert_eq!(words(&farm(&cfg, &s, true)), "forcestop");
    }
}
