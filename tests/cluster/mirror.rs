//! Mirror scenarios (spec/acceptance.md M), without replicated directories.

use crate::support::{Cluster, MODULE, Mirror, Node, VIP, eventually};

fn pair(test: &str) -> Cluster {
    Cluster::pair(test, &Mirror::default(), &[])
}

fn assert_vip_only_on(on: &Node, off: &Node) {
    assert!(on.has_address(VIP), "no {VIP} on {}", on.name());
    assert!(!off.has_address(VIP), "{VIP} still on {}", off.name());
}

#[test]
fn m_4_2_1_start_on_both() {
    let cluster = pair("m_4_2_1");
    for node in [cluster.node(2), cluster.node(1)] {
        node.ok(&["stop", "-m", MODULE]);
        node.wait_state(MODULE, "STOP");
    }
    let marks = [1, 2].map(|n| cluster.node(n).mark(MODULE));
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    let (prim, second) = cluster.wait_pair(MODULE);
    for (node, from) in cluster.nodes().iter().zip(marks) {
        node.assert_log(MODULE, from, &["Action start called by root"]);
        let role = if node.name() == prim.name() { "PRIM" } else { "SECOND" };
        node.assert_log(MODULE, from, &[&format!("Local state {role} Ready")]);
        if role == "SECOND" {
            node.assert_not_logged(MODULE, from, "Script start_prim");
        } else {
            node.assert_log(MODULE, from, &["Script start_prim"]);
        }
    }
    assert_vip_only_on(prim, second);
}

#[test]
fn m_4_2_2_stop_of_the_primary() {
    let cluster = pair("m_4_2_2");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    node1.assert_log(MODULE, from1, &["Action stop called by root", "Script stop_prim", "End of stop"]);
    node2.assert_log(
        MODULE,
        from2,
        &["Action alone called by heart: remote stop", "Script start_prim", "Local state ALONE Ready"],
    );
    assert_vip_only_on(node2, node1);
}

#[test]
fn m_4_2_3_start_after_a_stop() {
    let cluster = pair("m_4_2_3");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    node1.assert_log(MODULE, from1, &["Action start called by root", "Local state SECOND Ready"]);
    node2.assert_not_logged(MODULE, from2, "Script start_prim");
    for node in cluster.nodes() {
        assert_eq!(node.resource(MODULE, "heartbeat.default").as_deref(), Some("up"));
    }
}

#[test]
fn m_4_2_4_restart() {
    let cluster = pair("m_4_2_4");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    node1.ok(&["restart", "-m", MODULE]);
    let said = [
        "Action restart called by root",
        "Local state PRIM Transient",
        "Script stop_prim",
        "Script start_prim",
        "Local state PRIM Ready",
    ];
    node1.wait_log(MODULE, from1, &said);
    node2.assert_not_logged(MODULE, from2, "Local state");
}

#[test]
fn m_4_2_5_swap() {
    let cluster = pair("m_4_2_5_swap");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    node1.ok(&["swap", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    let said =
        ["Action swap called by root", "Transition SWAP from SYSTEM", "Begin of Swap", "Script stop_prim"];
    node1.assert_log(MODULE, from1, &said);
    node2.assert_log(MODULE, from2, &["Begin of Swap", "Script start_prim"]);
    assert_vip_only_on(node2, node1);
}

#[test]
fn m_4_2_5b_swap_nosync_from_the_secondary() {
    let cluster = pair("m_4_2_5b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node2.ok(&["swap", "nosync", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    assert_vip_only_on(node2, node1);
}

#[test]
fn m_4_2_6_virtual_ip() {
    let cluster = pair("m_4_2_6");
    let client = cluster.client();
    let mac_of = |n: usize| cluster.node(n).sh("cat /sys/class/net/eth0/address").stdout.trim().to_owned();
    let entry = || client.sh(&format!("ping -c 1 -W 1 {VIP} >/dev/null; ip neigh show {VIP}")).stdout;
    for prim in [1, 2] {
        let (on, off) = (cluster.node(prim), cluster.node(3 - prim));
        assert_vip_only_on(on, off);
        on.wait_log(MODULE, 0, &[&format!("Virtual IP {VIP} set")]);
        let mac = mac_of(prim);
        eventually("the client's ARP entry", || entry().contains(&mac).then_some(()));
        on.ok(&["swap", "-m", MODULE]);
        off.wait_state(MODULE, "PRIM");
        on.wait_state(MODULE, "SECOND");
    }
}

#[test]
fn m_4_2_8_proper_shutdown() {
    let cluster = pair("m_4_2_8");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    node1.inside().stop_service("safeadmin").expect("it stops its modules and ends");
    node2.wait_state(MODULE, "ALONE");
    node2.assert_log(MODULE, from2, &["Action alone called by heart: remote stop", "Script start_prim"]);
    assert_vip_only_on(node2, node1);
    // The machine goes down and comes back.
    cluster.poweroff(node1);
    cluster.poweron(node1);
    let said = [
        "Action shutdown called by SYSTEM",
        "Script stop_prim",
        "End of stop",
        "Action start called at boot time",
    ];
    node1.wait_log(MODULE, from1, &said);
    node1.assert_not_logged(MODULE, from1, "Previous halt unexpected");
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
}

#[test]
fn m_4_2_9_power_off_of_the_primary() {
    let cluster = pair("m_4_2_9");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node2.mark(MODULE);
    cluster.poweroff(node1);
    node2.wait_state(MODULE, "ALONE");
    for lan in ["default", "repli"] {
        node2.assert_log(MODULE, from, &[&format!("Resource heartbeat.{lan} set to down by heart")]);
    }
    let said = [
        "Remote state UNKNOWN Unknown",
        "Action alone called by heart: no heartbeat",
        "Script start_prim",
        "Local state ALONE Ready",
    ];
    node2.assert_log(MODULE, from, &said);
    cluster.poweron(node1);
    node1.wait_log(MODULE, 0, &["Action start called at boot time", "Previous halt unexpected"]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
}

#[test]
fn m_4_2_10_split_brain() {
    let cluster = pair("m_4_2_10");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    cluster.cut(node2, None);
    for (node, from) in cluster.nodes().iter().zip(marks) {
        node.wait_state(MODULE, "ALONE");
        node.assert_log(MODULE, from, &["Remote state UNKNOWN Unknown", "Local state ALONE Ready"]);
    }
    cluster.heal(node2, None);
    let (prim, second) = cluster.wait_pair(MODULE);
    assert_eq!((prim.name(), second.name()), ("node1", "node2"));
    node1.assert_log(MODULE, marks[0], &["Remote state ALONE Ready", "Split brain recovery: staying alone"]);
    let said = ["Remote state ALONE Ready", "Split brain recovery: exiting alone", "Script stop_prim"];
    node2.assert_log(MODULE, marks[1], &said);
}
