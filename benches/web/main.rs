//! What the web service costs while health checks come and consoles look: heartbeats must not be later for it.
//! `make bench-web`; needs root and iproute2. Ends with 1 if a target is missed.

mod checks;
#[path = "../../tests/cluster/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod cluster;
mod load;
#[path = "../cluster/support/mod.rs"]
#[allow(dead_code, reason = "shared with other benchmarks")]
mod support;

use std::process::ExitCode;
use support::{helper, report};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = helper::run(&arguments) {
        return code;
    }
    report::run(&[("load", load::run)])
}
