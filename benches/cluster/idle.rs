//! What many modules cost while nothing happens.

use crate::cluster::{Cluster, eventually};
use crate::keepalived;
use crate::support::machine::{cluster, mirror};
use crate::support::report::Report;
use crate::support::usage::usage;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const MODULES: u8 = 32;
const PULSE: Duration = Duration::from_millis(700);
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long is looked.
const WINDOW: Duration = Duration::from_secs(30);
/// Measures.
pub fn run(report: &mut Report) {
    report.part("32 idle modules, per node");
    let (cpu, memory) = measure(&ours(), "safeadmin|safeguard");
    report.promise("CPU, share of a core", 1.0, "%", &cpu);
    report.promise("resident memory", 60.0, "MB", &memory);
    if !keepalived::is_installed() {
        return report.note("keepalived is not installed: nothing to compare with.".into());
    }
    let (cpu, memory) = measure(&theirs(), "keepalived");
    report.compare("keepalived with 32 instances: CPU, share of a core", "%", &cpu);
    report.compare("keepalived with 32 instances: resident memory", "MB", &memory);
}

fn addresses() -> Vec<Ipv4Addr> {
    (1..=MODULES).map(|n| Ipv4Addr::new(10, 77, 1, 100 + n)).collect()
}

/// PRIM on one node, SECOND on the other, 32 times.
fn ours() -> Cluster {
    let bed = cluster("idle", &["default"], true);
    let modules: Vec<_> = addresses().into_iter().map(|vip| (format!("m{}", vip.octets()[3]), vip)).collect();
    for (module, vip) in &modules {
        bed.install(module, &mirror(*vip, PULSE, TIMEOUT), &[]);
    }
    for (module, _) in &modules {
        bed.start_pair(module);
    }
    bed
}

fn theirs() -> Cluster {
    let bed = cluster("idle-keepalived", &["default"], false);
    bed.nodes().iter().for_each(|node| keepalived::start(node, PULSE, &addresses()));
    let held = |vip: &Ipv4Addr| bed.nodes().iter().any(|node| node.has_address(&vip.to_string()));
    eventually("masters of all", || addresses().iter().all(held).then_some(()));
    bed
}

/// Shares of a core in percent and megabytes, by node.
fn measure(bed: &Cluster, programs: &str) -> (Vec<f64>, Vec<f64>) {
    let look = || bed.nodes().iter().map(|node| usage(node, programs)).collect::<Vec<_>>();
    let (begin, before) = (Instant::now(), look());
    std::thread::sleep(WINDOW);
    let (took, after) = (begin.elapsed().as_secs_f64(), look());
    let cpu = before.iter().zip(&after).map(|(before, after)| (after.cpu - before.cpu) / took * 100.0);
    (cpu.collect(), after.iter().map(|usage| usage.memory).collect())
}
