//! Disks whose blocks cannot be written (docs/failures/replication-faults.md).

use crate::replication::{DIR, lossy_pair_with, settled, sh};
use crate::support::{Cluster, MODULE, Node};
use safekit::sandbox::disk::{What, Where};

/// The file of which the blocks cannot be written on one node.
const FILE: &str = "bad";

/// A pair with a file that is on both disks.
fn prepared(test: &str) -> Cluster {
    let cluster = lossy_pair_with(test, r#"async="none""#);
    sh(
        cluster.node(1),
        &format!("dd if=/dev/urandom of={DIR}/{FILE} bs=64k count=16 conv=fsync status=none"),
    );
    settled(&cluster);
    for node in cluster.nodes() {
        sh(node, "sync -f /data");
    }
    cluster
}

fn break_disk(node: &Node) {
    let file = format!("{DIR}_For_SafeKit_Replication/{FILE}");
    node.inside().disk_fail(What::Writes, &Where::File(file.into())).unwrap_or_else(|e| panic!("{e}"));
}

fn heal_disk(node: &Node) {
    node.inside().disk_heal().unwrap_or_else(|e| panic!("{e}"));
}

/// Overwrites a part of the file, and has it synced.
fn overwrite() -> String {
    format!("dd if=/dev/urandom of={DIR}/{FILE} bs=64k count=2 conv=notrunc,fsync status=none")
}

#[test]
fn fault_primary_eio() {
    let cluster = prepared("primary_eio");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    break_disk(node1);
    let refused = node1.sh(&overwrite());
    assert!(refused.stderr.contains("Input/output error"), "{refused:?}");
    let line = format!("{DIR}: the disk of this node refuses modifications: Input/output error");
    node1.wait_log(MODULE, from, &[&line]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    node1.ok(&["swap", "-m", MODULE]);
    heal_disk(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    sh(node2, &overwrite());
    settled(&cluster);
}

#[test]
fn fault_secondary_eio() {
    let cluster = prepared("second_eio");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node1.mark(MODULE);
    break_disk(node2);
    sh(node1, &overwrite());
    node1.wait_log(MODULE, from, &["the secondary could not apply operation", "Local state ALONE Ready"]);
    heal_disk(node2);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    sh(node1, &overwrite());
    settled(&cluster);
}
