//! Configuration files: XML -> raw elements with lines -> checked types -> plan.

pub mod address;
pub mod cluster;
pub mod error;
pub mod module;
pub mod paths;
