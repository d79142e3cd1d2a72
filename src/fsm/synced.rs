//! The dates of the last synchronization, and what follows from them (RFS-28, RFS-30, ST-35, ST-37).
//!
//! While a pair is in step its primary says its time again and again, and both nodes keep it. Two
//! nodes that parted in an ordinary way therefore hold a date in common, however long ago that was: it
//! stands still while a node is alone. Dates of the two nodes' clocks are never compared (S12): how old
//! the data is, each node tells by its own clock.

use super::mirror::Posture;
use super::resource::Value;
use serde::{Deserialize, Serialize};

/// Two nodes whose dates differ by more than this did not part from each other, seconds (ST-37).
pub const TOLERANCE: u64 = 90;
/// Time between two dates of a pair in step, seconds.
pub const STEP: u64 = 10;
/// A `syncdelta` up to this is ignored, seconds (RFS-30).
pub const IGNORED: u64 = 60;

/// What a node keeps of its last synchronizations; seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamps {
    /// The newest date, by the clock of the primary of that time.
    pub last: u64,
    /// The one before. The nodes may part before both have the newest one.
    pub before: u64,
    /// When this node kept it, by its own clock.
    pub kept: u64,
}

impl Stamps {
    /// With a newer date, kept at `now`.
    pub fn next(old: Option<Stamps>, date: u64, now: u64) -> Stamps {
        Stamps { last: date, before: old.map_or(date, |s| s.last), kept: now }
    }

    /// As the peer sees it: `last,before`.
    pub fn shown(self) -> String {
        format!("{},{}", self.last, self.before)
    }
}

/// The dates that the peer shows; none if it shows something else.
pub fn dates(shown: &str) -> Option<(u64, u64)> {
    let (last, before) = shown.split_once(',')?;
    Some((last.parse().ok()?, before.parse().ok()?))
}

/// ST-37: the nodes have no date in common, so one of them was put back to an earlier state, or its
/// records are those of another pair.
pub fn abnormal(mine: Stamps, theirs: (u64, u64)) -> bool {
    let near = |a: u64, b: u64| a.abs_diff(b) <= TOLERANCE;
    ![mine.last, mine.before].into_iter().any(|a| near(a, theirs.0) || near(a, theirs.1))
}

/// The date that a primary with a secondary in step says now, if it is time for one. `said`: the one
/// that it said since they are in step; the next one waits until the secondary shows that it kept it.
pub fn due(mine: Option<Stamps>, said: Option<u64>, theirs: Option<u64>, now: u64) -> bool {
    match (mine, said) {
        (Some(s), Some(said)) => {
            theirs == Some(said) && !(s.kept..s.kept.saturating_add(STEP)).contains(&now)
        }
        _ => true,
    }
}

/// `rfs.synced`: the data is consistent, and its last synchronization no longer ago than `delta`
/// seconds. A clock behind the time of that synchronization says nothing (S12): not synced.
pub fn synced(mine: Option<Stamps>, consistent: bool, delta: u64, now: u64) -> bool {
    consistent && mine.is_some_and(|s| now >= s.kept && now - s.kept < delta)
}

/// What `rfs.syncat` becomes (ST-36); none: it stays as it is. A node synchronizes when it starts, and
/// then when its schedule or somebody says so. Nothing keeps a primary waiting, nor a node whose
/// primary is lost.
pub fn scheduled(posture: Posture, silent: bool) -> Option<Value> {
    match posture {
        Posture::Running | Posture::TakingOver | Posture::Leaving | Posture::Stopped => Some(Value::Up),
        Posture::Second if !silent => Some(Value::Down),
        Posture::Second | Posture::Waiting | Posture::Settling | Posture::Claim | Posture::Joining => {
            silent.then_some(Value::Up)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Stamps = Stamps { last: 1000, before: 990, kept: 5000 };

    #[test]
    fn data_is_synced_for_syncdelta_and_by_a_clock_that_makes_sense_only() {
        assert!(synced(Some(OLD), true, 300, 5000));
        assert!(synced(Some(OLD), true, 300, 5299));
        assert!(!synced(Some(OLD), true, 300, 5300));
        assert!(!synced(Some(OLD), true, 300, 4999), "the clock was set back");
        assert!(!synced(Some(OLD), false, 300, 5000), "half copied");
        assert!(!synced(None, true, 300, 5000));
    }

    #[test]
    fn nodes_that_parted_have_a_date_in_common() {
        let day = 86_400;
        // One kept the date after the other's last, across a jump of the primary's clock.
        let later = Stamps::next(Some(OLD), OLD.last + day, 6000);
        assert!(!abnormal(OLD, (later.last, later.before)));
        assert!(!abnormal(later, (OLD.last, OLD.before)));
        assert!(!abnormal(OLD, (OLD.last + TOLERANCE, OLD.last + TOLERANCE)));
        assert!(abnormal(OLD, (OLD.last + TOLERANCE + 1, OLD.last + TOLERANCE + 1)));
        assert!(abnormal(OLD, (OLD.before - TOLERANCE - 1, 0)));
    }

    #[test]
    fn a_primary_says_the_next_date_when_the_last_one_was_kept() {
        let now = OLD.kept + STEP;
        assert!(due(None, None, None, 7));
        assert!(due(Some(OLD), None, None, OLD.kept), "at the end of each reintegration");
        assert!(due(Some(OLD), Some(1000), Some(1000), now));
        assert!(!due(Some(OLD), Some(1000), Some(990), now));
        assert!(!due(Some(OLD), Some(1000), Some(1000), now - 1));
        assert!(due(Some(OLD), Some(1000), Some(1000), OLD.kept - 1), "the clock was set back");
    }

    #[test]
    fn only_a_secondary_that_is_synchronized_waits_for_its_schedule() {
        assert_eq!(scheduled(Posture::Second, false), Some(Value::Down));
        for runs in [Posture::Running, Posture::TakingOver, Posture::Leaving] {
            assert_eq!(scheduled(runs, false), Some(Value::Up), "{runs:?}");
        }
        for waits in [Posture::Waiting, Posture::Settling, Posture::Joining] {
            assert_eq!(scheduled(waits, false), None, "{waits:?}");
            assert_eq!(scheduled(waits, true), Some(Value::Up), "{waits:?}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        assert_eq!(dates(&OLD.shown()), Some((1000, 990)));
        for wrong in ["", "1", "1,", "1,2,3", "a,2", "-1,2"] {
            assert_eq!(dates(wrong), None, "{wrong}");
        }
    }
}
