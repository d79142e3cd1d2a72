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

use std::process::ExitCode;

fn main() -> ExitCode {
    report::run(&[("files", files::run), ("database", database::run), ("reintegration", reintegration::run)])
}
