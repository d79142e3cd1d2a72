//! The thread that applies.

use super::send;
use super::state::Shared;
use crate::rfs::apply::{Applier, ApplyError};
use crate::rfs::link::Writer;
use crate::rfs::op::Op;
use crate::rfs::wire::Frame;
use std::sync::Mutex;

/// Operations that are acknowledged together at most, when they are acknowledged after they are applied.
const TOGETHER: u64 = 16;

/// Applies until nothing more can come, or an operation fails.
pub(super) fn run(shared: &Shared, mut applier: Applier, writer: &Mutex<Writer>) {
    let mut acknowledged = 0;
    while let Some((seq, op, more)) = shared.next() {
        let slow = matches!(op, Op::Fsync { .. } | Op::Write { sync: true, .. });
        if shared.options.async_none && slow && seq - 1 > acknowledged {
            // Whoever waits for those before it need not wait for the disk.
            acknowledged = seq - 1;
            let _ = send(writer, &Frame::Ack { seq: acknowledged });
        }
        if let Err(error) = one(shared, &mut applier, &op) {
            fail(shared, writer, seq, &error);
            break;
        }
        shared.applied(seq);
        if shared.options.async_none && (!more || seq - acknowledged >= TOGETHER) {
            acknowledged = seq;
            // A link that is gone ends the stream by the reading thread; what was received is applied still.
            let _ = send(writer, &Frame::Ack { seq });
        }
    }
    shared.lock().applying = false;
    shared.wake();
}

fn one(shared: &Shared, applier: &mut Applier, op: &Op) -> Result<(), ApplyError> {
    applier.apply(op)?;
    if shared.options.async_none { applier.sync(op) } else { Ok(()) }
}

/// An operation could not be applied: the primary is told, and nothing more is taken.
fn fail(shared: &Shared, writer: &Mutex<Writer>, seq: u64, error: &ApplyError) {
    let text = error.to_string();
    shared.lock().failed = Some(text.clone());
    shared.wake();
    let _ = send(writer, &Frame::Failed { seq, errno: error.errno(), text: text.clone() });
    shared.lost(text);
}
