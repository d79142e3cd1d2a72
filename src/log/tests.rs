use super::{Lang, Level, Message};
use crate::fsm::command::{Caller, Command};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::{Readiness, Role};
use crate::net::tls::TlsFault;
use crate::told::Told;

fn actions() -> Vec<Message> {
    let user = || Caller::User("admin@10.0.0.103".into());
    let identity = |who: &str| Caller::Identity(who.into());
    let rule = |rule: &str| Caller::Rule(rule.into());
    [
        (Command::Start, user()),
        (Command::Start, Caller::Boot),
        (Command::Start, Caller::Automatic),
        (Command::Stop, Caller::User("root".into())),
        (Command::Stop, identity("start_both")),
        (Command::Restart, user()),
        (Command::Swap { nosync: false }, user()),
        (Command::StopStart, user()),
        (Command::ForceStop, user()),
        (Command::Prim { fullsync: true }, user()),
        (Command::Second { fullsync: false }, user()),
        (Command::PrimForce, Caller::System),
        (Command::Shutdown, Caller::System),
        (Command::Restart, identity("errd")),
        (Command::StopStart, identity("customscript")),
        (Command::StopStart, identity("modulecheck")),
        (Command::Restart, rule("t_id")),
        (Command::StopWait, rule("interface_failure")),
        (Command::Failover(false), user()),
        (Command::Checker(true), user()),
    ]
    .into_iter()
    .map(|(command, caller)| Message::Action(command, caller))
    .collect()
}

fn resources() -> Vec<Message> {
    [
        ("heartbeat", "default", "down", "heart"),
        ("tcp", "id", "down", "tcpcheck"),
        ("tcp", "id", "up", "tcpcheck"),
        ("ping", "id", "down", "pingcheck"),
        ("intf", "ip.0", "up", "intfcheck"),
        ("module", "other_10.0.0.1", "unknown", "modulecheck"),
        ("custom", "id", "down", "customscript"),
        ("custom", "id", "init", "heart"),
        ("ip", "192.168.1.99", "down", "ipcheck"),
        ("rfs", "degraded", "up", "nfsadmin"),
        ("splitbrain", "uptodate", "down", "splitbraincheck"),
        ("rfs", "rfssync", "up", "set_rfssync"),
        ("heart", "stopstartloop", "1707700000", "heart"),
    ]
    .into_iter()
    .map(|(class, id, value, setter)| {
        Message::Resource(ResourceName::new(class, id), Value::from(value), setter.into())
    })
    .collect()
}

fn states() -> Vec<Message> {
    use Readiness::{NotReady, Ready, Transient};
    let local = [
        (Role::Stop, NotReady),
        (Role::Wait, NotReady),
        (Role::Wait, Transient),
        (Role::Alone, Ready),
        (Role::Prim, Ready),
        (Role::Second, Ready),
        (Role::Up, Ready),
    ];
    let remote = [(Role::Alone, Ready), (Role::Prim, Transient), (Role::Second, Ready)];
    let local = local.map(|(role, readiness)| Message::LocalState(role, readiness));
    let remote = remote.map(|(role, readiness)| Message::RemoteState(role, readiness));
    local.into_iter().chain(remote).chain([Message::RemoteUnknown]).collect()
}

fn faults() -> Vec<Message> {
    let fault = |fault| Message::OtherDistrusted("https://10.0.0.1:9453".into(), fault);
    [
        TlsFault::Authority("/opt/safekit/web/conf/cacert.crt: No such file".into()),
        TlsFault::Issuer,
        TlsFault::Expired,
        TlsFault::NotYetValid,
        TlsFault::Name,
        TlsFault::Plain,
        TlsFault::Other("peer is incompatible".into()),
    ]
    .map(fault)
    .to_vec()
}

fn others() -> Vec<Message> {
    let rule = |command| Message::TransitionFromRule(command, "c_id".into());
    let script = |name: &str, action: Option<&str>, userlog: Option<&str>| Message::Script {
        name: name.into(),
        action: action.map(Into::into),
        userlog: userlog.map(Into::into),
    };
    vec![
        Message::FailoverOffStopstart,
        Message::Maxloop,
        Message::AloneRemoteStop,
        Message::AloneNoHeartbeat,
        Message::Wakeup,
        Message::InternalAction("alone_to_pri_2a".into(), Ok(())),
        Message::InternalAction("alone_to_pri_2a".into(), Err(Told::same("timeout"))),
        Message::SwapFromSystem,
        Message::SwapFromDefaultprim,
        Message::StopstartFromFailoverOff,
        rule(Command::StopWait),
        rule(Command::Restart),
        rule(Command::StopStart),
        rule(Command::Swap { nosync: false }),
        rule(Command::Stop),
        Message::BeginOfSwap,
        Message::InternalState("ALONE_TO_PRI_2".into()),
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
        Message::StreamLost(Told::same("no acknowledgement for 100 s")),
        Message::StreamResumed("/replicated".into()),
        Message::PrimAborted,
        Message::SecondAborted,
        Message::VipSet("192.168.1.99".into()),
        Message::FarmMembership { nodes: vec!["node1".into(), "node2".into()], group: "FarmProto_0".into() },
        Message::FarmLoad { buckets: 128, group: "FarmProto_0".into() },
        script("prestart", Some("start"), Some("userlog_2024-02-12T091315_prestart.ulog")),
        script("start_prim", None, Some("userlog_2024-02-12T091410_start_prim.ulog")),
        script("start_prim", None, None),
        Message::ScriptTimeout("stop_prim".into(), 300),
        Message::ScriptFailed("start_prim".into(), Told::same("exit status 1")),
        Message::ScriptRunning("stop_prim".into(), 60),
        Message::EndOfStop,
        Message::PreviousHaltUnexpected,
        Message::FailoverOff,
        Message::SplitBrainStaying,
        Message::SplitBrainExiting,
        Message::Fenced(Told::same("virtual IP removed")),
        Message::CannotStop(Told::same("process 4711")),
        Message::HeartbeatsOnlySilent,
        Message::OwnPause(1500),
        Message::Print(Level::I, "start mybin".into()),
        Message::Print(Level::E, "start_prim failed".into()),
        Message::Error(Told::same("something is wrong")),
        Message::Lost(3),
    ]
}

/// The table is reviewed like code: users and tests search for these texts.
#[test]
fn every_message_in_both_languages() {
    let all = [actions(), others(), faults(), states(), resources()].concat();
    let table: String = all
        .iter()
        .map(|m| {
            let (level, origin) = (m.level(), m.origin());
            format!("{level} {origin:<16}{}\n{:18}{}\n", m.text(Lang::En), "", m.text(Lang::Fr))
        })
        .collect();
    assert!(table == include_str!("messages.golden"), "messages.golden should be:\n{table}");
}

#[test]
fn levels_have_one_letter_each() {
    for level in [Level::C, Level::E, Level::U, Level::S, Level::W, Level::I, Level::D] {
        assert_eq!(level.to_string().parse(), Ok(level));
    }
    assert!("X".parse::<Level>().unwrap_err().to_string().contains("\"X\""));
    assert!(Level::S.is_main() && !Level::W.is_main());
}
