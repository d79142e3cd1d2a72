//! The automata: pure functions from state and event to state and effects.
//!
//! Nothing here may look at a clock, a socket, a file, a random source or a log; `tests/tidy`
//! walks these files and fails on such an import. Time, answers and randomness come in as events.

pub mod anew;
pub mod balance;
pub mod bucket;
pub mod command;
pub mod dot;
pub mod explain;
pub mod farm;
pub mod gate;
pub mod generation;
pub mod group;
pub mod instance;
pub mod losses;
pub mod maxloop;
pub mod membership;
pub mod mirror;
pub mod offer;
pub mod peer;
pub mod resource;
pub mod rules;
pub mod scripts;
pub mod start;
pub mod state;
pub mod sync;
pub mod synced;
pub mod table;

#[cfg(test)]
mod peer_tests;
