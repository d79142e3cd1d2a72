//! Permanent neighbour entries for the addresses of heartbeats (CFG-HB-04 permanent_arp): no ARP
//! exchange can then delay a heartbeat, and no false answer can divert it.

use super::addr::family;
use super::netlink::{Body, Netlink};
use super::{MacAddr, NetError};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::net::IpAddr;

/// Sets a permanent entry, in place of any other for that address. The caller treats a failure as
/// a warning: heartbeats also work with ordinary resolution.
///
/// # Errors
/// The kernel's, typed.
pub fn set_permanent(ifindex: u32, addr: IpAddr, mac: MacAddr) -> Result<(), NetError> {
    let what = format!("set a permanent neighbour entry for {addr}");
    let mut message = message(ifindex, addr);
    message.header.state = NeighbourState::Permanent;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    let body = Body::new(libc::RTM_NEWNEIGH, &message);
    Netlink::open(NETLINK_ROUTE)?.change(&what, body, NLM_F_CREATE | NLM_F_REPLACE)
}

/// Removes the entry of an address; true when there was one.
///
/// # Errors
/// The kernel's, typed.
pub fn remove(ifindex: u32, addr: IpAddr) -> Result<bool, NetError> {
    let what = format!("remove the neighbour entry for {addr}");
    let body = Body::new(libc::RTM_DELNEIGH, &message(ifindex, addr));
    match Netlink::open(NETLINK_ROUTE)?.change(&what, body, 0) {
        Err(e) if matches!(e.errno(), Some(libc::ENOENT | libc::ENODEV)) => Ok(false),
        other => other.map(|()| true),
    }
}

/// The MAC address that the kernel knows for a neighbour, in whatever state the entry is.
///
/// # Errors
/// The kernel's, typed.
pub fn mac_of(ifindex: u32, addr: IpAddr) -> Result<Option<MacAddr>, NetError> {
    const NDA_LLADDR: u16 = 2;
    const NEIGHBOUR_HEADER: usize = 12;
    let body = Body::new(libc::RTM_GETNEIGH, &message(ifindex, addr));
    match Netlink::open(NETLINK_ROUTE)?.get(&format!("read the neighbour entry for {addr}"), body) {
        Err(e) if matches!(e.errno(), Some(libc::ENOENT | libc::ENODEV)) => Ok(None),
        other => {
            let entry = other?;
            let mut attributes = entry.iter().flat_map(|body| body.attributes(NEIGHBOUR_HEADER));
            let mac = attributes.find(|(kind, _)| *kind == NDA_LLADDR);
            Ok(mac.and_then(|(_, bytes)| MacAddr::from_bytes(&bytes)))
        }
    }
}

fn message(ifindex: u32, addr: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(addr);
    message.header.ifindex = ifindex;
    let destination = match addr {
        IpAddr::V4(a) => NeighbourAddress::Inet(a),
        IpAddr::V6(a) => NeighbourAddress::Inet6(a),
    };
    message.attributes.push(NeighbourAttribute::Destination(destination));
    message
}
