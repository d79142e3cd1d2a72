//! A world of two nodes: the automata as they are, what is durable, what the kernel holds, one
//! delayed heartbeat per direction, and the ghosts of the check.

use crate::plane::{Link, Plane};
use crate::start::Start;
use safekit::fsm::generation::{Flag, History, Record};
use safekit::fsm::mirror::{
    At, Change, Config, Effect, Event, Face, Move, Peer, Posture, State, Step, Stream, Todo, Waits, step,
};
use std::hash::{Hash, Hasher};

/// A rule switched off: the check must find each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// S1: a crashed PRIM takes itself for up to date.
    Proven,
    /// S2: *in step* without *paired* on disk, and for any session.
    InStep,
    /// S3: callers are answered as soon as the stream is lost.
    Release,
    /// S4: a node does not notice that it slept.
    OwnPause,
    /// S5: a former PRIM takes silence for `not taking over`.
    Leaving,
    /// S6: the history and the term of the peer are not looked at.
    Histories,
    /// S7: promoted before what was received is applied.
    Drain,
    /// S8: the guard does nothing.
    Guard,
    /// S9: the stop is announced before it has stopped.
    Stopped,
    /// S10: every heartbeat counts.
    Echo,
    /// What comes during a move is lost.
    LostEdges,
    /// Reintegration does not look at what the primary wrote alone.
    Dirty,
    /// ... at what the secondary wrote or received.
    DirtySecond,
    /// ... at what a node may have lost with its power.
    HotPrimary,
    /// ... at what others changed while the module was stopped.
    Changed,
    /// ... at everything when the zones are damaged.
    Torn,
    /// A node that was stopped in a reintegration takes itself for whole.
    Partial,
}

/// Bounds of the search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub start: Start,
    pub data: bool,
    pub crashes: u8,
    /// Crashes of the control plane alone, which is restarted at once.
    pub restarts: u8,
    pub hangs: u8,
    pub admin: u8,
    pub delays: u8,
    pub writes: u8,
    pub cuts: u8,
    pub losses: u8,
    /// Writes are in memory first; without, they are on the disk at once.
    pub cache: bool,
    /// One end of the stream is lost.
    pub breaks: u8,
    /// Files are changed while the module is stopped.
    pub edits: u8,
    /// The durable zones are damaged by a power failure.
    pub torn: u8,
    /// Reintegrations can be seen half done.
    pub partial: bool,
    pub prim: bool,
    pub fault: Option<Fault>,
}

pub const CALM: Bounds = Bounds {
    start: Start::First,
    data: true,
    crashes: 0,
    restarts: 0,
    hangs: 0,
    admin: 0,
    delays: 0,
    writes: 1,
    cuts: 0,
    losses: 0,
    cache: false,
    breaks: 0,
    edits: 0,
    torn: 0,
    partial: false,
    prim: false,
    fault: None,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Guard {
    pub armed: bool,
    pub fenced: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub s: State,
    pub power: bool,
    /// The control plane does not run (SIGSTOP, starved).
    pub hung: bool,
    /// Since its last heartbeat: 0 fresh, 1 timeout/2 passed, 2 0.8 timeout, 3 timeout.
    pub pause: u8,
    /// The heartbeats were sent in that time, and lost.
    pub lost: bool,
    pub disk: Record,
    /// The awaited effect.
    pub todo: Option<Effect>,
    /// The virtual IP is set: clients are answered.
    pub vip: bool,
    /// S9 planted: the virtual IP goes later than was said.
    pub late_off: bool,
    pub guard: Guard,
    pub plane: Plane,
    /// It has the peer's current face.
    pub knows: bool,
    /// An operator stopped it.
    pub stopped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    pub face: Face,
    pub echo: bool,
    pub old: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub n: [Node; 2],
    pub late: [Option<Late>; 2],
    pub cut: bool,
    /// A cut has lasted a full timeout.
    pub parted: bool,
    pub issued: u8,
    pub acked: u8,
    /// Answered writes that went with the power of the primary: only its secondary can save them.
    pub orphan: u8,
    pub used: [u8; 10],
    /// An operator forced a start on a node that had heard nothing of its peer: I2 is his.
    pub blind: bool,
    pub bad: Option<&'static str>,
}

pub fn config(b: &Bounds, me: usize) -> Config {
    Config {
        me: me as u8,
        data: b.data,
        default_prim: Default::default(),
        scripts: Default::default(),
        automatic_reboot: false,
        alike: None,
    }
}

impl World {
    /// Both in WAIT; `prim` was given once on node 0, node 1 was never synchronized.
    pub fn first(b: &Bounds) -> World {
        let history = |x: usize| {
            if x == 0 {
                History::default().with(safekit::fsm::generation::Generation { id: 77, by: 0 })
            } else {
                History::default()
            }
        };
        let node = |x: usize| {
            let record = Record {
                term: u64::from(x == 0),
                holder: x == 0,
                flag: if x == 0 { Flag::Up } else { Flag::Down },
                primary: x == 0,
                history: history(x),
                ..Record::first()
            };
            let mut s = State::stopped(record.clone(), true, 1000 + x as u64);
            s.at = At::Waiting;
            s.waits = Waits::Clear;
            s.replicated = b.data;
            Node {
                s,
                power: true,
                hung: false,
                pause: 0,
                lost: false,
                disk: record,
                todo: None,
                vip: false,
                late_off: false,
                guard: Guard::default(),
                plane: Plane { up: b.data, ..Plane::default() },
                knows: false,
                stopped: false,
            }
        };
        World {
            n: [node(0), node(1)],
            late: [None, None],
            cut: false,
            parted: false,
            issued: 0,
            acked: 0,
            orphan: 0,
            used: [0; 10],
            blind: false,
            bad: None,
        }
    }

    pub fn live(&self, x: usize) -> bool {
        self.n[x].power && !self.n[x].hung
    }

    /// Nothing authenticated came from the peer of x for a full timeout.
    pub fn silent(&self, x: usize) -> bool {
        let p = &self.n[1 - x];
        !p.power || (p.hung && p.pause == 3) || (self.cut && self.parted)
    }

    /// Feeds an event to the automaton of x and keeps its effects.
    pub fn feed(&mut self, b: &Bounds, x: usize, e: Event) {
        let cfg = config(b, x);
        if b.fault == Some(Fault::LostEdges)
            && matches!(self.n[x].s.at, At::Moving(_))
            && matches!(e, Event::PeerSilent | Event::Peer { .. })
        {
            return;
        }
        let out = step(&cfg, &self.n[x].s, e);
        self.take(b, x, out);
    }

    /// Takes over what a step of x gave.
    pub fn take(&mut self, b: &Bounds, x: usize, out: Step) {
        let before = self.n[x].s.face();
        self.n[x].s = out.state;
        for effect in out.effects {
            match &effect {
                Effect::Store(..)
                | Effect::VipOn(_)
                | Effect::VipOff(_)
                | Effect::Kill { .. }
                | Effect::Arm(_)
                | Effect::Disarm(_)
                | Effect::Reintegrate { .. }
                | Effect::Drain(_)
                | Effect::Mount(_)
                | Effect::Unmount(_)
                | Effect::Writable(..)
                | Effect::MarkDirty(_)
                | Effect::Release(..)
                | Effect::Script(..) => self.n[x].todo = Some(effect),
                // Refused at once, and not waited for, under a broken stream.
                Effect::ReadOnly(id) if !awaits(&self.n[x].s, *id) => {
                    self.carry(b, x, &effect);
                }
                Effect::ReadOnly(_) => self.n[x].todo = Some(effect),
                _ => {}
            }
        }
        if self.n[x].s.face() != before {
            self.n[1 - x].knows = false;
            if let Some(l) = &mut self.late[x] {
                l.echo = false;
            }
        }
        self.check_promotion(b, x);
        // Nothing depends on when these two end.
        if let Some(effect @ (Effect::Mount(id) | Effect::Unmount(id))) = self.n[x].todo.clone() {
            self.n[x].todo = None;
            self.carry(b, x, &effect);
            self.feed(b, x, Event::ok(id));
        }
        if matches!(self.n[x].s.waits, Waits::Hold(_)) {
            self.feed(b, x, Event::Waits(Waits::Clear));
        }
    }

    /// I2, at the moment a promotion is decided: the record to be stored says *up* anew.
    fn check_promotion(&mut self, b: &Bounds, x: usize) {
        let n = &self.n[x];
        let At::Moving(m) = &n.s.at else { return };
        let Some((_, Some(record))) = &m.awaited else { return };
        let promoting = m.todo(b.data).get(usize::from(m.at)) == Some(&Todo::Store(Change::Promoted));
        if !promoting || record.flag != Flag::Up {
            return;
        }
        // What a primary lost with its power can be saved by its secondary, and by nobody else.
        let needed = if m.mv == Move::Takeover { self.acked } else { self.acked & !self.orphan };
        // `prim` is refused to a node whose data is mixed (ST-41), and nothing else starts it.
        if n.plane.mixed {
            self.bad = Some("I2");
        }
        if n.s.order.is_some() {
            self.blind |= n.s.peer == Peer::Silent;
            self.acked &= n.plane.data;
        } else if needed & !n.plane.data != 0 && !self.blind {
            self.bad = Some("I2");
        }
    }

    /// What x shows, as its heartbeats carry it now.
    pub fn shows(&self, b: &Bounds, x: usize) -> Face {
        let mut f = self.n[x].s.face();
        if b.fault == Some(Fault::InStep)
            && let Peer::Heard { face, .. } = &self.n[x].s.peer
            && matches!(self.n[x].s.at, At::Alone | At::Prim)
            && matches!(face.posture, Posture::Joining | Posture::Second)
            && face.adopted
        {
            f.in_step = Some((f.history.current(), face.session));
        }
        f
    }

    /// A node loses its power: what was not durable is gone.
    pub fn crash(&mut self, x: usize) {
        let n = &mut self.n[x];
        n.power = false;
        n.hung = false;
        n.pause = 3;
        n.lost = false;
        n.vip = false;
        n.late_off = false;
        n.guard = Guard::default();
        n.todo = None;
        n.knows = false;
        n.stopped = false;
        let lost = n.plane.crash(self.acked);
        n.s = State::stopped(n.disk.clone(), true, n.s.seed + 10);
        let y = &mut self.n[1 - x];
        y.knows = false;
        if !(y.power && y.plane.open) {
            self.orphan |= lost;
        }
        if let Some(l) = &mut self.late[x] {
            l.echo = false;
        }
    }

    pub fn print(&self) -> u64 {
        let mut names: Vec<u64> = vec![0];
        let mut h = std::collections::hash_map::DefaultHasher::new();
        for n in &self.n {
            renamed(&n.s, &mut names).hash(&mut h);
            record(&n.disk, &mut names).hash(&mut h);
            (n.power, n.hung, n.pause, n.lost, n.vip, n.late_off, n.guard, n.knows, n.stopped).hash(&mut h);
            plane(&n.plane, &mut names).hash(&mut h);
            n.todo.as_ref().map(std::mem::discriminant).hash(&mut h);
        }
        for l in self.late.iter().flatten() {
            (face(&l.face, &mut names), l.echo, l.old).hash(&mut h);
        }
        (
            self.late.each_ref().map(Option::is_some),
            self.cut,
            self.parted,
            self.issued,
            self.acked,
            self.orphan,
            self.used,
            self.blind,
        )
            .hash(&mut h);
        h.finish()
    }
}

fn name(id: u64, names: &mut Vec<u64>) -> u64 {
    match names.iter().position(|&n| n == id) {
        Some(i) => i as u64,
        None => {
            names.push(id);
            names.len() as u64 - 1
        }
    }
}

fn plane(p: &Plane, names: &mut Vec<u64>) -> Plane {
    let link = match p.link {
        Link::Primary(n) => Link::Primary(name(n, names)),
        Link::Second(n) => Link::Second(name(n, names)),
        other => other,
    };
    Plane { link, ..*p }
}

fn stream(s: Stream, names: &mut Vec<u64>) -> Stream {
    match s {
        Stream::Syncing(n) => Stream::Syncing(name(n, names)),
        Stream::InStep(n) => Stream::InStep(name(n, names)),
        other => other,
    }
}

fn awaits(s: &State, id: u64) -> bool {
    matches!(&s.at, At::Moving(m) if m.awaited.as_ref().is_some_and(|a| a.0 == id))
}

fn record(r: &Record, names: &mut Vec<u64>) -> Record {
    Record { history: r.history.renamed(|id| name(id, names)), ..r.clone() }
}

fn face(f: &Face, names: &mut Vec<u64>) -> Face {
    Face {
        history: f.history.renamed(|id| name(id, names)),
        session: name(f.session, names),
        in_step: f.in_step.map(|(g, n)| (name(g, names), name(n, names))),
        ask: f.ask.map(|g| name(g, names)),
        stream: stream(f.stream, names),
        ..f.clone()
    }
}

/// The state with every identity renamed by first appearance and every count dropped.
fn renamed(s: &State, names: &mut Vec<u64>) -> State {
    let mut s = s.clone();
    s.record = record(&s.record, names);
    s.session = name(s.session, names);
    s.stream = stream(s.stream, names);
    if let Peer::Heard { face: f, .. } = &mut s.peer {
        **f = face(f, names);
    }
    if let At::Moving(m) = &mut s.at
        && let Some((id, r)) = &mut m.awaited
    {
        *id = 0;
        if let Some(r) = r {
            *r = record(r, names);
        }
    }
    (s.seed, s.drawn, s.ids) = (0, 0, 0);
    s.timer = s.timer.map(|_| 0);
    s
}
