//! Programs of others on a replicated directory: test suites of file systems.

use crate::replication::{DIR, pair, settled, sh};
use crate::support::Cluster;

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
