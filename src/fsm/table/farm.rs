//! The table of farm and light modules.

use super::{Row, STEPS_MOST, shown};
use crate::fsm::command::{Caller, Command};
use crate::fsm::farm::{At, Config, Effect, Event, Outcome, Record, State, Waits, step};
use crate::fsm::scripts::{Script, Scripts};
use crate::told::Told;

/// All pairs of a farm module or, without `farm`, of a light one, by state and event.
pub fn rows(farm: bool) -> Vec<Row> {
    let (cfg, states) = states_of(farm);
    let pairs = states.iter().flat_map(|(name, s)| events(s).into_iter().map(move |e| (name, s, e)));
    pairs.map(|(name, s, (event, e))| row(&cfg, name, s, event, e)).collect()
}

/// The configuration of the table, and its states.
pub(in crate::fsm) fn states_of(farm: bool) -> (Config, Vec<(String, State)>) {
    let scripts = Script::ALL.into_iter().fold(Scripts::default(), Scripts::with);
    let cfg = Config { farm, scripts, automatic_reboot: false };
    let states = states(&cfg);
    (cfg, states)
}

/// Every settled state, and each place in which a move waits for an answer.
fn states(cfg: &Config) -> Vec<(String, State)> {
    let of = |at: At| {
        let clean = at == At::Stopped;
        State { at, waits: Waits::Clear, timer: Some(900), ..State::stopped(Record { clean }, 1) }
    };
    let mut held = of(At::Waiting);
    held.waits = Waits::Blocked("disk".to_owned());
    held.held = true;
    let mut unexamined = of(At::Waiting);
    unexamined.waits = Waits::Hold("tcp.id".to_owned());
    let mut states = vec![
        ("STOP".to_owned(), of(At::Stopped)),
        ("WAIT, not examined".to_owned(), unexamined.clone()),
        ("WAIT, held by a rule".to_owned(), held),
        ("UP".to_owned(), of(At::Up)),
    ];
    let root = || Caller::User("root".to_owned());
    let begins = [
        ("starts", of(At::Stopped), Event::Command(Command::Start, root())),
        ("rises", unexamined, Event::Waits(Waits::Clear)),
        ("restarts", of(At::Up), Event::Command(Command::Restart, root())),
        ("stops", of(At::Up), Event::Command(Command::Stop, root())),
        ("joins again", of(At::Up), Event::Unshared(Told::same("lost"))),
    ];
    for (name, from, event) in begins {
        let mut at = step(cfg, &from, event).state;
        for _ in 0..STEPS_MOST {
            let At::Moving(m) = &at.at else { break };
            let Some((id, _)) = m.awaited else { break };
            let doing = m.todo(cfg.farm).get(usize::from(m.at)).map(|t| format!("{t:?}")).unwrap_or_default();
            states.push((format!("{name}: {:?}, {doing}", m.mv), at.clone()));
            at = step(cfg, &at, Event::ok(id)).state;
        }
    }
    states
}

/// Every kind of event.
fn events(s: &State) -> Vec<(String, Event)> {
    let commands = [
        Command::Start,
        Command::Stop,
        Command::ForceStop,
        Command::Restart,
        Command::StopStart,
        Command::StopWait,
        Command::Swap { nosync: false },
        Command::Prim { fullsync: false },
        Command::PrimForce,
        Command::Second { fullsync: false },
        Command::Failover(false),
        Command::Checker(false),
        Command::Shutdown,
    ];
    let root = || Caller::User("root".to_owned());
    let awaited = match &s.at {
        At::Moving(m) => m.awaited.as_ref().map_or(0, |a| a.0),
        _ => 0,
    };
    let other = [
        ("rules hold", Event::Waits(Waits::Hold("intf.lan".to_owned()))),
        ("rules block", Event::Waits(Waits::Blocked("lan".to_owned()))),
        ("rules clear", Event::Waits(Waits::Clear)),
        ("failure", Event::Done(awaited, Err(Told::same("no")))),
        ("timer", Event::Timer(s.timer.unwrap_or(0))),
        ("late timer", Event::Timer(0)),
        ("late answer", Event::ok(0)),
        ("share lost", Event::Unshared(Told::same("table"))),
        ("fenced", Event::Fenced(Told::same("table"))),
    ];
    commands
        .into_iter()
        .map(|c| (c.to_string(), Event::Command(c, root())))
        .chain(other.map(|(name, e)| (name.to_owned(), e)))
        .collect()
}

/// Takes the event, then answers every effect, and ends every timer, until the automaton rests.
fn row(cfg: &Config, name: &str, s: &State, event: String, e: Event) -> Row {
    let first = step(cfg, s, e);
    let outcome = match &first.outcome {
        Outcome::Taken => "taken".to_owned(),
        Outcome::Ignored(why) => format!("ignored: {why:?}"),
        Outcome::Refused(why) => format!("refused: {why}"),
    };
    let (mut at, mut out) = (first.state, first.effects);
    for _ in 0..STEPS_MOST {
        let next = match (&at.at, at.timer) {
            (At::Moving(m), timer) => match (&m.awaited, timer) {
                (Some((id, _)), _) => Event::ok(*id),
                (None, Some(timer)) => Event::Timer(timer),
                (None, None) => break,
            },
            _ => break,
        };
        let next = step(cfg, &at, next);
        at = next.state;
        out.extend(next.effects);
    }
    let scripts = out.iter().filter_map(|e| match e {
        Effect::Script(_, call) => Some(format!("{} {}", call.script, call.arguments().join(" "))),
        _ => None,
    });
    Row {
        state: name.to_owned(),
        event,
        outcome,
        from: s.shown(),
        ends: shown(at.shown()),
        to: at.shown(),
        scripts: scripts.collect(),
        effects: out.iter().filter_map(effect).collect(),
    }
}

/// An effect in a word or two; messages are not part of the table.
fn effect(e: &Effect) -> Option<String> {
    Some(match e {
        Effect::Log(_) | Effect::ResetRules => return None,
        Effect::Store(_, r) => format!("store({})", if r.clean { "clean" } else { "running" }),
        Effect::Script(_, call) if call.force => format!("{}(force)", call.script),
        Effect::Script(_, call) => call.script.to_string(),
        Effect::Load(_) => "+filter".to_owned(),
        Effect::Unload(_) => "-filter".to_owned(),
        Effect::VipOn(_) => "+vip".to_owned(),
        Effect::VipOff(_) => "-vip".to_owned(),
        Effect::Arm(_) => "+guard".to_owned(),
        Effect::Disarm(_) => "-guard".to_owned(),
        Effect::Join(_) => "join".to_owned(),
        Effect::Leave(_) => "leave".to_owned(),
        Effect::Kill(_) => "kill".to_owned(),
        Effect::Checkers(w, on) => format!("{}{w:?}", if *on { '+' } else { '-' }),
        Effect::Timer(_) => "timer(retry)".to_owned(),
        Effect::KillScript(_) => "kill-script".to_owned(),
        Effect::Reboot => "reboot".to_owned(),
    })
}
