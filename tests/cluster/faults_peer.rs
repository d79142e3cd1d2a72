//! Faults of clocks and of the peer, and trees that are out of the ordinary
//! (docs/failures/replication-faults.md).

use crate::replication::{DIR, installed, sh};
use crate::support::{Cluster, MODULE, Mirror, Node};
use safekit::rfs::resync::compare::same_tree;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// The files of a node, beside the mount.
pub fn backing(node: &Node) -> PathBuf {
    node.inside().dir().join("private/%data").join("replicated_For_SafeKit_Replication")
}

/// What differs between both trees, but for the dates of what was never written (directories, links,
/// empty files), which are each node's own until the next reintegration.
pub fn differences(cluster: &Cluster) -> Vec<String> {
    let [one, two] = [1, 2].map(|n| backing(cluster.node(n)));
    let mut found = same_tree(&one, &two).unwrap_or_else(|e| vec![e.to_string()]);
    // A name that is no text cannot be looked up again.
    let written = |path: &str| one.join(path).symlink_metadata().is_ok_and(|m| m.is_file() && m.len() > 0);
    found.retain(|line| line.strip_suffix(": date").is_none_or(written));
    found
}

/// Waits until both trees are equal: with async="second" the last writes may still be applied.
#[track_caller]
pub fn same(cluster: &Cluster) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = differences(cluster);
        if found.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "the trees differ: {found:#?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn fault_another_configuration() {
    let cluster = installed("other_config", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let config = |inside: &str| {
        let more = format!(r#"<rfs><replicated dir="{DIR}" mode="read_only">{inside}</replicated></rfs>"#);
        Mirror { more: &more, ..Mirror::default() }.xml()
    };
    node2.edit(MODULE, &config(r#"<notreplicated path="logs"/>"#));
    node2.ok(&["config", "-m", MODULE]);
    sh(node1, &format!("mkdir {DIR}/logs && echo one > {DIR}/logs/file"));
    sh(node2, &format!("echo own > {DIR}/own"));
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    let from = node2.mark(MODULE);
    node2.ok(&["second", "-m", MODULE]);
    let refused = "the reintegration is refused: the other node has another configuration, the <replicated> directories";
    node2.wait_log(MODULE, from, &[refused]);
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(sh(node2, &format!("cat {DIR}/own")), "own\n", "nothing was changed");
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node2.edit(MODULE, &config(""));
    node2.ok(&["config", "-m", MODULE]);
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    same(&cluster);
}

/// A program of the node runs with a clock that is shifted by what the file says.
fn shift_clock(node: &Node, program: &str, file: &str) {
    let bin = node.inside().safe().join("private/bin");
    let real = fs::canonicalize(bin.join(program)).expect("it is installed");
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|dir| format!("{dir}/faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| fs::exists(path).unwrap_or(false))
        .expect("libfaketime: run scripts/install-packages.sh --tests");
    let wrapper = format!(
        "#!/bin/sh\nexport LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={file} FAKETIME_NO_CACHE=1\n\
         export DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1\nexec {} \"$@\"\n",
        real.display()
    );
    fs::remove_file(bin.join(program)).expect("it can be replaced");
    fs::write(bin.join(program), wrapper).expect("it is writable");
    sh(node, &format!("chmod 755 {}", bin.join(program).display()));
}

#[test]
fn fault_clock_jumps_of_a_day() {
    let cluster = installed("clock", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let clock = cluster.dir().join("clock");
    // The control plane of one node, the data plane of the other.
    fs::write(&clock, "+0\n").expect("it is writable");
    for (node, program) in [(node1, "safeadmin"), (node2, "rfsbox")] {
        shift_clock(node, program, &clock.display().to_string());
    }
    sh(node1, &format!("kill -9 {}", node1.safeadmin().expect("it runs")));
    node1.wait_admin();
    cluster.start_pair(MODULE);
    let from = cluster.nodes().iter().map(|node| node.mark(MODULE)).collect::<Vec<_>>();
    for (at, shift) in ["+1d", "-1d", "+0"].into_iter().enumerate() {
        fs::write(&clock, format!("{shift}\n")).expect("it is writable");
        sh(node1, &format!("cd {DIR} && echo {at} > file{at} && mkdir dir{at} && sync ."));
        node1.evaluate(MODULE);
        same(&cluster);
    }
    for (node, from) in cluster.nodes().iter().zip(from) {
        node.assert_not_logged(MODULE, from, "Local state");
    }
    // Who leaves before a jump and comes back after it gets what changed.
    for shift in ["-1d", "+1d"] {
        node2.ok(&["stop", "-m", MODULE]);
        node2.wait_state(MODULE, "STOP");
        sh(node1, &format!("cd {DIR} && echo {shift} > file0 && mv file1 moved{shift} && echo 1 > file1"));
        fs::write(&clock, format!("{shift}\n")).expect("it is writable");
        node2.ok(&["start", "-m", MODULE]);
        node2.wait_state(MODULE, "SECOND");
        node1.wait_state(MODULE, "PRIM");
        same(&cluster);
    }
}

/// Every byte that a name may have, in names of several lengths, for all kinds of entries.
const NAMES: &str = r#"
import os, sys
os.chdir(sys.argv[1].encode())
every = bytes(b for b in range(1, 256) if b != ord("/"))
names = [bytes([b]) for b in every if b != ord(".")] + [every[:127], every[127:], b"\xff" * 255, b"-rf *", b"..."]
for n, name in enumerate(names):
    os.mkdir(b"d" + name[:254])
    with open(b"d" + name[:254] + b"/" + name, "wb") as file:
        file.write(name * n)
    os.rename(b"d" + name[:254] + b"/" + name, name)
    os.symlink(name, b"l" + name[:254])
    os.link(name, b"h" + name[:254])
    if n % 7 == 0:
        os.unlink(name)
"#;

#[test]
fn fault_names_of_any_bytes() {
    let cluster = installed("names", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let script = cluster.dir().join("names.py");
    fs::write(&script, NAMES).expect("it is writable");
    let make = |dir: &str| {
        sh(node1, &format!("mkdir {DIR}/{dir} && python3 {} {DIR}/{dir}", script.display()));
    };
    make("copied");
    cluster.start_pair(MODULE);
    make("streamed");
    same(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    make("tracked");
    sh(node1, &format!("rm -r {DIR}/copied && mv {DIR}/streamed {DIR}/moved"));
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    same(&cluster);
}

/// Entries of the large tree, unless `SAFEKIT_FILES` says otherwise.
const FILES: u64 = 5_000;
/// Where something is in the huge file.
const WRITTEN: [u64; 3] = [0, 100 << 30, (300 << 30) - 8192];
/// Files in each of its directories.
const EACH: u64 = 100;

/// Makes a tree of this many small files in directories of [`EACH`].
const MANY: &str = r#"
import os, sys
top, files, each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for n in range(files):
    if n % each == 0:
        os.mkdir(f"{top}/{n // each}")
    fd = os.open(f"{top}/{n // each}/{n}", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(fd, b"%d" % n)
    os.close(fd)
"#;

/// Highest memory of the node's rfsbox, MiB.
fn memory(node: &Node) -> u64 {
    let text = sh(node, "grep VmHWM /proc/$(pidof rfsbox)/status");
    text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number of KB") >> 10
}

#[test]
fn fault_many_files_a_huge_one_and_deletes_during_reintegration() {
    let cluster = installed("many", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let files: u64 = std::env::var("SAFEKIT_FILES").map_or(FILES, |n| n.parse().expect("a number"));
    let patience = Duration::from_secs(60 + files / 500);
    let script = cluster.dir().join("many.py");
    fs::write(&script, MANY).expect("it is writable");
    // Made beside the module, as large trees are there before a product is.
    let one = backing(node1);
    let arguments = [one.display().to_string(), files.to_string(), EACH.to_string()];
    let made = std::process::Command::new("python3").arg(&script).args(arguments).status();
    assert!(made.is_ok_and(|status| status.success()));
    for at in WRITTEN {
        sh(
            node1,
            &format!(
                "head -c 8192 /dev/urandom | dd of={DIR}/huge bs=4096 seek={} conv=notrunc status=none",
                at >> 12
            ),
        );
    }
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    let (began, from) = (Instant::now(), node2.mark(MODULE));
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_log(MODULE, from, &["Updating directory tree"]);
    // A tenth of them goes while the others come.
    let gone = files / EACH / 10;
    let deleted = thread::scope(|scope| {
        let deleting = scope.spawn(|| {
            let mut last = 0;
            // Each call is bounded, the whole is not.
            while last < gone {
                let next = (last + 20).min(gone);
                sh(node1, &format!("cd {DIR} && rm -r $(seq {last} {})", next - 1));
                last = next;
            }
            began.elapsed()
        });
        deleting.join().expect("it deletes")
    });
    while !(node1.state(MODULE) == "PRIM" && node2.state(MODULE) == "SECOND") {
        assert!(began.elapsed() < patience, "not reintegrated within {patience:?}");
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!(
        "{files} files and 300 GiB in {:?}, {} deleted meanwhile in {deleted:?}; rfsbox: {} and {} MiB",
        began.elapsed(),
        gone * EACH,
        memory(node1),
        memory(node2)
    );
    node2.wait_state(MODULE, "SECOND");
    let blocks = sh(node2, &format!("stat -c '%s %b' {DIR}/huge"));
    let numbers: Vec<u64> = blocks.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    assert!(matches!(numbers[..], [size, used] if size == 300 << 30 && used < 1000), "{blocks}");
    let written = |node| {
        let part = |at: u64| format!("dd if={DIR}/huge bs=4096 skip={} count=2 status=none;", at >> 12);
        sh(node, &format!("({}) | sha256sum", WRITTEN.map(part).concat()))
    };
    assert_eq!(written(node1), written(node2));
    // The comparison would read all of it.
    sh(node1, &format!("rm {DIR}/huge"));
    same(&cluster);
    // Memory does not grow with the tree as a whole: names of directories, and what changes meanwhile.
    let most = 200 + files / 1000;
    for node in cluster.nodes() {
        assert!(memory(node) < most, "{} of {most} MiB on {}", memory(node), node.name());
    }
}

/// With a key every connection begins with a handshake: none of them is lost by it.
#[test]
fn with_a_key_a_secondary_returns_at_once() {
    let cluster = installed("rfs_key", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("for n in $(seq 200); do echo $n >{DIR}/$n; done"));
    cluster.encrypt(MODULE);
    let from = node2.mark(MODULE);
    cluster.start_pair(MODULE);
    for n in 0..6 {
        node2.ok(&["stop", "-m", MODULE]);
        node2.wait_state(MODULE, "STOP");
        node1.wait_state(MODULE, "ALONE");
        sh(node1, &format!("echo {n} >{DIR}/again; echo {n} >{DIR}/{n}"));
        node2.ok(&["start", "-m", MODULE]);
        node2.wait_state(MODULE, "SECOND");
    }
    node1.wait_state(MODULE, "PRIM");
    same(&cluster);
    let log = node2.log(MODULE);
    let failed: Vec<_> = log[from..].iter().filter(|line| line.contains("cannot be synchronized")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
