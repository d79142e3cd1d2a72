//! The lossy disk: a power failure takes what was not flushed, and nothing else; it fails on demand.
//! Always `sync -f`: a plain `sync` is one of all file systems of this machine, those of other tests too.

use super::{Cluster, options};
use safekit::sandbox::Options;
use safekit::sandbox::disk::{What, Where};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// One node whose directory `/disk-<pid>` and SAFEVAR are on a disk of `size` bytes.
fn node_with_disk(test: &str, size: u64) -> (Cluster, String) {
    let top = format!("/disk-{}", std::process::id());
    let private = vec![PathBuf::from(&top)];
    let cluster = Cluster::up(&Options { nodes: 1, private, disk: Some(size), ..options(test) });
    (cluster, top)
}

fn power_cycle(cluster: &Cluster) {
    cluster.sandbox.poweroff("node1").expect("power off");
    cluster.sandbox.poweron("node1").expect("power on");
}

#[test]
fn what_was_not_synced_is_lost_at_a_power_failure() {
    let (cluster, top) = node_with_disk("lossy", 64 << 20);
    cluster.says("node1", &format!("cd {top} && echo 1 > synced && echo 2 > $SAFEVAR/synced && sync -f ."));
    let lost = format!("cd {top} && echo 3 > lost && echo 4 > $SAFEVAR/lost && echo 5 >> synced");
    cluster.says("node1", &lost);
    power_cycle(&cluster);
    let left = cluster
        .says("node1", &format!("cd {top} && ls && cat synced $SAFEVAR/synced && ls $SAFEVAR | grep -v log"));
    assert_eq!(left, "synced\n1\n2\ncluster\nrun\nsynced");
}

#[test]
fn what_was_synced_in_time_is_there() {
    let (cluster, top) = node_with_disk("lossysync", 64 << 20);
    let write = |name: &str| format!("echo {name} > {name} && sync {name}");
    let both = format!("cd {top} && sync . && {} && {} && echo no > three", write("one"), write("two"));
    cluster.says("node1", &both);
    power_cycle(&cluster);
    assert_eq!(cluster.says("node1", &format!("cd {top} && cat one two && ls")), "one\ntwo\none\ntwo");
}

#[test]
fn a_rename_is_lost_unless_its_directory_is_synced() {
    let (cluster, top) = node_with_disk("lossymove", 64 << 20);
    cluster.says("node1", &format!("cd {top} && echo a > a && echo b > b && sync -f ."));
    cluster.says("node1", &format!("cd {top} && mv a lost"));
    power_cycle(&cluster);
    assert_eq!(cluster.says("node1", &format!("ls {top}")), "a\nb");
    cluster.says("node1", &format!("cd {top} && mv b kept && sync ."));
    power_cycle(&cluster);
    assert_eq!(cluster.says("node1", &format!("ls {top}")), "a\nkept");
}

/// Blocks of 4096 bytes of a synced file that have changed after a power failure right after all of
/// them were written anew, past the page cache, and not flushed.
fn changed(cluster: &Cluster, top: &str, seed: Option<u64>) -> usize {
    let dd = |from: &str, options: &str| {
        format!(
            "tr '\\0' '{from}' < /dev/zero | dd of=f bs=64k count=16 iflag=fullblock {options} status=none"
        )
    };
    cluster.says(
        "node1",
        &format!("cd {top} && {} && sync -f . && {}", dd("a", ""), dd("b", "oflag=direct conv=notrunc")),
    );
    match seed {
        Some(seed) => cluster.sandbox.poweroff_scattered("node1", seed).expect("power off"),
        None => cluster.sandbox.poweroff("node1").expect("power off"),
    }
    cluster.sandbox.poweron("node1").expect("power on");
    let count = format!("cd {top} && test $(stat -c %s f) = 1048576 && fold -w 4096 f | grep -c b || true");
    cluster.says("node1", &count).parse().expect("a number")
}

#[test]
fn a_random_part_survives_where_that_is_asked_for() {
    let (cluster, top) = node_with_disk("lossyseed", 64 << 20);
    assert_eq!(changed(&cluster, &top, None), 0);
    let some = changed(&cluster, &top, Some(7));
    assert!((1..256).contains(&some), "{some} of 256 blocks survived");
}

#[test]
fn a_disk_that_lies_loses_what_was_synced() {
    let (cluster, top) = node_with_disk("lossylie", 64 << 20);
    let node1 = cluster.machine("node1");
    cluster.says("node1", &format!("cd {top} && echo 1 > before && sync -f ."));
    node1.disk_lie().expect("lie");
    cluster.says("node1", &format!("cd {top} && echo 2 > after && sync -f ."));
    power_cycle(&cluster);
    assert_eq!(cluster.says("node1", &format!("ls {top}")), "before");
    assert_eq!(node1.disk_faults().expect("ask it").expect("a disk").to_string(), "lossy disk");
}

#[test]
fn a_disk_fails_where_it_is_told_to() {
    let (cluster, top) = node_with_disk("lossyfail", 64 << 20);
    let node1 = cluster.machine("node1");
    cluster.says(
        "node1",
        &format!("cd {top} && mkdir d && ln -s {top}/d l && echo 1 > d/bad && echo 1 > good && sync -f ."),
    );
    let write = |file: &str| cluster.sh("node1", &format!("cd {top} && echo 2 > {file} && sync {file}"));
    let overwrite = |file: &str| {
        cluster.sh("node1", &format!("cd {top} && dd if=/dev/zero of={file} bs=2 count=1 conv=notrunc,fsync"))
    };
    node1.disk_fail(What::Writes, &Where::File(format!("{top}/l/bad").into())).expect("fail");
    assert!(String::from_utf8_lossy(&overwrite("d/bad").stderr).contains("Input/output error"));
    assert!(write("good").status.success(), "the rest of the disk is well");
    node1.disk_heal().expect("heal");
    assert!(overwrite("d/bad").status.success());

    node1.disk_fail(What::All, &Where::Everywhere).expect("fail");
    let touch = || cluster.sh("node1", &format!("cd {top} && touch new && sync ."));
    assert!(!touch().status.success());
    // The journal cannot be written: the file system becomes read-only, and stays so.
    super::eventually("read-only", || {
        String::from_utf8_lossy(&touch().stderr).contains("Read-only file system")
    });
    assert!(
        cluster
            .sandbox
            .status()
            .expect("status")
            .to_string()
            .contains("lossy disk: fails reads, fails writes")
    );
    power_cycle(&cluster);
    assert!(write("good").status.success(), "a new boot, a good disk");

    let elsewhere = node1.disk_fail(What::All, &Where::File("/etc/passwd".into())).expect_err("not on it");
    assert!(elsewhere.to_string().contains("it lies elsewhere"), "{elsewhere}");
    let none = cluster.machine("client").disk_lie().expect_err("it has no disk");
    assert!(none.to_string().contains("no lossy disk"), "{none}");
}

#[test]
fn a_slow_disk_is_slow_and_does_not_delay_the_end() {
    let (cluster, top) = node_with_disk("lossyslow", 64 << 20);
    let node1 = cluster.machine("node1");
    node1.disk_slow(Duration::from_millis(300)).expect("slow");
    let begin = Instant::now();
    cluster.says("node1", &format!("cd {top} && echo 1 > slow && sync slow"));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    node1.disk_slow(Duration::from_secs(60)).expect("hang");
    let mut hung = node1.command(&cluster.state, "sh");
    let hung = hung.args(["-c", &format!("cd {top} && echo 2 >> slow && echo waits && sync slow")]);
    let mut hung = hung.stdout(Stdio::piped()).spawn().expect("start it");
    let mut said = String::new();
    BufReader::new(hung.stdout.take().expect("a pipe")).read_line(&mut said).expect("it runs");
    assert_eq!(said, "waits\n");
    power_cycle(&cluster);
    hung.wait().expect("it is dead");
    // Whether it became durable before the power went is not known, as with any disk.
    assert!(cluster.says("node1", &format!("cat {top}/slow")).starts_with('1'));
}

#[test]
fn a_full_disk_is_full() {
    let (cluster, top) = node_with_disk("lossyfull", 16 << 20);
    let full = cluster.sh("node1", &format!("dd if=/dev/zero of={top}/big bs=1M count=20 conv=fsync"));
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left on device"));
    cluster.says("node1", &format!("rm {top}/big && echo room > {top}/small && sync {top}/small {top}"));
    power_cycle(&cluster);
    assert_eq!(cluster.says("node1", &format!("cat {top}/small")), "room");
}
