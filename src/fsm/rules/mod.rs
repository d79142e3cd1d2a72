//! The failover rule language and the failover machine (spec/config.md 13, states.md 4).
//!
//! `label: if (expression) then action();` is parsed into [`ast`], judged by [`eval`] and turned
//! into actions by [`machine`], which waits until an action was selected for `handle_time`.

pub mod ast;
pub mod default;
pub mod eval;
mod lex;
pub mod machine;
pub mod parse;

pub use default::{Entry, FORCE_UPTODATE, Generated, Origin, Ruleset, SYNCAT_WAIT, Sources, UserText};

#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod tests;
