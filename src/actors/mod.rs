//! Actors: record the event, step the automaton, run the effects. No product decision lives here.

pub mod admin;
pub mod checkers;
pub mod cluster;
pub mod group;
pub mod guard;
pub mod heart;
pub mod link;
pub mod module;
pub mod replication;
pub mod script;
pub mod vip;
