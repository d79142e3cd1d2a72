//! The command line (spec/acceptance.md D-9) and what it shows of a blocked module (T-7.9).

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS};
use safekit::sandbox::{Sandbox, cluster_xml};

/// A file on the disk of a node, and its path there.
fn put(node: &Node, name: &str, content: &str) -> String {
    let file = node.inside().dir().join(name);
    std::fs::write(&file, content).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    file.to_string_lossy().into_owned()
}

#[test]
fn d_9_3a_lock_of_the_cluster_configuration() {
    let cluster = Cluster::new("d_9_3a");
    let node1 = cluster.node(1);
    let (parent, name) = (cluster.dir().parent().expect("one"), cluster.dir().file_name().expect("one"));
    let (_, state) = Sandbox::open(parent, &name.to_string_lossy()).expect("it is up");
    let file = put(node1, "f.xml", &cluster_xml(&state));
    let lock = || {
        let rows = node1.json(&["cluster", "confinfo"]);
        let rows = rows.as_array().expect("a list");
        let row = rows.iter().find(|row| row["node"] == "node1").expect("this node");
        (row["lock"].as_bool().expect("a flag"), row["signature"].clone())
    };
    node1.ok(&["cluster", "config", &file]);
    let (unlocked, signature) = lock();
    assert!(!unlocked);
    node1.ok(&["cluster", "config", "lock"]);
    assert_eq!(lock(), (true, signature.clone()));
    let refused = node1.safekit(&["cluster", "config", &file]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("locked"), "{refused:?}");
    assert_eq!(lock(), (true, signature.clone()), "nothing has changed");
    node1.ok(&["cluster", "config", "unlock"]);
    assert_eq!(lock(), (false, signature));
    node1.ok(&["cluster", "config", &file]);
}

#[test]
fn d_9_4_states_and_waits() {
    let cluster = Cluster::new("d_9_4");
    let held = r#"<check><custom ident="id" when="pre" exec="watch" action="wait"/></check>"#;
    let scripts = [&SCRIPTS[..], &[("watch", "exec sleep 1000")]].concat();
    cluster.install(MODULE, &Mirror { more: held, ..Mirror::default() }.xml(), &scripts);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let lq = |node: &Node, code: i32, role: &str| {
        let output = node.safekit(&["state", "-m", MODULE, "-lq"]);
        assert_eq!((output.code, output.stdout.trim()), (code, role), "{output:?}");
    };
    let set = |node: &Node, value: &str| {
        node.ok(&["set", "-m", MODULE, "-r", "custom.id", "-v", value, "-i", "customscript"]);
    };
    lq(node1, 0, "STOP");
    node1.ok(&["waitstop", "-m", MODULE]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_log(MODULE, 0, &["Local state WAIT"]);
    set(node1, "down");
    node1.wait_state(MODULE, "WAIT");
    lq(node1, 1, "WAIT");
    // A wait goes on until the state is there: it is begun before the change.
    let alone = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| node1.safekit(&["waitstate", "ALONE", "-m", MODULE]));
        node1.evaluate(MODULE);
        assert!(!waiting.is_finished(), "waitstate has returned in WAIT");
        set(node1, "up");
        waiting.join().expect("it ends")
    });
    assert_eq!(alone.code, 0, "{alone:?}");
    lq(node1, 2, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_log(MODULE, 0, &["Local state WAIT"]);
    set(node2, "up");
    node2.ok(&["waitstart", "-m", MODULE]);
    node1.ok(&["waitstate", "-m", MODULE, "PRIM"]);
    node2.ok(&["waitstate", "-m", MODULE, "SECOND"]);
    lq(node1, 3, "PRIM");
    lq(node2, 4, "SECOND");
    node1.ok(&["stop", "-m", MODULE]);
    node1.ok(&["waitstop", "-m", MODULE]);
    lq(node1, 0, "STOP");
    // A failed wait has a status of its own kind, not the one of a state.
    assert_ne!(node1.safekit(&["waitstate", "PRIM", "-m", "nobody"]).code, 0);
}

#[test]
fn d_9_6b_signatures_packages_and_ids() {
    let cluster = Cluster::new("d_9_6b");
    let node1 = cluster.node(1);
    cluster.install(MODULE, &Mirror::default().xml(), &SCRIPTS);
    let signatures = || {
        let info = node1.json(&["confinfo", "-m", MODULE]);
        (info["active"]["signature"].clone(), info["current"]["signature"].clone())
    };
    let (active, current) = signatures();
    assert!(active.is_string());
    assert_eq!(active, current);
    node1.edit(MODULE, &Mirror { service: r#"maxloop="5""#, ..Mirror::default() }.xml());
    let (still, edited) = signatures();
    assert_eq!(still, active);
    assert_ne!(edited, current);
    node1.ok(&["config", "-m", MODULE]);
    assert_eq!(signatures(), (edited.clone(), edited.clone()));
    let package = node1.inside().dir().join("packed.safe").to_string_lossy().into_owned();
    node1.ok(&["module", "package", "-m", MODULE, &package]);
    assert_ne!(node1.safekit(&["module", "package", "-m", MODULE, "packed.safe"]).code, 0, "relative path");
    assert_ne!(node1.safekit(&["module", "install", "-m", MODULE, &package]).code, 0, "without -r");
    // The id must be the same everywhere (AMB-42), so the other node gives it up first.
    let node2 = cluster.node(2);
    node2.ok(&["deconfig", "-m", MODULE]);
    node2.ok(&["module", "uninstall", "-m", MODULE]);
    assert!(!node2.inside().safe().join("modules").join(MODULE).exists());
    assert_eq!(node2.ok(&["module", "list"]), "");
    node1.ok(&["module", "install", "-m", MODULE, "-r", "-M", "5", &package]);
    assert_eq!(node1.ok(&["module", "listid"]).split_whitespace().collect::<Vec<_>>(), [MODULE, "5"]);
    assert_eq!(signatures().1, edited, "the package holds what was packed");
}

#[test]
fn d_9_6c_ports() {
    let cluster = Cluster::new("d_9_6c");
    let node1 = cluster.node(1);
    let farm = r#"<safe><service mode="farm"><farm><lan name="default"/></farm></service></safe>"#;
    node1.install("mirror", 1, &Mirror::default().xml(), &[]);
    node1.unpack("farm", 2, farm, &[]);
    let expect = |of: &[&str], ports: &[&str]| {
        let text = node1.ok(&[&["module", "getports"], of].concat());
        assert_eq!(text.lines().next(), Some("List of the ports used by SafeKit"));
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for port in ports {
            assert!(lines.iter().any(|line| line == port), "{port} is not in\n{text}");
        }
        text
    };
    let mirror = expect(
        &["-m", "mirror"],
        &["safeadmin", "port UDP 4800", "port TCP 9010", "port UDP 8888", "safenfs_port TCP 5600"],
    );
    assert!(!mirror.contains("farm"), "{mirror}");
    expect(&["-m", "farm"], &["port UDP 4800", "port TCP 9010", "port UDP 4806"]);
    expect(&["-i", "3"], &["port UDP 8890", "safenfs_port TCP 5608", "port UDP 4809"]);
}

#[test]
fn t_7_9_a_module_blocked_by_a_rule() {
    let more = r#"<check><custom ident="checkfile" when="pre" exec="watch" action="wait"/></check>"#;
    let watch = r#"last=none
while sleep 0.1; do
    if [ -e "$SAFEUSERVAR/there" ]; then now=up; else now=down; fi
    [ $now = $last ] || "$SAFE/safekit" set -r "$2" -v $now -i checkfile
    last=$now
done"#;
    let cluster = Cluster::new("t_7_9");
    let scripts = [&SCRIPTS[..], &[("watch", watch)]].concat();
    cluster.install(MODULE, &Mirror { more, ..Mirror::default() }.xml(), &scripts);
    let node1 = cluster.node(1);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "WAIT");
    node1.evaluate(MODULE);
    for command in [&["state", "-v", "-m", MODULE][..], &["state", "-m", MODULE], &["explain", "-m", MODULE]]
    {
        let text = node1.ok(command);
        assert!(
            text.contains("c_checkfile"),
            "safekit {} does not name the rule:\n{text}",
            command.join(" ")
        );
    }
    assert_eq!(node1.resource(MODULE, "custom.checkfile").as_deref(), Some("down"));
    let there = node1.inside().safevar().join("modules").join(MODULE).join("there");
    std::fs::write(there, "").expect("the disk of the node");
    node1.wait_state(MODULE, "ALONE");
    assert!(!node1.ok(&["explain", "-m", MODULE]).contains("c_checkfile"));
}
