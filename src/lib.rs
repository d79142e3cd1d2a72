//! SafeKit: high availability for any Linux application on two ordinary servers.
//!
//! The map of the crate (see `ARCHITECTURE.md` for the picture):
//! - [`fsm`]: every decision, pure and model-checked. No clock, no I/O, no randomness.
//! - [`actors`]: thin actix actors that record an event, step an automaton and run its effects.
//! - [`control`]: the local protocol between `safekit` and `safeadmin`; [`cli`]: the command.
//! - [`config`]: cluster.xml, userconfig.xml, `.safe` archives; [`node`]: what is installed here.
//! - [`store`] and [`log`]: SQLite journals and the messages of the module log.
//! - [`wire`]: sealed datagrams; [`net`]: addresses, ARP/ND, ICMP, socket reset.
//! - [`farm`]: the packet filter of a farm. [`told`]: texts in the languages of users.
//! - [`rfs`]: replicated directories: FUSE, stream, zones, reintegration.
//! - [`web`]: the web service, and the way to the other nodes.
//! - [`guard`]: the fencing protocol of `safeguard`, and cgroups.
//! - [`sandbox`]: whole clusters on one machine, for trying, training and testing.

pub mod actors;
pub mod cli;
pub mod config;
pub mod control;
pub mod farm;
pub mod fsm;
pub mod guard;
pub mod hex;
pub mod ids;
pub mod lock;
pub mod log;
pub mod net;
pub mod node;
pub mod rfs;
pub mod sandbox;
pub mod store;
pub mod told;
pub mod web;
pub mod wire;
