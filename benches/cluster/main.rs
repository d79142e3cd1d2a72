//! What the product promises in numbers, measured on real processes in sandboxes of this machine, with
//! keepalived beside it in the same run. `make bench` runs everything, `make bench BENCH=idle` one part.
//! Needs root, iproute2 and, for the comparison, keepalived. Ends with 1 if a target is missed.

#[path = "../../tests/cluster/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod cluster;
mod commands;
mod gaps;
mod idle;
mod keepalived;
mod support;
mod takeover;

use std::process::ExitCode;
use support::{helper, report};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = helper::run(&arguments) {
        return code;
    }
    report::run(&[
        ("takeover", takeover::run),
        ("gaps", gaps::run),
        ("commands", commands::run),
        ("idle", idle::run),
    ])
}
