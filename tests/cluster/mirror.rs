//! Mirror scenarios (spec/acceptance.md M), without replicated directories.

use crate::support::{Cluster, eventually};

const MODULE: &str = "m";
const VIP: &str = "10.77.1.100";

/// Heartbeats on both LANs, a virtual address, scripts that say what they do.
const USERCONFIG: &str = r#"<?xml version="1.0"?>
<safe>
  <service mode="mirror" boot="auto">
    <heart pulse="200ms" timeout="2000ms">
      <heartbeat name="default"/>
      <heartbeat name="repli"/>
    </heart>
    <vip>
      <interface check="off" arpreroute="on">
        <real_interface>
          <virtual_addr addr="10.77.1.100" where="one_side_alias" check="off"/>
        </real_interface>
      </interface>
    </vip>
    <user nicestoptimeout="10" forcestoptimeout="10"/>
  </service>
</safe>
"#;

fn pair(test: &str) -> Cluster {
    let cluster = Cluster::new(test);
    cluster.install(MODULE, USERCONFIG, &[("start_prim", "echo started"), ("stop_prim", "echo stopped")]);
    cluster.start_pair(MODULE);
    cluster
}

fn has_vip(node: &crate::support::Node) -> bool {
    node.sh("ip -4 -o addr show").stdout.contains(&format!(" {VIP}/"))
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
    assert!(has_vip(node2) && !has_vip(node1));
}

#[test]
fn m_4_2_3_start_after_a_stop() {
    let cluster = pair("m_4_2_3");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["stop", "-m", MODULE]);
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
    assert!(has_vip(node2) && !has_vip(node1));
}

#[test]
fn m_4_2_6_virtual_ip() {
    let cluster = pair("m_4_2_6");
    let client = cluster.client();
    let mac_of = |n: usize| cluster.node(n).sh("cat /sys/class/net/eth0/address").stdout.trim().to_owned();
    let entry = || client.sh(&format!("ping -c 1 -W 1 {VIP} >/dev/null; ip neigh show {VIP}")).stdout;
    for prim in [1, 2] {
        let (on, off) = (cluster.node(prim), cluster.node(3 - prim));
        assert!(has_vip(on) && !has_vip(off));
        on.wait_log(MODULE, 0, &[&format!("Virtual IP {VIP} set")]);
        let mac = mac_of(prim);
        eventually("the client's ARP entry", || entry().contains(&mac).then_some(()));
        on.ok(&["swap", "-m", MODULE]);
        off.wait_state(MODULE, "PRIM");
        on.wait_state(MODULE, "SECOND");
    }
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

#[test]
fn c_4_4_4_carrier_of_the_virtual_ip_network() {
    let checked = USERCONFIG.replace(r#"<interface check="off""#, r#"<interface check="on""#);
    let cluster = Cluster::new("c_4_4_4");
    cluster.install(MODULE, &checked, &[("start_prim", "echo started"), ("stop_prim", "echo stopped")]);
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    cluster.pull(node1, Some("default"));
    node1.wait_state(MODULE, "WAIT");
    node2.wait_state(MODULE, "ALONE");
    let said = [
        "Resource intf.10.77.1.0 set to down by intfcheck",
        "Action wait from failover rule interface_failure",
        "Transition WAIT_TR from failover rule interface_failure",
    ];
    node1.assert_log(MODULE, from, &said);
    cluster.heal(node1, Some("default"));
    node1.wait_state(MODULE, "SECOND");
    let said = [
        "Resource intf.10.77.1.0 set to up by intfcheck",
        "Action wakeup from failover rule Implicit_wakeup",
    ];
    node1.assert_log(MODULE, from, &said);
}
