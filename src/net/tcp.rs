//! The probe of a TCP service: can it be connected to?

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// Why a service cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// No answer within the timeout.
    #[error("no answer of {addr} within {} ms", .timeout.as_millis())]
    NoAnswer {
        /// The service.
        addr: SocketAddr,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// Refused, unreachable, or a local failure.
    #[error("cannot connect to {addr}: {source}")]
    Failed {
        /// The service.
        addr: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// Connects and closes again.
///
/// # Errors
/// No answer in time, or the system's reason.
pub async fn connect(addr: SocketAddr, timeout: Duration) -> Result<(), TcpError> {
    match tokio::time::timeout(timeout, TcpStream::connect(addr)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(TcpError::Failed { addr, source }),
        Err(_) => Err(TcpError::NoAnswer { addr, timeout }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listener_is_connected_to_and_a_closed_port_is_not() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        connect(addr, Duration::from_secs(5)).await.unwrap();
        drop(listener);
        let error = connect(addr, Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(error, TcpError::Failed { .. }), "{error}");
    }
}
