//! The two threads of a stream: one sends, one reads what the secondary says and watches the clock. Both end
//! when the stream is lost; nobody waits for them.

use super::StreamEvent;
use super::outlet::Outlet;
use super::shared::{Shared, run};
use crate::rfs::link::{LinkError, Reader, Writer};
use crate::rfs::wire::Frame;
use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time without a frame to the secondary.
const PING: Duration = Duration::from_secs(1);

/// Starts both.
pub(super) fn start(shared: &Arc<Shared>, attachment: u64, writer: Writer, reader: Reader) -> io::Result<()> {
    // A short timeout needs a short look.
    let tick = PING.min(shared.options.lock_timeout / 4).max(Duration::from_millis(1));
    reader.set_timeout(Some(tick))?;
    writer.set_timeout(shared.options.send_timeout)?;
    *shared.outlet.lock().unwrap_or_else(PoisonError::into_inner) = Some(Outlet::new(attachment, writer));
    let sending = shared.clone();
    thread::Builder::new().name("rfs-send".into()).spawn(move || send(&sending, attachment, tick))?;
    let reading = shared.clone();
    thread::Builder::new().name("rfs-acks".into()).spawn(move || read(&reading, attachment, reader, tick))?;
    Ok(())
}

/// Waits for something to send, at most `tick`.
fn wait_for_work(shared: &Shared, attachment: u64, tick: Duration) {
    let mut state = shared.lock();
    let idle = state.live(attachment).is_some()
        && state.control.is_empty()
        && state.queue.nothing_to_send()
        && !state.stuck;
    if idle {
        drop(shared.send.wait_timeout(state, tick).unwrap_or_else(PoisonError::into_inner));
    }
}

fn send(shared: &Shared, attachment: u64, tick: Duration) {
    loop {
        wait_for_work(shared, attachment, tick);
        let mut kept = shared.outlet.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outlet) = kept.as_mut().filter(|outlet| outlet.attachment == attachment) else { return };
        match outlet.pass(shared, tick) {
            Ok(true) => {}
            Ok(false) => {
                *kept = None;
                return;
            }
            Err(error) => {
                *kept = None;
                drop(kept);
                return shared.lose(attachment, error);
            }
        }
    }
}

fn read(shared: &Shared, attachment: u64, mut reader: Reader, tick: Duration) {
    let mut heard = Instant::now();
    let mut looked = heard;
    loop {
        match reader.frame() {
            Ok(frame) => {
                heard = Instant::now();
                if let Err(why) = take(shared, attachment, frame) {
                    return shared.lose(attachment, why);
                }
            }
            Err(LinkError::Quiet) => {}
            Err(error) => return shared.lose(attachment, error),
        }
        if looked.elapsed() >= tick {
            looked = Instant::now();
            if let Some(why) = overdue(shared, heard) {
                return shared.lose(attachment, why);
            }
        }
        if shared.lock().live(attachment).is_none() {
            return;
        }
    }
}

/// Whether the secondary has used up its time.
fn overdue(shared: &Shared, heard: Instant) -> Option<String> {
    let most = shared.options.lock_timeout;
    let oldest = shared.lock().queue.oldest().map(|since| since.elapsed());
    if oldest.is_some_and(|oldest| oldest > most) {
        return Some(format!("an operation was not acknowledged for {} s", most.as_secs_f32()));
    }
    (heard.elapsed() > most).then(|| format!("the secondary was silent for {} s", most.as_secs_f32()))
}

/// One frame of the secondary; an error is why the stream ends.
fn take(shared: &Shared, attachment: u64, frame: Frame) -> Result<(), String> {
    match frame {
        Frame::Ack { seq } => {
            let Some(answers) = shared.lock().acknowledge(attachment, seq) else {
                return Err(format!("the secondary acknowledges operation {seq}, which was not sent"));
            };
            shared.settled.notify_all();
            run(answers);
            Ok(())
        }
        Frame::Failed { seq, errno: _, text } => {
            Err(format!("the secondary could not apply operation {seq}: {text}"))
        }
        Frame::Ping(number) => {
            shared.lock().control.push(Frame::Pong(number));
            shared.send.notify_one();
            Ok(())
        }
        Frame::Pong(_) => Ok(()),
        Frame::Freeze => {
            if let Some(session) = shared.freeze(Some(attachment)) {
                (shared.events)(StreamEvent::Frozen { session });
            }
            Ok(())
        }
        Frame::Stale => {
            let session = shared.lock().live(attachment).map(|live| live.session);
            if let Some(session) = session {
                (shared.events)(StreamEvent::Stale { session });
            }
            Err("the secondary has ended its session".into())
        }
        Frame::Hello(_) | Frame::Welcome(_) | Frame::Refuse { .. } | Frame::Op { .. } | Frame::Frozen => {
            Err("the secondary sent a frame that is not a secondary's".into())
        }
    }
}
