//! TCP checkers (spec/acceptance.md C-4.4.2 and C-4.4.3) in a mirror.

use crate::support::{Cluster, MODULE, Mirror, Node, eventually};

/// An application on port 8000, which listens when the script ends. It does not come up as long as the
/// file `broken` is there.
const START: &str = r#"if [ -e "$SAFEUSERVAR/broken" ]; then exit 0; fi
python3 -m http.server 8000 </dev/null >/dev/null 2>&1 &
echo $! >"$SAFEUSERVAR/server.pid"
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null; do sleep 0.05; done"#;
const STOP: &str = r#"kill $(cat "$SAFEUSERVAR/server.pid") 2>/dev/null; true"#;

/// A pair whose primary runs the application, and what is done when that does not answer.
fn pair(test: &str, action: &str) -> Cluster {
    let more = format!(
        r#"<check><tcp ident="id" when="prim" {action}><to addr="127.0.0.1" port="8000" interval="500ms" timeout="1"/></tcp></check>"#
    );
    let cluster = Cluster::new(test);
    let mirror = Mirror { more: &more, ..Mirror::default() };
    cluster.install(MODULE, &mirror.xml(), &[("start_prim", START), ("stop_prim", STOP)]);
    cluster.start_pair(MODULE);
    is_up(cluster.node(1));
    cluster
}

fn is_up(node: &Node) {
    eventually("tcp.id up", || (node.resource(MODULE, "tcp.id")? == "up").then_some(()));
}

fn kill_it(node: &Node) {
    assert_eq!(node.sh(&format!("kill $(cat $SAFEVAR/modules/{MODULE}/server.pid)")).code, 0);
}

#[test]
fn c_4_4_2a_restart_by_default() {
    let cluster = pair("c_4_4_2a", "");
    let node1 = cluster.node(1);
    let from = node1.mark(MODULE);
    kill_it(node1);
    let said = [
        "Resource tcp.id set to down by tcpcheck",
        "Action restart from failover rule t_id",
        "Local state PRIM Transient",
        "Script stop_prim",
        "Script start_prim",
        "Local state PRIM Ready",
        "Resource tcp.id set to up by tcpcheck",
    ];
    node1.wait_log(MODULE, from, &said);
    cluster.node(2).wait_state(MODULE, "SECOND");
}

#[test]
fn c_4_4_2b_stopstart_until_maxloop() {
    let cluster = pair("c_4_4_2b", r#"action="stopstart""#);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    kill_it(node1);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    let once = [
        "Resource tcp.id set to down by tcpcheck",
        "Action stopstart from failover rule t_id",
        "Action start called automatically",
        "Local state SECOND Ready",
    ];
    node1.assert_log(MODULE, from, &once);
    // From here on it never comes up on node 1, which has nobody to give it to.
    assert_eq!(node1.sh(&format!("touch $SAFEVAR/modules/{MODULE}/broken")).code, 0);
    node2.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    let twice_more = [
        "Action stopstart from failover rule t_id",
        "Action stopstart from failover rule t_id",
        "Action stopstart from failover rule t_id",
        "Action stop called by maxloop",
        "End of stop",
    ];
    node1.assert_log(MODULE, from, &twice_more);
    assert_eq!(node1.resource(MODULE, "heart.maxloop").as_deref(), Some("true"));
}

#[test]
fn c_4_4_3_wait_for_an_external_service() {
    let cluster = Cluster::with("c_4_4_3", |mut options| {
        options.lans.push("outside".into());
        options
    });
    let client = cluster.client();
    let listen = || std::net::TcpListener::bind("10.77.3.254:8000").expect("the address is free");
    let _service = client.inside().in_network(listen).expect("the client is on");
    let more = r#"<check><tcp ident="id" when="pre"><to addr="10.77.3.254" port="8000" interval="500ms" timeout="500ms"/></tcp></check>"#;
    let mirror = Mirror { more, ..Mirror::default() };
    cluster.install(MODULE, &mirror.xml(), &crate::support::SCRIPTS);
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    for round in 1..=4 {
        let mark = node1.mark(MODULE);
        cluster.cut(node1, Some("outside"));
        let down = ["Resource tcp.id set to down by tcpcheck", "from failover rule t_id"];
        if round == 4 {
            break;
        }
        node1.wait_log(MODULE, mark, &down);
        node1.wait_state(MODULE, "WAIT");
        node2.wait_state(MODULE, "ALONE");
        let shown = node1.ok(&["state", "-v", "-m", MODULE]);
        assert!(shown.contains("t_id"), "the state does not name the rule:\n{shown}");
        cluster.heal(node1, Some("outside"));
        node1.wait_state(MODULE, "SECOND");
        node2.wait_state(MODULE, "PRIM");
        let up = [
            "Action wait from failover rule t_id",
            "Local state WAIT NotReady",
            "Resource tcp.id set to up by tcpcheck",
            "Action wakeup from failover rule Implicit_wakeup",
            "Local state SECOND Ready",
        ];
        node1.assert_log(MODULE, mark, &up);
    }
    node1.wait_state(MODULE, "STOP");
    node1.assert_log(MODULE, from, &["Action stop called by maxloop", "End of stop"]);
}
