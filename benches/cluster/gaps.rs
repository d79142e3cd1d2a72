//! What a client sees of `swap` and `stop`: from the last answer of one node to the first of the other. The
//! scripts' own time, that of starting and killing a small process, is part of it.

use crate::cluster::{Cluster, Node, eventually};
use crate::support::capture::{Capture, now};
use crate::support::client::Client;
use crate::support::machine::{application, cluster, number, switch};
use crate::support::report::Report;
use crate::takeover::{VIP, answer_of, first, ms};
use std::time::Duration;

const ROUNDS: usize = 10;
const MODULE: &str = "m";
const NAME: &str = "gaps";

/// Measures.
pub fn run(report: &mut Report) {
    report.part("gap that a client sees, scripts included");
    let bed = cluster(NAME, &["default", "repli"], true);
    let (xml, scripts) = application(VIP, Duration::from_millis(100), Duration::from_secs(2));
    let scripts: Vec<_> = scripts.iter().map(|(name, body)| (*name, body.as_str())).collect();
    bed.install(MODULE, &xml, &scripts);
    bed.start_pair(MODULE);
    let capture = Capture::begin(&switch(NAME));
    let _client = Client::begin(bed.client().inside(), VIP);
    let swaps: Vec<_> = (0..ROUNDS).map(|_| gap(&bed, &capture, "swap")).collect();
    report.promise("swap", 150.0, "ms", &swaps);
    let stops: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let gap = gap(&bed, &capture, "stop");
            let stopped = || bed.nodes().iter().find(|node| node.state(MODULE) == "STOP");
            eventually("one has stopped", stopped).ok(&["start", "-m", MODULE]);
            gap
        })
        .collect();
    report.promise("stop of the primary", 150.0, "ms", &stops);
}

fn gap(bed: &Cluster, capture: &Capture, command: &str) -> f64 {
    let (prim, second) = bed.wait_pair(MODULE);
    capture.clear();
    let answer = |node: &Node| first(&capture.since(Duration::ZERO), Duration::ZERO, answer_of(number(node)));
    eventually("an answer of the primary", || answer(prim));
    let begin = now();
    prim.ok(&[command, "-m", MODULE]);
    let there = eventually("an answer of the new primary", || answer(second));
    let frames = capture.since(begin - Duration::from_secs(1));
    let of_old = answer_of(number(prim));
    let mut before = frames.iter().rev().filter(|seen| seen.at < there);
    let here = before.find(|seen| of_old(&seen.what)).expect("the old primary has answered");
    ms(here.at, there)
}
