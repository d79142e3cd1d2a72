//! The hash in this program is the kernel's: for random clients the filter accepts exactly those whose bucket
//! `farm::bucket` says it owns, one bit of the bucket after the other.

use crate::requests::settle;
use crate::support::at;
use crate::world::{VIPS, World, rule};
use nix::sys::socket::{setsockopt, sockopt};
use safekit::config::module::{Filter, Proto};
use safekit::farm::{Backend, LayoutRule, bucket};
use safekit::fsm::bucket::{Owners, Reach, Share};
use safekit::net::MacAddr;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

const CLIENTS: u32 = 10_000;
/// Destination port of each filter.
const PORTS: [(Filter, u16); 3] = [(Filter::OnAddr, 7100), (Filter::OnPort, 7101), (Filter::OnIpid, 7102)];

/// A client and its packet.
#[derive(Clone, Copy)]
struct Packet {
    number: u32,
    client: SocketAddr,
    ip_id: u16,
    filter: Filter,
}

/// Numbers that look random and are the same in each run.
fn scramble(n: u32) -> u64 {
    let mut x = u64::from(n).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn packet(number: u32, v4: bool) -> Packet {
    let chance = scramble(number);
    let filter = PORTS[(number % 3) as usize].0;
    let [a, b, c, d, e, f, g, h] = chance.to_le_bytes();
    let addr = if v4 {
        IpAddr::V4(Ipv4Addr::new(11, a, b, c.max(1)))
    } else {
        IpAddr::V6(Ipv6Addr::from([0x2001, 0xdb8, chance as u16, 1, number as u16, 7, u16::from(a), 9]))
    };
    let port = u16::from_le_bytes([d, e]).max(1);
    Packet { number, client: SocketAddr::new(addr, port), ip_id: u16::from_le_bytes([f, g ^ h]), filter }
}

impl Packet {
    /// As an Ethernet frame to the virtual address.
    fn frame(&self, vip: IpAddr, to: MacAddr) -> Vec<u8> {
        let port = PORTS.iter().find(|(filter, _)| *filter == self.filter).unwrap().1;
        let mut udp =
            [self.client.port().to_be_bytes(), port.to_be_bytes(), 12_u16.to_be_bytes(), [0, 0]].concat();
        udp.extend(self.number.to_be_bytes());
        let (kind, header) = match (self.client.ip(), vip) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = vec![0x45, 0, 0, 32];
                header.extend(self.ip_id.to_be_bytes());
                header.extend([0, 0, 64, 17, 0, 0]);
                header.extend(from.octets());
                header.extend(to.octets());
                let sum = checksum(&header);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                ([8, 0], header)
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let addrs = [from.octets(), to.octets()].concat();
                let pseudo = [&addrs[..], &[0, 0, 0, 12, 0, 0, 0, 17], &udp[..]].concat();
                let sum = checksum(&pseudo);
                udp[6..8].copy_from_slice(&sum.to_be_bytes());
                ([0x86, 0xdd], [&[0x60, 0, 0, 0, 0, 12, 17, 64][..], &addrs].concat())
            }
            _ => unreachable!("one family"),
        };
        [&to.0[..], &[2, 0, 0, 0, 0, 9], &kind, &header, &udp].concat()
    }
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Sends all packets and returns the numbers of those that the first node accepted.
fn accepted(world: &World, vip: IpAddr, packets: &[Packet], sockets: &[UdpSocket]) -> BTreeSet<u32> {
    let to = world.mac(0);
    let frames: Vec<Vec<u8>> = packets.iter().map(|p| p.frame(vip, to)).collect();
    world.client.run(move || {
        let mut wire = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).unwrap();
        // SAFETY: all zero is a valid address of this kind.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = nix::net::if_::if_nametoindex("eth0").unwrap().cast_signed();
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address is valid for the call, which copies it.
        assert_eq!(unsafe { libc::bind(wire.as_raw_fd(), (&raw const address).cast(), length) }, 0);
        for frame in frames {
            assert_eq!(wire.write(&frame).unwrap(), frame.len());
        }
    });
    settle(world);
    let mut numbers = BTreeSet::new();
    let mut buffer = [0; 64];
    for socket in sockets {
        while let Ok((length, _)) = socket.recv_from(&mut buffer) {
            assert!(
                length == 4
                    && numbers.insert(u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]))
            );
        }
    }
    numbers
}

#[test]
fn the_hash_is_the_kernels() {
    let rules = PORTS.map(|(filter, port)| LayoutRule { port: Some(port), ..rule(Proto::Udp, filter) });
    let nobody = Share::settled(Owners::NOBODY);
    let world = World::with(Reach::Every, rules.to_vec(), true, &[nobody]);
    for vip in VIPS.map(at) {
        let sockets = world.nodes[0].space.run(move || {
            PORTS.map(|(_, port)| {
                let socket = UdpSocket::bind((vip, port)).unwrap();
                setsockopt(&socket, sockopt::RcvBufForce, &(64 << 20)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            })
        });
        let packets: Vec<Packet> = (0..CLIENTS).map(|number| packet(number, vip.is_ipv4())).collect();
        for bit in 0..8 {
            let ones = Share::settled(Owners::new(|bucket| (bucket >> bit & 1 == 1).then_some(0)));
            world.filter(0, move |nft| nft.switch(&[ones])).unwrap();
            let mine = |p: &&Packet| bucket(p.filter, p.client, p.ip_id) >> bit & 1 == 1;
            let expected: BTreeSet<u32> = packets.iter().filter(mine).map(|p| p.number).collect();
            assert!(expected.len() > 4000, "the bits are even");
            let found = accepted(&world, vip, &packets, &sockets);
            let wrong: Vec<_> = found.symmetric_difference(&expected).take(5).collect();
            assert!(wrong.is_empty(), "{vip}, bit {bit}: packets {wrong:?} and others are hashed otherwise");
        }
    }
}
