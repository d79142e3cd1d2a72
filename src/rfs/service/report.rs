//! What the box says of its traffic and of a reintegration's progress, every few seconds.

use super::{Service, behind, join};
use crate::lock::lock;
use crate::rfs::control::{Line, Measure, STALL, Said, Traffic};
use crate::rfs::resync::Progress;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two reports of how far something is.
const PERIOD: Duration = Duration::from_secs(1);
/// Reports between two of the traffic, over which bandwidths are averaged (RFS-42).
const TRAFFIC: u32 = 3;
/// Reports after which it is noted that only the mount changed files.
const WATCH: u32 = 60;
/// Reports between two lines of the log on how far a reintegration is.
const LINE: u32 = 60;

/// Reports for ever.
pub(super) fn run(service: &Service) {
    let (mut counts, mut copy) = (Counts::new(), Copy::default());
    for tick in 1u32.. {
        thread::sleep(PERIOD);
        if tick.is_multiple_of(WATCH) {
            service.dirs.iter().for_each(|dir| behind::watch(dir));
        }
        copy.report(service);
        let examined: Vec<_> =
            lock(&service.examinations).iter().map(|e| (e.id, measure(&e.progress))).collect();
        for (id, measure) in examined {
            service.voice.say(&Said::Measured { id, measure });
        }
        if tick.is_multiple_of(TRAFFIC) {
            counts.report(service);
        }
    }
}

/// What was said of the reintegration under way.
#[derive(Default)]
struct Copy {
    /// How often it was told.
    told: u32,
    stands: bool,
}

impl Copy {
    fn report(&mut self, service: &Service) {
        let now = join::progress(service).map(|p| measure(&p));
        if now.is_some() || self.told > 0 {
            service.voice.say(&Said::Progress(now));
        }
        self.told = if now.is_some() { self.told + 1 } else { 0 };
        if let Some(now) = now.filter(|_| self.told.is_multiple_of(LINE)) {
            service.voice.log(Line::Progress(now.to_string()));
        }
        if let Some(line) = self.stall(now.map(|m| m.still)) {
            service.voice.log(line);
        }
    }

    /// What is to be said once it stands still, and once it goes on.
    fn stall(&mut self, still: Option<u64>) -> Option<Line> {
        let stands = still.is_some_and(|s| s >= STALL);
        match (std::mem::replace(&mut self.stands, stands), still) {
            (false, Some(s)) if stands => Some(Line::Stalled(s)),
            (true, Some(_)) if !stands => Some(Line::GoesOn),
            _ => None,
        }
    }
}

/// What was counted so far.
struct Counts {
    began: Instant,
    told: Traffic,
    copied: u64,
    stream: u64,
    moved: bool,
}

impl Counts {
    fn new() -> Counts {
        Counts { began: Instant::now(), told: Traffic::default(), copied: 0, stream: 0, moved: false }
    }

    fn report(&mut self, service: &Service) {
        let copied = join::progress(service).map_or(0, |p| p.copied.load(Ordering::Relaxed));
        let stream = service.dirs.iter().filter_map(|d| {
            let receiver = lock(&d.receiver);
            receiver.as_ref().map(|r| r.position().bytes)
        });
        let copied = more(&mut self.copied, copied);
        let received = more(&mut self.stream, stream.sum());
        let lent = service.lent.load(Ordering::Relaxed);
        let replicated = service.dirs.iter().map(|d| d.replicator.counters().bytes_sent).sum();
        let before = self.told;
        let taken = before.reintegrated - before.lent;
        self.told = Traffic {
            at: before.at,
            replicated,
            lent,
            reintegrated: lent + taken + copied,
            sent: replicated + lent,
            received: before.received + copied + received,
        };
        // Once more when nothing moves any more: the bandwidths are 0 then.
        let moves = self.told != before;
        self.told.at = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if moves || self.moved {
            service.voice.say(&Said::Traffic(self.told));
        }
        self.moved = moves;
    }
}

/// How much a count has grown; it begins anew with each copy and each stream.
fn more(last: &mut u64, now: u64) -> u64 {
    let before = std::mem::replace(last, now);
    now.checked_sub(before).unwrap_or(now)
}

fn measure(p: &Progress) -> Measure {
    let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
    Measure {
        done: load(&p.files_done),
        known: load(&p.files_known),
        copied: load(&p.copied),
        compared: load(&p.compared),
        rate: p.rate(),
        left: p.estimate().map(|left| left.as_secs()),
        still: p.last_movement().elapsed().as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_says_files_and_bytes() {
        let p = Progress::default();
        p.files_known.store(3, Ordering::Relaxed);
        p.files_done.store(1, Ordering::Relaxed);
        p.copied.store(5 << 20, Ordering::Relaxed);
        let text = measure(&p).to_string();
        assert!(text.starts_with("1 of 3 files, 5 MB copied, 0 MB compared, "), "{text}");
    }

    #[test]
    fn a_stall_is_said_once_and_so_is_its_end() {
        let mut copy = Copy::default();
        let said: Vec<_> = [1, 14, 15, 16, 40, 0, 1].map(|s| copy.stall(Some(s))).into_iter().collect();
        let none = || None;
        let wanted = [none(), none(), Some(Line::Stalled(15)), none(), none(), Some(Line::GoesOn), none()];
        assert_eq!(said, wanted);
        assert_eq!(copy.stall(Some(20)), Some(Line::Stalled(20)));
        // The end of the reintegration is said by others.
        assert_eq!(copy.stall(None), None);
        assert_eq!(copy.stall(Some(0)), None);
    }

    #[test]
    fn counts_that_begin_anew_are_added() {
        let mut last = 0;
        assert_eq!([5, 9, 9, 2, 3].map(|now| more(&mut last, now)), [5, 4, 0, 2, 1]);
    }
}
