//! How far a reintegration is, and the wish to end it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time over which the rate is measured (RFS-42).
const WINDOW: Duration = Duration::from_secs(3);

/// What a bandwidth left unused during this time may be used later: delays of the machine do not make the
/// copy slower than it may be.
const BURST: Duration = Duration::from_millis(500);

/// Counters that the workers raise and anybody reads.
#[derive(Debug)]
pub struct Progress {
    /// Files that are done in this run.
    pub files_done: AtomicU64,
    /// Files known so far that have to be looked at.
    pub files_known: AtomicU64,
    /// Bytes of files received.
    pub copied: AtomicU64,
    /// Bytes compared by hashes.
    pub compared: AtomicU64,
    /// Bytes that the known files still need at most.
    pub left: AtomicU64,
    cancelled: AtomicBool,
    recent: Mutex<Recent>,
    turned: Condvar,
}

#[derive(Debug)]
struct Recent {
    moved: Instant,
    /// Bytes received, at most eight entries a second.
    slots: VecDeque<(Instant, u64)>,
    /// What may not be received before when: the token bucket.
    free_at: Instant,
}

impl Default for Progress {
    fn default() -> Progress {
        let now = Instant::now();
        Progress {
            files_done: AtomicU64::new(0),
            files_known: AtomicU64::new(0),
            copied: AtomicU64::new(0),
            compared: AtomicU64::new(0),
            left: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            recent: Mutex::new(Recent { moved: now, slots: VecDeque::new(), free_at: now }),
            turned: Condvar::new(),
        }
    }
}

impl Progress {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the run as soon as the messages under way are answered.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        drop(self.recent());
        self.turned.notify_all();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// When something last went on.
    pub fn last_movement(&self) -> Instant {
        self.recent().moved
    }

    /// Bytes received per second over the last three seconds.
    pub fn rate(&self) -> u64 {
        let now = Instant::now();
        let recent = self.recent();
        let fresh = recent.slots.iter().filter(|(at, _)| now.duration_since(*at) < WINDOW);
        fresh.map(|(_, bytes)| bytes).sum::<u64>() / WINDOW.as_secs()
    }

    /// Time that the rest takes at the present rate; `None` while nothing moves.
    pub fn estimate(&self) -> Option<Duration> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        left.checked_div(self.rate()).map(Duration::from_secs)
    }

    /// Something went on.
    pub(super) fn moved(&self) {
        self.recent().moved = Instant::now();
    }

    /// Bytes were received; waits as long as a bandwidth (bytes per second) asks for.
    pub(super) fn received(&self, bytes: u64, bandwidth: Option<u64>) {
        self.copied.fetch_add(bytes, Ordering::Relaxed);
        let now = Instant::now();
        let mut recent = self.recent();
        recent.moved = now;
        match recent.slots.back_mut() {
            Some((at, sum)) if now.duration_since(*at) < Duration::from_millis(125) => *sum += bytes,
            _ => recent.slots.push_back((now, bytes)),
        }
        while recent.slots.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            recent.slots.pop_front();
        }
        let Some(bandwidth) = bandwidth.filter(|&b| b > 0) else { return };
        let cost = Duration::from_secs_f64(bytes as f64 / bandwidth as f64);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        recent.free_at = recent.free_at.max(earliest) + cost;
        let until = recent.free_at;
        while let Some(rest) = until.checked_duration_since(Instant::now())
            && !rest.is_zero()
            && !self.is_cancelled()
        {
            // A long wait is a movement too: it is wanted.
            let waited = self.turned.wait_timeout(recent, rest.min(Duration::from_secs(1)));
            recent = waited.unwrap_or_else(PoisonError::into_inner).0;
            recent.moved = Instant::now();
        }
    }
}
