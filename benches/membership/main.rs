//! What the membership and the balancing of a farm cost by the number of nodes, in the simulation of
//! `tests/simulation/farm`: the real automaton, a simulated network and clock. `make bench-membership`.
//! Ends with 1 if a lost node costs more than `slost_count` pulses and 100 ms.
#![allow(clippy::unwrap_used, reason = "a benchmark fails where it stands")]

#[path = "../../tests/simulation/rng.rs"]
#[allow(dead_code, reason = "the simulation uses all of it")]
mod rng;

#[path = "../../tests/simulation/farm"]
mod farm {
    pub mod table;
    #[allow(dead_code, reason = "the simulation uses all of it")]
    pub mod world;
}

use farm::{table, world};
use std::process::ExitCode;

fn main() -> ExitCode {
    let rows = table::rows(&[2, 3, 4, 8, 16, 32]);
    println!("{}", table::print(&rows));
    let most = u64::from(world::FOLLOWER_LOST) * table::PULSE + 100;
    let missed = rows.iter().any(|row| row.follower > most || row.leader > most);
    ExitCode::from(u8::from(missed))
}
