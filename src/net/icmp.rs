//! Ping: one echo request and its reply (CFG-PING, C-4.4.5).

use super::NetError;
use super::frame;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Bytes that a reply must bring back: random, so that it answers this very request.
const PAYLOAD: usize = 32;
const IPV4_PROTOCOL_OFFSET: usize = 9;
static SEQUENCE: AtomicU16 = AtomicU16::new(0);

/// Sends one echo request; the round trip time, or none when no reply comes within `timeout` or
/// the target cannot be reached. Uses the unprivileged kind of socket where the system allows it.
///
/// # Errors
/// Only what is wrong on this node, e.g. no permission.
pub async fn ping(target: IpAddr, timeout: Duration) -> Result<Option<Duration>, NetError> {
    let failed = |e| NetError::system(format!("ping {target}"), e);
    let mut payload = [0; PAYLOAD];
    getrandom::fill(&mut payload).map_err(|e| failed(io::Error::other(e.to_string())))?;
    let echo = Echo::new(target, payload);
    let (socket, raw) = open(target).map_err(failed)?;
    let start = Instant::now();
    let exchange = async {
        socket.connect(&SockAddr::from(SocketAddr::new(target, 0)))?;
        socket.send(&echo.request)?;
        // SAFETY: the socket owns its descriptor, which is not replaced or closed before the drop.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE)? };
        loop {
            let mut ready = socket.readable().await?;
            let mut buffer = [0; 512];
            match ready.try_io(|fd| fd.get_ref().read(&mut buffer)) {
                Ok(Ok(length)) if echo.answered_by(&buffer[..length], raw) => return Ok(start.elapsed()),
                Ok(Err(e)) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
        }
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(time)) => Ok(Some(time)),
        Ok(Err(e)) if unreachable(&e) => Ok(None),
        Ok(Err(e)) => Err(failed(e)),
        Err(_) => Ok(None),
    }
}

struct Echo {
    request: Vec<u8>,
    /// The part of the reply that this request determines; the kernel sets the id on a datagram socket.
    sequence: u16,
    id: u16,
    reply: u8,
    payload: [u8; PAYLOAD],
}

impl Echo {
    fn new(target: IpAddr, payload: [u8; PAYLOAD]) -> Self {
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        let id = u16::from_be_bytes([payload[0], payload[1]]);
        let (kind, reply) = if target.is_ipv4() { (8, 0) } else { (128, 129) };
        Echo { request: frame::echo(kind, id, sequence, &payload), sequence, id, reply, payload }
    }

    /// Is this packet the reply? On a raw socket of IPv4 it begins with the IP header, and the id
    /// is ours.
    fn answered_by(&self, packet: &[u8], raw: bool) -> bool {
        let with_header = raw && self.reply == 0;
        let header = match packet.first() {
            Some(first) if with_header => usize::from(first & 0x0f) * 4,
            _ => 0,
        };
        if with_header && packet.get(IPV4_PROTOCOL_OFFSET) != Some(&1) {
            return false;
        }
        let Some((head, payload)) = packet.get(header..).and_then(|m| m.split_first_chunk::<8>()) else {
            return false;
        };
        let id = u16::from_be_bytes([head[4], head[5]]);
        let sequence = u16::from_be_bytes([head[6], head[7]]);
        head[0] == self.reply
            && sequence == self.sequence
            && (!raw || id == self.id)
            && payload == self.payload
    }
}

/// The socket and whether it is a raw one.
fn open(target: IpAddr) -> io::Result<(Socket, bool)> {
    let (domain, protocol) = match target {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let (socket, raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, false),
        // net.ipv4.ping_group_range excludes us, as it does by default.
        Err(_) => (Socket::new(domain, Type::RAW, Some(protocol))?, true),
    };
    socket.set_nonblocking(true)?;
    Ok((socket, raw))
}

/// Errors that say something about the way to the target, not about this node.
fn unreachable(error: &io::Error) -> bool {
    let away = [
        libc::EHOSTUNREACH,
        libc::ENETUNREACH,
        libc::EHOSTDOWN,
        libc::ENETDOWN,
        libc::ECONNREFUSED,
        libc::EADDRNOTAVAIL,
    ];
    error.raw_os_error().is_some_and(|code| away.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(echo: &Echo) -> Vec<u8> {
        frame::echo(echo.reply, echo.id, echo.sequence, &echo.payload)
    }

    #[test]
    fn only_the_reply_to_this_request_counts() {
        let echo = Echo::new("10.0.0.1".parse().unwrap(), [7; PAYLOAD]);
        assert!(echo.answered_by(&reply(&echo), false));
        assert!(!echo.answered_by(&echo.request, false), "an echo request is no reply");
        let mut other = reply(&echo);
        other[8] ^= 1;
        assert!(!echo.answered_by(&other, false), "payload of another request");
        let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1];
        header.resize(20, 0);
        let raw = [header, reply(&echo)].concat();
        assert!(echo.answered_by(&raw, true));
        let mut foreign = raw;
        foreign[24] ^= 1;
        assert!(!echo.answered_by(&foreign, true), "id of another process");
    }

    proptest! {
        #[test]
        fn any_packet_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), raw: bool) {
            let echo = Echo::new("10.0.0.1".parse().unwrap(), [7; PAYLOAD]);
            prop_assert!(!echo.answered_by(&bytes, raw));
        }
    }
}
