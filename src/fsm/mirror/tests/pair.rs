//! Two automata against each other in memory: a perfect network that echoes, effects answered in order.

use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::{Flag, Generation, History, Record};
use crate::fsm::mirror::{
    Config, DefaultPrim, Effect, Event, Outcome, Peer, State, Step, Stream, Waits, Window, adopt, step,
};
use crate::fsm::scripts::{Script, Scripts};
use crate::told::Told;
use std::collections::{BTreeSet, VecDeque};

/// What a node did, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// A script with its arguments.
    Script(String),
    /// A message of the main log.
    Said(String),
    /// Another effect.
    Else(String),
}

pub struct Node {
    pub cfg: Config,
    pub s: State,
    pub disk: Record,
    /// Effects that wait for their answers.
    jobs: VecDeque<Effect>,
    /// The one script that does not end.
    pub frozen: Option<Script>,
    /// Names of effects that fail, each once.
    pub fail: Vec<&'static str>,
    pub windows: BTreeSet<Window>,
    pub vip: bool,
    /// What its rules say; told again after each new start.
    pub waits: Waits,
    /// It has the peer's current face.
    knows: bool,
}

/// Two nodes and what they did.
pub struct Pair {
    pub n: [Node; 2],
    pub cut: bool,
    /// Both may run: they were parted.
    pub split: bool,
    /// The session that the data planes are attached as.
    pub stream: Option<u64>,
    pub did: Vec<(usize, Did)>,
}

pub fn user() -> Caller {
    Caller::User("root".to_owned())
}

impl Pair {
    /// Both in STOP, synchronized once: node 0 was primary, node 1 its secondary.
    pub fn new(data: bool) -> Pair {
        let pair = History::default().with(Generation { id: 7, by: 0 });
        let zero = Record { term: 1, holder: true, flag: Flag::Up, primary: true, ..Record::first() };
        let zero = Record { history: pair.clone(), ..zero };
        let one = Record { term: 1, history: pair, ..Record::first() };
        Pair::of(data, [zero, one])
    }

    pub fn of(data: bool, records: [Record; 2]) -> Pair {
        let scripts = Script::ALL.into_iter().fold(Scripts::default(), Scripts::with);
        let mut me = 0;
        let n = records.map(|disk| {
            let cfg = Config {
                me,
                data,
                default_prim: DefaultPrim::Alone,
                scripts,
                automatic_reboot: false,
                alike: None,
            };
            me += 1;
            Node {
                cfg,
                s: State::stopped(disk.clone(), true, 1000 + u64::from(me)),
                disk,
                jobs: VecDeque::new(),
                frozen: None,
                fail: Vec::new(),
                windows: BTreeSet::new(),
                vip: false,
                waits: Waits::Clear,
                knows: false,
            }
        });
        Pair { n, cut: false, split: false, stream: None, did: Vec::new() }
    }

    /// Both started: PRIM on node 0, SECOND on node 1.
    pub fn whole(data: bool) -> Pair {
        let mut p = Pair::new(data);
        p.start_both();
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        p.did.clear();
        p
    }

    pub fn start_both(&mut self) {
        self.command(0, Command::Start);
        self.command(1, Command::Start);
        self.run();
    }

    pub fn shown(&self) -> [String; 2] {
        [0, 1].map(|x| {
            let (role, readiness) = self.n[x].s.shown();
            format!("{role} {readiness}")
        })
    }

    /// A command of the operator, and all that follows.
    pub fn order(&mut self, x: usize, command: Command) -> Outcome {
        let outcome = self.command(x, command);
        self.run();
        outcome
    }

    pub fn command(&mut self, x: usize, command: Command) -> Outcome {
        self.feed(x, Event::Command(command, user()))
    }

    pub fn feed(&mut self, x: usize, e: Event) -> Outcome {
        let out = step(&self.n[x].cfg, &self.n[x].s, e);
        self.take(x, out)
    }

    /// The control plane of x dies and comes back.
    pub fn restart(&mut self, x: usize) {
        let n = &mut self.n[x];
        n.jobs.clear();
        n.knows = false;
        let (kept, disk, seed) = (n.s.clone(), n.disk.clone(), n.s.seed + 100);
        let out = adopt(&n.cfg, kept, disk, seed);
        self.n[1 - x].knows = false;
        self.take(x, out);
    }

    fn take(&mut self, x: usize, out: Step) -> Outcome {
        let before = self.n[x].s.face();
        self.n[x].s = out.state;
        for effect in out.effects {
            self.effect(x, effect);
        }
        if self.n[x].s.face() != before {
            self.n[1 - x].knows = false;
        }
        assert!(self.split || !(self.n[0].vip && self.n[1].vip), "two primaries: {:?}", self.did);
        out.outcome
    }

    fn effect(&mut self, x: usize, effect: Effect) {
        let n = &mut self.n[x];
        let did = match &effect {
            Effect::Log(m) if m.level().is_main() => Did::Said(m.to_string()),
            Effect::Log(_) | Effect::Timer(..) => return,
            Effect::Script(_, call) => {
                let words: Vec<String> =
                    [call.script.to_string()].into_iter().chain(call.arguments()).collect();
                Did::Script(words.join(" "))
            }
            Effect::Checkers(w, on) => {
                let changed = if *on { n.windows.insert(*w) } else { n.windows.remove(w) };
                assert!(changed || !on, "{w:?} opened twice");
                Did::Else(format!("{w:?} {}", if *on { "opens" } else { "closes" }))
            }
            Effect::KillScript(_) => {
                n.frozen = None;
                Did::Else(name(&effect).to_owned())
            }
            other => Did::Else(name(other).to_owned()),
        };
        self.did.push((x, did));
        let awaited = matches!(
            effect,
            Effect::Store(..)
                | Effect::Script(..)
                | Effect::VipOn(_)
                | Effect::VipOff(_)
                | Effect::Kill { .. }
                | Effect::Arm(_)
                | Effect::Disarm(_)
                | Effect::Mount(_)
                | Effect::Unmount(_)
                | Effect::Writable(..)
                | Effect::ReadOnly(_)
                | Effect::Reintegrate { .. }
                | Effect::Drain(_)
                | Effect::MarkDirty(_)
                | Effect::Release(..)
        );
        if awaited {
            self.n[x].jobs.push_back(effect);
        }
    }

    /// Answers the oldest effect of x. False if there is none, or it is the frozen script.
    fn answer(&mut self, x: usize) -> bool {
        let n = &mut self.n[x];
        match n.jobs.front() {
            Some(Effect::Script(_, call)) if n.frozen == Some(call.script) => return false,
            None => return false,
            _ => {}
        }
        let Some(effect) = n.jobs.pop_front() else { return false };
        let failing = n.fail.iter().position(|f| *f == name(&effect));
        if let Some(i) = failing {
            n.fail.remove(i);
        }
        let id = match effect {
            Effect::Store(id, record) => {
                if failing.is_none() {
                    n.disk = record;
                }
                id
            }
            Effect::VipOn(id) => {
                n.vip = failing.is_none();
                id
            }
            Effect::VipOff(id) => {
                n.vip &= failing.is_some();
                id
            }
            Effect::Script(id, _) | Effect::Kill { id, .. } => id,
            Effect::Arm(id) | Effect::Disarm(id) | Effect::Mount(id) | Effect::Unmount(id) => id,
            Effect::Writable(id, ..) | Effect::MarkDirty(id) => id,
            Effect::Reintegrate { id, session, .. } => {
                if failing.is_none() {
                    self.attach(session);
                }
                id
            }
            Effect::ReadOnly(id) | Effect::Drain(id) | Effect::Release(id, _) => {
                self.detach(x);
                id
            }
            _ => return false,
        };
        let result = if failing.is_some() { Err(Told::same("it fails")) } else { Ok(()) };
        self.feed(x, Event::Done(id, result));
        true
    }

    fn attach(&mut self, session: u64) {
        self.stream = Some(session);
        for x in 0..2 {
            self.feed(x, Event::Stream(Stream::InStep(session)));
        }
    }

    /// x ends the stream: the other finds it broken.
    pub fn detach(&mut self, x: usize) {
        if self.stream.take().is_some() {
            self.feed(1 - x, Event::Stream(Stream::Broken));
        }
    }

    fn hear(&mut self, x: usize) -> bool {
        let y = 1 - x;
        let face = self.n[y].s.face();
        let counts = self.n[y].knows;
        let news = !self.n[x].knows
            || !matches!(&self.n[x].s.peer, Peer::Heard { face: f, counts: c } if **f == face && *c == counts);
        self.n[x].knows = true;
        if news {
            self.feed(x, Event::Peer { face: Box::new(face), counts });
        }
        news
    }

    /// One answer and one heartbeat for each. False if nothing is left to do.
    fn round(&mut self) -> bool {
        let mut busy = false;
        for x in 0..2 {
            busy |= self.step(x);
            busy |= !self.cut && self.hear(x);
        }
        busy
    }

    /// What x does by itself: one answer, and the word of its rules.
    pub fn step(&mut self, x: usize) -> bool {
        let mut busy = self.answer(x);
        let held = matches!(self.n[x].s.waits, Waits::Hold(_));
        if held && !matches!(self.n[x].waits, Waits::Hold(_)) {
            let w = self.n[x].waits.clone();
            self.feed(x, Event::Waits(w));
            busy = true;
        }
        busy
    }

    /// Until nothing goes on by itself.
    pub fn run(&mut self) {
        for _ in 0..2000 {
            if !self.round() {
                return;
            }
        }
        panic!("it never settles: {:?}", &self.did[self.did.len().saturating_sub(40)..]);
    }

    /// Until it is so; false if it never is.
    pub fn until(&mut self, so: impl Fn(&Pair) -> bool) -> bool {
        while !so(self) {
            if !self.round() {
                return false;
            }
        }
        true
    }

    pub fn rules(&mut self, x: usize, w: Waits) {
        self.n[x].waits = w.clone();
        self.feed(x, Event::Waits(w));
    }

    /// The network is cut for more than a timeout.
    pub fn part(&mut self) {
        self.cut = true;
        self.split = true;
        let attached = self.stream.take().is_some();
        for x in 0..2 {
            self.n[x].knows = false;
            if attached {
                self.feed(x, Event::Stream(Stream::Broken));
            }
            self.feed(x, Event::PeerSilent);
        }
        self.run();
    }

    /// x hears nothing any more; its peer is gone.
    pub fn lose(&mut self, x: usize) {
        self.cut = true;
        self.n[x].knows = false;
        self.detach(1 - x);
        self.feed(x, Event::PeerSilent);
        self.run();
    }

    pub fn heal(&mut self) {
        self.cut = false;
        self.run();
        self.split = false;
        assert!(!(self.n[0].vip && self.n[1].vip), "two primaries: {:?}", self.did);
    }

    /// The end of the timer of x.
    pub fn timer(&mut self, x: usize) {
        let id = self.n[x].s.timer.expect("a timer runs");
        self.feed(x, Event::Timer(id));
        self.run();
    }

    pub fn scripts(&self, x: usize) -> Vec<&str> {
        self.list(x, |d| if let Did::Script(s) = d { Some(s) } else { None })
    }

    pub fn log(&self, x: usize) -> Vec<&str> {
        self.list(x, |d| if let Did::Said(s) = d { Some(s) } else { None })
    }

    fn list<'a>(&'a self, x: usize, f: impl Fn(&'a Did) -> Option<&'a String>) -> Vec<&'a str> {
        self.did.iter().filter(|(y, _)| *y == x).filter_map(|(_, d)| f(d)).map(String::as_str).collect()
    }

    /// Place of the first entry of x that says so, among all that both did.
    pub fn place(&self, x: usize, what: &str) -> usize {
        let is = |d: &Did| match d {
            Did::Script(s) | Did::Said(s) | Did::Else(s) => s == what,
        };
        let found = self.did.iter().position(|(y, d)| *y == x && is(d));
        found.unwrap_or_else(|| panic!("{x} never did {what}: {:?}", self.did))
    }
}

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Log(_) => "log",
        Effect::Store(..) => "store",
        Effect::Script(..) => "script",
        Effect::VipOn(_) => "vip on",
        Effect::VipOff(_) => "vip off",
        Effect::Kill { swap: true, .. } => "kill for swap",
        Effect::Kill { .. } => "kill",
        Effect::Arm(_) => "arm",
        Effect::Disarm(_) => "disarm",
        Effect::Mount(_) => "mount",
        Effect::Unmount(_) => "unmount",
        Effect::Writable(..) => "writable",
        Effect::ReadOnly(_) => "read-only",
        Effect::Reintegrate { .. } => "reintegrate",
        Effect::Drain(_) => "drain",
        Effect::MarkDirty(_) => "mark dirty",
        Effect::Release(..) => "release",
        Effect::Checkers(..) => "checkers",
        Effect::Timer(..) => "timer",
        Effect::KillScript(_) => "kill script",
        Effect::ResetRules => "rules begin anew",
        Effect::Failover(_) => "failover",
        Effect::Reboot => "reboot",
    }
}
