//! A world of two nodes: the automata as they are, what is durable, what the kernel holds, one
//! delayed heartbeat per direction, and the ghosts of the check.

use crate::bounds::{Bounds, Fault};
use crate::plane::Plane;
use crate::steps::KINDS;
use safekit::fsm::generation::{Flag, History, Record};
use safekit::fsm::mirror::{
    At, Change, Config, Effect, Event, Face, Move, Peer, Posture, State, Step, Todo, Waits, step,
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
    /// It heard that the other went on from its history: it must not start, whoever said `prim` there.
    pub told: bool,
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
    pub used: [u8; KINDS],
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
                told: false,
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
            used: [0; KINDS],
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
        let stores = out.effects.iter().any(|e| matches!(e, Effect::Store(..)));
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
        if stores {
            self.check_promotion(b, x);
        }
        // Nothing depends on when these two end, if they work.
        if b.fails == 0
            && let Some(effect @ (Effect::Mount(id) | Effect::Unmount(id))) = self.n[x].todo.clone()
        {
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
        // `syncdelta` is the operator's word given before.
        if n.s.order.is_some() || n.s.tolerated {
            let silent = n.s.peer == Peer::Silent;
            self.acked &= n.plane.data;
            self.blind |= silent;
            self.n.iter_mut().for_each(|n| n.told &= !silent);
        } else if needed & !n.plane.data != 0 && (n.told || !self.blind) {
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
        n.told = false;
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
}

fn awaits(s: &State, id: u64) -> bool {
    matches!(&s.at, At::Moving(m) if m.awaited.as_ref().is_some_and(|a| a.0 == id))
}
