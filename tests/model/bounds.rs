//! How far a search goes, and what is switched off in it.

use crate::start::Start;

/// A rule switched off: the check must find each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// S1: a crashed PRIM takes itself for up to date.
    Proven,
    /// S2: *in step* without *paired* on disk, and for any session.
    InStep,
    /// S3: callers are answered as soon as the stream is lost.
    Release,
    /// S4: a node does not notice that it slept.
    OwnPause,
    /// S5: a former PRIM takes silence for `not taking over`.
    Leaving,
    /// S6: the history and the term of the peer are not looked at.
    Histories,
    /// S7: promoted before what was received is applied.
    Drain,
    /// S8: the guard does nothing.
    Guard,
    /// S9: the stop is announced before it has stopped.
    Stopped,
    /// S10: every heartbeat counts.
    Echo,
    /// What comes during a move is lost.
    LostEdges,
    /// Reintegration does not look at what the primary wrote alone.
    DirtyPrimary,
    /// ... at what the secondary wrote, refused or received.
    DirtySecond,
    /// ... at what a node that comes back as primary may have lost with its power.
    HotPrimary,
    /// ... at what the secondary may have lost with its power.
    HotSecond,
    /// ... at what others changed on the primary while the module was stopped.
    ChangedPrimary,
    /// ... at what others changed on the secondary.
    ChangedSecond,
    /// ... at everything when the zones of the primary are damaged.
    TornPrimary,
    /// ... when those of the secondary are.
    TornSecond,
    /// S7: a node whose takeover failed to apply what was received takes itself for whole.
    Unapplied,
    /// A node that was stopped in a reintegration takes itself for whole.
    Partial,
    /// That the process of replication is another one is not noticed.
    BoxUnnoticed,
}

/// Bounds of the search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub start: Start,
    pub data: bool,
    pub crashes: u8,
    /// Crashes of the control plane alone, which is restarted at once.
    pub restarts: u8,
    pub hangs: u8,
    pub admin: u8,
    pub delays: u8,
    pub writes: u8,
    pub cuts: u8,
    pub losses: u8,
    /// Writes are in memory first; without, they are on the disk at once.
    pub cache: bool,
    /// One end of the stream is lost.
    pub breaks: u8,
    /// Processes of replication that are lost.
    pub boxes: u8,
    /// Files are changed while the module is stopped.
    pub edits: u8,
    /// The durable zones are damaged by a power failure.
    pub torn: u8,
    /// Reintegrations can be seen half done.
    pub partial: bool,
    /// Effects that do not work.
    pub fails: u8,
    /// Drains that do not work.
    pub drains: u8,
    pub prim: bool,
    /// `syncdelta` says that data which is not up to date may be served.
    pub tolerates: u8,
    pub fault: Option<Fault>,
}

pub const CALM: Bounds = Bounds {
    start: Start::First,
    data: true,
    crashes: 0,
    restarts: 0,
    hangs: 0,
    admin: 0,
    delays: 0,
    writes: 1,
    cuts: 0,
    losses: 0,
    cache: false,
    breaks: 0,
    boxes: 0,
    edits: 0,
    torn: 0,
    partial: false,
    fails: 0,
    drains: 0,
    prim: false,
    tolerates: 0,
    fault: None,
};
