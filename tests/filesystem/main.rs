//! The mounted file system against the kernel: what programs see, what is recorded, who waits. Needs
//! root; each test has a mount namespace of its own, so nothing stays.
#![allow(missing_docs, reason = "a test")]

mod support;

mod conformance;
mod held;
mod random;
mod recorded;
mod serve;
