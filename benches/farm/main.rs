//! What the packet filter of a farm promises in numbers, measured on three nodes in network namespaces.
//! `make bench-farm` runs everything, `BENCH=throughput` one part. Needs root, a kernel with nftables, iproute2;
//! for throughput also wrk, iperf3, nginx and HAProxy, to compare power failures keepalived and HAProxy. Ends
//! with 1 if a target is missed.

#![allow(clippy::unwrap_used, reason = "what cannot go on ends by panic")]

mod attempts;
mod bitmaps;
#[path = "../../tests/cluster/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod cluster;
#[path = "../cluster/support/helper.rs"]
mod helper;
#[path = "../cluster/keepalived.rs"]
#[allow(dead_code, reason = "shared with other benchmarks")]
mod keepalived;
mod poweroff;
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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = helper::run(&arguments) {
        return code;
    }
    report::run(&[("bitmaps", bitmaps::run), ("throughput", throughput::run), ("poweroff", poweroff::run)])
}
