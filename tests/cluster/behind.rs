//! Files that were changed behind the mount while the module was stopped (`..._For_SafeKit_Replication`),
//! length and date put back: neither zones nor dates say so.

use crate::replication::{DIR, pair, sh, tree};
use crate::support::{Cluster, MODULE, Node};

/// Writes `new`, as long as what is there, behind the mount.
fn forge(node: &Node, new: &str) {
    let file = format!("{DIR}_For_SafeKit_Replication/file");
    sh(node, &format!("touch -r {file} /tmp/date && printf {new} > {file} && touch -r /tmp/date {file}"));
}

fn started(test: &str) -> Cluster {
    let cluster = pair(test);
    sh(cluster.node(1), &format!("printf right > {DIR}/file && printf other > {DIR}/more"));
    cluster.node(2).ok(&["stop", "-m", MODULE]);
    cluster.node(2).wait_state(MODULE, "STOP");
    cluster.node(1).wait_state(MODULE, "ALONE");
    cluster
}

/// Node 2 returns to node 1, and both have this in the file.
#[track_caller]
fn returns(cluster: &Cluster, expected: &str) {
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), expected);
    assert_eq!(tree(node1), tree(node2));
}

#[test]
fn a_change_behind_the_mount_of_a_stopped_secondary_is_taken_back() {
    let cluster = started("behind_secondary");
    forge(cluster.node(2), "wrong");
    returns(&cluster, "right");
}

#[test]
fn a_change_behind_the_mount_of_a_stopped_primary_is_brought_over() {
    let cluster = started("behind_primary");
    let node1 = cluster.node(1);
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    forge(node1, "newer");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    returns(&cluster, "newer");
}
