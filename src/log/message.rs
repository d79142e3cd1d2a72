//! The messages of the module log. Texts are exact: users and tests search for them.

use crate::fsm::command::{Caller, Command};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use serde::{Deserialize, Serialize};

/// Level of a message (MSG-L-03, AMB-18): C E U S are the main log, W I D verbose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    InternalAction(String, Result<(), String>),
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
    /// MSG-R-09: `Requested prim start aborted`; the reason goes to `explain`.
    PrimAborted,
    /// ST-44: `Requested second start aborted`.
    SecondAborted,
    /// MSG-F-03: `Virtual IP <addr> set`.
    VipSet(String),
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
    ScriptFailed(String, String),
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
    Fenced(String),
    /// Our own (S9): the application could not be stopped; what is left.
    CannotStop(String),
    /// Our own (S10): the heartbeats are silent but the peer still answers on another channel.
    HeartbeatsOnlySilent,
    /// Our own (S4): this process slept that many milliseconds and suspects itself first.
    OwnPause(u64),
    /// CLI-087: the text of `safekit printi` or `printe`.
    Print(Level, String),
    /// Our own: a module error in clear, for what has no message of the guide.
    Error(String),
}
