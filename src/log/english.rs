//! The English texts (spec/messages.md, newer edition).

use super::message::Message;
use crate::fsm::command::{Caller, Command};

const DIRECTORIES: &str = "for replicated directories";
const IF_SURE: &str = "If you are sure that this server has valid data, run safekit";
const ONLY_HEARTBEATS: &str =
    "No heartbeat, but the remote server answers on another channel: waiting, check the heartbeat networks";
const ABNORMAL_DELTA: &str = "Automatic synchronization cannot be applied due to an abnormal delta between the dates of the last synchronization";
const TLS_FAILED: &str =
    "TLS handshake failed. Check server time and module certificate (expiration date, hash)";

/// `SWAP`, `WAIT_TR`: the name of a transition in both languages.
pub(super) fn transition(command: Command) -> String {
    match command {
        Command::StopWait => "WAIT_TR".to_owned(),
        other => other.to_string().to_uppercase(),
    }
}

/// `start_prim`, `prestart "start"`: a script and its action in both languages.
pub(super) fn script(name: &str, action: Option<&str>) -> String {
    action.map_or_else(|| name.to_owned(), |action| format!("{name} \"{action}\""))
}

pub(super) fn text(message: &Message) -> String {
    use Message as M;
    match message {
        M::Action(command, caller) => action(*command, caller),
        M::FailoverOffStopstart => "Action stopstart called by failover-off".into(),
        M::Maxloop => "Action stop called by maxloop".into(),
        M::AloneRemoteStop => "Action alone called by heart: remote stop".into(),
        M::AloneNoHeartbeat => "Action alone called by heart: no heartbeat".into(),
        M::Wakeup => "Action wakeup from failover rule Implicit_wakeup".into(),
        M::InternalAction(name, Ok(())) => format!("Action {name} terminated (-> CMD_OK)"),
        M::InternalAction(name, Err(error)) => format!("Action {name} terminated (-> {error})"),
        M::SwapFromSystem => "Transition SWAP from SYSTEM".into(),
        M::SwapFromDefaultprim => "Transition SWAP from defaultprim".into(),
        M::StopstartFromFailoverOff => "Transition STOPSTART from failover-off".into(),
        M::TransitionFromRule(command, rule) => {
            format!("Transition {} from failover rule {rule}", transition(*command))
        }
        M::BeginOfSwap => "Begin of Swap".into(),
        M::InternalState(name) => format!("Local internal state {name}"),
        M::LocalState(role, readiness) => format!("Local state {role} {readiness}"),
        M::RemoteState(role, readiness) => format!("Remote state {role} {readiness}"),
        M::RemoteUnknown => "Remote state UNKNOWN Unknown".into(),
        M::Resource(name, value, setter) => format!("Resource {name} set to {value} by {setter}"),
        M::VipSet(addr) => format!("Virtual IP {addr} set"),
        M::FarmMembership { nodes, group } => format!("farm membership: {} (group {group})", nodes.join(" ")),
        M::FarmLoad { buckets, group } => format!("farm load: {buckets}/256 (group {group})"),
        M::Script { name, action, userlog } => {
            let log = userlog.as_ref().map(|log| format!(" > {log}")).unwrap_or_default();
            format!("Script {}{log}", script(name, action.as_deref()))
        }
        M::ScriptTimeout(name, seconds) => format!("Script {name} killed: still running after {seconds} s"),
        M::ScriptFailed(name, how) => format!("Script {name} failed: {how}"),
        M::ScriptRunning(name, seconds) => format!("Script {name} has been running for {seconds} s"),
        M::Print(_, text) => text.clone(),
        M::Error(text) => text.to_string(),
        M::Fenced(what) => format!("This server fenced itself: {what}"),
        M::CannotStop(left) => format!("The application cannot be stopped: {left}"),
        M::OwnPause(ms) => format!("This server was paused for {ms} ms: it suspects itself first"),
        M::Lost(count) => format!("{count} messages lost: they could not be written to the log"),
        M::OtherDistrusted(url, fault) => format!("Module not examined at {url}: {fault}"),
        M::NotUptodate => {
            format!("Data may be not uptodate {DIRECTORIES} (wait for the start of the remote server)")
        }
        M::RunPrim => format!("{IF_SURE} prim to force start as primary"),
        M::Inconsistent => format!("Data may be inconsistent {DIRECTORIES} (stopped during reintegration)"),
        M::RunPrimforce => format!("{IF_SURE} primforce to force start as primary"),
        M::UpdatingTree(dir) => format!("Updating directory tree from {dir}"),
        M::Copied(statistics) => format!("Copied {statistics}"),
        M::ReintegrationEnded(policy) => format!("Reintegration ended ({policy})"),
        M::ReintegrationProgress(how) => format!("Reintegration: {how}"),
        M::Rescued { archive, files, bytes, left_out } => rescued(archive, *files, *bytes, *left_out),
        M::ReintegrationStalled(seconds) => {
            format!("Reintegration stands still: nothing has come for {seconds} s")
        }
        M::ReintegrationGoesOn => "Reintegration goes on".into(),
        M::UptodateData => "Uptodate replicated file system".into(),
        M::AbnormalDelta => ABNORMAL_DELTA.into(),
        M::TlsHandshake(socket) => format!("XXX clnttcp_create: socket={socket} {TLS_FAILED}"),
        M::LinkRestored(dir) => format!("Link {dir} restored after an unexpected halt"),
        M::BoxReplaced(how) => format!("Replication process replaced: {how}"),
        M::StreamLost(why) => format!("Replication to the secondary stopped: {why}"),
        M::StreamResumed(what) => format!("Replication to the secondary resumed: {what}"),
        M::PrimAborted => "Requested prim start aborted".into(),
        M::SecondAborted => "Requested second start aborted".into(),
        M::EndOfStop => "End of stop".into(),
        M::PreviousHaltUnexpected => "Previous halt unexpected".into(),
        M::FailoverOff => "Failover-off configured".into(),
        M::SplitBrainStaying => "Split brain recovery: staying alone".into(),
        M::SplitBrainExiting => "Split brain recovery: exiting alone".into(),
        M::HeartbeatsOnlySilent => ONLY_HEARTBEATS.into(),
    }
}

fn rescued(archive: &str, files: u64, bytes: u64, left_out: u64) -> String {
    let room = match left_out {
        0 => String::new(),
        n => format!(", {n} of them without their bytes for want of room"),
    };
    let size = bytes.div_ceil(1024);
    format!(
        "Rescued {files} entries ({size} KB) that differ from the primary in archive {archive}{room}: \
         see safekit rescue diff and restore"
    )
}

fn action(command: Command, caller: &Caller) -> String {
    match caller {
        Caller::User(who) | Caller::Identity(who) => format!("Action {command} called by {who}"),
        Caller::System => format!("Action {command} called by SYSTEM"),
        Caller::Boot => format!("Action {command} called at boot time"),
        Caller::Automatic => format!("Action {command} called automatically"),
        Caller::Rule(rule) => format!("Action {command} from failover rule {rule}"),
    }
}
