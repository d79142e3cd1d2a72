//! Processes and nodes that die, freeze or lose their power at random points, while an application writes:
//! whenever the pair is whole again, both trees are equal and hold every acknowledged write.
//!
//! `SAFEKIT_KILLS` is the number of rounds (30), `SAFEKIT_KILLS_SEED` replays the faults of a run.

use crate::faults_peer::same;
use crate::replication::{DIR, sh};
use crate::support::{Cluster, MODULE, Mirror, Node, eventually};
use safekit::sandbox::Options;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Sandboxes among which the rounds are shared.
const CLUSTERS: u64 = 3;
/// Rounds of a run, unless the environment says otherwise.
const ROUNDS: u64 = 30;
/// Timeouts of the stream, so that what is frozen is given up within a round; and no kill is one too many.
const RFS: &str = r#"locktimeout="4" sendtimeout="4" restarts="100""#;

/// A generator of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

/// What is done to a node.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A signal to a program.
    Signal(&'static str, &'static str),
    Off,
    On,
}

/// Something done at a time, counted from the beginning of a round, to the node of this number.
type Step = (Duration, usize, Act);

/// The faults of one round: one, or two at the same time.
fn plan(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..=random.below(3) / 2 {
        let node = 1 + usize::from(random.below(2) == 1);
        let at = Duration::from_millis(random.below(400));
        let program = if random.below(3) == 0 { "safeadmin" } else { "rfsbox" };
        let frozen = Duration::from_millis(random.below(20).pow(2) * 15);
        match random.below(10) {
            0..5 => steps.push((at, node, Act::Signal("KILL", program))),
            5..8 => steps.extend([
                (at, node, Act::Signal("STOP", program)),
                (at + frozen, node, Act::Signal("CONT", program)),
            ]),
            _ => steps.extend([(at, node, Act::Off), (at + frozen, node, Act::On)]),
        }
    }
    steps.sort_by_key(|step| step.0);
    steps
}

fn carry_out(cluster: &Cluster, steps: &[Step]) {
    let began = Instant::now();
    for &(at, number, act) in steps {
        thread::sleep(at.saturating_sub(began.elapsed()));
        let node = cluster.node(number);
        let runs = node.inside().running().is_ok();
        match act {
            // What has ended already cannot be hit.
            Act::Signal(signal, program) if runs => {
                node.sh(&format!("kill -{signal} $(pidof {program})"));
            }
            Act::Off if runs => cluster.poweroff(node),
            Act::On if !runs => cluster.poweron(node),
            _ => {}
        }
    }
}

/// What the application did, as far as it was told, and what of it may be there.
#[derive(Default)]
struct History {
    /// Lines that were taken in.
    lines: usize,
    acknowledged: usize,
    /// Numbers that a key may have: the last acknowledged one, and those in doubt after it.
    keys: BTreeMap<String, BTreeSet<u64>>,
}

impl History {
    /// Takes in what was added to the history. A power failure may cut the last line.
    fn read(&mut self, file: &Path) {
        let text = fs::read_to_string(file).unwrap_or_default();
        for line in text.lines().skip(self.lines) {
            self.lines += 1;
            let [kind, number, key] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
            let Ok(number) = number.parse() else { continue };
            let may = self.keys.entry(key.to_owned()).or_insert_with(|| BTreeSet::from([0]));
            match kind {
                "I" => drop(may.insert(number)),
                "A" => {
                    *may = BTreeSet::from([number]);
                    self.acknowledged += 1;
                }
                _ => {}
            }
        }
    }

    /// What is there must be among it; then it is known.
    fn check(&mut self, found: &str) {
        for line in found.lines() {
            let (key, number) = line.split_once(' ').expect("a key and its number");
            let number = number.parse().expect("a number");
            let may = self.keys.entry(key.to_owned()).or_insert_with(|| BTreeSet::from([0]));
            assert!(may.contains(&number), "{key} holds {number}, which is none of {may:?}");
            *may = BTreeSet::from([number]);
        }
    }
}

/// A pair whose application records what is acknowledged to it.
struct Trial {
    cluster: Cluster,
    script: PathBuf,
    acks: PathBuf,
    pause: PathBuf,
    history: History,
}

impl Trial {
    fn new(number: u64) -> Trial {
        let test = format!("kills{number}");
        let cluster = Cluster::with(&test, |o| Options { private: vec!["/data".into()], ..o });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/support/history.py");
        let (acks, pause) = (cluster.dir().join("acks"), cluster.dir().join("pause"));
        let writer = format!("{} write {DIR} {} {}", script.display(), acks.display(), pause.display());
        let start = format!(
            "python3 {writer} </dev/null >>$SAFEUSERVAR/writer.out 2>&1 & echo $! >$SAFEUSERVAR/writer.pid"
        );
        let stop = "kill -9 $(cat $SAFEUSERVAR/writer.pid); true";
        let more = format!(r#"<rfs {RFS}><replicated dir="{DIR}" mode="read_only"/></rfs>"#);
        let service = r#"boot="auto" maxloop="0""#;
        let mirror = Mirror { service, more: &more, ..Mirror::default() };
        for node in cluster.nodes() {
            sh(node, &format!("mkdir -p {DIR}"));
        }
        cluster.install(MODULE, &mirror.xml(), &[("start_prim", start.as_str()), ("stop_prim", stop)]);
        cluster.start_pair(MODULE);
        Trial { cluster, script, acks, pause, history: History::default() }
    }

    fn round(&mut self, steps: &[Step]) {
        let _ = fs::remove_file(&self.pause);
        let before = self.history.acknowledged;
        eventually("writes", || {
            self.history.read(&self.acks);
            (self.history.acknowledged >= before + 20).then_some(())
        });
        carry_out(&self.cluster, steps);
        let (primary, _) = whole(&self.cluster);
        fs::write(&self.pause, "").expect("it is writable");
        eventually("the application at rest", || {
            let text = fs::read_to_string(&self.acks).unwrap_or_default();
            text.lines().next_back().is_some_and(|l| l.starts_with("P ")).then_some(())
        });
        same(&self.cluster);
        self.history.read(&self.acks);
        let there = sh(primary, &format!("python3 {} read {DIR}", self.script.display()));
        self.history.check(&there);
    }
}

/// Primary and secondary, once both are so.
fn whole(cluster: &Cluster) -> (&Node, &Node) {
    let [one, two] = cluster.nodes() else { panic!("a pair has two nodes") };
    let is = |node: &Node, state: &str| {
        node.safekit(&["state", "-m", MODULE]).stdout.contains(&format!("{state} Ready"))
    };
    eventually("the pair is whole", || {
        let found = [(one, two), (two, one)].into_iter().find(|(p, s)| is(p, "PRIM") && is(s, "SECOND"));
        found.filter(|(p, s)| is(p, "PRIM") && is(s, "SECOND"))
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|n| n.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

/// The rounds of one of the sandboxes.
fn rounds(sandbox: u64) {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let seed = number("SAFEKIT_KILLS_SEED").unwrap_or_else(now);
    let mut random = Random(seed.wrapping_mul(CLUSTERS) + sandbox);
    let mut trial = Trial::new(sandbox);
    for round in 1..=number("SAFEKIT_KILLS").unwrap_or(ROUNDS).div_ceil(CLUSTERS) {
        let steps = plan(&mut random);
        eprintln!("SAFEKIT_KILLS_SEED={seed}, round {round}: {steps:?}");
        let began = Instant::now();
        trial.round(&steps);
        eprintln!("{} acknowledged, {:?}", trial.history.acknowledged, began.elapsed());
    }
}

#[test]
fn fault_random_kills_1() {
    rounds(1);
}

#[test]
fn fault_random_kills_2() {
    rounds(2);
}

#[test]
fn fault_random_kills_3() {
    rounds(3);
}
