//! The sending end of a stream. A thread of its own sends what may have to wait; what is small goes from the
//! thread that made the modification, which spares the way over another one: that is most of the time that
//! the caller waits.

use super::queue::Batch;
use super::shared::Shared;
use crate::rfs::link::{LinkError, Writer};
use crate::rfs::op::Op;
use crate::rfs::wire::{Frame, WireError, encode, encode_op};
use std::time::{Duration, Instant};

/// What the thread sends without looking at the state in between.
const ALL: Batch = Batch { ops: 256, bytes: 1 << 20, largest: usize::MAX };
/// What is sent from the thread of a modification.
const SMALL: Batch = Batch { ops: 64, bytes: 64 << 10, largest: 16 << 10 };

/// See the module. Whoever has its lock takes operations from the queue and sends them, so that they leave in
/// their order.
pub(super) struct Outlet {
    /// Of which stream.
    pub(super) attachment: u64,
    writer: Writer,
    last_sent: Instant,
    pings: u64,
    /// What went wrong on the thread of a modification; the stream is not ended under its locks.
    failed: Option<LinkError>,
}

impl Outlet {
    pub(super) fn new(attachment: u64, writer: Writer) -> Outlet {
        Outlet { attachment, writer, last_sent: Instant::now(), pings: 0, failed: None }
    }

    /// Sends what there is, and a ping if there was nothing for `tick`; false if the stream is over.
    pub(super) fn pass(&mut self, shared: &Shared, tick: Duration) -> Result<bool, LinkError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut state = shared.lock();
        if state.attachment != self.attachment {
            return Ok(false);
        }
        let mut control = std::mem::take(&mut state.control);
        let ops = state.take_unsent(self.attachment, ALL);
        let last = state.live(self.attachment).is_none();
        state.stuck = false;
        drop(state);
        let nothing = control.is_empty() && ops.is_empty();
        if nothing && !last && self.last_sent.elapsed() >= tick {
            self.pings += 1;
            control.push(Frame::Ping(self.pings));
        }
        let bytes = self.write(&control, &ops)?;
        shared.lock().bytes_sent += bytes;
        if bytes > 0 {
            self.last_sent = Instant::now();
        }
        Ok(!last)
    }

    /// Sends; small frames together. Bytes that were sent.
    fn write(&mut self, control: &[Frame], ops: &[(u64, Op)]) -> Result<u64, LinkError> {
        let mut head = Vec::new();
        let mut bytes = 0;
        for frame in control {
            encode(frame, &mut head)?;
        }
        for (seq, op) in ops {
            let data = encode_op(*seq, op, &mut head)?;
            if data.len() < SMALL.largest {
                head.extend_from_slice(&data);
                continue;
            }
            self.writer.send(&head, &data)?;
            bytes += (head.len() + data.len()) as u64;
            head.clear();
        }
        // Also with nothing: what was offered before goes now.
        self.writer.send(&head, &[])?;
        Ok(bytes + head.len() as u64)
    }

    /// Sends small operations as far as the kernel takes them; true if the thread has to go on.
    fn offer(&mut self, shared: &Shared) -> bool {
        let mut sent = 0;
        loop {
            let mut state = shared.lock();
            state.bytes_sent += std::mem::take(&mut sent);
            if state.stuck || !state.control.is_empty() {
                return true;
            }
            let ops = state.take_unsent(self.attachment, SMALL);
            let more = !state.queue.nothing_to_send();
            drop(state);
            if ops.is_empty() {
                return more;
            }
            let offered = joined(&ops).map_err(LinkError::from).and_then(|bytes| {
                sent = bytes.len() as u64;
                self.writer.offer(&bytes)
            });
            self.last_sent = Instant::now();
            if !matches!(offered, Ok(true)) {
                self.failed = offered.err();
                let mut state = shared.lock();
                state.bytes_sent += sent;
                state.stuck = true;
                return true;
            }
        }
    }
}

fn joined(ops: &[(u64, Op)]) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    for (seq, op) in ops {
        let data = encode_op(*seq, op, &mut bytes)?;
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Sends what was recorded, now, unless it is large or another thread is sending.
pub(super) fn send_now(shared: &Shared) {
    let left = match shared.outlet.try_lock() {
        Ok(mut outlet) => outlet.as_mut().is_none_or(|outlet| outlet.offer(shared)),
        Err(_) => true,
    };
    if left {
        shared.send.notify_one();
    }
}
