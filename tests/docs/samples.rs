//! One text of every message that the module log can hold.

use regex::Regex;
use safekit::actors::checkers::plan::ruleset;
use safekit::config::module;
use safekit::farm::FarmError;
use safekit::fsm::command::{Caller, Command};
use safekit::fsm::group::Reason;
use safekit::fsm::resource::{ResourceName, Value};
use safekit::fsm::state::{Readiness, Role};
use safekit::guard::client::GuardError;
use safekit::log::Message;
use safekit::net::tls::TlsFault;
use safekit::node::record::RecordError;
use safekit::told::Told;
use safekit::told::attempt::Attempt;
use std::fs;
use std::path::Path;

/// A module with a checker of each kind and all that replication brings: its rules give the names.
const CHECKED: &str = "<safe><service mode='mirror'><heart><heartbeat name='a'/></heart>
    <rfs syncdelta='5' syncat='01 0 * * *'><replicated dir='/d'/></rfs><check>
    <tcp ident='id' when='prim'><to addr='a' port='1'/></tcp><ping ident='id'><to addr='a'/></ping>
    <custom ident='id' when='prim' exec='a' action='restart'/></check></service></safe>";

/// Names of the default rules and of those that checkers make.
fn rules() -> Vec<String> {
    let config = module::load(CHECKED, "userconfig.xml", &|_| None, None).unwrap();
    let rules = ruleset(&config).unwrap();
    rules.entries().iter().map(|entry| entry.rule.label.clone()).collect()
}

/// Texts of all messages.
pub fn texts() -> Vec<String> {
    let all = [actions(), transitions(), states(), resources(), farms(), others()].concat();
    all.iter().map(ToString::to_string).chain(errors_of_modules()).chain(errors_of_filters()).collect()
}

fn actions() -> Vec<Message> {
    let callers = [
        Caller::User("root".into()),
        Caller::System,
        Caller::Boot,
        Caller::Automatic,
        Caller::Identity("start_prim".into()),
        Caller::Identity("nfscheck".into()),
        Caller::Identity("modulecheck".into()),
    ];
    let callers: Vec<Caller> = callers.into_iter().chain(rules().into_iter().map(Caller::Rule)).collect();
    let commands = [
        Command::Start,
        Command::Stop,
        Command::ForceStop,
        Command::Restart,
        Command::StopStart,
        Command::StopWait,
        Command::Swap { nosync: false },
        Command::Prim { fullsync: false },
        Command::PrimForce,
        Command::Second { fullsync: false },
        Command::Shutdown,
    ];
    let action =
        |command: Command| callers.iter().map(move |caller| Message::Action(command, caller.clone()));
    commands.into_iter().flat_map(action).collect()
}

fn transitions() -> Vec<Message> {
    let commands = [Command::StopWait, Command::Restart, Command::StopStart];
    let rules = rules();
    let transition =
        |command| rules.iter().map(move |rule| Message::TransitionFromRule(command, rule.clone()));
    commands.into_iter().flat_map(transition).collect()
}

fn states() -> Vec<Message> {
    use Readiness::{NotReady, Ready, Transient};
    let mut all = vec![Message::RemoteUnknown];
    for role in [Role::Stop, Role::Wait, Role::Alone, Role::Prim, Role::Second] {
        let settled = if matches!(role, Role::Stop | Role::Wait) { NotReady } else { Ready };
        for readiness in [settled, Transient] {
            all.push(Message::LocalState(role, readiness));
            all.push(Message::RemoteState(role, readiness));
        }
    }
    all
}

fn resources() -> Vec<Message> {
    let setters = [
        ("heartbeat", "default", "heart"),
        ("tcp", "id", "tcpcheck"),
        ("ping", "id", "pingcheck"),
        ("intf", "192.168.1.0", "intfcheck"),
        ("ip", "192.168.1.99", "ipcheck"),
        ("custom", "id", "customscript"),
        ("module", "id", "modulecheck"),
        ("rfs", "degraded", "nfsadmin"),
        ("rfs", "rfssync", "set_rfssync"),
        ("rfs", "uptodate", "rfs_forceuptodate"),
        ("rfs", "synced", "syncedcheck"),
        ("rfs", "syncat", "rfsplug"),
    ];
    let values = [Value::Up, Value::Down];
    let resource = |(class, id, setter): (&str, &str, &str)| {
        let name = ResourceName::new(class, id);
        values.clone().map(|value| Message::Resource(name.clone(), value, setter.to_owned()))
    };
    setters.into_iter().flat_map(resource).collect()
}

fn farms() -> Vec<Message> {
    vec![
        Message::FarmMembership { nodes: vec!["node1".into()], group: "FarmProto_0".into() },
        Message::FarmMembership { nodes: vec!["node1".into(), "node2".into()], group: "FarmProto_0".into() },
        Message::FarmLoad { buckets: 0, group: "FarmProto_0".into() },
        Message::FarmLoad { buckets: 128, group: "FarmProto_0".into() },
        Message::FarmLoad { buckets: 256, group: "FarmProto_0".into() },
        Message::Error(Told::same(format!("no clients are shared with node2: {}", Reason::OtherGroups))),
    ]
}

fn others() -> Vec<Message> {
    let script = |name: &str, action: Option<&str>, userlog: Option<&str>| Message::Script {
        name: name.into(),
        action: action.map(Into::into),
        userlog: userlog.map(Into::into),
    };
    let full = RecordError::Io {
        path: "/var/safekit/modules/AM/record".into(),
        action: Attempt::Write,
        source: std::io::Error::from(std::io::ErrorKind::StorageFull),
    };
    let absent = GuardError::Absent {
        path: "/var/safekit/run/safeguard.sock".into(),
        source: nix::errno::Errno::ENOENT,
    };
    vec![
        Message::FailoverOffStopstart,
        Message::Maxloop,
        Message::AloneRemoteStop,
        Message::AloneNoHeartbeat,
        Message::Wakeup,
        Message::StopstartFromFailoverOff,
        Message::NotUptodate,
        Message::RunPrim,
        Message::Inconsistent,
        Message::RunPrimforce,
        Message::UpdatingTree("/replicated".into()),
        Message::Copied("120 MB, 12 files, 3 s, 40960 KB/sec".into()),
        Message::ReintegrationEnded("default".into()),
        Message::ReintegrationProgress("/replicated: 40 of 120 MB".into()),
        Message::ReintegrationStalled(15),
        Message::ReintegrationGoesOn,
        Message::UptodateData,
        Message::AbnormalDelta,
        Message::TlsHandshake("7".into()),
        Message::LinkRestored("/replicated".into()),
        Message::Rescued { archive: "2026-03-01T12-00-00Z".into(), files: 3, bytes: 5000, left_out: 0 },
        Message::Rescued { archive: "2026-03-01T12-00-00Z".into(), files: 3, bytes: 5000, left_out: 2 },
        Message::BoxReplaced(Told::same("its mounts were taken over")),
        Message::BoxReplaced(Told::same(
            "its mounts cannot be taken over: the records of the mount are damaged",
        )),
        Message::Action(Command::StopWait, Caller::Rule("degraded_server".into())),
        Message::OtherDistrusted("https://10.0.0.100:9453".into(), TlsFault::Issuer),
        Message::StreamLost(Told::same("no acknowledgement for 100 s")),
        Message::StreamResumed("/replicated".into()),
        Message::PrimAborted,
        Message::SecondAborted,
        Message::VipSet("192.168.1.99".into()),
        script("prestart", Some("start"), Some("userlog_2024-02-12T091315_prestart.ulog")),
        script("start_prim", None, Some("userlog_2024-02-12T091410_start_prim.ulog")),
        script("stop_prim", None, Some("userlog_2024-02-12T091510_stop_prim.ulog")),
        Message::ScriptTimeout("stop_prim".into(), 300),
        Message::ScriptFailed("start_prim".into(), Told::same("exit status 1")),
        Message::ScriptRunning("start_prim".into(), 60),
        Message::EndOfStop,
        Message::PreviousHaltUnexpected,
        Message::FailoverOff,
        Message::SplitBrainStaying,
        Message::SplitBrainExiting,
        Message::Fenced(Told::same("virtual ip removed, application killed")),
        Message::CannotStop(Told::same("process 4711")),
        Message::HeartbeatsOnlySilent,
        Message::OwnPause(1500),
        Message::Lost(3),
        Message::Error(Told::same(full.to_string())),
        Message::Error(Told::same(absent.to_string())),
        Message::Error(Told::same(GuardError::Silent.to_string())),
        Message::Error(Told::same(safekit::rfs::service::GUARD_AWAY.to_owned())),
    ]
}

/// The errors that automaton and actor of a module word themselves: read from their sources, with
/// `x` for each value.
fn errors_of_filters() -> Vec<String> {
    let module = || "farm".parse().unwrap();
    let errors = [
        FarmError::Missing { what: "the expression hash of nftables".into() },
        FarmError::Gone { module: module() },
        FarmError::NoDevice { device: "eth0".into(), known: "lo, eth1".into() },
        FarmError::Withdrawn { module: module() },
    ];
    errors.iter().map(ToString::to_string).collect()
}

fn errors_of_modules() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dirs = [
        "src/fsm/mirror",
        "src/fsm/farm",
        "src/actors/module",
        "src/actors/module/mirror",
        "src/actors/module/farm",
    ];
    let files = dirs.map(|dir| fs::read_dir(root.join(dir)).unwrap());
    let files = files.into_iter().flatten().map(|file| file.unwrap().path()).filter(|path| path.is_file());
    let sources: String = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    // The English text; one that ends with a space has the reason behind it.
    let error = Regex::new(r#"told!\(\s*"((?:[^"\\]|\\.)*)""#).unwrap();
    let value = Regex::new(r"\{[^}]*\}").unwrap();
    let text = |found: regex::Captures<'_>| {
        let text = value.replace_all(&found[1], "x").replace("\\\"", "\"");
        if text.ends_with(' ') { text + "x" } else { text }
    };
    error.captures_iter(&sources).map(text).collect()
}
