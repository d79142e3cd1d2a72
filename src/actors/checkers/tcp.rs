//! Can a TCP service be connected to (CFG-TCP)?

use super::{Finding, Observation, Probe, Probing, blocking};
use crate::config::address::Address;
use crate::net::tcp::{TcpError, connect};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout_at;

/// The service and how it is examined.
#[derive(Clone, Debug)]
pub struct Tcp {
    /// Its address.
    pub addr: Address,
    /// Its port.
    pub port: u16,
    /// Between two connections.
    pub interval: Duration,
    /// For finding the address and connecting together.
    pub timeout: Duration,
}

impl Probe for Tcp {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn probe(&self) -> Probing {
        let Tcp { addr, port, timeout, .. } = self.clone();
        Box::pin(async move {
            let end = tokio::time::Instant::now() + timeout;
            let Ok(Some(ip)) = timeout_at(end, resolve(addr)).await else {
                return Observation::Found(Finding::Down);
            };
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            judge(connect(SocketAddr::new(ip, port), left).await)
        })
    }
}

/// The address itself; none if the name has none.
pub(super) async fn resolve(addr: Address) -> Option<IpAddr> {
    match addr.ip() {
        Some(ip) => Some(ip),
        None => blocking(move || addr.resolve()).await?.ok(),
    }
}

/// What says that this node, not the service, is short of something.
pub(super) const OWN: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];

fn judge(result: Result<(), TcpError>) -> Observation {
    match result {
        Ok(()) => Observation::Found(Finding::Up),
        Err(TcpError::Failed { source, addr })
            if source.raw_os_error().is_some_and(|code| OWN.contains(&code)) =>
        {
            tracing::warn!(%addr, error = %source, "a TCP service could not be examined");
            Observation::Unchanged
        }
        Err(_) => Observation::Found(Finding::Down),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn tcp(addr: &str, port: u16) -> Tcp {
        let second = Duration::from_secs(1);
        Tcp { addr: addr.parse().unwrap(), port, interval: second, timeout: 5 * second }
    }

    #[tokio::test]
    async fn a_listener_is_up_and_a_closed_port_is_down() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(tcp("127.0.0.1", port).probe().await, Observation::Found(Finding::Up));
        assert_eq!(tcp("localhost", port).probe().await, Observation::Found(Finding::Up));
        drop(listener);
        assert_eq!(tcp("127.0.0.1", port).probe().await, Observation::Found(Finding::Down));
    }

    #[test]
    fn who_is_short_of_descriptors_accuses_nobody() {
        let failed = |code| {
            let addr = "127.0.0.1:1".parse().unwrap();
            judge(Err(TcpError::Failed { addr, source: io::Error::from_raw_os_error(code) }))
        };
        assert_eq!(failed(libc::EMFILE), Observation::Unchanged);
        assert_eq!(failed(libc::EHOSTUNREACH), Observation::Found(Finding::Down));
    }
}
