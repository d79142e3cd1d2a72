//! The exhaustive check of the mirror pair: breadth first over all worlds within bounds (DESIGN 5c).
//!
//! I1: never two nodes running, outside a partition. I2: who starts by itself holds every
//! acknowledged write. I3: from every world in which both nodes live and no operator stopped one,
//! one of them can come to run by what goes on by itself.

mod bounds;
mod fails;
mod farm;
mod plane;
mod planted;
mod print;
mod start;
mod steps;
mod up;
mod world;

use bounds::{Bounds, CALM};
use start::Start;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write;
use steps::next;
use world::World;

/// What a search found.
struct Verdict {
    worlds: usize,
    depth: u16,
    cut: bool,
    violation: Option<(&'static str, String)>,
}

fn violated(b: &Bounds, w: &World) -> Option<&'static str> {
    if w.n[0].vip && w.n[1].vip && b.cuts == 0 {
        return Some("I1");
    }
    if w.diverged() {
        return Some("I6");
    }
    w.bad
}

/// Both live, none running, none stopped by an operator, and one has every acknowledged write.
fn must_go_on(w: &World) -> bool {
    w.live(0)
        && w.live(1)
        && !w.cut
        && !w.n[0].vip
        && !w.n[1].vip
        && w.n.iter().all(|n| !n.stopped && n.s.order.is_none())
        && w.n.iter().any(|n| w.acked & !w.orphan & !n.plane.data == 0)
}

/// Is there a way to a running node without fault, command or new write?
fn way_out(b: &Bounds, from: &World, good: &mut HashSet<u64>) -> bool {
    way_to(b, from, good, |w| w.n[0].vip || w.n[1].vip)
}

/// Is there a way to such a world without fault, command or new write? `good`: worlds that have one.
fn way_to(b: &Bounds, from: &World, good: &mut HashSet<u64>, goal: impl Fn(&World) -> bool) -> bool {
    let mut seen = HashSet::new();
    let mut nodes = vec![(from.clone(), 0usize)];
    let mut out = Vec::new();
    let mut at = 0;
    while at < nodes.len() {
        let w = nodes[at].0.clone();
        if goal(&w) || good.contains(&w.print()) {
            let mut i = at;
            loop {
                good.insert(nodes[i].0.print());
                if i == 0 {
                    return true;
                }
                i = nodes[i].1;
            }
        }
        next(b, &w, true, &mut out);
        for (_, _, v) in out.drain(..) {
            if seen.insert(v.print()) {
                nodes.push((v, at));
            }
        }
        at += 1;
    }
    false
}

fn search(b: &Bounds, most: usize, live: bool) -> Verdict {
    let mut links: Vec<(u32, u16)> = vec![(0, 0)];
    let first = start::world(b);
    let mut seen = HashSet::from([first.print()]);
    let mut good = HashSet::new();
    let mut todo = VecDeque::from([(first, 0u32, 0u16)]);
    let (mut out, mut depth) = (Vec::new(), 0);
    while let Some((w, id, d)) = todo.pop_front() {
        depth = depth.max(d);
        let stuck = live && must_go_on(&w) && !way_out(b, &w, &mut good);
        if let Some(bad) = violated(b, &w).or(stuck.then_some("I3")) {
            let trace = trace(b, &links, id as usize);
            return Verdict { worlds: links.len(), depth: d, cut: false, violation: Some((bad, trace)) };
        }
        if links.len() > most {
            return Verdict { worlds: links.len(), depth, cut: true, violation: None };
        }
        next(b, &w, false, &mut out);
        for (i, (_, _, v)) in out.drain(..).enumerate() {
            if seen.insert(v.print()) {
                links.push((id, i as u16));
                todo.push_back((v, links.len() as u32 - 1, d + 1));
            }
        }
    }
    Verdict { worlds: links.len(), depth, cut: false, violation: None }
}

/// The first world that fits, with the steps that lead to it.
fn reach(b: &Bounds, fits: impl Fn(&World) -> bool) -> Option<(usize, String)> {
    let mut links: Vec<(u32, u16)> = vec![(0, 0)];
    let first = start::world(b);
    let mut seen = HashSet::from([first.print()]);
    let mut todo = VecDeque::from([(first, 0u32)]);
    let mut out = Vec::new();
    while let Some((w, id)) = todo.pop_front() {
        if fits(&w) {
            return Some((links.len(), trace(b, &links, id as usize)));
        }
        next(b, &w, false, &mut out);
        for (i, (_, _, v)) in out.drain(..).enumerate() {
            if seen.insert(v.print()) {
                links.push((id, i as u16));
                todo.push_back((v, links.len() as u32 - 1));
            }
        }
    }
    None
}

/// Walks all worlds; how many fit, each of which must satisfy `holds`. Err: the first that does not.
fn search_all(
    b: &Bounds,
    fits: impl Fn(&World) -> bool,
    mut holds: impl FnMut(&World) -> bool,
) -> Result<usize, Box<World>> {
    let first = start::world(b);
    let mut seen = HashSet::from([first.print()]);
    let mut todo = VecDeque::from([first]);
    let (mut out, mut count) = (Vec::new(), 0);
    while let Some(w) = todo.pop_front() {
        if fits(&w) {
            count += 1;
            if !holds(&w) {
                return Err(Box::new(w));
            }
        }
        next(b, &w, false, &mut out);
        todo.extend(out.drain(..).filter(|(_, _, v)| seen.insert(v.print())).map(|(_, _, v)| v));
    }
    Ok(count)
}

fn two_primaries(w: &World) -> bool {
    w.n[0].vip && w.n[1].vip
}

/// I5: from every world with two primaries, made by a partition, the pair comes back to one when the
/// network heals. How many there are, or one that does not.
fn heals(b: &Bounds) -> Result<usize, Box<World>> {
    let mut good = HashSet::new();
    let one = |w: &World| !w.cut && (w.n[0].vip != w.n[1].vip);
    search_all(b, two_primaries, |w| way_to(b, w, &mut good, one))
}

/// The steps that lead to a world, one a line.
fn trace(b: &Bounds, links: &[(u32, u16)], mut at: usize) -> String {
    let mut picks = Vec::new();
    while at != 0 {
        picks.push(links[at].1);
        at = links[at].0 as usize;
    }
    let mut w = start::world(b);
    let (mut out, mut text) = (Vec::new(), String::new());
    for (i, p) in picks.iter().rev().enumerate() {
        next(b, &w, false, &mut out);
        let (name, x, v) = out[usize::from(*p)].clone();
        let show = |n: &world::Node| {
            let (role, ready) = n.s.shown();
            format!(
                "{role} {ready} {:?}{} {:?}/{:?} t{} g{:x}{}",
                n.s.posture(),
                if n.vip { "*" } else { "" },
                n.disk.flag,
                n.s.record.flag,
                n.disk.term,
                n.disk.history.current() & 0xffff,
                if b.cache || b.breaks > 0 { format!(" {}", n.plane.brief()) } else { String::new() }
            )
        };
        let _ = writeln!(
            text,
            "{:3} {name} {} | A {} | B {}",
            i + 1,
            ["A", "B"][x],
            show(&v.n[0]),
            show(&v.n[1])
        );
        w = v;
    }
    text
}

/// A bound that is spent only in deep searches (`SAFEKIT_MODEL_DEEP`, minutes each).
fn deep(bound: u8) -> u8 {
    if std::env::var_os("SAFEKIT_MODEL_DEEP").is_some() { bound } else { 0 }
}

/// The rules hold in every world within the bounds: the search must come to its end.
fn holds(name: &str, b: Bounds, live: bool) {
    let start = std::time::Instant::now();
    let v = search(&b, 30_000_000, live);
    println!(
        "{name}: {} worlds, depth {}, {} in {:?}",
        v.worlds,
        v.depth,
        if v.cut { "CUT" } else { "exhausted" },
        start.elapsed()
    );
    if let Some((bad, trace)) = &v.violation {
        panic!("{name}: {bad} violated\n{trace}");
    }
    assert!(!v.cut, "{name}: the search was cut");
}

#[test]
fn calm() {
    holds("calm", CALM, true);
}

#[test]
fn crashes() {
    holds("crashes", Bounds { crashes: 2, ..CALM }, true);
}

#[test]
fn crashes_and_hangs() {
    holds("crashes and hangs", Bounds { crashes: 1, hangs: 1, ..CALM }, deep(1) > 0);
}

#[test]
fn operators() {
    holds("operators", Bounds { admin: 1 + deep(1), crashes: 1, ..CALM }, true);
}

#[test]
fn without_data() {
    let b = Bounds { data: false, writes: 0, ..CALM };
    holds("without data", Bounds { crashes: 1, hangs: 1, admin: deep(1), ..b }, true);
    holds("without data, operators", Bounds { hangs: 1, admin: 1, ..b }, true);
}

#[test]
fn control_plane_restarts() {
    holds("control plane restarts", Bounds { restarts: 1, crashes: deep(1), ..CALM }, true);
}

#[test]
fn delayed_heartbeats() {
    holds("delayed heartbeats", Bounds { delays: 1, admin: 1, crashes: deep(1), writes: 0, ..CALM }, false);
}

#[test]
fn lost_heartbeats() {
    holds("lost heartbeats", Bounds { losses: 1, hangs: 1, crashes: deep(1), ..CALM }, false);
}

#[test]
fn forced_starts() {
    holds("forced starts", Bounds { prim: true, admin: 2 + deep(1), ..CALM }, false);
}

/// Without a witness a partition that lasts has two primaries, by design (ST-58); when it heals
/// exactly one steps down (I5). The trace is in docs/automata/model.md.
#[test]
fn a_partition_by_design() {
    let b = Bounds { cuts: 1, writes: 0, ..CALM };
    let (worlds, trace) = reach(&b, two_primaries).expect("a partition makes two primaries");
    println!("two primaries after {worlds} worlds\n{trace}");
    let v = heals(&b).unwrap_or_else(|w| panic!("there is no way back to one primary: {w:?}"));
    println!("{v} worlds with two primaries, each comes back to one");
    assert!(v > 0);
    let trace = format!(
        "# Two primaries by design\n\nNo witness, a partition that outlasts the timeout (ST-58); found by the model.\n\n```\n{trace}```\n"
    );
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/automata/partition.md");
    if std::env::var_os("SAFEKIT_UPDATE").is_some() {
        std::fs::write(&file, &trace).expect("write the trace");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), trace, "run with SAFEKIT_UPDATE=1");
}

/// Writes that are in memory first, and the power: hot zones on both sides.
#[test]
fn data_and_power() {
    let writes = 1 + deep(1);
    holds("data and power", Bounds { cache: true, crashes: 2, writes, ..CALM }, false);
}

#[test]
fn broken_streams() {
    let b = Bounds { breaks: 1, ..CALM };
    holds("broken streams", b, true);
    holds("broken streams and operators", Bounds { admin: 1, crashes: deep(1), ..b }, false);
    if deep(1) > 0 {
        holds("broken streams and hangs", Bounds { hangs: 1, writes: 2, ..b }, false);
    }
}

#[test]
fn broken_streams_and_power() {
    holds("broken streams and power", Bounds { breaks: 1, crashes: 1, ..CALM }, deep(1) > 0);
}

#[test]
fn stopped_reintegration() {
    let b = Bounds { partial: true, crashes: deep(1), admin: 2, prim: true, ..CALM };
    holds("stopped reintegration", b, false);
}

#[test]
fn damaged_zones_and_foreign_changes() {
    holds("damaged zones", Bounds { cache: true, torn: 1, crashes: 1 + deep(1), ..CALM }, false);
    holds("foreign changes", Bounds { edits: 1, admin: 2, ..CALM }, false);
}

/// Everything that a node does for itself can fail.
#[test]
fn failing_effects() {
    let b = Bounds { fails: 1 + deep(1), ..CALM };
    holds("failing effects", b, true);
    holds("failing effects and power", Bounds { crashes: 1, cache: true, ..b }, deep(1) > 0);
}

/// The process of replication is lost on either side, at any moment.
#[test]
fn lost_boxes() {
    let b = Bounds { boxes: 1 + deep(1), cache: true, ..CALM };
    holds("lost boxes", b, true);
    holds("lost boxes and power", Bounds { crashes: 1, ..b }, deep(1) > 0);
}

/// What an operator allowed by `syncdelta` is his; data that is not whole is never served.
#[test]
fn syncdelta() {
    let b = Bounds { tolerates: 1, partial: true, ..CALM };
    holds("syncdelta", Bounds { crashes: 1 + deep(1), ..b }, true);
}

/// The secondary cannot apply what it received when it takes over: nobody serves that data.
#[test]
fn failed_takeovers() {
    let b = Bounds { start: Start::Pair, drains: 1, prim: true, crashes: 1, ..CALM };
    holds("failed takeovers", Bounds { admin: 1 + deep(1), ..b }, false);
}

/// A former primary that takes itself for up to date meets the node on which `prim` was given meanwhile.
#[test]
fn stale_node() {
    let b = Bounds { start: Start::Stale, ..CALM };
    holds("stale node", Bounds { admin: 1 + deep(1), writes: 2, ..b }, true);
    holds("stale node and power", Bounds { crashes: 1 + deep(1), ..b }, true);
}
