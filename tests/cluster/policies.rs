//! Policies of replication: power failures of both nodes, `syncdelta`, `syncat`, dates that do not fit,
//! unequal configurations, blocked directories (spec/acceptance.md A-1.3.6, A-5.4d, R-13.6g to R-13.6i).

use crate::replication::{DIR, installed, pair, settled, sh};
use crate::support::{Cluster, MODULE, Mirror, Node, eventually};
use safekit::fsm::synced::Stamps;
use safekit::node::record;
use std::fs;
use std::path::PathBuf;

/// Both nodes lose their power together: neither may notice that the other has lost it.
const PATIENT: u64 = 6000;

/// A pair whose heartbeats have a long timeout.
fn patient(test: &str, rfs: &str) -> Cluster {
    let cluster = installed(test, rfs, "");
    for node in cluster.nodes() {
        let file = node.inside().safe().join("modules").join(MODULE).join("conf/userconfig.xml");
        let xml = fs::read_to_string(file).expect("it is installed");
        let longer = xml.replace(r#"timeout="2000""#, &format!(r#"timeout="{PATIENT}""#));
        assert_ne!(xml, longer);
        node.edit(MODULE, &longer);
        node.ok(&["config", "-m", MODULE]);
    }
    cluster.start_pair(MODULE);
    cluster
}

fn waits(node: &Node) {
    eventually("WAIT NotReady", || {
        (node.resource(MODULE, "state.local").as_deref() == Some("WAIT NotReady")).then_some(())
    });
}

/// The node has started by itself at boot, waits for its peer, and is forced as the log says.
fn waits_and_is_forced(node: &Node, from: usize) {
    waits(node);
    node.wait_log(MODULE, from, &["Action wait from failover rule notuptodate_server"]);
    assert_eq!(node.resource(MODULE, "rfs.uptodate").as_deref(), Some("down"));
    node.ok(&["stop", "-m", MODULE]);
    node.wait_state(MODULE, "STOP");
    node.ok(&["prim", "-m", MODULE]);
    node.wait_state(MODULE, "ALONE");
}

/// Numbered files, each written down outside once it is acknowledged.
struct Writes {
    acks: PathBuf,
    run: u32,
}

impl Writes {
    /// Both nodes lose their power in the middle of writes to `primary`.
    fn outage(&mut self, cluster: &Cluster, primary: &Node, second: &Node) {
        self.run += 1;
        let _ = fs::remove_file(&self.acks);
        let script = format!(
            "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo run{run}-$i > {DIR}/w$i && echo $i >> {acks} || break; done",
            run = self.run,
            acks = self.acks.display()
        );
        std::thread::scope(|scope| {
            scope.spawn(|| primary.sh(&script));
            eventually("some writes", || (self.acknowledged().len() >= 30).then_some(()));
            cluster.poweroff(primary);
            cluster.poweroff(second);
        });
    }

    fn acknowledged(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.acks).unwrap_or_default();
        // The power may have gone in the middle of the last line.
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        complete.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    fn are_on(&self, node: &Node) {
        let run = self.run;
        let there = sh(node, &format!("cd {DIR} && grep -l '^run{run}-' w* || true"));
        let there: Vec<&str> = there.lines().collect();
        let lost: Vec<String> =
            self.acknowledged().into_iter().filter(|i| !there.contains(&format!("w{i}").as_str())).collect();
        assert!(lost.is_empty(), "acknowledged and not on {}: {lost:?}", node.name());
    }
}

/// Three of the four runs; the fourth is that of `syncdelta`.
fn outages(test: &str, mode: &str) {
    let cluster = patient(test, &format!(r#"async="{mode}""#));
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let mut writes = Writes { acks: cluster.dir().join("acks"), run: 0 };
    // Both come back: as before, without an operator.
    writes.outage(&cluster, node1, node2);
    cluster.poweron(node1);
    cluster.poweron(node2);
    cluster.wait_pair(MODULE);
    writes.are_on(node1);
    settled(&cluster);
    // The former secondary alone.
    let from = node2.mark(MODULE);
    writes.outage(&cluster, node1, node2);
    cluster.poweron(node2);
    waits_and_is_forced(node2, from);
    if mode == "none" {
        writes.are_on(node2);
    }
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
    // The former primary alone: it cannot know whether the other has taken over.
    let from = node2.mark(MODULE);
    writes.outage(&cluster, node2, node1);
    cluster.poweron(node2);
    waits_and_is_forced(node2, from);
    writes.are_on(node2);
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

#[test]
fn a_1_3_6_power_failures_of_both_with_async_second() {
    outages("a_1_3_6s", "second");
}

#[test]
fn a_1_3_6_power_failures_of_both_with_async_none() {
    outages("a_1_3_6n", "none");
}

#[test]
fn a_1_3_6_who_was_alone_starts_by_itself() {
    let cluster = pair("a_1_3_6a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo alone > {DIR}/file && sync {DIR}/file"));
    cluster.poweroff(node2);
    cluster.poweroff(node1);
    cluster.poweron(node1);
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(sh(node1, &format!("cat {DIR}/file")), "alone\n");
}

fn dates_file(node: &Node) -> PathBuf {
    node.inside().safevar().join("modules").join(MODULE).join("synctimestamp.json")
}

fn dates(node: &Node) -> Option<Stamps> {
    record::load(&dates_file(node)).expect("it can be read")
}

/// Changes what a node without power keeps.
fn set_dates(node: &Node, change: impl FnOnce(Stamps) -> Stamps) {
    let kept = dates(node).expect("it was synchronized");
    record::store(&dates_file(node), &change(kept)).expect("it can be written");
}

/// Both nodes keep a date that the other has.
fn dated(cluster: &Cluster) {
    eventually("a common date of synchronization", || {
        let (one, two) = (dates(cluster.node(1))?, dates(cluster.node(2))?);
        (one.last == two.last).then_some(())
    });
}

/// Boots it; what is logged from now on comes after the mark.
fn boot(cluster: &Cluster, node: &Node) -> usize {
    cluster.poweron(node);
    let log = node.log(MODULE);
    // The module may have begun to start already.
    log.iter().rposition(|line| line.starts_with("Action start called at boot")).unwrap_or(log.len())
}

const FORCED: [&str; 2] = ["Resource rfs.uptodate set to up by rfs_forceuptodate", "Local state ALONE Ready"];

#[test]
fn r_13_6g_syncdelta_lets_a_node_start_that_is_not_up_to_date() {
    let cluster = installed("r_13_6g", r#"syncdelta="5""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    dated(&cluster);
    for node in cluster.nodes() {
        eventually("rfs.synced", || {
            (node.resource(MODULE, "rfs.synced").as_deref() == Some("up")).then_some(())
        });
    }
    sh(node1, &format!("echo both > {DIR}/file"));
    settled(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(node2.resource(MODULE, "rfs.synced").as_deref(), Some("init"));
    cluster.poweroff(node1);
    let from = node2.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "ALONE");
    node2.assert_log(MODULE, from, &FORCED);
    assert_eq!(node2.resource(MODULE, "rfs.uptodate").as_deref(), Some("up"));
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "both\n");
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

/// The timeline of a power failure with `syncdelta`: within that time the first node goes on, later it
/// waits; a clock that was set back proves nothing (S12).
#[test]
fn a_1_3_6_the_timeline_of_syncdelta() {
    let cluster = patient("a_1_3_6d", r#"syncdelta="5""#);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let mut writes = Writes { acks: cluster.dir().join("acks"), run: 0 };
    dated(&cluster);
    writes.outage(&cluster, node1, node2);
    set_dates(node1, |s| Stamps { kept: s.kept - 301, ..s });
    let from = boot(&cluster, node1);
    waits(node1);
    node1.evaluate(MODULE);
    assert_eq!(node1.resource(MODULE, "rfs.synced").as_deref(), Some("down"));
    assert_eq!(node1.resource(MODULE, "state.local").as_deref(), Some("WAIT NotReady"));
    node1.assert_not_logged(MODULE, from, FORCED[0]);
    cluster.poweroff(node1);
    set_dates(node1, |s| Stamps { kept: s.kept + 10_000, ..s });
    let from = boot(&cluster, node1);
    waits(node1);
    node1.evaluate(MODULE);
    assert_eq!(node1.resource(MODULE, "rfs.synced").as_deref(), Some("down"), "its clock is behind");
    node1.assert_not_logged(MODULE, from, FORCED[0]);
    cluster.poweroff(node1);
    set_dates(node1, |s| Stamps { kept: s.kept - 10_000 + 301, ..s });
    let from = boot(&cluster, node1);
    node1.wait_state(MODULE, "ALONE");
    node1.assert_log(MODULE, from, &FORCED);
    writes.are_on(node1);
    cluster.poweron(node2);
    cluster.wait_pair(MODULE);
    settled(&cluster);
}

/// An older copy of the records was put back on node 2.
#[test]
fn a_5_4d_dates_that_do_not_fit_stop_the_reintegration() {
    let cluster = installed("a_5_4d", r#"reidetail="on" reicommit="1""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo one > {DIR}/file"));
    dated(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo two > {DIR}/file"));
    cluster.poweroff(node2);
    set_dates(node2, |s| Stamps { last: s.last - 200, before: s.before - 200, ..s });
    let from = boot(&cluster, node2);
    node2.ok(&["start", "-m", MODULE]);
    waits(node2);
    let text = "Automatic synchronization cannot be applied due to an abnormal delta between the dates of the last synchronization";
    node2.wait_log(MODULE, from, &[text]);
    let lines = node2.ok(&["log", "-s", "100", "-m", MODULE]);
    assert!(lines.contains(&format!("| reintegre | E | {text}")), "{lines}");
    node2.evaluate(MODULE);
    waits(node2);
    assert_eq!(node1.state(MODULE), "ALONE");
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node2.ok(&["second", "fullsync", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    settled(&cluster);
    node2.assert_log(MODULE, from, &["Reintegration: file: copied whole, 4 of 4 bytes copied"]);
    // Their dates fit again.
    dated(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    let from = node2.mark(MODULE);
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node2.assert_not_logged(MODULE, from, text);
}

#[test]
fn a_secondary_of_another_configuration_says_what_differs() {
    let cluster = installed("differs", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let of = |rfs: &str| {
        let more = format!(r#"<rfs {rfs}><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
        Mirror { more: &more, ..Mirror::default() }.xml()
    };
    node2.edit(MODULE, &of(r#"acl="on""#));
    node2.ok(&["config", "-m", MODULE]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    node2.ok(&["second", "-m", MODULE]);
    waits(node2);
    let said = "the reintegration is refused: the other node has another configuration, acl of <rfs>";
    node2.wait_log(MODULE, 0, &[said]);
    let why = node2.ok(&["explain", "-m", MODULE]);
    assert!(why.contains("acl of <rfs>"), "{why}");
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node2.edit(MODULE, &of(""));
    node2.ok(&["config", "-m", MODULE]);
    node2.ok(&["start", "-m", MODULE]);
    cluster.wait_pair(MODULE);
}

/// Stands for cron: keeps each user's crontab in SAFEVAR.
const CRONTAB: &str = r#"#!/bin/sh
[ "$1" = -u ] && [ "$2" = safekit ] || exit 9
file=$SAFEVAR/crontab.$2
case $3 in
-l) cat "$file" 2>/dev/null || { echo "no crontab for $2" >&2; exit 1; } ;;
*) cp "$3" "$file" ;;
esac
"#;

fn crontab(node: &Node) -> String {
    fs::read_to_string(node.inside().safevar().join("crontab.safekit")).unwrap_or_default()
}

#[test]
fn r_13_6h_syncat_synchronizes_when_it_is_time() {
    let cluster = installed("r_13_6h", "", "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let more = format!(r#"<rfs syncat="01 0 * * *"><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
    for node in cluster.nodes() {
        node.edit(MODULE, &Mirror { more: &more, ..Mirror::default() }.xml());
        let shim = node.inside().safe().join("private/bin/crontab");
        fs::write(&shim, CRONTAB).expect("it is written");
        sh(node, &format!("chmod 755 {}", shim.display()));
        node.ok(&["config", "-m", MODULE]);
        let job = crontab(node);
        assert!(
            job.starts_with("01 0 * * * SAFE=") && job.contains(" set -r rfs.syncat -v up -m m"),
            "{job}"
        );
    }
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    sh(node1, &format!("echo one > {DIR}/file"));
    let from = node2.mark(MODULE);
    node2.ok(&["second", "-m", MODULE]);
    let synchronized = [
        "Local state SECOND Ready",
        "Resource rfs.syncat set to down",
        "Action wait from failover rule rfs_syncat_wait",
        "Local state WAIT NotReady",
    ];
    node2.wait_log(MODULE, from, &synchronized);
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(node2.resource(MODULE, "rfs.syncat").as_deref(), Some("down"));
    assert_eq!(node1.resource(MODULE, "rfs.syncat").as_deref(), Some("up"));
    sh(node1, &format!("echo two > {DIR}/file"));
    node2.evaluate(MODULE);
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "one\n");
    // What the job does.
    let from = node2.mark(MODULE);
    let job = crontab(node2);
    let (_, command) = job.split_once("* * * ").expect("five fields");
    sh(node2, command);
    node2.wait_log(MODULE, from, &["Action wakeup from failover rule Implicit_wakeup"]);
    node2.wait_log(MODULE, from, &synchronized);
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "two\n");
    node1.wait_state(MODULE, "ALONE");
    // Nothing keeps a primary: it stays.
    node1.evaluate(MODULE);
    assert_eq!(node1.state(MODULE), "ALONE");
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node2.ok(&["deconfig", "-m", MODULE]);
    assert_eq!(crontab(node2), "");
}

#[test]
fn r_13_6h_without_cron_syncat_is_refused() {
    let cluster = installed("r_13_6hn", "", "");
    let node = cluster.node(1);
    let more = format!(r#"<rfs syncat="01 0 * * *"><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
    node.edit(MODULE, &Mirror { more: &more, ..Mirror::default() }.xml());
    // Whatever this machine has.
    let shim = node.inside().safe().join("private/bin/crontab");
    fs::write(&shim, "#!/bin/sh\necho 'user safekit unknown' >&2; exit 1\n").expect("it is written");
    sh(node, &format!("chmod 755 {}", shim.display()));
    let refused = node.safekit(&["config", "-m", MODULE]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("user safekit unknown"), "{refused:?}");
    node.ok(&["prim", "-m", MODULE]);
    node.wait_state(MODULE, "ALONE");
}

/// The directories of the primary do not answer: the module stops and starts, with another process.
#[test]
fn r_13_6i_checktime_directories_that_do_not_answer() {
    let cluster = installed("r_13_6ic", r#"checktime="2000" checkintv="1""#, "");
    let node = cluster.node(1);
    sh(node, &format!("echo one > {DIR}/file"));
    node.ok(&["prim", "-m", MODULE]);
    node.wait_state(MODULE, "ALONE");
    // While they answer nothing happens.
    node.evaluate(MODULE);
    let from = node.mark(MODULE);
    node.assert_not_logged(MODULE, 0, "nfscheck");
    sh(node, "kill -STOP $(pidof rfsbox)");
    node.wait_log(
        MODULE,
        from,
        &[
            "the replicated directories did not answer for 2 s",
            "Action stopstart called by nfscheck",
            "Action start called automatically",
            "Local state ALONE Ready",
        ],
    );
    assert_eq!(sh(node, &format!("cat {DIR}/file && echo two > {DIR}/file && cat {DIR}/file")), "one\ntwo\n");
}
