//! Checkers, rules and the loop counter of farm and light modules (spec/acceptance.md C-4.4, T-7.11): the
//! scenarios of mirrors, whose restart, stopstart and wait end in UP.

use crate::support::{Cluster, MODULE, Node, UPS, Up, eventually};
use crate::up::{is_up, up};

/// A checker that says `down` as long as the file `broken` is there.
const WATCH: (&str, &str) = (
    "watch",
    r#"last=none
while sleep 0.2; do
    if [ -e "$SAFEUSERVAR/broken" ]; then now=down; else now=up; fi
    [ $now = $last ] || "$SAFE/safekit" set -m "$1" -r "$2" -v $now -i customscript
    last=$now
done"#,
);

fn custom(mode: Up, test: &str, when: &str, action: &str) -> Cluster {
    let more = format!(r#"<check><custom ident="id" when="{when}" exec="watch" action="{action}"/></check>"#);
    up(test, &Up { more: &more, ..mode }, &[WATCH])
}

fn break_it(node: &Node) {
    assert_eq!(node.sh(&format!("touch $SAFEVAR/modules/{MODULE}/broken")).code, 0);
}

fn mend_it(node: &Node) {
    assert_eq!(node.sh(&format!("rm $SAFEVAR/modules/{MODULE}/broken")).code, 0);
}

fn becomes(node: &Node, resource: &str, value: &str) {
    eventually(&format!("{resource} {value}"), || (node.resource(MODULE, resource)? == value).then_some(()));
}

/// A checker of the window *pre*: its rule, its resource, and who sets that.
struct Pre {
    rule: &'static str,
    resource: &'static str,
    setter: &'static str,
}

/// Three waits, each of which ends well; the fourth stops the module (C, "4 times -> STOP").
fn waits_three_times(node: &Node, of: &Pre, fail: impl Fn(&Node), mend: impl Fn(&Node)) {
    let Pre { rule, resource, setter } = of;
    for _ in 1..=3 {
        let from = node.mark(MODULE);
        fail(node);
        node.wait_state(MODULE, "WAIT");
        mend(node);
        is_up(node);
        let said = [
            &format!("Resource {resource} set to down by {setter}"),
            &format!("Action wait from failover rule {rule}"),
            &format!("Transition WAIT_TR from failover rule {rule}"),
            "Local state WAIT NotReady",
            &format!("Resource {resource} set to up by {setter}"),
            "Action wakeup from failover rule Implicit_wakeup",
            "Local state UP Ready",
        ];
        node.assert_log(MODULE, from, &said);
    }
    let from = node.mark(MODULE);
    fail(node);
    gives_up(node, from);
}

fn gives_up(node: &Node, from: usize) {
    node.wait_state(MODULE, "STOP");
    node.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
    assert_eq!(node.resource(MODULE, "heart.maxloop").as_deref(), Some("true"));
}

/// An application on port 8000, which listens when the script ends, unless the file `broken` is there.
const SERVE: (&str, &str) = (
    "start_both",
    r#"if [ -e "$SAFEUSERVAR/broken" ]; then exit 0; fi
python3 -m http.server 8000 </dev/null >/dev/null 2>&1 &
echo $! >"$SAFEUSERVAR/server.pid"
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null; do sleep 0.05; done"#,
);
const UNSERVE: (&str, &str) = ("stop_both", r#"kill $(cat "$SAFEUSERVAR/server.pid") 2>/dev/null; true"#);

fn tcp(mode: Up, test: &str, action: &str) -> Cluster {
    let more = format!(
        r#"<check><tcp ident="id" when="both" {action}><to addr="127.0.0.1" port="8000" interval="500ms" timeout="1"/></tcp></check>"#
    );
    let cluster = up(test, &Up { more: &more, ..mode }, &[SERVE, UNSERVE]);
    becomes(cluster.node(1), "tcp.id", "up");
    cluster
}

fn kill_server(node: &Node) {
    assert_eq!(node.sh(&format!("kill $(cat $SAFEVAR/modules/{MODULE}/server.pid)")).code, 0);
}

#[test]
fn c_4_4_2a_restart_by_default() {
    for mode in UPS {
        let cluster = tcp(mode, "c_4_4_2a", "");
        let node1 = cluster.node(1);
        let from = node1.mark(MODULE);
        kill_server(node1);
        let said = [
            "Resource tcp.id set to down by tcpcheck",
            "Action restart from failover rule t_id",
            "Local state UP Transient",
            "Script stop_both",
            "Script start_both",
            "Local state UP Ready",
            "Resource tcp.id set to up by tcpcheck",
        ];
        node1.wait_log(MODULE, from, &said);
    }
}

#[test]
fn c_4_4_2b_stopstart_until_maxloop() {
    for mode in UPS {
        let cluster = tcp(mode, "c_4_4_2b", r#"action="stopstart""#);
        let node1 = cluster.node(1);
        let from = node1.mark(MODULE);
        break_it(node1);
        kill_server(node1);
        let once = [
            "Resource tcp.id set to down by tcpcheck",
            "Action stopstart from failover rule t_id",
            "Action start called automatically",
            "Local state UP Ready",
        ];
        node1.wait_log(MODULE, from, &once);
        gives_up(node1, from);
    }
}

#[test]
fn c_4_4_3_waits_for_an_external_service() {
    for mode in UPS {
        let more = r#"<check><tcp ident="id" when="pre"><to addr="10.77.1.254" port="8000" interval="500ms" timeout="500ms"/></tcp></check>"#;
        let cluster = Cluster::new(&format!("c_4_4_3_{}", mode.mode));
        let listen = || std::net::TcpListener::bind("10.77.1.254:8000").expect("the address is free");
        let _service = cluster.client().inside().in_network(listen).expect("the client is on");
        cluster.install_on(
            &cluster.nodes()[..1],
            MODULE,
            &Up { more, ..mode }.xml(),
            &crate::support::UP_SCRIPTS,
        );
        let node1 = cluster.node(1);
        node1.ok(&["start", "-m", MODULE]);
        is_up(node1);
        let of = Pre { rule: "t_id", resource: "tcp.id", setter: "tcpcheck" };
        waits_three_times(node1, &of, |n| cluster.cut(n, None), |n| cluster.heal(n, None));
    }
}

#[test]
fn c_4_4_4_interface_without_carrier() {
    for mode in UPS {
        let more =
            r#"<check><intf ident="10.77.1.0" intf="eth0"><to local_addr="10.77.1.1"/></intf></check>"#;
        let cluster = up("c_4_4_4", &Up { more, ..mode }, &[]);
        let node1 = cluster.node(1);
        let of = Pre { rule: "interface_failure", resource: "intf.10.77.1.0", setter: "intfcheck" };
        let lan = Some("default");
        waits_three_times(node1, &of, |n| cluster.pull(n, lan), |n| cluster.heal(n, lan));
    }
}

#[test]
fn c_4_4_5_ping() {
    for mode in UPS {
        let more = r#"<check><ping ident="id" when="pre"><to addr="10.77.1.254" interval="1" timeout="1"/></ping></check>"#;
        let cluster = up("c_4_4_5", &Up { more, ..mode }, &[]);
        let node1 = cluster.node(1);
        let of = Pre { rule: "p_id", resource: "ping.id", setter: "pingcheck" };
        waits_three_times(node1, &of, |n| cluster.cut(n, None), |n| cluster.heal(n, None));
    }
}

#[test]
fn c_4_4_7_custom_wait_until_maxloop() {
    for mode in UPS {
        let cluster = custom(mode, "c_4_4_7", "pre", "wait");
        let node1 = cluster.node(1);
        let of = Pre { rule: "c_id", resource: "custom.id", setter: "customscript" };
        waits_three_times(node1, &of, break_it, mend_it);
    }
}

#[test]
fn c_4_4_8_1_custom_restart_and_stopstart() {
    for mode in UPS {
        for action in ["restart", "stopstart"] {
            let cluster = custom(mode, &format!("c_4_4_8_1_{action}"), "both", action);
            let node1 = cluster.node(1);
            becomes(node1, "custom.id", "up");
            let from = node1.mark(MODULE);
            break_it(node1);
            let transition = format!("Transition {} from failover rule c_id", action.to_uppercase());
            let said = [
                &format!("Action {action} from failover rule c_id"),
                transition.as_str(),
                "Script start_both",
                "Local state UP Ready",
            ];
            node1.wait_log(MODULE, from, &said);
            // It is not mended: the fourth time stops the module.
            gives_up(node1, from);
        }
    }
}

#[test]
fn c_4_4_8_2_restart_by_a_script_until_maxloop() {
    for mode in UPS {
        let cluster = up("c_4_4_8_2", &mode, &[]);
        let node1 = cluster.node(1);
        for action in ["restart", "stopstart"] {
            for identity in
                [&["-i", "customscript"][..], &[], &["-i", "customscript"], &["-i", "customscript"]]
            {
                let from = node1.mark(MODULE);
                node1.ok(&[&[action, "-m", MODULE][..], identity].concat());
                let who = if identity.is_empty() { "root" } else { "customscript" };
                let called = format!("Action {action} called by {who}");
                node1.wait_log(MODULE, from, &[&called, "Script start_both", "Local state UP Ready"]);
            }
            let from = node1.mark(MODULE);
            node1.ok(&[action, "-m", MODULE, "-i", "customscript"]);
            node1.wait_log(MODULE, from, &["Script start_both", "Local state UP Ready"]);
            let from = node1.mark(MODULE);
            // The fourth in a row: whether the command itself fails is not said.
            node1.safekit(&[action, "-m", MODULE, "-i", "customscript"]);
            gives_up(node1, from);
            node1.ok(&["start", "-m", MODULE]);
            is_up(node1);
        }
    }
}

#[test]
fn c_4_4_9_no_action() {
    for mode in UPS {
        let more = r#"<check>
      <custom ident="quiet" when="both" exec="watch" action="noaction"/>
      <custom ident="ruled" when="both" exec="watch" action="noaction"/>
    </check>"#;
        let rules = "ruled_failure: if (custom.ruled == down) then restart();";
        let idle = ("watch", "exec sleep 1000");
        let cluster = up("c_4_4_9", &Up { more, rules, ..mode }, &[idle]);
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
        let said =
            ["Action restart from failover rule ruled_failure", "Script start_both", "Local state UP Ready"];
        node1.wait_log(MODULE, from, &said);
    }
}

#[test]
fn c_4_4_10_ip_checker() {
    for mode in UPS {
        let more =
            r#"<check><ip ident="10.77.1.99" when="both"><to addr="10.77.1.99" interval="1"/></ip></check>"#;
        let add = ("start_both", "ip addr add 10.77.1.99/24 dev eth0");
        let del = ("stop_both", "ip addr del 10.77.1.99/24 dev eth0 2>/dev/null; true");
        let cluster = up("c_4_4_10", &Up { more, ..mode }, &[add, del]);
        let node1 = cluster.node(1);
        becomes(node1, "ip.10.77.1.99", "up");
        let from = node1.mark(MODULE);
        assert_eq!(node1.sh("ip addr del 10.77.1.99/24 dev eth0").code, 0);
        let said = [
            "Resource ip.10.77.1.99 set to down by ipcheck",
            "Action stopstart from failover rule ip_failure",
            "Action start called automatically",
            "Local state UP Ready",
            "Resource ip.10.77.1.99 set to up by ipcheck",
        ];
        node1.wait_log(MODULE, from, &said);
    }
}

#[test]
fn t_7_11_loop_counter() {
    for mode in UPS {
        let service = r#"boot="auto" maxloop="3""#;
        let cluster = up("t_7_11", &Up { service, ..mode }, &[]);
        let node1 = cluster.node(1);
        let code = |arguments: &[&str]| node1.safekit(&[arguments, &["-m", MODULE]].concat()).code;
        node1.ok(&["resetloop", "-m", MODULE]);
        let counted: Vec<_> = (0..4).map(|_| (code(&["incloop", "-i", "h"]), code(&["checkloop"]))).collect();
        assert_eq!(counted, [(0, 0), (0, 0), (0, 1), (1, 1)]);
        node1.ok(&["resetloop", "-m", MODULE]);
        assert_eq!(code(&["checkloop"]), 0);
        for _ in 0..3 {
            node1.ok(&["incloop", "-i", "h", "-m", MODULE]);
        }
        assert_eq!(code(&["checkloop"]), 1);
        let from = node1.mark(MODULE);
        node1.ok(&["restart", "-m", MODULE]);
        node1.wait_log(MODULE, from, &["Local state UP Ready"]);
        assert_eq!(code(&["checkloop"]), 0, "an administrator's restart resets it");
    }
}
