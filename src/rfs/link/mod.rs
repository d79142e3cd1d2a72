//! Connections of replication: blocking TCP, one half to read and one to write, each for a thread of its
//! own. With the module's key it is TLS 1.3 whose two sides prove to have that key, without certificates
//! and without a look at the clock ([`tls`]); without a key it is plain.

mod half;
mod socket;
mod tls;

#[cfg(test)]
pub(crate) mod tests;

use super::wire::WireError;
use socket::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use half::{Closer, Reader, Writer};

/// Key of a module.
pub type Key = [u8; 32];

/// What both ends of a link have to agree on, and how long a write may make no progress.
#[derive(Clone)]
pub struct Options {
    /// The module's key; none: plain TCP.
    pub key: Option<Key>,
    /// The link is broken when the peer's machine takes nothing for this long.
    pub send_timeout: Duration,
}

/// What is wrong with a link. After any error but [`LinkError::Quiet`] it cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No connection.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Whom.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The peer does not have the same key of the module, or none while this node has one, or the other
    /// way round (MSG-R-11): the keys of the module must be the same on both nodes.
    #[error("the peer's key of the module is not this node's: {0}")]
    Handshake(String),
    /// The peer did not finish in time.
    #[error("the peer did not answer in time")]
    Timeout,
    /// Nothing came for the time that was set for reading; the link is still good.
    #[error("nothing came from the peer")]
    Quiet,
    /// The peer ended the connection, or this node did.
    #[error("the connection is closed")]
    Closed,
    /// The connection broke.
    #[error("the connection to the peer broke: {0}")]
    Broken(#[source] io::Error),
    /// What came is not a frame, or what was to be sent cannot be one.
    #[error(transparent)]
    Frame(#[from] WireError),
}

/// Makes connections.
pub struct Link;

impl Link {
    /// Connects to `address`, from `local` if given, and proves the key; `deadline` bounds all of it.
    ///
    /// # Errors
    /// [`LinkError::Connect`], [`LinkError::Handshake`], [`LinkError::Timeout`].
    pub fn connect(
        address: SocketAddr,
        local: Option<IpAddr>,
        options: &Options,
        deadline: Instant,
    ) -> Result<(Reader, Writer), LinkError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::TimedOut => LinkError::Timeout,
            _ => LinkError::Connect { address, source },
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let socket = Socket::connect(address, local, left, options.send_timeout).map_err(failed)?;
        let socket = Arc::new(socket);
        let tls = options.key.map(|key| tls::connect(&socket, &key, deadline)).transpose()?;
        half::halves(socket, tls)
    }
}

/// Accepts connections.
pub struct Listener {
    socket: TcpListener,
    options: Options,
}

impl Listener {
    /// Listens on `address`.
    ///
    /// # Errors
    /// [`LinkError::Listen`].
    pub fn bind(address: SocketAddr, options: Options) -> Result<Listener, LinkError> {
        let socket = TcpListener::bind(address).map_err(|source| LinkError::Listen { address, source })?;
        Ok(Listener { socket, options })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for a connection. Nothing of the peer is read yet.
    ///
    /// # Errors
    /// [`LinkError::Closed`] after [`Listener::shutdown`]; else [`LinkError::Broken`]: out of descriptors,
    /// for instance; it may be called again.
    pub fn accept(&self) -> Result<Incoming, LinkError> {
        let closed = |error: io::Error| match error.raw_os_error() {
            Some(libc::EINVAL) => LinkError::Closed,
            _ => LinkError::Broken(error),
        };
        let (stream, peer) = self.socket.accept().map_err(closed)?;
        Ok(Incoming { stream, peer, options: self.options.clone() })
    }

    /// Wakes who waits in [`Listener::accept`]; nothing is accepted any more.
    pub fn shutdown(&self) {
        // It fails only for a socket that does not listen any more.
        let _ = shut(&self.socket);
    }
}

fn shut(socket: &TcpListener) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Both)
}

/// A connection that was accepted, before anything is known of the peer but its address.
pub struct Incoming {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    options: Options,
}

impl Incoming {
    /// Address of the peer.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Has the peer prove the key; `deadline` bounds it. Not on the thread that accepts: a stranger may
    /// take all of that time.
    ///
    /// # Errors
    /// [`LinkError::Handshake`], [`LinkError::Timeout`], [`LinkError::Broken`].
    pub fn handshake(self, deadline: Instant) -> Result<(Reader, Writer), LinkError> {
        let socket = Socket::accepted(self.stream, self.options.send_timeout).map_err(LinkError::Broken)?;
        let socket = Arc::new(socket);
        let tls = self.options.key.map(|key| tls::accept(&socket, &key, deadline)).transpose()?;
        half::halves(socket, tls)
    }
}
