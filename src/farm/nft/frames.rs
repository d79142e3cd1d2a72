//! The rules that see frames as they come in from the network and go out to it (family netdev): who answers
//! a packet, who passes it on, and which MAC address the world sees.

use super::expression::{Hash, Header, Rule, Then};
use super::message::At;
use super::program::{Program, balanced};
use super::sets::{MOVED, OWN, SETTLED, mac_map, peer_set, row};
use super::{Device, Table};
use crate::config::module::Proto;
use crate::farm::{Layout, LayoutVip};
use crate::fsm::bucket::Reach;
use std::net::IpAddr;

/// The chain for what every node takes.
const TAKE: &str = "take";
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Errors about packets that somebody else may have sent: unreachable, (too big,) time exceeded, bad parameter.
const ICMP_ERRORS: [u8; 3] = [3, 11, 12];
const ICMPV6_ERRORS: [u8; 4] = [1, 2, 3, 4];

/// All of them.
pub(super) fn program<'a>(table: &'a Table, layout: &Layout, devices: &[Device]) -> Program<'a> {
    let mut program = Program::new(table);
    program.chain(TAKE, At::Called);
    program.rule(TAKE, Rule::new().take().then(Then::Accept));
    for (k, device) in devices.iter().enumerate() {
        program.chain(&format!("in{k}"), At::Ingress(&device.name));
        if device.has(layout, Reach::Every) {
            program.chain(&format!("out{k}"), At::Egress(&device.name));
        }
        if device.has(layout, Reach::One) {
            spread(&mut program, layout, k, device);
        }
    }
    for (i, vip) in layout.vips.iter().enumerate() {
        if let Some((k, device)) = devices.iter().enumerate().find(|(_, device)| device.name == vip.device) {
            Frames { layout, i, vip, k, device }.draw(&mut program);
        }
    }
    program
}

/// Sends what any node may be meant to have to all of them, and keeps it. What came from a node is not sent
/// again.
fn spread(program: &mut Program<'_>, layout: &Layout, k: usize, device: &Device) {
    let chain = format!("spread{k}");
    program.chain(&chain, At::Called);
    program.rule(&chain, Rule::new().sent_by(&peer_set(k)).then(Then::Accept));
    for mac in layout.peers.iter().filter_map(|peer| peer.macs.get(&device.name)) {
        program.rule(&chain, Rule::new().readdress(*mac).resend(device.mac).copy(device.index));
    }
    program.rule(&chain, Rule::new().then(Then::Accept));
}

/// One virtual address on its interface.
struct Frames<'a> {
    layout: &'a Layout,
    i: usize,
    vip: &'a LayoutVip,
    k: usize,
    device: &'a Device,
}

impl Frames<'_> {
    fn draw(&self, program: &mut Program<'_>) {
        let (ask, all) = (format!("ask{}", self.i), format!("vip{}", self.i));
        program.chain(&ask, At::Called);
        program.chain(&all, At::Called);
        let entry = format!("in{}", self.k);
        // Neighbour discovery is IPv6 and may go to the address itself; ARP is no IP.
        let packets = Rule::new().to(self.vip.addr).then(Then::Goto(&all));
        let (first, last) = if self.vip.addr.is_ipv4() {
            (vec![packets], self.requests(&ask))
        } else {
            (self.requests(&ask), vec![packets])
        };
        first.into_iter().chain(last).for_each(|rule| program.rule(&entry, rule));
        self.answer_requests(program, &ask);
        match self.vip.reach {
            Reach::Every => {
                self.show_virtual_mac(program);
                self.every(program, &all);
            }
            Reach::One => self.one(program, &all),
        }
    }

    /// Who asks for the MAC address of the virtual address is led to `ask`. Announcements by other nodes are
    /// nothing to answer or to warn of.
    fn requests(&self, ask: &str) -> Vec<Rule> {
        match self.vip.addr {
            IpAddr::V4(a) => {
                let asked = Rule::new().arp().field(Header::Network, 24, &a.octets());
                vec![
                    asked.clone().field(Header::Network, 14, &a.octets()).then(Then::Drop),
                    asked.then(Then::Goto(ask)),
                ]
            }
            IpAddr::V6(a) => {
                let about = |kind: u8| {
                    let message = Rule::new().version_of(self.vip.addr).protocol(ICMPV6);
                    message.field(Header::Transport, 0, &[kind]).field(Header::Transport, 8, &a.octets())
                };
                vec![about(ADVERTISEMENT).then(Then::Drop), about(SOLICITATION).then(Then::Goto(ask))]
            }
        }
    }

    /// Where a packet for this node goes on.
    fn accepted(&self) -> Then<'static> {
        if self.vip.reach == Reach::Every { Then::Goto(TAKE) } else { Then::Accept }
    }

    /// With a rule for ARP one node answers a requestor. Without one all do where all give the same answer;
    /// where each gives its own, the node that has the requestor's bucket in the first group of the address.
    fn answer_requests(&self, program: &mut Program<'_>, ask: &str) {
        const REQUEST: [u8; 2] = [0, 1];
        let one = self.vip.reach == Reach::One;
        let rules = || self.layout.rules.iter().filter(|rule| rule.concerns(self.vip));
        let arp = rules().find(|rule| rule.proto == Proto::Arp);
        if self.vip.addr.is_ipv4() {
            // An answer, to this node or to another one that will know what to do with it.
            program.rule(ask, Rule::new().field_not(Header::Network, 6, &REQUEST).then(self.accepted()));
        }
        if one {
            // Who knows the MAC address of this node asks only whether it is still there.
            program.rule(ask, Rule::new().for_this_host().then(Then::Accept));
        }
        if let Some(rule) = arp.or_else(|| rules().next().filter(|_| one)) {
            let hash = Hash::of_requests(self.vip.addr, row(rule.group, self.vip.reach));
            program.rule(ask, Rule::new().hashed_in(hash, OWN).then(self.accepted()));
            program.rule(ask, Rule::new().then(Then::Drop));
        } else {
            program.rule(ask, Rule::new().then(self.accepted()));
        }
    }

    /// The virtual MAC address in the payload of ARP and neighbour discovery, never as the source of a frame.
    fn show_virtual_mac(&self, program: &mut Program<'_>) {
        const TARGET_OPTION: [u8; 2] = [2, 1];
        const SOURCE_OPTION: [u8; 2] = [1, 1];
        let (chain, mac) = (format!("out{}", self.k), self.vip.mac());
        match self.vip.addr {
            IpAddr::V4(a) => {
                let arp = Rule::new().arp().field(Header::Network, 14, &a.octets());
                program.rule(&chain, arp.write_arp_sender(mac));
            }
            IpAddr::V6(a) => {
                let message = |kind: u8| {
                    let message = Rule::new().version_of(self.vip.addr).protocol(ICMPV6);
                    message.field(Header::Transport, 0, &[kind])
                };
                let own = message(ADVERTISEMENT).field(Header::Transport, 8, &a.octets());
                program.rule(&chain, own.field(Header::Transport, 24, &TARGET_OPTION).write_nd_option(mac));
                let asks = message(SOLICITATION).field(Header::Network, 8, &a.octets());
                program.rule(&chain, asks.field(Header::Transport, 24, &SOURCE_OPTION).write_nd_option(mac));
            }
        }
    }

    /// Every node sees the packet: it takes what is its own, and all take what no rule is for.
    fn every(&self, program: &mut Program<'_>, all: &str) {
        for (chain, rule, hash) in balanced(program, self.layout, self.i, all) {
            program.rule(&chain, Rule::new().hashed_in(hash, OWN).then(Then::Goto(TAKE)));
            // Ports are not in all fragments: the stack decides when the datagram is whole.
            program.rule(&chain, Rule::new().fragment(self.vip.addr).then(Then::Goto(TAKE)));
            if self.layout.keep && rule.proto == Proto::Tcp {
                let other = Rule::new().not_first_of_tcp().hashed_in(hash, MOVED);
                program.rule(&chain, other.then(Then::Goto(TAKE)));
            }
            program.rule(&chain, Rule::new().then(Then::Drop));
        }
        program.rule(all, Rule::new().then(Then::Goto(TAKE)));
    }

    /// One node sees the packet and passes on what is another one's, once.
    fn one(&self, program: &mut Program<'_>, all: &str) {
        let spread = format!("spread{}", self.k);
        // A copy that the switch floods, or that a capture lets in, is for somebody else.
        program.rule(all, Rule::new().not_for_this_host().then(Then::Drop));
        program.rule(all, Rule::new().fragment(self.vip.addr).then(Then::Goto(&spread)));
        for (chain, rule, hash) in balanced(program, self.layout, self.i, all) {
            program.rule(&chain, Rule::new().hashed_in(hash, SETTLED).then(Then::Accept));
            // Passed on already: the stack takes it or nobody does.
            program.rule(&chain, Rule::new().sent_by(&peer_set(self.k)).then(Then::Accept));
            if self.layout.keep && rule.proto == Proto::Tcp {
                let other = Rule::new().not_first_of_tcp().hashed_in(hash, MOVED);
                program.rule(&chain, other.then(Then::Goto(&spread)));
            }
            program.rule(&chain, Rule::new().hashed_in(hash, OWN).then(Then::Accept));
            let there = Rule::new().readdress_by(hash, &mac_map(self.k));
            program.rule(&chain, there.resend(self.device.mac).forward(self.device.index));
            program.rule(&chain, Rule::new().then(Then::Drop));
        }
        let (protocol, errors) =
            if self.vip.addr.is_ipv4() { (ICMP, &ICMP_ERRORS[..]) } else { (ICMPV6, &ICMPV6_ERRORS[..]) };
        for kind in errors {
            let error = Rule::new().protocol(protocol).field(Header::Transport, 0, &[*kind]);
            program.rule(all, error.then(Then::Goto(&spread)));
        }
        program.rule(all, Rule::new().then(Then::Accept));
    }
}
