//! Administration of a mirror (spec/acceptance.md A, chapter 5), without replicated directories.

use crate::support::{Cluster, MODULE, Mirror};

#[test]
fn a_5_7a_failover_on() {
    let mirror = Mirror { service: r#"boot="off" failover="on""#, ..Mirror::default() };
    let cluster = Cluster::pair("a_5_7a", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node2.mark(MODULE);
    assert_eq!(node2.resource(MODULE, "usersetting.failover").as_deref(), Some("on"));
    node1.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node1.wait_state(MODULE, "STOP");
    let said = ["Action alone called by heart: remote stop", "Script start_prim", "Local state ALONE Ready"];
    node2.assert_log(MODULE, from, &said);
    node2.assert_not_logged(MODULE, from, "Failover-off configured");
}

#[test]
fn a_5_7b_failover_off() {
    let mirror = Mirror { service: r#"boot="off" failover="off""#, ..Mirror::default() };
    let cluster = Cluster::pair("a_5_7b", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node2.mark(MODULE);
    node1.ok(&["stop", "-m", MODULE]);
    node2.wait_log(MODULE, from, &["Local state WAIT NotReady"]);
    node2.wait_state(MODULE, "WAIT");
    let said = [
        "Failover-off configured",
        "Action stopstart called by failover-off",
        "Transition STOPSTART from failover-off",
        "Local state WAIT NotReady",
    ];
    node2.assert_log(MODULE, from, &said);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
}

#[test]
fn a_5_7c_failover_off_and_on_at_run_time() {
    let cluster = Cluster::pair("a_5_7c", &Mirror::default(), &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    for value in ["off", "on"] {
        for node in cluster.nodes() {
            node.ok(&["failover", value, "-m", MODULE]);
            assert_eq!(node.resource(MODULE, "usersetting.failover").as_deref(), Some(value));
        }
    }
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    assert_ne!(node1.safekit(&["failover", "off", "-m", MODULE]).code, 0, "refused in STOP");
}

#[test]
fn a_5_8a_no_defaultprim() {
    let cluster = Cluster::pair("a_5_8a", &Mirror::default(), &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node1.wait_state(MODULE, "STOP");
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    for (node, from) in cluster.nodes().iter().zip(marks) {
        node.evaluate(MODULE);
        node.assert_not_logged(MODULE, from, "SWAP");
    }
    node1.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
}

#[test]
fn a_5_8b_defaultprim() {
    let mirror = Mirror { service: r#"boot="off" defaultprim="node1""#, ..Mirror::default() };
    let cluster = Cluster::pair("a_5_8b", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    let from = node1.mark(MODULE);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    node1.assert_log(MODULE, from, &["Transition SWAP from defaultprim", "Begin of Swap"]);
}

#[test]
fn a_5_8c_lastprim() {
    let mirror = Mirror { service: r#"boot="off" defaultprim="lastprim""#, ..Mirror::default() };
    let cluster = Cluster::pair("a_5_8c", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node1.wait_state(MODULE, "STOP");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    // Who was SECOND before its stop stays so.
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    let from = node1.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    node1.evaluate(MODULE);
    node1.assert_not_logged(MODULE, from, "SWAP");
}

#[test]
fn a_5_9c_forced_roles_that_are_refused() {
    let cluster = Cluster::pair("a_5_9c", &Mirror::default(), &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    // Whether the command or the start that it began fails: it is not PRIM.
    node2.safekit(&["prim", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.safekit(&["second", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
}
