//! What a node shows its peer in every heartbeat (RES-50, S10).

use super::state::{At, Goal, Order, Peer, State, Stream};
use super::{Alike, Waits, plan};
use crate::fsm::generation::{Flag, History};
use crate::fsm::state::{Readiness, Role};
use serde::{Deserialize, Serialize};

/// What the peer may conclude from where this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Posture {
    /// STOP.
    Stopped,
    /// WAIT, settled: not running, and it will not run without a claim.
    Waiting,
    /// Not running, on its way to STOP or WAIT.
    Settling,
    /// Wants to run, and waits for the peer's word (S10).
    Claim,
    /// SECOND that is not promotable yet.
    Joining,
    /// SECOND in step.
    Second,
    /// Former PRIM: it runs nothing any more and waits for the answer (S5).
    Leaving,
    /// SECOND that becomes primary: not running yet.
    TakingOver,
    /// May acknowledge to clients.
    Running,
}

/// What a node shows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Face {
    /// See [`Posture`].
    pub posture: Posture,
    /// Role as users see it.
    pub role: Role,
    /// Readiness as users see it.
    pub readiness: Readiness,
    /// The durable flag.
    pub flag: Flag,
    /// The durable mark of a reintegration that did not end.
    pub reintegrating: bool,
    /// The durable term.
    pub term: u64,
    /// It drew that term.
    pub holder: bool,
    /// The durable history.
    pub history: History,
    /// The rules let it start.
    pub able: bool,
    /// A claim by the word of an operator.
    pub forced: bool,
    /// SECOND: number of its session (S2).
    pub session: u64,
    /// SECOND: its data and history are those of the primary.
    pub adopted: bool,
    /// PRIM: *paired* is durable for this generation, and this session of S is in step (S2).
    pub in_step: Option<(u64, u64)>,
    /// PRIM: asks S to give up, since it goes on in this new generation (S3). ALONE: who joins now
    /// would join a generation that ends.
    pub ask: Option<u64>,
    /// SECOND wishes to exchange the roles; true: without synchronization.
    pub wants_swap: Option<bool>,
    /// PRIM or former PRIM: the roles are being exchanged.
    pub swapping: bool,
    /// Automatic failover.
    pub failover: bool,
    /// What its data plane says. A SECOND whose stream is broken says so here, for a primary that
    /// has not noticed yet (S3).
    pub stream: Stream,
    /// Its next secondary must be copied in full (ST-43, ST-45).
    pub fullsync: bool,
    /// PRIM or ALONE: goes on without replication until it is stopped and started (ST-28).
    pub degraded: bool,
    /// Its configuration, as far as both must have the same; none without replicated directories.
    pub alike: Option<Alike>,
}

impl State {
    /// What this node shows its peer.
    pub fn face(&self) -> Face {
        let (role, readiness) = self.shown();
        let r = &self.record;
        let settled_prim = self.at == At::Prim;
        Face {
            posture: self.posture(),
            role,
            readiness,
            flag: r.flag,
            reintegrating: r.reintegrating,
            term: r.term,
            holder: r.holder,
            history: r.history.clone(),
            able: self.waits == Waits::Clear && self.may_lead(),
            forced: matches!(self.order, Some(Order::Prim)),
            session: self.session,
            adopted: self.adopted,
            in_step: match (&self.peer, settled_prim) {
                (Peer::Heard { face, .. }, true) if self.pairs_with(face) => {
                    Some((r.history.current(), face.session))
                }
                _ => None,
            },
            ask: self.asks().then(|| r.history.current()),
            wants_swap: if matches!(self.at, At::Second) { self.swap } else { None },
            swapping: self.swapping(),
            failover: self.failover,
            stream: self.stream,
            fullsync: r.fullsync,
            degraded: self.degraded && self.running(),
            alike: self.alike,
        }
    }

    /// The peer is a SECOND whose data and history are mine, and nothing is answered without it.
    pub(super) fn pairs_with(&self, f: &Face) -> bool {
        matches!(f.posture, Posture::Joining | Posture::Second)
            && f.adopted
            && f.history.current() == self.record.history.current()
            && self.attached_to(f)
            && !self.degraded
    }

    /// Both data planes know the same stream. Its number is that of the reintegration: the session of
    /// S2 may be younger, for S draws another whenever it suspects itself.
    fn attached_to(&self, f: &Face) -> bool {
        !self.replicated || (matches!(self.stream, Stream::InStep(_)) && self.stream == f.stream)
    }

    /// Primary: callers wait for a secondary that does not get what they write, as the own data plane
    /// says, or S itself while the loss has not been noticed here (S3).
    pub(super) fn stream_lost(&self) -> bool {
        match (self.stream, &self.peer) {
            (Stream::Broken, _) => true,
            (Stream::InStep(_), Peer::Heard { face, counts: true }) => {
                matches!(face.posture, Posture::Joining | Posture::Second) && face.stream == Stream::Broken
            }
            _ => false,
        }
    }

    fn asks(&self) -> bool {
        match &self.at {
            At::Asking => true,
            At::Moving(m) => m.mv == plan::Move::Ask && m.from == Role::Alone,
            _ => false,
        }
    }

    fn swapping(&self) -> bool {
        match &self.at {
            At::Leaving(Goal::Rejoin) => true,
            At::Moving(m) => m.mv == plan::Move::SwapOut,
            _ => false,
        }
    }

    /// See [`Posture`].
    pub fn posture(&self) -> Posture {
        match &self.at {
            At::Stopped => Posture::Stopped,
            At::Waiting => Posture::Waiting,
            At::Claiming => Posture::Claim,
            At::Joining => Posture::Joining,
            At::Second if self.promotable => Posture::Second,
            At::Second => Posture::Joining,
            At::Alone | At::Prim | At::Asking => Posture::Running,
            At::Leaving(_) => Posture::Leaving,
            At::Moving(m) => m.posture(self.promotable),
        }
    }

    /// Able to acknowledge to clients: virtual IP set or writes accepted.
    pub fn running(&self) -> bool {
        self.posture() == Posture::Running
    }
}
