//! A module that checks another one over the web service (spec/acceptance.md C-4.4.6).

use crate::support::{Authority, Cluster, MODULE, Mirror, Node, SCRIPTS, VALID, eventually};

const OTHER: &str = "other";
const OTHER_VIP: &str = "10.77.1.101";

/// The checked module: a mirror with a virtual address.
fn other() -> String {
    Mirror { vip: Some(OTHER_VIP), ..Mirror::default() }.xml()
}

fn check(more: &str) -> String {
    format!(
        r#"<check><module name="{OTHER}"><to addr="{OTHER_VIP}" interval="300ms" timeout="2" {more}/></module></check>"#
    )
}

/// A light module on node 1 that follows the other one, and does not go to WAIT for a short while.
fn follower(handle_time_ms: u32, more: &str) -> String {
    format!(
        r#"<?xml version="1.0"?>
<safe>
  <service mode="light" boot="off">
    <user nicestoptimeout="10" forcestoptimeout="10"/>
    {}
    <failover period="200" handle_time="{handle_time_ms}"/>
  </service>
</safe>
"#,
        check(more)
    )
}

const FOLLOWER_SCRIPTS: [(&str, &str); 2] = [("start_both", "echo started"), ("stop_both", "echo stopped")];

const RESOURCE: &str = "module.other_10.77.1.101";

fn becomes(node: &Node, value: &str) {
    eventually(&format!("{RESOURCE} {value}"), || (node.resource(MODULE, RESOURCE)? == value).then_some(()));
}

#[test]
fn c_4_4_6a_a_module_waits_for_another_one() {
    let cluster = Cluster::new("c_4_4_6a");
    cluster.install(OTHER, &other(), &SCRIPTS);
    let check = check("");
    cluster.install(MODULE, &Mirror { vip: None, more: &check, ..Mirror::default() }.xml(), &SCRIPTS);
    let nodes = [cluster.node(1), cluster.node(2)];
    for node in nodes {
        node.ok(&["start", "-m", MODULE]);
        node.wait_state(MODULE, "WAIT");
        let said = [
            "Resource module.other_10.77.1.101 set to down by modulecheck",
            "Action wait from failover rule module_failure",
            "Local state WAIT NotReady",
        ];
        node.wait_log(MODULE, 0, &said);
    }
    let marks = nodes.map(|node| node.mark(MODULE));
    cluster.start_pair(OTHER);
    cluster.wait_pair(MODULE);
    for (node, from) in nodes.into_iter().zip(marks) {
        let said = [
            "Resource module.other_10.77.1.101 set to up by modulecheck",
            "Action wakeup from failover rule Implicit_wakeup",
        ];
        node.assert_log(MODULE, from, &said);
        node.assert_not_logged(MODULE, from, "Action stopstart called by modulecheck");
    }
    let marks = nodes.map(|node| node.mark(MODULE));
    cluster.node(1).ok(&["stop", "-m", OTHER]);
    // It is primary on node 2 now: another start of its application.
    cluster.node(2).wait_state(OTHER, "ALONE");
    cluster.wait_pair(MODULE);
    becomes(cluster.node(1), "up");
    let moved = |node: &Node, from: usize| {
        node.log(MODULE)[from..]
            .iter()
            .any(|line| line.contains("called by modulecheck") || line.contains("wakeup"))
    };
    eventually("both have followed", || {
        nodes.into_iter().zip(marks).all(|(node, from)| moved(node, from)).then_some(())
    });
    cluster.wait_pair(MODULE);
}

#[test]
fn c_4_4_6b_a_module_follows_the_restart_of_another_one_until_maxloop() {
    let cluster = Cluster::new("c_4_4_6b");
    cluster.install(OTHER, &other(), &SCRIPTS);
    cluster.install(MODULE, &follower(20_000, ""), &FOLLOWER_SCRIPTS);
    cluster.start_pair(OTHER);
    let node1 = cluster.node(1);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "UP");
    let restart = || {
        node1.ok(&["restart", "-m", OTHER]);
        node1.wait_state(OTHER, "PRIM");
    };
    for _ in 1..=3 {
        let from = node1.mark(MODULE);
        restart();
        begins_anew(node1, from);
    }
    let from = node1.mark(MODULE);
    restart();
    node1.wait_state(MODULE, "STOP");
    node1.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
}

/// The other module has begun anew, and so does this one.
fn begins_anew(node: &Node, from: usize) {
    let said = [
        "Action stopstart called by modulecheck",
        "Script stop_both",
        "End of stop",
        "Action start called automatically",
        "Script start_both",
        "Local state UP Ready",
    ];
    node.wait_log(MODULE, from, &said);
    node.wait_state(MODULE, "UP");
    becomes(node, "up");
}

/// C-4.4.6a and b by HTTPS; and a web service that is not to be trusted says nothing.
#[test]
fn c_4_4_6_by_https() {
    let cluster = Cluster::new("c_4_4_6_https");
    let (one, another) = (Authority::new("one"), Authority::new("another"));
    cluster.with_https(&one, &[OTHER_VIP], "");
    cluster.install(OTHER, &other(), &SCRIPTS);
    cluster.install(MODULE, &follower(20_000, r#"secure="on""#), &FOLLOWER_SCRIPTS);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["start", "-m", MODULE]);
    becomes(node1, "down");
    node1.wait_state(MODULE, "WAIT");
    cluster.start_pair(OTHER);
    node1.wait_state(MODULE, "UP");
    let said = [
        "Resource module.other_10.77.1.101 set to up by modulecheck",
        "Action wakeup from failover rule Implicit_wakeup",
    ];
    node1.assert_log(MODULE, 0, &said);
    let from = node1.mark(MODULE);
    node1.ok(&["restart", "-m", OTHER]);
    begins_anew(node1, from);
    // The other node has the address now, and a certificate of its own for it.
    let from = node1.mark(MODULE);
    node1.ok(&["stop", "-m", OTHER]);
    node2.wait_state(OTHER, "ALONE");
    begins_anew(node1, from);

    let distrusts = |from: usize, why: &str| {
        becomes(node1, "down");
        let line = format!("Module not examined at https://10.77.1.101:9453: its certificate is not {why}");
        node1.wait_log(MODULE, from, &[&line, &format!("Resource {RESOURCE} set to down by modulecheck")]);
    };
    let from = node1.mark(MODULE);
    another.trusted_by(node1);
    distrusts(from, "signed by an authority of SAFE/web/conf/cacert.crt of this node");
    one.trusted_by(node1);
    becomes(node1, "up");
    node1.assert_not_logged(MODULE, from, "called by modulecheck");
    let from = node1.mark(MODULE);
    one.certify(node2, &["10.77.1.2"], VALID);
    distrusts(from, "for this name or address");
    // Said once, whatever is asked meanwhile.
    node1.evaluate(MODULE);
    let said = node1.log(MODULE)[from..].iter().filter(|line| line.contains("Module not examined")).count();
    assert_eq!(said, 1);
}

/// 15.13 of the guide: the modules as they are delivered.
#[test]
fn c_4_4_6c_a_follower_runs_where_its_leader_is_ready() {
    let cluster = Cluster::new("c_4_4_6c");
    let leader = include_str!("../../conf/modules/leader/conf/userconfig.xml");
    let scripts = [
        ("start_prim", include_str!("../../conf/modules/leader/bin/start_prim")),
        ("stop_prim", include_str!("../../conf/modules/leader/bin/stop_prim")),
    ];
    cluster.install("leader", leader, &scripts);
    let follower = include_str!("../../conf/modules/follower/conf/userconfig.xml");
    let scripts = [
        ("start_both", include_str!("../../conf/modules/follower/bin/start_both")),
        ("stop_both", include_str!("../../conf/modules/follower/bin/stop_both")),
    ];
    cluster.install("follower", follower, &scripts);
    let node1 = cluster.node(1);
    node1.ok(&["prim", "-m", "leader"]);
    node1.wait_state("leader", "ALONE");
    node1.wait_state("follower", "UP");
    assert_eq!(node1.resource("follower", "module.leader_127.0.0.1").as_deref(), Some("up"));
    node1.ok(&["stop", "-m", "leader"]);
    node1.wait_state("leader", "STOP");
    assert_eq!(node1.state("follower"), "STOP", "stopped before its leader");
    assert_eq!(cluster.node(2).state("follower"), "STOP");
}

/// The primary of both modules is lost: the secondary of the one sees the other begin anew while it takes
/// over, and must not end in WAIT.
#[test]
fn st_79d_both_modules_fail_over_together() {
    let cluster = Cluster::new("st_79d");
    cluster.install(OTHER, &other(), &SCRIPTS);
    let check = check("");
    cluster.install(MODULE, &Mirror { vip: None, more: &check, ..Mirror::default() }.xml(), &SCRIPTS);
    cluster.start_pair(OTHER);
    cluster.start_pair(MODULE);
    becomes(cluster.node(2), "up");
    cluster.poweroff(cluster.node(1));
    let node2 = cluster.node(2);
    node2.wait_state(OTHER, "ALONE");
    becomes(node2, "up");
    node2.wait_state(MODULE, "ALONE");
    node2.evaluate(MODULE);
    node2.wait_state(MODULE, "ALONE");
}
