//! A secondary that comes back, beside rsync.

use crate::cluster::MODULE;
use crate::places::{NATIVE, Pair, REPLICATED};
use crate::report::Report;

/// Size of the file, and of a zone, in MiB.
const SIZE: u64 = 2048;
const ZONE: u64 = 8;
/// Files of a tree in which nothing changes.
const FILES: u32 = 200_000;

/// Runs all of it.
pub fn run(report: &mut Report) {
    report.part("reintegration");
    large(report);
    small(report);
}

/// What the last reintegration copied, in KB, and how long it took, in seconds.
fn copied(pair: &Pair) -> (f64, f64) {
    let log = pair.cluster.node(2).log(MODULE);
    let last = log.iter().rev().find(|line| line.starts_with("Copied ")).expect("it says what it copied");
    let number = |after: &str| -> f64 {
        let (_, rest) = last.split_once(after).expect("the figure is there");
        rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("it is a number")
    };
    (number("Copied "), number(" in "))
}

/// Stops the secondary.
fn stop(pair: &Pair) {
    pair.cluster.node(2).ok(&["stop", "-m", MODULE]);
    pair.wait(pair.cluster.node(2), "STOP");
    pair.wait(pair.cluster.node(1), "ALONE");
}

/// Changes a block in three zones of a file on node 1.
fn change(pair: &Pair, file: &str) {
    for at in [0, SIZE / 2, SIZE - ZONE] {
        pair.sh(
            1,
            &format!("dd if=/dev/urandom of={file} bs=4k count=1 seek={} conv=notrunc status=none", at * 256),
        );
    }
    pair.sh(1, &format!("sync -f {file}"));
}

fn large(report: &mut Report) {
    let pair = Pair::started("rfslarge");
    let (file, plain) = (format!("{REPLICATED}/large"), format!("{NATIVE}/large"));
    pair.sh(
        1,
        &format!("dd if=/dev/urandom of={file} bs=1M count={SIZE} status=none && cp {file} {plain} && sync -f {plain}"),
    );
    pair.sh(
        2,
        "mkdir -p /data/rsyncd && printf 'pid file=/data/rsyncd/pid\\n[native]\\npath=/data/native\\nuid=root\\n\
         read only=no\\nuse chroot=no\\n' >/data/rsyncd/conf && rsync --daemon --config=/data/rsyncd/conf",
    );
    let rsync = |options: &str| {
        pair.time(&format!("rsync -a {options} {plain} rsync://10.77.2.2/native/")).as_secs_f64()
    };
    rsync("--whole-file");
    let (node1, node2) = (pair.cluster.node(1), pair.cluster.node(2));
    let zones = (3 * ZONE * 1024) as f64;
    // A file that was made since the secondary came is compared as a whole: it is older from now on.
    stop(&pair);
    node2.ok(&["start", "-m", MODULE]);
    pair.wait(node2, "SECOND");

    stop(&pair);
    change(&pair, &file);
    change(&pair, &plain);
    node2.ok(&["start", "-m", MODULE]);
    pair.wait(node2, "SECOND");
    let (bytes, seconds) = copied(&pair);
    let theirs = rsync("--inplace --no-whole-file");
    report.promise("3 zones of 2 GiB changed: copied, to their size", 1.0, "x", &[bytes / zones]);
    report.at_least("- faster than rsync --inplace", 2.0, "x", &[theirs / seconds]);
    report.compare("- ours", "s", &[seconds]);
    report.compare("- rsync --inplace", "s", &[theirs]);

    pair.cluster.poweroff(node2);
    pair.wait(node1, "ALONE");
    change(&pair, &file);
    change(&pair, &plain);
    pair.cluster.poweron(node2);
    pair.wait(node2, "SECOND");
    let (bytes, seconds) = copied(&pair);
    pair.sh(2, "rsync --daemon --config=/data/rsyncd/conf");
    let theirs = rsync("--checksum --inplace --no-whole-file");
    report.promise("the same after a crash, by hash: copied, to their size", 1.1, "x", &[bytes / zones]);
    report.at_least("- faster than rsync --checksum", 1.0, "x", &[theirs / seconds]);
    report.compare("- ours", "s", &[seconds]);
    report.compare("- rsync --checksum", "s", &[theirs]);
}

fn small(report: &mut Report) {
    let pair = Pair::stopped("rfssmall");
    // Behind the link: the module is stopped.
    pair.sh(
        1,
        &format!(
            "cd {REPLICATED}/ && python3 -c \"import os
for n in range({FILES}):
    if n % 500 == 0: os.mkdir(str(n // 500))
    with open(f'{{n // 500}}/{{n}}', 'w') as file: file.write('x' * 200)\""
        ),
    );
    let (node1, node2) = (pair.cluster.node(1), pair.cluster.node(2));
    node1.ok(&["prim", "-m", MODULE]);
    pair.wait(node1, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    pair.wait(node2, "SECOND");
    let (_, first) = copied(&pair);
    report.compare("200,000 small files: copied for the first time", "s", &[first]);
    let mut again = Vec::new();
    for _ in 0..3 {
        stop(&pair);
        node2.ok(&["start", "-m", MODULE]);
        pair.wait(node2, "SECOND");
        again.push(copied(&pair).1);
    }
    report.promise("- nothing changed, the secondary stopped and started", 2.0, "s", &again);
}
