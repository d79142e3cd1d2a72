//! The `safekit` command.

fn main() {}
