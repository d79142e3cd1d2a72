//! Real processes on two nodes: one test per scenario of spec/acceptance.md, named after it, each in a
//! sandbox of its own. Needs root and iproute2, and all programs built.

mod administration;
mod checkers;
mod mirror;
mod node;
mod support;
