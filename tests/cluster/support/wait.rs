//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// Everything a test waits for comes within this time: timeouts of the scenarios are a few seconds.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// Between two looks; each may be a process.
const PAUSE: Duration = Duration::from_millis(25);

/// Waits until `look` sees something, and returns it. Fails the test when it does not come.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "not within {} s: {what}", PATIENCE.as_secs());
        thread::sleep(PAUSE);
    }
}
