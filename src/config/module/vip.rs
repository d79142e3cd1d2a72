//! `<vip>`: virtual addresses (CFG-VIP).

use super::balance::{self, Group};
use super::{Context, Mode};
use crate::config::address::Address;
use crate::config::cluster::{ClusterConfig, LanNode};
use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::ids::NodeName;
use crate::told::{Told, told};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// `<vip>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// Connections from a virtual address are reset before it is removed (CFG-VIP-01).
    pub tcpreset: bool,
    /// While clients of a farm move to another node, their established connections stay where they are.
    /// An extension of the guide.
    pub keepconnections: bool,
    /// At least one.
    pub interfaces: Vec<Interface>,
    /// Load balancing, mode farm only.
    pub groups: Vec<Group>,
}

/// `<interface>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Generates a checker `intf.<network>` (CFG-VIP-02).
    pub check: bool,
    /// Gratuitous ARP of the virtual addresses (CFG-VIP-03).
    pub arpreroute: bool,
    /// Time between two gratuitous ARP (CFG-VIP-04).
    pub arpinterval: Duration,
    /// How long gratuitous ARP are sent (CFG-VIP-05).
    pub arpelapse: Duration,
    /// Forced interface; none: the one whose network holds the address (CFG-VIP-06).
    pub name: Option<String>,
    /// Whose MAC address answers.
    pub kind: InterfaceKind,
    /// At least one.
    pub addrs: Vec<VirtualAddr>,
}

impl Interface {
    /// The virtual MAC address that answers for its addresses, of which `first` is the first (NET-11):
    /// the configured one, else `5A:FE` and the last four bytes of that address.
    pub fn vmac(&self, first: IpAddr) -> Option<[u8; 6]> {
        let InterfaceKind::VmacInvisible { mac } = self.kind else { return None };
        let [a, b, c, d] = match first {
            IpAddr::V4(addr) => addr.octets(),
            IpAddr::V6(addr) => {
                let [.., a, b, c, d] = addr.octets();
                [a, b, c, d]
            }
        };
        Some(mac.unwrap_or([0x5a, 0xfe, a, b, c, d]))
    }
}

/// `<real_interface>` or `<virtual_interface>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// The MAC address of the network card (CFG-VIP-07).
    Real,
    /// Each node answers with its own MAC address and passes packets on (NET-12).
    VmacDirected,
    /// One virtual MAC address on all nodes (NET-11).
    VmacInvisible {
        /// None: made of the first virtual address, see [`Interface::vmac`] (CFG-VIP-09).
        mac: Option<[u8; 6]>,
    },
}

/// Where a virtual address is set (CFG-VIP-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// On all nodes of a farm.
    Alias,
    /// On the primary of a mirror.
    OneSideAlias,
}

/// `<virtual_addr>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualAddr {
    /// The virtual address, or its name (CFG-VIP-10).
    pub addr: Address,
    /// Where it stands in the file.
    pub line: Line,
    /// Where it is set.
    pub where_: Where,
    /// Generates a checker `ip.<addr>` (CFG-VIP-12).
    pub check: bool,
    /// Counts connections in the resource `connections.<addr>` (CFG-VIP-13).
    pub connections: bool,
    /// IPv4 only; none: that of the interface (CFG-VIP-14).
    pub netmask: Option<Ipv4Addr>,
}

/// A line of the file. Where something stands changes nothing: all lines are equal.
#[derive(Clone, Copy, Debug)]
pub struct Line(pub u32);

impl PartialEq for Line {
    fn eq(&self, _: &Line) -> bool {
        true
    }
}

impl Eq for Line {}

impl VirtualAddr {
    /// Length of the prefix that `netmask` stands for.
    pub fn prefix(&self) -> Option<u8> {
        // A mask has at most 32 bits set, so the number fits.
        self.netmask.map(|m| m.to_bits().count_ones() as u8)
    }
}

const ARP_INTERVAL: Duration = Duration::from_secs(60);
const ARP_ELAPSE: Duration = Duration::from_secs(1200);
const ARP_TIMES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);
/// Longest name of a network interface (IFNAMSIZ).
const LONGEST_INTERFACE: usize = 15;

/// Reads `<vip>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Option<Vip> {
    let attributes = ["tcpreset", "keepconnections"];
    let tag = parent.open(element, &attributes, &["interface_list", "loadbalancing_list"]);
    if context.mode == Mode::Light {
        tag.fault(told!("<vip> is for the modes mirror and farm", "<vip> est pour les modes mirror et farm"));
    }
    let mut seen = BTreeSet::new();
    let interfaces = match tag.one_needed("interface_list") {
        Some(e) => {
            let list = tag.open(e, &[], &["interface"]);
            list.some("interface", |e| read_interface(&list, e, context, &mut seen))
        }
        None => Vec::new(),
    };
    let groups = match tag.one("loadbalancing_list") {
        Some(e) => balance::read(&tag, e, context, &interfaces),
        None => Vec::new(),
    };
    if tag.has("keepconnections") && context.mode != Mode::Farm {
        tag.fault_of(
            "keepconnections",
            told!(
                "for mode farm only: a mirror has one node that answers",
                "pour le mode farm seulement : dans un miroir un seul nœud répond"
            ),
        );
    }
    Some(Vip {
        tcpreset: tag.or("tcpreset", true, units::on_off),
        keepconnections: tag.or("keepconnections", true, units::on_off),
        interfaces,
        groups,
    })
}

fn read_interface<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    context: &Context<'_>,
    seen: &mut BTreeSet<String>,
) -> Option<Interface> {
    let attributes = ["check", "arpreroute", "arpinterval", "arpelapse", "name"];
    let tag = parent.open(element, &attributes, &["real_interface", "virtual_interface"]);
    let (kind, list) = match (tag.one("real_interface"), tag.one("virtual_interface")) {
        (Some(e), None) => (Some(InterfaceKind::Real), Some(tag.open(e, &[], &["virtual_addr"]))),
        (None, Some(e)) => {
            let list = tag.open(e, &["type", "addr"], &["virtual_addr"]);
            (Some(virtual_kind(&list)), Some(list))
        }
        _ => {
            tag.fault(told!(
                "one <real_interface> or one <virtual_interface> is needed",
                "il faut un <real_interface> ou un <virtual_interface>"
            ));
            (None, None)
        }
    };
    match (kind, context.mode) {
        (Some(InterfaceKind::Real), Mode::Farm) => {
            tag.fault(told!("<real_interface> is for mode mirror: use <virtual_interface> in a farm", "<real_interface> est pour le mode mirror : utilisez <virtual_interface> dans une ferme"));
        }
        (Some(InterfaceKind::VmacDirected), Mode::Mirror) => tag.fault(told!(
            "in mode mirror one node answers: write <virtual_interface type=\"vmac_invisible\">, or <real_interface> \
             for its own MAC address",
            "en mode mirror un seul nœud répond : écrivez <virtual_interface type=\"vmac_invisible\">, ou \
             <real_interface> pour sa propre adresse MAC"
        )),
        _ => {}
    }
    let addrs = list.map(|l| l.some("virtual_addr", |e| read_addr(&l, e, context, seen))).unwrap_or_default();
    Some(Interface {
        check: tag.or("check", true, units::on_off),
        arpreroute: tag.or("arpreroute", false, units::on_off),
        arpinterval: tag.or("arpinterval", ARP_INTERVAL, units::duration(Unit::S, ARP_TIMES)),
        arpelapse: tag.or("arpelapse", ARP_ELAPSE, units::duration(Unit::S, ARP_TIMES)),
        name: tag.get("name", interface_name),
        kind: kind?,
        addrs,
    })
}

fn virtual_kind(tag: &Tag<'_>) -> InterfaceKind {
    // The address is checked in every type, and used by vmac_invisible alone (CFG-VIP-09).
    let mac = tag.get("addr", unicast_mac);
    let types = [
        ("vmac_directed", InterfaceKind::VmacDirected),
        ("vmac_invisible", InterfaceKind::VmacInvisible { mac }),
    ];
    tag.or("type", InterfaceKind::VmacDirected, units::one_of(&types))
}

fn read_addr<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    context: &Context<'_>,
    seen: &mut BTreeSet<String>,
) -> Option<VirtualAddr> {
    let tag = parent.open(element, &["addr", "where", "check", "connections", "netmask"], &[]);
    let addr: Option<Address> = tag.need("addr", units::parsed);
    if let Some(addr) = &addr {
        tag.unique("addr", &addr.to_string(), seen);
        if addr.ip().is_some_and(|ip| ip.is_unspecified() || ip.is_loopback() || ip.is_multicast()) {
            tag.fault_of(
                "addr",
                told!(
                    "a virtual address is a unicast address of a network",
                    "une adresse virtuelle est une adresse unicast d'un réseau"
                ),
            );
        }
        if let Some(node) = context.cluster.and_then(|c| holder(c, addr)) {
            tag.fault_of(
                "addr",
                told!("the address of {node} in cluster.xml: a virtual address is no node's own", "c'est l'adresse de {node} dans cluster.xml : une adresse virtuelle n'est celle d'aucun nœud"),
            );
        }
    }
    let (word, only) = match context.mode {
        Mode::Mirror => ("one_side_alias", Where::OneSideAlias),
        Mode::Farm | Mode::Light => ("alias", Where::Alias),
    };
    let where_ = tag.or("where", only, units::one_of(&[(word, only)]));
    let netmask = tag.get("netmask", netmask);
    if netmask.is_some() && addr.as_ref().is_some_and(|a| matches!(a.ip(), Some(IpAddr::V6(_)))) {
        tag.fault_of(
            "netmask",
            told!("a netmask is for IPv4 only", "un masque de réseau est pour IPv4 seulement"),
        );
    }
    let check = tag.or("check", true, units::on_off);
    let connections = tag.or("connections", false, units::on_off);
    Some(VirtualAddr { addr: addr?, line: Line(element.line), where_, check, connections, netmask })
}

/// The node that has an address as its own.
fn holder<'a>(cluster: &'a ClusterConfig, addr: &Address) -> Option<&'a NodeName> {
    let own = |node: &&LanNode| node.addr.parse().is_ok_and(|own: Address| own == *addr);
    cluster.lans.iter().flat_map(|lan| &lan.nodes).find(own).map(|node| &node.name)
}

fn interface_name(text: &str) -> Result<String, Told> {
    let good = |c: char| c.is_ascii_graphic() && c != '/';
    if (1..=LONGEST_INTERFACE).contains(&text.len()) && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err(told!(
            "write the name of a network interface, such as eth0 or bond0",
            "écrivez le nom d'une interface réseau, par exemple eth0 ou bond0"
        ))
    }
}

fn netmask(text: &str) -> Result<Ipv4Addr, Told> {
    let mask = text.parse::<Ipv4Addr>().ok().filter(|m| {
        let bits = m.to_bits();
        bits != 0 && bits.leading_ones() == bits.count_ones()
    });
    mask.ok_or_else(|| {
        told!(
            "write an IPv4 netmask, such as 255.255.255.0",
            "écrivez un masque de réseau IPv4, par exemple 255.255.255.0"
        )
    })
}

fn unicast_mac(text: &str) -> Result<[u8; 6], Told> {
    let bytes: Option<Vec<u8>> = text
        .split([':', '-'])
        .map(|b| if b.len() == 2 { u8::from_str_radix(b, 16).ok() } else { None })
        .collect();
    let mac = bytes.and_then(|b| <[u8; 6]>::try_from(b).ok()).filter(|m| m[0] & 1 == 0);
    mac.ok_or_else(|| {
        told!(
            "write a unicast MAC address, such as 5a:fe:c0:a8:01:63",
            "écrivez une adresse MAC unicast, par exemple 5a:fe:c0:a8:01:63"
        )
    })
}
