//! Each rule of safety switched off: the search must find what it prevents.

use crate::bounds::{Bounds, CALM, Fault};
use crate::start::Start;
use crate::{heals, search};

/// The search finds what goes wrong.
fn finds(name: &str, b: Bounds, live: bool) {
    let start = std::time::Instant::now();
    let v = search(&b, 3_000_000, live);
    let (bad, trace) = v.violation.unwrap_or_else(|| {
        panic!("{name}: the planted fault {:?} is not found in {} worlds", b.fault, v.worlds)
    });
    println!(
        "{name}: {bad} found after {} worlds in {} steps, {:?}\n{trace}",
        v.worlds,
        v.depth,
        start.elapsed()
    );
}

#[test]
fn planted_s3() {
    finds("S3", Bounds { breaks: 1, crashes: 1, fault: Some(Fault::Release), ..CALM }, false);
}

#[test]
fn planted_s7() {
    finds("S7", Bounds { cache: true, crashes: 1, fault: Some(Fault::Drain), ..CALM }, false);
    let failed = Bounds { start: Start::Pair, drains: 1, prim: true, admin: 2, crashes: 1, ..CALM };
    finds("S7, failed", Bounds { fault: Some(Fault::Unapplied), ..failed }, false);
}

#[test]
fn planted_box_unnoticed() {
    let b = Bounds { cache: true, boxes: 1, crashes: 1, ..CALM };
    finds("box unnoticed", Bounds { fault: Some(Fault::BoxUnnoticed), ..b }, false);
}

// What the secondary misses for each source that reintegration does not look at.

fn two_power_failures() -> Bounds {
    Bounds { cache: true, crashes: 2, writes: 2, ..CALM }
}

#[test]
fn planted_dirty_zones() {
    let b = two_power_failures();
    finds("dirty zones of P", Bounds { fault: Some(Fault::DirtyPrimary), ..b }, false);
    finds("dirty zones of S", Bounds { fault: Some(Fault::DirtySecond), ..b }, false);
}

#[test]
fn planted_hot_zones() {
    let b = two_power_failures();
    finds("hot zones of P", Bounds { fault: Some(Fault::HotPrimary), ..b }, false);
    finds("hot zones of S", Bounds { fault: Some(Fault::HotSecond), ..b }, false);
}

#[test]
fn planted_foreign_changes() {
    let b = Bounds { edits: 1, admin: 2, ..CALM };
    finds("foreign changes on P", Bounds { fault: Some(Fault::ChangedPrimary), ..b }, false);
    finds("foreign changes on S", Bounds { fault: Some(Fault::ChangedSecond), ..b }, false);
}

#[test]
fn planted_damaged_zones() {
    let b = Bounds { torn: 1, ..two_power_failures() };
    finds("damaged zones of P", Bounds { fault: Some(Fault::TornPrimary), ..b }, false);
    finds("damaged zones of S", Bounds { fault: Some(Fault::TornSecond), ..b }, false);
}

#[test]
fn planted_partial_reintegration() {
    let b = Bounds { partial: true, crashes: 1, admin: 3, prim: true, writes: 0, ..CALM };
    finds("partial reintegration", Bounds { fault: Some(Fault::Partial), ..b }, false);
}

#[test]
fn planted_s1() {
    finds("S1", Bounds { start: Start::Pair, crashes: 2, fault: Some(Fault::Proven), ..CALM }, false);
}

#[test]
fn planted_s2() {
    finds("S2", Bounds { hangs: 1, writes: 0, fault: Some(Fault::InStep), ..CALM }, false);
}

#[test]
fn planted_s4() {
    finds(
        "S4",
        Bounds { start: Start::Pair, hangs: 1, crashes: 1, fault: Some(Fault::OwnPause), ..CALM },
        false,
    );
}

#[test]
fn planted_s5() {
    finds(
        "S5",
        Bounds { start: Start::Pair, admin: 2, crashes: 1, fault: Some(Fault::Leaving), ..CALM },
        false,
    );
}

#[test]
fn planted_s6() {
    let stale = Bounds { start: Start::Stale, ..CALM };
    finds("S6", Bounds { fault: Some(Fault::Histories), ..stale }, false);
    let parted = Bounds { cuts: 1, writes: 0, fault: Some(Fault::Histories), ..CALM };
    let two = heals(&parted).expect_err("two primaries that do not compare histories both stay");
    let shown = two.n.each_ref().map(|n| (n.s.shown(), n.disk.term));
    println!("S6: I5 found, no way back to one primary from {shown:?}");
}

#[test]
fn planted_s8() {
    finds("S8", Bounds { hangs: 1, fault: Some(Fault::Guard), ..CALM }, false);
}

#[test]
fn planted_s9() {
    finds("S9", Bounds { admin: 1, fault: Some(Fault::Stopped), ..CALM }, false);
}

#[test]
fn planted_s10() {
    finds("S10", Bounds { delays: 1, writes: 0, fault: Some(Fault::Echo), ..CALM }, false);
}

#[test]
fn planted_lost_edges() {
    finds("lost edges", Bounds { crashes: 1, fault: Some(Fault::LostEdges), ..CALM }, true);
}
