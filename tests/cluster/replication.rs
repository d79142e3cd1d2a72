//! Replicated directories (spec/acceptance.md M-4.2.7, A-5.3 to A-5.9, R-13.6): what is written on the
//! primary is on both nodes, and no node serves data that is not up to date by itself.

use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, eventually};

/// The replicated directory; `/data` is each node's own.
pub const DIR: &str = "/data/replicated";

/// A cluster whose nodes have the module with a replicated directory, in STOP.
pub fn installed(test: &str, rfs: &str, inside: &str) -> Cluster {
    installed_on(test, None, rfs, inside)
}

/// The same on lossy disks of 512 MiB: what is not flushed when a node loses its power is gone.
pub fn installed_lossy(test: &str) -> Cluster {
    installed_on(test, Some(512 << 20), "", "")
}

/// The same, node 1 PRIM and node 2 SECOND.
pub fn lossy_pair(test: &str) -> Cluster {
    lossy_pair_with(test, "")
}

/// The same with attributes of `<rfs>`.
pub fn lossy_pair_with(test: &str, rfs: &str) -> Cluster {
    let cluster = installed_on(test, Some(512 << 20), rfs, "");
    cluster.start_pair(MODULE);
    cluster
}

fn installed_on(test: &str, disk: Option<u64>, rfs: &str, inside: &str) -> Cluster {
    let private = vec!["/data".into()];
    let cluster = Cluster::with(test, |o| safekit::sandbox::Options { private, disk, ..o });
    let more = format!(r#"<rfs {rfs}><replicated dir="{DIR}" mode="read_only">{inside}</replicated></rfs>"#);
    let mirror = Mirror { more: &more, ..Mirror::default() };
    for node in cluster.nodes() {
        assert_eq!(node.sh(&format!("mkdir -p {DIR}")).code, 0);
    }
    cluster.install(MODULE, &mirror.xml(), &SCRIPTS);
    cluster
}

/// The same, node 1 PRIM and node 2 SECOND.
pub fn pair(test: &str) -> Cluster {
    let cluster = installed(test, "", "");
    cluster.start_pair(MODULE);
    cluster
}

/// Runs a shell script that must succeed; what it prints.
#[track_caller]
pub fn sh(node: &Node, script: &str) -> String {
    let output = node.sh(script);
    assert_eq!(output.code, 0, "{script} on {}: {output:?}", node.name());
    output.stdout
}

/// Names, types, owners, permissions and contents of the replicated files, one a line.
pub fn tree(node: &Node) -> String {
    sh(
        node,
        &format!(
            "cd {DIR}/ && find . -mindepth 1 -not -path './.safekit_rfs*' -printf '%P %y %u %g %m %l\\n' | sort \
             && find . -type f -not -path './.safekit_rfs*' -print0 | sort -z | xargs -0 -r sha256sum"
        ),
    )
}

#[track_caller]
fn assert_same(cluster: &Cluster) {
    let (one, two) = (tree(cluster.node(1)), tree(cluster.node(2)));
    assert_eq!(one, two);
}

#[test]
fn m_4_2_7a_a_write_is_on_both_nodes() {
    let cluster = installed("m_4_2_7a", r#"async="none""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("cd {DIR} && echo one > file1.txt && chown 12:34 file1.txt && chmod 640 file1.txt"));
    // Before the write returned: no waiting.
    assert_eq!(sh(node2, &format!("cat {DIR}/file1.txt")), "one\n");
    assert_eq!(sh(node2, &format!("stat -c '%u %g %a' {DIR}/file1.txt")), "12 34 640\n");
    sh(
        node1,
        &format!(
            "cd {DIR} && mkdir -p a/b && mv file1.txt a/b/moved && ln a/b/moved hard && ln -s a/b/moved soft \
             && dd if=/dev/urandom of=big bs=1M count=20 status=none && truncate -s 5000 big && mkfifo fifo \
             && rm hard && sync -f ."
        ),
    );
    assert_same(&cluster);
}

#[test]
fn m_4_2_7b_the_secondary_is_read_only() {
    let cluster = pair("m_4_2_7b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/file1.txt"));
    eventually("the file on the secondary", || {
        (node2.sh(&format!("cat {DIR}/file1.txt")).stdout == "one\n").then_some(())
    });
    let refused = node2.sh(&format!("rm -f {DIR}/file1.txt"));
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    assert_ne!(node2.sh(&format!("echo two >> {DIR}/file1.txt")).code, 0);
    assert_same(&cluster);
}

#[test]
fn m_4_2_7c_a_returning_node_gets_what_changed() {
    let cluster = pair("m_4_2_7c");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/file1.txt"));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    sh(node2, &format!("echo two > {DIR}/file2.txt && rm {DIR}/file1.txt"));
    assert_eq!(sh(node1, &format!("ls {DIR}/")), "file1.txt\n");
    let from = node1.mark(MODULE);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    node1.assert_log(
        MODULE,
        from,
        &[
            &format!("Updating directory tree from {DIR}"),
            "Copied ",
            "Reintegration ended (synchronize)",
            "Local state SECOND Ready",
        ],
    );
    assert_same(&cluster);
    assert_eq!(sh(node1, &format!("cat {DIR}/file2.txt")), "two\n");
}

#[test]
fn r_13_6a_the_directory_is_renamed_and_comes_back() {
    let cluster = installed("r_13_6a", "", "");
    let node = cluster.node(1);
    let link = |node: &Node| sh(node, &format!("readlink {DIR}"));
    assert_eq!(link(node), "replicated_For_SafeKit_Replication\n");
    sh(node, &format!("echo kept > {DIR}/file"));
    node.ok(&["prim", "-m", MODULE]);
    node.wait_state(MODULE, "ALONE");
    sh(node, &format!("mountpoint -q {DIR}"));
    assert_eq!(sh(node, &format!("cat {DIR}/file")), "kept\n");
    sh(node, &format!("echo new > {DIR}/file"));
    node.ok(&["stop", "-m", MODULE]);
    node.wait_state(MODULE, "STOP");
    assert_eq!(link(node), "replicated_For_SafeKit_Replication\n");
    node.ok(&["deconfig", "-m", MODULE]);
    assert_eq!(sh(node, &format!("stat -c %F {DIR} && cat {DIR}/file")), "directory\nnew\n");
    assert_ne!(node.sh(&format!("test -e {DIR}_For_SafeKit_Replication")).code, 0);
}

const WAITS: [&str; 3] = [
    "Data may be not uptodate for replicated directories (wait for the start of the remote server)",
    "Action wait from failover rule notuptodate_server",
    "If you are sure that this server has valid data, run safekit prim to force start as primary",
];

#[test]
fn a_5_3a_a_first_start_waits_for_an_operator() {
    let cluster = installed("a_5_3a", "", "");
    sh(cluster.node(1), &format!("echo one > {DIR}/file"));
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    for node in cluster.nodes() {
        eventually("WAIT NotReady", || {
            (node.resource(MODULE, "state.local").as_deref() == Some("WAIT NotReady")).then_some(())
        });
        node.assert_log(MODULE, 0, &WAITS);
        assert_eq!(node.resource(MODULE, "rfs.uptodate").as_deref(), Some("down"));
    }
}

#[test]
fn a_5_3b_prim_then_second() {
    let cluster = installed("a_5_3b", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("cd {DIR} && echo one > file && mkdir dir && echo two > dir/file"));
    sh(node2, &format!("cd {DIR} && echo other > file && mkdir -p gone/deeper && echo x > gone/deeper/y"));
    cluster.start_pair(MODULE);
    node1.assert_log(MODULE, 0, &["Action prim called by root", "Local state ALONE Ready"]);
    node2.assert_log(MODULE, 0, &["Action second called by root", "Local state SECOND Ready"]);
    assert_same(&cluster);
    assert_eq!(sh(node2, &format!("cat {DIR}/file {DIR}/dir/file")), "one\ntwo\n");
    for node in cluster.nodes() {
        node.ok(&["stop", "-m", MODULE]);
        node.wait_state(MODULE, "STOP");
    }
    for node in cluster.nodes() {
        node.ok(&["start", "-m", MODULE]);
    }
    cluster.wait_pair(MODULE);
    assert_same(&cluster);
}

#[test]
fn a_5_5a_a_node_without_the_last_data_waits() {
    let cluster = pair("a_5_5a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo newer > {DIR}/file"));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    let from = node2.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    eventually("WAIT NotReady", || {
        (node2.resource(MODULE, "state.local").as_deref() == Some("WAIT NotReady")).then_some(())
    });
    node2.assert_log(MODULE, from, &WAITS);
    assert_eq!(node2.resource(MODULE, "rfs.uptodate").as_deref(), Some("down"));
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert_same(&cluster);
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "newer\n");
}

#[test]
fn a_5_5b_prim_sacrifices_the_other_data() {
    let cluster = pair("a_5_5b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo both > {DIR}/file"));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo newer > {DIR}/file"));
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.ok(&["prim", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "both\n");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    assert_same(&cluster);
    assert_eq!(sh(node1, &format!("cat {DIR}/file")), "both\n");
}

/// Writes numbered files until it fails; each is recorded outside, on the node's own disk, once the
/// system has acknowledged it.
const WRITER: &str = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); \
    echo content-$i > /data/replicated/w$i && echo $i >> \"$ACKS\" || break; done";

#[test]
fn m_4_2_9_with_data_nothing_acknowledged_is_lost() {
    let cluster = lossy_pair("m_4_2_9d");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let acks = cluster.dir().join("acks");
    let script = format!("ACKS={}; {WRITER}", acks.display());
    std::thread::scope(|scope| {
        scope.spawn(|| node1.sh(&script));
        eventually("some writes", || {
            let lines = std::fs::read_to_string(&acks).unwrap_or_default().lines().count();
            (lines >= 50).then_some(())
        });
        cluster.poweroff(node1);
    });
    node2.wait_state(MODULE, "ALONE");
    let acknowledged = std::fs::read_to_string(&acks).expect("writes were acknowledged");
    // The power may have gone in the middle of the last line.
    let complete = acknowledged.rsplit_once('\n').map_or("", |(lines, _)| lines);
    let missing: Vec<_> = complete
        .lines()
        .filter(|i| node2.sh(&format!("cat {DIR}/w{i}")).stdout != format!("content-{i}\n"))
        .collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    sh(node2, &format!("echo after > {DIR}/after"));
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    assert_same(&cluster);
}

#[test]
fn m_4_2_5b_swap_nosync_with_data() {
    let cluster = pair("m_4_2_5b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/one"));
    node2.ok(&["swap", "nosync", "-m", MODULE]);
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    sh(node2, &format!("echo two > {DIR}/two"));
    node2.ok(&["swap", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert_eq!(sh(node1, &format!("cat {DIR}/one {DIR}/two")), "one\ntwo\n");
    settled(&cluster);
}

/// Waits until both trees are the same: with async="second" the last writes may still be applied.
pub fn settled(cluster: &Cluster) {
    eventually("equal trees", || (tree(cluster.node(1)) == tree(cluster.node(2))).then_some(()));
}

#[test]
fn m_4_2_10_with_data_one_side_gives_up_its_own() {
    let cluster = pair("m_4_2_10d");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo both > {DIR}/file"));
    for lan in ["default", "repli"] {
        cluster.cut(node1, Some(lan));
    }
    node1.wait_state(MODULE, "ALONE");
    node2.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo first > {DIR}/file && echo 1 > {DIR}/only1"));
    sh(node2, &format!("echo second > {DIR}/file && echo 2 > {DIR}/only2"));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    for lan in ["default", "repli"] {
        cluster.heal(node1, Some(lan));
    }
    node2.wait_log(MODULE, from2, &["Split brain recovery: exiting alone", "Script stop_prim"]);
    node1.wait_log(MODULE, from1, &["Split brain recovery: staying alone"]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert_same(&cluster);
    assert_eq!(sh(node2, &format!("cat {DIR}/file && ls {DIR}")), "first\nfile\nonly1\n");
}

/// KB that the last reintegration of the node has copied.
fn copied(node: &Node, from: usize) -> u64 {
    let log = node.log(MODULE);
    let line = log.iter().skip(from).rfind(|l| l.starts_with("Copied ")).expect("something was copied");
    line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number of KB")
}

#[test]
fn a_5_4a_only_modified_zones_are_copied() {
    let cluster = pair("a_5_4a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=96 status=none && sync {DIR}/big"));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("printf changed | dd of={DIR}/big bs=1 seek=50000000 conv=notrunc status=none"));
    // The zones count once what was written before is on the disk.
    let valid = node1.inside().safevar().join(format!("modules/{MODULE}/rfs/0/valid.json"));
    eventually("valid zones", || valid.exists().then_some(()));
    let from = node2.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    let kib = copied(node2, from);
    assert!((1..=8 << 10).contains(&kib), "one zone of 8 MiB was modified, {kib} KB were copied");
    assert_same(&cluster);
}

#[test]
fn a_5_4b_after_a_crash_only_what_differs_is_sent() {
    let cluster = lossy_pair("a_5_4b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=96 status=none && sync {DIR}/big"));
    settled(&cluster);
    // What the disk has not got would differ, too.
    sh(node2, "sync -f /data");
    let from = node2.mark(MODULE);
    cluster.poweroff(node2);
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("printf changed | dd of={DIR}/big bs=1 seek=50000000 conv=notrunc status=none"));
    cluster.poweron(node2);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    let kib = copied(node2, from);
    assert!((1..=8 << 10).contains(&kib), "one zone of 8 MiB differs, {kib} KB were copied");
    assert_same(&cluster);
}

#[test]
fn a_5_4c_second_fullsync_copies_everything() {
    let cluster = pair("a_5_4c");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=20 status=none"));
    settled(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    let from = node2.mark(MODULE);
    node2.ok(&["second", "fullsync", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    assert!(copied(node2, from) >= 20 << 10);
    assert_same(&cluster);
}

#[test]
fn r_13_6i_a_frozen_secondary_does_not_block_for_ever() {
    let cluster = installed("r_13_6i", r#"locktimeout="3" sendtimeout="3""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    sh(node2, "kill -STOP $(pidof rfsbox)");
    // Waits for the secondary, then goes on without it.
    sh(node1, &format!("echo written > {DIR}/file && cat {DIR}/file"));
    node1.wait_log(MODULE, from, &["Replication to the secondary stopped", "Local state ALONE Ready"]);
    sh(node2, "kill -CONT $(pidof rfsbox)");
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

#[test]
fn control_plane_restarts_while_data_flows() {
    let cluster = pair("cp_data");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let done = cluster.dir().join("done");
    let script =
        format!("for i in $(seq 400); do echo $i > {DIR}/f$i || exit 1; done; echo ok > {}", done.display());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| node1.sh(&script));
        for node in [node1, node2] {
            let pid = node.safeadmin().expect("it runs");
            sh(node, &format!("kill -9 {pid}"));
            eventually("another safeadmin", || node.safeadmin().filter(|p| *p != pid));
            node.wait_admin();
        }
        let written = writer.join().expect("the writer ends");
        assert_eq!(written.code, 0, "{written:?}");
    });
    assert!(done.exists());
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    settled(&cluster);
    assert_eq!(sh(node2, &format!("ls {DIR}/ | wc -l")), "400\n");
}
