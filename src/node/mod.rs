//! What this node holds: installed modules, their ids, keys, configurations and boot settings.
//!
//! Blocking code: actors call it from `spawn_blocking`, one command per module at a time.

pub mod boot;
pub mod check;
pub mod cluster;
pub mod cluster_zip;
pub mod configure;
pub mod crontab;
pub mod environment;
pub mod firewall;
mod french;
pub mod identity;
pub mod keys;
pub mod lastconfig;
pub mod level;
pub mod modules;
pub mod record;
pub mod replicated;
pub mod rfssync;
pub mod script;
pub mod service;
pub mod sysctl;
pub mod templates;
pub mod tree;
pub mod webconf;
pub mod webserver;

#[cfg(test)]
mod install_tests;
#[cfg(test)]
mod testing;
