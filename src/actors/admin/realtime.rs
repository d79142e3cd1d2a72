//! The thread of the heartbeats: load elsewhere must not make a node look dead (DESIGN 3).

use nix::sys::mman::{MlockAllFlags, mlockall};
use std::io;

/// Below the kernel's own threads and the guard, above every application.
const PRIORITY: i32 = 10;

/// Locks the memory of this process, as far as the system permits it: what is mapped now, the program
/// above all, and of later mappings what is used. Each module has threads, and of their stacks of
/// megabytes they use little.
pub fn lock_memory() {
    let later = MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    if let Err(error) = mlockall(MlockAllFlags::MCL_CURRENT).and_then(|()| mlockall(later)) {
        tracing::info!(%error, "the memory is not locked: heartbeats may be late while the system swaps");
    }
}

/// Gives the calling thread real-time priority, as far as the system permits it.
pub fn prefer_this_thread() {
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: the parameters are valid for the call; 0 is this thread.
    let done =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) };
    if done != 0 {
        let error = io::Error::last_os_error();
        tracing::info!(%error, "no real-time priority: heartbeats may be late under heavy load");
    }
}
