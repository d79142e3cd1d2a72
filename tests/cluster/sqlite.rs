//! An embedded database whose node loses its power, on disks that lose what was not flushed; and that the
//! audit of it can fail: without fsync, and on a disk that lies.

use crate::replication::{installed_lossy, lossy_pair, settled, sh};
use crate::support::{Cluster, MODULE, Node, eventually};

/// Commits row after row, and says so outside once the database has acknowledged it.
const WRITER: &str = r#"
import sqlite3, sys
mode, synchronous, acks = sys.argv[1], sys.argv[2], open(sys.argv[3], "a")
db = sqlite3.connect("/data/replicated/audit.db", isolation_level=None)
db.execute("PRAGMA journal_mode=" + mode)
db.execute("PRAGMA synchronous=" + synchronous)
db.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, v TEXT)")
first = db.execute("SELECT count(*) FROM t").fetchone()[0] + 1
for n in range(first, 100000):
    db.execute("INSERT INTO t VALUES(?, ?)", (n, "x" * (n % 3000)))
    acks.write(str(n) + "\n")
    acks.flush()
"#;

/// Prints the last row and how many there are, of a database that is whole.
const AUDIT: &str = r#"
import sqlite3
db = sqlite3.connect("/data/replicated/audit.db")
assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
rows = db.execute("SELECT n, length(v) FROM t").fetchall()
assert all(length == n % 3000 for n, length in rows)
print(max(n for n, _ in rows), len(rows))
"#;

/// Transactions that are acknowledged before the power goes.
const ENOUGH: usize = 200;

fn acknowledged(cluster: &Cluster) -> usize {
    let text = std::fs::read_to_string(cluster.dir().join("acks")).unwrap_or_default();
    text.matches('\n').count()
}

/// Commits on node 1 until its power goes, which happens by `fail` once `count` are acknowledged.
fn commit(cluster: &Cluster, mode: &str, synchronous: &str, count: usize, fail: impl FnOnce(&Node)) {
    let (writer, acks) = (cluster.dir().join("writer.py"), cluster.dir().join("acks"));
    std::fs::write(&writer, WRITER).expect("it is writable");
    let command = format!("python3 {} {mode} {synchronous} {}", writer.display(), acks.display());
    let node = cluster.node(1);
    std::thread::scope(|scope| {
        scope.spawn(|| node.sh(&command));
        eventually("commits", || (acknowledged(cluster) >= count).then_some(()));
        fail(node);
    });
}

/// How many rows the database has on a node, none missing between the first and the last.
fn rows(cluster: &Cluster, node: &Node) -> usize {
    let audit = cluster.dir().join("audit.py");
    std::fs::write(&audit, AUDIT).expect("it is writable");
    let found = sh(node, &format!("python3 {}", audit.display()));
    let numbers: Vec<usize> = found.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [last, rows] = numbers[..] else { panic!("{found}") };
    assert_eq!(last, rows, "no row is missing between the first and the last");
    rows
}

#[track_caller]
fn nothing_lost(cluster: &Cluster, node: &Node) {
    let (acknowledged, rows) = (acknowledged(cluster), rows(cluster, node));
    assert!(rows >= acknowledged, "{acknowledged} commits were acknowledged, {rows} are there");
}

/// The primary loses its power while the database commits, and its disk a random part of what was not
/// flushed: everything acknowledged is on the other node, and the node that comes back becomes the same.
fn survives(mode: &str, seed: u64) {
    let cluster = lossy_pair(&format!("sqlite_{mode}"));
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    commit(&cluster, mode, "FULL", ENOUGH, |node| cluster.poweroff_scattered(node, seed));
    node2.wait_state(MODULE, "ALONE");
    nothing_lost(&cluster, node2);
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

#[test]
fn sqlite_with_a_write_ahead_log_survives_a_power_failure() {
    survives("wal", 1);
}

#[test]
fn sqlite_with_a_rollback_journal_survives_a_power_failure() {
    survives("delete", 2);
}

/// Commits on a node that is ALONE, whose power fails and comes back; `before` is done in the middle.
fn alone(test: &str, mode: &str, synchronous: &str, before: impl FnOnce(&Node)) -> Cluster {
    let cluster = installed_lossy(test);
    let node = cluster.node(1);
    node.ok(&["prim", "-m", MODULE]);
    node.wait_state(MODULE, "ALONE");
    commit(&cluster, mode, synchronous, ENOUGH, |node| {
        before(node);
        eventually("more commits", || (acknowledged(&cluster) >= 2 * ENOUGH).then_some(()));
        cluster.poweroff(node);
    });
    cluster.poweron(node);
    node.wait_state(MODULE, "ALONE");
    cluster
}

#[test]
fn a_node_alone_has_synced_what_the_database_has_synced() {
    // With a rollback journal the removal of it is the commit: only EXTRA syncs its directory.
    for (mode, synchronous) in [("wal", "FULL"), ("delete", "EXTRA")] {
        let cluster = alone(&format!("sqlite_alone_{mode}"), mode, synchronous, |_| {});
        nothing_lost(&cluster, cluster.node(1));
    }
}

/// What the audit says of a database that has lost something: too few rows, or none at all.
fn lost(cluster: &Cluster) -> bool {
    let audit = cluster.dir().join("audit.py");
    std::fs::write(&audit, AUDIT).expect("it is writable");
    let found = cluster.node(1).sh(&format!("python3 {}", audit.display()));
    let rows = found.stdout.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    found.code != 0 || rows.is_none_or(|rows: usize| rows < acknowledged(cluster))
}

#[test]
fn a_missing_fsync_is_found() {
    let cluster = alone("sqlite_nosync", "wal", "OFF", |_| {});
    assert!(lost(&cluster));
}

#[test]
fn a_disk_that_lies_is_found() {
    let cluster = alone("sqlite_lie", "wal", "FULL", |node| node.inside().disk_lie().expect("it lies"));
    assert!(lost(&cluster));
}
