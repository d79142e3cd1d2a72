//! Seeded simulation of farms: the real group automaton of each node, with loss, crashes, kills, pauses,
//! nodes that leave and partitions. `SAFEKIT_SIM_SEED=n` replays one seed with its trace.

pub mod table;
pub mod world;

use crate::rng::Rng;
use safekit::fsm::bucket::BUCKETS;
use safekit::fsm::group::Effect;
use world::{Planted, Setup, World};

const PULSE: u64 = 100;
/// In which all who serve agree once the faults are over.
const ENOUGH: u64 = 60 * PULSE;

fn setup(seed: u64, planted: Option<Planted>) -> Setup {
    let mut rng = Rng::new(!seed);
    let nodes = rng.range(2, 6) as usize;
    let groups = rng.range(1, 2);
    let power = |rng: &mut Rng| rng.pick(&[1, 1, 1, 2, 3, 0]);
    let powers = (0..groups).map(|_| (0..nodes).map(|_| power(&mut rng)).collect()).collect();
    Setup { powers, pulse: PULSE, loss_percent: rng.pick(&[0, 2, 10]), planted }
}

/// Something happens to a node.
fn fault(w: &mut World, partitions: bool) {
    let node = w.rng.range(0, w.nodes.len() as u64 - 1) as usize;
    let serves = w.nodes[node].group.as_ref().is_some_and(|group| !group.has_left());
    match w.rng.range(0, 9) {
        0 if serves => w.power_off(node),
        1 if serves => {
            // A control plane that is started again before anybody misses it.
            w.kill(node);
            w.start(node);
        }
        2 | 3 if serves => {
            let ms = w.rng.range(10, 3 * w.patience());
            w.pause(node, ms);
        }
        4 if serves => w.leave(node),
        5 if partitions => w.part(&[node]),
        6 if partitions && w.nodes.len() > 3 => w.part(&[0, node]),
        7 => w.cut.clear(),
        _ if !serves => {
            // What the power failure of a node leaves is noticed before it is back.
            w.power_off(node);
            w.start(node);
        }
        _ => {}
    }
}

fn simulate(seed: u64, planted: Option<Planted>, traced: bool) -> (Result<(), String>, World) {
    let mut w = World::new(setup(seed, planted), seed);
    w.trace = traced.then(Vec::new);
    let result = story(&mut w, seed % 4 == 3);
    (result, w)
}

fn story(w: &mut World, partitions: bool) -> Result<(), String> {
    for node in 0..w.nodes.len() {
        let ms = w.rng.range(0, 20 * PULSE);
        w.run(ms)?;
        w.start(node);
    }
    for _ in 0..20 {
        let ms = w.rng.range(0, 25 * PULSE);
        w.run(ms)?;
        fault(w, partitions);
    }
    w.cut.clear();
    w.setup.loss_percent = 0;
    w.run(ENOUGH)?;
    w.stable()?;
    // Now nobody holds what another one does, whatever was before, and nothing changes by itself.
    w.parted = false;
    w.nodes.iter_mut().for_each(|n| n.told.clear());
    w.run(ENOUGH)?;
    w.stable()?;
    match w.nodes.iter().find_map(|n| n.told.iter().find(|told| matches!(told, Effect::Changed { .. }))) {
        Some(told) => Err(format!("something changed by itself: {told:?}")),
        None => Ok(()),
    }
}

fn must_hold(seed: u64) -> World {
    let (result, w) = simulate(seed, None, false);
    if let Err(what) = result {
        let (_, traced) = simulate(seed, None, true);
        let lines = traced.trace.unwrap_or_default();
        let last = &lines[lines.len().saturating_sub(300)..];
        panic!("{}\nseed {seed}: {what} at {} ms", last.join("\n"), w.now);
    }
    w
}

#[test]
fn every_farm_holds() {
    if let Some(seed) = crate::number("SAFEKIT_SIM_SEED") {
        let (result, w) = simulate(seed, None, true);
        println!("{}", w.trace.unwrap_or_default().join("\n"));
        assert_eq!(result, Ok(()), "seed {seed}");
        return;
    }
    let count = crate::number("SAFEKIT_SIM_SEEDS").unwrap_or(1_000);
    let virtual_ms: u64 = (0..count).map(|seed| must_hold(seed).now).sum();
    println!("{count} farms, {} virtual hours", virtual_ms / 3_600_000);
}

fn finds(planted: Planted) {
    let found = (0..500).find_map(|seed| simulate(seed, Some(planted), false).0.err().map(|e| (seed, e)));
    let (seed, what) = found.unwrap_or_else(|| panic!("the planted fault {planted:?} is not found"));
    println!("{planted:?} found by seed {seed}: {what}");
}

#[test]
fn planted_in_farms() {
    finds(Planted::OwnPause);
    finds(Planted::OnePhase);
    finds(Planted::FailedOrder);
}

/// A pair that is separated serves all on both sides, and shares again as before (F-4.3.6).
#[test]
fn isolated_nodes_own_all_and_share_again_as_before() {
    let powers = vec![vec![1, 1]];
    let mut w = World::new(Setup { powers, pulse: PULSE, loss_percent: 0, planted: None }, 1);
    w.start(0);
    w.start(1);
    w.run(ENOUGH).unwrap();
    let before = [0, 1].map(|node| w.accepts(node, 0));
    assert_eq!(before.map(|own| own.len()), [128, 128]);
    w.part(&[1]);
    w.run(ENOUGH).unwrap();
    assert_eq!([0, 1].map(|node| w.accepts(node, 0).len()), [BUCKETS, BUCKETS]);
    w.cut.clear();
    w.run(ENOUGH).unwrap();
    assert_eq!([0, 1].map(|node| w.accepts(node, 0)), before);
    let restarts = w.nodes.iter().flat_map(|n| &n.told).filter(|told| matches!(told, Effect::Joined)).count();
    assert_eq!(restarts, 2, "each joined once");
}

#[test]
fn the_time_to_agree_is_bounded_whatever_the_size() {
    let rows = table::rows(&[2, 3, 8, 32]);
    println!("{}", table::print(&rows));
    for row in rows {
        let pulses = |ms: u64| ms / PULSE;
        assert!(pulses(row.start) <= 13, "{row:?}");
        assert!(pulses(row.follower) <= 13 && pulses(row.leader) <= 14, "{row:?}");
        assert!(pulses(row.back) <= 8 && pulses(row.leave) <= 2, "{row:?}");
        assert!(row.messages <= 2.5 * 10.0 * 2.0 * row.nodes as f64, "{row:?}");
    }
}
