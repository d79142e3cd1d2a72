//! The state of the mirror automaton.

use super::alike::Alike;
use super::face::Face;
use super::plan;
use super::plan::{Move, Moving};
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::Record;
use crate::fsm::instance::{Waits, Window};
use crate::fsm::scripts::Action;
use crate::fsm::state::{Readiness, Role};
use crate::told::Told;
use serde::{Deserialize, Serialize};

/// Where the node is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum At {
    /// STOP.
    Stopped,
    /// WAIT.
    Waiting,
    /// WAIT, wants to run and shows it (S10).
    Claiming,
    /// SECOND Transient: everything is done but *in step*.
    Joining,
    /// SECOND; Ready while promotable.
    Second,
    /// ALONE Ready.
    Alone,
    /// PRIM Ready.
    Prim,
    /// PRIM that asked S to give up, the new generation durable (S3).
    Asking,
    /// Former PRIM, waits for the answer of S (S5).
    Leaving(Goal),
    /// Between two of the above.
    Moving(Moving),
}

/// Where a halt leads; the first leave least behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Goal {
    /// STOP.
    Stop,
    /// STOP, then an automatic start.
    StopStart,
    /// WAIT.
    Wait,
    /// SECOND: the second half of a swap.
    Rejoin,
}

impl At {
    /// Where the halt in progress leads.
    pub(super) fn goal(&self) -> Option<Goal> {
        match self {
            At::Leaving(goal) => Some(*goal),
            At::Moving(m) if matches!(m.mv, Move::Halt | Move::Answered | Move::Finish | Move::Recover) => {
                Some(m.goal)
            }
            _ => None,
        }
    }
}

impl Goal {
    /// The action that scripts are told (ST-91).
    pub(super) fn action(self) -> Action {
        match self {
            Goal::Stop => Action::Stop,
            Goal::StopStart => Action::StopStart,
            Goal::Wait | Goal::Rejoin => Action::StopWait,
        }
    }

    /// What a command to leave wants; none for every other command.
    pub(super) fn of(command: Command) -> Option<Goal> {
        match command {
            Command::Stop | Command::ForceStop | Command::Shutdown => Some(Goal::Stop),
            Command::StopStart => Some(Goal::StopStart),
            Command::StopWait => Some(Goal::Wait),
            _ => None,
        }
    }
}

/// The word of an operator at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Order {
    /// `prim` and `primforce`.
    Prim,
    /// `second`.
    Second,
}

/// What is known of the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Peer {
    /// Nothing heard yet, but not for a full timeout either.
    Unheard,
    /// Nothing on any channel for a full timeout.
    Silent,
    /// No heartbeat for a full timeout, but it is heard elsewhere: nothing may be concluded.
    Quiet,
    /// Its newest heartbeat.
    Heard {
        /// What it shows.
        face: Box<Face>,
        /// It echoes my current face (S10).
        counts: bool,
    },
}

/// What the data plane of this node says of the stream of operations between the nodes; the number is
/// that of the secondary's session, as given to `Reintegrate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stream {
    /// There is none. Modules without replicated directories know nothing else.
    #[default]
    None,
    /// Primary: that session reintegrates, nobody waits for it yet.
    Syncing(u64),
    /// Primary: whatever is written from now on is answered only when that session has it.
    /// Secondary: attached as that session.
    InStep(u64),
    /// It was lost. Primary: callers are unanswered until `Release`, or until all is refused.
    Broken,
}

/// Why a node stays in WAIT though the rules are clear; said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Why {
    /// Its data may be not up to date (ST-31).
    NotUptodate,
    /// failover="off" and it was not the last primary (ST-52).
    FailoverOff,
    /// The peer has not been heard and not been silent long enough.
    PeerUnknown,
    /// The peer is better placed, or has to answer first.
    PeerFirst,
    /// Its reintegration was refused and would be again: [`State::refusal`] says why (ST-37).
    Refused,
    /// The primary goes on without replication until it is stopped and started (ST-28).
    Degraded,
    /// The replicated directories of the primary are configured otherwise.
    Differs,
}

/// State of a mirror module on a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Where the node is.
    pub at: At,
    /// The record as it is durable.
    pub record: Record,
    /// What is known of the peer.
    pub peer: Peer,
    /// The rules' word on waiting.
    pub waits: Waits,
    /// Automatic failover (ST-50, ST-53).
    pub failover: bool,
    /// S2: number of the session as SECOND.
    pub session: u64,
    /// The module replicates directories; from the configuration, at each start.
    pub replicated: bool,
    /// What the peer must have configured alike, as `replicated`.
    #[serde(default)]
    pub alike: Option<Alike>,
    /// What the data plane says.
    pub stream: Stream,
    /// The replication process of this primary was lost: no secondary until a stop and start (ST-29).
    pub degraded: bool,
    /// PRIM or ALONE: the start of the application was cut short by a broken stream and is done again
    /// once its callers are answered.
    pub again: bool,
    /// Why the reintegration was refused; until an operator says something, the module starts anew, or
    /// the primary does.
    pub refusal: Option<Told>,
    /// SECOND: data and history are those of the primary.
    pub adopted: bool,
    /// SECOND: `in step` was received for this session.
    pub promotable: bool,
    /// ALONE: a SECOND that had this generation fell silent, so the next write begins another (S3).
    pub parted: bool,
    /// `syncdelta` allows a start with data that may be not up to date (ST-35).
    #[serde(default)]
    pub tolerated: bool,
    /// The peer showed that it went on from this node's history (S6); until that is in the record.
    #[serde(default)]
    pub outdated: bool,
    /// The operator's word at start.
    pub order: Option<Order>,
    /// `fullsync` of that word: kept in the record by a promotion, passed to its own reintegration.
    pub fullsync: bool,
    /// `secondforce`: its own reintegration copies the files modified after this time, Unix seconds (RFS-60).
    #[serde(default)]
    pub since: Option<i64>,
    /// The promotion under way is given up as soon as its record is stored (S4).
    pub doubt: bool,
    /// The conflict with a running peer was said (ST-58).
    pub split: bool,
    /// A command that came during a move.
    pub pending: Option<(Command, Caller)>,
    /// SECOND: a wish to exchange the roles; true: nosync.
    pub swap: Option<bool>,
    /// It was primary at its last stop and has not been so again since (ST-57).
    pub lastprim: bool,
    /// SECOND by a swap, not by a reintegration: `defaultprim` has no say (ST-56). ALONE by a swap:
    /// the scripts of PRIM have been called already.
    pub swapped: bool,
    /// Why it waits.
    pub why: Option<Why>,
    /// A rule held it in WAIT: its release is said as wakeup (ST-73).
    pub held: bool,
    /// Base of the identities drawn by this process; random, given at its start.
    pub seed: u64,
    /// Identities drawn so far.
    pub drawn: u64,
    /// Effects issued so far.
    pub ids: u64,
    /// The timer that counts, if any.
    pub timer: Option<u64>,
}

impl State {
    /// A module in STOP with the record read from disk.
    pub fn stopped(record: Record, failover: bool, seed: u64) -> State {
        State {
            at: At::Stopped,
            record,
            peer: Peer::Unheard,
            waits: Waits::Hold("rules".to_owned()),
            failover,
            session: 0,
            replicated: false,
            alike: None,
            stream: Stream::None,
            degraded: false,
            again: false,
            refusal: None,
            adopted: false,
            promotable: false,
            parted: false,
            tolerated: false,
            outdated: false,
            order: None,
            fullsync: false,
            since: None,
            doubt: false,
            split: false,
            pending: None,
            swap: None,
            lastprim: false,
            swapped: false,
            why: None,
            held: false,
            seed,
            drawn: 0,
            ids: 0,
            timer: None,
        }
    }

    /// The state of a control plane that died and came back while the module went on (DESIGN 3).
    ///
    /// A settled state is taken over as it is, with a new session (S2) and without any knowledge of
    /// the peer. A move cannot be: what its effects became is unknown, so everything is stopped and
    /// seen stopped first, then the module starts by itself.
    pub fn adopted(kept: State, record: Record, seed: u64) -> State {
        let at = match kept.at {
            // It never left STOP: the claim is heard and stored again.
            At::Moving(m) if m.mv == Move::Yield && m.from == Role::Stop => At::Stopped,
            At::Moving(ref m) => At::Moving(Moving::recover(m.shown().0, kept.at.goal())),
            At::Leaving(goal) => At::Moving(Moving::recover(Role::Wait, Some(goal))),
            settled => settled,
        };
        let mut s = State { at, record, seed, peer: Peer::Unheard, waits: kept.waits.clone(), ..kept };
        s.waits = Waits::Hold("rules".to_owned());
        s.drawn = 0;
        s.promotable = false;
        s.tolerated = false;
        s.doubt = false;
        // The rest is asked for again by whoever asked; an operator's stop is not.
        s.pending = s.pending.take().filter(|(c, _)| Goal::of(*c) == Some(Goal::Stop));
        s.swap = None;
        s.timer = None;
        if matches!(s.at, At::Joining | At::Second) {
            s.session = s.draw();
        }
        s
    }

    /// Role and readiness as users see them (ST-02, ST-03).
    pub fn shown(&self) -> (Role, Readiness) {
        match &self.at {
            At::Stopped => (Role::Stop, Readiness::NotReady),
            At::Waiting if self.blocked() => (Role::Wait, Readiness::NotReady),
            At::Waiting | At::Claiming => (Role::Wait, Readiness::Transient),
            At::Joining => (Role::Second, Readiness::Transient),
            At::Second if self.promotable => (Role::Second, Readiness::Ready),
            At::Second => (Role::Second, Readiness::Transient),
            At::Alone => (Role::Alone, Readiness::Ready),
            At::Prim | At::Asking => (Role::Prim, Readiness::Ready),
            At::Leaving(Goal::Rejoin) => (Role::Second, Readiness::Transient),
            At::Leaving(_) => (Role::Wait, Readiness::Transient),
            At::Moving(m) => m.shown(),
        }
    }

    fn blocked(&self) -> bool {
        matches!(self.waits, Waits::Blocked(_))
            || matches!(
                self.why,
                Some(Why::NotUptodate | Why::FailoverOff | Why::Refused | Why::Degraded | Why::Differs)
            )
    }

    /// The guard must be ready to fence: a peer could take over (S8). With data that is a SECOND in
    /// step; without, any peer that finds this node silent, so the guard is armed while it runs.
    pub fn guarded(&self, data: bool) -> bool {
        match &self.at {
            At::Prim | At::Asking => true,
            At::Alone => !data,
            At::Moving(m) => m.guarded(data),
            _ => false,
        }
    }

    /// The windows of checkers that are open in a settled state.
    pub fn windows(&self) -> Vec<Window> {
        let role = match &self.at {
            At::Alone | At::Prim | At::Asking | At::Joining | At::Second => self.shown().0,
            At::Waiting | At::Claiming => Role::Wait,
            At::Stopped | At::Leaving(_) | At::Moving(_) => return Vec::new(),
        };
        [Window::Pre].into_iter().chain(plan::windows(role).iter().copied()).collect()
    }

    /// failover="off": only the last primary may start without a primary (ST-52).
    pub(super) fn may_lead(&self) -> bool {
        self.failover || self.record.primary || self.order == Some(Order::Prim)
    }

    /// An identity that no other life or node draws: the seed is random, the count grows.
    pub(super) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        plan::mix(self.seed, self.drawn)
    }
}
