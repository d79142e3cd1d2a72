//! Files that only one node has are kept before they are overwritten (S6): `safekit rescue`.

use crate::replication::{DIR, installed, pair, settled, sh};
use crate::support::{Cluster, MODULE, Node};
use serde_json::Value;

/// What `rescue` with these words says as JSON.
#[track_caller]
fn rescue(node: &Node, words: &[&str]) -> Value {
    node.json(&[&["rescue"], words, &["-m", MODULE]].concat())
}

/// The archives of a node.
#[track_caller]
fn archives(node: &Node) -> Vec<Value> {
    rescue(node, &["list"])["archives"].as_array().expect("a list").clone()
}

fn explained(node: &Node) -> bool {
    node.ok(&["explain", "-m", MODULE]).contains("safekit rescue diff")
}

/// Both nodes went on alone; node 2 gave up its own.
fn parted(test: &str) -> Cluster {
    let cluster = pair(test);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("cd {DIR} && echo both > file && echo same > same && mkdir dir && echo x > dir/x"));
    settled(&cluster);
    for lan in ["default", "repli"] {
        cluster.cut(node1, Some(lan));
    }
    node1.wait_state(MODULE, "ALONE");
    node2.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo first > {DIR}/file && echo 1 > {DIR}/only1"));
    sh(
        node2,
        &format!(
            "cd {DIR} && echo second > file && mkdir mine && echo 2 > mine/only2 && chown 12:34 mine/only2 \
             && chmod 640 mine/only2 && touch -d @1000000 mine/only2 && rm dir/x"
        ),
    );
    for lan in ["default", "repli"] {
        cluster.heal(node1, Some(lan));
    }
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert_eq!(sh(node2, &format!("cat {DIR}/file && ls {DIR}")), "first\ndir\nfile\nonly1\nsame\n");
    cluster
}

#[test]
fn m_4_2_10_the_files_of_the_side_that_gives_up_are_rescued() {
    let cluster = parted("rescue");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    assert_eq!(archives(node1), Vec::<Value>::new());
    let [archive] = archives(node2).try_into().expect("one archive");
    assert_eq!((&archive["files"], &archive["left_out"]), (&3.into(), &0.into()), "{archive}");
    assert_eq!(archive["header"]["why"]["why"], "diverged");
    node2.assert_log(
        MODULE,
        0,
        &["Split brain recovery: exiting alone", "Rescued 3 entries", "Local state SECOND Ready"],
    );
    assert!(explained(node2) && !explained(node1));

    let text = node2.ok(&["rescue", "diff", "-m", MODULE]);
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    let expected = [
        format!("changed: {DIR}/file: 6 bytes now, 7 then"),
        format!("only here: {DIR}/mine/only2: not there now"),
        format!("only here: {DIR}/mine: not there now"),
    ];
    assert_eq!(lines, expected);
    assert!(!explained(node2), "somebody has looked at it");

    node2.ok(&["rescue", "restore", "--to", "/data/back", "-m", MODULE]);
    let stat = format!("cd /data/back{DIR} && cat file mine/only2 && stat -c '%u %g %a %Y' mine/only2 && ls");
    assert_eq!(sh(node2, &stat), "second\n2\n12 34 640 1000000\nfile\nmine\n");
    let again = node2.safekit(&["rescue", "restore", "--to", "/data/back", "-m", MODULE]);
    assert!(again.code == 1 && again.stderr.contains("is not empty"), "{again:?}");
    for (words, why) in [
        (vec!["--in-place"], "is for a node that is ALONE or PRIM"),
        (vec!["--to", "/data/replicated/x"], "is replicated"),
        (vec!["1999", "--to", "/data/x"], "there is no rescue archive 1999"),
    ] {
        let words = [vec!["rescue", "restore"], words, vec!["-m", MODULE]].concat();
        let refused = node2.safekit(&words);
        assert!(refused.code == 1 && refused.stderr.contains(why), "{words:?}: {refused:?}");
    }

    node2.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    let path = format!("{DIR}/mine");
    node2.ok(&["rescue", "restore", "--in-place", "--path", &path, "-m", MODULE]);
    settled(&cluster);
    assert_eq!(sh(node1, &format!("cat {DIR}/file {DIR}/mine/only2")), "first\n2\n");
    node2.ok(&["rescue", "purge", "--all", "-m", MODULE]);
    assert_eq!(archives(node2), Vec::<Value>::new());
}

#[test]
fn a_5_5b_prim_on_old_data_keeps_the_newer_data_within_the_limit() {
    let cluster = installed("rescue_prim", r#"rescuelimit="1""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo both > {DIR}/file"));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(
        node1,
        &format!("cd {DIR} && echo newer > file && dd if=/dev/urandom of=big bs=1M count=3 status=none"),
    );
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.ok(&["prim", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    let [archive] = archives(node1).try_into().expect("one archive");
    assert_eq!((&archive["files"], &archive["left_out"]), (&2.into(), &1.into()), "{archive}");
    node1.assert_log(MODULE, 0, &["Rescued 2 entries"]);
    let restored = node1.ok(&["rescue", "restore", "--to", "/data/back", "-m", MODULE]);
    assert!(restored.contains("not in the archive: big"), "{restored}");
    assert_eq!(sh(node1, &format!("cat /data/back{DIR}/file && ls /data/back{DIR}")), "newer\nfile\n");
}

#[test]
fn nothing_is_rescued_where_one_history_goes_on() {
    let cluster = pair("rescue_none");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/file"));
    node1.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    sh(node2, &format!("echo two > {DIR}/file"));
    node1.wait_state(MODULE, "STOP");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    cluster.poweroff(node2);
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo three > {DIR}/file && echo x > {DIR}/more"));
    cluster.poweron(node2);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    node2.ok(&["swap", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    settled(&cluster);
    for node in cluster.nodes() {
        assert_eq!(archives(node), Vec::<Value>::new(), "{}", node.name());
    }
}
