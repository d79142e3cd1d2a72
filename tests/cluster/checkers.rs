//! Checkers and failover rules (spec/acceptance.md C) in a mirror.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, VIP, eventually};

/// A checker that says `down` as long as the file `broken` is there, in its own words or by an action.
const WATCH: &str = r#"last=none
while sleep 0.2; do
    if [ -e "$SAFEUSERVAR/broken" ]; then now=down; else now=up; fi
    [ $now = $last ] || "$SAFE/safekit" set -m "$1" -r "$2" -v $now -i customscript
    last=$now
done"#;

fn custom(test: &str, when: &str, action: &str) -> Cluster {
    let more = format!(r#"<check><custom ident="id" when="{when}" exec="watch" action="{action}"/></check>"#);
    let mirror = Mirror { more: &more, ..Mirror::default() };
    Cluster::pair(test, &mirror, &[("watch", WATCH)])
}

fn break_it(node: &Node) {
    assert_eq!(node.sh(&format!("touch $SAFEVAR/modules/{MODULE}/broken")).code, 0);
}

fn is_up(node: &Node, resource: &str) {
    eventually(&format!("{resource} up"), || (node.resource(MODULE, resource)? == "up").then_some(()));
}

fn mend_it(node: &Node) {
    assert_eq!(node.sh(&format!("rm $SAFEVAR/modules/{MODULE}/broken")).code, 0);
}

/// After a first wait that ended well: two more do, the fourth stops the module (C, "4 times -> STOP").
fn fourth_wait_stops(cluster: &Cluster, fail: impl Fn(&Node), mend: impl Fn(&Node)) {
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    for _ in 2..=3 {
        fail(node1);
        node1.wait_state(MODULE, "WAIT");
        mend(node1);
        node1.wait_state(MODULE, "SECOND");
    }
    node2.wait_state(MODULE, "PRIM");
    let from = node1.mark(MODULE);
    fail(node1);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    node1.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
}

#[test]
fn c_4_4_4_interface_without_carrier() {
    let mirror = Mirror { interface: r#"check="on""#, ..Mirror::default() };
    let cluster = Cluster::pair("c_4_4_4", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    cluster.pull(node1, Some("default"));
    node1.wait_state(MODULE, "WAIT");
    node2.wait_state(MODULE, "ALONE");
    let down = [
        "Resource intf.10.77.1.0 set to down by intfcheck",
        "Action wait from failover rule interface_failure",
        "Transition WAIT_TR from failover rule interface_failure",
        "Local state WAIT NotReady",
    ];
    node1.assert_log(MODULE, from, &down);
    cluster.heal(node1, Some("default"));
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    let up = [
        "Resource intf.10.77.1.0 set to up by intfcheck",
        "Action wakeup from failover rule Implicit_wakeup",
    ];
    node1.assert_log(MODULE, from, &up);
    let lan = Some("default");
    fourth_wait_stops(&cluster, |node| cluster.pull(node, lan), |node| cluster.heal(node, lan));
}

#[test]
fn c_4_4_4b_interface_disabled_or_without_address() {
    let mirror = Mirror { interface: r#"check="on""#, ..Mirror::default() };
    let cluster = Cluster::pair("c_4_4_4b", &mirror, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    assert_eq!(node1.sh("ip link set eth0 down").code, 0);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    node1.assert_log(MODULE, from, &["Action stop called by intfcheck", "Local state STOP NotReady"]);
    // It cannot start either.
    node1.safekit(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    assert_eq!(node1.sh("ip link set eth0 up").code, 0);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    // The address of the network goes, and with it the virtual one.
    assert_eq!(node2.sh("ip addr del 10.77.1.2/24 dev eth0").code, 0);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    assert!(node1.has_address(VIP));
}

#[test]
fn c_4_4_5_ping() {
    let more = r#"<check><ping ident="id" when="pre"><to addr="10.77.3.254" interval="1" timeout="1"/></ping></check>"#;
    let cluster = Cluster::with("c_4_4_5", |mut options| {
        options.lans.push("outside".into());
        options
    });
    cluster.install(MODULE, &Mirror { more, ..Mirror::default() }.xml(), &SCRIPTS);
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    cluster.cut(node1, Some("outside"));
    node1.wait_state(MODULE, "WAIT");
    node2.wait_state(MODULE, "ALONE");
    node1.assert_log(
        MODULE,
        from,
        &["Resource ping.id set to down by pingcheck", "Action wait from failover rule p_id"],
    );
    cluster.heal(node1, Some("outside"));
    node1.wait_state(MODULE, "SECOND");
    node1.assert_log(
        MODULE,
        from,
        &["Resource ping.id set to up by pingcheck", "Action wakeup from failover rule Implicit_wakeup"],
    );
    let lan = Some("outside");
    fourth_wait_stops(&cluster, |node| cluster.cut(node, lan), |node| cluster.heal(node, lan));
}

#[test]
fn c_4_4_7_custom_wait_until_maxloop() {
    let cluster = custom("c_4_4_7", "pre", "wait");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    break_it(node1);
    node1.wait_state(MODULE, "WAIT");
    node2.wait_state(MODULE, "ALONE");
    let down = [
        "Resource custom.id set to down by customscript",
        "Action wait from failover rule c_id",
        "Transition WAIT_TR from failover rule c_id",
    ];
    node1.assert_log(MODULE, from, &down);
    mend_it(node1);
    node1.wait_state(MODULE, "SECOND");
    let up = [
        "Resource custom.id set to up by customscript",
        "Action wakeup from failover rule Implicit_wakeup",
        "Local state SECOND Ready",
    ];
    node1.assert_log(MODULE, from, &up);
    fourth_wait_stops(&cluster, break_it, mend_it);
}

#[test]
fn c_4_4_8_1a_custom_restart() {
    let cluster = custom("c_4_4_8_1a", "prim", "restart");
    let node1 = cluster.node(1);
    is_up(node1, "custom.id");
    let from = node1.mark(MODULE);
    break_it(node1);
    node1.wait_log(
        MODULE,
        from,
        &["Action restart from failover rule c_id", "Transition RESTART from failover rule c_id"],
    );
    mend_it(node1);
    node1.wait_state(MODULE, "PRIM");
    cluster.node(2).wait_state(MODULE, "SECOND");
}

#[test]
fn c_4_4_8_1b_custom_stopstart() {
    let cluster = custom("c_4_4_8_1b", "prim", "stopstart");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    break_it(node1);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    node1.assert_log(
        MODULE,
        from,
        &["Action stopstart from failover rule c_id", "Action start called automatically"],
    );
    // Without its peer it becomes primary each time, finds what is still broken, and gives up.
    node2.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node1.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
}

#[test]
fn c_4_4_8_2_restart_by_a_script_until_maxloop() {
    let cluster = Cluster::pair("c_4_4_8_2", &Mirror::default(), &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    // An administrator's restart resets the counter, so it never stops the module.
    for identity in [&["-i", "customscript"][..], &[], &["-i", "customscript"], &["-i", "customscript"]] {
        let from = node1.mark(MODULE);
        node1.ok(&[&["restart", "-m", MODULE][..], identity].concat());
        let who = if identity.is_empty() { "root" } else { "customscript" };
        let called = format!("Action restart called by {who}");
        node1.wait_log(MODULE, from, &[&called, "Script start_prim", "Local state PRIM Ready"]);
    }
    let from = node1.mark(MODULE);
    node1.ok(&["restart", "-m", MODULE, "-i", "customscript"]);
    node1.wait_log(MODULE, from, &["Script start_prim", "Local state PRIM Ready"]);
    let from = node1.mark(MODULE);
    // The fourth in a row: whether the command itself fails is not said.
    node1.safekit(&["restart", "-m", MODULE, "-i", "customscript"]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    node1.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
    assert_eq!(node1.resource(MODULE, "heart.maxloop").as_deref(), Some("true"));
}

#[test]
fn c_4_4_9_no_action() {
    let more = r#"<check>
      <custom ident="quiet" when="prim" exec="watch" action="noaction"/>
      <custom ident="ruled" when="prim" exec="watch" action="noaction"/>
    </check>"#;
    let rules = "ruled_failure: if (custom.ruled == down) then restart();";
    let idle = ("watch", "exec sleep 1000");
    let cluster = Cluster::alone("c_4_4_9", &Mirror { more, rules, ..Mirror::default() }, &[idle]);
    let node1 = cluster.node(1);
    let fails = |resource: &str| {
        node1.ok(&["set", "-m", MODULE, "-r", resource, "-v", "down", "-i", "customscript"]);
    };
    let from = node1.mark(MODULE);
    fails("custom.quiet");
    node1.evaluate(MODULE);
    node1.assert_log(MODULE, from, &["Resource custom.quiet set to down by customscript"]);
    node1.assert_not_logged(MODULE, from, "Action");
    fails("custom.ruled");
    let said = [
        "Resource custom.ruled set to down by customscript",
        "Action restart from failover rule ruled_failure",
        "Script start_prim",
        "Local state ALONE Ready",
    ];
    node1.wait_log(MODULE, from, &said);
}

#[test]
fn c_4_4_10_virtual_ip_removed_by_hand() {
    let more =
        r#"<check><ip ident="10.77.1.100" when="prim"><to addr="10.77.1.100" interval="1"/></ip></check>"#;
    let cluster = Cluster::pair("c_4_4_10", &Mirror { more, ..Mirror::default() }, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let resource = format!("ip.{VIP}");
    is_up(node1, &resource);
    let from = node1.mark(MODULE);
    let prefix = "$(ip -o -4 addr show eth0 | awk '{print $4}' | grep ^10.77.1.100/)";
    assert_eq!(node1.sh(&format!("ip addr del {prefix} dev eth0")).code, 0);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    let said = format!("Resource {resource} set to down by ipcheck");
    node1.assert_log(MODULE, from, &[&said, "Action stopstart from failover rule ip_failure"]);
}
