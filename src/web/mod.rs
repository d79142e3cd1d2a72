//! The web service: what people and other nodes ask over HTTP.

pub mod remote;
