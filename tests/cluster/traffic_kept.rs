//! Connections of the clients of a farm while nodes come and go.

use crate::support::{
    Cluster, Farm, MODULE, Node, Seen, VIP4, VIP6, eventually, target, wait_shared, with_crowd,
};

/// Lasting connections of each client.
const LASTING: usize = 12;

fn others<'a>(cluster: &'a Cluster, without: &Node) -> Vec<&'a Node> {
    cluster.nodes().iter().filter(|node| node.name() != without.name()).collect()
}

fn leave(cluster: &Cluster, number: usize) {
    let node = cluster.node(number);
    node.ok(&["stop", "-m", MODULE]);
    node.wait_state(MODULE, "STOP");
    wait_shared(&others(cluster, node));
}

fn join(cluster: &Cluster, number: usize) {
    let node = cluster.node(number);
    node.ok(&["start", "-m", MODULE]);
    node.wait_state(MODULE, "UP");
    wait_shared(&cluster.nodes().iter().collect::<Vec<_>>());
}

/// Nine changes of owners under load from two clients: nothing breaks, nothing is refused.
fn nine_rebalances(test: &str, kind: &str, vip: &str) {
    let cluster = Farm { kind, ..Farm::default() }.up(test, 3);
    let seen = with_crowd(cluster.clients(), target(vip), LASTING, |crowd| {
        crowd.wait_answers();
        for (number, change) in [3, 3, 2, 2, 1, 1, 3, 3, 2].into_iter().enumerate() {
            if number % 2 == 0 {
                leave(&cluster, change)
            } else {
                join(&cluster, change)
            }
            crowd.wait_answers();
        }
    });
    assert!(seen.broken.is_empty() && seen.refused.is_empty(), "{seen:?}");
}

#[test]
fn connections_are_kept_vmac_directed() {
    nine_rebalances("kept_directed4", "vmac_directed", VIP4);
}

#[test]
fn connections_are_kept_vmac_directed_ipv6() {
    nine_rebalances("kept_directed6", "vmac_directed", VIP6);
}

#[test]
fn connections_are_kept_vmac_invisible() {
    nine_rebalances("kept_invisible4", "vmac_invisible", VIP4);
}

#[test]
fn connections_are_kept_vmac_invisible_ipv6() {
    nine_rebalances("kept_invisible6", "vmac_invisible", VIP6);
}

/// What clients see when the third node joins two.
fn third_joins(test: &str, kind: &str, vip: &str) -> Seen {
    let cluster = Farm { kind, vip, ..Farm::default() }.installed(test, 3);
    let first = [cluster.node(1), cluster.node(2)];
    first.iter().for_each(|node| drop(node.ok(&["start", "-m", MODULE])));
    wait_shared(&first);
    with_crowd(cluster.clients(), target(VIP4), LASTING, |crowd| {
        crowd.wait_answers();
        join(&cluster, 3);
        crowd.wait_answers();
    })
}

/// So that the tests above can fail.
#[test]
fn without_keepconnections_they_break() {
    for (test, kind) in [("broken_directed", "vmac_directed"), ("broken_invisible", "vmac_invisible")] {
        let seen = third_joins(test, kind, r#"keepconnections="off""#);
        assert!(!seen.broken.is_empty(), "{kind}: {seen:?}");
        assert!(seen.broken.iter().all(|e| e.contains("reset")), "{kind}: {seen:?}");
    }
}

/// RES-41, in a farm: each node counts what it serves.
#[test]
fn v_13_5b_connections_of_a_farm() {
    let cluster = Farm { address: r#"connections="on""#, ..Farm::default() }.up("v_13_5b_farm", 2);
    with_crowd(cluster.clients(), target(VIP4), LASTING, |_| {
        eventually("all connections are counted", || {
            let count =
                |node: &Node| node.resource(MODULE, &format!("connections.{VIP4}"))?.parse::<usize>().ok();
            let counts: Option<Vec<_>> = cluster.nodes().iter().map(count).collect();
            // A short one may be counted too.
            let sum = counts?.iter().sum::<usize>();
            (2 * LASTING..=2 * LASTING + 4).contains(&sum).then_some(())
        });
    });
    let none = |node: &Node| node.resource(MODULE, &format!("connections.{VIP4}")).as_deref() == Some("0");
    eventually("none is counted", || cluster.nodes().iter().all(none).then_some(()));
}
