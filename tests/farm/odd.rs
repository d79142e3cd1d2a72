//! What is not a plain packet: fragments, options, extension headers, echo, ARP and neighbour discovery, and
//! frames that would go round.

use crate::requests::{From, connections, datagrams, open, settle};
use crate::support::{DEADLINE, Space, at, wait_for};
use crate::world::{PORT, VIPS, World, rule, rules, share};
use safekit::config::module::{Filter, Proto};
use safekit::farm::{Backend, virtual_mac};
use safekit::fsm::bucket::{Owners, Reach, Share};
use safekit::net::{MacAddr, neighbour};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

const REACHES: [Reach; 2] = [Reach::Every, Reach::One];

fn option(socket: &UdpSocket, level: i32, name: i32, value: &[u8]) {
    // SAFETY: the value is valid for the call, which copies it.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn fragments_reach_who_has_the_datagram() {
    for keep in [true, false] {
        for reach in REACHES {
            let world = World::with(reach, rules(Filter::OnPort), keep, &[share([1, 1, 1])]);
            for vip in VIPS.map(at) {
                let answers = datagrams(&world.client, vip, From::OnePlace, 60, 4000);
                settle(&world);
                let nodes = (0..3).map(|n| answers.iter().filter(|a| **a == n).count()).collect::<Vec<_>>();
                assert_eq!(world.served(), nodes, "{vip}, {reach:?}, keep {keep}");
                assert!(nodes.iter().all(|n| *n > 0), "{vip}, {reach:?}: {nodes:?}");
            }
        }
    }
}

#[test]
fn options_and_extension_headers_change_nothing() {
    for reach in REACHES {
        let world = World::with(reach, rules(Filter::OnPort), true, &[share([1, 1, 1])]);
        for vip in VIPS.map(at) {
            let (plain, odd) = world.client.run(move || {
                let sockets: Vec<UdpSocket> =
                    (0..40).map(|_| open(vip, SocketAddr::new(any(vip), 0))).collect();
                let ask = |socket: &UdpSocket| {
                    socket.send(b"?").unwrap();
                    crate::requests::one_answer(socket)
                };
                let plain: Vec<u8> = sockets.iter().map(ask).collect();
                for socket in &sockets {
                    match vip {
                        // No operation, four times.
                        IpAddr::V4(_) => option(socket, libc::IPPROTO_IP, libc::IP_OPTIONS, &[1; 4]),
                        // A header of 8 bytes with nothing but padding.
                        IpAddr::V6(_) => {
                            option(socket, libc::IPPROTO_IPV6, libc::IPV6_HOPOPTS, &[0, 0, 1, 4, 0, 0, 0, 0]);
                            option(socket, libc::IPPROTO_IPV6, libc::IPV6_DSTOPTS, &[0, 0, 1, 4, 0, 0, 0, 0]);
                        }
                    }
                }
                (plain, sockets.iter().map(ask).collect::<Vec<u8>>())
            });
            assert_eq!(plain, odd, "{vip}, {reach:?}");
            settle(&world);
            assert_eq!(world.served().iter().sum::<usize>(), 80, "{vip}, {reach:?}");
        }
    }
}

fn any(vip: IpAddr) -> IpAddr {
    if vip.is_ipv4() { at("10.9.0.200") } else { at("fd09::200") }
}

/// Answers to one echo request, which are waited for until as many as expected are there and then one more of
/// another echo came.
fn echo_answers(client: &Space, vip: IpAddr, expected: usize) -> Vec<usize> {
    client.run(move || {
        let (domain, protocol, kinds) = match vip {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, [8, 0]),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, [128, 129]),
        };
        let mut socket = Socket::new(domain, Type::RAW, Some(protocol)).unwrap();
        socket.connect(&SocketAddr::new(vip, 0).into()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut counts = vec![0; 2];
        for sequence in 0..2_u8 {
            let mut echo = vec![kinds[0], 0, 0, 0, 0x5a, 0xfe, 0, sequence];
            // Of IPv4; the kernel does it for IPv6.
            let sum = !(u16::from(kinds[0]) << 8).wrapping_add(0x5afe).wrapping_add(u16::from(sequence));
            echo[2..4].copy_from_slice(&sum.to_be_bytes());
            socket.send(&echo).unwrap();
            while counts[usize::from(sequence)] < expected {
                let mut buffer = [0; 128];
                let length = socket.read(&mut buffer).expect("an answer to the echo");
                let message = if vip.is_ipv4() { &buffer[20..length] } else { &buffer[..length] };
                if message[0] == kinds[1] && message[4..6] == [0x5a, 0xfe] {
                    counts[usize::from(message[7])] += 1;
                }
            }
        }
        counts
    })
}

#[test]
fn ping_is_answered_by_every_node_that_it_reaches() {
    for (reach, answers) in [(Reach::Every, 3), (Reach::One, 1)] {
        let world = World::with(reach, rules(Filter::OnPort), true, &[share([1, 1, 1])]);
        for vip in VIPS.map(at) {
            assert_eq!(echo_answers(&world.client, vip, answers), [answers; 2], "{vip}, {reach:?}");
        }
    }
}

fn seen_mac(world: &World, vip: IpAddr) -> Option<MacAddr> {
    let index = world.client.interface("eth0").index;
    world.client.run(move || neighbour::mac_of(index, vip).unwrap())
}

#[test]
fn clients_see_the_virtual_mac_address_and_never_lose_it() {
    let world = World::with(Reach::Every, rules(Filter::OnAddr), true, &[share([1, 1, 1])]);
    for vip in VIPS.map(at) {
        for _ in 0..3 {
            // Servers that answer ask for the client's MAC address, from the virtual address.
            world.nodes.iter().for_each(|node| node.space.ip("neigh flush all"));
            let answers = connections(&world.client, vip, From::Places(20), 20);
            assert!(answers.len() == 20);
            assert_eq!(seen_mac(&world, vip), Some(virtual_mac(vip)), "{vip}");
        }
    }
    assert_eq!(virtual_mac(at("192.168.56.20")).to_string(), "5a:fe:c0:a8:38:14");
}

#[test]
fn clients_see_the_mac_address_of_one_node_in_vmac_directed() {
    let all = |node: usize| Share::settled(Owners::new(|_| Some(node)));
    for node in 0..3 {
        let mut rules = rules(Filter::OnPort);
        rules.push(safekit::farm::LayoutRule { group: 1, ..rule(Proto::Arp, Filter::OnAddr) });
        // Who answers ARP is not who serves.
        let shares = [all((node + 1) % 3), all(node)];
        let world = World::with(Reach::One, rules, true, &shares);
        // Nodes that must find the client first show it their own MAC address.
        let client = world.client.interface("eth0").mac.unwrap();
        for (node, own) in world.nodes.iter().flat_map(|n| [(n, "10.9.0.200"), (n, "fd09::200")]) {
            node.space.ip(&format!("neigh replace {own} lladdr {client} dev eth0 nud permanent"));
        }
        for vip in VIPS.map(at) {
            let answers = datagrams(&world.client, vip, From::OnePlace, 10, 20);
            assert_eq!(answers, vec![(node as u8 + 1) % 3; 10]);
            assert_eq!(seen_mac(&world, vip), Some(world.mac(node)), "{vip}");
        }
    }
}

/// Frames that came in on the interface of a node.
fn received(space: &Space) -> usize {
    let text = space.run(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap());
    let line = text.lines().find_map(|line| line.trim().strip_prefix("eth0:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn no_frame_goes_round_whatever_the_nodes_believe() {
    let world = World::with(Reach::One, rules(Filter::OnPort), true, &[share([1, 1, 1])]);
    for vip in VIPS.map(at) {
        // The client knows somebody's MAC address.
        datagrams(&world.client, vip, From::OnePlace, 1, 20);
    }
    settle(&world);
    world.served();
    for node in 0..3 {
        let next = Share::settled(Owners::new(|_| Some((node + 1) % 3)));
        world.filter(node, move |nft| nft.switch(&[next])).unwrap();
    }
    for vip in VIPS.map(at) {
        let before: usize = world.nodes.iter().map(|n| received(&n.space)).sum();
        world.client.run(move || {
            let sockets: Vec<UdpSocket> = (0..100).map(|_| open(vip, SocketAddr::new(any(vip), 0))).collect();
            sockets.iter().for_each(|socket| assert_eq!(socket.send(b"?").unwrap(), 1));
        });
        let count = || world.nodes.iter().map(|n| received(&n.space)).sum::<usize>() - before;
        wait_for("each request and the frame that passes it on", || count() >= 200);
        settle(&world);
        // Some frames more: neighbours are found, and `settle` asks.
        assert!(count() < 260, "{vip}: {} frames for 100 requests", count());
    }
    assert_eq!(world.served(), [0; 3], "nobody serves");
}

/// Without a rule every node serves what reaches it (AMB-22).
#[test]
fn traffic_without_a_rule_is_taken_by_every_node_that_it_reaches() {
    for (reach, servers) in [(Reach::Every, 3), (Reach::One, 1)] {
        let other = safekit::farm::LayoutRule { port: Some(PORT + 1), ..rule(Proto::Udp, Filter::OnPort) };
        let world = World::with(reach, vec![other], true, &[share([0, 1, 0])]);
        for vip in VIPS.map(at) {
            datagrams(&world.client, vip, From::OnePlace, 10, 20);
            settle(&world);
            let served = world.served();
            assert_eq!(served.iter().filter(|n| **n == 10).count(), servers, "{vip}, {reach:?}: {served:?}");
            assert_eq!(served.iter().sum::<usize>(), 10 * servers, "{vip}, {reach:?}");
        }
    }
}
