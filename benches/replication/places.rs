//! The directories that are compared, on one node of a pair: plain, replicated, and of GlusterFS.

use crate::cluster::{Cluster, MODULE, Mirror, Node, SCRIPTS};
use crate::gluster::Gluster;
use crate::report::Report;
use safekit::sandbox::{self, DEFAULT_DIR, Options, Sandbox, State};
use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

/// The replicated directory.
pub const REPLICATED: &str = "/data/replicated";
/// A directory beside it.
pub const NATIVE: &str = "/data/native";

/// A pair with a replicated directory: node 1 PRIM, node 2 SECOND.
pub struct Pair {
    pub cluster: Cluster,
    state: State,
    nodes: [sandbox::Node; 2],
}

impl Pair {
    /// The nodes with the module configured and stopped.
    pub fn stopped(name: &str) -> Pair {
        let private = vec!["/data".into(), "/gluster".into()];
        let cluster = Cluster::with(name, |options| Options { private, ..options });
        let more = format!(r#"<rfs><replicated dir="{REPLICATED}" mode="read_only"/></rfs>"#);
        let full = format!("{name}-{}", std::process::id());
        let (sandbox, state) = Sandbox::open(Path::new(DEFAULT_DIR), &full).unwrap_or_else(|e| panic!("{e}"));
        let machine = |name| sandbox.machine_or_switch(&state, name).unwrap_or_else(|e| panic!("{e}"));
        let nodes = [cluster.node(1), cluster.node(2)].map(|node| machine(node.name()));
        let pair = Pair { cluster, state, nodes };
        for number in [1, 2] {
            pair.sh(number, &format!("mkdir -p {REPLICATED} {NATIVE}"));
        }
        pair.cluster.install(MODULE, &Mirror { more: &more, ..Mirror::default() }.xml(), &SCRIPTS);
        pair
    }

    /// Node 1 PRIM, node 2 SECOND.
    pub fn started(name: &str) -> Pair {
        let pair = Pair::stopped(name);
        pair.cluster.start_pair(MODULE);
        pair
    }

    /// Starts the module anew, with a key: what is replicated is encrypted.
    pub fn encrypt(&self) {
        for number in [2, 1] {
            self.cluster.node(number).ok(&["stop", "-m", MODULE]);
            self.cluster.node(number).wait_state(MODULE, "STOP");
        }
        self.cluster.encrypt(MODULE);
        self.cluster.start_pair(MODULE);
    }

    /// Runs a script that may take long and must succeed; what it prints.
    pub fn sh(&self, number: usize, script: &str) -> String {
        let mut command = self.nodes[number - 1].command(&self.state, "sh");
        let output = command.args(["-ec", script]).output().unwrap_or_else(|e| panic!("{script}: {e}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {} {said}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// How long a script takes on node 1, without the start of its shell.
    pub fn time(&self, script: &str) -> Duration {
        let nanoseconds =
            self.sh(1, &format!("b=$(date +%s%N); {script}; echo; echo $(($(date +%s%N) - b))"));
        let last = nanoseconds.lines().last().and_then(|line| line.parse().ok());
        Duration::from_nanos(last.expect("the shell counts"))
    }

    /// Waits until the module is in a state, however long a reintegration takes.
    pub fn wait(&self, node: &Node, state: &str) {
        let end = Instant::now() + Duration::from_secs(900);
        while node.state(MODULE) != state {
            assert!(Instant::now() < end, "{} is not {state} within 15 min", node.name());
            std::thread::sleep(Duration::from_millis(100));
        }
        node.wait_state(MODULE, state);
    }
}

/// What is measured in one place: more is better.
pub type Measure<'a> = &'a dyn Fn(&Pair, &str) -> f64;

/// A pair and the directories to compare.
pub struct Places {
    pub pair: Pair,
    /// Measures so far.
    measured: Cell<u32>,
    gluster: Option<Gluster>,
}

/// What is promised of a measure.
pub struct Promise {
    pub what: &'static str,
    pub unit: &'static str,
    /// Least ratio to the plain directory.
    pub native: Option<f64>,
    /// Least ratio to GlusterFS.
    pub gluster: Option<f64>,
}

impl Places {
    pub fn new(name: &str) -> Places {
        let pair = Pair::started(name);
        let gluster = Gluster::up(&pair);
        Places { pair, measured: Cell::new(0), gluster }
    }

    /// Measures each place in turn, `rounds` times, and reports ratios, values and the processor's time.
    pub fn compare(&self, report: &mut Report, rounds: u32, promise: &Promise, measure: Measure<'_>) {
        let mut places = vec![("native", NATIVE, Vec::new()), ("replicated", REPLICATED, Vec::new())];
        if self.gluster.is_some() {
            places.push(("GlusterFS", crate::gluster::MOUNT, Vec::new()));
        }
        let mut busy = vec![Duration::ZERO; places.len()];
        let number = self.measured.replace(self.measured.get() + 1);
        for round in 0..rounds {
            for ((_, place, values), busy) in places.iter_mut().zip(&mut busy) {
                // Nothing is removed before the end: ext4 without a journal looks for a long time for an
                // inode that was not in use within the last minute.
                let dir = format!("{place}/{number}.{round}");
                self.pair.sh(1, &format!("mkdir -p {dir} && sync -f {dir}"));
                let before = processors();
                values.push(measure(&self.pair, &dir));
                *busy += processors().saturating_sub(before);
                self.pair.sh(1, &format!("sync -f {dir}"));
            }
        }
        let ours = places[1].2.clone();
        let ratios = |theirs: &[f64]| -> Vec<f64> { ours.iter().zip(theirs).map(|(o, t)| o / t).collect() };
        let mut ratio = |what: &str, least: Option<f64>, theirs: &[f64]| match least {
            Some(least) => report.at_least(what, least, "x", &ratios(theirs)),
            None => report.compare(what, "x", &ratios(theirs)),
        };
        ratio(&format!("{}: to native", promise.what), promise.native, &places[0].2);
        if let Some((_, _, theirs)) = places.get(2) {
            ratio(&format!("{}: to GlusterFS", promise.what), promise.gluster, theirs);
        }
        for ((name, _, values), busy) in places.iter().zip(busy) {
            report.compare(&format!("- {name}"), promise.unit, values);
            report.compare(
                &format!("- {name}: processor time"),
                "s",
                &[busy.as_secs_f64() / f64::from(rounds)],
            );
        }
    }
}

/// How long the processors have been busy since the machine started.
fn processors() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").expect("it is readable");
    let fields: Vec<u64> = text
        .lines()
        .next()
        .into_iter()
        .flat_map(str::split_whitespace)
        .skip(1)
        .flat_map(str::parse)
        .collect();
    // user, nice, system, (idle, waiting,) interrupts, soft interrupts; in hundredths of a second.
    Duration::from_millis(10 * (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]))
}
