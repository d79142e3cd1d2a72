//! The mounted file system against the kernel: what programs see, what is recorded, who waits. Needs
//! root; each test has a mount namespace of its own, so nothing stays.
#![allow(missing_docs, clippy::unwrap_used, clippy::single_range_in_vec_init, reason = "a test")]

mod support;

mod conformance;
mod held;
mod kept;
mod pair;
mod random;
mod recorded;
mod resume;
mod serve;
mod session;
