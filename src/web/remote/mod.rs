//! The way to the other nodes: `safekit -H`, and the console that shows them all.
//!
//! The local protocol travels sealed in the HTTP or HTTPS of the web service: [`channel`] is the seal.
//! Who knows the secret of `rcmdadmin` ([`secret`]) may use it.

pub mod channel;
pub mod secret;
