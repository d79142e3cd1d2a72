//! Any two trees become equal, by each plan.

use super::super::*;
use super::acts::{Act, act, apply};
use super::world::World;
use crate::rfs::zones::{Marks, Tracker, Zones};
use proptest::prelude::*;
use std::sync::Arc;

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), 0..most)
}

fn plain() -> impl Strategy<Value = Plan> {
    prop_oneof![Just(Plan::Full), Just(Plan::Hash)]
}

/// Opening a fifo to date it would wait; dates are set on what can be opened.
fn fits(world: &World, a: &Act) -> bool {
    let Act::Date(s, _) = a else { return true };
    std::fs::symlink_metadata(s.under(&world.p)).is_ok_and(|m| m.is_file())
}

fn all(world: &World, acts: &[Act]) {
    for a in acts.iter().filter(|a| fits(world, a)) {
        // What cannot be done on this tree is not done.
        let _ = world.alone.modify(|marks| apply(marks, &world.p, a));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn different_trees_become_equal(p in acts(60), s in acts(60), plan in plain()) {
        let mut world = World::new();
        all(&world, &p);
        let none = Marks {
            zones: Arc::new(Zones::open(&world.dir.path().join("none"), 4096).unwrap()),
            tracker: Arc::new(Tracker::new()),
        };
        for a in s.iter().filter(|a| !matches!(a, Act::Date(..))) {
            let _ = apply(&none, &world.s, a);
        }
        world.run(plan).unwrap();
        prop_assert_eq!(world.differences(), Vec::<String>::new());
        prop_assert_eq!(world.verify().unwrap(), Vec::new());
        let again = world.run(Plan::Hash).unwrap();
        prop_assert_eq!(again.bytes, 0);
    }

    #[test]
    fn zones_are_enough(before in acts(60), alone in acts(40), then in acts(20)) {
        let mut world = World::new();
        all(&world, &before);
        world.in_step();
        all(&world, &alone);
        let dirty = world.alone.marks.zones.count();
        let done = world.run(Plan::Zones).unwrap();
        prop_assert_eq!(world.differences(), Vec::<String>::new());
        prop_assert!(dirty > 0 || done.bytes == 0);
        world.alone.marks.zones.begin(2).unwrap();
        all(&world, &then);
        world.run(Plan::Zones).unwrap();
        prop_assert_eq!(world.differences(), Vec::<String>::new());
    }

    #[test]
    fn an_interruption_anywhere_is_made_good(
        p in acts(50), s in acts(30), at in 1i64..200, plan in plain(),
    ) {
        let mut world = World::new();
        all(&world, &s);
        world.run(Plan::Hash).unwrap();
        all(&world, &p);
        world.fuse = Arc::new(at.into());
        let cut = world.run(plan);
        world.fuse = Arc::new(i64::MAX.into());
        if cut.is_err() {
            world.run(plan).unwrap();
        }
        prop_assert_eq!(world.differences(), Vec::<String>::new());
    }
}
