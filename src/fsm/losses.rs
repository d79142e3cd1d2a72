//! What a lost process of replication means, by how often it is lost (ST-29).

use std::collections::VecDeque;

/// Losses that are older count no more, ms.
pub const WINDOW_MS: u64 = 600_000;
/// A process without replication that is lost this often, too, is given up.
const DEGRADED_MOST: usize = 3;

/// What becomes of the replicated directories when their process is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Fate {
    /// Another process takes its place.
    Replaced,
    /// Another one takes over the mounts, without replication.
    Degraded,
    /// The mounts are dead.
    Gone,
}

/// The losses of one module, of late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(VecDeque<u64>);

impl Losses {
    /// One more, at `now` (ms of any clock that only grows). `restarts`: how many are made good in the
    /// time of [`WINDOW_MS`]. Only who is `running` goes on without replication; others are replaced,
    /// also after they were `degraded`.
    pub fn note(&mut self, now_ms: u64, restarts: u32, running: bool, degraded: bool) -> Fate {
        self.0.retain(|at| now_ms.saturating_sub(*at) < WINDOW_MS);
        self.0.push_back(now_ms);
        let restarts = usize::try_from(restarts).unwrap_or(usize::MAX);
        let most = restarts.saturating_add(DEGRADED_MOST);
        while self.0.len() > most.saturating_add(1) {
            self.0.pop_front();
        }
        match self.0.len() {
            n if n > most => Fate::Gone,
            n if running && (degraded || n > restarts) => Fate::Degraded,
            _ => Fate::Replaced,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_primary_is_degraded_by_many_losses_and_given_up_after_more() {
        let mut losses = Losses::default();
        let fates: Vec<_> = (0..7).map(|n| losses.note(n, 2, true, n > 2)).collect();
        let (r, d, g) = (Fate::Replaced, Fate::Degraded, Fate::Gone);
        assert_eq!(fates, [r, r, d, d, d, g, g]);
        assert_eq!(losses.note(WINDOW_MS + 100, 2, true, false), r, "long ago");
    }

    #[test]
    fn nobody_else_is_degraded() {
        let mut losses = Losses::default();
        let fates: Vec<_> = (0..4).map(|n| losses.note(n, 0, false, false)).collect();
        assert_eq!(fates, [Fate::Replaced, Fate::Replaced, Fate::Replaced, Fate::Gone]);
    }

    #[test]
    fn without_restarts_it_is_degraded_at_once_and_stays_so() {
        let mut losses = Losses::default();
        assert_eq!(losses.note(0, 0, true, false), Fate::Degraded);
        assert_eq!(losses.note(2 * WINDOW_MS, 5, true, true), Fate::Degraded);
    }
}
