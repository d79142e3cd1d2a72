use super::{Cluster, eventually, options, safekit};
use safekit::sandbox::Options;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const DAEMON: &str = "#!/bin/sh\necho $SAFEKIT_NODE $SAFEVAR\nexec sleep 1000\n";

/// Programs of our own in the place of the daemons.
pub(super) fn with_programs(test: &str, safeadmin: &str) -> (tempfile::TempDir, Options) {
    let dir = tempfile::tempdir().expect("a directory");
    symlink(safekit(), dir.path().join("safekit")).expect("link");
    for (name, text) in [("safeguard", DAEMON), ("safeadmin", safeadmin), ("rfsbox", DAEMON)] {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("write");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("make it executable");
    }
    let options = Options { daemons: true, programs: dir.path().to_path_buf(), ..options(test) };
    (dir, options)
}

#[test]
fn a_killed_program_is_started_again_and_a_stopped_one_is_not() {
    let (_dir, options) = with_programs("services", DAEMON);
    let cluster = Cluster::up(&options);
    let node1 = cluster.machine("node1");
    let pid =
        |name: &str| node1.services().expect("list").iter().find(|s| s.name == name).and_then(|s| s.pid);
    eventually("both run", || pid("safeguard").is_some() && pid("safeadmin").is_some());
    let first = pid("safeadmin").expect("it runs");
    cluster.says("node1", &format!("kill -9 {first}"));
    eventually("another one runs", || pid("safeadmin").is_some_and(|now| now != first));
    let guard = pid("safeguard");
    node1.stop_service("safeadmin").expect("stop");
    assert_eq!((pid("safeadmin"), pid("safeguard")), (None, guard));
    node1.start_service("safeadmin").expect("start");
    eventually("it runs again", || pid("safeadmin").is_some());
    assert!(node1.start_service("httpd").is_err());
    let said = fs::read_to_string(node1.output_of("safeadmin")).expect("its output");
    assert_eq!(said.lines().next(), Some(format!("node1 {}", node1.safevar().display()).as_str()));
}

#[test]
fn a_program_that_keeps_dying_is_not_given_up() {
    let (_dir, options) = with_programs("dying", "#!/bin/sh\nexit 1\n");
    let cluster = Cluster::up(&options);
    let starts = || cluster.machine("node2").services().expect("list")[1].starts;
    eventually("four starts", || starts() >= 4);
}

#[test]
fn orphans_are_collected() {
    let cluster = Cluster::new("orphans");
    cluster.says("node1", "(true & true &) ; (sh -c 'sh -c true &' &)");
    let zombies = || cluster.says("node1", "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ' Z ' || true");
    eventually("no zombie", || zombies() == "0");
}
