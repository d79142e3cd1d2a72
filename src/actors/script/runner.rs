//! The actor that runs a module's scripts in order.

use super::{Canceller, RunningScript, ScriptEnd, ScriptJob};
use crate::told::Tell;
use actix::prelude::*;
use std::collections::VecDeque;
use std::time::Duration;

/// Most scripts that wait for their turn.
pub const QUEUE_LIMIT: usize = 16;
/// Most events that wait for a full mailbox; a new script is refused from there on.
pub const OUTBOX_LIMIT: usize = 64;
/// A script without timeout is reported as running this often.
pub const STILL_RUNNING_EVERY: Duration = Duration::from_secs(60);
/// Next attempt after a full mailbox.
const RETRY: Duration = Duration::from_millis(20);

/// Why a script is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// [`QUEUE_LIMIT`] scripts wait.
    #[error("{QUEUE_LIMIT} scripts wait already")]
    QueueFull,
    /// [`OUTBOX_LIMIT`] events wait.
    #[error("{OUTBOX_LIMIT} events of earlier scripts are not taken by the module")]
    Undelivered,
}

impl Tell for RunError {
    fn french(&self) -> String {
        match self {
            RunError::QueueFull => format!("{QUEUE_LIMIT} scripts attendent déjà"),
            RunError::Undelivered => {
                format!("{OUTBOX_LIMIT} événements de scripts précédents ne sont pas pris par le module")
            }
        }
    }
}

/// Runs a script after those asked for before.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), RunError>")]
pub struct Run {
    /// Life of the asking module instance, returned in the events.
    pub epoch: u64,
    /// Effect that asked for it, returned in the events.
    pub id: u64,
    /// The script.
    pub job: ScriptJob,
}

/// Kills a script, or takes it from the queue; it ends as `Cancelled`. False: it has ended already.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub struct Kill {
    /// Number given in [`Run`].
    pub id: u64,
}

/// What happens to a script.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ScriptEvent {
    /// As in [`Run`].
    pub epoch: u64,
    /// As in [`Run`].
    pub id: u64,
    /// What.
    pub kind: ScriptEventKind,
}

/// See [`ScriptEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEventKind {
    /// It runs, as this process.
    Started(u32),
    /// It has no timeout and has been running for so many seconds.
    StillRunning(u64),
    /// The last event of a script; comes exactly once.
    Ended(ScriptEnd),
}

struct Current {
    epoch: u64,
    id: u64,
    canceller: Option<Canceller>,
    minutes: Option<SpawnHandle>,
}

/// Runs the scripts of one module, one at a time.
pub struct ScriptRunner {
    listener: Recipient<ScriptEvent>,
    queue: VecDeque<Run>,
    current: Option<Current>,
    outbox: VecDeque<ScriptEvent>,
    retrying: bool,
}

impl ScriptRunner {
    /// A runner that reports to `listener`.
    pub fn new(listener: Recipient<ScriptEvent>) -> ScriptRunner {
        let (queue, outbox) = (VecDeque::new(), VecDeque::new());
        ScriptRunner { listener, queue, current: None, outbox, retrying: false }
    }

    /// Starts scripts from the queue until one runs.
    fn advance(&mut self, ctx: &mut Context<Self>) {
        while self.current.is_none() {
            let Some(Run { epoch, id, job }) = self.queue.pop_front() else { return };
            match job.start() {
                Ok(running) => self.follow(epoch, id, job.timeout.is_none(), running, ctx),
                Err(end) => self.emit(epoch, id, ScriptEventKind::Ended(end), ctx),
            }
        }
    }

    fn follow(
        &mut self,
        epoch: u64,
        id: u64,
        endless: bool,
        running: RunningScript,
        ctx: &mut Context<Self>,
    ) {
        self.emit(epoch, id, ScriptEventKind::Started(running.pid()), ctx);
        let (canceller, cancelled) = Canceller::new();
        let minutes = endless.then(|| {
            let mut seconds = 0;
            ctx.run_interval(STILL_RUNNING_EVERY, move |runner, ctx| {
                seconds += STILL_RUNNING_EVERY.as_secs();
                // Only news: with others undelivered it can be left out.
                if runner.outbox.is_empty() {
                    runner.emit(epoch, id, ScriptEventKind::StillRunning(seconds), ctx);
                }
            })
        });
        self.current = Some(Current { epoch, id, canceller: Some(canceller), minutes });
        ctx.spawn(running.ended(cancelled).into_actor(self).map(|end, runner, ctx| runner.ended(end, ctx)));
    }

    fn ended(&mut self, end: ScriptEnd, ctx: &mut Context<Self>) {
        if let Some(Current { epoch, id, minutes, .. }) = self.current.take() {
            if let Some(handle) = minutes {
                ctx.cancel_future(handle);
            }
            self.emit(epoch, id, ScriptEventKind::Ended(end), ctx);
        }
        self.advance(ctx);
    }

    fn emit(&mut self, epoch: u64, id: u64, kind: ScriptEventKind, ctx: &mut Context<Self>) {
        self.outbox.push_back(ScriptEvent { epoch, id, kind });
        self.deliver(ctx);
    }

    /// Hands over events in order; a full mailbox gets them later, for a lost end would leave the
    /// module waiting for ever.
    fn deliver(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.outbox.pop_front() {
            match self.listener.try_send(event) {
                Ok(()) => {}
                Err(SendError::Full(event)) => {
                    self.outbox.push_front(event);
                    if !self.retrying {
                        self.retrying = true;
                        ctx.run_later(RETRY, |runner, ctx| {
                            runner.retrying = false;
                            runner.deliver(ctx);
                        });
                    }
                    return;
                }
                Err(SendError::Closed(event)) => {
                    tracing::error!(id = event.id, kind = ?event.kind, "the module has gone: event dropped");
                }
            }
        }
    }
}

impl Actor for ScriptRunner {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(2 * QUEUE_LIMIT);
    }
}

impl Handler<Run> for ScriptRunner {
    type Result = Result<(), RunError>;

    fn handle(&mut self, run: Run, ctx: &mut Context<Self>) -> Self::Result {
        if self.queue.len() >= QUEUE_LIMIT {
            return Err(RunError::QueueFull);
        }
        // Those accepted may add two events each, so the outbox stays bounded.
        if self.outbox.len() >= OUTBOX_LIMIT {
            return Err(RunError::Undelivered);
        }
        self.queue.push_back(run);
        self.advance(ctx);
        Ok(())
    }
}

impl Handler<Kill> for ScriptRunner {
    type Result = bool;

    fn handle(&mut self, Kill { id }: Kill, ctx: &mut Context<Self>) -> bool {
        if let Some(current) = self.current.as_mut().filter(|current| current.id == id) {
            current.canceller.take().map(Canceller::cancel).is_some()
        } else if let Some(run) =
            self.queue.iter().position(|run| run.id == id).and_then(|at| self.queue.remove(at))
        {
            self.emit(run.epoch, id, ScriptEventKind::Ended(ScriptEnd::Cancelled), ctx);
            true
        } else {
            false
        }
    }
}
