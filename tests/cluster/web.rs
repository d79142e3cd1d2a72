//! The web service of a node as browsers, scripts and load balancers meet it.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, UP_SCRIPTS, UPS, eventually};
use serde_json::{Value, json};

const URL: &str = "http://127.0.0.1:9010";
const PASSWORD: &str = "pwd of the test";

fn cluster(test: &str) -> Cluster {
    let cluster = Cluster::with(test, |mut options| {
        options.password = Some(PASSWORD.to_owned());
        options
    });
    cluster.nodes().iter().for_each(wait_web);
    cluster
}

fn wait_web(node: &Node) {
    eventually("the web service answers", || (curl(node, "/api/v1/session").0 == 200).then_some(()));
}

/// Status and body.
fn curl(node: &Node, options_and_path: &str) -> (u16, String) {
    let (options, path) = options_and_path.rsplit_once(' ').unwrap_or(("", options_and_path));
    let said = node.sh(&format!("curl -s -m 20 -w '\\n%{{http_code}}' {options} '{URL}{path}'")).stdout;
    let (body, status) = said.trim_end().rsplit_once('\n').unwrap_or(("", said.trim()));
    (status.parse().unwrap_or(0), body.to_owned())
}

fn log_in(node: &Node, user: &str, password: &str) -> (u16, Value) {
    let body = json!({ "user": user, "password": password });
    let (status, text) =
        curl(node, &format!("-H 'Content-Type: application/json' -d '{body}' /api/v1/session"));
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Writes a file of SAFE/web/conf, or removes it.
fn conf(node: &Node, name: &str, text: Option<&str>) {
    let path = node.inside().safe().join("web/conf").join(name);
    match text {
        Some(text) => std::fs::write(path, text).expect("the disk of the node"),
        None => std::fs::remove_file(path).expect("it is there"),
    }
}

fn restart(node: &Node) {
    node.inside().stop_service("safewebserver").expect("it runs");
    node.inside().start_service("safewebserver").expect("it is stopped");
    wait_web(node);
}

#[test]
fn i_4_1_4_the_console_is_served_without_rights_of_root() {
    let cluster = cluster("i_4_1_4");
    let node1 = cluster.node(1);
    let (status, page) = curl(node1, "-L /");
    assert_eq!(status, 200);
    assert!(page.contains("SafeKit"), "{page}");
    let (status, page) = curl(node1, "/swagger-ui/index.html");
    assert!(status == 200 && page.contains("swagger-ui"), "{status} {page}");
    let services = node1.inside().services().unwrap();
    let pid = services.iter().find(|s| s.name == "safewebserver").unwrap().pid.unwrap();
    let status = node1.sh(&format!("cat /proc/{pid}/status")).stdout;
    no_more_rights(&status);
    let ids = |name: &str| status.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    assert!(!ids("Uid:").split_whitespace().any(|id| id == "0"), "{status}");
    assert!(!ids("Gid:").split_whitespace().any(|id| id == "0"), "{status}");
    for rights in ["CapPrm:", "CapEff:"] {
        assert!(ids(rights).ends_with("\t0000000000000000"), "{status}");
    }
}

/// No program that it starts could have rights that it has not.
fn no_more_rights(status: &str) {
    assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
}

#[test]
fn rights_are_given_up_whoever_starts_it() {
    let cluster = Cluster::with("no_new_privs", |o| safekit::sandbox::Options { nodes: 1, ..o });
    let node1 = cluster.node(1);
    wait_web(node1);
    node1.inside().stop_service("safewebserver").expect("it runs");
    // As root, without a service manager.
    let pid = node1.sh("safewebserver </dev/null >/dev/null 2>&1 & echo $!").stdout;
    wait_web(node1);
    let status = node1.sh(&format!("cat /proc/{}/status; kill {0}", pid.trim())).stdout;
    no_more_rights(&status);
    let uid = status.lines().find(|line| line.starts_with("Uid:")).expect("it has a user");
    assert!(!uid.split_whitespace().any(|id| id == "0"), "{status}");
}

#[test]
fn w_11a_users_of_the_file_and_their_roles() {
    let cluster = cluster("w_11a");
    let node1 = cluster.node(1);
    assert_eq!(node1.sh("echo 'another word' | safekit -r webservercfg -passwd").code, 0);
    eventually("the new password", || (log_in(node1, "admin", "another word").0 == 200).then_some(()));
    assert_eq!(log_in(node1, "admin", PASSWORD).0, 401, "the old one");
    assert_eq!(node1.sh(&format!("echo '{PASSWORD}' | safekit -r webservercfg -passwd")).code, 0);
    eventually("the old one again", || (log_in(node1, "admin", PASSWORD).0 == 200).then_some(()));
    let (status, session) = log_in(node1, "admin", PASSWORD);
    assert_eq!((status, &session["role"]), (200, &json!("Admin")));
    assert_eq!(session["node"], "node1");
    assert_eq!(log_in(node1, "admin", "wrong").0, 401);
    for line in ["login of admin@127.0.0.1\n", "login of admin@127.0.0.1 refused\n"] {
        eventually("the command log knows of it", || node1.ok(&["cmdlog"]).contains(line).then_some(()));
    }
    let admin = std::fs::read_to_string(node1.inside().safe().join("web/conf/user.conf")).unwrap();
    let hash = admin.trim().split_once(':').unwrap().1.to_owned();
    let users: String = ["admin", "manager", "operator1"].map(|user| format!("{user}:{hash}\n")).concat();
    conf(node1, "user.conf", Some(&users));
    let role = |user: &str| log_in(node1, user, PASSWORD).1["role"].clone();
    eventually("new users count", || (role("manager") == "Admin").then_some(()));
    conf(node1, "group.conf", Some("Admin : admin\nControl : manager\nMonitor : operator1 operator2\n"));
    eventually("groups count", || (role("manager") == "Control").then_some(()));
    assert_eq!((role("admin"), role("operator1")), (json!("Admin"), json!("Monitor")));
    conf(node1, "group.conf", Some("Control : manager\n"));
    eventually("admin is not listed", || role("admin").is_null().then_some(()));
    let (status, problem) = curl(node1, &format!("-u 'admin:{PASSWORD}' /metrics"));
    assert_eq!(status, 403, "{problem}");
}

#[test]
fn certificates_of_all_nodes_are_seen_from_one() {
    let cluster = cluster("certificates");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let of = |node: &str| {
        let (status, text) = curl(node1, &format!("-u 'admin:{PASSWORD}' /api/v1/nodes/{node}/certificate"));
        let report: Value = serde_json::from_str(&text).unwrap_or_default();
        (status == 200).then_some(report)
    };
    for node in ["node1", "node2"] {
        let report = eventually(node, || of(node));
        assert_eq!(report["https"], false, "{report}");
    }
    let made = node2.sh(
        "\"$SAFE/web/bin/initssl\" sca && cp \"$SAFE/web/conf/httpd.webconsolessl.conf\" \"$SAFE/web/conf/ssl/\"",
    );
    assert_eq!(made.code, 0, "{made:?}");
    let report = of("node2").expect("it has answered before");
    assert_eq!((&report["https"], &report["warning"]), (&json!(true), &Value::Null), "{report}");
    assert!(report["names"].as_array().unwrap().contains(&json!("node2")), "{report}");
    assert!(report["days_left"].as_i64().unwrap() > 7000, "{report}");
    assert_eq!(of("node1").unwrap()["https"], false);
}

#[test]
fn w_11c_without_login_the_role_is_that_of_httpd_conf() {
    let cluster = cluster("w_11c");
    let node1 = cluster.node(1);
    for (text, role) in [
        ("#Define usefile\n", "Monitor"),
        ("Define httpcontrol\n", "Control"),
        ("Define httpadmin\n", "Admin"),
    ] {
        conf(node1, "httpd.conf", Some(text));
        restart(node1);
        let session: Value = serde_json::from_str(&curl(node1, "/api/v1/session").1).unwrap();
        assert_eq!((&session["role"], &session["authenticated"]), (&json!(role), &json!(true)));
    }
    conf(node1, "httpd.conf", None);
    restart(node1);
    assert_eq!(curl(node1, "/metrics").0, 401);
}

/// The script waits for a file, and leaves a line each time that it runs.
#[test]
fn a_state_script_runs_once_for_all_who_ask() {
    const ASKS: usize = 6;
    let cluster = cluster("state_script");
    let node1 = cluster.node(1);
    let slow = "#!/bin/sh\necho run >> $SAFEUSERVAR/runs\nuntil [ -e $SAFEUSERVAR/go ]; do sleep 0.05; done\necho said\n";
    let scripts: Vec<_> = SCRIPTS.into_iter().chain([("state", slow)]).collect();
    cluster.install_on(&cluster.nodes()[..1], MODULE, &Mirror::default().xml(), &scripts);
    let dir = format!("$SAFEVAR/modules/{MODULE}");
    let runs = || node1.sh(&format!("cat {dir}/runs 2>/dev/null | wc -l")).stdout.trim().to_owned();
    assert_eq!(runs(), "0");
    let ask = format!("-u 'admin:{PASSWORD}' /api/v1/modules/{MODULE}/state?script=true");
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..ASKS).map(|_| scope.spawn(|| curl(node1, &ask))).collect();
        // All of them wait in safeadmin.
        eventually("the first run", || (runs() == "1").then_some(()));
        eventually("all have asked", || {
            let connections = node1.sh("ss -xH state connected src '*safeadmin.sock*' | wc -l").stdout;
            (connections.trim().parse::<usize>().ok()? > ASKS).then_some(())
        });
        node1.sh(&format!("touch {dir}/go"));
        for asked in asked {
            let (status, text) = asked.join().expect("it has ended");
            let report: Value = serde_json::from_str(&text).unwrap_or_default();
            assert_eq!((status, report["script"].as_str().map(str::trim)), (200, Some("said")), "{text}");
        }
    });
    assert_eq!(runs(), "1");
    assert_eq!(curl(node1, &ask).0, 200);
    assert_eq!(runs(), "2", "who asks later has a run of his own");
}

/// `200 OK` or `404 NOT FOUND`, once it is so.
fn wait_ready(node: &Node, ready: bool) {
    let expected = if ready { (200, "OK") } else { (404, "NOT FOUND") };
    eventually("ready.txt", || {
        let (status, text) = curl(node, &format!("/var/modules/{MODULE}/ready.txt"));
        ((status, text.as_str()) == expected).then_some(())
    });
}

#[test]
fn v_13_5a_ready_is_ok_where_clients_are_served() {
    let cluster = cluster("v_13_5a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    // A start script that ends when it is told: the module is Transient until then.
    let slow = ("start_prim", "#!/bin/sh\nuntil [ -e $SAFEUSERVAR/go ]; do sleep 0.05; done\nexit 0\n");
    let others: Vec<_> = SCRIPTS.into_iter().filter(|(name, _)| *name != slow.0).chain([slow]).collect();
    cluster.install(MODULE, &Mirror::default().xml(), &others);
    let go = |node: &Node| node.sh(&format!("touch $SAFEVAR/modules/{MODULE}/go"));
    wait_ready(node1, false);
    node1.ok(&["prim", "-m", MODULE]);
    eventually("ALONE Transient", || (node1.state(MODULE) == "ALONE").then_some(()));
    wait_ready(node1, false);
    go(node1);
    node1.wait_state(MODULE, "ALONE");
    wait_ready(node1, true);
    node2.ok(&["second", "-m", MODULE]);
    cluster.wait_pair(MODULE);
    wait_ready(node1, true);
    wait_ready(node2, false);
    // safeadmin gone: nothing is known.
    node1.inside().stop_service("safeadmin").unwrap();
    wait_ready(node1, false);
    go(node2);
    node2.wait_state(MODULE, "ALONE");
    wait_ready(node2, true);
}

#[test]
fn v_13_5a_ready_is_ok_where_a_module_is_up() {
    for mode in UPS {
        let cluster = cluster(&format!("v_13_5a_{}", mode.mode));
        let node1 = cluster.node(1);
        cluster.install_on(&cluster.nodes()[..1], MODULE, &mode.xml(), &UP_SCRIPTS);
        wait_ready(node1, false);
        node1.ok(&["start", "-m", MODULE]);
        node1.wait_state(MODULE, "UP");
        wait_ready(node1, true);
        node1.ok(&["stop", "-m", MODULE]);
        wait_ready(node1, false);
    }
}
