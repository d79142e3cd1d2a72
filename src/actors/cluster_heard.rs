//! When each node was last heard on the cluster channel: shared without messages (S10).

use std::sync::atomic::{AtomicU64, Ordering};

/// One time per node, by its index in cluster.xml: milliseconds of CLOCK_BOOTTIME, 0 for never.
#[derive(Debug)]
pub struct Heard(Vec<AtomicU64>);

impl Heard {
    /// A table for that many nodes.
    pub fn new(nodes: usize) -> Heard {
        Heard((0..nodes).map(|_| AtomicU64::new(0)).collect())
    }

    /// An authenticated datagram of `node` came at `now`.
    pub fn set(&self, node: u8, now: u64) {
        if let Some(t) = self.0.get(usize::from(node)) {
            t.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// When `node` was last heard; 0 for never.
    pub fn get(&self, node: u8) -> u64 {
        self.0.get(usize::from(node)).map_or(0, |t| t.load(Ordering::Relaxed))
    }
}
