//! The web service as a service of the node (I-4.1.3b), and a load balancer that asks it for the health of
//! a module (NET-50).

use crate::support::{Cluster, MODULE, Mirror, Node, eventually};
use safekit::sandbox::WEB;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

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
    a_mistake_stops_nothing(node1);
    let log = node1.ok(&["cmdlog"]);
    for command in ["boot weboff", "boot webon", "webserver start", "webserver stop", "webserver restart"] {
        assert!(log.contains(command), "{command}: {log}");
    }
    cluster.poweroff(node1);
    cluster.poweron(node1);
    eventually("it is started at boot again", || web(node1).filter(|_| listens(node1)));
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
    assert_eq!(node1.sh("echo new-word | safekit -r webservercfg -rcmdpsswd").code, 0);
    assert_eq!(file("user.conf"), users);
    let second = file("rcmd.conf");
    assert_ne!(second, secret);
    assert_eq!(node1.sh("\"$SAFE/web/bin/htpasswd\" -bB \"$SAFE/web/conf/user.conf\" bob word").code, 0);
    assert_eq!(node1.sh("echo new-word | \"$SAFE/bin/webservercfg\" -passwd").code, 0);
    assert_eq!(file("rcmd.conf"), second, "the same password is the same secret");
    let conf = "\"$SAFE/web/conf/user.conf\"";
    let verify = |user: &str, word: &str| {
        node1.sh(&format!("\"$SAFE/web/bin/htpasswd\" -vb {conf} {user} {word}")).code
    };
    assert_eq!((verify("admin", "new-word"), verify("bob", "word"), verify("admin", "word")), (0, 0, 3));
    assert_eq!(node1.sh(&format!("stat -c %U:%G:%a {conf}")).stdout, "safekit:safekit:440\n");
    assert_eq!(node1.sh("safekit -r webservercfg -passwd abc").code, 1, "too short for distributed commands");
    assert_eq!(verify("admin", "new-word"), 0, "what is refused changes nothing");
}

/// The check interval of HAProxy.
const INTERVAL: Duration = Duration::from_millis(500);

const HAPROXY: &str = "\
defaults
    mode http
    timeout connect 2s
    timeout client 5s
    timeout server 5s
listen application
    bind 127.0.0.1:8080
    option httpchk GET /var/modules/m/ready.txt
    http-check expect status 200
    default-server check port 9010 inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions
    server node1 10.77.1.1:8000
    server node2 10.77.1.2:8000
";

/// Says which node it is.
const SERVE: &str = r#"mkdir -p "$SAFEUSERVAR/www"
echo "$SAFEKIT_NODE" >"$SAFEUSERVAR/www/index.html"
python3 -m http.server 8000 --directory "$SAFEUSERVAR/www" </dev/null >/dev/null 2>&1 &
echo $! >"$SAFEUSERVAR/server.pid"
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null; do sleep 0.05; done"#;
const UNSERVE: &str = r#"kill $(cat "$SAFEUSERVAR/server.pid") 2>/dev/null; true"#;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().cast_signed()),
            nix::sys::signal::Signal::SIGKILL,
        );
        let _ = self.0.wait();
    }
}

/// Needs `haproxy` (scripts/install-packages.sh --tests).
#[test]
fn v_13_5a_haproxy_follows_the_health_check() {
    let mirror = Mirror { vip: None, ..Mirror::default() };
    let cluster = Cluster::new("haproxy");
    cluster.install(MODULE, &mirror.xml(), &[("start_prim", SERVE), ("stop_prim", UNSERVE)]);
    cluster.start_pair(MODULE);
    let client = cluster.client();
    let file = cluster.dir().join("haproxy.cfg");
    std::fs::File::create(&file).and_then(|mut f| f.write_all(HAPROXY.as_bytes())).expect("write it");
    let (_, state) = safekit::sandbox::Sandbox::open(
        cluster.dir().parent().expect("it has a parent"),
        cluster.dir().file_name().and_then(|n| n.to_str()).expect("it has a name"),
    )
    .expect("open it");
    let mut haproxy = client.inside().command(&state, "haproxy");
    haproxy.arg("-db").arg("-f").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let _haproxy = Killed(haproxy.spawn().expect("start it"));
    let answered = || client.sh("curl -s -m 2 http://127.0.0.1:8080/").stdout;
    let follows = |node: &Node, what: &str| {
        let since = Instant::now();
        eventually(&format!("{what}: {} answers", node.name()), || {
            (answered().trim() == node.name()).then_some(())
        });
        // Once the node is Ready: an interval, and what a busy machine takes.
        assert!(since.elapsed() < INTERVAL + Duration::from_secs(10), "{what}: {:?}", since.elapsed());
    };
    follows(cluster.node(1), "at the beginning");
    cluster.node(1).ok(&["swap", "-m", MODULE]);
    cluster.node(2).wait_state(MODULE, "PRIM");
    follows(cluster.node(2), "after a swap");
    cluster.node(1).wait_state(MODULE, "SECOND");
    cluster.poweroff(cluster.node(2));
    cluster.node(1).wait_state(MODULE, "ALONE");
    follows(cluster.node(1), "after a power failure");
}
