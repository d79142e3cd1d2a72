//! Commands on other nodes through their web services: `-H`, `-G` and `-E` (spec/acceptance.md D-9.1, D-9.3b,
//! T-7.1.3, T-7.13).

use crate::replication::installed;
use crate::support::{Cluster, MODULE, Mirror, Node, Output, SCRIPTS, eventually};
use safekit::config::paths::Paths;
use safekit::sandbox::{Sandbox, cluster_xml};
use safekit::web::remote::secret::Secret;
use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const WEB: &str = "safewebserver";
const BOTH: &str = "node1,node2";

/// A cluster whose web services answer.
fn cluster(test: &str) -> Cluster {
    let cluster = Cluster::new(test);
    for node in cluster.nodes() {
        wait_web(cluster.node(1), node.name());
    }
    cluster
}

fn wait_web(from: &Node, node: &str) {
    eventually(&format!("the web service of {node}"), || {
        (from.safekit(&["-H", node, "level"]).code == 0).then_some(())
    });
}

/// One JSON value a node.
fn values(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The lines between the headers of nodes.
fn headers(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| line.starts_with("---- ") && line.contains("http")).collect()
}

fn paths(node: &Node) -> Paths {
    Paths::new(node.inside().safe(), node.inside().safevar())
}

fn confinfo(node: &Node) -> Vec<(String, String, bool)> {
    let rows = node.json(&["cluster", "confinfo"]);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let rows = rows.as_array().expect("a list").iter();
    rows.map(|row| (text(&row["node"]), text(&row["signature"]), row["lock"] == true)).collect()
}

/// Waits until both nodes list both, with one signature, unlocked.
fn wait_one_cluster(cluster: &Cluster) {
    let both = || {
        let lists: Vec<_> = cluster.nodes().iter().map(confinfo).collect();
        let same = lists[0].len() == 2 && lists[0] == lists[1] && lists[0][0].1 == lists[0][1].1;
        (same && lists[0].iter().all(|row| !row.2)).then_some(())
    };
    eventually("one configuration on both nodes", both);
}

#[test]
fn d_9_1a_all_forms_of_h() {
    let cluster = cluster("d_9_1a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let urls = ["http://10.77.1.1:9010", "http://10.77.1.2:9010"];
    let named: Vec<String> = (1..=2).map(|n| format!("---- node{n} {} ----", urls[n - 1])).collect();
    for hosts in ["*", BOTH, "[http],*", "[http:9010],node1,node2"] {
        let output = node1.safekit(&["-H", hosts, "level"]);
        assert_eq!(
            (output.code, headers(&output)),
            (0, named.iter().map(String::as_str).collect()),
            "{hosts}"
        );
        assert_eq!(output.stdout.matches("SafeKit : ").count(), 2, "{output:?}");
    }
    node2.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    let output = node1.safekit(&["module", "list", "-H", &urls.join(",")]);
    let wanted = format!("---- {} ----\n---- {} ----\n{MODULE}\n", urls[0], urls[1]);
    assert!(output.code == 0 && output.stdout.starts_with(&wanted), "{output:?}");
    // HTTPS on a port of its own: the same node, another URL; nobody serves it.
    let output = node1.safekit(&["-H", "[https:9500],node1", "level"]);
    assert_eq!((output.code, headers(&output)), (1, vec!["---- node1 https://10.77.1.1:9500 ----"]));
    assert!(output.stderr.starts_with("Error: node1 (10.77.1.1:9500): "), "{output:?}");

    node2.inside().stop_service(WEB).expect("stop the web service of node2");
    let output = node1.safekit(&["-H", "*", "level"]);
    assert_eq!((output.code, headers(&output).len()), (1, 2));
    assert_eq!(output.stdout.matches("SafeKit : ").count(), 1, "node1 has answered: {output:?}");
    assert!(output.stderr.starts_with("Error: node2 (10.77.1.2:9010): Connection refused"), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    let output = node1.safekit(&["-H", "*", "level", "--json"]);
    let rows = values(&output);
    assert_eq!((output.code, rows.len()), (1, 2));
    assert_eq!(
        (&rows[0]["node"], &rows[0]["code"], &rows[1]["code"]),
        (&"node1".into(), &0.into(), &1.into())
    );
    assert!(rows[0]["answer"][0]["safekit"].is_string() && rows[1]["errors"][0].is_string(), "{rows:?}");

    for local in [&["logview", "-m", MODULE][..], &["-p"], &["-r", "processtree", "list", "all"]] {
        let output = node1.safekit(&[&["-H", "*"], local].concat());
        assert_eq!(output.code, 2, "{output:?}");
        assert!(output.stderr.contains(&format!("-H cannot be used with {}", local[0])), "{output:?}");
    }
}

#[test]
fn another_password_is_told_for_its_node_only() {
    let cluster = cluster("rcmd_password");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let file = node2.inside().safe().join("web/conf/rcmd.conf");
    let owner = std::fs::metadata(&file).expect("the secret of node2");
    let other = Secret::random().expect("a secret");
    other.store(&paths(node2), Some((owner.uid(), owner.gid()))).expect("store it");
    let output = node1.safekit(&["-H", "*", "level"]);
    assert_eq!(output.code, 1);
    assert_eq!(output.stdout.matches("SafeKit : ").count(), 1, "{output:?}");
    assert!(output.stderr.contains("node2 (10.77.1.2:9010): the node refuses the password"), "{output:?}");
    assert!(output.stderr.contains("webservercfg -rcmdpasswd"), "{output:?}");
}

#[test]
fn files_of_other_nodes_come_here() {
    let cluster = cluster("rcmd_files");
    let node1 = cluster.node(1);
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    let at = |name: &str| node1.inside().dir().join(name);
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    // The archive that node1 has is sent to node2, and comes back from it.
    let archive = text(&at(&format!("{MODULE}.safe")));
    node1.ok(&["-H", "node2", "module", "install", "-m", MODULE, "-M", "1", &archive]);
    node1.ok(&["-H", "*", "config", "-m", MODULE]);
    node1.ok(&["-H", "*", "module", "package", "-m", MODULE, &text(&at("back.safe"))]);
    let packed = |node: &str| std::fs::read(at(&format!("back_{node}.safe"))).expect("a package");
    assert_eq!(packed("node1"), packed("node2"));
    node1.ok(&["-H", "node2", "printe", "-m", MODULE, "said from far away"]);
    cluster.node(2).wait_log(MODULE, 0, &["said from far away"]);
    node1.ok(&["-H", "*", "logsave", "-m", MODULE, &text(&at("log.txt"))]);
    let saved = |node: &str| std::fs::read_to_string(at(&format!("log_{node}.txt"))).expect("a log");
    assert!(saved("node2").contains("said from far away") && !saved("node1").contains("said from far away"));
    assert!(!at("log.txt").exists());
    // The logs of node2 name who gave the command.
    node1.ok(&["-H", "node2", "start", "-m", MODULE]);
    cluster.node(2).wait_log(MODULE, 0, &["Action start called by root@"]);
    let commands = cluster.node(2).ok(&["cmdlog"]);
    assert!(commands.contains("-u root@"), "{commands}");
    node1.ok(&["-H", "node2", "stop", "-m", MODULE]);
    node1.ok(&["-H", "node2", "waitstop", "-m", MODULE]);
    each_has_a_number(&cluster.node(2).ok(&["cmdlog"]));
}

/// One process there has given all these commands; each END belongs to one START all the same (MSG-CMD-01).
fn each_has_a_number(log: &str) {
    let numbers = |wanted: &str| -> Vec<&str> {
        let fields = log.lines().map(|line| line.split(" | ").collect::<Vec<_>>());
        let wanted = fields.filter(|f| f.len() > 3 && f[f.len() - 2] == wanted).map(|f| f[f.len() - 3]);
        wanted.filter(|number| number.parse::<u32>().is_ok_and(|number| number >= 1 << 22)).collect()
    };
    let (starts, ends) = (numbers("START"), numbers("END"));
    assert!(starts.len() >= 4, "install, config, start and stop: {log}");
    assert_eq!(starts, ends, "one after the other, none twice: {log}");
    let different: std::collections::BTreeSet<&str> = starts.iter().copied().collect();
    assert_eq!(different.len(), starts.len(), "{log}");
}

#[test]
fn d_9_1b_a_module_is_given_to_other_nodes() {
    let cluster = cluster("d_9_1b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.unpack(MODULE, 7, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["module", "genkey", "-m", MODULE]);
    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["-H", BOTH, "-E", MODULE]);
    assert!(node2.inside().safe().join("modules").join(MODULE).join("conf/userconfig.xml").exists());
    let id = |node: &Node| node.ok(&["module", "listid"]).split_whitespace().nth(1).map(str::to_owned);
    assert_eq!((id(node1), id(node2)), (Some("7".to_owned()), Some("7".to_owned())));
    let signatures = |node: &Node| {
        let info = node.json(&["confinfo", "-m", MODULE]);
        (info["active"]["signature"].clone(), info["current"]["signature"].clone())
    };
    assert_eq!(signatures(node1), signatures(node2));
    for node in [node1, node2] {
        assert_eq!(node.resource(MODULE, "usersetting.encryption").as_deref(), Some("on"), "{}", node.name());
    }
    let key = |node: &Node| {
        std::fs::read(node.inside().safe().join("modules").join(MODULE).join("conf/modulekey.dat"))
            .expect("a key")
    };
    assert_eq!(key(node1), key(node2));

    // Without -H: SAFEVAR/default_cluster.txt.
    let refused = node1.safekit(&["-E", MODULE]);
    assert!(refused.code == 2 && refused.stderr.contains("default_cluster.txt"), "{refused:?}");
    let list = node1.inside().safevar().join("default_cluster.txt");
    std::fs::write(&list, "[http]\nnode2\n").expect("write the list");
    node1.edit(MODULE, &Mirror { service: r#"maxloop="5""#, ..Mirror::default() }.xml());
    node1.ok(&["config", "-m", MODULE]);
    assert_ne!(signatures(node1), signatures(node2));
    let given = node1.safekit(&["-E", MODULE]);
    assert_eq!(
        (given.code, headers(&given)),
        (0, vec!["---- node2 http://10.77.1.2:9010 ----"]),
        "{given:?}"
    );
    assert_eq!(signatures(node1), signatures(node2));
}

/// The module's and the cluster's key, as anybody between the nodes could see them: nowhere. All that node1 sends
/// to node2 goes through a relay of the test, over HTTP.
#[test]
fn keys_are_never_readable_on_the_way() {
    let cluster = cluster("rcmd_keys");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.unpack(MODULE, 1, &Mirror::default().xml(), &SCRIPTS);
    node1.ok(&["module", "genkey", "-m", MODULE]);
    let capture = node1.inside().dir().join("traffic");
    let script = node1.inside().dir().join("relay.py");
    std::fs::write(&script, RELAY.replace("CAPTURE", &capture.to_string_lossy())).expect("write the relay");
    let relay =
        node1.sh(&format!("python3 {} </dev/null >/dev/null 2>&1 & echo $!", script.display())).stdout;
    let through = "http://127.0.0.1:9099";
    wait_web(node1, through);
    node1.ok(&["-H", through, "-E", MODULE]);
    node1.ok(&["-H", through, "-G"]);
    assert_eq!(node1.sh(&format!("kill {relay}")).code, 0);
    let seen = std::fs::read(&capture).expect("the traffic");
    assert!(contains(&seen, b"POST /api/v1/rcmd"), "the relay has seen the requests");
    for (node, file) in [
        (node1, node1.inside().safe().join("modules").join(MODULE).join("conf/modulekey.dat")),
        (node2, node2.inside().safevar().join("cluster/cluster.key")),
        (node2, node2.inside().safe().join("web/conf/rcmd.conf")),
    ] {
        let line = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let digits = line.split_whitespace().nth(1).expect("a key");
        let bytes: Vec<u8> =
            (0..32).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).expect("a byte")).collect();
        assert!(
            !contains(&seen, digits.as_bytes()) && !contains(&seen, &bytes),
            "{} {}",
            node.name(),
            file.display()
        );
    }
    for readable in [&b"userconfig"[..], b"safekit-key-1", b"<cluster>", b"module_install", MODULE_SCRIPT] {
        assert!(!contains(&seen, readable), "{}", readable.escape_ascii());
    }
}

/// What the packed scripts say.
const MODULE_SCRIPT: &[u8] = b"echo started";

/// Listens on 127.0.0.1:9099, passes everything on to node2 and keeps a copy.
const RELAY: &str = "
import socket, threading
log = open('CAPTURE', 'ab', 0)
def copy(a, b):
    try:
        while data := a.recv(65536):
            log.write(data); b.sendall(data)
    except OSError: pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
server = socket.create_server(('127.0.0.1', 9099))
while True:
    client, _ = server.accept()
    node = socket.create_connection(('10.77.1.2', 9010))
    for pair in ((client, node), (node, client)):
        threading.Thread(target=copy, args=pair, daemon=True).start()
";

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[test]
fn t_7_1_3_one_configuration_on_all_nodes() {
    let cluster = cluster("t_7_1_3");
    wait_one_cluster(&cluster);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node1.ok(&["cluster", "config"]);
    let own = |node: &Node| confinfo(node).into_iter().find(|row| row.0 == node.name()).expect("itself");
    assert_ne!(own(node1).1, own(node2).1);
    node1.ok(&["-H", "*", "-G"]);
    assert_eq!(own(node1).1, own(node2).1);
    wait_one_cluster(&cluster);
}

/// Between nodes with different cluster keys the cluster is silent, is said to be so with what to do, and `-G`
/// repairs that. Modules go on and find each other at a start: their heartbeats do not hang on that key, so that a
/// key which was not deployed is no split brain (docs/adr/0013).
#[test]
fn t_7_13a_different_cluster_keys() {
    let cluster = cluster("t_7_13a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    cluster.install(MODULE, &Mirror::default().xml(), &SCRIPTS);
    cluster.start_pair(MODULE);
    wait_one_cluster(&cluster);
    let marks = [node1, node2].map(|node| node.mark(MODULE));
    node1.ok(&["cluster", "genkey"]);
    let alone = |node: &Node| {
        let list = confinfo(node);
        (list.len() == 1 && list[0].0 == node.name()).then_some(())
    };
    for (node, other) in [(node1, "node2"), (node2, "node1")] {
        eventually(&format!("{} hears nobody", node.name()), || alone(node));
        let told = format!("datagrams of {other}: this node refuses them");
        let advice = "uses another cluster key or another cluster configuration: \
            deploy the configuration again with safekit -H \"*\" -G";
        eventually(&format!("{}: {told}", node.name()), || {
            let said = node.safekit(&["cluster", "check"]).stdout;
            (said.contains(&told) && said.contains(advice)).then_some(())
        });
    }
    // The automata have seen the silence and nothing has moved.
    for (node, mark) in [node1, node2].into_iter().zip(marks) {
        node.evaluate(MODULE);
        node.assert_not_logged(MODULE, mark, "Local state");
        node.assert_not_logged(MODULE, mark, "Remote state");
    }
    node2.ok(&["stop", "-m", MODULE]);
    node2.ok(&["waitstop", "-m", MODULE]);
    node2.ok(&["start", "-m", MODULE]);
    cluster.wait_pair(MODULE);
    node1.ok(&["-H", "*", "-G"]);
    wait_one_cluster(&cluster);
    assert_eq!((node1.state(MODULE), node2.state(MODULE)), ("PRIM", "SECOND"));
    for node in [node1, node2] {
        assert_eq!(node.resource(MODULE, "heartbeat.default").as_deref(), Some("up"), "{}", node.name());
    }
}

/// With different keys of the module neither node hears the heartbeats of the other, so the secondary never
/// comes to ask for the data, and stays what it is. Whoever does ask with another key is refused, which the
/// verbose log says (MSG-R-11).
#[test]
fn t_7_13b_different_module_keys() {
    let cluster = installed("t_7_13b", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    wait_web(node1, "node2");
    let encryption = |wanted: &str| {
        for node in [node1, node2] {
            let found = node.resource(MODULE, "usersetting.encryption");
            assert_eq!(found.as_deref(), Some(wanted), "{}", node.name());
        }
    };
    encryption("off");
    wait_one_cluster(&cluster);
    node1.ok(&["module", "genkey", "-m", MODULE]);
    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["-H", BOTH, "-E", MODULE]);
    encryption("on");
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["module", "genkey", "-m", MODULE]);
    node2.ok(&["config", "-m", MODULE]);
    encryption("on");
    // Both live, as the cluster's channel says, but neither hears the heartbeats of the other.
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_log(MODULE, 0, &["Local state WAIT"]);
    for node in [node1, node2] {
        let down = || (node.resource(MODULE, "heartbeat.default").as_deref() == Some("down")).then_some(());
        eventually(&format!("no heartbeat on {}", node.name()), down);
    }
    node2.evaluate(MODULE);
    assert_eq!((node1.state(MODULE), node2.state(MODULE)), ("ALONE", "WAIT"));
    node2.assert_not_logged(MODULE, 0, "Updating directory tree");
    let asking = node2.inside().dir().join("ask.py");
    std::fs::write(&asking, STRANGER).expect("write the program");
    let asked = node2.sh(&format!("python3 {}", asking.display()));
    assert_eq!((asked.code, asked.stdout.trim()), (0, "refused"), "{asked:?}");
    let refused =
        ["XXX clnttcp_create: socket=", "TLS handshake failed. Check server time and module certificate"];
    node1.wait_log(MODULE, 0, &refused[..1]);
    let said = node1.log(MODULE);
    assert!(said.iter().any(|line| refused.iter().all(|part| line.contains(part))), "{said:?}");
    let main = node1.ok(&["log", "-s", "5000", "-m", MODULE]);
    assert!(!main.contains(refused[0]), "it is for the verbose log only: {main}");
    node1.ok(&["-H", BOTH, "stop", "-m", MODULE]);
    node1.ok(&["-H", BOTH, "waitstop", "-m", MODULE]);
    node1.ok(&["-H", BOTH, "-E", MODULE]);
    encryption("on");
    cluster.start_pair(MODULE);
    node1.ok(&["-H", BOTH, "stop", "-m", MODULE]);
    node1.ok(&["-H", BOTH, "waitstop", "-m", MODULE]);
    node1.ok(&["-H", "*", "module", "delkey", "-m", MODULE]);
    node1.ok(&["-H", "*", "config", "-m", MODULE]);
    encryption("off");
}

/// Asks node1 for its replicated data over TLS with another key than that of the module.
const STRANGER: &str = "
import socket, ssl
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
tried = 0
for lan in (1, 2):
    try: stream = socket.create_connection((f'10.77.{lan}.1', 5600), 20)
    except OSError: continue
    tried += 1
    try: context.wrap_socket(stream); raise SystemExit('it was let in')
    except OSError: pass
print('refused' if tried else 'nobody listens')
";

#[test]
fn d_9_3b_a_lan_that_a_module_uses_is_removed() {
    let cluster = cluster("d_9_3b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let both = Mirror { vip: None, ..Mirror::default() }.xml();
    let (one, only_default) = ("one", both.replace(r#"<heartbeat name="repli"/>"#, ""));
    cluster.install(MODULE, &both, &SCRIPTS);
    cluster.install(one, &only_default, &SCRIPTS);
    cluster.start_pair(MODULE);
    cluster.start_pair(one);
    let mark = node1.mark(one);
    let xml = as_it_is(&cluster);
    let (start, end) =
        (xml.find("    <lan name=\"repli\"").expect("repli"), xml.find("  </lans>").expect("an end"));
    let file = node1.inside().dir().join("smaller.xml");
    std::fs::write(&file, format!("{}{}", &xml[..start], &xml[end..])).expect("write cluster.xml");
    let said = node1.ok(&["cluster", "config", &file.to_string_lossy()]);
    assert!(said.contains(&format!("module {MODULE} cannot go on in this cluster and is stopped")), "{said}");
    node1.ok(&["-H", "*", "-G"]);
    wait_one_cluster(&cluster);
    for node in [node1, node2] {
        assert_eq!(node.state(MODULE), "STOP", "{}", node.name());
    }
    assert_eq!((node1.state(one), node2.state(one)), ("PRIM", "SECOND"));
    node1.assert_not_logged(one, mark, "Local state");
}

/// A name of cluster.xml means another address from now on: it is looked up anew on every node, and nothing stops
/// for it (CLI-019).
#[test]
fn d_9_3b_names_are_looked_up_anew() {
    let cluster = cluster("d_9_3b_names");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let xml = Mirror { vip: None, ..Mirror::default() }.xml();
    cluster.install(MODULE, &xml.replace(r#"<heartbeat name="repli"/>"#, ""), &SCRIPTS);
    cluster.start_pair(MODULE);
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    let names = |node: &Node, two: &str| {
        let hosts = node.inside().dir().join("hosts");
        let text = format!("127.0.0.1 localhost\n10.77.1.1 one.test\n{two} two.test\n");
        std::fs::write(&hosts, text).expect("hosts");
        hosts
    };
    for node in [node1, node2] {
        let hosts = names(node, "10.77.1.2");
        let bound = node.sh(&format!("mount --bind {} /etc/hosts", hosts.display()));
        assert_eq!(bound.code, 0, "{bound:?}");
    }
    let file = node1.inside().dir().join("named.xml");
    let named = as_it_is(&cluster).replace("10.77.1.1", "one.test").replace("10.77.1.2", "two.test");
    std::fs::write(&file, named).expect("write cluster.xml");
    node1.ok(&["cluster", "config", &file.to_string_lossy()]);
    let given = |address: &str| {
        node1.ok(&["-H", "[http],*", "-G"]);
        for node in [node1, node2] {
            let file = node.inside().safevar().join("cluster/cluster_ip.xml");
            let resolved = std::fs::read_to_string(file).expect("the addresses");
            assert!(resolved.contains(&format!("\"{address}\"")), "{address}: {resolved}");
        }
        wait_one_cluster(&cluster);
        assert_eq!((node1.state(MODULE), node2.state(MODULE)), ("PRIM", "SECOND"));
        for (node, mark) in [node1, node2].into_iter().zip(marks) {
            node.evaluate(MODULE);
            node.assert_not_logged(MODULE, mark, "Local state");
        }
    };
    given("10.77.1.2");
    assert_eq!(node2.sh("ip addr add 10.77.1.12/24 dev eth0").code, 0);
    for node in [node1, node2] {
        names(node, "10.77.1.12");
    }
    given("10.77.1.12");
    // Once it has stopped the module needs the former address no more, though nobody asks this node for it.
    node2.ok(&["stop", "-m", MODULE]);
    node2.ok(&["waitstop", "-m", MODULE]);
    let moved = node2.sh("ip addr flush dev eth0 && ip addr add 10.77.1.12/24 dev eth0");
    assert_eq!(moved.code, 0, "{moved:?}");
    wait_one_cluster(&cluster);
    node1.ok(&["stop", "-m", MODULE]);
    node1.ok(&["waitstop", "-m", MODULE]);
    // A command that comes while its instance is replaced waits for the new one.
    node1.ok(&["config", "-m", MODULE]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    cluster.wait_pair(MODULE);
}

/// cluster.xml of a sandbox.
fn as_it_is(cluster: &Cluster) -> String {
    let (parent, name) = (cluster.dir().parent().expect("one"), cluster.dir().file_name().expect("one"));
    let (_, state) = Sandbox::open(parent, &name.to_string_lossy()).expect("it is up");
    cluster_xml(&state)
}
