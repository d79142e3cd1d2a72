//! The web service as a service of the node (I-4.1.3b), and the passwords that it is given.

use crate::support::{Cluster, Node, eventually};
use safekit::sandbox::WEB;

fn web(node: &Node) -> Option<i32> {
    let services = node.inside().services().expect("the machine answers");
    services.into_iter().find(|service| service.name == WEB).and_then(|service| service.pid)
}

/// Whether something listens on the port of the web service.
fn listens(node: &Node) -> bool {
    node.sh("bash -c 'exec 3<>/dev/tcp/127.0.0.1/9010'").code == 0
}

#[test]
fn i_4_1_3b_the_web_service_is_stopped_started_and_started_at_boot() {
    let cluster = Cluster::with("i_4_1_3b", |o| safekit::sandbox::Options { nodes: 1, ..o });
    let node1 = cluster.node(1);
    assert_eq!(node1.ok(&["boot", "webstatus"]), "on\n");
    node1.ok(&["boot", "weboff"]);
    assert_eq!(node1.ok(&["boot", "webstatus"]), "off\n");
    cluster.poweroff(node1);
    cluster.poweron(node1);
    assert_eq!(node1.safekit(&["webserver", "status"]).stdout, "stopped\n");
    assert_eq!((web(node1), listens(node1)), (None, false));
    node1.ok(&["boot", "webon"]);
    assert_eq!(node1.ok(&["boot", "webstatus"]), "on\n");
    node1.ok(&["webserver", "start"]);
    let first = web(node1).expect("it runs");
    assert!(listens(node1), "it answers when the command returns");
    node1.ok(&["webserver", "stop"]);
    assert_eq!((web(node1), listens(node1)), (None, false));
    assert_eq!(node1.safekit(&["webserver"]).code, 1);
    node1.ok(&["webserver", "start"]);
    assert!(listens(node1) && web(node1).is_some_and(|pid| pid != first));
    a_restart_keeps_who_is_logged_in(node1);
    a_mistake_stops_nothing(node1);
    a_log_that_is_gone_comes_back(node1);
    let log = node1.ok(&["cmdlog"]);
    for command in ["boot weboff", "boot webon", "webserver start", "webserver stop", "webserver restart"] {
        assert!(log.contains(command), "{command}: {log}");
    }
    cluster.poweroff(node1);
    cluster.poweron(node1);
    eventually("it is started at boot again", || web(node1).filter(|_| listens(node1)));
}

/// A stop ends all sessions.
fn a_restart_keeps_who_is_logged_in(node: &Node) {
    node.ok(&["-r", "webservercfg", "-passwd", "pwd of the test"]);
    let (dir, url) = (node.inside().dir(), "http://127.0.0.1:9010/api/v1/session");
    let cookies = dir.join("cookies");
    let login = r#"{"user":"admin","password":"pwd of the test"}"#;
    let json = "-H 'Content-Type: application/json'";
    let said = node.sh(&format!("curl -s -c {} {json} -d '{login}' {url}", cookies.display()));
    assert!(said.stdout.contains(r#""user":"admin""#), "{said:?}");
    let stored = node.inside().safevar().join("web/sessions.json");
    eventually("the session is stored", || stored.exists().then_some(()));
    assert_eq!(
        node.sh("stat -c %U:%G:%a \"$SAFEVAR/web\" \"$SAFEVAR/web/sessions.json\"").stdout,
        "safekit:safekit:700\nsafekit:safekit:600\n"
    );
    let who = || node.sh(&format!("curl -s -b {} {url}", cookies.display())).stdout;
    node.ok(&["webserver", "restart"]);
    assert!(who().contains(r#""user":"admin""#), "{}", who());
    node.ok(&["webserver", "stop"]);
    assert!(!stored.exists());
    node.ok(&["webserver", "start"]);
    assert!(who().contains(r#""authenticated":false"#), "{}", who());
}

/// It may not make files in SAFEVAR: safeadmin makes its logs for it.
fn a_log_that_is_gone_comes_back(node: &Node) {
    let gone = node.sh("rm \"$SAFEVAR/httpd.log\" \"$SAFEVAR/access.log\"");
    assert_eq!(gone.code, 0, "{gone:?}");
    node.ok(&["webserver", "restart"]);
    let (log, pid) = (node.inside().safevar().join("httpd.log"), web(node));
    assert!(std::fs::read_to_string(log).expect("it is there").contains("safewebserver starts"), "{pid:?}");
    assert_eq!(node.sh("stat -c %U:%G:%a \"$SAFEVAR/access.log\"").stdout, "safekit:safekit:640\n");
    let said = std::fs::read_to_string(node.inside().output_of(WEB)).expect("what it has said");
    assert!(!said.contains("cannot open"), "{said}");
}

/// A restart reads httpd.conf before it stops what runs.
fn a_mistake_stops_nothing(node: &Node) {
    let conf = node.inside().safe().join("web/conf/httpd.conf");
    let good = std::fs::read_to_string(&conf).expect("it is there");
    std::fs::write(&conf, format!("{good}Define httpport many\n")).expect("write it");
    let pid = web(node);
    let output = node.safekit(&["webserver", "restart"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("httpd.conf:") && output.stderr.contains("httpport"), "{output:?}");
    assert_eq!(web(node), pid, "it goes on");
    std::fs::write(&conf, good.replace("Define httpport 9010", "Define httpport 9010\n")).expect("write it");
    node.ok(&["webserver", "restart"]);
    assert!(listens(node) && web(node) != pid);
}

#[test]
fn passwords_are_set_without_being_seen() {
    let cluster = Cluster::with("webservercfg", |o| safekit::sandbox::Options { nodes: 1, ..o });
    let node1 = cluster.node(1);
    let file = |name: &str| {
        std::fs::read_to_string(node1.inside().safe().join("web/conf").join(name)).expect("it is there")
    };
    let (users, secret) = (file("user.conf"), file("rcmd.conf"));
    let short = node1.sh("echo new-word | safekit -r webservercfg -rcmdpsswd");
    assert!(short.stderr.starts_with("Warning: this password has fewer than 12 characters: "), "{short:?}");
    assert_eq!((short.code, short.stderr.lines().count()), (0, 1), "it is taken: {short:?}");
    assert_eq!(file("user.conf"), users);
    let second = file("rcmd.conf");
    assert_ne!(second, secret);
    assert_eq!(node1.sh("\"$SAFE/web/bin/htpasswd\" -bB \"$SAFE/web/conf/user.conf\" bob word").code, 0);
    let short = node1.sh("echo new-word | \"$SAFE/bin/webservercfg\" -passwd");
    assert!(short.code == 0 && short.stderr.contains("fewer than 12 characters"), "{short:?}");
    assert_eq!(file("rcmd.conf"), second, "the same password is the same secret");
    let conf = "\"$SAFE/web/conf/user.conf\"";
    let verify = |user: &str, word: &str| {
        node1.sh(&format!("\"$SAFE/web/bin/htpasswd\" -vb {conf} {user} {word}")).code
    };
    assert_eq!((verify("admin", "new-word"), verify("bob", "word"), verify("admin", "word")), (0, 0, 3));
    assert_eq!(node1.sh(&format!("stat -c %U:%G:%a {conf}")).stdout, "safekit:safekit:440\n");
    assert_eq!(node1.sh("safekit -r webservercfg -passwd abc").code, 1, "too short for distributed commands");
    assert_eq!(verify("admin", "new-word"), 0, "what is refused changes nothing");
    let long = node1.sh("echo twelve-chars | safekit -r webservercfg -passwd");
    assert_eq!((long.code, long.stderr.as_str()), (0, ""));
}
