//! Printed answers, letter by letter.

use super::*;
use crate::control::{DifferentFile, LoopReport, Stamp};
use crate::fsm::resource::{ResourceName, Value};
use crate::fsm::state::Role;
use crate::ids::{ModuleName, NodeName};
use crate::log::Level;
use crate::node::rfssync::Side;

fn am() -> ModuleName {
    "mirror".parse().unwrap()
}

fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

fn state(role: Role, readiness: Readiness, remote: Option<&str>) -> StateReport {
    StateReport {
        module: am(),
        mode: "mirror".to_owned(),
        role,
        readiness,
        remote: remote.map(str::to_owned),
        since: "2024-02-13 09:03:12".to_owned(),
        reason: None,
        resources: Vec::new(),
        script: None,
    }
}

fn check(reply: Reply, expected: &str) {
    assert_eq!(text(&reply), expected);
}

#[test]
fn states_and_the_reason_of_those_not_ready() {
    let mut farm = state(Role::Up, Readiness::Ready, None);
    (farm.module, farm.mode) = ("f".parse().unwrap(), "farm".to_owned());
    farm.reason = Some("not shown when Ready".to_owned());
    let mut wait = state(Role::Wait, Readiness::NotReady, Some("UNKNOWN Unknown"));
    wait.reason = Some("tcp.app is down\u{7}".to_owned());
    check(
        Reply::State(vec![farm, wait]),
        "\
Module  Mode    Local state    Remote state     Since
f       farm    UP Ready       -                2024-02-13 09:03:12
mirror  mirror  WAIT NotReady  UNKNOWN Unknown  2024-02-13 09:03:12
mirror: tcp.app is down? (see safekit explain -m mirror)
",
    );
}

#[test]
fn verbose_state_has_the_resources_and_the_script() {
    let mut one = state(Role::Prim, Readiness::Ready, Some("SECOND Ready"));
    one.script = Some("3 users\n".to_owned());
    one.resources = vec![
        ResourceRow {
            resource: ResourceName::new("state", "local"),
            value: Value::from("PRIM Ready"),
            date: Some("2024-02-13 09:03:12".to_owned()),
            label: "Local state".to_owned(),
        },
        ResourceRow {
            resource: ResourceName::new("custom", "web"),
            value: Value::Init,
            date: None,
            label: String::new(),
        },
    ];
    check(
        Reply::State(vec![one]),
        "\
Module  Mode    Local state  Remote state  Since
mirror  mirror  PRIM Ready   SECOND Ready  2024-02-13 09:03:12

Resource     Value       Date                 Label
state.local  PRIM Ready  2024-02-13 09:03:12  Local state
custom.web   init        -

3 users
",
    );
}

#[test]
fn level_is_that_of_the_guide() {
    let report = LevelReport {
        host: "node1".to_owned(),
        os: "Linux 6.1".to_owned(),
        safekit: "8.2".to_owned(),
        license: "Demo (No license)".to_owned(),
        module: Some("app 3\n".to_owned()),
    };
    let shown = "Host : node1\nOS : Linux 6.1\nSafeKit : 8.2\nLicense : Demo (No license)\n\napp 3\n";
    check(Reply::Level(report), shown);
}

#[test]
fn logs_are_those_of_the_guide() {
    check(
        Reply::Log(vec![LogLine {
            id: 7,
            date: "2021-08-06 08:40:20.909224".to_owned(),
            origin: "reintegre".to_owned(),
            level: Level::E,
            text: "a\u{1b}[2J".to_owned(),
        }]),
        "| 2021-08-06 08:40:20.909224 | reintegre | E | a?[2J\n",
    );
    let row = |kind: &str, module: &str, event: &str, text: &str| CommandRow {
        date: "2021-07-27 14:37:33.205122".to_owned(),
        kind: kind.to_owned(),
        module: module.to_owned(),
        pid: 6883,
        event: event.to_owned(),
        text: text.to_owned(),
    };
    check(
        Reply::Commands(vec![row("safekit", "mirror", "START", "config -m mirror"), row("", "", "END", "0")]),
        "\
| 2021-07-27 14:37:33.205122 | safekit | mirror | 6883 | START | config -m mirror
| 2021-07-27 14:37:33.205122 |  |  | 6883 | END | 0
",
    );
}

#[test]
fn ports_are_those_of_the_guide() {
    let port = |process: &str, name: &str, protocol: &str, port| PortRow {
        process: process.to_owned(),
        name: name.to_owned(),
        protocol: protocol.to_owned(),
        port,
    };
    check(
        Reply::Ports(vec![
            port("safeadmin", "port", "UDP", 4800),
            port("webconsole", "port", "TCP", 9010),
            port("heart", "port", "UDP", 8888),
            port("rfs", "safenfs_port", "TCP", 5600),
        ]),
        "\
List of the ports used by SafeKit

Process       Ports
safeadmin
port          UDP 4800
webconsole
port          TCP 9010
heart
port          UDP 8888
rfs
safenfs_port  TCP 5600
",
    );
}

#[test]
fn cluster_tables() {
    let row = |name: &str, lock| ClusterNodeRow {
        node: node(name),
        signature: "6f1032b1".to_owned(),
        date: "2016-05-20T17:06:45".to_owned(),
        lock,
    };
    check(
        Reply::ClusterNodes(vec![row("rh6server7", false), row("rh7", true)]),
        "\
Node        Signature  Date                 Lock
rh6server7  6f1032b1   2016-05-20T17:06:45  0
rh7         6f1032b1   2016-05-20T17:06:45  1
",
    );
    check(
        Reply::ClusterState(vec![ClusterStateRow {
            node: node("n1"),
            module: am(),
            mode: "mirror".to_owned(),
            id: 1,
            date: "2016-05-20T17:06:45".to_owned(),
            signature: "aa".to_owned(),
        }]),
        "\
Node  Module  Mode    Id  Date                 Signature
n1    mirror  mirror  1   2016-05-20T17:06:45  aa
",
    );
    let result = |check: &str, status| CheckRow {
        check: check.to_owned(),
        status,
        found: "found".to_owned(),
        advice: Some("do this".to_owned()),
    };
    check(
        Reply::Checks(vec![
            result("key", CheckStatus::Ok),
            result("clock", CheckStatus::Warning),
            result("port 4800", CheckStatus::Error),
        ]),
        "ok   key: found\nwarn clock: found\n       -> do this\nFAIL port 4800: found\n       -> do this\n",
    );
}

#[test]
fn configurations_that_differ_are_said_so() {
    let stamp = |signature: &str, date| Stamp { signature: signature.to_owned(), date };
    let info = |active| Reply::ConfInfo(ConfInfo { active, current: stamp("bb", 1_700_000_001) });
    let head = "Configuration  Signature  Date\n";
    let current = "current        bb         1700000001\n";
    let hint = "The current configuration is not applied: run safekit config\n";
    check(info(Some(stamp("bb", 17))), &format!("{head}active         bb         17\n{current}"));
    check(info(Some(stamp("aa", 17))), &format!("{head}active         aa         17\n{current}{hint}"));
    check(info(None), &format!("{head}active         -          -\n{current}{hint}"));
}

#[test]
fn explain_says_why_and_what_to_do() {
    let report = ExplainReport {
        module: am(),
        state: "WAIT NotReady".to_owned(),
        since: "2024-02-13 09:03:12".to_owned(),
        reasons: vec!["the data may be stale".to_owned()],
        advice: vec!["start the other node".to_owned(), "or run safekit prim".to_owned()],
    };
    check(
        Reply::Explain(report.clone()),
        "\
mirror: WAIT NotReady since 2024-02-13 09:03:12
Why:
  - the data may be stale
What to do:
  1. start the other node
  2. or run safekit prim
",
    );
    let short = ExplainReport { reasons: vec![], advice: vec![], ..report };
    check(Reply::Explain(short), "mirror: WAIT NotReady since 2024-02-13 09:03:12\n");
}

#[test]
fn modules_and_boot() {
    let module = |name: &str, id| ModuleRow {
        module: name.parse().unwrap(),
        id,
        mode: Some("mirror".to_owned()),
        configured: true,
    };
    let modules = Reply::Modules(vec![module("a", 1), module("longer", 12)]);
    assert_eq!(text(&modules), "a       1\nlonger  12\n");
    assert_eq!(bare(&modules), "a\nlonger\n");
    let boot = |on, configured: Option<&str>| BootRow {
        module: am(),
        on,
        configured: configured.map(str::to_owned),
    };
    let boots = Reply::Boot(vec![boot(false, None), boot(true, Some("auto"))]);
    assert_eq!(text(&boots), "mirror  off\nmirror  on   (boot=\"auto\" in userconfig.xml)\n");
    assert_eq!(bare(&boots), "off\non\n");
}

#[test]
fn json_is_one_value_a_line() {
    let state = Reply::State(vec![state(Role::Alone, Readiness::Ready, None)]);
    assert_eq!(
        json(&state),
        "[{\"module\":\"mirror\",\"mode\":\"mirror\",\"role\":\"ALONE\",\"readiness\":\"Ready\",\"remote\":null,\
         \"since\":\"2024-02-13 09:03:12\",\"reason\":null,\"resources\":[],\"script\":null}]\n"
    );
    let line = |text: &str| LogLine {
        id: 7,
        date: "d".to_owned(),
        origin: "heart".to_owned(),
        level: Level::U,
        text: text.to_owned(),
    };
    let lines = json(&Reply::Log(vec![line("x"), line("y")]));
    let second = "{\"id\":7,\"date\":\"d\",\"origin\":\"heart\",\"level\":\"U\",\"text\":\"y\"}";
    assert_eq!(lines.lines().nth(1), Some(second));
    assert_eq!(json(&Reply::Text("t".to_owned())), "{\"text\":\"t\"}\n");
    let count = LoopReport { count: 1, limit: 3, reached: false };
    assert_eq!(json(&Reply::Loop(count)), "{\"count\":1,\"limit\":3,\"reached\":false}\n");
}

#[test]
fn replicated_directories() {
    let shown = |report| text(&Reply::Rfs(report));
    let external = Policy::External { side: Side::Prim, uid: "monday".to_owned(), detect: false };
    assert_eq!(
        shown(RfsReport::Policy(external.clone())),
        "Synchronization  Policy\nmode             external\nrole             prim\nuid              monday\n\
         Modifications before the start of the module are not detected (-d)\n"
    );
    assert_eq!(
        json(&Reply::Rfs(RfsReport::Policy(external))),
        "{\"policy\":{\"external\":{\"side\":\"prim\",\"uid\":\"monday\",\"detect\":false}}}\n"
    );
    let file = DifferentFile { path: "/replicated/a".to_owned(), what: "content".to_owned() };
    assert_eq!(shown(RfsReport::Different(vec![file])), "/replicated/a: content\n");
    assert_eq!(
        shown(RfsReport::Verified { examined: 12, different: 1 }),
        "12 files compared, different: 1\n"
    );
    assert_eq!(
        shown(RfsReport::Diff { files: 3, bytes: 2049, seconds: 1, rate: 20, known: true }),
        "Modified files      3\nTo copy             3 KB\nEstimated duration  1 s (at 20 KB/s)\n"
    );
}
