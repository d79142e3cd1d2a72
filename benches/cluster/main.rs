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
use support::{helper, report::Report};

/// Name and body of each part.
type Part = (&'static str, fn(&mut Report));

const PARTS: [Part; 4] =
    [("takeover", takeover::run), ("gaps", gaps::run), ("commands", commands::run), ("idle", idle::run)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = helper::run(&arguments) {
        return code;
    }
    // cargo adds arguments of its own harness.
    let wanted: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let known = |name: &String| PARTS.iter().any(|(part, _)| part == name);
    if let Some(unknown) = wanted.iter().find(|name| !known(name)) {
        let parts = PARTS.map(|(name, _)| name).join(", ");
        eprintln!("no benchmark {unknown}: there are {parts}");
        return ExitCode::from(2);
    }
    let mut missed = false;
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| *wanted == name) {
            let mut report = Report::default();
            part(&mut report);
            println!("{report}");
            missed |= report.missed();
        }
    }
    ExitCode::from(u8::from(missed))
}
