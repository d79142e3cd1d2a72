//! The mirror automaton: STOP, WAIT, ALONE, PRIM, SECOND under the safety rules S1-S10.
//!
//! [`step`] takes a state and an event and gives the next state and the effects. A state is either
//! *settled* or in a *move*: a list of things to do in order ([`plan`]), one awaited at a time.
//! Events change what the node knows (its peer's face, the verdict of the rules, a command); every
//! settled state then looks at all of it again ([`settle`]), so an edge that came during a move is
//! never lost.

mod alike;
mod anew;
mod command;
mod drive;
mod face;
mod news;
mod plan;
mod primary;
mod settle;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod waiting;

pub use super::instance::{Ignored, Outcome, Refused, Waits, Window};
pub use alike::{Alike, difference};
pub use face::{Face, Posture};
pub use plan::{Change, Move, Moving, Todo};
pub use state::{At, Goal, Order, Peer, State, Stream, Why};

use super::command::{Caller, Command};
use super::generation::Record;
use super::instance::{self, Happening};
use super::losses::Fate;
use super::scripts::{Call, Scripts};
use super::start::Rescue;
use crate::log::Message;
use crate::told::Told;
use serde::{Deserialize, Serialize};

/// Where the primary should run once the pair is whole (CFG-SVC-05).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DefaultPrim {
    /// Where it is.
    #[default]
    Alone,
    /// On the node of this index.
    Node(u8),
    /// Where it was before its last stop.
    Last,
}

/// What the configuration says to the automaton.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Config {
    /// Index of this node in cluster.xml; 0 wins ties.
    pub me: u8,
    /// The module replicates directories: only then can data be out of date (ST-34).
    pub data: bool,
    /// See [`DefaultPrim`].
    pub default_prim: DefaultPrim,
    /// Scripts that the module has.
    pub scripts: Scripts,
    /// `automatic_reboot`: a stopstart by a detector reboots the node (CFG-SVC-08).
    pub automatic_reboot: bool,
    /// What the peer must have configured alike; none without replicated directories.
    pub alike: Option<Alike>,
}

/// Time after which an effect `Timer` ends; the actor knows the milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// One heartbeat timeout: the bound of the wait for the peer's answer (S5).
    Answer,
    /// A second: something that must succeed is tried again.
    Retry,
    /// Two heartbeat timeouts: the bound of a wish for a swap.
    Swap,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Event {
    /// Somebody asks for something.
    Command(Command, Caller),
    /// A heartbeat showed another face, or echoes mine now. `counts`: it echoes my current face (S10).
    Peer {
        /// What the peer shows.
        face: Box<Face>,
        /// It echoes my current face.
        counts: bool,
    },
    /// Nothing authenticated came from the peer on any channel for a full timeout.
    PeerSilent,
    /// The heartbeats are silent, but the peer is heard on another channel (S10).
    HeartbeatsSilent,
    /// The rules' word on waiting changed.
    Waits(Waits),
    /// The awaited effect ended.
    Done(u64, Result<(), Told>),
    /// A timer ended.
    Timer(u64),
    /// This process did not send its heartbeats for half a timeout, or the peer's newest echo is that old (S4).
    OwnPause(u64),
    /// The data plane's word on the stream changed (S3).
    Stream(Stream),
    /// The reintegration with this id is refused before it has changed anything, and would be again: the
    /// reason (ST-37).
    ReintegrationRefused(u64, Told),
    /// The process of replication was lost, and what it had not sent, or received and not applied.
    BoxLost(Fate),
    /// `syncdelta` lets this node start though its data may be not up to date, as long as the peer is
    /// silent (ST-35); or no more.
    Tolerated(bool),
    /// The guard froze this module: its virtual IP is removed and its application killed (S8).
    Fenced(Told),
}

impl From<Happening> for Event {
    fn from(h: Happening) -> Event {
        match h {
            Happening::Command(command, caller) => Event::Command(command, caller),
            Happening::Waits(waits) => Event::Waits(waits),
            Happening::Done(id, result) => Event::Done(id, result),
            Happening::Timer(id) => Event::Timer(id),
            Happening::Fenced(what) => Event::Fenced(what),
        }
    }
}

/// Something for the actor to do. Those with an id are answered by [`Event::Done`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// Write a message of the module log.
    Log(Message),
    /// Make the record durable.
    Store(u64, Record),
    /// Run a script.
    Script(u64, Call),
    /// Set the virtual IPs and announce them.
    VipOn(u64),
    /// Reset connections and remove the virtual IPs; done when they are seen gone.
    VipOff(u64),
    /// Kill what is left of the application and see it gone (S9). `swap`: `start_both` stays.
    Kill {
        /// Effect id.
        id: u64,
        /// Only what runs for the primary.
        swap: bool,
    },
    /// Arm the guard (S8).
    Arm(u64),
    /// Disarm the guard.
    Disarm(u64),
    /// Start the data plane, restore links, check what must exist, mount read-only. This and the
    /// following, up to `Release`, are for replicated modules only; the data plane does them in order.
    Mount(u64),
    /// Unmount, lazily if it must be; the directories stay reachable by their links.
    Unmount(u64),
    /// Open for modification without a peer, zones tracked: id, generation, and whether the next
    /// secondary is to be copied in full.
    Writable(u64, u64, bool),
    /// Refuse every modification, also on open handles; what is outstanding is acknowledged by S, or
    /// failed with its zones durably marked; so are those of what was received and not applied. Ends
    /// every stream and reintegration, on either side.
    ReadOnly(u64),
    /// Bring this node's data to the primary's and attach to it as this session. `InStep` is said
    /// before the answer, which means: all is there and durable. The primary forgets its zones only
    /// when what they hold is on its own disk, too.
    Reintegrate {
        /// Effect id.
        id: u64,
        /// Number of the session (S2).
        session: u64,
        /// Copy everything (ST-43, ST-45).
        full: bool,
        /// Copy the files modified after this time only, whole (RFS-60); it wins.
        since: Option<i64>,
        /// The node was PRIM until a swap: it has everything if its stream was in step to the end.
        swap: bool,
        /// What differs here is kept before it is overwritten (S6).
        rescue: Option<Rescue>,
    },
    /// Apply and sync what was received (S7).
    Drain(u64),
    /// Make the zones of unanswered modifications durable (S3).
    MarkDirty(u64),
    /// Answer the callers that wait; from here on modifications are local, in this generation (S3).
    /// The zones of what came since `MarkDirty` are durable before they are answered.
    Release(u64, u64),
    /// Open or close the window of checkers.
    Checkers(Window, bool),
    /// Start a timer; its end is [`Event::Timer`] with this id.
    Timer(u64, Timer),
    /// Kill the script that runs, for forcestop.
    KillScript(u64),
    /// The role of a running application changed or a move began: the rules begin anew.
    ResetRules,
    /// Keep `usersetting.failover` (ST-53).
    Failover(bool),
    /// Reboot the node (CFG-SVC-08).
    Reboot,
}

/// The result of [`step`].
pub type Step = instance::Step<State, Effect>;

/// One step of the automaton.
pub fn step(cfg: &Config, state: &State, event: Event) -> Step {
    let mut run = Run { cfg, s: state.clone(), out: Vec::new() };
    let heard = matches!(event, Event::Peer { .. });
    let outcome = run.take(event);
    let counted = run.counts();
    if !heard {
        run.void(&state.face());
    }
    run.settle();
    run.finish(state, counted);
    Step { state: run.s, effects: run.out, outcome }
}

/// The first step of a control plane that came back while the module went on (DESIGN 3): `kept` is
/// the state as its last life left it, `record` the durable record, `seed` a new random number.
pub fn adopt(cfg: &Config, kept: State, record: Record, seed: u64) -> Step {
    let before = kept.clone();
    let mut run = Run { cfg, s: State::adopted(kept, record, seed), out: Vec::new() };
    if let At::Moving(m) = run.s.at.clone() {
        run.begin(m);
    }
    run.settle();
    run.finish(&before, false);
    Step { state: run.s, effects: run.out, outcome: Outcome::Taken }
}

/// The work of one step: the state under change and the effects so far.
struct Run<'a> {
    cfg: &'a Config,
    s: State,
    out: Vec<Effect>,
}

impl Run<'_> {
    fn take(&mut self, event: Event) -> Outcome {
        match event {
            Event::Command(command, caller) => match self.command(command, caller) {
                Ok(o) => o,
                Err(r) => Outcome::Refused(r),
            },
            Event::Peer { face, counts } => self.hear(*face, counts),
            Event::PeerSilent if self.s.peer == Peer::Silent => Outcome::Ignored(Ignored::Known),
            Event::PeerSilent => {
                self.lose();
                Outcome::Taken
            }
            Event::HeartbeatsSilent => self.quiet(),
            Event::Waits(w) if self.s.waits == w => Outcome::Ignored(Ignored::Known),
            Event::Waits(w) => {
                self.verdict(w);
                Outcome::Taken
            }
            Event::Done(id, result) => self.done(id, result),
            Event::Timer(id) => self.timer(id),
            Event::OwnPause(ms) => self.paused(ms),
            Event::Stream(stream) => self.streams(stream),
            Event::ReintegrationRefused(id, why) => self.not_reintegrated(id, why),
            Event::BoxLost(fate) => self.box_lost(fate),
            Event::Tolerated(on) if self.s.tolerated == on => Outcome::Ignored(Ignored::Known),
            Event::Tolerated(on) => {
                self.s.tolerated = on;
                Outcome::Taken
            }
            Event::Fenced(what) => self.fenced(what),
        }
    }

    fn log(&mut self, m: Message) {
        self.out.push(Effect::Log(m));
    }

    fn id(&mut self) -> u64 {
        self.s.ids += 1;
        self.s.ids
    }

    fn counts(&self) -> bool {
        matches!(self.s.peer, Peer::Heard { counts: true, .. })
    }

    /// The peer's word was said to another face than the one shown now (S10): also between two
    /// states of one step, or a claim would run on an answer that was given before it.
    fn void(&mut self, shown: &Face) {
        if self.s.face() != *shown
            && let Peer::Heard { counts, .. } = &mut self.s.peer
        {
            *counts = false;
        }
    }

    /// What follows from the change as a whole: the state messages, and the peer's view of a face
    /// that it has not seen yet does not count (S10). `counted`: it did before this step settled.
    fn finish(&mut self, before: &State, counted: bool) {
        if self.s.shown() != before.shown() {
            let (role, readiness) = self.s.shown();
            if role != before.shown().0 && !self.out.contains(&Effect::ResetRules) {
                self.out.push(Effect::ResetRules);
            }
            self.log(Message::LocalState(role, readiness));
        }
        let same = self.s.face() == before.face();
        if let Peer::Heard { counts, .. } = &mut self.s.peer {
            *counts = counted && same;
        }
    }
}
