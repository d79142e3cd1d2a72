//! Files that were changed behind the mount, with length and date put back.

use super::super::*;
use super::world::World;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// After the stamps of what was done, before those of what follows.
pub fn between() -> u64 {
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    loop {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE).unwrap();
        let tick = u128::from(time.tv_sec().cast_unsigned()) * 1_000_000_000
            + u128::from(time.tv_nsec().cast_unsigned());
        if tick > start {
            return u64::try_from(tick).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Other bytes under the same name, length and date.
fn forge(path: &Path, bytes: &[u8]) {
    let date = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

fn pair() -> World {
    let mut world = World::new();
    fs::create_dir(world.p.join("d")).unwrap();
    fs::create_dir(world.p.join("e")).unwrap();
    fs::write(world.p.join("d/a"), b"right").unwrap();
    fs::write(world.p.join("e/a"), b"RIGHT").unwrap();
    // Long ago, so that no grace covers what the test is about.
    for (name, date) in [("d/a", 1_000_000), ("e/a", 1_000_000)] {
        let date = UNIX_EPOCH + Duration::from_secs(date);
        File::options().write(true).open(world.p.join(name)).unwrap().set_modified(date).unwrap();
    }
    world.in_step();
    world
}

#[test]
fn a_secondary_examines_what_was_changed_since_it_settled() {
    let mut world = pair();
    let at = between();
    forge(&world.s.join("d/a"), b"wrong");
    world.run(Plan::Zones).unwrap();
    assert!(!world.differences().is_empty(), "no zone, no date says it");
    world.options.settled_at = Some(at);
    world.run(Plan::Zones).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_secondary_trusts_nothing_in_directories_that_were_exchanged() {
    let mut world = pair();
    // The grace of files must not be what finds it.
    std::thread::sleep(Duration::from_millis(2100));
    world.options.settled_at = Some(between());
    for (from, to) in [("d", "x"), ("e", "d"), ("x", "e")] {
        fs::rename(world.s.join(from), world.s.join(to)).unwrap();
    }
    world.run(Plan::Zones).unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn what_nobody_touched_is_not_compared() {
    let mut world = pair();
    std::thread::sleep(Duration::from_millis(2100));
    world.options.settled_at = Some(between());
    fs::write(world.s.join("d/new"), b"by somebody").unwrap();
    let done = world.run(Plan::Zones).unwrap();
    assert_eq!((done.bytes, done.compared), (0, 0));
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_primary_finds_what_was_changed_while_it_was_stopped() {
    let world = pair();
    std::thread::sleep(Duration::from_millis(2100));
    let at = between();
    let found = || {
        let root = open_root(&world.p).unwrap();
        let found = touched_since(std::os::fd::AsFd::as_fd(&root), at, |_| true).unwrap();
        found.into_iter().map(|key| key.ino).collect::<Vec<_>>()
    };
    assert_eq!(found(), Vec::<u64>::new());
    forge(&world.p.join("d/a"), b"other");
    let number = |name: &str| std::os::unix::fs::MetadataExt::ino(&fs::metadata(world.p.join(name)).unwrap());
    assert_eq!(found(), vec![number("d/a")]);
    fs::rename(world.p.join("e"), world.p.join("f")).unwrap();
    let mut wanted = vec![number("d/a"), number("f")];
    wanted.sort_unstable();
    let mut now = found();
    now.sort_unstable();
    assert_eq!(now, wanted);
}
