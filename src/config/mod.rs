//! Configuration files: XML -> raw elements with lines -> checked types -> plan.

pub mod address;
pub mod cluster;
pub mod error;
mod extract;
mod macros;
pub mod module;
pub mod paths;
mod units;
mod xml;
