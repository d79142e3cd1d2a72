//! A load balancer that asks the web service for the health of a module (NET-50).
//!
//! Times prove nothing on a busy machine; the order of events does. HAProxy's health checks go through two
//! of its own proxies, which log each with what HAProxy thought of the server when it asked, and with the
//! answer. So each change must come with the first check that finds something new: within an interval.

use crate::support::{Cluster, MODULE, Mirror, Node, eventually};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

const HAPROXY: &str = r#"global
    nbthread 1
    log stdout format raw local0
defaults
    mode http
    log global
    retries 0
    timeout connect 2s
    timeout check 20s
    timeout client 30s
    timeout server 30s
listen application
    bind 127.0.0.1:8080
    log-format "request %s %ST"
    option log-health-checks
    option httpchk GET /var/modules/m/ready.txt
    http-check send-state
    http-check expect status 200
    default-server check addr 127.0.0.1 inter 500ms fall 1 rise 1 on-marked-down shutdown-sessions
    server node1 10.77.1.1:8000 port 9091
    server node2 10.77.1.2:8000 port 9092
listen checks1
    bind 127.0.0.1:9091
    http-request capture req.hdr(X-Haproxy-Server-State) len 2
    log-format "check node1 %Ts%ms %ST %hr"
    server node1 10.77.1.1:9010
listen checks2
    bind 127.0.0.1:9092
    http-request capture req.hdr(X-Haproxy-Server-State) len 2
    log-format "check node2 %Ts%ms %ST %hr"
    server node2 10.77.1.2:9010
"#;

/// Says which node it is.
const SERVE: &str = r#"mkdir -p "$SAFEUSERVAR/www"
echo "$SAFEKIT_NODE" >"$SAFEUSERVAR/www/index.html"
python3 -m http.server 8000 --directory "$SAFEUSERVAR/www" </dev/null >/dev/null 2>&1 &
echo $! >"$SAFEUSERVAR/server.pid"
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null; do sleep 0.05; done"#;
const UNSERVE: &str = r#"kill $(cat "$SAFEUSERVAR/server.pid") 2>/dev/null; true"#;

/// A health check.
#[derive(Debug)]
struct Check {
    node: String,
    /// When it came, ms since 1970.
    at: u128,
    /// What HAProxy thought of the server.
    up: bool,
    /// The web service said that it serves.
    ready: bool,
    /// The web service said that it does not; else nobody answered.
    not_ready: bool,
}

/// A running HAProxy and its log.
struct Haproxy {
    process: Child,
    log: PathBuf,
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.process.id().cast_signed()),
            nix::sys::signal::Signal::SIGKILL,
        );
        let _ = self.process.wait();
    }
}

impl Haproxy {
    fn start(cluster: &Cluster) -> Haproxy {
        let (config, log) = (cluster.dir().join("haproxy.cfg"), cluster.dir().join("haproxy.log"));
        std::fs::write(&config, HAPROXY).expect("write it");
        let dir = cluster.dir();
        let name = dir.file_name().and_then(|n| n.to_str()).expect("it has a name");
        let (_, state) =
            safekit::sandbox::Sandbox::open(dir.parent().unwrap_or(Path::new("/")), name).expect("it is up");
        let mut haproxy = cluster.client().inside().command(&state, "haproxy");
        haproxy.arg("-db").arg("-f").arg(&config);
        let out = File::create(&log).expect("its log");
        let process = haproxy.stdin(Stdio::null()).stdout(out).stderr(Stdio::null()).spawn();
        Haproxy { process: process.expect("start it"), log }
    }

    fn lines(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).expect("its log");
        // The last line may still be written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole.lines().map(str::to_owned).collect()
    }

    /// The health checks, in their order.
    fn checks(&self) -> Vec<Check> {
        let check = |line: String| {
            let fields: Vec<&str> = line.strip_prefix("check ")?.split(' ').collect();
            let &[node, at, status, state] = &fields[..] else { panic!("{line}") };
            let (at, up) = (at.parse().expect("a time"), state == "{UP}");
            assert!(up || state == "{DO}", "{line}");
            Some(Check { node: node.to_owned(), at, up, ready: status == "200", not_ready: status == "404" })
        };
        self.lines().into_iter().filter_map(check).collect()
    }

    /// Whether it says that the server is up, or down; it says so when that changes.
    fn says(&self, node: &str, up: bool) -> bool {
        let begin = format!("Server application/{node} is ");
        let last =
            self.lines().into_iter().rev().find_map(|line| line.strip_prefix(&begin).map(str::to_owned));
        last.map_or(up, |said| said.starts_with("UP") == up)
    }
}

/// Whether the web service says that the module serves on this node; waits until it does.
fn wait_ready(client: &Node, node: &Node, ready: bool) -> u128 {
    let address = node.inside().address(1);
    let ask = format!(
        "curl -s -m 2 -o /dev/null -w '%{{http_code}}' http://{address}:9010/var/modules/{MODULE}/ready.txt"
    );
    eventually(&format!("{}: ready {ready}", node.name()), || {
        ((client.sh(&ask).stdout == "200") == ready).then_some(())
    });
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
}

/// Clients get to `now`, and only there.
fn follows(haproxy: &Haproxy, client: &Node, now: &Node, before: &Node) {
    let since =
        [(now, true), (before, false)].map(|(node, ready)| (node, ready, wait_ready(client, node, ready)));
    eventually(&format!("HAProxy takes {}", now.name()), || {
        (haproxy.says(now.name(), true) && haproxy.says(before.name(), false)).then_some(())
    });
    for _ in 0..5 {
        let answer = client.sh("curl -s -m 20 http://127.0.0.1:8080/").stdout;
        assert_eq!(answer.trim(), now.name(), "no request goes to a wrong node");
    }
    let checks = haproxy.checks();
    for (node, ready, at) in since {
        let name = node.name();
        let says = |check: &Check| if ready { check.not_ready } else { check.ready };
        let wrong = checks.iter().find(|check| check.node == name && check.at > at && says(check));
        assert!(wrong.is_none(), "{name} is ready: {ready}, since {at}: {wrong:?}");
    }
    each_change_comes_with_the_first_check(&checks);
}

/// What HAProxy thinks at a check is what the check before has found.
fn each_change_comes_with_the_first_check(checks: &[Check]) {
    let mut last: BTreeMap<&str, &Check> = BTreeMap::new();
    for check in checks {
        if let Some(before) = last.insert(&check.node, check) {
            assert_eq!(check.up, before.ready, "{before:?}, then {check:?}");
        }
    }
}

/// Needs `haproxy` (scripts/install-packages.sh --tests).
#[test]
fn v_13_5a_haproxy_follows_the_health_check() {
    let mirror = Mirror { vip: None, ..Mirror::default() };
    let cluster = Cluster::new("haproxy");
    cluster.install(MODULE, &mirror.xml(), &[("start_prim", SERVE), ("stop_prim", UNSERVE)]);
    cluster.start_pair(MODULE);
    let (node1, node2, client) = (cluster.node(1), cluster.node(2), cluster.client());
    let haproxy = Haproxy::start(&cluster);
    follows(&haproxy, client, node1, node2);
    node1.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    follows(&haproxy, client, node2, node1);
    node1.wait_state(MODULE, "SECOND");
    cluster.poweroff(node2);
    node1.wait_state(MODULE, "ALONE");
    follows(&haproxy, client, node1, node2);
    let checks = haproxy.checks();
    for (name, wanted) in [("node1", [true, false, true]), ("node2", [false, true, false])] {
        let mut seen: Vec<bool> =
            checks.iter().filter(|check| check.node == name).map(|check| check.ready).collect();
        seen.dedup();
        assert_eq!(seen, wanted, "{name} has changed twice, and HAProxy has seen both");
    }
}
