//! Programs of others on a replicated directory: test suites of file systems, and databases whose node
//! loses its power.

use crate::replication::{DIR, pair, settled, sh};
use crate::support::{Cluster, MODULE, eventually};

/// A program that `scripts/install-packages.sh` installs.
fn program(name: &str) -> String {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|h| format!("{h}/.cargo")));
    let path = format!("{}/bin/{name}", home.expect("a home directory"));
    assert!(std::path::Path::new(&path).exists(), "no {path}: run scripts/install-packages.sh");
    path
}

const PJDFSTEST: &str = "[features]\nposix_fallocate = {}\nrename_ctime = {}\nutime_now = {}\nutimensat = {}\n\
    stat_st_birthtime = {}\n[settings]\nnaptime = 0.01\nallow_remount = false\n\
    [dummy_auth]\nentries = [[\"nobody\", \"nogroup\"], [\"daemon\", \"daemon\"]]\n";

/// Names of the cases that fail in a directory of node 1.
fn failures(cluster: &Cluster, dir: &str) -> Vec<String> {
    let config = cluster.dir().join("pjdfstest.toml");
    std::fs::write(&config, PJDFSTEST).expect("it is writable");
    let node = cluster.node(1);
    sh(node, &format!("mkdir -p {dir}"));
    let output = node.sh(&format!("{} -c {} -p {dir}", program("pjdfstest"), config.display()));
    let summary = output.stdout.lines().find(|l| l.starts_with("Summary: ")).expect("it came to its end");
    let passed: u32 = summary
        .split(", ")
        .find_map(|part| part.strip_suffix(" passed"))
        .and_then(|n| n.parse().ok())
        .expect("how many passed");
    assert!(passed > 300, "{summary}");
    let failed = output.stdout.lines().filter(|l| l.to_lowercase().trim_end().ends_with("failed"));
    failed.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn pjdfstest_fails_nowhere_where_the_native_directory_does_not() {
    let cluster = pair("pjdfstest");
    let native = failures(&cluster, "/data/native");
    let replicated = failures(&cluster, &format!("{DIR}/suite"));
    let new: Vec<_> = replicated.iter().filter(|case| !native.contains(case)).collect();
    assert!(new.is_empty(), "{new:?}");
    settled(&cluster);
}

#[test]
fn fsx_leaves_the_same_file_on_both_nodes() {
    let cluster = pair("fsx");
    for seed in 1..=3 {
        sh(cluster.node(1), &format!("{} -q -S {seed} -N 2000 {DIR}/fsx.{seed}", program("fsx")));
    }
    settled(&cluster);
}

/// Commits row after row, and says so outside once the database has acknowledged it.
const WRITER: &str = r#"
import sqlite3, sys
mode, acks = sys.argv[1], open(sys.argv[2], "a")
db = sqlite3.connect("/data/replicated/audit.db", isolation_level=None)
db.execute("PRAGMA journal_mode=" + mode)
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE t(n INTEGER PRIMARY KEY, v TEXT)")
for n in range(1, 100000):
    db.execute("INSERT INTO t VALUES(?, ?)", (n, "x" * (n % 3000)))
    acks.write(str(n) + "\n")
    acks.flush()
"#;

const AUDIT: &str = r#"
import sqlite3
db = sqlite3.connect("/data/replicated/audit.db")
assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
rows = db.execute("SELECT n, length(v) FROM t").fetchall()
assert all(length == n % 3000 for n, length in rows)
print(max(n for n, _ in rows), len(rows))
"#;

/// The primary loses its power while a database commits: everything acknowledged is on the other node,
/// and the node that comes back becomes the same.
fn sqlite_survives(mode: &str) {
    let cluster = pair(&format!("sqlite_{mode}"));
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let (writer, audit, acks) =
        (cluster.dir().join("writer.py"), cluster.dir().join("audit.py"), cluster.dir().join("acks"));
    std::fs::write(&writer, WRITER).expect("it is writable");
    std::fs::write(&audit, AUDIT).expect("it is writable");
    let acknowledged = || {
        let text = std::fs::read_to_string(&acks).unwrap_or_default();
        text.rsplit_once('\n').map_or(0, |(lines, _)| lines.lines().count())
    };
    std::thread::scope(|scope| {
        scope.spawn(|| node1.sh(&format!("python3 {} {mode} {}", writer.display(), acks.display())));
        eventually("commits", || (acknowledged() >= 200).then_some(()));
        cluster.poweroff(node1);
    });
    node2.wait_state(MODULE, "ALONE");
    let found = sh(node2, &format!("python3 {}", audit.display()));
    let numbers: Vec<usize> = found.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [last, rows] = numbers[..] else { panic!("{found}") };
    assert_eq!(last, rows, "no row is missing between the first and the last");
    assert!(rows >= acknowledged(), "{} commits were acknowledged, {rows} are there", acknowledged());
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

#[test]
fn sqlite_with_a_write_ahead_log_survives_a_power_failure() {
    sqlite_survives("wal");
}

#[test]
fn sqlite_with_a_rollback_journal_survives_a_power_failure() {
    sqlite_survives("delete");
}
