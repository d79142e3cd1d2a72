//! Removing addresses by hand-made rtnetlink messages: a fence needs no more of the network.

use super::frame::Vip;
use nix::errno::Errno;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

/// Longest wait for an answer of the kernel, ms.
const LIMIT_MS: i64 = 100;
/// The same IPv4 address may be there with several prefixes; most of them removed at once.
const MOST: usize = 8;
const HEADER: usize = 16;
/// Header, ifaddrmsg, and one attribute that holds an IPv6 address.
const LONGEST: usize = HEADER + 8 + 4 + 16;

/// An rtnetlink socket.
pub(super) struct Addresses {
    socket: OwnedFd,
    number: u32,
}

impl Addresses {
    pub(super) fn open() -> Result<Addresses, Errno> {
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        setsockopt(&socket, ReceiveTimeout, &TimeVal::milliseconds(LIMIT_MS))?;
        Ok(Addresses { socket, number: 0 })
    }

    /// Removes `vip` until the kernel says that it is not there (any more).
    pub(super) fn remove(&mut self, vip: &Vip) -> Result<(), Errno> {
        for _ in 0..MOST {
            match self.remove_once(vip) {
                Ok(()) => {}
                // Also when its interface, or IPv6 on it, is gone.
                Err(Errno::EADDRNOTAVAIL | Errno::ENODEV | Errno::ENXIO) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Err(Errno::EBUSY)
    }

    fn remove_once(&mut self, vip: &Vip) -> Result<(), Errno> {
        self.number = self.number.wrapping_add(1);
        let (message, length) = delete_message(self.number, vip);
        send(self.socket.as_raw_fd(), &message[..length], MsgFlags::empty())?;
        let mut answer = [0; 512];
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut answer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN) => return Err(Errno::ETIMEDOUT),
                other => other?,
            };
            if let Some(result) = read_answer(&answer[..length], self.number) {
                return result;
            }
        }
    }
}

/// RTM_DELADDR. Without IFA_ADDRESS, IPv4 is removed whatever its prefix is.
fn delete_message(number: u32, vip: &Vip) -> ([u8; LONGEST], usize) {
    let octets: &[u8] = match &vip.addr {
        IpAddr::V4(addr) => &addr.octets(),
        IpAddr::V6(addr) => &addr.octets(),
    };
    let family = if vip.addr.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let length = HEADER + 8 + 4 + octets.len();
    let mut out = [0; LONGEST];
    // Every number below is at most 44, or a constant of one or two bytes.
    out[0..4].copy_from_slice(&(length as u32).to_ne_bytes());
    out[4..6].copy_from_slice(&libc::RTM_DELADDR.to_ne_bytes());
    out[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    out[8..12].copy_from_slice(&number.to_ne_bytes());
    out[16] = family as u8;
    out[17] = vip.prefix;
    out[20..24].copy_from_slice(&vip.index.to_ne_bytes());
    out[24..26].copy_from_slice(&((4 + octets.len()) as u16).to_ne_bytes());
    out[26..28].copy_from_slice(&libc::IFA_LOCAL.to_ne_bytes());
    out[28..length].copy_from_slice(octets);
    (out, length)
}

/// The result in an acknowledgement of message `number`; none when it is about something else.
fn read_answer(answer: &[u8], number: u32) -> Option<Result<(), Errno>> {
    let field = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if i32::from(kind) != libc::NLMSG_ERROR || field(8)? != number {
        return None;
    }
    Some(match field(HEADER)?.cast_signed() {
        0 => Ok(()),
        error => Err(Errno::from_raw(error.saturating_neg())),
    })
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
