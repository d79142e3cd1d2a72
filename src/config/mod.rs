//! Configuration files: XML -> raw elements with lines -> checked types -> plan.

pub mod address;
pub mod archive;
pub mod cluster;
pub mod error;
mod extract;
mod macros;
pub mod module;
pub mod paths;
pub mod plan;
pub mod ports;
pub mod signature;
mod units;
mod xml;

#[cfg(test)]
mod template_tests;
