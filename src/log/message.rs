//! The messages of the module log. Texts are exact: users and tests search for them.

use crate::fsm::anew::MODULECHECK;
use crate::fsm::command::{Caller, Command};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use crate::net::tls::TlsFault;
use crate::told::Told;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Level of a message (MSG-L-03, AMB-18): C E U S are the main log, W I D verbose only.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
pub enum Level {
    /// Critical: an error was detected.
    C,
    /// Event: local and remote states.
    E,
    /// Action of a user.
    U,
    /// Script.
    S,
    /// Warning, internal.
    W,
    /// Information.
    I,
    /// Debug.
    D,
}

/// One message of the module log. The doc of each variant gives its id in spec/messages.md.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Message {
    /// MSG-A-01..13: `Action <command> called by <caller>`, `... at boot time`, `... automatically`;
    /// MSG-A-14..16 by identity; MSG-A-18 `Action <command> from failover rule <rule>`.
    Action(Command, Caller),
    /// MSG-A-17: `Action stopstart called by failover-off`.
    FailoverOffStopstart,
    /// MSG-A-19: `Action stop called by maxloop`.
    Maxloop,
    /// MSG-A-20: `Action alone called by heart: remote stop`.
    AloneRemoteStop,
    /// MSG-A-21: `Action alone called by heart: no heartbeat`.
    AloneNoHeartbeat,
    /// MSG-A-22: `Action wakeup from failover rule Implicit_wakeup`.
    Wakeup,
    /// MSG-A-23: `Action <name> terminated (-> CMD_OK)` or `(-> <error>)`, verbose.
    InternalAction(String, Result<(), Told>),
    /// MSG-T-01: `Transition SWAP from SYSTEM`.
    SwapFromSystem,
    /// MSG-T-02: `Transition SWAP from defaultprim`.
    SwapFromDefaultprim,
    /// MSG-T-03: `Transition STOPSTART from failover-off`.
    StopstartFromFailoverOff,
    /// MSG-T-04..06, ST-79e: `Transition WAIT_TR|RESTART|STOPSTART|SWAP|STOP from failover rule <rule>`.
    TransitionFromRule(Command, String),
    /// MSG-T-08: `Begin of Swap`.
    BeginOfSwap,
    /// MSG-T-09: `Local internal state <name>`, verbose.
    InternalState(String),
    /// MSG-S-01..07: `Local state <ROLE> <Readiness>`; Transient is verbose (W), the others E.
    LocalState(Role, Readiness),
    /// MSG-S-10: `Remote state <ROLE> <Readiness>`; Transient is verbose (W).
    RemoteState(Role, Readiness),
    /// MSG-S-11: `Remote state UNKNOWN Unknown`.
    RemoteUnknown,
    /// MSG-R1: `Resource <name> set to <value> by <setter>`.
    Resource(ResourceName, Value, String),
    /// MSG-R-05: `Data may be not uptodate for replicated directories (wait for the start of the remote server)`.
    NotUptodate,
    /// MSG-R-06: `If you are sure that this server has valid data, run safekit prim to force start as primary`.
    RunPrim,
    /// MSG-R-07: `Data may be inconsistent for replicated directories (stopped during reintegration)`.
    Inconsistent,
    /// MSG-R-08: `If you are sure that this server has valid data, run safekit primforce to force start as primary`.
    RunPrimforce,
    /// MSG-R-01: `Updating directory tree from <directory>`.
    UpdatingTree(String),
    /// MSG-R-02: `Copied <statistics>`: size, number of files, time, KB/sec.
    Copied(String),
    /// MSG-R-03: `Reintegration ended (<policy>)`.
    ReintegrationEnded(String),
    /// MSG-R-04: `Uptodate replicated file system`.
    UptodateData,
    /// MSG-R-10: `Automatic synchronization cannot be applied due to an abnormal delta between the dates of the last synchronization`.
    AbnormalDelta,
    /// MSG-R-11: `XXX clnttcp_create: socket=<socket> TLS handshake failed. ...`, verbose.
    TlsHandshake(String),
    /// Our own (RFS-11): the symbolic link of a replicated directory was put back after a crash.
    LinkRestored(String),
    /// Our own: how far a reintegration is, verbose.
    ReintegrationProgress(String),
    /// Our own (S6): files that differed from those of the primary were kept before they were overwritten.
    Rescued {
        /// Name of the archive.
        archive: String,
        /// Files, directories and links.
        files: u64,
        /// Bytes of files.
        bytes: u64,
        /// Files whose bytes had no room.
        left_out: u64,
    },
    /// [D] It has not moved for so many seconds.
    ReintegrationStalled(u64),
    /// [D] It goes on.
    ReintegrationGoesOn,
    /// Our own: writes are no longer replicated; why.
    StreamLost(Told),
    /// Our own: writes of that directory or module are replicated again.
    StreamResumed(String),
    /// Our own: another process of replication has taken the place of one that was lost; how.
    BoxReplaced(Told),
    /// MSG-R-09: `Requested prim start aborted`; the reason goes to `explain`.
    PrimAborted,
    /// ST-44: `Requested second start aborted`.
    SecondAborted,
    /// MSG-F-03: `Virtual IP <addr> set`.
    VipSet(String),
    /// MSG-F-01: `farm membership: <node> [<node>...] (group <group>)`.
    FarmMembership {
        /// The nodes that serve.
        nodes: Vec<String>,
        /// The load balancing group.
        group: String,
    },
    /// MSG-F-02: `farm load: <n>/256 (group <group>)`.
    FarmLoad {
        /// Buckets of this node.
        buckets: usize,
        /// The load balancing group.
        group: String,
    },
    /// MSG-O-01: `Script <name> > <userlog>`, with the action in quotes when there is one.
    Script {
        /// Name of the script.
        name: String,
        /// The action that it was given, e.g. `start`.
        action: Option<String>,
        /// File name of its log; none with logging="none".
        userlog: Option<String>,
    },
    /// Our own: a stop or start script was killed at its timeout (seconds).
    ScriptTimeout(String, u64),
    /// Our own: a script ended with a status other than 0.
    ScriptFailed(String, Told),
    /// Our own: a script has been running for that many seconds; said each minute.
    ScriptRunning(String, u64),
    /// MSG-O-02: `End of stop`.
    EndOfStop,
    /// MSG-O-03: `Previous halt unexpected`.
    PreviousHaltUnexpected,
    /// MSG-O-06: `Failover-off configured`.
    FailoverOff,
    /// MSG-O-07: `Split brain recovery: staying alone`.
    SplitBrainStaying,
    /// MSG-O-07: `Split brain recovery: exiting alone`.
    SplitBrainExiting,
    /// Our own (S8): the guard fenced this node; what it did.
    Fenced(Told),
    /// Our own (S9): the application could not be stopped; what is left.
    CannotStop(Told),
    /// Our own (S10): the heartbeats are silent but the peer still answers on another channel.
    HeartbeatsOnlySilent,
    /// Our own (S4): this process slept that many milliseconds and suspects itself first.
    OwnPause(u64),
    /// CLI-087: the text of `safekit printi` or `printe`.
    Print(Level, String),
    /// Our own: a module error in clear, for what has no message of the guide.
    Error(Told),
    /// Our own: that many messages could not be written to the log.
    Lost(u64),
    /// Our own: another module is not examined, because HTTPS with its node fails; where, and why.
    OtherDistrusted(String, TlsFault),
}

/// Language of texts for people (MSG-L-04); the command line is English but for the logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Lang {
    /// As browsers and pages call it.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Fr => "fr",
        }
    }
}

impl Level {
    /// All of them, those of the main log first.
    pub const ALL: [Level; 7] = [Level::C, Level::E, Level::U, Level::S, Level::W, Level::I, Level::D];

    /// Whether the level belongs to the main log; the others are shown with `-A` only (MSG-L-03).
    pub fn is_main(self) -> bool {
        matches!(self, Level::C | Level::E | Level::U | Level::S)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::C => "C",
            Level::E => "E",
            Level::U => "U",
            Level::S => "S",
            Level::W => "W",
            Level::I => "I",
            Level::D => "D",
        })
    }
}

/// What is not one of the seven letters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a level of the log: C, E, U, S, W, I or D")]
pub struct BadLevel(pub String);

impl FromStr for Level {
    type Err = BadLevel;

    fn from_str(s: &str) -> Result<Self, BadLevel> {
        Level::ALL.into_iter().find(|level| level.to_string() == s).ok_or_else(|| BadLevel(s.to_owned()))
    }
}

impl Message {
    /// Level, as in the tables of spec/messages.md.
    pub fn level(&self) -> Level {
        use Message as M;
        match self {
            M::Action(_, Caller::Identity(_) | Caller::Rule(_)) => Level::C,
            M::Action(..) | M::AloneRemoteStop | M::AloneNoHeartbeat => Level::U,
            M::SwapFromSystem | M::SwapFromDefaultprim | M::BeginOfSwap | M::EndOfStop => Level::U,
            M::InternalAction(..) | M::InternalState(_) => Level::W,
            M::LocalState(_, Readiness::Transient) | M::RemoteState(_, Readiness::Transient) => Level::W,
            M::LocalState(..) | M::RemoteState(..) | M::RemoteUnknown | M::VipSet(_) => Level::E,
            M::FarmMembership { .. } | M::FarmLoad { .. } => Level::E,
            M::Resource(name, value, setter) => resource_level(name, value, setter),
            M::Script { .. } | M::ScriptRunning(..) => Level::S,
            M::ScriptFailed(..) => Level::E,
            M::Print(level, _) => *level,
            M::FailoverOffStopstart | M::Maxloop | M::Wakeup => Level::C,
            M::StopstartFromFailoverOff | M::TransitionFromRule(..) => Level::C,
            M::NotUptodate | M::RunPrim | M::Inconsistent | M::RunPrimforce => Level::C,
            M::UpdatingTree(_) | M::Copied(_) | M::ReintegrationEnded(_) | M::UptodateData => Level::E,
            M::AbnormalDelta
            | M::LinkRestored(_)
            | M::StreamLost(_)
            | M::StreamResumed(_)
            | M::BoxReplaced(_) => Level::E,
            M::ReintegrationProgress(_) => Level::I,
            M::Rescued { .. } => Level::C,
            M::ReintegrationStalled(_) | M::ReintegrationGoesOn => Level::E,
            M::TlsHandshake(_) => Level::D,
            M::PrimAborted | M::SecondAborted | M::ScriptTimeout(..) => Level::C,
            M::PreviousHaltUnexpected | M::FailoverOff => Level::C,
            M::SplitBrainStaying | M::SplitBrainExiting | M::Fenced(_) | M::CannotStop(_) => Level::C,
            M::HeartbeatsOnlySilent | M::OwnPause(_) | M::Error(_) | M::Lost(_) => Level::C,
            M::OtherDistrusted(..) => Level::C,
        }
    }

    /// The part of the program that says it, as in the tables of spec/messages.md.
    pub fn origin(&self) -> &str {
        use Message as M;
        match self {
            M::Action(_, Caller::User(_) | Caller::System) => "safekit",
            M::Action(_, Caller::Boot | Caller::Automatic) => "heartplug",
            M::Action(_, Caller::Identity(who)) if who == "errd" || who == "modulecheck" => who,
            M::AloneRemoteStop | M::AloneNoHeartbeat => "heartplug",
            // Checkers name themselves; the internals of replication have a common origin.
            M::Resource(name, _, setter) if name.class == "rfs" && setter != "nfsadmin" => "rfsplug",
            M::Resource(_, _, setter) => setter,
            M::NotUptodate | M::RunPrim | M::Inconsistent | M::RunPrimforce => "rfsplug",
            M::ReintegrationEnded(_) | M::UptodateData | M::LinkRestored(_) => "rfsplug",
            M::StreamLost(_) | M::StreamResumed(_) | M::BoxReplaced(_) => "rfsplug",
            M::UpdatingTree(_) | M::Copied(_) | M::AbnormalDelta => "reintegre",
            M::ReintegrationProgress(_) | M::TlsHandshake(_) | M::Rescued { .. } => "reintegre",
            M::ReintegrationStalled(_) | M::ReintegrationGoesOn => "reintegre",
            M::VipSet(_) | M::FarmMembership { .. } | M::FarmLoad { .. } => "vipplug",
            M::Script { .. } | M::ScriptTimeout(..) | M::ScriptFailed(..) | M::ScriptRunning(..) => {
                "userplug"
            }
            M::Print(..) => "userplug",
            M::Fenced(_) => "safeguard",
            M::Lost(_) => "safeadmin",
            M::OtherDistrusted(..) => MODULECHECK,
            M::Action(_, Caller::Identity(_) | Caller::Rule(_)) => "heart",
            M::FailoverOffStopstart | M::Maxloop | M::Wakeup | M::InternalAction(..) => "heart",
            M::SwapFromSystem | M::SwapFromDefaultprim | M::StopstartFromFailoverOff => "heart",
            M::TransitionFromRule(..) | M::BeginOfSwap | M::InternalState(_) => "heart",
            M::LocalState(..) | M::RemoteState(..) | M::RemoteUnknown => "heart",
            M::PrimAborted | M::SecondAborted | M::EndOfStop | M::PreviousHaltUnexpected => "heart",
            M::FailoverOff | M::SplitBrainStaying | M::SplitBrainExiting | M::CannotStop(_) => "heart",
            M::HeartbeatsOnlySilent | M::OwnPause(_) | M::Error(_) => "heart",
        }
    }

    /// The text. English texts are exact: users and tests search for them.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::En => super::english::text(self),
            Lang::Fr => super::french::text(self),
        }
    }
}

/// What a checker finds belongs to the main log; the rest is the program talking to itself (section 4).
fn resource_level(name: &ResourceName, value: &Value, setter: &str) -> Level {
    let checked = matches!(
        name.class.as_str(),
        "heartbeat" | "tcp" | "ping" | "intf" | "module" | "custom" | "ip" | "splitbrain"
    );
    match value {
        Value::Down if checked => Level::C,
        // The data of a node counts as up to date again: nobody must miss that.
        Value::Up if checked || ["nfsadmin", "rfs_forceuptodate"].contains(&setter) => Level::E,
        _ => Level::W,
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text(Lang::En))
    }
}
