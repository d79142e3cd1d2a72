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

use std::process::ExitCode;

fn main() -> ExitCode {
    report::run(&[("bitmaps", bitmaps::run), ("throughput", throughput::run)])
}
