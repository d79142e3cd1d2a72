//! Self-fencing (S8): the protocol with `safeguard`, and the processes of modules as groups.
//!
//! `safeadmin` arms the guard for a module while a peer could take over, and renews it with every
//! heartbeat. When the renewals stop, `safeguard` withdraws the module's buckets of a farm, removes its virtual
//! addresses and kills its application before a peer may think that this node is dead.
//!
//! It also keeps descriptors that shall outlive the process which gave them: those of the mounts of
//! replicated directories.
//!
//! A crash of `safeguard` itself: the connection of `safeadmin` breaks, its next call returns
//! [`client::GuardError`], and the restarted guard starts with nothing armed (modules that it had
//! fenced stay fenced: their markers are read again). `safeadmin` connects and arms again in its next
//! renewal; until then the node is unguarded but renewing, so only the crash of both at once is open.

mod address;
pub mod cgroup;
pub mod client;
pub mod deadline;
pub mod frame;
mod kept;
mod marked;
mod packet;
mod scribe;
pub mod server;
pub mod table;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_BOOTTIME: the time base of the guard.
pub fn boottime_ns() -> u64 {
    // Cannot fail: the clock exists in every kernel that this program starts on (Linux 2.6.39).
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        let (seconds, nanos) = (time.tv_sec().unsigned_abs(), time.tv_nsec().unsigned_abs());
        seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
    })
}
