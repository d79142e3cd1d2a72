//! Harness of the benchmarks, beside that of the cluster tests.

pub mod capture;
pub mod client;
pub mod helper;
pub mod machine;
pub mod report;
pub mod usage;
