//! The few packets of ARP (RFC 826, 5227), neighbour discovery (RFC 4861) and echo (RFC 792, 4443)
//! that this node writes and reads itself.

use super::MacAddr;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Everybody on the link (RFC 4291).
pub(super) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const OPTION_TARGET_MAC: u8 = 2;
const IPV6_HEADER: usize = 40;

/// What an ARP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arp {
    /// A reply, or else a request.
    pub reply: bool,
    /// Hardware address of the sender.
    pub sender_mac: MacAddr,
    /// Address of the sender; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// Hardware address of the target; zero when it is asked for.
    pub target_mac: MacAddr,
    /// Address asked for, or announced.
    pub target: Ipv4Addr,
}

const ARP_ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];

impl Arp {
    pub fn bytes(&self) -> Vec<u8> {
        let mut packet = ARP_ETHERNET_IPV4.to_vec();
        packet.extend([0, if self.reply { 2 } else { 1 }]);
        packet.extend(self.sender_mac.0);
        packet.extend(self.sender.octets());
        packet.extend(self.target_mac.0);
        packet.extend(self.target.octets());
        packet
    }

    /// The packet in these bytes; none when they are something else.
    pub fn parse(bytes: &[u8]) -> Option<Arp> {
        let (head, rest) = bytes.split_first_chunk::<6>()?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let target = rest.first_chunk::<4>()?;
        let reply = match operation {
            [0, 1] => false,
            [0, 2] => true,
            _ => return None,
        };
        (*head == ARP_ETHERNET_IPV4).then_some(Arp {
            reply,
            sender_mac: MacAddr(*sender_mac),
            sender: (*sender).into(),
            target_mac: MacAddr(*target_mac),
            target: (*target).into(),
        })
    }
}

/// An unsolicited neighbour advertisement, with its IPv6 header: `addr` is at `mac` from now on,
/// whatever was known before (override flag).
pub(super) fn advertisement(addr: Ipv6Addr, mac: MacAddr) -> Vec<u8> {
    const OVERRIDE: u8 = 0x20;
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    message.extend(addr.octets());
    message.extend([OPTION_TARGET_MAC, 1]);
    message.extend(mac.0);
    neighbour_packet(addr, ALL_NODES, message)
}

/// A neighbour solicitation from nobody, as for duplicate address detection, with its IPv6 header.
pub(super) fn solicitation(addr: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(addr.octets());
    neighbour_packet(Ipv6Addr::UNSPECIFIED, solicited_node(addr), message)
}

/// The multicast group in which the holder of an address listens for solicitations.
pub(super) fn solicited_node(addr: Ipv6Addr) -> Ipv6Addr {
    const GROUP: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    Ipv6Addr::from_bits(GROUP | (addr.to_bits() & 0xff_ffff))
}

/// The MAC address of an IPv6 multicast group (RFC 2464).
pub(super) fn multicast_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

/// The address and MAC address in a neighbour advertisement with its IPv6 header; none when the
/// bytes are something else. The hop limit of 255 shows that it comes from this link.
pub(super) fn parse_advertisement(packet: &[u8]) -> Option<(Ipv6Addr, MacAddr)> {
    let (header, message) = packet.split_first_chunk::<IPV6_HEADER>()?;
    let (head, options) = message.split_first_chunk::<24>()?;
    let good = header[0] >> 4 == 6 && header[6] == ICMPV6 && header[7] == 255;
    if !good || head[0] != NEIGHBOUR_ADVERTISEMENT || head[1] != 0 {
        return None;
    }
    let target = <[u8; 16]>::try_from(&head[8..]).ok()?;
    let mut rest = options;
    while let [kind, units, ..] = *rest {
        let (option, after) = rest.split_at_checked(usize::from(units) * 8)?;
        match (kind, option.get(2..8)) {
            (OPTION_TARGET_MAC, Some(mac)) => return Some((target.into(), MacAddr::from_bytes(mac)?)),
            // An option of no length would never end.
            (_, None) => return None,
            _ => rest = after,
        }
    }
    None
}

fn neighbour_packet(from: Ipv6Addr, to: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    // No message here is longer than 32 bytes.
    let length = message.len() as u8;
    let mut pseudo = [from.octets(), to.octets()].concat();
    pseudo.extend([0, 0, 0, length, 0, 0, 0, ICMPV6]);
    pseudo.extend(&message);
    message[2..4].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0, 0, length, ICMPV6, 255];
    packet.extend(from.octets());
    packet.extend(to.octets());
    packet.extend(message);
    packet
}

/// An echo: `kind` is 8 or 0 in IPv4 and 128 or 129 in IPv6, where the kernel puts the checksum.
pub(super) fn echo(kind: u8, id: u16, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend(id.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(payload);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The checksum of the Internet (RFC 1071).
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    #[test]
    fn arp_is_written_as_rfc_826_says() {
        let (a, b) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let arp = Arp { reply: true, sender_mac: MAC, sender: a, target_mac: MacAddr::BROADCAST, target: b };
        let expected = [
            0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 1, 255, 255, 255, 255, 255, 255, 10, 0, 0, 2,
        ];
        assert_eq!(arp.bytes(), expected);
        assert_eq!(Arp::parse(&expected), Some(arp));
        assert_eq!(Arp::parse(&expected[..27]), None);
    }

    #[test]
    fn an_advertisement_is_read_back_and_its_checksum_holds() {
        let addr: Ipv6Addr = "2001:db8::77".parse().unwrap();
        let packet = advertisement(addr, MAC);
        assert_eq!(parse_advertisement(&packet), Some((addr, MAC)));
        let mut pseudo = packet[8..40].to_vec();
        pseudo.extend([0, 0, 0, packet[5], 0, 0, 0, ICMPV6]);
        pseudo.extend(&packet[40..]);
        assert_eq!(checksum(&pseudo), 0, "a right checksum sums to zero");
        let mut routed = packet;
        routed[7] = 254;
        assert_eq!(parse_advertisement(&routed), None, "it came through a router");
    }

    #[test]
    fn a_solicitation_goes_to_the_group_of_the_address() {
        let addr: Ipv6Addr = "2001:db8::12:3456".parse().unwrap();
        assert_eq!(solicited_node(addr), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
        assert_eq!(multicast_mac(solicited_node(addr)), MacAddr([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
        let packet = solicitation(addr);
        assert_eq!(packet[24..40], solicited_node(addr).octets());
        assert_eq!(packet.len(), 64);
    }

    proptest! {
        #[test]
        fn any_packet_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = Arp::parse(&bytes);
            let _ = parse_advertisement(&bytes);
        }

        #[test]
        fn a_damaged_advertisement_is_read_without_panic(at in 0usize..72, value: u8) {
            let mut packet = advertisement(Ipv6Addr::LOCALHOST, MAC);
            packet[at] = value;
            let _ = parse_advertisement(&packet);
        }

        #[test]
        fn an_echo_checks(id: u16, sequence: u16, payload in prop::collection::vec(any::<u8>(), 0..65)) {
            prop_assert_eq!(checksum(&echo(8, id, sequence, &payload)), 0);
        }
    }
}
