//! The exhaustive check of a farm or light module on one node: breadth first over all worlds.
//!
//! F1: the application runs once at most. F2: it does not run, and there is neither virtual address nor
//! share of the clients, while STOP or WAIT is shown. F3: clients are sent here only while the
//! application runs or is being restarted. F4: from every world a stop ends in STOP, and without one the
//! module comes to UP, by what goes on by itself.

use safekit::fsm::command::{Caller, Command};
use safekit::fsm::farm::{At, Config, Effect, Event, Move, Record, State, Waits, adopt, step};
use safekit::fsm::scripts::{Script, Scripts};
use safekit::fsm::state::Role;
use safekit::told::Told;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

/// A rule of the automaton that is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// `Kill` is answered though something is left.
    KillUnseen,
    /// A restart does not kill what the stop script left.
    RestartUnkilled,
    /// The virtual address stays at a stop.
    VipKept,
    /// Clients are sent here as soon as the address is set.
    JoinEarly,
    /// The stop script runs while clients are still sent here.
    LeaveUnawaited,
    /// A control plane that comes back in a move takes it for done.
    AdoptBlind,
    /// An answer to something that is over is taken for that of what is awaited.
    LateTaken,
}

/// What a search may do.
#[derive(Clone, Copy)]
struct Bounds {
    farm: bool,
    /// Commands, restarts of the control plane, power failures, effects that fail, losses of the share.
    commands: u8,
    restarts: u8,
    crashes: u8,
    fails: u8,
    losses: u8,
    fault: Option<Fault>,
}

const CALM: Bounds =
    Bounds { farm: true, commands: 3, restarts: 0, crashes: 0, fails: 0, losses: 0, fault: None };

/// A node, and what really runs on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    s: State,
    disk: Record,
    /// Instances of the application.
    app: u8,
    vip: bool,
    share: bool,
    /// It does not run though clients may be sent here: it is being restarted (ST-82), or its start script
    /// failed, which then decides whether the module is stopped (ST-89).
    unstarted: bool,
    /// Effects that are not answered, oldest first: the awaited one, and those that nobody waits for.
    todo: Vec<Effect>,
    used: [u8; 5],
    bad: Option<&'static str>,
}

type Next = Vec<(String, World)>;

impl Bounds {
    fn config(&self) -> Config {
        let scripts = Script::ALL.into_iter().fold(Scripts::default(), Scripts::with);
        Config { farm: self.farm, scripts, automatic_reboot: false }
    }

    fn start(&self) -> World {
        let s = State::stopped(Record::default(), 0);
        let disk = s.record;
        World {
            s,
            disk,
            app: 0,
            vip: false,
            share: false,
            unstarted: false,
            todo: Vec::new(),
            used: [0; 5],
            bad: None,
        }
    }
}

fn id_of(e: &Effect) -> Option<u64> {
    number(&mut e.clone()).copied()
}

/// The number of an effect that is awaited.
fn number(e: &mut Effect) -> Option<&mut u64> {
    match e {
        Effect::Store(id, _)
        | Effect::Script(id, _)
        | Effect::Load(id)
        | Effect::Unload(id)
        | Effect::VipOn(id)
        | Effect::VipOff(id)
        | Effect::Arm(id)
        | Effect::Disarm(id)
        | Effect::Join(id)
        | Effect::Leave(id)
        | Effect::Kill(id)
        | Effect::Timer(id) => Some(id),
        _ => None,
    }
}

fn awaited(s: &State) -> Option<u64> {
    match &s.at {
        At::Moving(m) => m.awaited.as_ref().map(|a| a.0),
        _ => None,
    }
}

impl World {
    /// Takes what a step says. What is no more awaited may still happen, a join above all.
    fn take(&mut self, state: State, effects: Vec<Effect>) {
        self.s = state;
        self.todo.extend(effects.into_iter().filter(|e| id_of(e).is_some()));
        let (awaited, timer) = (awaited(&self.s), self.s.timer);
        self.todo.retain(|e| {
            let id = id_of(e);
            id == awaited || (timer.is_some() && id == timer) || matches!(e, Effect::Join(_))
        });
        self.check();
    }

    fn check(&mut self) {
        let role = self.s.shown().0;
        let down = matches!(role, Role::Stop | Role::Wait);
        if self.app > 1 {
            self.bad = Some("F1: it runs twice");
        } else if down && self.app > 0 {
            self.bad = Some("F2: it runs in STOP or WAIT");
        } else if down && (self.vip || self.share) {
            self.bad = Some("F2: clients in STOP or WAIT");
        } else if self.share && self.app == 0 && !self.unstarted {
            self.bad = Some("F3: clients without application");
        }
    }

    fn event(&mut self, b: &Bounds, e: Event) {
        let step = step(&b.config(), &self.s, e);
        self.take(step.state, step.effects);
    }

    /// What an effect does to the node, if it works.
    fn happen(&mut self, b: &Bounds, e: &Effect) {
        let restart = matches!(&self.s.at, At::Moving(m) if m.mv == Move::Restart);
        match e {
            Effect::Store(_, record) => self.disk = *record,
            Effect::Script(_, c) if c.script == Script::StartBoth => {
                (self.app, self.unstarted) = (self.app + 1, false);
            }
            Effect::Script(_, c) if c.script == Script::StopBoth => {
                if self.share && !restart {
                    self.bad = Some("F3: it is stopped while clients are sent here");
                }
                (self.app, self.unstarted) = (0, restart);
            }
            Effect::VipOn(_) => (self.vip, self.share) = (true, b.fault == Some(Fault::JoinEarly)),
            Effect::VipOff(_) if b.fault != Some(Fault::VipKept) => self.vip = false,
            Effect::Join(_) => self.share = true,
            Effect::Leave(_) if b.fault != Some(Fault::LeaveUnawaited) => self.share = false,
            Effect::Kill(_) => {
                let skips = match b.fault {
                    Some(Fault::KillUnseen) => true,
                    Some(Fault::RestartUnkilled) => restart,
                    _ => false,
                };
                if !skips {
                    (self.app, self.unstarted) = (0, restart);
                }
            }
            _ => {}
        }
        self.check();
    }

    fn spend(&self, what: usize, most: u8) -> Option<World> {
        (self.used[what] < most).then(|| {
            let mut w = self.clone();
            w.used[what] += 1;
            w
        })
    }

    /// The world without the numbers of effects, which grow for ever.
    fn print(&self) -> World {
        let mut w = self.clone();
        let ids: Vec<u64> = w.todo.iter().filter_map(id_of).collect();
        let place = |id: u64| ids.iter().position(|i| *i == id).map_or(0, |p| p as u64 + 1);
        w.s.ids = 0;
        w.s.timer = w.s.timer.map(place);
        if let At::Moving(m) = &mut w.s.at
            && let Some((id, _)) = &mut m.awaited
        {
            *id = place(*id);
        }
        for (n, e) in w.todo.iter_mut().enumerate() {
            if let Some(id) = number(e) {
                *id = n as u64 + 1;
            }
        }
        w
    }
}

/// The group carries out orders one after the other: a leave comes after every earlier join.
fn may_go_first(w: &World, at: usize) -> bool {
    let group = |e: &Effect| matches!(e, Effect::Join(_) | Effect::Leave(_));
    !group(&w.todo[at]) || !w.todo[..at].iter().any(group)
}

fn answers(b: &Bounds, w: &World, faults: bool, out: &mut Next) {
    for (at, effect) in w.todo.iter().enumerate() {
        if !may_go_first(w, at) {
            continue;
        }
        let Some(id) = id_of(effect) else { continue };
        let mut done = w.clone();
        done.todo.remove(at);
        if matches!(effect, Effect::Timer(_)) {
            done.event(b, Event::Timer(id));
            out.push(("timer".to_owned(), done));
            continue;
        }
        let told = match b.fault {
            Some(Fault::LateTaken) => awaited(&w.s).unwrap_or(id),
            _ => id,
        };
        let mut failed = done.spend(3, b.fails);
        done.happen(b, effect);
        done.event(b, Event::ok(told));
        out.push((format!("{effect:?}"), done));
        if let Some(mut w) = failed.take().filter(|_| faults) {
            // Who cannot leave in good order withdraws.
            w.share &= !matches!(effect, Effect::Leave(_));
            w.unstarted |= matches!(effect, Effect::Script(_, c) if c.script == Script::StartBoth);
            w.event(b, Event::Done(told, Err(Told::same("no"))));
            out.push((format!("failed {effect:?}"), w));
        }
    }
}

fn next(b: &Bounds, w: &World, faults: bool, out: &mut Next) {
    out.clear();
    answers(b, w, faults, out);
    for waits in [Waits::Clear, Waits::Blocked("r".to_owned())] {
        if w.s.shown().0 != Role::Stop && w.s.waits != waits && (faults || waits == Waits::Clear) {
            let mut v = w.clone();
            v.event(b, Event::Waits(waits.clone()));
            out.push((format!("{waits:?}"), v));
        }
    }
    if !faults {
        return;
    }
    commands(b, w, out);
    if let Some(mut v) = w.spend(1, b.restarts) {
        restart(b, &mut v);
        out.push(("control plane restarts".to_owned(), v));
        // What was under way has happened, though nobody heard of it.
        for at in 0..w.todo.len() {
            let mut v = w.clone();
            v.used[1] += 1;
            v.happen(b, &w.todo[at]);
            restart(b, &mut v);
            out.push((format!("control plane restarts after {:?}", w.todo[at]), v));
        }
    }
    if let Some(v) = w.spend(2, b.crashes) {
        let ids = v.s.ids;
        let s = State::stopped(v.disk, ids);
        let fresh = World { s, app: 0, vip: false, share: false, unstarted: false, todo: Vec::new(), ..v };
        out.push(("power failure".to_owned(), fresh));
    }
    if b.farm
        && w.share
        && let Some(mut v) = w.spend(4, b.losses)
    {
        v.share = false;
        v.event(b, Event::Unshared(Told::same("lost")));
        out.push(("share lost".to_owned(), v));
    }
}

fn commands(b: &Bounds, w: &World, out: &mut Next) {
    let rule = || Caller::Rule("r".to_owned());
    let root = || Caller::User("root".to_owned());
    let all = [
        (Command::Start, root()),
        (Command::Stop, root()),
        (Command::ForceStop, root()),
        (Command::Restart, rule()),
        (Command::StopStart, rule()),
        (Command::StopWait, rule()),
    ];
    for (command, who) in all {
        if let Some(mut v) = w.spend(0, b.commands) {
            v.event(b, Event::Command(command, who));
            out.push((command.to_string(), v));
        }
    }
}

/// The control plane dies and comes back; what runs goes on. Its group begins anew.
fn restart(b: &Bounds, v: &mut World) {
    let kept = v.s.clone();
    v.todo.clear();
    if kept.at == At::Stopped {
        return;
    }
    if b.fault == Some(Fault::AdoptBlind) {
        let at = if kept.shown().0 == Role::Up { At::Up } else { At::Waiting };
        return v.take(State { at, ..kept }, Vec::new());
    }
    let step = adopt(&b.config(), kept, v.disk);
    v.take(step.state, step.effects);
}

struct Verdict {
    worlds: usize,
    violation: Option<String>,
}

fn search(b: &Bounds) -> Verdict {
    let first = b.start();
    let mut from: HashMap<World, Option<(World, String)>> = HashMap::from([(first.print(), None)]);
    let mut todo = VecDeque::from([first]);
    let mut out = Vec::new();
    while let Some(w) = todo.pop_front() {
        if let Some(bad) = w.bad.map(str::to_owned).or_else(|| stuck(b, &w)) {
            let mut steps = Vec::new();
            let mut at = w.print();
            while let Some(Some((before, step))) = from.get(&at) {
                steps.push(step.clone());
                at = before.clone();
            }
            steps.reverse();
            return Verdict {
                worlds: from.len(),
                violation: Some(format!("{bad}\n{}\n{w:?}", steps.join("\n"))),
            };
        }
        next(b, &w, true, &mut out);
        for (step, v) in out.drain(..) {
            if let Entry::Vacant(place) = from.entry(v.print()) {
                place.insert(Some((w.print(), step)));
                todo.push_back(v);
            }
        }
    }
    Verdict { worlds: from.len(), violation: None }
}

/// F4. A group that never answers must not hold a stop up.
fn stuck(b: &Bounds, w: &World) -> Option<String> {
    let mut stopping = w.clone();
    stopping.event(b, Event::Command(Command::Stop, Caller::User("root".to_owned())));
    let silent = Bounds { fails: 0, ..*b };
    if !comes_to(&silent, stopping, true, |v| v.s.at == At::Stopped) {
        return Some("F4: a stop does not end".to_owned());
    }
    let goes_up = w.s.at != At::Stopped && !w.leaves();
    (goes_up && !comes_to(&silent, w.clone(), false, |v| v.s.at == At::Up))
        .then(|| "F4: it does not come to UP".to_owned())
}

impl World {
    /// Somebody stopped it, and nothing says that it starts again.
    fn leaves(&self) -> bool {
        use safekit::fsm::farm::Goal;
        let stops = |c: Command| matches!(c, Command::Stop | Command::ForceStop);
        let goal = matches!(&self.s.at, At::Moving(m) if m.goal == Goal::Stop && m.mv != Move::Start);
        goal || self.s.pending.as_ref().is_some_and(|(c, _)| stops(*c))
    }
}

/// Whether there is a way by what goes on by itself. `mute`: the group answers no join.
fn comes_to(b: &Bounds, from: World, mute: bool, goal: impl Fn(&World) -> bool) -> bool {
    let mut seen = HashSet::from([from.print()]);
    let mut todo = VecDeque::from([from]);
    let mut out = Vec::new();
    while let Some(mut w) = todo.pop_front() {
        if goal(&w) {
            return true;
        }
        if mute {
            w.todo.retain(|e| !matches!(e, Effect::Join(_)));
        }
        next(b, &w, false, &mut out);
        todo.extend(out.drain(..).filter(|(_, v)| seen.insert(v.print())).map(|(_, v)| v));
    }
    false
}

fn holds(name: &str, b: Bounds) {
    for farm in [true, false] {
        let v = search(&Bounds { farm, ..b });
        println!("{name}, {}: {} worlds", if farm { "farm" } else { "light" }, v.worlds);
        assert!(v.violation.is_none(), "{name}: {}", v.violation.unwrap_or_default());
    }
}

fn finds(b: Bounds, fault: Fault) {
    let v = search(&Bounds { fault: Some(fault), ..b });
    let trace = v.violation.unwrap_or_else(|| panic!("{fault:?} is not found in {} worlds", v.worlds));
    println!("{fault:?} found after {} worlds: {trace}", v.worlds);
}

#[test]
fn up_commands() {
    holds("commands", CALM);
}

#[test]
fn up_control_plane_restarts() {
    holds("control plane restarts", Bounds { restarts: 1, commands: 2, losses: 1, ..CALM });
}

#[test]
fn up_failing_effects_and_power() {
    holds("failing effects", Bounds { fails: 2, commands: 2, crashes: 1, ..CALM });
}

#[test]
fn up_planted_faults_are_found() {
    finds(Bounds { fails: 2, ..CALM }, Fault::KillUnseen);
    finds(Bounds { fails: 2, ..CALM }, Fault::RestartUnkilled);
    finds(CALM, Fault::VipKept);
    finds(CALM, Fault::JoinEarly);
    finds(CALM, Fault::LeaveUnawaited);
    finds(Bounds { restarts: 1, ..CALM }, Fault::AdoptBlind);
    finds(Bounds { restarts: 1, losses: 1, ..CALM }, Fault::LateTaken);
}
