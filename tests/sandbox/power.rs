use super::{Cluster, command, eventually, options};
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

#[test]
fn exec_passes_streams_environment_and_exit_code_on() {
    let cluster = Cluster::new("exec");
    let name = &cluster.state.name;
    let run = |args: &[&str]| command(name, &["exec"]).args(args).output().expect("run it");
    assert_eq!(run(&["node1", "--", "sh", "-c", "exit 7"]).status.code(), Some(7));
    assert_eq!(run(&["node1", "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    assert_eq!(run(&["node1", "--", "no-such-command"]).status.code(), Some(127));
    assert_eq!(run(&["node3", "--", "true"]).status.code(), Some(1));
    assert_eq!(cluster.says("node2", "hostname; echo $SAFEKIT_NODE"), "node2\nnode2");
    assert_eq!(cluster.says("client", "hostname; echo $SAFE"), "client");
    assert_eq!(
        cluster.says("node1", "command -v safekit"),
        format!("{}/safekit", cluster.machine("node1").safe().display())
    );
    let xml = cluster.says("node1", "cat $SAFEVAR/cluster/cluster.xml");
    assert!(xml.contains(r#"<node name="node2" addr="10.77.2.2"/>"#), "{xml}");
    let key = |node| fs::read_to_string(cluster.machine(node).safevar().join("cluster/cluster.key"));
    let key1 = key("node1").expect("its key");
    assert_eq!(key1.trim_end().strip_prefix("safekit-key-1 ").map(str::len), Some(64));
    assert_eq!(key1, key("node2").expect("its key"));
}

#[test]
fn a_command_dies_with_the_one_who_runs_it() {
    let cluster = Cluster::new("execkill");
    let mut sleeper = cluster.machine("client").command(&cluster.state, "sleep");
    let mut sleeper = sleeper.arg("1000").spawn().expect("start it");
    eventually("it runs", || cluster.sh("client", "pidof sleep").status.success());
    sleeper.kill().expect("kill the outer process");
    sleeper.wait().expect("wait for it");
    eventually("it is gone inside", || !cluster.sh("client", "pidof sleep").status.success());
}

/// A replicated directory is renamed and mounted on. A private directory itself is a mount point, which
/// cannot be renamed; what is in it can, and lies on a disk that outlives the power.
#[test]
fn directories_inside_a_private_one_can_be_replicated() {
    let mut wanted = options("replicated");
    let top = PathBuf::from(format!("/data-{}", std::process::id()));
    wanted.private = vec![top.clone()];
    let cluster = Cluster::up(&wanted);
    let top = top.display();
    assert!(!cluster.sh("node1", &format!("mv {top} {top}_aside")).status.success(), "it is a mount point");
    for node in ["node1", "node2"] {
        cluster.says(node, &format!("mkdir {top}/app && echo {node} > {top}/app/file"));
    }
    let taken = format!("cd {top} && mv app app_S && ln -s app_S app && cat app/file");
    assert_eq!(cluster.says("node1", &taken), "node1");
    let mounted = format!("cd {top} && rm app && mkdir app && mount -t tmpfs none app && ls -A app");
    assert_eq!(cluster.says("node1", &mounted), "");
    assert_eq!(cluster.says("node2", &format!("cat {top}/app/file")), "node2", "nothing is shared");
    if std::path::Path::new("/dev/fuse").exists() {
        cluster.says("node1", "test -c /dev/fuse");
    }
    cluster.sandbox.poweroff("node1").expect("power off");
    cluster.sandbox.poweron("node1").expect("power on");
    assert_eq!(cluster.says("node1", &format!("ls -A {top}/app; cat {top}/app_S/file")), "node1");
}

#[test]
fn a_power_failure_kills_everything_and_keeps_the_disk() {
    let mut wanted = options("power");
    let top = PathBuf::from(format!("/replicated-{}", std::process::id()));
    wanted.private = vec![top.clone()];
    let cluster = Cluster::up(&wanted);
    let node1 = cluster.machine("node1");
    cluster.says("node1", &format!("echo kept > $SAFEVAR/file; echo mine > {}/file", top.display()));
    assert_eq!(cluster.says("node2", &format!("ls {}", top.display())), "");
    assert!(!top.exists(), "nothing of this machine may be touched");

    let mut sleeper = node1.command(&cluster.state, "sh");
    sleeper.args(["-c", "trap '' TERM INT HUP; echo up; exec sleep 1000"]).stdout(Stdio::piped());
    let mut sleeper = sleeper.spawn().expect("start it");
    eventually("the sleeper runs", || cluster.sh("node1", "pidof sleep").status.success());
    let first = node1.running().expect("it runs");
    cluster.sandbox.poweroff("node1").expect("power off");
    assert!(!first.alive());
    eventually("the sleeper is dead", || sleeper.try_wait().expect("look").is_some());
    assert!(node1.running().is_err());
    assert!(!cluster.sh("node1", "true").status.success(), "nothing runs without power");
    assert!(cluster.sandbox.poweroff("node1").is_err(), "it is off already");

    cluster.sandbox.poweron("node1").expect("power on");
    let second = node1.running().expect("it runs again");
    assert_ne!(first.id, second.id);
    assert_eq!(cluster.says("node1", "echo $SAFEKIT_BOOT_ID"), second.id);
    assert_eq!(cluster.says("node1", &format!("cat $SAFEVAR/file {}/file", top.display())), "kept\nmine");
    assert!(cluster.sandbox.poweron("node1").is_err(), "it is on already");
}
