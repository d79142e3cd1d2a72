//! Is an address set on this node (CFG-IP)?

use super::{Finding, Observation, Probe, Probing, blocking, tcp::resolve};
use crate::config::address::Address;
use crate::net::addr::is_local;
use std::time::Duration;

/// The address and how often it is looked for.
#[derive(Clone, Debug)]
pub struct Ip {
    /// The address.
    pub addr: Address,
    /// Between two looks; a change of the addresses leads to one at once.
    pub interval: Duration,
}

impl Probe for Ip {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn watches_links(&self) -> bool {
        true
    }

    fn probe(&self) -> Probing {
        let addr = self.addr.clone();
        Box::pin(async move {
            let Some(ip) = resolve(addr.clone()).await else {
                tracing::warn!(%addr, "the address of an ip checker cannot be resolved");
                return Observation::Unchanged;
            };
            match blocking(move || is_local(ip)).await {
                Some(Ok(true)) => Observation::Found(Finding::Up),
                Some(Ok(false)) => Observation::Found(Finding::Down),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the addresses of this node cannot be read");
                    Observation::Unchanged
                }
                None => Observation::Unchanged,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_here_or_not() {
        let ip = |addr: &str| Ip { addr: addr.parse().unwrap(), interval: Duration::from_secs(1) };
        assert_eq!(ip("127.0.0.1").probe().await, Observation::Found(Finding::Up));
        assert_eq!(ip("203.0.113.77").probe().await, Observation::Found(Finding::Down));
    }
}
