//! A-5.6: the process of replication is killed. The mount outlives it, so the application sees a pause and
//! never an error; the pair becomes whole again, or the primary goes on degraded.

use crate::replication::{DIR, installed, pair, settled, sh};
use crate::support::{Cluster, MODULE, Node, eventually};
use std::fs;
use std::path::PathBuf;

/// Works in the directory until the file `stop` appears, by many ways of changing things; ends at the first
/// error. Each round is recorded on the node's own disk once the system has acknowledged it.
const WORK: &str = r#"
import mmap, os, sys
d, acks, stop = sys.argv[1:]
os.makedirs(d + "/dir", exist_ok=True)
log = open(d + "/log", "ab", buffering=0)
gone = open(d + "/gone", "w+b", buffering=0)
os.unlink(d + "/gone")
with open(d + "/mapped", "wb") as f:
    f.write(b"\0" * 65536)
mapped_file = open(d + "/mapped", "r+b")
mapped = mmap.mmap(mapped_file.fileno(), 65536)
acknowledged = open(acks, "ab", buffering=0)
n = 0
while not os.path.exists(stop):
    n += 1
    text = b"%d\n" % n
    log.write(text)
    os.fsync(log.fileno())
    mapped[0:len(text)] = text
    mapped.flush()
    gone.write(text)
    gone.seek(-len(text), 2)
    assert gone.read() == text
    name = d + "/f%d" % (n % 50)
    with open(name + ".new", "wb") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.rename(name + ".new", name)
    os.mkdir(d + "/dir/x")
    os.link(name, d + "/dir/x/l")
    os.symlink("l", d + "/dir/x/s")
    os.unlink(d + "/dir/x/l")
    os.unlink(d + "/dir/x/s")
    os.rmdir(d + "/dir/x")
    with open(name, "rb") as f:
        assert f.read() == text
    acknowledged.write(text)
"#;

/// An application at work on a node.
struct Work {
    acks: PathBuf,
    stop: PathBuf,
    script: PathBuf,
}

impl Work {
    fn new(cluster: &Cluster) -> Work {
        let at = |name: &str| cluster.dir().join(name);
        let work = Work { acks: at("acks"), stop: at("stop"), script: at("work.py") };
        fs::write(&work.script, WORK).expect("it can be written");
        work
    }

    /// Runs it on a node while `during` does what it does; it must not see an error.
    fn run(&self, node: &Node, during: impl FnOnce()) {
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| node.sh(&self.command()));
            during();
            fs::write(&self.stop, "").expect("it can be written");
            let ended = worker.join().expect("it ends");
            assert_eq!(ended.code, 0, "the application saw an error: {ended:?}");
        });
    }

    fn command(&self) -> String {
        let [script, acks, stop] = [&self.script, &self.acks, &self.stop].map(|p| p.display().to_string());
        format!("python3 {script} {DIR} {acks} {stop}")
    }

    fn acknowledged(&self) -> usize {
        fs::read_to_string(&self.acks).unwrap_or_default().lines().count()
    }

    /// Waits until it has done more.
    fn goes_on(&self) {
        let before = self.acknowledged();
        eventually("the application goes on", || (self.acknowledged() > before + 3).then_some(()));
    }

    /// Everything acknowledged is in the log of this node.
    #[track_caller]
    fn assert_there(&self, node: &Node) {
        let log = sh(node, &format!("cat {DIR}/log"));
        let wanted = fs::read_to_string(&self.acks).expect("something was acknowledged");
        let wanted = wanted.rsplit_once('\n').map_or("", |(whole, _)| whole);
        assert!(log.starts_with(wanted), "acknowledged and lost on {}", node.name());
    }

    fn kill_box(&self, node: &Node) {
        sh(node, "kill -9 $(pidof rfsbox)");
    }

    /// Kills the box, and waits until the pair is whole again.
    fn kill_and_recover(&self, prim: &Node, second: &Node, victim: &Node) {
        let (from, from2) = (victim.mark(MODULE), second.mark(MODULE));
        self.kill_box(victim);
        victim.wait_log(
            MODULE,
            from,
            &["the process of replication is lost", "Replication process replaced"],
        );
        second.wait_log(MODULE, from2, &["Local state SECOND Ready"]);
        prim.wait_state(MODULE, "PRIM");
        self.goes_on();
    }
}

#[test]
fn a_5_6_a_killed_rfsbox_is_a_pause() {
    let cluster = pair("a_5_6");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    let from = node1.mark(MODULE);
    work.run(node1, || {
        work.goes_on();
        for _ in 0..2 {
            work.kill_and_recover(node1, node2, node1);
        }
    });
    node1.assert_log(
        MODULE,
        from,
        &["Replication process replaced", "Local state ALONE Ready", "Local state PRIM Ready"],
    );
    for event in ["stop_prim", "Resource rfs.degraded"] {
        node1.assert_not_logged(MODULE, from, event);
    }
    work.assert_there(node1);
    settled(&cluster);
    // And an end as ever.
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node2.wait_state(MODULE, "ALONE");
    work.assert_there(node2);
    assert_eq!(sh(node1, &format!("readlink {DIR}")), "replicated_For_SafeKit_Replication\n");
}

#[test]
fn a_5_6_alone_goes_on_at_once() {
    let cluster = pair("a_5_6b");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    node1.wait_state(MODULE, "ALONE");
    let from = node1.mark(MODULE);
    work.run(node1, || {
        for _ in 0..3 {
            work.goes_on();
            work.kill_box(node1);
        }
        work.goes_on();
    });
    node1.assert_not_logged(MODULE, from, "Local state");
    node2.ok(&["start", "-m", MODULE]);
    node2.wait_state(MODULE, "SECOND");
    node1.wait_state(MODULE, "PRIM");
    settled(&cluster);
    work.assert_there(node2);
}

#[test]
fn a_5_6_a_killed_rfsbox_of_the_secondary() {
    let cluster = pair("a_5_6s");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    work.run(node1, || {
        work.goes_on();
        work.kill_and_recover(node1, node2, node2);
    });
    settled(&cluster);
    work.assert_there(node2);
}

#[test]
fn a_5_6_degraded_until_stop_and_start() {
    let cluster = installed("a_5_6d", r#"restarts="0""#, "");
    cluster.start_pair(MODULE);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    let (from1, from2) = (node1.mark(MODULE), node2.mark(MODULE));
    work.run(node1, || {
        work.goes_on();
        work.kill_box(node1);
        node1.wait_log(
            MODULE,
            from1,
            &["Resource rfs.degraded set to up by nfsadmin", "Local state ALONE Ready"],
        );
        node2.wait_log(MODULE, from2, &["Action wait from failover rule degraded_server"]);
        work.goes_on();
        // Another loss changes nothing.
        work.kill_box(node1);
        work.goes_on();
    });
    eventually("WAIT NotReady", || {
        (node2.resource(MODULE, "state.local").as_deref() == Some("WAIT NotReady")).then_some(())
    });
    assert_eq!(node2.resource(MODULE, "rfs.uptodate").as_deref(), Some("down"));
    assert_eq!(node1.resource(MODULE, "rfs.degraded").as_deref(), Some("up"));
    assert_eq!(node1.resource(MODULE, "state.local").as_deref(), Some("ALONE Ready"));
    node1.assert_not_logged(MODULE, from1, "stop_prim");
    node1.ok(&["stop", "-m", MODULE]);
    node1.wait_state(MODULE, "STOP");
    node1.ok(&["start", "-m", MODULE]);
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert_eq!(node1.resource(MODULE, "rfs.degraded").as_deref(), Some("down"));
    settled(&cluster);
    work.assert_there(node2);
}

#[test]
fn a_5_6_rfsbox_and_safeadmin_killed_together() {
    let cluster = pair("a_5_6a");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    let from = node1.mark(MODULE);
    work.run(node1, || {
        work.goes_on();
        let pid = node1.safeadmin().expect("it runs");
        sh(node1, &format!("kill -9 {pid} $(pidof rfsbox)"));
        eventually("another safeadmin", || node1.safeadmin().filter(|p| *p != pid));
        node1.wait_admin();
        node1.wait_log(MODULE, from, &["Replication process replaced", "Local state PRIM Ready"]);
        work.goes_on();
    });
    node2.wait_state(MODULE, "SECOND");
    settled(&cluster);
    work.assert_there(node2);
}

#[test]
fn a_5_6_power_off_after_a_kill_loses_nothing() {
    let cluster = pair("a_5_6p");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    std::thread::scope(|scope| {
        scope.spawn(|| node1.sh(&work.command()));
        work.goes_on();
        work.kill_and_recover(node1, node2, node1);
        cluster.poweroff(node1);
    });
    node2.wait_state(MODULE, "ALONE");
    work.assert_there(node2);
    cluster.poweron(node1);
    node1.wait_state(MODULE, "SECOND");
    node2.wait_state(MODULE, "PRIM");
    settled(&cluster);
}

/// Without what the guard keeps the mount ends with its process, and the node leaves the application to the
/// secondary.
#[test]
fn a_5_6_without_the_guard_the_secondary_takes_over() {
    let cluster = pair("a_5_6g");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    sh(node1, &format!("echo kept > {DIR}/file"));
    let from = node1.mark(MODULE);
    // Held up, it gives nothing; killed with the box, it has nothing.
    sh(node1, "kill -9 $(pidof safeguard) $(pidof rfsbox)");
    node2.wait_state(MODULE, "PRIM");
    node1.wait_state(MODULE, "SECOND");
    node1.assert_log(MODULE, from, &["the process of replication is lost", "Local state SECOND Ready"]);
    assert_eq!(sh(node2, &format!("cat {DIR}/file")), "kept\n");
    settled(&cluster);
}

/// A guard that was started anew is given everything again.
#[test]
fn a_5_6_a_restarted_guard_has_all_again() {
    let cluster = pair("a_5_6r");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let work = Work::new(&cluster);
    work.run(node1, || {
        work.goes_on();
        sh(node1, "kill -9 $(pidof safeguard)");
        let holds = "ls -l /proc/$(pidof safeguard)/fd | grep -c -e /dev/fuse -e safekit-nodes";
        eventually("the guard has the mount again", || (node1.sh(holds).stdout.trim() == "2").then_some(()));
        work.kill_and_recover(node1, node2, node1);
    });
    settled(&cluster);
}
