//! What synchronous replication costs, on real processes in a sandbox of this machine, as ratios in one run:
//! to the same directory without it, and to GlusterFS (replica 2) if it is installed. `make bench-replication`
//! runs everything, `BENCH=files` one part. Needs root, fio, rsync, PostgreSQL. Ends with 1 if a target is
//! missed.

#[path = "../../tests/cluster/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
mod cluster;
mod database;
mod files;
mod gluster;
mod places;
mod reintegration;
#[path = "../cluster/support/report.rs"]
mod report;

use report::Report;
use std::process::ExitCode;

/// Name and body of each part.
type Part = (&'static str, fn(&mut Report));

const PARTS: [Part; 3] =
    [("files", files::run), ("database", database::run), ("reintegration", reintegration::run)];

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
