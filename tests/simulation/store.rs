//! The data plane of the simulation: who holds which writes, and who waits for whom.

use crate::world::World;
use safekit::fsm::mirror::{Effect, Event, Stream};
use std::collections::BTreeSet;

/// The end of a stream that a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    #[default]
    None,
    /// Primary: nothing is answered without this session.
    Primary(u64),
    /// Secondary, attached as this session.
    Second(u64),
    Broken,
}

/// What the data plane of a node knows; lost with the power.
#[derive(Debug, Default)]
pub struct Store {
    pub open: bool,
    pub link: Link,
    /// Primary: done here, unanswered.
    pub held: BTreeSet<u32>,
}

/// Operations that may wait for an answer.
const HELD_MOST: usize = 16;

impl World {
    /// Both ends of one stream are whole, and it passes.
    fn attached(&self, primary: usize) -> bool {
        let (p, s) = (&self.nodes[primary], &self.nodes[1 - primary]);
        match (p.store.link, s.store.link) {
            (Link::Primary(n), Link::Second(m)) => {
                n == m && p.power && s.power && !p.frozen && !s.frozen && self.network.stream()
            }
            _ => false,
        }
    }

    /// The stream of x does not pass any more.
    pub fn find_broken(&mut self, x: usize) {
        let broken = match self.nodes[x].store.link {
            Link::Primary(_) => !self.attached(x),
            Link::Second(_) => !self.attached(1 - x),
            _ => false,
        };
        if broken {
            self.nodes[x].store.link = Link::Broken;
        }
    }

    /// What the data plane says, if it is news.
    pub fn say_stream(&mut self, x: usize) {
        let n = &self.nodes[x];
        let level = match n.store.link {
            Link::None => Stream::None,
            Link::Primary(n) | Link::Second(n) => Stream::InStep(n),
            Link::Broken => Stream::Broken,
        };
        if self.profile.data && n.up() && n.state.stream != level {
            self.feed(x, Event::Stream(level));
        }
    }

    /// A client's write at x: answered when a secondary that is attached has it, too.
    pub fn write_at(&mut self, x: usize) {
        let attached = self.attached(x);
        let number = self.check.written;
        let n = &mut self.nodes[x];
        if !n.store.open || n.store.held.len() >= HELD_MOST {
            return;
        }
        n.data.insert(number);
        match n.store.link {
            Link::None => {
                self.check.acked.insert(number);
            }
            _ if attached => {
                self.check.acked.insert(number);
                self.nodes[1 - x].data.insert(number);
            }
            _ => {
                n.store.held.insert(number);
            }
        }
        self.check.written += 1;
    }

    /// Carries out an order. False: not now.
    pub fn order_data(&mut self, x: usize, effect: &Effect) -> bool {
        let store = &mut self.nodes[x].store;
        match *effect {
            Effect::Mount(_) => *store = Store::default(),
            Effect::Writable(..) => *store = Store { open: true, ..Store::default() },
            Effect::ReadOnly(_) | Effect::Unmount(_) => *store = Store::default(),
            Effect::Drain(_) => store.link = Link::None,
            Effect::Release(..) => {
                store.link = Link::None;
                let held = std::mem::take(&mut store.held);
                self.check.acked.extend(held);
            }
            Effect::Reintegrate { session, .. } => return self.copy(x, session),
            _ => {}
        }
        true
    }

    fn copy(&mut self, x: usize, session: u64) -> bool {
        let p = &self.nodes[1 - x];
        let ready = p.power && !p.frozen && p.store.open && p.store.link == Link::None;
        if !ready || !self.network.stream() {
            return false;
        }
        self.nodes[x].data = p.data.clone();
        self.nodes[x].store.link = Link::Second(session);
        self.nodes[1 - x].store.link = Link::Primary(session);
        true
    }
}
