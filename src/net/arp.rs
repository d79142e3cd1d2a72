//! Announcing an address (gratuitous ARP, unsolicited neighbour advertisement) and asking the
//! link who holds one (ARP and neighbour probes). NET-02, NET-03.

use super::frame::{self, Arp};
use super::{MacAddr, NetError};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
/// How often a probe asks within its timeout, as a link may lose a packet.
const PROBES: u32 = 3;

/// Sends announcements. It keeps one packet socket open, as the kernel takes milliseconds to
/// close such a socket: the caller holds it as long as it may announce.
#[derive(Debug)]
pub struct Announcer {
    socket: Socket,
}

impl Announcer {
    /// Opens the socket; it receives nothing.
    ///
    /// # Errors
    /// The kernel's, typed (`CAP_NET_RAW`).
    pub fn open() -> Result<Self, NetError> {
        Ok(Announcer { socket: packet_socket("announce addresses")? })
    }

    /// Tells everybody on the link that `addr` is at `mac`: in IPv4 by a gratuitous request and a
    /// gratuitous reply (some systems learn only from one of them), in IPv6 by an unsolicited
    /// neighbour advertisement that overrides what is known.
    ///
    /// # Errors
    /// The kernel's, typed: e.g. the interface is disabled or gone.
    pub fn announce(&self, ifindex: u32, mac: MacAddr, addr: IpAddr) -> Result<(), NetError> {
        let send = |protocol, to, packet: Vec<u8>| {
            let sent = self.socket.send_to(&packet, &link_addr(ifindex, protocol, to));
            sent.map(|_| ()).map_err(|e| NetError::system(format!("announce {addr}"), e))
        };
        match addr {
            IpAddr::V4(a) => {
                let none = MacAddr([0; 6]);
                for (reply, target_mac) in [(false, none), (true, MacAddr::BROADCAST)] {
                    let arp = Arp { reply, sender_mac: mac, sender: a, target_mac, target: a };
                    send(ETH_P_ARP, MacAddr::BROADCAST, arp.bytes())?;
                }
                Ok(())
            }
            IpAddr::V6(a) => {
                let to = frame::multicast_mac(frame::ALL_NODES);
                send(ETH_P_IPV6, to, frame::advertisement(a, mac))
            }
        }
    }
}

/// Asks the link of an interface who holds `addr`, as somebody without an address (RFC 5227), so
/// that no cache is touched. Blocks up to `timeout`. Answers of this interface itself (`mac`) do
/// not count; with several holders the first answer wins.
///
/// # Errors
/// The kernel's, typed. Nobody's answer is no error.
pub fn probe(
    ifindex: u32,
    mac: MacAddr,
    addr: IpAddr,
    timeout: Duration,
) -> Result<Option<MacAddr>, NetError> {
    let what = format!("ask who holds {addr}");
    let failed = |e| NetError::system(&what, e);
    let socket = packet_socket(&what)?;
    let (protocol, to, question) = match addr {
        IpAddr::V4(a) => {
            let (sender, target_mac) = (Ipv4Addr::UNSPECIFIED, MacAddr([0; 6]));
            let arp = Arp { reply: false, sender_mac: mac, sender, target_mac, target: a };
            (ETH_P_ARP, MacAddr::BROADCAST, arp.bytes())
        }
        IpAddr::V6(a) => {
            socket.attach_filter(&only_advertisements()).map_err(failed)?;
            let to = frame::multicast_mac(frame::solicited_node(a));
            (ETH_P_IPV6, to, frame::solicitation(a))
        }
    };
    let to = link_addr(ifindex, protocol, to);
    socket.bind(&to).map_err(failed)?;
    let start = Instant::now();
    for round in 1..=PROBES {
        socket.send_to(&question, &to).map_err(failed)?;
        let until = start + timeout * round / PROBES;
        let holder = listen(&socket, until, |packet| holder(addr, packet).filter(|m| *m != mac));
        if let Some(holder) = holder.map_err(failed)? {
            return Ok(Some(holder));
        }
    }
    Ok(None)
}

/// Reads packets until one answers or the time is over.
fn listen(
    socket: &Socket,
    until: Instant,
    answer: impl Fn(&[u8]) -> Option<MacAddr>,
) -> io::Result<Option<MacAddr>> {
    let mut buffer = [0; 1536];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut reader = socket;
        match reader.read(&mut buffer) {
            Ok(length) => {
                if let Some(mac) = answer(&buffer[..length]) {
                    return Ok(Some(mac));
                }
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(e),
        }
    }
}

fn holder(addr: IpAddr, packet: &[u8]) -> Option<MacAddr> {
    match addr {
        IpAddr::V4(a) => Arp::parse(packet).filter(|arp| arp.sender == a).map(|arp| arp.sender_mac),
        IpAddr::V6(a) => frame::parse_advertisement(packet).filter(|(t, _)| *t == a).map(|(_, mac)| mac),
    }
}

/// A packet socket that receives nothing until it is bound.
fn packet_socket(what: &str) -> Result<Socket, NetError> {
    Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0))).map_err(|e| NetError::system(what, e))
}

/// Lets only neighbour advertisements through: a busy link would else fill the socket's buffer.
fn only_advertisements() -> [SockFilter; 6] {
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, 6),
        SockFilter::new(JUMP_EQUAL, 0, 3, 58),
        SockFilter::new(LOAD_BYTE, 0, 0, 40),
        SockFilter::new(JUMP_EQUAL, 0, 1, 136),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

fn link_addr(ifindex: u32, protocol: u16, mac: MacAddr) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is plain data, and no longer than the storage, which is made for every
    // kind of address.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as u16;
    link.sll_protocol = protocol.to_be();
    link.sll_ifindex = ifindex as i32;
    link.sll_halen = 6;
    link.sll_addr[..6].copy_from_slice(&mac.0);
    // SAFETY: the storage holds a whole sockaddr_ll, and the length is that of one.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}
