//! Does a host answer to ping (CFG-PNG)?

use super::tcp::resolve;
use super::{Finding, Observation, Probe, Probing};
use crate::config::address::Address;
use std::time::Duration;
use tokio::time::timeout_at;

/// The host and how it is examined.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Its address.
    pub addr: Address,
    /// Between two requests.
    pub interval: Duration,
    /// For finding the address and the answer together.
    pub timeout: Duration,
}

impl Probe for Ping {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn probe(&self) -> Probing {
        let Ping { addr, timeout, .. } = self.clone();
        Box::pin(async move {
            let end = tokio::time::Instant::now() + timeout;
            let Ok(Some(ip)) = timeout_at(end, resolve(addr)).await else {
                return Observation::Found(Finding::Down);
            };
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            match crate::net::icmp::ping(ip, left).await {
                Ok(Some(_)) => Observation::Found(Finding::Up),
                Ok(None) => Observation::Found(Finding::Down),
                Err(error) => {
                    tracing::warn!(%error, "a host could not be pinged");
                    Observation::Unchanged
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_loopback_answers() {
        let second = Duration::from_secs(1);
        let ping = Ping { addr: "127.0.0.1".parse().unwrap(), interval: second, timeout: 5 * second };
        assert_eq!(ping.probe().await, Observation::Found(Finding::Up));
    }
}
