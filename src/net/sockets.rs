//! The TCP connections of an address: counting them (RES-41) and resetting them before a virtual
//! address leaves (CFG-VIP-01, NET-04), through `NETLINK_SOCK_DIAG`.

use super::NetError;
use super::netlink::{Body, Netlink};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use std::net::IpAddr;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
/// `TCP_ESTABLISHED`, as a bit of the kernel's set of states.
const ESTABLISHED: u32 = 1 << 1;
/// Every state but closed, listening and waiting after the end: what a peer may still believe in.
const ALIVE: u32 = 0x0fff & !(1 << 6 | 1 << 7 | 1 << 10) & !1;
/// Where `inet_diag_sockid` (48 bytes) stands in an answer.
const SOCKET_ID: std::ops::Range<usize> = 4..52;
/// Rounds of a reset: a client may connect while its predecessors are reset.
const ROUNDS: u32 = 3;

/// How many TCP connections with this local address are established.
///
/// # Errors
/// The kernel's, typed.
pub fn count(addr: IpAddr) -> Result<u32, NetError> {
    let mut kernel = Netlink::open(NETLINK_SOCK_DIAG)?;
    let found = connections(&mut kernel, addr, ESTABLISHED)?;
    Ok(u32::try_from(found.len()).unwrap_or(u32::MAX))
}

/// Resets every TCP connection with this local address, so that its clients get a RST at once
/// and the local sockets fail; how many there were. Listeners stay. Call it while the address is
/// still set, as the RST leaves from it.
///
/// # Errors
/// [`NetError::NoReset`] when the kernel cannot; else the kernel's, typed.
pub fn reset(addr: IpAddr) -> Result<u32, NetError> {
    let mut kernel = Netlink::open(NETLINK_SOCK_DIAG)?;
    let mut done = 0;
    for _ in 0..ROUNDS {
        let found = connections(&mut kernel, addr, ALIVE)?;
        if found.is_empty() {
            break;
        }
        for connection in found {
            done += u32::from(destroy(&mut kernel, addr, &connection)?);
        }
    }
    Ok(done)
}

/// A socket as the kernel names it.
struct Connection {
    family: u8,
    id: Vec<u8>,
}

fn connections(kernel: &mut Netlink, addr: IpAddr, states: u32) -> Result<Vec<Connection>, NetError> {
    // An IPv4 client of an IPv6 listener is a socket of IPv6 with a mapped address.
    let families: &[i32] = if addr.is_ipv4() { &[libc::AF_INET, libc::AF_INET6] } else { &[libc::AF_INET6] };
    let what = format!("list the TCP connections of {addr}");
    let mut found = Vec::new();
    for family in families {
        let mut bytes = request(*family as u8, states, &[0; 48]);
        bytes.extend(local_address_is(addr));
        let answers = kernel.dump(&what, &Body { kind: SOCK_DIAG_BY_FAMILY, bytes })?;
        found.extend(answers.iter().filter_map(|answer| parse(answer, addr)));
    }
    Ok(found)
}

/// True when the socket was there.
fn destroy(kernel: &mut Netlink, addr: IpAddr, connection: &Connection) -> Result<bool, NetError> {
    let what = format!("reset a TCP connection of {addr}");
    let bytes = request(connection.family, ALIVE, &connection.id);
    match kernel.change(&what, Body { kind: SOCK_DESTROY, bytes }, 0) {
        Err(e) if e.errno() == Some(libc::EOPNOTSUPP) => Err(NetError::NoReset { addr }),
        Err(e) if e.errno() == Some(libc::ENOENT) => Ok(false),
        other => other.map(|()| true),
    }
}

/// `struct inet_diag_req_v2`.
fn request(family: u8, states: u32, id: &[u8]) -> Vec<u8> {
    let mut bytes = vec![family, libc::IPPROTO_TCP as u8, 0, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.extend(id);
    bytes
}

/// The attribute that lets the kernel search: `INET_DIAG_REQ_BYTECODE` with one condition, source
/// address (`struct inet_diag_bc_op`, `struct inet_diag_hostcond`) equal to `addr`, any port.
fn local_address_is(addr: IpAddr) -> Vec<u8> {
    const INET_DIAG_REQ_BYTECODE: u16 = 1;
    const INET_DIAG_BC_S_COND: u8 = 7;
    let (family, address) = match addr {
        IpAddr::V4(a) => (libc::AF_INET, a.octets().to_vec()),
        IpAddr::V6(a) => (libc::AF_INET6, a.octets().to_vec()),
    };
    // Operation and condition are 12 bytes before the address: at most 28, and 32 with the header.
    let code = 12 + address.len() as u16;
    let mut bytes = (code + 4).to_ne_bytes().to_vec();
    bytes.extend(INET_DIAG_REQ_BYTECODE.to_ne_bytes());
    // Where to go on: behind the end (4 more than the length) means no match.
    bytes.extend([INET_DIAG_BC_S_COND, code as u8]);
    bytes.extend((code + 4).to_ne_bytes());
    bytes.extend([family as u8, address.len() as u8 * 8, 0, 0]);
    bytes.extend((-1i32).to_ne_bytes());
    bytes.extend(address);
    bytes
}

/// The connection in an answer (`struct inet_diag_msg`), if its local address is the one asked for:
/// what is reset is checked here again, whatever the kernel's search gave.
fn parse(answer: &Body, addr: IpAddr) -> Option<Connection> {
    let family = *answer.bytes.first()?;
    let id = answer.bytes.get(SOCKET_ID)?;
    let length = if i32::from(family) == libc::AF_INET { 4 } else { 16 };
    let local = super::addr::ip(id.get(4..4 + length)?)?;
    (local.to_canonical() == addr).then(|| Connection { family, id: id.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mapped_address_is_the_address() {
        let addr: IpAddr = "10.0.0.1".parse().unwrap();
        let mut bytes = vec![0; 72];
        bytes[0] = libc::AF_INET6 as u8;
        bytes[18..24].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
        let answer = Body { kind: SOCK_DIAG_BY_FAMILY, bytes };
        assert!(parse(&answer, addr).is_some());
        assert!(parse(&answer, "10.0.0.2".parse().unwrap()).is_none());
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let answer = Body { kind: SOCK_DIAG_BY_FAMILY, bytes };
            prop_assert!(parse(&answer, "192.0.2.1".parse().unwrap()).is_none());
        }
    }
}
