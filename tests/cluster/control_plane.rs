//! What must survive the death of the control plane, and what must not (DESIGN 3 and 6, S8).

use crate::support::{Cluster, MODULE, Mirror, Node, TIMEOUT, VIP, eventually};
use std::path::PathBuf;
use std::time::Instant;

/// A pair whose application writes a line every 50 ms into a file that both nodes share: when, on which
/// node, as which process.
struct Beating {
    cluster: Cluster,
    file: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Beat {
    at_ns: u64,
    node: String,
    process: String,
}

impl Beating {
    fn new(test: &str) -> Beating {
        let cluster = Cluster::new(test);
        let file = cluster.dir().join("beats");
        let start = format!(
            "(while :; do echo \"$(date +%s%N) $SAFEKIT_NODE $$\" >>{}; sleep 0.05; done) </dev/null >/dev/null 2>&1 &\n\
             echo $! >\"$SAFEUSERVAR/application.pid\"",
            file.display()
        );
        let stop = r#"kill $(cat "$SAFEUSERVAR/application.pid") 2>/dev/null; true"#;
        let scripts = [("start_prim", start.as_str()), ("stop_prim", stop)];
        cluster.install(MODULE, &Mirror::default().xml(), &scripts);
        cluster.start_pair(MODULE);
        Beating { cluster, file }
    }

    fn beats(&self) -> Vec<Beat> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        // A line that is being written is not one yet.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let beat = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            let [at, node, process] = words[..] else { panic!("no beat: {line}") };
            Beat { at_ns: at.parse().expect("a time"), node: node.into(), process: process.into() }
        };
        whole.lines().map(beat).collect()
    }

    /// The application still runs, as the same process on the same node since `first`.
    fn assert_only(&self, first: &Beat) {
        let seen = self.beats().len();
        eventually("further beats", || (self.beats().len() > seen + 3).then_some(()));
        let others =
            self.beats().into_iter().find(|b| (&b.node, &b.process) != (&first.node, &first.process));
        assert_eq!(others, None, "the application was started again");
    }

    /// It ran on node 1, then on node 2 as one process, and on both at no time.
    fn assert_moved_once(&self) {
        let beats = self.beats();
        let of = |name: &str| beats.iter().filter(|b| b.node == name).cloned().collect::<Vec<_>>();
        let (first, then) = (of("node1"), of("node2"));
        let last = first.iter().map(|b| b.at_ns).max().expect("it ran on node 1");
        let next = then.iter().map(|b| b.at_ns).min().expect("it runs on node 2");
        assert!(last < next, "it ran on both for {} ms", (last - next) / 1_000_000);
        let mut processes: Vec<_> = then.iter().map(|b| &b.process).collect();
        processes.dedup();
        assert_eq!(processes.len(), 1, "it was started again on node 2");
    }

    /// Node 1 is primary no more, and its application and virtual address are gone, without a safeadmin
    /// that could do it; node 2 has both.
    fn wait_fenced(&self) {
        let (node1, node2) = (self.cluster.node(1), self.cluster.node(2));
        let gone = || (!node1.has_address(VIP)).then_some(());
        eventually("the guard removes the virtual address", gone);
        node2.wait_state(MODULE, "ALONE");
        assert!(node2.has_address(VIP) && !node1.has_address(VIP));
        eventually("the application on node 2", || {
            self.beats().last().filter(|b| b.node == "node2").cloned()
        });
        self.assert_moved_once();
    }

    /// Node 1 has a safeadmin again: it comes back as SECOND and nothing else changes.
    fn wait_rejoined(&self) {
        let (node1, node2) = (self.cluster.node(1), self.cluster.node(2));
        node1.wait_admin();
        node1.wait_state(MODULE, "SECOND");
        node2.wait_state(MODULE, "PRIM");
        assert!(node2.has_address(VIP) && !node1.has_address(VIP));
        for node in self.cluster.nodes() {
            node.evaluate(MODULE);
        }
        let seen = self.beats().len();
        eventually("further beats", || (self.beats().len() > seen + 3).then_some(()));
        self.assert_moved_once();
    }
}

fn signal(node: &Node, signal: &str) {
    let pid = node.safeadmin().expect("it runs");
    assert_eq!(node.sh(&format!("kill -{signal} {pid}")).code, 0);
}

#[test]
fn safeadmin_killed_on_prim_changes_nothing() {
    let beating = Beating::new("killed");
    let (node1, node2) = (beating.cluster.node(1), beating.cluster.node(2));
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    let before = eventually("a beat", || beating.beats().first().cloned());
    let first = node1.safeadmin();
    signal(node1, "KILL");
    eventually("another safeadmin", || node1.safeadmin().filter(|now| Some(*now) != first));
    assert!(node1.has_address(VIP));
    node1.wait_admin();
    node1.wait_state(MODULE, "PRIM");
    for node in [node1, node2] {
        node.evaluate(MODULE);
    }
    // Longer than the guard and the peer need to lose patience.
    let end = Instant::now() + TIMEOUT * 2;
    eventually("more than two timeouts", || {
        node1.evaluate(MODULE);
        (Instant::now() > end).then_some(())
    });
    assert_eq!((node1.state(MODULE), node2.state(MODULE)), ("PRIM", "SECOND"));
    assert!(node1.has_address(VIP) && !node2.has_address(VIP));
    for text in ["Script ", "Local state", "Action "] {
        node1.assert_not_logged(MODULE, marks[0], text);
    }
    for text in ["Script ", "Local state", "Action ", "Remote state"] {
        node2.assert_not_logged(MODULE, marks[1], text);
    }
    beating.assert_only(&before);
}

#[test]
fn safeadmin_hung_on_prim_is_fenced() {
    let beating = Beating::new("hung");
    let node1 = beating.cluster.node(1);
    signal(node1, "STOP");
    beating.wait_fenced();
    signal(node1, "CONT");
    beating.wait_rejoined();
    node1.wait_log(MODULE, 0, &["This server fenced itself"]);
}

#[test]
fn safeadmin_crash_loop_is_fenced() {
    let beating = Beating::new("loop");
    let node1 = beating.cluster.node(1);
    // From here on whatever its supervisor starts ends at once.
    let link = "$SAFE/private/bin/safeadmin";
    let replace = format!("cp -P {link} {link}.good && ln -sf /bin/false {link}");
    assert_eq!(node1.sh(&replace).code, 0);
    signal(node1, "KILL");
    beating.wait_fenced();
    assert_eq!(node1.sh(&format!("mv -f {link}.good {link}")).code, 0);
    beating.wait_rejoined();
}
