//! Farm modules on two nodes (spec/acceptance.md F-4.3, B-6.3, T-7.14): commands, boot, load shares.

use crate::support::{Cluster, FARM, MODULE, Node, UP_SCRIPTS, Up, eventually};
use crate::up::is_up;

const VIP: &str = "10.77.1.100";
const SHARE: &str = "lbgroup.FarmProto_0";

fn stopped(test: &str, farm: &Up) -> Cluster {
    let cluster = Cluster::new(test);
    cluster.install(MODULE, &farm.xml(), &UP_SCRIPTS);
    cluster
}

/// UP on both nodes, each with half of the clients.
fn up(test: &str) -> Cluster {
    let cluster = stopped(test, &FARM);
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    shares(&cluster, ["50%", "50%"]);
    cluster
}

/// Waits until both are UP and have these shares.
fn shares(cluster: &Cluster, wanted: [&str; 2]) {
    for (node, wanted) in cluster.nodes().iter().zip(wanted) {
        is_up(node);
        has_share(node, wanted);
    }
}

fn has_share(node: &Node, wanted: &str) {
    eventually(&format!("{wanted} of the clients on {}", node.name()), || {
        (node.resource(MODULE, SHARE)? == wanted).then_some(())
    });
}

#[test]
fn f_4_3_1_start_on_all() {
    let cluster = stopped("f_4_3_1", &FARM);
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    for node in cluster.nodes() {
        is_up(node);
        let said = [
            "Action start called by root",
            "Virtual IP 10.77.1.100 set",
            "Script start_both",
            "Local state UP Ready",
        ];
        node.assert_log(MODULE, 0, &said);
        assert!(node.has_address(VIP), "{}", node.name());
    }
}

#[test]
fn b_6_3_t_7_14_membership_and_load() {
    let cluster = up("b_6_3");
    for node in cluster.nodes() {
        let said =
            ["farm membership: node1 node2 (group FarmProto_0)", "farm load: 128/256 (group FarmProto_0)"];
        node.wait_log(MODULE, 0, &said);
    }
    let percent = |node: &Node| {
        let share = node.resource(MODULE, SHARE).expect("it has a share");
        share.trim_end_matches('%').parse::<u32>().expect("a number")
    };
    assert_eq!(cluster.nodes().iter().map(percent).sum::<u32>(), 100);
}

#[test]
fn f_4_3_2_stop_and_start_of_one_node() {
    let cluster = up("f_4_3_2");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    let said = ["Action stop called by root", "Script stop_both", "End of stop", "Local state STOP NotReady"];
    node2.assert_log(MODULE, marks[1], &said);
    assert!(!node2.has_address(VIP));
    assert_eq!(node2.resource(MODULE, SHARE).as_deref(), Some("0%"));
    has_share(node1, "100%");
    let said = ["farm membership: node1 (group FarmProto_0)", "farm load: 256/256 (group FarmProto_0)"];
    node1.wait_log(MODULE, marks[0], &said);
    for text in ["Script ", "Local state", "Action "] {
        node1.assert_not_logged(MODULE, marks[0], text);
    }
    node2.ok(&["start", "-m", MODULE]);
    shares(&cluster, ["50%", "50%"]);
}

#[test]
fn f_4_3_3_restart_keeps_the_load() {
    let cluster = up("f_4_3_3");
    let marks = [cluster.node(1).mark(MODULE), cluster.node(2).mark(MODULE)];
    cluster.node(2).ok(&["restart", "-m", MODULE]);
    let said = [
        "Action restart called by root",
        "Local state UP Transient",
        "Script stop_both",
        "Script start_both",
        "Local state UP Ready",
    ];
    cluster.node(2).wait_log(MODULE, marks[1], &said);
    for (node, from) in cluster.nodes().iter().zip(marks) {
        node.evaluate(MODULE);
        node.assert_not_logged(MODULE, from, "farm ");
    }
    shares(&cluster, ["50%", "50%"]);
}

#[test]
fn f_4_3_8_and_9_shutdown_and_power_off() {
    let cluster = stopped("f_4_3_8", &Up { service: r#"boot="on""#, ..FARM });
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    shares(&cluster, ["50%", "50%"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let other = node2.mark(MODULE);
    let from = node1.mark(MODULE);
    let pid = node1.safeadmin().expect("it runs");
    assert_eq!(node1.sh(&format!("kill -TERM {pid}")).code, 0);
    has_share(node2, "100%");
    eventually("another safeadmin", || node1.safeadmin().filter(|now| *now != pid));
    node1.wait_admin();
    node1.wait_log(MODULE, from, &["Action shutdown called by SYSTEM", "Script stop_both", "End of stop"]);
    for crash in [false, true] {
        let from = node1.mark(MODULE);
        cluster.poweroff(node1);
        has_share(node2, "100%");
        cluster.poweron(node1);
        let unexpected: &[&str] = if crash { &["Previous halt unexpected"] } else { &[] };
        let said = [&["Action start called at boot time"][..], unexpected, &["Script start_both"]].concat();
        node1.wait_log(MODULE, from, &said);
        shares(&cluster, ["50%", "50%"]);
    }
    for text in ["Script ", "Local state", "Action "] {
        node2.assert_not_logged(MODULE, other, text);
    }
}

/// The control plane dies: nobody notices, neither the other node nor the clients (DESIGN 3).
#[test]
fn f_a_new_safeadmin_takes_a_farm_module_over() {
    let cluster = up("f_adopted");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    let pid = node1.safeadmin().expect("it runs");
    assert_eq!(node1.sh(&format!("kill -KILL {pid}")).code, 0);
    eventually("another safeadmin", || node1.safeadmin().filter(|now| *now != pid));
    node1.wait_admin();
    assert!(node1.has_address(VIP));
    shares(&cluster, ["50%", "50%"]);
    for text in ["Script ", "Local state", "Action "] {
        node1.assert_not_logged(MODULE, from, text);
    }
    node2.ok(&["stop", "-m", MODULE]);
    has_share(node1, "100%");
}

/// The control plane hangs: the guard withdraws the share, and nothing else (S8).
#[test]
fn f_a_hung_safeadmin_serves_nobody() {
    let cluster = up("f_hung");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    let signal = |signal: &str| {
        let pid = node1.safeadmin().expect("it runs");
        assert_eq!(node1.sh(&format!("kill -{signal} {pid}")).code, 0);
    };
    signal("STOP");
    has_share(node2, "100%");
    assert!(node1.has_address(VIP));
    signal("CONT");
    node1.wait_admin();
    node1.wait_log(MODULE, from, &["no clients are sent to this node", "Local state UP Ready"]);
    shares(&cluster, ["50%", "50%"]);
    node1.assert_not_logged(MODULE, from, "Script ");
}

/// C-4.4.4, C-4.4.4b and C-4.4.7 of a farm: its interface and its virtual address are watched.
#[test]
fn c_4_4_4_a_farm_watches_its_interface_and_address() {
    let farm = FARM.farm.replace(r#"check="off""#, r#"check="on""#);
    let cluster = stopped("c_4_4_4_farm", &Up { farm: &farm, ..FARM });
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    shares(&cluster, ["50%", "50%"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));

    let from = node2.mark(MODULE);
    cluster.pull(node2, Some("default"));
    node2.wait_state(MODULE, "WAIT");
    let down = [
        "Resource intf.10.77.1.0 set to down by intfcheck",
        "Action wait from failover rule interface_failure",
        "Local state WAIT NotReady",
    ];
    node2.assert_log(MODULE, from, &down);
    has_share(node1, "100%");
    cluster.heal(node2, Some("default"));
    shares(&cluster, ["50%", "50%"]);

    let from = node2.mark(MODULE);
    assert_eq!(node2.sh(&format!("ip addr flush dev eth0 to {VIP}")).code, 0);
    let lost = format!("Resource ip.{VIP} set to down by ipcheck");
    node2.wait_log(MODULE, from, &[&lost, "Action stopstart from failover rule ip_failure"]);
    shares(&cluster, ["50%", "50%"]);
    assert!(node2.has_address(VIP));

    let from = node1.mark(MODULE);
    assert_eq!(node1.sh("ip link set eth0 down").code, 0);
    node1.wait_state(MODULE, "STOP");
    node1.assert_log(MODULE, from, &["Action stop called by intfcheck", "Local state STOP NotReady"]);
    has_share(node2, "100%");
}
