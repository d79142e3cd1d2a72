//! One test per scenario of the guide, on two automata: messages, scripts, states.

mod anew;
mod data;
mod fault;
mod halt;
mod pair;
mod policy;
mod refuse;
mod start;
mod swap;
