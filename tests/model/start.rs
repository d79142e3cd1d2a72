//! Worlds that a search begins with. Each is reached by steps of the automata from the first one.

use crate::bounds::Bounds;
use crate::steps::next;
use crate::world::World;
use safekit::fsm::command::{Caller, Command};
use safekit::fsm::mirror::{At, Event, Peer};
use std::collections::{HashSet, VecDeque};

/// Where a search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Both wait, node 1 was never synchronized.
    First,
    /// Node 0 is PRIM, node 1 its SECOND in step.
    Pair,
    /// Node 0 was ALONE when its power failed, and takes itself for up to date. Then `prim` was given
    /// on node 1, its former SECOND, which answered a write before it lost its power, too. Both boot.
    Stale,
}

/// The world that a search within these bounds begins with.
pub fn world(b: &Bounds) -> World {
    match b.start {
        Start::First => World::first(b),
        Start::Pair => pair(b),
        Start::Stale => stale(b),
    }
}

/// The nearest such world, by what goes on by itself. No fault is planted on the way.
fn go(b: &Bounds, from: World, fits: impl Fn(&World) -> bool) -> World {
    let b = Bounds { fault: None, ..*b };
    let mut seen = HashSet::from([from.print()]);
    let mut todo = VecDeque::from([from]);
    let mut out = Vec::new();
    while let Some(w) = todo.pop_front() {
        if fits(&w) {
            return w;
        }
        next(&b, &w, true, &mut out);
        todo.extend(out.drain(..).filter(|(_, _, v)| seen.insert(v.print())).map(|(_, _, v)| v));
    }
    panic!("a world to begin with is not reached")
}

/// Nothing is under way in it, and each node knows what the other shows.
fn settled(w: &World) -> bool {
    w.n.iter().all(|n| n.todo.is_none() && n.knows && matches!(n.s.peer, Peer::Heard { counts: true, .. }))
}

fn pair(b: &Bounds) -> World {
    go(b, World::first(b), |w| w.n[0].s.at == At::Prim && w.n[1].s.promotable && settled(w))
}

fn stale(b: &Bounds) -> World {
    let sound = Bounds { fault: None, ..*b };
    // Its secondary has the data and the generation, and no pair was made yet.
    let joined =
        |w: &World| w.n[0].s.at == At::Alone && w.attached(0) && w.n[1].disk.history == w.n[0].disk.history;
    let mut w = go(b, World::first(b), joined);
    w.crash(0);
    let mut w = go(b, w, |w| !w.n[0].power && w.n[1].s.at == At::Waiting && w.n[1].s.peer == Peer::Silent);
    let root = || Caller::User("root".into());
    w.feed(&sound, 1, Event::Command(Command::Stop, root()));
    let mut w = go(b, w, |w| !w.n[0].power && w.n[1].s.at == At::Stopped);
    w.feed(&sound, 1, Event::Command(Command::Prim { fullsync: false }, root()));
    let mut w = go(b, w, |w| !w.n[0].power && w.n[1].s.at == At::Alone && w.n[1].vip);
    assert!(w.write(&sound, 1), "node 1 is ALONE");
    w.crash(1);
    go(b, w, |w| w.n.iter().all(|n| n.power))
}
