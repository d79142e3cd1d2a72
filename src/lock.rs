//! Locks that go on after a panic.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock, whether or not a thread has panicked while it held it. It is for values that are whole after
/// each statement: what a thread left behind is then as good as any.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
