//! Every step a world can take.

use crate::bounds::{Bounds, Fault};
use crate::fails;
use crate::plane::FOREIGN;
use crate::world::{Late, World, config};
use safekit::fsm::command::{Caller, Command};
use safekit::fsm::generation::{Flag, Relation};
use safekit::fsm::losses::Fate;
use safekit::fsm::mirror::{At, Effect, Event, Face, Outcome, Posture, State, Step, adopt};
use safekit::told::Told;

pub type Next = Vec<(&'static str, usize, World)>;

const CRASH: usize = 0;
const RESTART: usize = 1;
const HANG: usize = 2;
const ADMIN: usize = 3;
const DELAY: usize = 4;
const CUT: usize = 5;
const LOSS: usize = 6;
const BREAK: usize = 7;
const EDIT: usize = 8;
const TORN: usize = 9;
pub const FAIL: usize = 10;
const TOLERATE: usize = 11;
const BOX: usize = 12;
/// Kinds of things that a search has a bound for.
pub const KINDS: usize = 13;

/// Generations of a history, beyond which nothing new happens in a search: a secondary that joins with
/// an old heartbeat each time could go on for ever.
const GENERATIONS: usize = 4;

/// All successors. `progress`: only what goes on by itself, no fault, command or new write.
pub fn next(b: &Bounds, w: &World, progress: bool, out: &mut Next) {
    out.clear();
    if !progress && w.n.iter().any(|n| n.disk.history.iter().count() > GENERATIONS) {
        return;
    }
    for x in 0..2 {
        if !progress {
            faults(b, w, x, out);
            boxes(b, w, x, out);
            commands(b, w, x, out);
            write(b, w, x, out);
        }
        effect(b, w, x, out);
        if !progress {
            fails::next(b, w, x, out);
        }
        data_plane(b, w, x, progress, out);
        time(b, w, x, out);
        beats(b, w, x, progress, out);
    }
    partition(b, w, progress, out);
    if b.data && b.breaks == 0 {
        out.iter_mut().for_each(|(_, _, v)| v.prompt(b));
    }
}

pub fn spend(w: &World, what: usize, most: u8) -> Option<World> {
    (w.used[what] < most).then(|| {
        let mut v = w.clone();
        v.used[what] += 1;
        v
    })
}

fn faults(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    if w.n[x].power
        && let Some(mut v) = spend(w, CRASH, b.crashes)
    {
        v.crash(x);
        if let Some(mut v) = spend(&v, TORN, b.torn) {
            let p = &mut v.n[x].plane;
            (p.torn, p.hot, p.dirty) = (true, 0, 0);
            out.push(("crash damages the zones", x, v));
        }
        out.push(("crash", x, v));
    }
    if w.live(x)
        && let Some(mut v) = spend(w, HANG, b.hangs)
    {
        v.n[x].hung = true;
        out.push(("hang", x, v));
    }
    if w.live(x)
        && let Some(mut v) = spend(w, RESTART, b.restarts)
    {
        restart(b, &mut v, x);
        out.push(("control plane restarts", x, v));
    }
    if w.live(x)
        && w.n[x].pause == 0
        && let Some(mut v) = spend(w, LOSS, b.losses)
    {
        v.n[x].pause = 1;
        v.n[x].lost = true;
        out.push(("timeout/2 of heartbeats lost from", x, v));
    }
}

/// The process of replication is lost.
fn boxes(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    if !w.live(x) || !w.n[x].plane.up {
        return;
    }
    let Some(v) = spend(w, BOX, b.boxes) else { return };
    for (name, fate) in [
        ("box lost, replaced", Fate::Replaced),
        ("box lost, degraded", Fate::Degraded),
        ("box lost, mounts gone", Fate::Gone),
    ] {
        if fate == Fate::Degraded && !w.n[x].s.running() {
            continue;
        }
        let mut v = v.clone();
        v.box_lost(b, x, fate);
        out.push((name, x, v));
    }
}

/// The control plane dies and comes back; what runs goes on, the effect in flight may have worked.
fn restart(b: &Bounds, v: &mut World, x: usize) {
    let n = &mut v.n[x];
    n.todo = None;
    (n.knows, n.told) = (false, false);
    let (kept, disk, seed) = (n.s.clone(), n.disk.clone(), n.s.seed + 10);
    let out = if kept.at == At::Stopped {
        Step { state: State::stopped(disk, true, seed), effects: Vec::new(), outcome: Outcome::Taken }
    } else {
        adopt(&config(b, x), kept, disk, seed)
    };
    v.n[1 - x].knows = false;
    if let Some(l) = &mut v.late[x] {
        l.echo = false;
    }
    v.take(b, x, out);
}

fn commands(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    if !w.live(x) {
        return;
    }
    if let Some(mut v) = spend(w, TOLERATE, b.tolerates) {
        v.feed(b, x, Event::Tolerated(true));
        out.push(("syncdelta tolerates", x, v));
    }
    let mut give = |name, command, stopped| {
        if let Some(mut v) = spend(w, ADMIN, b.admin) {
            v.feed(b, x, Event::Command(command, Caller::User("root".into())));
            v.n[x].stopped = stopped;
            out.push((name, x, v));
        }
    };
    match &w.n[x].s.at {
        At::Stopped => {
            give("start", Command::Start, false);
            if b.prim {
                give("prim", Command::Prim { fullsync: false }, false);
            }
        }
        At::Moving(_) => {}
        at => {
            give("stop", Command::Stop, true);
            if matches!(at, At::Prim | At::Second) {
                give("swap", Command::Swap { nosync: false }, false);
            }
            if matches!(at, At::Prim | At::Alone | At::Second) {
                give("stopwait", Command::StopWait, false);
            }
        }
    }
}

/// A client writes.
fn write(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    if !w.n[x].power || !w.n[x].vip || w.issued >= b.writes {
        return;
    }
    let mut v = w.clone();
    if v.write(b, x) {
        out.push(("write", x, v));
    }
}

/// What the data plane of x does and says by itself, and what happens to it.
fn data_plane(b: &Bounds, w: &World, x: usize, progress: bool, out: &mut Next) {
    if !b.data {
        return;
    }
    let n = &w.n[x];
    if w.live(x) && n.plane.level() != n.s.stream {
        let mut v = w.clone();
        v.feed(b, x, Event::Stream(n.plane.level()));
        out.push(("data plane says", x, v));
    }
    let mut v = w.clone();
    if v.notices(b, x) {
        out.push(("stream is found broken", x, v));
    }
    if progress {
        return;
    }
    if (w.attached(x) || w.attached(1 - x))
        && let Some(mut v) = spend(w, BREAK, b.breaks)
    {
        v.lost(b, x);
        out.push(("stream breaks", x, v));
    }
    if n.s.at == At::Stopped
        && n.power
        && let Some(mut v) = spend(w, EDIT, b.edits)
    {
        let p = &mut v.n[x].plane;
        p.data ^= FOREIGN;
        p.safe ^= FOREIGN;
        p.changed |= FOREIGN;
        out.push(("files are changed", x, v));
    }
    let mut v = w.clone();
    if b.cache && v.syncs(x) {
        out.push(("synced", x, v));
    }
    let mut v = w.clone();
    if b.partial && v.half_copied(x) {
        out.push(("half copied", x, v));
    }
}

fn effect(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    let Some(e) = w.n[x].todo.clone().filter(|_| w.live(x)) else { return };
    let mut v = w.clone();
    v.n[x].todo = None;
    let (name, id) = match e {
        Effect::Store(id, record) => {
            v.n[x].disk = record;
            ("stored", id)
        }
        Effect::VipOn(id) => {
            v.n[x].vip = true;
            if v.n[x].s.running() && v.n[x].guard.fenced {
                v.n[x].vip = false;
            }
            ("virtual ip set", id)
        }
        Effect::VipOff(id) => {
            v.n[x].late_off = b.fault == Some(Fault::Stopped) && v.n[x].vip;
            v.n[x].vip = v.n[x].late_off;
            ("virtual ip removed", id)
        }
        Effect::Kill { id, .. } => ("killed", id),
        Effect::Arm(id) => {
            v.n[x].guard = crate::world::Guard { armed: true, fenced: false };
            ("armed", id)
        }
        Effect::Disarm(id) => {
            v.n[x].guard = crate::world::Guard::default();
            ("disarmed", id)
        }
        Effect::Script(id, _) => ("script ended", id),
        e => match v.carry(b, x, &e) {
            Some(done) => done,
            None => return,
        },
    };
    v.feed(b, x, Event::ok(id));
    out.push((name, x, v));
    if w.n[x].late_off {
        let mut v = w.clone();
        (v.n[x].vip, v.n[x].late_off) = (false, false);
        out.push(("late end of the stop", x, v));
    }
}

fn time(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    let n = &w.n[x];
    if !n.power {
        let mut v = w.clone();
        let m = &mut v.n[x];
        m.power = true;
        m.pause = 0;
        if b.fault == Some(Fault::Proven) && m.disk.flag == Flag::Paired {
            m.disk.flag = Flag::Up;
        }
        m.disk.reintegrating &= b.fault != Some(Fault::Partial);
        m.s = State::stopped(m.disk.clone(), true, m.s.seed + 10);
        v.feed(b, x, Event::Command(Command::Start, Caller::Boot));
        out.push(("boot", x, v));
        return;
    }
    if n.hung {
        hung(b, w, x, out);
        return;
    }
    if w.silent(x) && n.s.peer != safekit::fsm::mirror::Peer::Silent {
        let mut v = w.clone();
        v.n[x].knows = false;
        v.feed(b, x, Event::PeerSilent);
        out.push(("silence noticed", x, v));
    }
    if let Some(id) = n.s.timer {
        let mut v = w.clone();
        v.feed(b, x, Event::Timer(id));
        out.push(("timer", x, v));
    }
}

fn hung(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    let mut v = w.clone();
    let pause = v.n[x].pause;
    let fenced = v.n[x].guard.fenced;
    v.n[x].hung = false;
    v.n[x].pause = 0;
    v.n[x].lost = false;
    if fenced {
        v.n[x].guard = crate::world::Guard::default();
        v.feed(b, x, Event::Fenced(Told::same("model")));
    }
    if pause > 0 && b.fault != Some(Fault::OwnPause) {
        v.feed(b, x, Event::OwnPause(1));
    }
    out.push(("resume", x, v));
    if pause < 3 {
        let mut v = w.clone();
        v.n[x].pause += 1;
        let g = &mut v.n[x].guard;
        if v.n[x].pause == 2 && g.armed && b.fault != Some(Fault::Guard) {
            *g = crate::world::Guard { armed: false, fenced: true };
            v.n[x].vip = false;
        }
        out.push(("silence grows", x, v));
    }
}

fn beats(b: &Bounds, w: &World, x: usize, progress: bool, out: &mut Next) {
    let y = 1 - x;
    let all = b.fault == Some(Fault::Echo);
    if w.live(x) && w.live(y) && !w.cut {
        let (face, echo) = (w.shows(b, y), w.n[y].knows);
        let mut v = w.clone();
        v.n[x].knows = true;
        v.n[y].pause = 0;
        v.n[y].lost = false;
        if let Some(l) = &mut v.late[x] {
            l.old = true;
        }
        hear(b, &mut v, x, face.clone(), echo || all);
        if v != *w {
            out.push(("heartbeat reaches", x, v));
        }
        if !progress && let Some(mut v) = spend(w, DELAY, b.delays) {
            v.late[x] = Some(Late { face, echo, old: false });
            out.push(("heartbeat delayed towards", x, v));
        }
    }
    if let (Some(l), true, false) = (&w.late[x], w.live(x), progress)
        && (all || !l.old)
    {
        let mut v = w.clone();
        hear(b, &mut v, x, l.face.clone(), l.echo || all);
        if v != *w {
            out.push(("delayed heartbeat reaches", x, v));
        }
    }
}

fn hear(b: &Bounds, v: &mut World, x: usize, mut face: Face, counts: bool) {
    v.n[x].told |= v.n[x].s.record.history.relation(&face.history) == Relation::Ancestor;
    match b.fault {
        Some(Fault::Histories) if meets(&v.n[x].s.at, &face) => {
            face.history = v.n[x].s.record.history.clone();
            face.term = 0;
        }
        Some(Fault::Leaving) if matches!(v.n[x].s.at, At::Leaving(_)) => {
            face.posture = Posture::Stopped;
            face.history = v.n[x].s.record.history.clone();
        }
        Some(Fault::InStep) => {
            if let Some((g, _)) = face.in_step {
                face.in_step = Some((g, v.n[x].s.session));
            }
        }
        _ => {}
    }
    v.feed(b, x, Event::Peer { face: Box::new(face), counts });
}

/// S6 is asked: who starts, or which of two primaries goes on.
fn meets(at: &At, peer: &Face) -> bool {
    match at {
        At::Waiting | At::Claiming => true,
        At::Alone | At::Prim | At::Asking => peer.posture == Posture::Running,
        _ => false,
    }
}

fn partition(b: &Bounds, w: &World, progress: bool, out: &mut Next) {
    if w.cut {
        let mut v = w.clone();
        (v.cut, v.parted) = (false, false);
        out.push(("network heals", 0, v));
        if !w.parted {
            let mut v = w.clone();
            v.parted = true;
            out.push(("cut lasts a timeout", 0, v));
        }
    } else if !progress && let Some(mut v) = spend(w, CUT, b.cuts) {
        v.cut = true;
        v.n[0].knows = false;
        v.n[1].knows = false;
        out.push(("network cut", 0, v));
    }
}
