//! The conditions and actions of rules, as nftables' small machine takes them.

use crate::config::module::Filter;
use crate::farm::hash::SEED;
use crate::fsm::bucket::BUCKETS;
use crate::net::MacAddr;
use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, ChecksumType, Cmp, DataAttribute, ExpressionAttribute, Expressions, Immediate, ListAttribute,
    Lookup, Meta, MetaKey, Operator, Payload, Register, Verdict, VerdictAttribute,
};
use std::net::IpAddr;

/// Where a field of a packet is counted from (`NFT_PAYLOAD_...`).
#[derive(Clone, Copy)]
pub(super) enum Header {
    /// Ethernet.
    Link = 0,
    /// IP or ARP.
    Network = 1,
    /// TCP, UDP, ICMP, after all extension headers.
    Transport = 2,
}

/// Where a rule leads.
pub(super) enum Then<'a> {
    /// The packet goes on its way.
    Accept,
    /// It ends here.
    Drop,
    /// Another chain decides.
    Goto(&'a str),
}

/// What is hashed of a packet, and the row of the result: keys of sets are `256 x row + bucket`.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    /// Offset and length of the address of the client, in the network header.
    address: (u32, u32),
    /// Another field: its header, offset; two bytes.
    second: Option<(Header, u32)>,
    row: usize,
}

impl Hash {
    /// Of the clients of a virtual address.
    pub fn of(vip: IpAddr, filter: Filter, row: usize) -> Hash {
        let address = if vip.is_ipv4() { (12, 4) } else { (8, 16) };
        let second = match filter {
            Filter::OnPort => Some((Header::Transport, 0)),
            Filter::OnIpid if vip.is_ipv4() => Some((Header::Network, 4)),
            Filter::OnAddr | Filter::OnIpid => None,
        };
        Hash { address, second, row }
    }

    /// Of those who ask for the MAC address of a virtual address.
    pub fn of_requests(vip: IpAddr, row: usize) -> Hash {
        let address = if vip.is_ipv4() { (14, 4) } else { (8, 16) };
        Hash { address, second: None, row }
    }
}

const ETHER_IPV4: [u8; 2] = [0x08, 0x00];
const ETHER_IPV6: [u8; 2] = [0x86, 0xdd];
const ETHER_ARP: [u8; 2] = [0x08, 0x06];
const TCP_SYN: u8 = 0x02;
const TCP_ACK: u8 = 0x10;
const PACKET_HOST: u8 = 0;
/// `NFT_META_IIFNAME`, and the length of an interface's name in the kernel.
const IFNAME: usize = 16;

/// One rule, built from left to right. It ends without effect at the first condition that is not met.
///
/// Register 1 holds what was loaded last; the key of a hash lies from register 2 on.
#[derive(Clone, Default)]
pub(super) struct Rule(Vec<ListAttribute<ExpressionAttribute>>);

impl Rule {
    /// A rule for every packet.
    pub fn new() -> Rule {
        Rule::default()
    }

    /// Its expressions.
    pub fn into_inner(self) -> Vec<ListAttribute<ExpressionAttribute>> {
        self.0
    }

    fn and(mut self, expression: Expressions) -> Rule {
        self.0.push(expression.into());
        self
    }

    /// An expression that the library has no type for, from the numbers in its attributes.
    fn and_other(self, name: &str, attributes: &[(u16, u32)]) -> Rule {
        let attributes =
            attributes.iter().map(|(kind, value)| DefaultNla::new(*kind, value.to_be_bytes().to_vec()));
        self.and(Expressions::Other { expression_type: name.to_owned(), attributes: attributes.collect() })
    }

    fn load(self, from: Header, offset: u32, length: u32, into: Register) -> Rule {
        self.and(Expressions::Payload(vec![
            Payload::DestinationRegister(into),
            Payload::Base(from as u32),
            Payload::Offset(offset),
            Payload::Len(length),
        ]))
    }

    fn load_meta(self, key: MetaKey) -> Rule {
        self.and(Expressions::Meta(vec![Meta::Key(key), Meta::DestinationRegister(Register::Reg1)]))
    }

    fn compare(self, how: Operator, value: &[u8]) -> Rule {
        self.and(Expressions::Cmp(vec![
            Cmp::SourceRegister(Register::Reg1),
            Cmp::Op(how),
            Cmp::Data(DataAttribute::Value(value.to_vec())),
        ]))
    }

    fn mask(self, mask: &[u8]) -> Rule {
        self.and(Expressions::Bitwise(vec![
            Bitwise::SourceRegister(Register::Reg1),
            Bitwise::DestinationRegister(Register::Reg1),
            // At most four bytes.
            Bitwise::Length(mask.len() as u32),
            Bitwise::Mask(DataAttribute::Value(mask.to_vec())),
            Bitwise::Xor(DataAttribute::Value(vec![0; mask.len()])),
        ]))
    }

    fn put(self, value: &[u8]) -> Rule {
        self.and(Expressions::Immediate(vec![
            Immediate::DestinationRegister(Register::Reg1),
            Immediate::Data(DataAttribute::Value(value.to_vec())),
        ]))
    }

    /// Writes register 1 into the packet.
    fn store(self, to: Header, offset: u32, length: u32) -> Rule {
        self.and(Expressions::Payload(vec![
            Payload::SourceRegister(Register::Reg1),
            Payload::Base(to as u32),
            Payload::Offset(offset),
            Payload::Len(length),
            Payload::CsumType(ChecksumType::None),
        ]))
    }

    /// These bytes of a header are this.
    pub fn field(self, header: Header, offset: u32, value: &[u8]) -> Rule {
        // At most sixteen bytes.
        self.load(header, offset, value.len() as u32, Register::Reg1).compare(Operator::Equal, value)
    }

    /// These bytes of a header are anything but this.
    pub fn field_not(self, header: Header, offset: u32, value: &[u8]) -> Rule {
        self.load(header, offset, value.len() as u32, Register::Reg1).compare(Operator::NotEqual, value)
    }

    /// It is ARP.
    pub fn arp(self) -> Rule {
        self.load_meta(MetaKey::EtherTypeProtocol).compare(Operator::Equal, &ETHER_ARP)
    }

    /// It is IP of the version of an address.
    pub fn version_of(self, addr: IpAddr) -> Rule {
        let kind = if addr.is_ipv4() { ETHER_IPV4 } else { ETHER_IPV6 };
        self.load_meta(MetaKey::EtherTypeProtocol).compare(Operator::Equal, &kind)
    }

    /// It goes to an address.
    pub fn to(self, addr: IpAddr) -> Rule {
        match addr {
            IpAddr::V4(a) => self.version_of(addr).field(Header::Network, 16, &a.octets()),
            IpAddr::V6(a) => self.version_of(addr).field(Header::Network, 24, &a.octets()),
        }
    }

    /// The protocol above IP, behind all extension headers.
    pub fn protocol(self, number: u8) -> Rule {
        self.load_meta(MetaKey::L4Proto).compare(Operator::Equal, &[number])
    }

    /// It came in on an interface.
    pub fn came_in_on(self, name: &str) -> Rule {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(IFNAME, 0);
        self.load_meta(MetaKey::Iifname).compare(Operator::Equal, &padded)
    }

    /// It was sent to the MAC address of this interface.
    pub fn for_this_host(self) -> Rule {
        self.load_meta(MetaKey::PacketType).compare(Operator::Equal, &[PACKET_HOST])
    }

    /// It was sent to some other MAC address.
    pub fn not_for_this_host(self) -> Rule {
        self.load_meta(MetaKey::PacketType).compare(Operator::NotEqual, &[PACKET_HOST])
    }

    /// It is a part of a datagram.
    pub fn fragment(self, vip: IpAddr) -> Rule {
        const MORE_FRAGMENTS_OR_OFFSET: [u8; 2] = [0x3f, 0xff];
        const FRAGMENT_HEADER: u8 = 44;
        /// `NFTA_EXTHDR_...` and `NFT_EXTHDR_F_PRESENT`.
        const DREG: u16 = 1;
        const TYPE: u16 = 2;
        const OFFSET: u16 = 3;
        const LEN: u16 = 4;
        const FLAGS: u16 = 5;
        if vip.is_ipv4() {
            let loaded = self.load(Header::Network, 6, 2, Register::Reg1);
            return loaded.mask(&MORE_FRAGMENTS_OR_OFFSET).compare(Operator::NotEqual, &[0, 0]);
        }
        let number = |kind: u16, value: u32| DefaultNla::new(kind, value.to_be_bytes().to_vec());
        let attributes = vec![
            number(DREG, Register::Reg1.into()),
            DefaultNla::new(TYPE, vec![FRAGMENT_HEADER]),
            number(OFFSET, 0),
            number(LEN, 1),
            number(FLAGS, 1),
        ];
        self.and(Expressions::Other { expression_type: "exthdr".to_owned(), attributes })
            .compare(Operator::Equal, &[1])
    }

    /// It belongs to a connection that exists already, as far as TCP's flags say: no first SYN.
    pub fn not_first_of_tcp(self) -> Rule {
        self.load(Header::Transport, 13, 1, Register::Reg1)
            .mask(&[TCP_SYN | TCP_ACK])
            .compare(Operator::NotEqual, &[TCP_SYN])
    }

    /// Connection tracking has seen both directions of it, or it is about such a connection.
    pub fn established(self) -> Rule {
        /// `NFTA_CT_...`, `NFT_CT_STATE`, and two bits of the state.
        const DREG: u16 = 1;
        const KEY: u16 = 2;
        const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
        self.and_other("ct", &[(DREG, Register::Reg1.into()), (KEY, 0)])
            .mask(&ESTABLISHED_OR_RELATED.to_ne_bytes())
            .compare(Operator::NotEqual, &0_u32.to_ne_bytes())
    }

    /// Its source MAC address is in a set.
    pub fn sent_by(self, set: &str) -> Rule {
        self.load(Header::Link, 6, 6, Register::Reg1).look_up(set, false)
    }

    /// Its key is in a set.
    pub fn hashed_in(self, hash: Hash, set: &str) -> Rule {
        self.hash(hash).look_up(set, false)
    }

    fn look_up(self, set: &str, replace: bool) -> Rule {
        let mut lookup = vec![Lookup::Set(set.to_owned()), Lookup::SourceRegister(Register::Reg1)];
        if replace {
            lookup.push(Lookup::DestinationRegister(Register::Reg1));
        }
        self.and(Expressions::Lookup(lookup))
    }

    fn hash(self, hash: Hash) -> Rule {
        /// `NFTA_HASH_...`; a type of 0 is jhash.
        const SREG: u16 = 1;
        const DREG: u16 = 2;
        const LEN: u16 = 3;
        const MODULUS: u16 = 4;
        const SEED_OF: u16 = 5;
        const OFFSET: u16 = 6;
        const TYPE: u16 = 7;
        let (offset, mut length) = hash.address;
        let mut rule = self.load(Header::Network, offset, length, Register::Reg2);
        if let Some((header, offset)) = hash.second {
            let behind = if length == 4 { Register::Reg32_05 } else { Register::Reg32_08 };
            rule = rule.load(header, offset, 2, behind);
            length += 4;
        }
        rule.and_other(
            "hash",
            &[
                (SREG, Register::Reg2.into()),
                (DREG, Register::Reg1.into()),
                (LEN, length),
                // 256, and some hundred rows.
                (MODULUS, BUCKETS as u32),
                (SEED_OF, SEED),
                (OFFSET, (hash.row * BUCKETS) as u32),
                (TYPE, 0),
            ],
        )
    }

    /// The packet is taken as one for this host.
    pub fn take(self) -> Rule {
        self.put(&[PACKET_HOST]).and(Expressions::Meta(vec![
            Meta::Key(MetaKey::PacketType),
            Meta::SourceRegister(Register::Reg1),
        ]))
    }

    /// Addresses the frame to who is found in a map by the hash; ends the rule when nobody is.
    pub fn readdress_by(self, hash: Hash, map: &str) -> Rule {
        self.hash(hash).look_up(map, true).store(Header::Link, 0, 6)
    }

    /// Addresses the frame to somebody.
    pub fn readdress(self, to: MacAddr) -> Rule {
        self.put(&to.0).store(Header::Link, 0, 6)
    }

    /// Makes this host the sender of the frame.
    pub fn resend(self, from: MacAddr) -> Rule {
        self.put(&from.0).store(Header::Link, 6, 6)
    }

    /// Sends the frame out on an interface; it does not come back.
    pub fn forward(self, device: u32) -> Rule {
        self.put(&device.to_ne_bytes()).and_other("fwd", &[(1, Register::Reg1.into())])
    }

    /// Sends a copy of the frame out on an interface.
    pub fn copy(self, device: u32) -> Rule {
        self.put(&device.to_ne_bytes()).and_other("dup", &[(2, Register::Reg1.into())])
    }

    /// Writes a MAC address into the payload of ARP.
    pub fn write_arp_sender(self, mac: MacAddr) -> Rule {
        self.put(&mac.0).store(Header::Network, 8, 6)
    }

    /// Writes a MAC address into the first option of a message of neighbour discovery, of which the
    /// kernel corrects the checksum.
    pub fn write_nd_option(self, mac: MacAddr) -> Rule {
        self.put(&mac.0).and(Expressions::Payload(vec![
            Payload::SourceRegister(Register::Reg1),
            Payload::Base(Header::Transport as u32),
            Payload::Offset(26),
            Payload::Len(6),
            Payload::CsumType(ChecksumType::Inet),
            Payload::CsumOffset(2),
        ]))
    }

    /// Never meant to be reached: nftables reassembles datagrams while such a rule exists.
    pub fn reassemble(self) -> Rule {
        const FAMILY: u16 = 1;
        const PORT: u16 = 3;
        self.protocol(libc::IPPROTO_UDP as u8)
            .put(&[0, 1])
            .and_other("tproxy", &[(FAMILY, 0), (PORT, Register::Reg1.into())])
    }

    /// Where it leads.
    pub fn then(self, then: Then<'_>) -> Rule {
        const DROP: u32 = 0;
        const ACCEPT: u32 = 1;
        let verdict = match then {
            Then::Accept => vec![VerdictAttribute::Code(Verdict::Other(ACCEPT))],
            Then::Drop => vec![VerdictAttribute::Code(Verdict::Other(DROP))],
            Then::Goto(chain) => {
                vec![VerdictAttribute::Code(Verdict::Goto), VerdictAttribute::Chain(chain.to_owned())]
            }
        };
        self.and(Expressions::Immediate(vec![
            Immediate::DestinationRegister(Register::Verdict),
            Immediate::Data(DataAttribute::Verdict(verdict)),
        ]))
    }
}
