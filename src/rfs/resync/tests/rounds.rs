//! A primary in use while it is copied.

use super::super::*;
use super::acts::{act, apply, write};
use super::world::World;
use proptest::prelude::*;
use std::fs;
use std::sync::atomic::Ordering;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_changes_meanwhile_arrives(
        before in prop::collection::vec(act(), 0..60),
        meanwhile in prop::collection::vec(act(), 10..200),
        plan in prop_oneof![Just(Plan::Full), Just(Plan::Hash), Just(Plan::Zones)],
    ) {
        let mut world = World::new();
        world.options.workers = 2;
        let dated = |a: &&super::acts::Act| !matches!(a, super::acts::Act::Date(..));
        for a in before.iter().filter(dated) {
            let _ = world.alone.modify(|m| apply(m, &world.p, a));
        }
        let over = &world.alone.attached;
        let done = std::thread::scope(|scope| {
            scope.spawn(|| {
                for a in meanwhile.iter().filter(dated).cycle() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    // The stream is attached at the end: nothing is done locally only from then on.
                    let _ = world.alone.modify(|m| {
                        if over.load(Ordering::SeqCst) { Ok(()) } else { apply(m, &world.p, a) }
                    });
                }
            });
            let done = world.run_with(plan);
            over.store(true, Ordering::SeqCst);
            done
        });
        prop_assert!(done.unwrap().rounds >= 2);
        prop_assert_eq!(world.differences(), Vec::<String>::new());
    }
}

#[test]
fn a_hold_that_was_too_short_is_followed_by_another() {
    let mut world = World::new();
    fs::write(world.p.join("a"), "x").unwrap();
    world.alone.late = 2.into();
    assert_eq!(world.run(Plan::Hash).unwrap().rounds, 6);
    world.alone.late = 100.into();
    assert!(matches!(world.run(Plan::Hash), Err(ResyncError::Held(_))));
    // Nothing is held any more.
    world.alone.modify(|m| write(m, &world.p.join("a"), 0, b"y")).unwrap();
}

#[test]
fn too_many_changes_are_found_by_hash() {
    let mut world = World::new();
    let path = world.p.join("a");
    fs::write(&path, "x").unwrap();
    world.in_step();
    // Before the second round something changes of which only an overflow tells.
    let date = fs::metadata(&path).unwrap().modified().unwrap();
    let calls = std::sync::Mutex::new(0);
    world.alone.flood = Some(Box::new(move || {
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls == 2 {
            fs::write(&path, "y").unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
        }
        *calls == 2
    }));
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.bytes, world.differences()), (1, vec![]));
}

#[test]
fn cancelling_ends_a_run() {
    let mut world = World::new();
    fs::write(world.p.join("a"), vec![7; 4 << 20]).unwrap();
    world.options.bandwidth = Some(64);
    let progress = world.progress.clone();
    let start = std::time::Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while progress.copied.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            progress.cancel();
        });
        assert!(matches!(world.run_with(Plan::Full), Err(ResyncError::Cancelled)));
    });
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    world.options.bandwidth = None;
    world.run(Plan::Hash).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_bandwidth_is_kept() {
    let mut world = World::new();
    fs::write(world.p.join("a"), vec![7; 2 << 20]).unwrap();
    world.options.bandwidth = Some(1024);
    let start = std::time::Instant::now();
    world.run(Plan::Full).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(seconds > 1.8, "2 MiB at 1 MiB/s in {seconds} s");
}

#[test]
fn a_busy_primary_gives_no_false_alarm() {
    let mut world = World::new();
    fs::write(world.p.join("a"), "same").unwrap();
    fs::write(world.p.join("b"), "same").unwrap();
    world.in_step();
    assert_eq!(world.verify().unwrap(), vec![]);
    fs::write(world.s.join("b"), "else").unwrap();
    fs::write(world.s.join("more"), "x").unwrap();
    fs::create_dir(world.p.join("d")).unwrap();
    fs::write(world.p.join("big"), vec![7; 20 << 20]).unwrap();
    let mut other = vec![7; 20 << 20];
    other[17 << 20] = 8;
    fs::write(world.s.join("big"), other).unwrap();
    let found: Vec<_> = world.verify().unwrap().iter().map(|(p, what)| (p.shown(), *what)).collect();
    let wanted = [
        ("b", Difference::Content),
        ("big", Difference::Content),
        ("d", Difference::Missing),
        ("more", Difference::Extra),
    ];
    assert_eq!(found, wanted.map(|(p, what)| (p.to_owned(), what)));
    assert_eq!(fs::read_to_string(world.s.join("b")).unwrap(), "else");
}
