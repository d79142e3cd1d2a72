//! Faults of disks and of files (docs/failures/replication-faults.md): each has a defined outcome that is
//! logged, and the trees of both nodes never differ in silence.

use crate::replication::{DIR, sh, tree};
use crate::support::{Cluster, MODULE, Mirror, Node, SCRIPTS, eventually};
use safekit::sandbox::Options;

/// Timeouts of the stream that fit a test.
const RFS: &str = r#"locktimeout="4" sendtimeout="4""#;

/// A pair whose nodes have `/data` on file systems of these sizes; node 1 is PRIM.
fn pair_of(test: &str, sizes: [&str; 2]) -> Cluster {
    let cluster = Cluster::with(test, |o| Options { private: vec!["/data".into()], ..o });
    for (node, size) in cluster.nodes().iter().zip(sizes) {
        sh(node, &format!("mount -t tmpfs -o size={size} none /data && mkdir {DIR}"));
    }
    let more = format!(r#"<rfs {RFS}><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
    cluster.install(MODULE, &Mirror { more: &more, ..Mirror::default() }.xml(), &SCRIPTS);
    cluster.start_pair(MODULE);
    cluster
}

/// Waits until both trees are the same: with async="second" the last writes may still be applied.
fn settled(cluster: &Cluster) {
    eventually("equal trees", || (tree(cluster.node(1)) == tree(cluster.node(2))).then_some(()));
}

/// Writes random data; whether all of it was taken.
fn fill(node: &Node, name: &str, mib: u32) -> bool {
    node.sh(&format!("dd if=/dev/urandom of={DIR}/{name} bs=1M count={mib} status=none")).code == 0
}

#[test]
fn fault_primary_disk_full() {
    let cluster = pair_of("primary_full", ["96m", "200m"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    assert!(fill(node1, "first", 40));
    assert!(!fill(node1, "second", 100), "the disk has no room for it");
    let refused = node1.sh(&format!("dd if=/dev/zero of={DIR}/third bs=1 count=1"));
    assert!(refused.stderr.contains("No space left on device"), "{refused:?}");
    settled(&cluster);
    let line = format!("{DIR}: the disk of this node refuses modifications: No space left on device");
    node1.wait_log(MODULE, from1, &[&line]);
    sh(node1, &format!("rm {DIR}/first"));
    let again = format!("dd if=/dev/zero of={DIR}/fourth bs=9000 count=1");
    // The space of a file comes back when the kernel has forgotten it, a moment later.
    eventually("room again", || (node1.sh(&again).code == 0).then_some(()));
    settled(&cluster);
    assert_eq!(sh(node2, &format!("stat -c %s {DIR}/fourth")), "9000\n");
    for (node, from, state) in [(node1, from1, "PRIM"), (node2, from2, "SECOND")] {
        node.assert_not_logged(MODULE, from, "Replication to the secondary stopped");
        node.wait_state(MODULE, state);
    }
}

#[test]
fn fault_secondary_disk_full() {
    let cluster = pair_of("second_full", ["64m", "16m"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    assert!(fill(node1, "file", 24), "the application goes on");
    let full = "No space left on device";
    node1.wait_log(MODULE, from1, &["Replication to the secondary stopped", "Local state ALONE Ready"]);
    node1.assert_log(MODULE, from1, &["Replication to the secondary stopped: the secondary could not apply"]);
    node2.wait_log(
        MODULE,
        from2,
        &[full, &format!("{DIR} cannot be synchronized: file on this node: {full}")],
    );
    let why = node2.ok(&["explain", "-m", MODULE]);
    assert!(why.contains(full), "{why}");
    // It is tried again and again, ever more seldom: 1, 2, 4 s and so on.
    let tries = |node: &Node| node.log(MODULE).iter().filter(|l| l.starts_with("Updating directory")).count();
    let before = tries(node2);
    eventually("more attempts", || (tries(node2) >= before + 2).then_some(()));
    assert!(fill(node1, "more", 4));
    sh(node2, "mount -o remount,size=64m /data");
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

#[test]
fn fault_primary_read_only() {
    let cluster = pair_of("primary_ro", ["32m", "32m"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo kept > {DIR}/file"));
    settled(&cluster);
    let from = node1.mark(MODULE);
    sh(node1, "mount -o remount,ro /data");
    let refused = node1.sh(&format!("mkdir {DIR}/new"));
    assert!(refused.stderr.contains("Read-only file system"), "{refused:?}");
    let line = format!("{DIR}: the disk of this node refuses modifications: Read-only file system");
    node1.wait_log(MODULE, from, &[&line]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    node1.ok(&["swap", "-m", MODULE]);
    eventually("the other primary", || (node2.state(MODULE) == "ALONE").then_some(()));
    sh(node2, &format!("echo moved >> {DIR}/file"));
    node1.wait_log(MODULE, from, &["Read-only file system", "cannot be synchronized"]);
    sh(node1, "mount -o remount,rw /data");
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
    assert_eq!(sh(node1, &format!("cat {DIR}/file")), "kept\nmoved\n");
}

#[test]
fn fault_secondary_read_only() {
    let cluster = pair_of("second_ro", ["32m", "32m"]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    sh(node2, "mount -o remount,ro /data");
    sh(node1, &format!("mkdir {DIR}/new && echo new > {DIR}/new/file"));
    node1.wait_log(MODULE, from1, &["the secondary could not apply operation", "Local state ALONE Ready"]);
    node2.wait_log(MODULE, from2, &["Read-only file system", "cannot be synchronized"]);
    sh(node2, "mount -o remount,rw /data");
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    settled(&cluster);
}
