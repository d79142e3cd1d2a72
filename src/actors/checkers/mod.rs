//! Checkers: each examines one thing at its own pace and reports what it finds (CFG 12, RES-20 to
//! RES-24). What a finding means is for the failover rules to say.
//!
//! A checker lives in a window that the module opens and closes: started with an epoch, it reports
//! `init` at once, then what it sees; [`Stop`] ends it. A report that was under way by then carries
//! the old epoch, by which the module knows it.

pub mod custom;
pub mod interface;
pub mod ip;
pub mod module;
pub mod ping;
pub mod plan;
pub mod tcp;

#[cfg(test)]
mod tests;

use crate::fsm::resource::{ResourceName, Value};
use crate::log::Message as LogMessage;
use crate::net::link::{Change, LinkWatch};
use actix::dev::SendError;
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, StreamHandler,
    WrapFuture,
};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Time between two probes of a checker that has no setting for it (ST-71).
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
/// Changes of links come in bursts: one look, this long after the first, is enough.
const BURST: Duration = Duration::from_millis(100);

/// What a checker says of its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The checker starts; nothing was examined yet.
    Init,
    /// It is there.
    Up,
    /// It is missing.
    Down,
    /// The interface is disabled or has lost its address: the module cannot run here (ST-76,
    /// C-4.4.4b).
    NoLocalAddress,
}

impl Finding {
    /// The value of the resource.
    pub fn value(self) -> Value {
        match self {
            Finding::Init => Value::Init,
            Finding::Up => Value::Up,
            Finding::Down | Finding::NoLocalAddress => Value::Down,
        }
    }
}

/// A checker's word to its module. Sent after every probe, changed or not.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct CheckerReport {
    /// The window in which the checker was started.
    pub epoch: u64,
    /// What was examined.
    pub resource: ResourceName,
    /// What was found.
    pub finding: Finding,
    /// Who found it, as in `Resource ... set to ... by tcpcheck`.
    pub origin: String,
    /// Of a module that is up: which of its starts this is. Another number is another start.
    pub begun: Option<u64>,
    /// Why it was found so, for the module log, if that is new.
    pub why: Option<LogMessage>,
}

/// Ends a checker. Answered when nothing of it is left.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// Where the reports of one checker go.
#[derive(Clone)]
pub struct Reporter {
    /// The window of the checker.
    pub epoch: u64,
    /// What it examines.
    pub resource: ResourceName,
    /// Its name in the module log.
    pub origin: String,
    /// The module.
    pub to: Recipient<CheckerReport>,
}

impl Reporter {
    /// Sends a finding. A full mailbox loses it, but the next probe says it again. False if nobody
    /// listens any more.
    pub fn tell(&self, finding: Finding) -> bool {
        self.send(finding, None, None)
    }

    fn send(&self, finding: Finding, begun: Option<u64>, why: Option<LogMessage>) -> bool {
        let Reporter { epoch, resource, origin, to } = self.clone();
        match to.try_send(CheckerReport { epoch, resource, finding, origin, begun, why }) {
            Ok(()) => true,
            Err(SendError::Full(_)) => {
                tracing::warn!(resource = %self.resource, "the module is busy, a finding is lost");
                true
            }
            Err(SendError::Closed(_)) => false,
        }
    }
}

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// This.
    Found(Finding),
    /// Missing, for a reason that somebody must know. The module log has it once, not at each probe.
    Because(LogMessage),
    /// A module that is up, and which of its starts this is.
    Begun(u64),
    /// This node could not examine anything: it accuses nobody.
    Unchanged,
}

/// A probe under way.
pub type Probing = Pin<Box<dyn Future<Output = Observation>>>;

/// One way to examine something.
pub trait Probe: 'static {
    /// From the start of one probe to that of the next.
    fn interval(&self) -> Duration;

    /// Whether a change of an interface or address is a reason to look again at once.
    fn watches_links(&self) -> bool {
        false
    }

    /// Examines the thing once. Must not block.
    fn probe(&self) -> Probing;
}

/// Drives a probe: once at the start, then at each interval.
pub struct Checker {
    reporter: Reporter,
    probe: Box<dyn Probe>,
    /// A probe is under way; it may take longer than the interval.
    busy: bool,
    /// Something changed meanwhile.
    again: bool,
    /// A look is due shortly.
    soon: bool,
    /// Why the last probe found it missing.
    why: Option<LogMessage>,
}

impl Checker {
    /// Starts a checker in the current arbiter.
    pub fn launch(reporter: Reporter, probe: impl Probe) -> Recipient<Stop> {
        let probe = Box::new(probe);
        Checker { reporter, probe, busy: false, again: false, soon: false, why: None }.start().recipient()
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            return;
        }
        self.busy = true;
        let probing = self.probe.probe().into_actor(self);
        ctx.spawn(probing.map(|observation, checker, ctx| {
            checker.busy = false;
            checker.report(observation, ctx);
            if std::mem::take(&mut checker.again) {
                checker.look_soon(ctx);
            }
        }));
    }

    fn look_soon(&mut self, ctx: &mut Context<Self>) {
        if self.busy {
            self.again = true;
        } else if !std::mem::replace(&mut self.soon, true) {
            ctx.run_later(BURST, |checker, ctx| {
                checker.soon = false;
                checker.look(ctx);
            });
        }
    }

    fn report(&mut self, observation: Observation, ctx: &mut Context<Self>) {
        let before = self.why.take();
        let heard = match observation {
            Observation::Found(finding) => self.reporter.tell(finding),
            Observation::Because(why) => {
                self.why = Some(why.clone());
                self.reporter.send(Finding::Down, None, Some(why).filter(|_| self.why != before))
            }
            Observation::Begun(start) => self.reporter.send(Finding::Up, Some(start), None),
            Observation::Unchanged => {
                self.why = before;
                true
            }
        };
        if !heard {
            ctx.stop();
        }
    }
}

impl Actor for Checker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.report(Observation::Found(Finding::Init), ctx);
        if self.probe.watches_links() {
            match LinkWatch::open() {
                Ok(watch) => {
                    ctx.add_stream(watch.into_stream());
                }
                Err(error) => tracing::warn!(%error, "the checker looks at each interval only"),
            }
        }
        self.look(ctx);
        ctx.run_interval(self.probe.interval(), Checker::look);
    }
}

impl Handler<Stop> for Checker {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

impl StreamHandler<Change> for Checker {
    fn handle(&mut self, _: Change, ctx: &mut Self::Context) {
        self.look_soon(ctx);
    }

    /// The watch has failed, and said so; the interval remains.
    fn finished(&mut self, _: &mut Self::Context) {}
}

/// Runs what blocks (the resolver, the kernel's tables) away from the actors.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
