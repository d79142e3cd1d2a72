//! What the packet filter of a farm promises in numbers, measured on three nodes in network namespaces.
//! `make bench-farm` runs everything, `BENCH=throughput` one part. Needs root, a kernel with nftables, iproute2;
//! for throughput also wrk, iperf3, nginx and HAProxy. Ends with 1 if a target is missed.

#![allow(clippy::unwrap_used, reason = "what cannot go on ends by panic")]

mod bitmaps;
#[path = "../cluster/support/report.rs"]
#[allow(dead_code, reason = "shared with other benchmarks")]
mod report;
#[path = "../../tests/farm/requests.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod requests;
#[path = "../../tests/farm/serve.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod serve;
#[path = "../../tests/network/support.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod support;
#[path = "../../tests/farm/switching.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod switching;
mod throughput;
#[path = "../../tests/farm/world.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod world;

use report::Report;
use std::process::ExitCode;

/// Name and body of each part.
type Part = (&'static str, fn(&mut Report));

const PARTS: [Part; 2] = [("bitmaps", bitmaps::run), ("throughput", throughput::run)];

fn main() -> ExitCode {
    // cargo adds arguments of its own harness.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if let Some(unknown) = wanted.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        eprintln!("no benchmark {unknown}: there are {}", PARTS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    let mut missed = false;
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let mut report = Report::default();
            part(&mut report);
            println!("{report}");
            missed |= report.missed();
        }
    }
    ExitCode::from(u8::from(missed))
}
