//! The state of a link, and a watch that tells at once when an interface or an address changes,
//! so that interface checkers need not wait for their next period (NET-06, RES-20).

use super::NetError;
use super::addr::Interface;
use super::netlink::{Body, Netlink, messages};
use futures_util::Stream;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use std::collections::BTreeSet;
use std::io;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The state of an interface for its checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Enabled, with carrier.
    Up,
    /// Enabled, but the cable is out or nobody is at its other end.
    NoCarrier,
    /// Disabled by the administrator (C-4.4.4b).
    Disabled,
}

impl Interface {
    /// The state of the link.
    pub fn link(&self) -> LinkState {
        match (self.up, self.carrier) {
            (true, true) => LinkState::Up,
            (true, false) => LinkState::NoCarrier,
            (false, _) => LinkState::Disabled,
        }
    }
}

/// Lets an interface receive what is for other machines, or no more. This is one switch for all: who turns
/// it off must know that he turned it on.
///
/// # Errors
/// The kernel's, typed.
pub fn set_promiscuous(index: u32, on: bool) -> Result<(), NetError> {
    let mut request = LinkMessage::default();
    request.header.index = index;
    request.header.flags = if on { LinkFlags::Promisc } else { LinkFlags::empty() };
    request.header.change_mask = LinkFlags::Promisc;
    let what =
        if on { "set an interface to promiscuous mode" } else { "end the promiscuous mode of an interface" };
    let body = Body::new(libc::RTM_NEWLINK, &request);
    Netlink::open(NETLINK_ROUTE)?.change(what, body, 0)
}

/// What the watch saw. It names the interfaces only: who is interested asks for their state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The link or an address of these interfaces (by index) changed.
    Interfaces(BTreeSet<u32>),
    /// So much changed that the kernel lost part of it: look at everything.
    Everything,
}

/// A subscription to the changes of links and addresses of this network namespace.
pub struct LinkWatch {
    socket: AsyncFd<Socket>,
}

impl LinkWatch {
    /// Subscribes; must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel's, typed.
    pub fn open() -> Result<Self, NetError> {
        let failed = |e| NetError::system("watch the interfaces", e);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
        socket.bind(&SocketAddr::new(0, groups as u32)).map_err(failed)?;
        socket.set_non_blocking(true).map_err(failed)?;
        // SAFETY: the socket owns its descriptor, which is not replaced or closed before the drop.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
        Ok(LinkWatch { socket: socket.map_err(|e| failed(e.into()))? })
    }

    /// Waits for the next change. Cancel-safe.
    ///
    /// # Errors
    /// The kernel's, typed; the watch is then of no more use.
    pub async fn next(&mut self) -> Result<Change, NetError> {
        loop {
            let failed = |e| NetError::system("watch the interfaces", e);
            let mut ready = self.socket.readable().await.map_err(failed)?;
            match ready.try_io(|fd| fd.get_ref().recv_from_full()) {
                Err(_would_block) => {}
                Ok(Err(e)) if e.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Change::Everything),
                Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(e)) => return Err(failed(e)),
                Ok(Ok((bytes, _))) => {
                    if let Some(change) = changed(&bytes) {
                        return Ok(change);
                    }
                }
            }
        }
    }

    /// The changes as a stream, which ends when the watch fails.
    pub fn into_stream(self) -> impl Stream<Item = Change> + Unpin {
        Box::pin(futures_util::stream::unfold(self, |mut watch| async {
            match watch.next().await {
                Ok(change) => Some((change, watch)),
                Err(error) => {
                    tracing::warn!(%error, "checkers fall back to their period");
                    None
                }
            }
        }))
    }
}

/// The interfaces that a datagram of the kernel is about; a datagram that cannot be read may be
/// about any.
fn changed(datagram: &[u8]) -> Option<Change> {
    let Ok(messages) = messages(datagram) else { return Some(Change::Everything) };
    let about = |body: &Body| {
        // ifi_index and ifa_index stand at the same place in their headers.
        let index = body.bytes.get(4..8)?.try_into().ok()?;
        let ours = [libc::RTM_NEWLINK, libc::RTM_DELLINK, libc::RTM_NEWADDR, libc::RTM_DELADDR];
        ours.contains(&body.kind).then(|| u32::from_ne_bytes(index))
    };
    let indexes: BTreeSet<u32> = messages
        .iter()
        .filter_map(|m| if let NetlinkPayload::InnerMessage(body) = &m.payload { about(body) } else { None })
        .collect();
    (!indexes.is_empty()).then_some(Change::Interfaces(indexes))
}
