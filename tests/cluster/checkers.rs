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
    assert_eq!(node.sh(&format!("touch $SAFEVAR/modules/AM/{MODULE}/broken")).code, 0);
}

fn mend_it(node: &Node) {
    assert_eq!(node.sh(&format!("rm $SAFEVAR/modules/AM/{MODULE}/broken")).code, 0);
}

#[test]
fn c_4_4_2a_tcp_restarts_by_default() {
    let more = r#"<check><tcp ident="id" when="prim"><to addr="127.0.0.1" port="8000" interval="1" timeout="1"/></tcp></check>"#;
    let start = "python3 -m http.server 8000 </dev/null >/dev/null 2>&1 &\necho $! >$SAFEUSERVAR/server.pid";
    let cluster = Cluster::new("c_4_4_2a");
    let scripts =
        [("start_prim", start), ("stop_prim", "kill $(cat $SAFEUSERVAR/server.pid) 2>/dev/null; true")];
    cluster.install(MODULE, &Mirror { more, ..Mirror::default() }.xml(), &scripts);
    cluster.start_pair(MODULE);
    let node1 = cluster.node(1);
    eventually("tcp.id up", || (node1.resource(MODULE, "tcp.id")? == "up").then_some(()));
    let from = node1.mark(MODULE);
    assert_eq!(node1.sh(&format!("kill $(cat $SAFEVAR/modules/AM/{MODULE}/server.pid)")).code, 0);
    let said = [
        "Resource tcp.id set to down by tcpcheck",
        "Action restart from failover rule t_id",
        "Script stop_prim",
        "Script start_prim",
        "Local state PRIM Ready",
        "Resource tcp.id set to up by tcpcheck",
    ];
    node1.wait_log(MODULE, from, &said);
    cluster.node(2).wait_state(MODULE, "SECOND");
}

#[test]
fn c_4_4_4_interface_without_carrier() {
    let mirror = Mirror { check_interface: "on", ..Mirror::default() };
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
}

#[test]
fn c_4_4_7_custom_wait() {
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
    node1.assert_log(
        MODULE,
        from,
        &["Resource custom.id set to up by customscript", "Action wakeup from failover rule Implicit_wakeup"],
    );
}

#[test]
fn c_4_4_8_1a_custom_restart() {
    let cluster = custom("c_4_4_8_1a", "prim", "restart");
    let node1 = cluster.node(1);
    eventually("custom.id up", || (node1.resource(MODULE, "custom.id")? == "up").then_some(()));
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
fn c_4_4_10_virtual_ip_removed_by_hand() {
    let more =
        r#"<check><ip ident="10.77.1.100" when="prim"><to addr="10.77.1.100" interval="1"/></ip></check>"#;
    let cluster = Cluster::pair("c_4_4_10", &Mirror { more, ..Mirror::default() }, &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let resource = format!("ip.{VIP}");
    eventually("the address is checked", || (node1.resource(MODULE, &resource)? == "up").then_some(()));
    let from = node1.mark(MODULE);
    let prefix = "$(ip -o -4 addr show eth0 | awk '{print $4}' | grep ^10.77.1.100/)";
    assert_eq!(node1.sh(&format!("ip addr del {prefix} dev eth0")).code, 0);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    let said = format!("Resource {resource} set to down by ipcheck");
    node1.assert_log(MODULE, from, &[&said, "Action stopstart from failover rule ip_failure"]);
}
