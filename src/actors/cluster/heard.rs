//! When each node was last heard, for readers on other threads (S10).

use crate::guard::boottime_ns;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// By node: when its newest authentic datagram of the cluster came in, on any lan. Clones share one
/// table. A node stays silent only if every reader of this table finds it silent.
#[derive(Clone)]
pub struct Heard(Arc<[AtomicU64]>);

impl Default for Heard {
    /// Nobody was heard yet.
    fn default() -> Self {
        // The number of a node is one byte on the wire.
        Heard((0..=usize::from(u8::MAX)).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Heard {
    /// When `node` was last heard: milliseconds of CLOCK_BOOTTIME ([`now_ms`]); none if never.
    pub fn last_ms(&self, node: usize) -> Option<u64> {
        let at = self.0.get(node)?.load(Ordering::Acquire);
        (at > 0).then_some(at)
    }

    pub(super) fn mark(&self, node: usize, now_ms: u64) {
        if let Some(at) = self.0.get(node) {
            at.fetch_max(now_ms, Ordering::AcqRel);
        }
    }

    /// Numbers have other owners from now on.
    pub(super) fn forget(&self) {
        self.0.iter().for_each(|at| at.store(0, Ordering::Release));
    }
}

/// Milliseconds of CLOCK_BOOTTIME: the time base of [`Heard`].
pub fn now_ms() -> u64 {
    boottime_ns() / 1_000_000
}
