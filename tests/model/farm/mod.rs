//! The exhaustive check of the two-phase switch of a farm.
//!
//! F1: outside a partition no bucket is accepted by two nodes where packets reach all. F2: from every
//! world, without further faults, all that serve come to one settled plan and each bucket has an owner.

mod world;

use std::collections::{HashMap, HashSet, VecDeque};
use world::{Bodies, World, first};

/// A rule that is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody waits for the others to prepare.
    OnePhase,
    /// Nobody withdraws a node that stands still.
    NoGuard,
    /// Who stood still goes on as if nothing had happened.
    NoSuspicion,
    /// Who withdrew takes what was sent before for an answer.
    SameLife,
}

struct Search {
    nodes: usize,
    faults: u8,
    cuts: bool,
    fault: Option<Fault>,
    most: usize,
}

struct Found {
    worlds: usize,
    cut: bool,
    violation: Option<String>,
}

/// Steps that a farm needs at most to come to rest.
const REST: usize = 400;

/// The cut is mended, and who stands still loses its power.
fn calm(from: &World, bodies: &mut Bodies) -> World {
    let mut w = from.clone();
    w.cut = false;
    for x in 0..w.n.len() {
        if w.n[x].hung {
            let mut out = Vec::new();
            w.left = 1;
            w.fails(bodies, &mut out, false, None);
            let off = format!("{x} loses its power");
            w = out.into_iter().find(|(what, _)| *what == off).map_or(w, |(_, off)| off);
        }
    }
    w.left = 0;
    w
}

/// F2: takes the step that was taken least, until all is stable. `good`: worlds that come to rest.
fn comes_to_rest(from: &World, bodies: &mut Bodies, good: &mut HashSet<u64>) -> bool {
    let mut w = calm(from, bodies);
    let (mut out, mut taken) = (Vec::new(), HashMap::<String, usize>::new());
    let mut way = Vec::new();
    for _ in 0..REST {
        let here = w.print();
        way.push(here);
        if good.contains(&here) || w.stable() {
            good.extend(way);
            return true;
        }
        w.goes_on(bodies, &mut out, None);
        let next = out
            .drain(..)
            .filter(|(_, next)| next.print() != here)
            .min_by_key(|(what, _)| taken.get(what).copied().unwrap_or(0));
        let Some((what, next)) = next else { return false };
        *taken.entry(what).or_default() += 1;
        w = next;
    }
    false
}

fn search(s: &Search) -> Found {
    let (mut bodies, mut out, mut good) = (Bodies::new(), Vec::new(), HashSet::new());
    let start = first(s.nodes, s.faults);
    let mut seen = HashSet::from([start.print()]);
    let mut links: Vec<(usize, String)> = vec![(0, String::new())];
    let mut todo = VecDeque::from([(start, 0)]);
    while let Some((w, id)) = todo.pop_front() {
        let double = !w.parted && !w.exclusive();
        let restless = s.fault.is_none() && !comes_to_rest(&w, &mut bodies, &mut good);
        if double || restless {
            let what = if double { "F1" } else { "F2" };
            return Found { worlds: links.len(), cut: false, violation: Some(trace(what, &links, id)) };
        }
        if links.len() >= s.most {
            return Found { worlds: links.len(), cut: true, violation: None };
        }
        w.goes_on(&mut bodies, &mut out, s.fault);
        w.fails(&mut bodies, &mut out, s.cuts, s.fault);
        for (what, next) in out.drain(..) {
            if seen.insert(next.print()) {
                links.push((id, what));
                todo.push_back((next, links.len() - 1));
            }
        }
    }
    Found { worlds: links.len(), cut: false, violation: None }
}

fn trace(what: &str, links: &[(usize, String)], mut at: usize) -> String {
    let mut steps = Vec::new();
    while at > 0 {
        steps.push(links[at].1.clone());
        at = links[at].0;
    }
    steps.reverse();
    format!("{what} after\n{}", steps.join("\n"))
}

fn holds(name: &str, s: &Search) {
    let deep = std::env::var_os("SAFEKIT_MODEL_DEEP").is_some();
    let most = if deep { s.most * 20 } else { s.most };
    let found = search(&Search { most, ..*s });
    println!("{name}: {} worlds{}", found.worlds, if found.cut { ", CUT" } else { "" });
    if let Some(trace) = found.violation {
        panic!("{name}: {trace}");
    }
}

#[test]
fn two_nodes_of_a_farm() {
    holds("two nodes", &Search { nodes: 2, faults: 3, cuts: false, fault: None, most: 60_000 });
}

#[test]
fn three_nodes_of_a_farm() {
    holds("three nodes", &Search { nodes: 3, faults: 2, cuts: false, fault: None, most: 60_000 });
}

#[test]
fn a_farm_that_is_cut() {
    holds("cut", &Search { nodes: 2, faults: 2, cuts: true, fault: None, most: 60_000 });
}

#[test]
fn planted_in_the_switch() {
    for fault in [Fault::OnePhase, Fault::NoGuard, Fault::NoSuspicion, Fault::SameLife] {
        let found = search(&Search { nodes: 2, faults: 1, cuts: false, fault: Some(fault), most: 400_000 });
        let trace = found.violation.unwrap_or_else(|| panic!("{fault:?} is not found"));
        println!("{fault:?}, {} worlds: {trace}", found.worlds);
    }
}
