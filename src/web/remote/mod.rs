//! The way to the other nodes: `safekit -H`, and the console that shows them all.
//!
//! The local protocol travels sealed in the HTTP or HTTPS of the web service: [`channel`] is the seal,
//! [`server`] and [`client`] are its ends, [`table`] has the limits. Who knows the secret of
//! `rcmdadmin` ([`secret`]) may use it; [`target`] says which nodes are meant, [`deploy`] gives them what
//! this node has.

pub mod channel;
pub mod client;
pub mod deploy;
pub mod error;
mod opened;
pub mod secret;
pub mod server;
pub mod table;
pub mod target;
pub mod way;
