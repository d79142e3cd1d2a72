//! The commands of replication and what a synchronization copies (spec/acceptance.md A-5.9, R-13.6b to f, j).

use crate::replication::{DIR, installed, pair, settled, sh, tree};
use crate::support::{Cluster, MODULE, Mirror, Node, eventually};

/// Where the files of a directory are, behind its mount.
const BEHIND: &str = "/data/replicated_For_SafeKit_Replication";

/// Stops the module and waits for it.
fn stop(node: &Node) {
    node.ok(&["stop", "-m", MODULE]);
    node.wait_state(MODULE, "STOP");
}

/// Waits until a file counts as older than zones that begin now: births are stamped coarsely.
fn aged(node: &Node, file: &str) {
    let script = format!("test $(($(date +%s) - $(stat -c %W {file}))) -ge 4");
    eventually("an old file", || (node.sh(&script).code == 0).then_some(()));
}

fn resource(node: &Node, name: &str) -> String {
    node.resource(MODULE, name).unwrap_or_else(|| panic!("no {name} on {}", node.name()))
}

/// The module waits and nobody but an operator gets it out of there.
fn wait_not_ready(node: &Node) {
    eventually("WAIT NotReady", || {
        (node.resource(MODULE, "state.local").as_deref() == Some("WAIT NotReady")).then_some(())
    });
}

/// `usersetting.rfssyncmode`, `rfssyncrole` and `rfssyncuid`.
fn policy(node: &Node) -> [String; 3] {
    ["mode", "role", "uid"].map(|what| resource(node, &format!("usersetting.rfssync{what}")))
}

/// KB that the last reintegration of the node has copied.
fn copied(node: &Node, from: usize) -> u64 {
    let log = node.log(MODULE);
    let line = log.iter().skip(from).rfind(|l| l.starts_with("Copied "));
    line.and_then(|l| l.split(' ').nth(1)).map_or(0, |n| n.parse().expect("a number of KB"))
}

/// A reintegration that takes its time: 64 KB/s for 20 MB.
const SLOW: &str = r#"reiallowedbw="64""#;

/// Node 1 ALONE with a large file, node 2 stopped in the middle of copying it, then node 1 stopped.
fn half_copied(test: &str) -> Cluster {
    let cluster = installed(test, SLOW, "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=20 status=none && echo one > {DIR}/a"));
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_log(MODULE, 0, &[&format!("Updating directory tree from {DIR}")]);
    eventually("some bytes on node 2", || {
        let seen = node2.sh(&format!("test $(du -k {BEHIND}/big | cut -f1) -gt 0")).code == 0;
        seen.then_some(())
    });
    stop(node2);
    node2.assert_not_logged(MODULE, 0, "Reintegration ended");
    stop(node1);
    cluster
}

#[test]
fn a_5_9a_half_copied_data_does_not_become_primary() {
    let cluster = half_copied("a_5_9a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node2.mark(MODULE);
    let refused = node2.safekit(&["prim", "-m", MODULE]);
    assert_eq!(refused.code, 1, "{refused:?}");
    node2.assert_log(
        MODULE,
        from,
        &[
            "Action prim called by root",
            "Data may be inconsistent for replicated directories (stopped during reintegration)",
            "If you are sure that this server has valid data, run safekit primforce to force start as primary",
            "Requested prim start aborted",
        ],
    );
    assert_eq!(resource(node2, "state.local"), "STOP NotReady");
    // Without the limit, so that the repair does not take its time.
    let free = Mirror { more: &rfs("", ""), ..Mirror::default() }.xml();
    for node in cluster.nodes() {
        node.edit(MODULE, &free);
        node.ok(&["config", "-m", MODULE]);
    }
    let from = node2.mark(MODULE);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    node2.assert_log(MODULE, from, &["Reintegration ended (synchronize)", "Local state SECOND Ready"]);
    settled(&cluster);
}

#[test]
fn a_5_9b_primforce_then_a_full_copy() {
    let cluster = half_copied("a_5_9b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let from = node2.mark(MODULE);
    node2.ok(&["primforce", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node2.assert_log(MODULE, from, &["Action primforce called by root", "Local state ALONE Ready"]);
    // Small enough for the limit, and the same on both nodes: only a full copy copies it.
    sh(
        node2,
        &format!("rm -f {DIR}/big && echo two > {DIR}/a && head -c 100000 /dev/zero | tr '\\0' x > {DIR}/x"),
    );
    sh(
        node1,
        &format!(
            "rm -f {BEHIND}/big && cp {DIR}/a {DIR}/old && head -c 100000 /dev/zero | tr '\\0' x > {DIR}/x"
        ),
    );
    let from = node1.mark(MODULE);
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    assert!(copied(node1, from) >= 97, "{:?}", node1.log(MODULE));
    settled(&cluster);
    assert_eq!(sh(node1, &format!("cat {DIR}/a; ls {DIR}/")), "two\na\nx\n");
}

fn rfs(attributes: &str, inside: &str) -> String {
    format!(r#"<rfs {attributes}><replicated dir="{DIR}" mode="read_only">{inside}</replicated></rfs>"#)
}

#[test]
fn r_13_6b_a_mount_point_and_what_must_be_there() {
    let cluster =
        Cluster::with("r_13_6b", |o| safekit::sandbox::Options { private: vec!["/data".into()], ..o });
    let node = cluster.node(1);
    let more = rfs("", r#"<tocheck path="there"/>"#);
    node.unpack(MODULE, 1, &Mirror { more: &more, ..Mirror::default() }.xml(), &crate::support::SCRIPTS);
    sh(
        node,
        &format!(
            "mkdir {DIR} && truncate -s 20M /data/disk && mkfs.ext4 -q /data/disk && mount /data/disk {DIR}"
        ),
    );
    sh(node, &format!("echo kept > {DIR}/file"));
    let refused = node.safekit(&["config", "-m", MODULE]);
    assert!(refused.code == 1 && refused.stderr.contains("Error: Device or resource busy\n"), "{refused:?}");
    assert_eq!(sh(node, &format!("cat {DIR}/file")), "kept\n");
    // RFS-14.
    sh(node, &format!("umount {DIR}"));
    node.ok(&["config", "-m", MODULE]);
    assert_eq!(sh(node, &format!("readlink {DIR}")), "replicated_For_SafeKit_Replication\n");
    sh(node, &format!("mount /data/disk {BEHIND}"));
    assert_eq!(sh(node, &format!("cat {DIR}/file")), "kept\n");

    // What must be there is not: it does not start, and says why.
    node.ok(&["prim", "-m", MODULE]);
    node.wait_log(MODULE, 0, &["the replicated directories cannot be mounted: ", "there"]);
    node.evaluate(MODULE);
    assert_ne!(node.state(MODULE), "ALONE");
    assert_eq!(sh(node, &format!("readlink {DIR}")), "replicated_For_SafeKit_Replication\n");
    sh(node, &format!("touch {BEHIND}/there"));
    node.wait_state(MODULE, "ALONE");
    sh(node, &format!("mountpoint -q {DIR} && cat {DIR}/file && echo new > {DIR}/new"));
    stop(node);
    sh(node, &format!("umount {BEHIND}"));
    node.ok(&["deconfig", "-m", MODULE]);
    sh(node, &format!("mount /data/disk {DIR}"));
    assert_eq!(sh(node, &format!("cat {DIR}/file {DIR}/new; umount {DIR}")), "kept\nnew\n");
}

#[test]
fn r_13_6c_what_is_not_replicated() {
    let inside = r#"<notreplicated path="conf/local"/><notreplicated regexpath=".*\.tmp$"/>"#;
    let cluster = installed("r_13_6c", "", inside);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    cluster.start_pair(MODULE);
    let script = "mkdir -p conf/local && for f in a.tmp conf/b.tmp conf/config.tmp.swap conf/local/x kept; \
                  do echo one > $f; done; setfacl -m u:12:r kept; sync -f .";
    let acl = node1.sh(&format!("cd {DIR} && {script}"));
    assert!(acl.stderr.contains("Operation not supported"), "ACLs are off: {acl:?}");
    let files = |node: &Node| sh(node, &format!("cd {DIR}/ && find . -type f | sort"));
    eventually("what is replicated", || (files(node2) == "./conf/config.tmp.swap\n./kept\n").then_some(()));
    assert_eq!(files(node1), "./a.tmp\n./conf/b.tmp\n./conf/config.tmp.swap\n./conf/local/x\n./kept\n");
    // A reintegration copies no more than that, and takes nothing away.
    stop(node2);
    sh(node2, &format!("echo own > {DIR}/own.tmp"));
    node2.ok(&["second", "fullsync", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    assert_eq!(files(node2), "./conf/config.tmp.swap\n./kept\n./own.tmp\n");
}

#[test]
fn r_13_6c_only_what_matches_and_access_lists() {
    let inside = r#"<notreplicated regexpath="!.*\.mdf$"/><notreplicated regexpath="!.*\.ldf$"/>"#;
    let cluster = installed("r_13_6c_acl", r#"acl="on""#, inside);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("cd {DIR} && echo early > early.mdf && setfacl -m u:11:rw early.mdf"));
    cluster.start_pair(MODULE);
    sh(
        node1,
        &format!("cd {DIR} && echo 1 > a.mdf && echo 2 > a.ldf && echo 3 > a.txt && setfacl -m u:12:r a.mdf"),
    );
    let acl = |node: &Node, file: &str| node.sh(&format!("getfacl -cnp {DIR}/{file} | grep user:1")).stdout;
    eventually("the access list", || (acl(node2, "a.mdf") == "user:12:r--\n").then_some(()));
    assert_eq!(acl(node2, "early.mdf"), "user:11:rw-\n");
    eventually("the files", || {
        (sh(node2, &format!("ls {DIR}/")) == "a.ldf\na.mdf\nearly.mdf\n").then_some(())
    });
}

#[test]
fn r_13_6d_verification_and_estimate() {
    let cluster = installed("r_13_6d", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("cd {DIR} && mkdir d && echo one > d/one && seq 100000 > big && ln big d/other"));
    aged(node1, &format!("{DIR}/d/one"));
    cluster.start_pair(MODULE);
    for (node, wanted) in [(node1, "PRIM"), (node2, "SECOND")] {
        let command = if wanted == "PRIM" { "rfsverify" } else { "rfsdiff" };
        let refused = node.safekit(&[command, "-m", MODULE]);
        let says = format!("here the module is {wanted} Ready");
        assert!(refused.code == 1 && refused.stderr.contains(&says), "{refused:?}");
    }
    let done = cluster.dir().join("done");
    let busy = format!(
        "i=0; while ! test -e {}; do i=$((i+1)); echo $i > {DIR}/d/busy$((i%10)); echo $i >> {DIR}/log; \
         rm -f {DIR}/d/busy$(((i+5)%10)); done",
        done.display()
    );
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| node1.sh(&busy));
        eventually("some activity", || node1.sh(&format!("test -s {DIR}/log")).code.eq(&0).then_some(()));
        // Under load, too, only what really differs is told.
        let clean: Vec<_> = (0..3).map(|_| node2.safekit(&["rfsverify", "-m", MODULE])).collect();
        sh(node2, &format!("printf X | dd of={BEHIND}/big bs=1 seek=300000 conv=notrunc status=none"));
        sh(node2, &format!("rm {BEHIND}/d/one; chmod 600 {BEHIND}/d; echo extra > {BEHIND}/extra"));
        let found = node2.safekit(&["rfsverify", "-m", MODULE]);
        std::fs::write(&done, "").expect("it is writable");
        assert_eq!(writer.join().expect("it ends").code, 0);
        for output in clean {
            assert!(output.code == 0 && output.stdout.contains(", different: 0\n"), "{output:?}");
        }
        assert_eq!(found.code, 1, "{found:?}");
        for line in [
            format!("{DIR}/big: content"),
            format!("{DIR}/d: mode"),
            format!("{DIR}/d/one: missing on this node"),
            format!("{DIR}/d/other: content"),
            format!("{DIR}/extra: not on the primary"),
        ] {
            assert!(found.stdout.lines().any(|l| l == line), "{line}: {found:?}");
        }
        assert!(found.stdout.ends_with(", different: 5\n"), "{found:?}");
    });
    assert_eq!(node1.state(MODULE), "PRIM");

    // What was made since the last reintegration is compared as a whole by the next one.
    sh(node1, &format!("rm -f {DIR}/d/busy* {DIR}/log"));
    stop(node2);
    node1.wait_state(MODULE, "ALONE");
    let valid = node1.inside().safevar().join(format!("modules/{MODULE}/rfs/0/valid.json"));
    eventually("valid zones", || valid.exists().then_some(()));
    let diff = |node: &Node| node.json(&["rfsdiff", "-m", MODULE])["diff"].clone();
    assert_eq!((diff(node1)["files"].as_u64(), diff(node1)["bytes"].as_u64()), (Some(0), Some(0)));
    sh(node1, &format!("echo more >> {DIR}/d/one && head -c 3000000 /dev/urandom > {DIR}/new"));
    let found = diff(node1);
    let size = sh(node1, &format!("stat -c %s {DIR}/d/one")).trim().parse::<u64>().expect("a number");
    assert_eq!(found["files"], 2, "{found}");
    assert_eq!(found["bytes"].as_u64(), Some(3_000_000 + size), "{found}");
    assert!(found["seconds"].as_u64().is_some_and(|s| s >= 1), "{found}");
    let text = node1.ok(&["rfsdiff", "-m", MODULE]);
    assert!(text.contains("Modified files      2\n") && text.contains("Estimated duration  1 s"), "{text}");
}

#[test]
fn r_13_6e_only_what_was_modified_after_a_date() {
    let cluster = pair("r_13_6e");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(
        node1,
        &format!(
            "cd {DIR} && head -c 3000000 /dev/urandom > before && head -c 1000000 /dev/urandom > after && \
             TZ=UTC touch -d '2016-03-01 11:59:59' before && TZ=UTC touch -d '2016-03-01 12:00:01' after"
        ),
    );
    settled(&cluster);
    for bad in ["2016", "2016-03-01 12:00", "2016-02-30", "2016-03-01T12:00:00+01:00"] {
        let refused = node2.safekit(&["secondforce", "-d", bad, "-m", MODULE]);
        assert!(refused.code == 2 && refused.stderr.contains("write YYYY-MM-DD"), "{bad}: {refused:?}");
    }
    let stop_both = || {
        stop(node2);
        node1.wait_state(MODULE, "ALONE");
    };
    // By date the 3 MB of `before` are copied or not: both files have the zones of neither.
    for (date, bytes) in [
        ("2016-02-29", 4_000_000),
        ("2016-03-02", 0),
        ("2016-03-01 12:00:00Z", 1_000_000),
        ("2016-03-01T12:00:00Z", 1_000_000),
        ("2016-03-01T12:00:01Z", 0),
    ] {
        stop_both();
        let from = node2.mark(MODULE);
        node2.ok(&["secondforce", "-d", date, "-m", MODULE]);
        node2.wait_state(MODULE, "SECOND");
        node2.assert_log(
            MODULE,
            from,
            &["Action secondforce called by root", "Reintegration ended", "Local state SECOND Ready"],
        );
        let kb = copied(node2, from);
        assert_eq!(kb, bytes >> 10, "{date}");
    }
    // The word is for one start.
    stop_both();
    let from = node2.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    assert_eq!(copied(node2, from), 0);
    // Without a primary it is refused as `second` is.
    stop(node2);
    stop(node1);
    eventually("node 1 seen in STOP", || (resource(node2, "state.remote") == "STOP NotReady").then_some(()));
    let refused = node2.safekit(&["secondforce", "-d", "2016-03-01", "-m", MODULE]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert_eq!(node2.state(MODULE), "STOP");
}

/// A cold backup of node 1, whose module is stopped, restored on node 2.
fn backup(cluster: &Cluster) {
    let archive = cluster.dir().join("backup.tar");
    sh(
        cluster.node(1),
        &format!("tar -C {BEHIND} --format=posix --exclude ./.safekit_rfs -cf {} .", archive.display()),
    );
    sh(cluster.node(2), &format!("rm -rf {BEHIND}/* && tar -C {BEHIND} -xpf {}", archive.display()));
}

/// A file of five zones, and one of a line.
fn fill(node: &Node) {
    sh(
        node,
        &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=40 status=none && echo one > {DIR}/small"),
    );
}

#[test]
fn r_13_6f_cold_external_synchronization() {
    let cluster = installed("r_13_6f", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    fill(node1);
    node1.ok(&["rfssync", "external", "prim", "monday", "-m", MODULE]);
    assert_eq!(policy(node1), ["external", "prim", "monday"]);
    assert_eq!(resource(node1, "rfs.rfssync"), "down");
    backup(&cluster);
    node2.ok(&["rfssync", "external", "second", "monday", "-m", MODULE]);
    let shown = node2.ok(&["rfssync", "-m", MODULE]);
    for word in ["external", "second", "monday"] {
        assert!(shown.contains(word), "{shown}");
    }
    for node in cluster.nodes() {
        eventually("an applicable policy", || (resource(node, "rfs.rfssync") == "up").then_some(()));
    }
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("printf changed | dd of={DIR}/big bs=1 seek=30000000 conv=notrunc status=none"));
    let from = node2.mark(MODULE);
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    let kb = copied(node2, from);
    assert!((1..=8 << 10).contains(&kb), "one zone of 8 MiB was modified, {kb} KB were copied");
    settled(&cluster);
    for node in cluster.nodes() {
        eventually("the default policy", || (policy(node) == ["default"; 3]).then_some(()));
        assert!(node.ok(&["rfssync", "-m", MODULE]).contains("default"));
    }
}

#[test]
fn r_13_6f_without_detection_nothing_but_marked_zones_is_read() {
    let cluster = installed("r_13_6fd", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    fill(node1);
    aged(node1, &format!("{DIR}/small"));
    node1.ok(&["rfssync", "-d", "prim", "cold", "-m", MODULE]);
    backup(&cluster);
    node2.ok(&["rfssync", "-d", "second", "cold", "-m", MODULE]);
    // What it does not find: a change before the start that leaves length and date as they were.
    sh(
        node2,
        &format!(
            "cp -p {BEHIND}/small /data/ref && echo two > {BEHIND}/small && touch -r /data/ref {BEHIND}/small"
        ),
    );
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("printf changed | dd of={DIR}/big bs=1 seek=30000000 conv=notrunc status=none"));
    let from = node2.mark(MODULE);
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    let kb = copied(node2, from);
    assert!((1..=8 << 10).contains(&kb), "one zone of 8 MiB was modified, {kb} KB were copied");
    assert_eq!(sh(node2, &format!("cat {DIR}/small")), "two\n");
    let sum = |node: &Node| sh(node, &format!("sha256sum {DIR}/big"));
    eventually("the same file", || (sum(node1) == sum(node2)).then_some(()));
}

#[test]
fn r_13_6f_another_uid_is_refused() {
    let cluster = installed("r_13_6fu", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/file"));
    sh(node2, &format!("echo other > {DIR}/other"));
    node1.ok(&["rfssync", "external", "prim", "monday", "-m", MODULE]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    let refuses = |why: &str| {
        let from = node2.mark(MODULE);
        node2.ok(&["second", "-m", MODULE]);
        wait_not_ready(node2);
        let text =
            format!("the reintegration is refused: the external synchronization cannot be applied: {why}");
        node2.assert_log(MODULE, from, &[&text]);
        assert_eq!(resource(node2, "rfs.reintegre_failed"), "true");
        let explained = node2.ok(&["explain", "-m", MODULE]);
        assert!(explained.contains("safekit rfssync full"), "{explained}");
        assert_eq!(node1.state(MODULE), "ALONE");
        // Nothing was touched.
        assert_eq!(sh(node2, &format!("cat {BEHIND}/other")), "other\n");
        stop(node2);
    };
    refuses("backup monday was taken from the primary, and none was restored here");
    node2.ok(&["rfssync", "external", "second", "tuesday", "-m", MODULE]);
    refuses("backup tuesday was restored here, and monday was taken from the primary");
    assert_eq!(policy(node2), ["external", "second", "tuesday"]);
    node2.ok(&["rfssync", "full", "-m", MODULE]);
    assert_eq!(policy(node2), ["full", "default", "default"]);
    node2.ok(&["second", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    settled(&cluster);
    assert!(!tree(node2).contains("other"));
    for node in cluster.nodes() {
        eventually("the default policy", || (policy(node) == ["default"; 3]).then_some(()));
    }
}

/// The values that a resource has had.
fn history(node: &Node, name: &str) -> Vec<u64> {
    let file = node.inside().safevar().join(format!("modules/{MODULE}/resource.db"));
    let db = rusqlite::Connection::open(file).expect("the database opens");
    let mut rows = db.prepare("SELECT value FROM history WHERE name = ?1 ORDER BY rowid").expect("a history");
    let values = rows.query_map([name], |row| row.get::<_, String>(0)).expect("values");
    values.map(|v| v.expect("a value").parse().expect("a number")).collect()
}

#[test]
fn r_13_6j_bandwidth_and_progress() {
    const LIMIT: u64 = 1500;
    let cluster = installed("r_13_6j", &format!(r#"reiallowedbw="{LIMIT}""#), "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("dd if=/dev/urandom of={DIR}/big bs=1M count=20 status=none"));
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    let files = eventually("progress as resources", || node2.resource(MODULE, "rfs.rei_files"));
    assert_eq!(files, "0/1");
    eventually("bytes", || {
        let copied: u64 = node2.resource(MODULE, "rfs.rei_copied")?.parse().ok()?;
        let left: u64 = node2.resource(MODULE, "rfs.rei_left")?.parse().ok()?;
        (copied > 0 && (1..=14).contains(&left)).then_some(())
    });
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    let within = |rate: u64| rate.abs_diff(LIMIT) * 10 <= LIMIT;
    let log = node2.log(MODULE);
    let line = log.iter().find(|l| l.starts_with("Copied ")).expect("it was copied");
    let rate = line.split_once('(').and_then(|(_, l)| l.split(' ').next()?.parse().ok()).expect("KB/sec");
    assert!(within(rate), "{line}");
    let seen = history(node1, "rfs.rei_bandwidth");
    assert!(seen.iter().filter(|r| within(**r)).count() >= 2, "{seen:?}");
    // All is told once it is over.
    eventually("no progress any more", || node2.resource(MODULE, "rfs.rei_files").is_none().then_some(()));

    sh(node1, &format!("dd if=/dev/urandom of={DIR}/more bs=1M count=12 status=none && sync {DIR}/more"));
    for (node, name) in [(node1, "rep_bandwidth"), (node1, "netout_bandwidth"), (node2, "netin_bandwidth")] {
        let name = format!("rfs.{name}");
        // 12 MB in one or two windows of three seconds.
        eventually(&name, || history(node, &name).into_iter().any(|r| r >= 1000).then_some(()));
        eventually("nothing moves any more", || (node.resource(MODULE, &name)? == "0").then_some(()));
    }
}
