//! The control plane of a node: what the actors do around the automaton.

use crate::network::Kind;
use crate::node::{PERIOD, PULSE, Plane, TIMEOUT, machine};
use crate::world::{Happening, Planted, World};
use safekit::fsm::command::{Caller, Command};
use safekit::fsm::generation::Flag;
use safekit::fsm::maxloop::{Counted, Limit, Loops};
use safekit::fsm::mirror::{At, Event, Outcome, State, Step, Waits, adopt, step};
use safekit::fsm::peer::{Report, Watch};
use safekit::fsm::resource::Value;
use safekit::fsm::rules::machine::{View, WaitVerdict};
use safekit::told::Told;
use std::rc::Rc;

pub const NAMES: [&str; 2] = ["A", "B"];
const LIMIT: Limit = Limit { maxloop: 5, interval_s: 60 };
/// The guard counts in ns, the simulation in ms.
pub const NS: u64 = 1_000_000;

impl World {
    /// Power is switched on: the record as it is durable, everything else new.
    pub fn boot(&mut self, x: usize) {
        let seed = self.rng.draw();
        let n = &mut self.nodes[x];
        n.power = true;
        if self.profile.planted == Some(Planted::Proven) && n.disk.flag == Flag::Paired {
            n.disk.flag = Flag::Up;
        }
        n.state = State::stopped(n.disk.clone(), n.failover, seed);
        self.begin_life(x, seed);
        self.say(|| format!("{} boots", NAMES[x]));
        let first = self.now == 0 && x == 0 && self.profile.data;
        let command = if first { Command::Prim { fullsync: false } } else { Command::Start };
        self.feed(x, Event::Command(command, Caller::Boot));
    }

    /// A new process: new watch, new rules machine, new identity.
    fn begin_life(&mut self, x: usize, seed: u64) {
        let now = self.now;
        let n = &mut self.nodes[x];
        n.life += 1;
        n.plane = Plane::Up;
        n.watch = Watch::new(&[TIMEOUT; 2], seed | 1, n.clock(now));
        n.machine = machine();
        n.remote = None;
        n.local.clear();
        n.check_resources();
        n.inbox.clear();
        n.next_beat = 0;
        n.next_rules = 0;
        let life = n.life;
        self.after(1, Happening::Wake(x, life));
    }

    /// The control plane comes back while the module goes on (DESIGN 3).
    pub fn adopt(&mut self, x: usize) {
        let seed = self.rng.draw();
        self.begin_life(x, seed);
        // Whatever the last life left running is killed before anything new begins.
        self.nodes[x].script = None;
        let n = &self.nodes[x];
        let (kept, disk) = (n.state.clone(), n.disk.clone());
        let out = if kept.at == At::Stopped {
            Step {
                state: State::stopped(disk, n.failover, seed),
                effects: Vec::new(),
                outcome: Outcome::Taken,
            }
        } else {
            adopt(&n.cfg, kept, disk, seed)
        };
        self.say(|| format!("{} control plane is back", NAMES[x]));
        self.take(x, out);
    }

    /// What reaches a control plane that runs. It looks at its clock first: who slept suspects itself.
    pub fn handle(&mut self, x: usize, what: Happening) {
        self.suspect(x);
        let life = self.nodes[x].life;
        match what {
            Happening::Beat(_, link, beat) => {
                let clock = self.nodes[x].clock(self.now);
                self.check.heard[x] = self.now;
                let (reports, answer) = self.nodes[x].watch.received(link, (*beat).clone(), clock);
                self.reports(x, reports);
                if answer {
                    self.beat(x);
                }
            }
            Happening::Cluster(_) => {
                let clock = self.nodes[x].clock(self.now);
                self.nodes[x].watch.heard_elsewhere(clock);
            }
            Happening::Finish(_, of, id, ok) if of == life => self.finish(x, id, ok),
            Happening::ScriptEnded(_, id, ok) => {
                let result = if ok { Ok(()) } else { Err(Told::same("status 1")) };
                self.feed(x, Event::Done(id, result));
            }
            Happening::Timer(_, of, id) if of == life => self.feed(x, Event::Timer(id)),
            Happening::Order(_, command) => {
                self.nodes[x].loops = Loops::reset(self.now / 1000);
                self.order(x, command);
            }
            _ => {}
        }
    }

    /// The guard's word first, then the own clock.
    fn suspect(&mut self, x: usize) {
        if std::mem::take(&mut self.nodes[x].fenced) {
            self.feed(x, Event::Fenced(Told::same("simulation")));
        }
        let clock = self.nodes[x].clock(self.now);
        let reports = self.nodes[x].watch.tick(clock);
        self.reports(x, reports);
    }

    pub fn wake(&mut self, x: usize) {
        self.suspect(x);
        if self.profile.data {
            self.nodes[x].store.goes_on(&mut self.rng);
        }
        self.find_broken(x);
        self.say_stream(x);
        self.renew(x);
        let clock = self.nodes[x].clock(self.now);
        if clock >= self.nodes[x].next_rules {
            self.nodes[x].next_rules = clock + PERIOD;
            self.rules(x);
        }
        if clock >= self.nodes[x].next_beat {
            self.nodes[x].next_beat = clock + PULSE;
            self.beat(x);
            self.send(x, Happening::Cluster(1 - x), Kind::Cluster);
        }
    }

    /// Renews the guard, at least twice in a tenth of the timeout.
    fn renew(&mut self, x: usize) {
        let clock = self.nodes[x].clock(self.now) * NS;
        let n = &mut self.nodes[x];
        let Some(g) = &mut n.guard else { return };
        if clock < g.deadline.fence_at() {
            g.deadline.renew(clock, n.watch.newest_echoed().unwrap_or(0) * NS);
        } else {
            self.fence(x);
        }
    }

    /// Sends a heartbeat on all links.
    fn beat(&mut self, x: usize) {
        let clock = self.nodes[x].clock(self.now);
        let face = self.nodes[x].state.face();
        let local = self.nodes[x].local.clone();
        let n = &mut self.nodes[x];
        n.watch.show(&face);
        n.watch.publish(&local);
        let Some((beat, reports)) = n.watch.beat(clock) else { return };
        self.send(x, Happening::Beat(1 - x, 0, Rc::new(beat)), Kind::Beat);
        self.reports(x, reports);
    }

    fn reports(&mut self, x: usize, reports: Vec<Report>) {
        for r in reports {
            match r {
                Report::Mirror(Event::OwnPause(_)) if self.profile.planted == Some(Planted::OwnPause) => {}
                Report::Mirror(e) => self.feed(x, e),
                Report::Resources(r) => self.nodes[x].remote = r,
                Report::Link(link, up) => {
                    self.say(|| format!("{} link {link} {}", NAMES[x], if up { "up" } else { "down" }));
                }
            }
        }
    }

    /// Checkers and rules, once per period.
    fn rules(&mut self, x: usize) {
        let clock = self.nodes[x].clock(self.now);
        let n = &mut self.nodes[x];
        if n.state.at == At::Stopped {
            return;
        }
        n.check_resources();
        let view = View {
            role: n.state.shown().0,
            local: &n.local,
            remote: n.remote.as_ref(),
            cluster: &Value::Up,
            checkers_on: true,
        };
        let verdict = n.machine.evaluate(clock, &view);
        let waits = match verdict.wait {
            WaitVerdict::Hold { resources } => {
                Waits::Hold(resources.first().map(ToString::to_string).unwrap_or_default())
            }
            WaitVerdict::Blocked { rule, .. } => Waits::Blocked(rule),
            WaitVerdict::Clear => Waits::Clear,
        };
        self.feed(x, Event::Waits(waits));
        if let Some((command, rule)) = verdict.act {
            let (loops, counted) = self.nodes[x].loops.increment(LIMIT, self.now / 1000);
            self.nodes[x].loops = loops;
            let event = match counted {
                Counted::Go => Event::Command(command, Caller::Rule(rule)),
                Counted::Exhausted => Event::Command(Command::Stop, Caller::Identity("maxloop".to_owned())),
            };
            self.feed(x, event);
        }
    }

    /// One step of the automaton and its effects.
    pub fn feed(&mut self, x: usize, event: Event) {
        if !matches!(&event, Event::Waits(w) if *w == self.nodes[x].state.waits) {
            self.say(|| format!("{} {}", NAMES[x], brief(&event)));
        }
        let out = step(&self.nodes[x].cfg, &self.nodes[x].state, event);
        self.take(x, out);
    }

    fn take(&mut self, x: usize, out: Step) {
        self.check.promotion(self.profile, &mut self.nodes, x, &out, self.now);
        if let Outcome::Refused(r) = &out.outcome {
            let r = r.to_string();
            self.say(|| format!("{} refused: {r}", NAMES[x]));
        }
        let n = &mut self.nodes[x];
        let before = n.state.face();
        n.state = out.state;
        let changed = n.state.face() != before;
        for effect in out.effects {
            self.act(x, effect);
        }
        if changed {
            self.beat(x);
        }
    }
}

/// What counts of a heartbeat.
fn peer(text: &str) -> String {
    let part = |name: &str, most: usize| -> String {
        text.split_once(name).map_or("", |t| t.1).chars().take_while(|c| *c != ',').take(most).collect()
    };
    let of = |name: &str| part(name, 12);
    format!(
        "hears{} flag{} term{} able{} adopted{} in_step{} ask{} counts{}",
        of("posture:"),
        of("flag:"),
        of("term:"),
        of("able:"),
        of("adopted:"),
        of("in_step:"),
        of("ask:"),
        of("counts:")
    )
}

/// The beginning of a thing's debug text.
pub fn brief(thing: &impl std::fmt::Debug) -> String {
    let text = format!("{thing:?}");
    if text.starts_with("Peer {") { peer(&text) } else { text.chars().take(200).collect() }
}
