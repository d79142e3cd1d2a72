//! Failover rules (spec/acceptance.md D-13.18a).

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, VIP, eventually};

fn set(node: &Node, resource: &str, value: &str) {
    node.ok(&["set", "-m", MODULE, "-r", resource, "-v", value]);
}

/// Sets resources one by one, and expects the action of a rule, which names itself.
fn expect(node: &Node, resources: &[(&str, &str)], action: &str, rule: &str) {
    let from = node.mark(MODULE);
    for (resource, value) in resources {
        set(node, resource, value);
    }
    let said = format!("Action {action} from failover rule {rule}");
    node.wait_log(MODULE, from, &[&said, "Local state"]);
    for other in ["both", "either", "any", "all", "theirs", "quit"] {
        if other != rule {
            node.assert_not_logged(MODULE, from, &format!("rule {other}"));
        }
    }
    for (resource, _) in resources {
        set(node, resource, "up");
    }
}

fn expect_nothing(node: &Node, resources: &[(&str, &str)]) {
    let from = node.mark(MODULE);
    for (resource, value) in resources {
        set(node, resource, value);
    }
    node.evaluate(MODULE);
    node.assert_not_logged(MODULE, from, "Action");
    for (resource, _) in resources {
        set(node, resource, "up");
    }
}

#[test]
fn d_13_18a_expressions() {
    let rules = r"
/* a comment */
both: if (custom.a == down && local.custom.b != up) then restart();
either: if ((custom.c == down || custom.d == down) && !(custom.e == up)) then restart();
any: if (tcp.? == down) then restart();
all: if (ping.* == down) then restart();
";
    let cluster = Cluster::alone("d_13_18a_expr", &Mirror { rules, ..Mirror::default() }, &[]);
    let node1 = cluster.node(1);
    for resource in
        ["custom.a", "custom.b", "custom.c", "custom.d", "custom.e", "tcp.x", "tcp.y", "ping.x", "ping.y"]
    {
        set(node1, resource, "up");
    }
    expect_nothing(node1, &[("custom.a", "down")]);
    expect_nothing(node1, &[("custom.c", "down")]);
    expect_nothing(node1, &[("custom.e", "down")]);
    expect_nothing(node1, &[("ping.x", "down")]);
    expect(node1, &[("custom.a", "down"), ("custom.b", "down")], "restart", "both");
    node1.wait_state(MODULE, "ALONE");
    // Each restart by a rule counts; an administrator's begins anew.
    node1.ok(&["resetloop", "-m", MODULE]);
    expect(node1, &[("custom.e", "down"), ("custom.d", "down")], "restart", "either");
    node1.wait_state(MODULE, "ALONE");
    expect(node1, &[("tcp.y", "down")], "restart", "any");
    node1.wait_state(MODULE, "ALONE");
    node1.ok(&["resetloop", "-m", MODULE]);
    expect(node1, &[("ping.x", "down"), ("ping.y", "down")], "restart", "all");
    node1.wait_state(MODULE, "ALONE");
}

#[test]
fn d_13_18a_a_short_down_triggers_nothing() {
    let rules = "quit: if (custom.a == down) then stop();";
    let failover = r#"period="500" handle_time="3000""#;
    let cluster = Cluster::alone("d_13_18a_short", &Mirror { rules, failover, ..Mirror::default() }, &[]);
    let node1 = cluster.node(1);
    let from = node1.mark(MODULE);
    for _ in 0..3 {
        set(node1, "custom.a", "down");
        set(node1, "custom.a", "up");
        node1.evaluate(MODULE);
    }
    node1.assert_not_logged(MODULE, from, "Action");
    set(node1, "custom.a", "down");
    let said = ["Action stop from failover rule quit", "Script stop_prim", "End of stop"];
    node1.wait_log(MODULE, from, &said);
    node1.wait_state(MODULE, "STOP");
}

#[test]
fn d_13_18a_swap_and_the_resources_of_the_peer() {
    let rules = "theirs: if (custom.a == down && remote.custom.a == up) then swap();";
    let cluster = Cluster::pair("d_13_18a_swap", &Mirror { rules, ..Mirror::default() }, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    set(node1, "custom.a", "down");
    node1.evaluate(MODULE);
    node1.assert_not_logged(MODULE, from, "Action");
    set(node2, "custom.a", "up");
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    let said = ["Action swap from failover rule theirs", "Transition SWAP from failover rule theirs"];
    node1.assert_log(MODULE, from, &said);
}

#[test]
fn d_13_18a_without_the_default_rules() {
    let more =
        format!(r#"<check><ip ident="{VIP}" when="prim"><to addr="{VIP}" interval="200ms"/></ip></check>"#);
    let failover = r#"extends="no" period="200" handle_time="400""#;
    let cluster = Cluster::new("d_13_18a_extends");
    cluster.install(MODULE, &Mirror { more: &more, failover, ..Mirror::default() }.xml(), &SCRIPTS);
    let node1 = cluster.node(1);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    let resource = format!("ip.{VIP}");
    let is = |value: &str| eventually(value, || (node1.resource(MODULE, &resource)? == value).then_some(()));
    is("up");
    let from = node1.mark(MODULE);
    assert_eq!(node1.sh(&format!("ip addr del {VIP}/24 dev eth0")).code, 0);
    is("down");
    node1.evaluate(MODULE);
    node1.assert_not_logged(MODULE, from, "Action");
    assert_eq!(node1.state(MODULE), "ALONE");
}
