//! Effects that do not work.

use crate::bounds::{Bounds, Fault};
use crate::steps::{FAIL, Next, spend};
use crate::world::{Node, World};
use safekit::fsm::mirror::{At, Effect, Event};
use safekit::told::Told;

/// The awaited effect does not work. What a store that failed has left on the disk is not known.
pub fn next(b: &Bounds, w: &World, x: usize, out: &mut Next) {
    let Some(e) = w.n[x].todo.clone().filter(|_| w.live(x)) else { return };
    let most = if matches!(e, Effect::Drain(_)) { b.fails.max(b.drains) } else { b.fails };
    let Some(mut v) = spend(w, FAIL, most) else { return };
    let failed = |mut v: World, id: u64| {
        v.n[x].todo = None;
        v.feed(b, x, Event::Done(id, Err(Told::same("model"))));
        v
    };
    let (name, id) = match &e {
        Effect::Store(id, record) => {
            let mut half = v.clone();
            half.n[x].disk = record.clone();
            out.push(("store fails half-way", x, failed(half, *id)));
            ("store fails", id)
        }
        Effect::VipOn(id) => {
            // It stops by itself, and stays stopped.
            v.n[x].stopped = true;
            ("virtual ip cannot be set", id)
        }
        Effect::VipOff(id) => ("virtual ip cannot be removed", id),
        Effect::Kill { id, .. } => ("kill fails", id),
        Effect::Arm(id) => ("arming fails", id),
        Effect::Mount(id) => ("mount fails", id),
        Effect::Unmount(id) => ("unmount fails", id),
        Effect::Writable(id, ..) => ("opening fails", id),
        Effect::ReadOnly(id) => ("closing fails", id),
        Effect::Drain(id) => ("drain fails", id),
        Effect::MarkDirty(id) => ("marking fails", id),
        Effect::Release(id, _) => ("release fails", id),
        Effect::Reintegrate { id, .. } => {
            let mut refused = v.clone();
            refused.n[x].todo = None;
            refused.feed(b, x, Event::ReintegrationRefused(*id, Told::same("model")));
            out.push(("reintegration is refused", x, refused));
            ("reintegration fails", id)
        }
        _ => return,
    };
    v.fails(x, &e);
    let mut v = failed(v, *id);
    if b.fault == Some(Fault::Unapplied) && matches!(e, Effect::Drain(_)) {
        takes_itself_for_whole(&mut v.n[x]);
    }
    out.push((name, x, v));
}

/// What is being stored does not say that the data is not whole.
fn takes_itself_for_whole(n: &mut Node) {
    if let Some(Effect::Store(_, record)) = &mut n.todo {
        record.reintegrating = false;
    }
    if let At::Moving(m) = &mut n.s.at
        && let Some((_, Some(record))) = &mut m.awaited
    {
        record.reintegrating = false;
    }
}
