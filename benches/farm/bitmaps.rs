//! How long a change of bitmaps takes, and what it does to packets that come in meanwhile.

use crate::report::Report;
use crate::switching::{CHANGES, halves, misfiltered};
use crate::world::{World, rules};
use safekit::config::module::Filter;
use safekit::farm::Backend;
use safekit::farm::nft::Nft;
use safekit::fsm::bucket::{Reach, Share};
use std::cell::RefCell;
use std::time::Instant;

/// Measures.
pub fn run(report: &mut Report) {
    report.part("a change of bitmaps on one node");
    for (reach, name) in [(Reach::Every, "vmac_invisible"), (Reach::One, "vmac_directed")] {
        report.promise(&format!("{name}: one transaction"), 1.0, "ms", &quiet(reach));
        let (times, wrong, sent) = measure(reach);
        report.promise(&format!("{name}: one transaction, under a flood"), 1.0, "ms", &times);
        report.promise(&format!("{name}: packets misfiltered"), 0.0, "", &[wrong as f64]);
        report.note(format!("{name}: {sent} packets came in during {CHANGES} changes."));
    }
}

/// Milliseconds of each change when no packets come in.
fn quiet(reach: Reach) -> Vec<f64> {
    let world = World::with(reach, rules(Filter::OnPort), true, &[Share::settled(halves(0))]);
    world.filter(0, |nft| (1..=CHANGES).map(|step| timed(nft, step)).collect())
}

fn timed(nft: &mut Nft, step: usize) -> f64 {
    let share = Share::settled(halves(step));
    let before = Instant::now();
    nft.switch(&[share]).expect("the kernel changes the bitmaps");
    before.elapsed().as_secs_f64() * 1000.0
}

/// Milliseconds of each change; packets that were lost or served by a wrong node, of how many.
fn measure(reach: Reach) -> (Vec<f64>, usize, usize) {
    let times = RefCell::new(Vec::new());
    let counts = misfiltered(reach, CHANGES, |world, step| {
        times.borrow_mut().push(world.filter(step % 3, move |nft| timed(nft, step)));
    });
    (times.into_inner(), counts.lost + counts.elsewhere, counts.sent)
}
