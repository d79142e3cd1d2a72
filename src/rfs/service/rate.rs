//! How fast the last reintegration was: what the next one is estimated by (RFS-62).

use crate::node::record;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a reintegration that teach something: fewer are moved in no time.
const ENOUGH: u64 = 8 << 20;
/// Bytes per second when nothing is known: a network of 1 Gbit/s.
const ASSUMED: u64 = 100 << 20;

/// Remembers a reintegration of so many bytes. What cannot be remembered is only an estimate less.
pub fn learn(uservar: &Path, bytes: u64, took: Duration) {
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    if bytes < ENOUGH {
        return;
    }
    let rate = (bytes.saturating_mul(1000) / ms).max(1);
    if let Err(error) = record::store(&file(uservar), &rate) {
        tracing::warn!(%error, "the rate of the reintegration is not kept");
    }
}

/// Bytes per second to expect, with `limit` bytes per second configured, and whether that is more than an
/// assumption.
pub fn expected(uservar: &Path, limit: Option<u64>) -> (u64, bool) {
    let learned: Option<u64> = record::load(&file(uservar)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the rate of the last reintegration is not known");
        None
    });
    let limit = limit.filter(|l| *l > 0);
    match (learned.filter(|l| *l > 0), limit) {
        (Some(rate), Some(limit)) => (rate.min(limit), true),
        (Some(rate), None) => (rate, true),
        (None, Some(limit)) => (limit.min(ASSUMED), limit < ASSUMED),
        (None, None) => (ASSUMED, false),
    }
}

fn file(uservar: &Path) -> PathBuf {
    uservar.join("rfs/rate.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_by_experience_and_limit() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("rfs")).expect("it is writable");
        assert_eq!(expected(dir.path(), None), (ASSUMED, false));
        assert_eq!(expected(dir.path(), Some(1 << 20)), (1 << 20, true));
        learn(dir.path(), 5, Duration::from_secs(1));
        assert_eq!(expected(dir.path(), None), (ASSUMED, false));
        learn(dir.path(), 20 << 20, Duration::from_secs(2));
        assert_eq!(expected(dir.path(), None), (10 << 20, true));
        assert_eq!(expected(dir.path(), Some(1 << 20)), (1 << 20, true));
    }
}
