//! Real processes on two nodes: one test per scenario of spec/acceptance.md, named after it, each in a
//! sandbox of its own. Needs root and iproute2, and all programs built.

mod administration;
mod audits;
mod behind;
mod boot;
mod checkers;
mod command_line;
mod configuration;
mod console;
mod control_plane;
mod farm_commands;
mod faults;
mod faults_eio;
mod faults_kills;
mod faults_peer;
mod input;
mod lost_box;
mod mirror;
mod node;
mod policies;
mod replicated;
mod replication;
mod rescue;
mod rules;
mod scripts;
mod sqlite;
mod suites;
mod support;
mod synchronization;
mod tcp;
mod traffic;
mod traffic_kept;
mod up;
mod up_checkers;
mod up_scripts;
mod virtual_address;
