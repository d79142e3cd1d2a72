//! The table of the mirror automaton.

use super::{Row, STEPS_MOST, shown};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::{Flag, Generation, History, Record};
use crate::fsm::losses::Fate;
use crate::fsm::mirror::{
    At, Config, DefaultPrim, Effect, Event, Face, Goal, Outcome, Peer, Posture, State, Stream, Timer, Waits,
    step,
};
use crate::fsm::scripts::{Script, Scripts};
use crate::fsm::state::{Readiness, Role};
use crate::told::Told;

/// The configuration of the table: replicated directories and all scripts.
pub(in crate::fsm) fn config() -> Config {
    let scripts = Script::ALL.into_iter().fold(Scripts::default(), Scripts::with);
    Config {
        me: 0,
        data: true,
        default_prim: DefaultPrim::Alone,
        scripts,
        automatic_reboot: false,
        alike: None,
    }
}

/// All pairs, by state and event.
pub fn rows() -> Vec<Row> {
    let states = states();
    let pairs = states.iter().flat_map(|(name, s)| events(s).into_iter().map(move |e| (*name, s, e)));
    pairs.map(|(name, s, (event, e))| row(name, s, event, e)).collect()
}

/// Every settled state, with the record and the peer that belong to it.
pub(in crate::fsm) fn states() -> Vec<(&'static str, State)> {
    let of = |at: At, flag: Flag, peer: Posture| {
        let history = History::default().with(Generation { id: 7, by: 0 });
        let record =
            Record { term: 3, holder: flag != Flag::Down, flag, history, clean: false, ..Record::first() };
        let mut s = State::stopped(record, true, 1);
        s.at = at;
        s.waits = Waits::Clear;
        s.session = 5;
        s.replicated = true;
        s.timer = Some(900);
        s.peer = Peer::Heard { face: Box::new(peer_face(peer)), counts: true };
        s
    };
    let mut states = vec![
        ("STOP, up to date", of(At::Stopped, Flag::Up, Posture::Stopped)),
        ("STOP, not up to date", of(At::Stopped, Flag::Down, Posture::Stopped)),
        ("WAIT, up to date", of(At::Waiting, Flag::Up, Posture::Settling)),
        ("WAIT, unproven", of(At::Waiting, Flag::Paired, Posture::Settling)),
        ("WAIT, not up to date", of(At::Waiting, Flag::Down, Posture::Settling)),
        ("WAIT, held by a rule", of(At::Waiting, Flag::Up, Posture::Settling)),
        ("WAIT, claims", of(At::Claiming, Flag::Up, Posture::Settling)),
        ("SECOND, joining", of(At::Joining, Flag::Down, Posture::Running)),
        ("SECOND, not promotable", of(At::Second, Flag::Down, Posture::Running)),
        ("SECOND, in step", of(At::Second, Flag::Down, Posture::Running)),
        ("ALONE", of(At::Alone, Flag::Up, Posture::Settling)),
        ("PRIM", of(At::Prim, Flag::Paired, Posture::Second)),
        ("PRIM, asks", of(At::Asking, Flag::Paired, Posture::Second)),
        ("PRIM leaves to STOP", of(At::Leaving(Goal::Stop), Flag::Paired, Posture::Second)),
        ("PRIM leaves to WAIT", of(At::Leaving(Goal::Wait), Flag::Paired, Posture::Second)),
        ("PRIM leaves to restart", of(At::Leaving(Goal::StopStart), Flag::Paired, Posture::Second)),
        ("PRIM leaves to SECOND", of(At::Leaving(Goal::Rejoin), Flag::Paired, Posture::Second)),
    ];
    for (name, s) in &mut states {
        s.adopted = name.starts_with("SECOND");
        s.promotable = *name == "SECOND, in step";
        s.stream = match &s.at {
            At::Joining | At::Second => Stream::InStep(5),
            At::Prim | At::Asking => Stream::InStep(6),
            _ => Stream::None,
        };
        if *name == "WAIT, held by a rule" {
            s.waits = Waits::Blocked("disk".to_owned());
            s.held = true;
        }
        // It becomes promotable by the next word of its primary, and by nothing else.
        if let Peer::Heard { face, .. } = &mut s.peer
            && !s.promotable
        {
            face.in_step = None;
        }
    }
    states
}

/// A peer of the same history in this posture; one that takes over has a newer one.
fn peer_face(posture: Posture) -> Face {
    let mut history = History::default().with(Generation { id: 7, by: 0 });
    if posture == Posture::TakingOver {
        history = history.with(Generation { id: 8, by: 1 });
    }
    let (role, readiness) = match posture {
        Posture::Stopped => (Role::Stop, Readiness::NotReady),
        Posture::Waiting | Posture::Settling | Posture::Claim | Posture::Leaving => {
            (Role::Wait, Readiness::Transient)
        }
        Posture::Joining | Posture::TakingOver => (Role::Second, Readiness::Transient),
        Posture::Second => (Role::Second, Readiness::Ready),
        Posture::Running => (Role::Alone, Readiness::Ready),
    };
    let second = matches!(posture, Posture::Joining | Posture::Second);
    let record = Record { term: 2, history, ..Record::first() };
    Face {
        posture,
        role,
        readiness,
        able: true,
        adopted: second,
        session: if second { 6 } else { 0 },
        stream: if second { Stream::InStep(6) } else { Stream::None },
        in_step: (posture == Posture::Running).then_some((7, 5)),
        ..State::stopped(record, true, 2).face()
    }
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
    let postures = [
        Posture::Stopped,
        Posture::Waiting,
        Posture::Settling,
        Posture::Claim,
        Posture::Joining,
        Posture::Second,
        Posture::Leaving,
        Posture::TakingOver,
        Posture::Running,
    ];
    let user = || Caller::User("root".to_owned());
    let hears = |p: Posture, counts: bool| Event::Peer { face: Box::new(peer_face(p)), counts };
    let fresh = postures.into_iter().map(|p| (format!("peer {p:?}"), hears(p, true)));
    let stale = postures.into_iter().map(|p| (format!("peer {p:?}, old echo"), hears(p, false)));
    let other = [
        ("peer silent", Event::PeerSilent),
        ("heartbeats silent", Event::HeartbeatsSilent),
        ("rules hold", Event::Waits(Waits::Hold("intf.lan".to_owned()))),
        ("rules block", Event::Waits(Waits::Blocked("lan".to_owned()))),
        ("rules clear", Event::Waits(Waits::Clear)),
        ("timer", Event::Timer(s.timer.unwrap_or(0))),
        ("late timer", Event::Timer(1)),
        ("late answer", Event::ok(1)),
        ("own pause", Event::OwnPause(1000)),
        ("stream in step", Event::Stream(Stream::InStep(6))),
        ("stream broken", Event::Stream(Stream::Broken)),
        ("replication process replaced", Event::BoxLost(Fate::Replaced)),
        ("replication process lost", Event::BoxLost(Fate::Degraded)),
        ("mounts lost", Event::BoxLost(Fate::Gone)),
        ("fenced", Event::Fenced(Told::same("table"))),
    ];
    commands
        .into_iter()
        .map(|c| (c.to_string(), Event::Command(c, user())))
        .chain(fresh)
        .chain(stale)
        .chain(other.map(|(name, e)| (name.to_owned(), e)))
        .collect()
}

/// Takes the event, then answers every effect until the automaton rests.
fn row(name: &'static str, s: &State, event: String, e: Event) -> Row {
    let cfg = config();
    let first = step(&cfg, s, e);
    let outcome = match &first.outcome {
        Outcome::Taken => "taken".to_owned(),
        Outcome::Ignored(why) => format!("ignored: {why:?}"),
        Outcome::Refused(why) => format!("refused: {why}"),
    };
    let (mut at, mut out) = (first.state, first.effects);
    for _ in 0..STEPS_MOST {
        let At::Moving(m) = &at.at else { break };
        let Some((id, _)) = m.awaited else { break };
        let next = step(&cfg, &at, Event::ok(id));
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
        ends: format!("{} ({:?})", shown(at.shown()), at.posture()),
        to: at.shown(),
        scripts: scripts.collect(),
        effects: out.iter().filter_map(effect).collect(),
    }
}

/// An effect in a word or two; messages are not part of the table.
fn effect(e: &Effect) -> Option<String> {
    Some(match e {
        Effect::Log(_) | Effect::ResetRules => return None,
        Effect::Store(_, r) => format!("store({:?},{})", r.flag, r.term),
        Effect::Script(_, call) if call.force => format!("{}(force)", call.script),
        Effect::Script(_, call) => call.script.to_string(),
        Effect::VipOn(_) => "+vip".to_owned(),
        Effect::VipOff(_) => "-vip".to_owned(),
        Effect::Kill { swap: true, .. } => "kill(primary)".to_owned(),
        Effect::Kill { .. } => "kill".to_owned(),
        Effect::Arm(_) => "+guard".to_owned(),
        Effect::Disarm(_) => "-guard".to_owned(),
        Effect::Mount(_) => "mount".to_owned(),
        Effect::Unmount(_) => "unmount".to_owned(),
        Effect::Writable(..) => "writable".to_owned(),
        Effect::ReadOnly(_) => "read-only".to_owned(),
        Effect::MarkDirty(_) => "mark-dirty".to_owned(),
        Effect::Release(..) => "release".to_owned(),
        Effect::Reintegrate { .. } => "reintegrate".to_owned(),
        Effect::Drain(_) => "drain".to_owned(),
        Effect::Checkers(w, on) => format!("{}{w:?}", if *on { '+' } else { '-' }),
        Effect::Timer(_, t) => match t {
            Timer::Answer => "timer(answer)".to_owned(),
            Timer::Retry => "timer(retry)".to_owned(),
            Timer::Swap => "timer(swap)".to_owned(),
        },
        Effect::KillScript(_) => "kill-script".to_owned(),
        Effect::Failover(on) => format!("failover({on})"),
        Effect::Reboot => "reboot".to_owned(),
    })
}
