//! What the box says of its traffic and of a reintegration's progress, every few seconds.

use super::{Service, behind, join};
use crate::rfs::control::{Line, Said, Traffic};
use crate::rfs::resync::Progress;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Time between two reports, over which bandwidths are averaged too (RFS-42).
const PERIOD: Duration = Duration::from_secs(3);
/// Reports after which it is noted that only the mount changed files.
const WATCH: u64 = 20;
/// A reintegration that does not move for this long is said to stand still.
const STALL: Duration = Duration::from_secs(15);

/// Reports for ever.
pub(super) fn run(service: &Service) {
    let (mut last, mut copied) = (Traffic::default(), 0);
    for turn in 1u64.. {
        thread::sleep(PERIOD);
        if turn.is_multiple_of(WATCH) {
            service.dirs.iter().for_each(|dir| behind::watch(dir));
        }
        let progress = join::progress(service);
        let now = progress.as_ref().map_or(0, |p| p.copied.load(Ordering::Relaxed));
        // A new reintegration counts from 0 again.
        let more = if now >= copied { now - copied } else { now };
        copied = now;
        let traffic = Traffic {
            replicated: service.dirs.iter().map(|d| d.replicator.counters().bytes_sent).sum(),
            reintegrated: last.reintegrated + more,
            received: last.received + more,
        };
        if traffic != last {
            last = traffic;
            service.voice.say(&Said::Traffic(traffic));
        }
        if let Some(progress) = progress {
            service.voice.log(Line::Progress(text(&progress)));
        }
    }
}

fn text(p: &Progress) -> String {
    let (done, known) = (p.files_done.load(Ordering::Relaxed), p.files_known.load(Ordering::Relaxed));
    let mib = |bytes: u64| bytes >> 20;
    let mut text = format!(
        "{done} of {known} files, {} MB copied, {} MB compared, {} KB/s",
        mib(p.copied.load(Ordering::Relaxed)),
        mib(p.compared.load(Ordering::Relaxed)),
        p.rate() >> 10
    );
    if let Some(left) = p.estimate() {
        text.push_str(&format!(", {} s left", left.as_secs()));
    }
    let still = p.last_movement().elapsed();
    if still >= STALL {
        text.push_str(&format!(", nothing has come for {} s", still.as_secs()));
    }
    text
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
        assert!(text(&p).starts_with("1 of 3 files, 5 MB copied, 0 MB compared, "), "{}", text(&p));
    }
}
