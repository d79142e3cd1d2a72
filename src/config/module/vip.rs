//! `<vip>`: virtual addresses (CFG-VIP) and load balancing (CFG-LB).

use crate::config::address::Address;
use crate::ids::NodeName;
use std::net::Ipv4Addr;
use std::time::Duration;

/// `<vip>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vip {
    /// Connections from a virtual address are reset before it is removed (CFG-VIP-01).
    pub tcpreset: bool,
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

/// `<real_interface>` or `<virtual_interface>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceKind {
    /// The MAC address of the network card (CFG-VIP-07).
    Real,
    /// Each node answers with its own MAC address and passes packets on (NET-12).
    VmacDirected,
    /// One virtual MAC address on all nodes (NET-11).
    VmacInvisible {
        /// None: `5A:FE` and the first virtual address (CFG-VIP-09).
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
    /// Where it is set.
    pub where_: Where,
    /// Generates a checker `ip.<addr>` (CFG-VIP-12).
    pub check: bool,
    /// Counts connections in the resource `connections.<addr>` (CFG-VIP-13).
    pub connections: bool,
    /// IPv4 only; none: that of the interface (CFG-VIP-14).
    pub netmask: Option<Ipv4Addr>,
}

impl VirtualAddr {
    /// Length of the prefix that `netmask` stands for.
    pub fn prefix(&self) -> Option<u8> {
        // A mask has at most 32 bits set, so the number fits.
        self.netmask.map(|m| m.to_bits().count_ones() as u8)
    }
}

/// `<group>` of load balancing rules (CFG-LB-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Weights of nodes; empty: all nodes, weight 1 (CFG-LB-02).
    pub hosts: Vec<Host>,
    /// At least one.
    pub rules: Vec<LbRule>,
}

/// `<host>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Node.
    pub name: NodeName,
    /// Weight; 0: no traffic.
    pub power: u32,
}

/// Protocol of a load balancing rule (CFG-LB-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// ARP and neighbour discovery.
    Arp,
}

/// What is hashed (CFG-LB-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Address of the client.
    OnAddr,
    /// Port of the client.
    OnPort,
    /// IP identification; UDP on IPv4 only.
    OnIpid,
}

/// `<rule>` of load balancing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LbRule {
    /// None: every virtual address (CFG-LB-03).
    pub virtual_addr: Option<Address>,
    /// None: every port (CFG-LB-04).
    pub port: Option<u16>,
    /// Protocol.
    pub proto: Proto,
    /// What is hashed.
    pub filter: Filter,
}
