//! Seeded simulation of a mirror pair: the real automaton, watch, rules, loop counter and guard
//! deadline over a simulated clock, network, disk and kernel (DESIGN 10).
//!
//! `SAFEKIT_SIM_SEED=n` replays one seed with its trace, `SAFEKIT_SIM_SEEDS=count` runs that many.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod check;
mod disk;
mod effects;
mod farm;
mod faults;
mod network;
mod node;
mod plane;
mod rng;
mod store;
mod stream;
mod world;

use std::time::Instant;
use world::{Planted, Profile, World};

/// What kind of run a seed gives.
fn profile(seed: u64) -> Profile {
    Profile { data: seed & 1 == 0, partitions: seed & 6 == 6, heavy: seed & 8 != 0, planted: None }
}

/// Virtual time with faults, by seed.
fn length(seed: u64) -> u64 {
    40_000 + seed % 7 * 5_000
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn run(seed: u64, profile: Profile, traced: bool) -> (Option<String>, World) {
    let mut world = World::new(seed, profile, traced);
    let violation = world.run(length(seed));
    (violation, world)
}

/// Runs a seed; a violation is run again with its trace.
fn must_hold(seed: u64) -> World {
    let (violation, world) = run(seed, profile(seed), false);
    if let Some(what) = violation {
        let (again, traced) = run(seed, profile(seed), true);
        panic!(
            "{}\nseed {seed}, {:?}: {what} at {} ms\nagain: {again:?}\nSAFEKIT_SIM_SEED={seed} replays it",
            traced.trace(),
            profile(seed),
            world.now
        );
    }
    world
}

#[test]
fn every_seed_holds() {
    if let Some(seed) = number("SAFEKIT_SIM_SEED") {
        let (violation, world) = run(seed, profile(seed), true);
        println!("{}{:?}", world.trace(), profile(seed));
        assert_eq!(violation, None, "seed {seed}");
        return;
    }
    let count = number("SAFEKIT_SIM_SEEDS").unwrap_or(2_000);
    let first = number("SAFEKIT_SIM_FIRST").unwrap_or(0);
    let start = Instant::now();
    let (mut virtual_ms, mut promotions, mut splits, mut events) = (0, 0, 0, 0);
    for seed in first..first + count {
        let world = must_hold(seed);
        virtual_ms += world.now;
        promotions += world.check.takeovers;
        splits += world.check.splits;
        events += world.lines;
    }
    println!(
        "{count} seeds, {} virtual hours, {events} lines, {promotions} promotions, {splits} partitions with two primaries, in {:?}",
        virtual_ms / 3_600_000,
        start.elapsed()
    );
    assert!(promotions > 2 * count && (splits > 0 || count < 500), "the runs are too tame");
}

#[test]
fn a_seed_gives_the_same_trace_twice() {
    for seed in [0, 7, 15, 1234] {
        let (one, other) = (run(seed, profile(seed), true).1, run(seed, profile(seed), true).1);
        assert!(one.trace() == other.trace() && one.print == other.print, "seed {seed}");
        assert_eq!(one.print, run(seed, profile(seed), false).1.print, "tracing changes seed {seed}");
    }
}

fn finds(planted: Planted, data: bool) {
    let found = (0..2000).find_map(|seed| {
        let profile = Profile { data, partitions: false, heavy: seed & 1 == 0, planted: Some(planted) };
        run(seed, profile, false).0.map(|what| (seed, what))
    });
    let (seed, what) = found.unwrap_or_else(|| panic!("the planted fault {planted:?} is not found"));
    println!("{planted:?} found by seed {seed}: {what}");
}

#[test]
fn planted_guard() {
    finds(Planted::Guard, true);
}

#[test]
fn planted_own_pause() {
    finds(Planted::OwnPause, true);
}

#[test]
fn planted_proven() {
    finds(Planted::Proven, true);
}

#[test]
fn planted_release() {
    finds(Planted::Release, true);
}

#[test]
fn planted_drain() {
    finds(Planted::Drain, true);
}

/// What reintegration may skip rests on two marks (docs/adr/0007).
#[test]
fn planted_marks() {
    finds(Planted::Settled, true);
    finds(Planted::Synced, true);
}
