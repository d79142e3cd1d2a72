//! PostgreSQL in each of the directories.

use crate::places::{Pair, Places, Promise};
use crate::report::Report;
use std::path::PathBuf;

const ROUNDS: u32 = 3;
/// Seconds of one run of pgbench.
const SECONDS: u32 = 8;

/// Runs all of it.
pub fn run(report: &mut Report) {
    report.part("PostgreSQL, more is better");
    let Some(bin) = programs() else {
        report.note("PostgreSQL is not installed: not measured.".into());
        return;
    };
    let places = Places::new("rfspgsql");
    for (clients, native) in [(8, 0.75), (1, 0.8)] {
        let what = if clients == 8 { "pgbench TPC-B, 8 clients" } else { "pgbench TPC-B, 1 client" };
        let promise = Promise { what, unit: "/s", native: Some(native), gluster: Some(3.5) };
        places.compare(report, ROUNDS, &promise, &|pair, dir| {
            transactions(pair, &bin.to_string_lossy(), dir, clients)
        });
    }
}

/// The newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let bins = versions.flatten().map(|version| version.path().join("bin"));
    bins.filter(|bin| bin.join("pgbench").exists()).max()
}

/// Transactions in a second, of a database that is made for it.
fn transactions(pair: &Pair, bin: &str, dir: &str, clients: u32) -> f64 {
    let said = pair.sh(
        1,
        &format!(
            "mkdir -p {dir}/pg /data/sock && chown postgres {dir} {dir}/pg /data/sock && cd /
            as() {{ setpriv --reuid=postgres --regid=postgres --clear-groups \"$@\"; }}
            as {bin}/initdb -D {dir}/pg >/dev/null
            as {bin}/pg_ctl -D {dir}/pg -w -l /data/sock/log \
                -o \"-c listen_addresses= -c unix_socket_directories=/data/sock\" start >/dev/null
            as {bin}/pgbench -h /data/sock -i -q -s 10 postgres >/dev/null 2>&1
            as {bin}/pgbench -h /data/sock -c {clients} -j 2 -T {SECONDS} postgres
            as {bin}/pg_ctl -D {dir}/pg -m fast stop >/dev/null"
        ),
    );
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split_whitespace().next()).and_then(|rate| rate.parse().ok());
    rate.unwrap_or_else(|| panic!("pgbench does not say its rate: {said}"))
}
