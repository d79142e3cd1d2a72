//! Interfaces of this node, their addresses, and where a virtual address belongs (NET-01, NET-05).

use super::netlink::{Body, Netlink};
use super::{MacAddr, NetError};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessage, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
/// Lifetime of an address that never expires.
const FOREVER: u32 = u32::MAX;

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Index in the kernel.
    pub index: u32,
    /// Name, e.g. `eth0`.
    pub name: String,
    /// MAC address; none on the loopback and on links without Ethernet.
    pub mac: Option<MacAddr>,
    /// Enabled by the administrator.
    pub up: bool,
    /// Able to pass packets as far as the kernel knows.
    pub running: bool,
    /// A cable with somebody at its other end.
    pub carrier: bool,
    /// Somebody set it to receive what is for other machines, and did not say who; what a capture does
    /// for itself is not seen here.
    pub promiscuous: bool,
    /// Its addresses, in the kernel's order.
    pub addresses: Vec<InterfaceAddr>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddr {
    /// The address.
    pub addr: IpAddr,
    /// Length of the prefix in bits: the network of the address.
    pub prefix: u8,
    /// IPv6: duplicate address detection has not ended or has failed, so it does not serve.
    pub unusable: bool,
}

/// Where an address is, or is to be: what the guard needs to take it away.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Placement {
    /// Index of the interface in the kernel.
    pub ifindex: u32,
    /// Name of the interface.
    pub ifname: String,
    /// The address.
    pub addr: IpAddr,
    /// Length of its prefix in bits.
    pub prefix: u8,
}

impl InterfaceAddr {
    /// Is `other` in the network of this address?
    pub fn contains(&self, other: IpAddr) -> bool {
        network(self.addr, self.prefix) == network(other, self.prefix)
    }
}

/// The network of an address: its bits after `prefix` cleared (resource `intf.<network>`, NET-06).
pub fn network(addr: IpAddr, prefix: u8) -> IpAddr {
    match addr {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(a.to_bits() & mask).into()
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(a.to_bits() & mask).into()
        }
    }
}

/// Every interface of this node with its addresses.
///
/// # Errors
/// The kernel's, typed.
pub fn interfaces() -> Result<Vec<Interface>, NetError> {
    let mut kernel = Netlink::open(NETLINK_ROUTE)?;
    let links = Body::new(libc::RTM_GETLINK, &LinkMessage::default());
    let links = kernel.dump("list the interfaces", &links)?;
    let mut found: BTreeMap<u32, Interface> =
        links.iter().filter_map(parse_link).map(|i| (i.index, i)).collect();
    let addresses = Body::new(libc::RTM_GETADDR, &AddressMessage::default());
    for (index, address) in kernel.dump("list the addresses", &addresses)?.iter().filter_map(parse_address) {
        if let Some(interface) = found.get_mut(&index) {
            interface.addresses.push(address);
        }
    }
    Ok(found.into_values().collect())
}

/// One interface as it is now, without its addresses; none when it is gone.
///
/// # Errors
/// The kernel's, typed.
pub fn interface(index: u32) -> Result<Option<Interface>, NetError> {
    let mut request = LinkMessage::default();
    request.header.index = index;
    let body = Body::new(libc::RTM_GETLINK, &request);
    match Netlink::open(NETLINK_ROUTE)?.get("examine an interface", body) {
        Err(e) if e.errno() == Some(libc::ENODEV) => Ok(None),
        other => Ok(other?.as_ref().and_then(parse_link)),
    }
}

/// Where a virtual address belongs: on the `forced` interface, else on the one whose network holds
/// it (longest prefix first, then a link with carrier, then the lowest index). An address equal to
/// the virtual one does not count, so that a leftover never chooses its own place. `prefix` wins
/// over the prefix of that network.
///
/// # Errors
/// No such interface or network; a prefix that cannot be.
pub fn place(
    interfaces: &[Interface],
    addr: IpAddr,
    forced: Option<&str>,
    prefix: Option<u8>,
) -> Result<Placement, NetError> {
    if let Some(prefix) = prefix.filter(|p| *p > widest(addr)) {
        return Err(NetError::BadPrefix { addr, prefix });
    }
    let holding = |i: &Interface| {
        let others = i.addresses.iter().filter(|a| a.addr != addr && a.contains(addr));
        others.map(|a| a.prefix).max()
    };
    let (interface, found) = match forced {
        Some(name) => {
            let here = interfaces.iter().find(|i| i.name == name).ok_or_else(|| unknown(interfaces, name))?;
            (here, holding(here))
        }
        None => {
            let held = interfaces.iter().filter_map(|i| holding(i).map(|p| (i, Some(p))));
            held.max_by_key(|(i, p)| (*p, i.carrier, std::cmp::Reverse(i.index))).ok_or_else(|| {
                NetError::NoInterface { addr, networks: networks(interfaces, addr.is_ipv4()) }
            })?
        }
    };
    let no_prefix = || NetError::NoPrefix { name: interface.name.clone(), addr };
    let prefix = prefix.or(found).ok_or_else(no_prefix)?;
    Ok(Placement { ifindex: interface.index, ifname: interface.name.clone(), addr, prefix })
}

/// Every place where an address is set now.
pub fn whereabouts(interfaces: &[Interface], addr: IpAddr) -> Vec<Placement> {
    let here = |i: &Interface, a: &InterfaceAddr| Placement {
        ifindex: i.index,
        ifname: i.name.clone(),
        addr,
        prefix: a.prefix,
    };
    let all = interfaces.iter().flat_map(|i| i.addresses.iter().map(move |a| (i, a)));
    all.filter(|(_, a)| a.addr == addr).map(|(i, a)| here(i, a)).collect()
}

/// Is the address set on this node?
///
/// # Errors
/// The kernel's, typed.
pub fn is_local(addr: IpAddr) -> Result<bool, NetError> {
    Ok(!whereabouts(&interfaces()?, addr).is_empty())
}

/// Sets an address; true when it was not there before. In IPv6 without duplicate address
/// detection (it would delay a failover by a second, and fail while the old primary dies), and
/// deprecated, so that the node itself does not choose it as the source of its own connections.
///
/// # Errors
/// The kernel's, typed.
pub fn add(place: &Placement) -> Result<bool, NetError> {
    let what = format!("set {}/{} on {}", place.addr, place.prefix, place.ifname);
    let mut request = request(place);
    if place.addr.is_ipv6() {
        let flags = AddressFlags::Nodad | AddressFlags::Noprefixroute;
        let mut life = CacheInfo::default();
        life.ifa_valid = FOREVER;
        request.attributes.extend([AddressAttribute::Flags(flags), AddressAttribute::CacheInfo(life)]);
    }
    let body = Body::new(libc::RTM_NEWADDR, &request);
    match Netlink::open(NETLINK_ROUTE)?.change(&what, body, NLM_F_CREATE | NLM_F_EXCL) {
        Err(e) if e.errno() == Some(libc::EEXIST) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Removes an address; true when it was there. An interface that is gone counts as removed.
///
/// # Errors
/// The kernel's, typed.
pub fn remove(place: &Placement) -> Result<bool, NetError> {
    let what = format!("remove {}/{} from {}", place.addr, place.prefix, place.ifname);
    let body = Body::new(libc::RTM_DELADDR, &request(place));
    match Netlink::open(NETLINK_ROUTE)?.change(&what, body, 0) {
        Err(e) if matches!(e.errno(), Some(libc::EADDRNOTAVAIL | libc::ENODEV)) => Ok(false),
        other => other.map(|()| true),
    }
}

fn request(place: &Placement) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(place.addr),
        prefix_len: place.prefix,
        index: place.ifindex,
        scope: AddressScope::Universe,
        ..AddressHeader::default()
    };
    message.attributes = vec![AddressAttribute::Local(place.addr), AddressAttribute::Address(place.addr)];
    message
}

pub(crate) fn family(addr: IpAddr) -> AddressFamily {
    if addr.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn widest(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 32 } else { 128 }
}

fn unknown(interfaces: &[Interface], name: &str) -> NetError {
    let known: Vec<_> = interfaces.iter().map(|i| i.name.as_str()).collect();
    NetError::UnknownInterface { name: name.to_owned(), known: known.join(", ") }
}

fn networks(interfaces: &[Interface], v4: bool) -> String {
    let all = interfaces.iter().flat_map(|i| i.addresses.iter().map(move |a| (i, a)));
    let all = all.filter(|(_, a)| a.addr.is_ipv4() == v4);
    let mut all: Vec<_> =
        all.map(|(i, a)| format!("{}/{} ({})", network(a.addr, a.prefix), a.prefix, i.name)).collect();
    all.dedup();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn parse_link(body: &Body) -> Option<Interface> {
    const IFLA_ADDRESS: u16 = 1;
    const IFLA_IFNAME: u16 = 3;
    let header = LinkHeader::parse(&body.bytes).ok().filter(|_| body.kind == libc::RTM_NEWLINK)?;
    let mut interface = Interface {
        index: header.index,
        name: String::new(),
        mac: None,
        up: header.flags.contains(LinkFlags::Up),
        running: header.flags.contains(LinkFlags::Running),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        promiscuous: header.flags.contains(LinkFlags::Promisc),
        addresses: Vec::new(),
    };
    for (kind, value) in body.attributes(LINK_HEADER) {
        match kind {
            IFLA_ADDRESS => interface.mac = MacAddr::from_bytes(&value),
            IFLA_IFNAME => {
                String::from_utf8_lossy(&value).trim_end_matches('\0').clone_into(&mut interface.name);
            }
            _ => {}
        }
    }
    Some(interface)
}

fn parse_address(body: &Body) -> Option<(u32, InterfaceAddr)> {
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    const IFA_FLAGS: u16 = 8;
    let header = AddressHeader::parse(&body.bytes).ok().filter(|_| body.kind == libc::RTM_NEWADDR)?;
    let (mut local, mut address) = (None, None);
    let mut flags = u32::from(header.flags.bits());
    for (kind, value) in body.attributes(ADDRESS_HEADER) {
        match kind {
            IFA_LOCAL => local = ip(&value),
            IFA_ADDRESS => address = ip(&value),
            IFA_FLAGS => flags = value.try_into().map_or(flags, u32::from_ne_bytes),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the other end; IPv6 gives IFA_ADDRESS alone.
    let unusable = (AddressFlags::Tentative | AddressFlags::Dadfailed).bits();
    let addr = local.or(address)?;
    Some((header.index, InterfaceAddr { addr, prefix: header.prefix_len, unusable: flags & unusable != 0 }))
}

/// An address from its bytes in network order.
pub(crate) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
#[path = "addr_tests.rs"]
mod tests;
