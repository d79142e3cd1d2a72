//! What makes two worlds the same: identities are renamed by first appearance, counts are dropped.

use crate::plane::{Link, Plane};
use crate::world::World;
use safekit::fsm::generation::Record;
use safekit::fsm::mirror::{At, Face, Peer, State, Stream};
use std::hash::{Hash, Hasher};

impl World {
    pub fn print(&self) -> u64 {
        let mut names: Vec<u64> = vec![0];
        let mut h = std::collections::hash_map::DefaultHasher::new();
        for n in &self.n {
            renamed(&n.s, &mut names).hash(&mut h);
            record(&n.disk, &mut names).hash(&mut h);
            (
                n.power,
                n.hung,
                n.pause,
                n.lost,
                n.vip,
                n.late_off,
                n.guard,
                n.knows,
                n.stopped,
                n.told && self.blind,
            )
                .hash(&mut h);
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
