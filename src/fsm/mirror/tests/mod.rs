//! One test per scenario of the guide, on two automata: messages, scripts, states.

mod data;
mod fault;
mod halt;
mod pair;
mod policy;
mod refuse;
mod start;
mod swap;
