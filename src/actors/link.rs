//! One heartbeat link: a UDP socket on one heartbeat network (CFG-HB). It takes no decision; what
//! arrives goes to the heart with the time of its arrival.

use actix::prelude::*;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// How often a link whose local address is missing looks for it again.
const REBIND: Duration = Duration::from_secs(1);
/// Largest datagram of the wire format.
const DATAGRAM: usize = 9 * 1024;
/// Datagrams that may wait to be sent; a newer heartbeat is worth more than an old one.
const MAILBOX: usize = 8;

/// A datagram to send to the peer, or to where one came from.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Transmit(pub Vec<u8>);

/// What a link tells its heart.
#[derive(Message)]
#[rtype(result = "()")]
pub enum LinkEvent {
    /// A datagram arrived on the link of this index.
    Arrived(usize, Vec<u8>),
    /// The local address of the link is there, or is missing (RES-14).
    Local(usize, bool),
}

/// The actor.
pub struct Link {
    index: usize,
    local: SocketAddr,
    peer: SocketAddr,
    heart: Recipient<LinkEvent>,
    socket: Option<Rc<UdpSocket>>,
}

impl Link {
    /// The link of this index between two addresses, on one port.
    pub fn new(index: usize, local: IpAddr, peer: IpAddr, port: u16, heart: Recipient<LinkEvent>) -> Link {
        let (local, peer) = (SocketAddr::new(local, port), SocketAddr::new(peer, port));
        Link { index, local, peer, heart, socket: None }
    }

    fn bind(&mut self, ctx: &mut Context<Self>) {
        match open(self.local) {
            Ok(socket) => {
                let socket = Rc::new(socket);
                self.socket = Some(socket.clone());
                self.tell(LinkEvent::Local(self.index, true));
                ctx.add_stream(datagrams(socket));
            }
            Err(error) => {
                if self.socket.is_none() {
                    tracing::debug!(local = %self.local, %error, "the heartbeat address is not there");
                }
                self.tell(LinkEvent::Local(self.index, false));
                ctx.run_later(REBIND, Link::bind);
            }
        }
    }

    fn tell(&self, event: LinkEvent) {
        // A lost heartbeat is like one that the network lost.
        if self.heart.try_send(event).is_err() {
            tracing::debug!(local = %self.local, "the heart is busy, a datagram is lost");
        }
    }
}

fn open(local: SocketAddr) -> io::Result<UdpSocket> {
    let domain = socket2::Domain::for_address(local);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    socket.set_reuse_address(true)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    UdpSocket::from_std(socket.into())
}

/// Datagrams as they come; the stream ends at an error that a new socket may mend.
fn datagrams(socket: Rc<UdpSocket>) -> impl futures_util::Stream<Item = Vec<u8>> {
    futures_util::stream::unfold(socket, |socket| async move {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            match socket.recv_from(&mut buffer).await {
                Ok((n, _)) => {
                    buffer.truncate(n);
                    return Some((buffer, socket));
                }
                // The peer's port is closed: the kernel says so on the next receive.
                Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => {
                    tracing::warn!(%error, "a heartbeat socket failed");
                    return None;
                }
            }
        }
    })
}

impl Actor for Link {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.bind(ctx);
    }
}

impl StreamHandler<Vec<u8>> for Link {
    fn handle(&mut self, datagram: Vec<u8>, _: &mut Self::Context) {
        self.tell(LinkEvent::Arrived(self.index, datagram));
    }

    fn finished(&mut self, ctx: &mut Self::Context) {
        self.socket = None;
        ctx.run_later(REBIND, Link::bind);
    }
}

impl Handler<Transmit> for Link {
    type Result = ();

    fn handle(&mut self, Transmit(bytes): Transmit, _: &mut Self::Context) {
        if let Some(socket) = &self.socket {
            // A full buffer or a missing route loses the heartbeat as the network would.
            let _ = socket.try_send_to(&bytes, self.peer);
        }
    }
}

/// Ends a link.
#[derive(Message)]
#[rtype(result = "()")]
pub struct End;

impl Handler<End> for Link {
    type Result = ();

    fn handle(&mut self, _: End, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
