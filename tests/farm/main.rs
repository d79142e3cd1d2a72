//! The packet filter of a farm against the kernel: three nodes and a client in network namespaces, joined by a
//! switch. Plain sockets serve and ask. Needs root, a kernel with nftables, and iproute2.

#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

mod balance;
mod connections;
mod hash;
mod life;
mod odd;
mod requests;
mod serve;
#[path = "../network/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the network")]
mod support;
mod switching;
mod world;
