//! How long a change of bitmaps takes, and what it does to packets that come in meanwhile.

use crate::report::Report;
use crate::switching::{CHANGES, halves, misfiltered};
use safekit::farm::Backend;
use safekit::fsm::bucket::{Reach, Share};
use std::cell::RefCell;
use std::time::Instant;

/// Measures.
pub fn run(report: &mut Report) {
    report.part("a change of bitmaps on one node");
    for (reach, name) in [(Reach::Every, "vmac_invisible"), (Reach::One, "vmac_directed")] {
        let (times, wrong, sent) = measure(reach);
        report.promise(&format!("{name}: one transaction, under a flood"), 1.0, "ms", &times);
        report.promise(&format!("{name}: packets misfiltered"), 0.0, "", &[wrong as f64]);
        report.note(format!("{name}: {sent} packets came in during {CHANGES} changes."));
    }
}

/// Milliseconds of each change; packets that were lost or served by a wrong node, of how many.
fn measure(reach: Reach) -> (Vec<f64>, usize, usize) {
    let times = RefCell::new(Vec::new());
    let counts = misfiltered(reach, CHANGES, |world, step| {
        let share = Share::settled(halves(step));
        let time = world.filter(step % 3, move |nft| {
            let before = Instant::now();
            nft.switch(&[share]).expect("the kernel changes the bitmaps");
            before.elapsed()
        });
        times.borrow_mut().push(time.as_secs_f64() * 1000.0);
    });
    (times.into_inner(), counts.lost + counts.elsewhere, counts.sent)
}
