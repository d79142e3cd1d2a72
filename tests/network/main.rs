//! The network room against the kernel, in network namespaces of the tests' own: addresses,
//! announcements, probes, connections, and the actor that puts them together. Needs root.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod actor;
mod addresses;
mod announce;
mod check;
mod checkers;
mod connections;
mod probes;
mod support;
mod watch;
