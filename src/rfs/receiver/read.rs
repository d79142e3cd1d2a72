//! The thread that reads the stream.

use super::send;
use super::state::{Put, Shared};
use crate::rfs::link::{LinkError, Reader, Writer};
use crate::rfs::op::Op;
use crate::rfs::wire::Frame;
use std::sync::Mutex;

/// Operations that are acknowledged together at most.
const TOGETHER: u64 = 64;

/// Reads until the stream ends.
pub(super) fn run(shared: &Shared, mut reader: Reader, writer: &Mutex<Writer>) {
    let mut intake = Intake { shared, writer, newest: 0, acknowledged: 0 };
    let why = loop {
        if let Err(why) = intake.step(&mut reader) {
            break why;
        }
    };
    shared.lock().reading = false;
    shared.wake();
    shared.lost(why);
}

struct Intake<'a> {
    shared: &'a Shared,
    writer: &'a Mutex<Writer>,
    /// Newest operation in the queue.
    newest: u64,
    /// Newest of which the primary, if it waits for no more, and the applying thread know.
    acknowledged: u64,
}

impl Intake<'_> {
    /// One frame; an error is why the stream ends.
    fn step(&mut self, reader: &mut Reader) -> Result<(), String> {
        let frame = match reader.buffered().map_err(text)? {
            Some(frame) => frame,
            None => {
                // Nothing more is here: whoever waits for these is answered before the next wait.
                self.acknowledge()?;
                reader.frame().map_err(text)?
            }
        };
        match frame {
            Frame::Op { seq, op } => self.take(seq, op),
            Frame::Ping(number) => send(self.writer, &Frame::Pong(number)).map_err(text),
            Frame::Pong(_) => Ok(()),
            Frame::Frozen => {
                self.shared.lock().frozen = true;
                self.shared.wake();
                Ok(())
            }
            Frame::Hello(_)
            | Frame::Welcome(_)
            | Frame::Refuse { .. }
            | Frame::Ack { .. }
            | Frame::Failed { .. }
            | Frame::Freeze
            | Frame::Stale => Err("the primary sent a frame that is not a primary's".into()),
        }
    }

    fn take(&mut self, seq: u64, op: Op) -> Result<(), String> {
        let mut op = Some(op);
        loop {
            match self.shared.put(seq, &mut op) {
                Put::Queued => break,
                Put::Full => {
                    self.acknowledge()?;
                    self.shared.wait_for_room();
                }
                // After a failure the primary ends the stream; until then what it sends is read, so that
                // the reason arrives there.
                Put::Refused => return Ok(()),
                Put::OutOfOrder => return Err(format!("the primary sent operation {seq} out of order")),
            }
        }
        self.newest = seq;
        if self.newest - self.acknowledged >= TOGETHER { self.acknowledge() } else { Ok(()) }
    }

    /// On receipt, if that is the mode; the applying thread is woken after it, since nobody waits for that.
    fn acknowledge(&mut self) -> Result<(), String> {
        if self.acknowledged == self.newest {
            return Ok(());
        }
        self.acknowledged = self.newest;
        let told = if self.shared.options.async_none {
            Ok(())
        } else {
            send(self.writer, &Frame::Ack { seq: self.newest }).map_err(text)
        };
        self.shared.wake();
        told
    }
}

fn text(error: LinkError) -> String {
    error.to_string()
}
