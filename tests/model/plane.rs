//! The data plane of the model: every write has a zone of its own, so a set of writes is a set of zones.

use crate::bounds::{Bounds, Fault};
use crate::world::World;
use safekit::fsm::losses::Fate;
use safekit::fsm::mirror::{Effect, Event, Stream};
use safekit::told::Told;

/// The zone that is changed while the module is stopped.
pub const FOREIGN: u8 = 1 << 7;

/// The end of a stream that a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    #[default]
    None,
    /// Primary: nothing is answered without this session.
    Primary(u64),
    /// Secondary, attached as this session.
    Second(u64),
    Broken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plane {
    /// It was mounted: what is written to the disk counts as written.
    pub up: bool,
    /// Modifications are accepted.
    pub open: bool,
    pub link: Link,
    /// What applications would read.
    pub data: u8,
    /// What of it survives the power.
    pub safe: u8,
    /// SECOND: received and acknowledged, not applied.
    pub queue: u8,
    /// Durable: written, maybe not on the disk.
    pub hot: u8,
    /// Durable: hot when the power failed.
    pub feared: u8,
    /// Durable: changed, and the peer does not have it.
    pub dirty: u8,
    /// Primary: done here, unanswered.
    pub held: u8,
    /// Changed by others while the module was stopped; the times of the files tell.
    pub changed: u8,
    /// The durable zones were damaged: all may have changed.
    pub torn: bool,
    /// A part of a reintegration was copied, or not all that was received could be applied.
    pub mixed: bool,
}

impl Plane {
    /// What it says to its control plane.
    pub fn level(&self) -> Stream {
        match self.link {
            Link::None => Stream::None,
            Link::Primary(n) | Link::Second(n) => Stream::InStep(n),
            Link::Broken => Stream::Broken,
        }
    }

    /// The power fails. Of what was not on the disk the worst remains: what was answered is lost,
    /// what was not answered is there.
    pub fn crash(&mut self, acked: u8) -> u8 {
        let lost = acked & (self.data | self.queue) & !self.safe;
        self.data = self.safe | (self.data & !acked);
        self.safe = self.data;
        (self.up, self.open, self.link) = (false, false, Link::None);
        (self.queue, self.held) = (0, 0);
        lost
    }

    /// For the trace.
    pub fn brief(&self) -> String {
        let Plane { data, safe, queue, hot, feared, dirty, held, .. } = self;
        format!("{:?} d{data} s{safe} q{queue} h{hot} f{feared} z{dirty} u{held}", self.link)
    }

    fn sync(&mut self) {
        self.safe = self.data;
        self.hot &= self.held;
    }
}

impl World {
    /// Both ends of one stream are whole, and it passes.
    pub fn attached(&self, primary: usize) -> bool {
        let second = &self.n[1 - primary];
        match (self.n[primary].plane.link, second.plane.link) {
            (Link::Primary(n), Link::Second(m)) => n == m && second.power && !self.cut,
            _ => false,
        }
    }

    /// A pair in step holds the same, but for what nobody was answered.
    pub fn diverged(&self) -> bool {
        (0..2).any(|x| {
            let (p, s) = (&self.n[x].plane, &self.n[1 - x].plane);
            self.attached(x) && (p.data ^ (s.data | s.queue)) & !p.held != 0
        })
    }

    /// A client writes. False if it is not possible.
    pub fn write(&mut self, b: &Bounds, x: usize) -> bool {
        let bit = 1 << self.issued;
        let attached = self.attached(x);
        let p = &mut self.n[x].plane;
        if !p.open {
            return false;
        }
        p.data |= bit;
        if !b.cache {
            p.safe |= bit;
        }
        match p.link {
            Link::None => {
                p.dirty |= bit;
                // Still needed when the secondary has it: this node may lose it with its power.
                p.hot |= if b.cache { bit } else { 0 };
                self.acked |= bit;
            }
            _ if attached => {
                p.hot |= if b.cache { bit } else { 0 };
                let s = &mut self.n[1 - x].plane;
                if b.cache {
                    s.queue |= bit;
                    s.hot |= bit;
                } else {
                    s.data |= bit;
                    s.safe |= bit;
                }
                self.acked |= bit;
            }
            _ => {
                p.hot |= bit;
                p.held |= bit;
            }
        }
        self.issued += 1;
        true
    }

    /// What the data plane of x does for its automaton. None: not now.
    pub fn carry(&mut self, b: &Bounds, x: usize, effect: &Effect) -> Option<(&'static str, u64)> {
        let p = &mut self.n[x].plane;
        Some(match *effect {
            Effect::Mount(id) => {
                p.feared |= p.hot;
                // Without a power failure since, it is still in memory.
                p.hot &= p.data & !p.safe;
                (p.queue, p.held) = (0, 0);
                (p.up, p.open, p.link) = (true, false, Link::None);
                ("mounted", id)
            }
            Effect::Unmount(id) => {
                p.up = false;
                ("unmounted", id)
            }
            Effect::Writable(id, ..) => {
                (p.open, p.link) = (true, Link::None);
                self.acked &= p.data;
                self.orphan = 0;
                ("opened", id)
            }
            Effect::ReadOnly(id) => {
                // What is refused here, or received and not applied, the other node may have otherwise.
                p.dirty |= p.held | p.queue;
                (p.open, p.link, p.held, p.queue) = (false, Link::None, 0, 0);
                ("closed", id)
            }
            Effect::Drain(id) => {
                if b.fault != Some(Fault::Drain) {
                    p.data |= p.queue;
                }
                (p.link, p.queue) = (Link::None, 0);
                p.sync();
                ("drained", id)
            }
            Effect::MarkDirty(id) => {
                p.dirty |= p.held;
                ("zones marked", id)
            }
            Effect::Release(id, _) => {
                // What came since they were marked, too.
                p.dirty |= p.held;
                self.acked |= p.held;
                (p.link, p.held) = (Link::None, 0);
                ("released", id)
            }
            Effect::Reintegrate { id, session, .. } => {
                self.reintegrate(b, x, session)?;
                self.feed(b, x, Event::Stream(Stream::InStep(session)));
                ("copied and attached", id)
            }
            _ => return None,
        })
    }

    /// The primary is there, open, and serves nobody else.
    fn may_copy(&self, x: usize) -> bool {
        let y = &self.n[1 - x];
        y.power && !self.cut && y.plane.open && !y.s.degraded && y.plane.link == Link::None && !y.guard.fenced
    }

    fn reintegrate(&mut self, b: &Bounds, x: usize, session: u64) -> Option<()> {
        if !self.may_copy(x) {
            return None;
        }
        let but = |fault: Fault, zones: u8| if b.fault == Some(fault) { 0 } else { zones };
        let (s, p) = (self.n[x].plane, self.n[1 - x].plane);
        let torn =
            (s.torn && b.fault != Some(Fault::TornSecond)) || (p.torn && b.fault != Some(Fault::TornPrimary));
        let zones = but(Fault::DirtyPrimary, p.dirty)
            | but(Fault::DirtySecond, s.dirty)
            | but(Fault::HotPrimary, p.hot | p.feared)
            | but(Fault::HotSecond, s.hot | s.feared)
            | but(Fault::ChangedPrimary, p.changed)
            | but(Fault::ChangedSecond, s.changed);
        let zones = if torn { u8::MAX } else { zones };
        let data = (s.data & !zones) | (p.data & zones);
        let s = &mut self.n[x].plane;
        (s.data, s.safe) = (data, data);
        (s.hot, s.feared, s.dirty, s.changed) = (0, 0, 0, 0);
        (s.torn, s.mixed, s.link) = (false, false, Link::Second(session));
        let p = &mut self.n[1 - x].plane;
        (p.feared, p.dirty, p.changed, p.torn) = (0, 0, 0, false);
        p.link = Link::Primary(session);
        Some(())
    }

    /// A part is copied: of the zones that differ, the first.
    pub fn half_copied(&mut self, x: usize) -> bool {
        let copies = matches!(self.n[x].todo, Some(Effect::Reintegrate { .. }));
        let new = copies && self.may_copy(x) && !self.n[x].plane.mixed;
        if new {
            let other = self.n[1 - x].plane.data;
            let p = &mut self.n[x].plane;
            let differs = p.data ^ other;
            p.data ^= differs & differs.wrapping_neg();
            (p.safe, p.mixed) = (p.data, true);
        }
        new
    }

    /// The order does not work. What it had done until then is there.
    pub fn fails(&mut self, x: usize, effect: &Effect) {
        self.half_copied(x);
        let p = &mut self.n[x].plane;
        if matches!(effect, Effect::Drain(_)) {
            // Nothing of it was applied, and its zones are marked.
            p.dirty |= p.queue;
            (p.queue, p.link, p.mixed) = (0, Link::Broken, true);
        }
    }

    /// The process of x is lost, with what it had in memory, and an order that it had. Another one goes on
    /// with the mounts, or, if they are `gone`, nobody does.
    pub fn box_lost(&mut self, b: &Bounds, x: usize, fate: Fate) {
        if let Some(id) = self.n[x].todo.as_ref().and_then(order) {
            let effect = self.n[x].todo.take();
            effect.iter().for_each(|effect| self.fails(x, effect));
            self.feed(b, x, Event::Done(id, Err(Told::same("model"))));
        }
        let p = &mut self.n[x].plane;
        p.feared |= p.hot;
        p.queue = 0;
        if b.fault == Some(Fault::BoxUnnoticed) {
            return;
        }
        // What the secondary lacks was not written down: all is compared.
        p.torn |= p.open;
        p.link = match p.link {
            Link::Primary(_) | Link::Broken if p.open => Link::Broken,
            _ => Link::None,
        };
        if fate == Fate::Gone {
            (p.up, p.open, p.link, p.held) = (false, false, Link::None, 0);
        }
        self.feed(b, x, Event::BoxLost(fate));
    }

    /// x finds that the other end is gone.
    pub fn notices(&mut self, b: &Bounds, x: usize) -> bool {
        let gone = match self.n[x].plane.link {
            Link::Primary(_) => !self.attached(x),
            Link::Second(_) => !self.attached(1 - x) || !self.n[1 - x].power,
            _ => false,
        };
        if gone && self.n[x].power {
            self.lost(b, x);
            return true;
        }
        false
    }

    /// The stream is lost for x.
    pub fn lost(&mut self, b: &Bounds, x: usize) {
        let p = &mut self.n[x].plane;
        p.link = Link::Broken;
        if b.fault == Some(Fault::Release) && p.open {
            self.acked |= p.held;
            (p.link, p.held) = (Link::None, 0);
        }
    }

    /// Where the stream itself is not what is searched, its loss is found and said at once.
    pub fn prompt(&mut self, b: &Bounds) {
        for x in [0, 1, 0, 1] {
            self.notices(b, x);
            let level = self.n[x].plane.level();
            if self.live(x) && level != self.n[x].s.stream {
                self.feed(b, x, Event::Stream(level));
            }
        }
    }

    /// What was received is applied, and all is written to the disk.
    pub fn syncs(&mut self, x: usize) -> bool {
        let p = &mut self.n[x].plane;
        let before = *p;
        p.data |= p.queue;
        p.queue = 0;
        p.sync();
        before.up && self.n[x].plane != before
    }
}

/// The number of an order that the data plane has.
fn order(effect: &Effect) -> Option<u64> {
    match *effect {
        Effect::Mount(id)
        | Effect::Unmount(id)
        | Effect::Writable(id, ..)
        | Effect::ReadOnly(id)
        | Effect::Drain(id)
        | Effect::MarkDirty(id)
        | Effect::Release(id, _)
        | Effect::Reintegrate { id, .. } => Some(id),
        _ => None,
    }
}
