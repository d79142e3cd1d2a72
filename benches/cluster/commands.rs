//! Commands that checkers and scripts call all the time, with the start of their process.

use crate::cluster::Node;
use crate::support::helper;
use crate::support::machine::{cluster, mirror};
use crate::support::report::Report;
use crate::takeover::VIP;
use std::time::Duration;

const RUNS: usize = 200;
const MODULE: &str = "m";

/// Measures.
pub fn run(report: &mut Report) {
    report.part("commands, start of the process included");
    let bed = cluster("commands", &["default"], true);
    bed.install(MODULE, &mirror(VIP, Duration::from_millis(700), Duration::from_secs(30)), &[]);
    bed.start_pair(MODULE);
    let node = bed.node(1);
    let set = times(node, "safekit set -r custom.bench -v {run} -i bench -m m");
    assert_eq!(node.resource(MODULE, "custom.bench"), Some((RUNS - 1).to_string()));
    report.promise("safekit set -r", 5.0, "ms", &set);
    report.promise("safekit state", 5.0, "ms", &times(node, "safekit state"));
    report.promise("safekit state -m", 5.0, "ms", &times(node, "safekit state -m m"));
    report.compare("for comparison: true", "ms", &times(node, "true"));
}

/// Milliseconds of each run.
fn times(node: &Node, command: &str) -> Vec<f64> {
    let output = node.sh(&format!("{} time {RUNS} {command}", helper::itself()));
    assert_eq!(output.code, 0, "{command}: {output:?}");
    let micros = output.stdout.lines().map(|line| line.parse::<f64>().expect("a time"));
    micros.map(|micros| micros / 1000.0).collect()
}
