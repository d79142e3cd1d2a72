//! The web service over HTTP, in front of a safeadmin that is a double.

// A test may fail where it stands.
#![allow(clippy::unwrap_used, missing_docs)]

mod bodies;
mod deploy;
mod double;
mod events;
mod health;
mod http2;
mod input;
mod log;
mod login;
mod pages;
mod restart;
mod service;
mod slow;
mod stolen;
mod tokens;

use std::time::{Duration, Instant};

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again until the condition holds.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
