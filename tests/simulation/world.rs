//! The world: two nodes, the network, and a queue of what happens when.

use crate::check::Check;
use crate::network::{Kind, Network};
use crate::node::{Node, Plane};
use crate::rng::Rng;
use crate::store::Omits;
use safekit::fsm::command::{Caller, Command};
use safekit::fsm::mirror::Event;
use safekit::fsm::peer::Beat;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::Write;
use std::rc::Rc;

/// What happens. The second number of those that have one is the life of the control plane or the
/// boot of the node to which it belongs; in another life it is over.
#[derive(Clone)]
pub enum Happening {
    /// The control plane looks at its clock.
    Wake(usize, u64),
    /// A heartbeat arrives on a link.
    Beat(usize, usize, Rc<Beat>),
    /// A datagram of the cluster channel arrives.
    Cluster(usize),
    /// Something that took time ends, at the same node and in the same life.
    Finish(usize, u64, u64, bool),
    /// A script ends; it outlives the control plane.
    ScriptEnds(usize, u64, u64, bool),
    /// The control plane is told of the end of a script.
    ScriptEnded(usize, u64, bool),
    Timer(usize, u64, u64),
    /// The guard looks at its clock.
    Guard(usize, u64),
    /// An operator asks.
    Order(usize, Command),
    PowerOn(usize),
    Restart(usize, u64),
    Resume(usize, u64),
    Heal,
    DiskRecovers(usize),
    ZonesRecover(usize),
    /// A client writes.
    Write,
    /// The next fault, command or change of a resource.
    Fault,
}

/// What kind of run a seed gives.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    pub data: bool,
    pub partitions: bool,
    pub heavy: bool,
    /// A safety rule that is switched off; the run must find it.
    pub planted: Option<Planted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// S8: the guard does nothing.
    Guard,
    /// S4: a node does not notice that it slept.
    OwnPause,
    /// S1: a record is lost at each power failure, and the flag says *up*.
    Proven,
    /// S3: callers are answered as soon as the stream is lost.
    Release,
    /// S7: promoted before what was received is applied.
    Drain,
    /// Reintegration trusts a directory that was opened since it was settled.
    Settled,
    /// ... and zones though a power failure may still take back what was written before them.
    Synced,
}

pub struct World {
    pub now: u64,
    pub profile: Profile,
    pub rng: Rng,
    pub nodes: [Node; 2],
    pub network: Network,
    pub check: Check,
    /// Percentage of scripts and other works that fail.
    pub flaky: u64,
    pub quiet: bool,
    queue: BinaryHeap<Reverse<(u64, u64, Slot)>>,
    seq: u64,
    trace: Option<VecDeque<String>>,
    pub print: u64,
    pub lines: u64,
}

/// A happening in the queue; time and number order it, itself it has no order.
struct Slot(Happening);

impl PartialEq for Slot {
    fn eq(&self, _: &Slot) -> bool {
        true
    }
}
impl Eq for Slot {}
impl PartialOrd for Slot {
    fn partial_cmp(&self, other: &Slot) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Slot {
    fn cmp(&self, _: &Slot) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Lines of the trace kept.
const TRACE_MOST: usize = 400;
/// Datagrams that wait for a control plane that hangs.
const INBOX_MOST: usize = 64;

impl World {
    /// `traced`: keep the last lines of the trace.
    pub fn new(seed: u64, profile: Profile, traced: bool) -> World {
        let mut rng = Rng::new(seed);
        let is = |p: Planted| profile.planted == Some(p);
        let omits =
            Omits { drain: is(Planted::Drain), settled: is(Planted::Settled), synced: is(Planted::Synced) };
        let nodes = [0, 1].map(|x| Node::new(x, profile.data, omits, &mut rng));
        let mut world = World {
            now: 0,
            profile,
            rng,
            nodes,
            network: Network::new(),
            check: Check::default(),
            flaky: if profile.heavy { 10 } else { 1 },
            quiet: false,
            queue: BinaryHeap::new(),
            seq: 0,
            trace: traced.then(VecDeque::new),
            print: 0,
            lines: 0,
        };
        world.normal_network();
        for x in 0..2 {
            world.boot(x);
        }
        world.after(50, Happening::Write);
        world.after(3000, Happening::Fault);
        world
    }

    pub fn normal_network(&mut self) {
        self.network.loss = if self.profile.heavy { self.rng.range(0, 10) } else { self.rng.range(0, 1) };
        self.network.duplicates = self.rng.range(0, 5);
        self.network.delay_most = if self.profile.heavy { self.rng.range(1, 120) } else { 5 };
    }

    pub fn after(&mut self, ms: u64, what: Happening) {
        self.seq += 1;
        self.queue.push(Reverse((self.now + ms, self.seq, Slot(what))));
    }

    /// One line of the trace; the text is made only when a trace is kept.
    pub fn say(&mut self, text: impl FnOnce() -> String) {
        self.lines += 1;
        let Some(trace) = &mut self.trace else { return };
        let mut line = format!("{:6} ", self.now);
        for (name, n) in ["A", "B"].iter().zip(&self.nodes) {
            let (role, readiness) = n.state.shown();
            let readiness = readiness.to_string();
            let plane = match (n.power, n.frozen, n.plane) {
                (false, ..) => 'o',
                (_, true, _) => 'f',
                (_, _, Plane::Down) => 'd',
                (_, _, Plane::Hung) => 'h',
                (_, _, Plane::Up) => ' ',
            };
            let mark = |on: bool, c: char| if on { c } else { ' ' };
            let _ = write!(
                line,
                "{name} {role:6} {readiness:9}{plane}{}{}{} ",
                mark(n.vip, '*'),
                mark(n.app, 'a'),
                mark(n.guard.is_some(), 'g')
            );
        }
        line.push_str("| ");
        line.push_str(&text());
        if trace.len() == TRACE_MOST {
            trace.pop_front();
        }
        trace.push_back(line);
    }

    pub fn trace(&self) -> String {
        self.trace.iter().flatten().map(|l| format!("{l}\n")).collect()
    }

    /// The next thing that happens. False at `until`.
    pub fn next(&mut self, until: u64) -> bool {
        match self.queue.peek() {
            Some(Reverse((at, ..))) if *at <= until => {}
            _ => return false,
        }
        if let Some(Reverse((at, seq, Slot(what)))) = self.queue.pop() {
            self.now = at;
            self.print = self.print.rotate_left(7) ^ at.wrapping_mul(31) ^ seq;
            self.happen(what);
        }
        true
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Guard(x, boot) => self.guard_looks(x, boot),
            Happening::ScriptEnds(x, boot, id, ok) => self.script_ends(x, boot, id, ok),
            Happening::PowerOn(x) => {
                if !self.nodes[x].power {
                    self.boot(x);
                }
            }
            Happening::Restart(x, life) => {
                if self.nodes[x].life == life && self.nodes[x].power && self.nodes[x].plane == Plane::Down {
                    self.adopt(x);
                }
            }
            Happening::Resume(x, life) => self.resume(x, life),
            Happening::Heal => self.heal(),
            Happening::DiskRecovers(x) => self.nodes[x].disk_slow = false,
            Happening::ZonesRecover(x) => self.nodes[x].store.flash.fill(false),
            Happening::Write => self.write(),
            Happening::Fault => self.fault(),
            Happening::Wake(x, life) => {
                if self.nodes[x].life == life && self.nodes[x].up() {
                    self.wake(x);
                    self.after(self.nodes[x].real(100), Happening::Wake(x, life));
                }
            }
            Happening::Order(x, command) => {
                if self.nodes[x].up() {
                    self.plane(x, Happening::Order(x, command));
                }
            }
            Happening::Beat(x, ..)
            | Happening::Cluster(x)
            | Happening::Finish(x, ..)
            | Happening::ScriptEnded(x, ..)
            | Happening::Timer(x, ..) => self.plane(x, what),
        }
    }

    /// Something for the control plane: now, or when it runs again.
    fn plane(&mut self, x: usize, what: Happening) {
        let n = &mut self.nodes[x];
        match n.plane {
            Plane::Up => self.handle(x, what),
            Plane::Hung => {
                let datagram = matches!(what, Happening::Beat(..) | Happening::Cluster(_));
                if !datagram || n.inbox.len() < INBOX_MOST {
                    n.inbox.push_back(what);
                }
            }
            Plane::Down => {}
        }
    }

    /// The control plane runs again; what waited comes before or after it has looked at its clock.
    fn resume(&mut self, x: usize, life: u64) {
        if self.nodes[x].life != life || self.nodes[x].plane != Plane::Hung {
            return;
        }
        let boot = self.nodes[x].boot;
        self.nodes[x].plane = Plane::Up;
        if std::mem::take(&mut self.nodes[x].frozen) {
            self.guard_looks(x, boot);
            if let Some((id, _)) = self.nodes[x].script {
                self.after(1, Happening::ScriptEnds(x, boot, id, true));
            }
        }
        self.say(|| format!("{} resumes", ["A", "B"][x]));
        if self.rng.percent(50) {
            self.wake(x);
        }
        while let Some(what) = self.nodes[x].inbox.pop_front() {
            self.handle(x, what);
        }
        self.after(0, Happening::Wake(x, life));
    }

    /// Sends on all links.
    pub fn send(&mut self, from: usize, what: Happening, kind: Kind) {
        for (link, delay) in self.network.send(&mut self.rng, from, kind) {
            let copy = match &what {
                Happening::Beat(to, _, beat) => Happening::Beat(*to, link, beat.clone()),
                other => other.clone(),
            };
            self.after(delay, copy);
        }
    }

    /// An operator's command.
    pub fn order(&mut self, x: usize, command: Command) {
        let caller = Caller::User("root".to_owned());
        self.feed(x, Event::Command(command, caller));
    }
}
