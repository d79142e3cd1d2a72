//! The `safekit` command: the clap tree and printing, one file per command family.

pub mod sandbox;
