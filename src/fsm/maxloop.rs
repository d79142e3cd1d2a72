//! The loop counter (ST-60 to ST-65): automatic actions that never end stop the module.
//!
//! Times are seconds since the epoch, given by the caller: the counter outlives restarts.

use serde::{Deserialize, Serialize};

/// Settings of `<service>` (CFG: maxloop, loop_interval).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// Automatic actions that are allowed in one interval.
    pub maxloop: u32,
    /// Seconds after which an undisturbed module counts from 0 again; 0 switches the counter off
    /// (ST-64).
    pub interval_s: u64,
}

/// The counter as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loops {
    /// Automatic actions counted.
    pub count: u32,
    /// When the counter began: the value of `heart.stopstartloop` (ST-65).
    pub began_s: u64,
    /// The newest automatic action.
    pub last_s: u64,
}

/// Answer to an automatic action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Do it.
    Go,
    /// The limit is reached: stop the module instead (MSG-A-19).
    Exhausted,
}

impl Loops {
    /// A counter at 0 that begins now: at configuration, by `resetloop`, by any command of an
    /// administrator (ST-63).
    pub fn reset(now_s: u64) -> Self {
        Loops { count: 0, began_s: now_s, last_s: now_s }
    }

    /// Counts an automatic action, or refuses it: check, then increment (AMB-08).
    #[must_use]
    pub fn increment(self, limit: Limit, now_s: u64) -> (Self, Counted) {
        if limit.interval_s == 0 {
            return (self, Counted::Go);
        }
        let current = self.expire(limit, now_s);
        if current.count >= limit.maxloop {
            return (current, Counted::Exhausted);
        }
        (Loops { count: current.count + 1, last_s: now_s, ..current }, Counted::Go)
    }

    /// Whether the next automatic action would be refused: `checkloop` (T-7.11).
    pub fn exhausted(self, limit: Limit, now_s: u64) -> bool {
        limit.interval_s != 0 && self.expire(limit, now_s).count >= limit.maxloop
    }

    /// The counter as it stands now: 0 again when the newest action is older than the interval.
    /// A clock that was set back does not expire it (the time counts as not elapsed).
    #[must_use]
    pub fn expire(self, limit: Limit, now_s: u64) -> Self {
        let quiet_s = now_s.saturating_sub(self.last_s);
        if self.count > 0 && quiet_s >= limit.interval_s { Loops::reset(now_s) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { maxloop: 3, interval_s: 24 * 3600 };

    #[test]
    fn t_7_11_the_fourth_is_refused() {
        let mut loops = Loops::reset(1000);
        for at in 1..=3 {
            assert!(!loops.exhausted(LIMIT, 1000 + at));
            let (next, counted) = loops.increment(LIMIT, 1000 + at);
            assert_eq!(counted, Counted::Go);
            loops = next;
        }
        assert!(loops.exhausted(LIMIT, 1010));
        let (refused, counted) = loops.increment(LIMIT, 1010);
        assert_eq!(counted, Counted::Exhausted);
        assert_eq!(refused, loops, "a refused action is not counted");
        assert_eq!(loops.began_s, 1000);
        assert!(!Loops::reset(1011).exhausted(LIMIT, 1011));
    }

    #[test]
    fn the_interval_runs_from_the_newest_action() {
        let full = Loops { count: 3, began_s: 0, last_s: 5000 };
        let end = 5000 + LIMIT.interval_s;
        assert!(full.exhausted(LIMIT, end - 1));
        assert!(!full.exhausted(LIMIT, end));
        let (next, counted) = full.increment(LIMIT, end);
        assert_eq!((next, counted), (Loops { count: 1, began_s: end, last_s: end }, Counted::Go));
    }

    #[test]
    fn an_interval_of_0_switches_the_counter_off() {
        let off = Limit { interval_s: 0, ..LIMIT };
        let full = Loops { count: 9, began_s: 0, last_s: 0 };
        assert!(!full.exhausted(off, 1));
        assert_eq!(full.increment(off, 1), (full, Counted::Go));
    }

    #[test]
    fn a_maxloop_of_0_allows_nothing_and_a_clock_set_back_expires_nothing() {
        let none = Limit { maxloop: 0, ..LIMIT };
        assert_eq!(Loops::reset(5).increment(none, 6).1, Counted::Exhausted);
        let full = Loops { count: 3, began_s: 9000, last_s: 9000 };
        assert!(full.exhausted(LIMIT, 10));
    }

    #[test]
    fn survives_storing() {
        let loops = Loops { count: 2, began_s: 7, last_s: 9 };
        let text = serde_json::to_string(&loops).unwrap();
        assert_eq!(serde_json::from_str::<Loops>(&text).unwrap(), loops);
    }
}
