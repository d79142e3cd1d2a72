//! Announcements as the other end of the cable sees them, and questions to the link.

use crate::support::{DEADLINE, Space, at, pair, plan, wait_for};
use safekit::net::arp::{self, Announcer};
use safekit::net::vip::{announce, set_all, unset_all};
use safekit::net::{MacAddr, icmp, neighbour};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::Read;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;

/// Everything of a kind that arrives in a namespace from now on, with its Ethernet header.
pub fn capture(space: &Space, protocol: u16) -> Socket {
    space.run(move || {
        let protocol = Protocol::from(i32::from(protocol.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    })
}

/// The next frame for which `wanted` has something to say.
pub fn next<T>(capture: &Socket, mut wanted: impl FnMut(&[u8]) -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    let mut capture = capture;
    let mut buffer = [0; 2048];
    while Instant::now() < until {
        let length = capture.read(&mut buffer).expect("a frame in time");
        if let Some(found) = wanted(&buffer[..length]) {
            return found;
        }
    }
    panic!("no such frame");
}

fn mac(space: &Space, name: &'static str) -> MacAddr {
    space.interface(name).mac.unwrap()
}

/// The operation of an ARP frame that announces `address` at `mac` to everybody.
pub fn gratuitous(frame: &[u8], address: [u8; 4], mac: MacAddr) -> Option<u8> {
    let to_all = frame[..6] == [0xff; 6] && frame[6..12] == mac.0;
    let arp = frame.get(14..42)?;
    let announced = arp[..6] == [0, 1, 8, 0, 6, 4] && arp[8..14] == mac.0;
    (to_all && announced && arp[14..18] == address && arp[24..28] == address).then_some(arp[7])
}

#[test]
fn gratuitous_arp_goes_out_as_request_and_reply_when_the_address_is_set() {
    let (a, b) = pair();
    let seen = capture(&b, ARP);
    let source = mac(&a, "skt-a");
    a.run(|| set_all(&plan(&["10.9.0.77"]), &Announcer::open().unwrap()).unwrap());
    let first = next(&seen, |frame| gratuitous(frame, [10, 9, 0, 77], source));
    let second = next(&seen, |frame| gratuitous(frame, [10, 9, 0, 77], source));
    assert_eq!([first, second], [1, 2]);
}

/// NET-11: the virtual MAC address is in the announcement, never its source.
#[test]
fn a_virtual_mac_address_is_announced_from_the_physical_one() {
    let (a, b) = pair();
    let (arp, nd) = (capture(&b, ARP), capture(&b, IPV6));
    let source = mac(&a, "skt-a");
    let vmac: MacAddr = "5a:fe:0a:09:00:4d".parse().unwrap();
    let mut plan = plan(&["10.9.0.77", "fd09::77"]);
    plan.addrs.iter_mut().for_each(|vip| vip.vmac = Some(vmac));
    a.run(move || set_all(&plan, &Announcer::open().unwrap()).unwrap());
    let IpAddr::V6(address) = at("fd09::77") else { unreachable!() };
    let by_arp = next(&arp, |frame| (frame.get(28..32)? == [10, 9, 0, 77]).then(|| frame[..28].to_vec()));
    let by_nd = next(&nd, |frame| {
        (frame.get(62..78)? == address.octets() && frame[54] == 136).then(|| frame.to_vec())
    });
    assert_eq!((&by_arp[6..12], &by_arp[22..28]), (&source.0[..], &vmac.0[..]));
    assert_eq!((&by_nd[6..12], &by_nd[80..86]), (&source.0[..], &vmac.0[..]));
}

#[test]
fn an_unsolicited_advertisement_goes_out_with_the_override_flag() {
    let (a, b) = pair();
    let seen = capture(&b, IPV6);
    let source = mac(&a, "skt-a");
    a.run(|| set_all(&plan(&["fd09::77"]), &Announcer::open().unwrap()).unwrap());
    let IpAddr::V6(address) = at("fd09::77") else { unreachable!() };
    let flags = next(&seen, |frame| {
        let ours = frame.get(62..78)? == address.octets() && frame[54] == 136;
        ours.then(|| (frame[..6].to_vec(), frame[6..12].to_vec(), frame[58], frame[78..86].to_vec()))
    });
    let option = [&[2, 1], &source.0[..]].concat();
    assert_eq!(flags, (vec![0x33, 0x33, 0, 0, 0, 1], source.0.to_vec(), 0x20, option));
}

/// M-4.2.6: the client's entry follows the address from one node to the other without a word of
/// the client.
#[test]
fn a_client_follows_the_address_from_node_to_node() {
    let (client, a, b) = (Space::new(), Space::new(), Space::new());
    client.ip("link add skt-br type bridge");
    client.ip("link set skt-br up");
    for (node, end) in [(&a, 1), (&b, 2)] {
        client.cable(&format!("skt-{end}"), node, "skt-n");
        client.ip(&format!("link set skt-{end} master skt-br"));
        node.address("skt-n", &format!("10.9.0.{end}/24"));
        node.address("skt-n", &format!("fd09::{end}/64"));
    }
    client.address("skt-br", "10.9.0.254/24");
    client.address("skt-br", "fd09::254/64");
    let index = client.interface("skt-br").index;
    let addresses = ["10.9.0.77", "fd09::77"];
    let known = |address: &'static str| client.run(move || neighbour::mac_of(index, at(address)).unwrap());
    let set = move || {
        let announcer = Announcer::open().unwrap();
        set_all(&plan(&addresses), &announcer).unwrap();
    };
    a.run(set);
    for address in addresses {
        wait_for("an answer of the first primary", || {
            let answer = client.run_async(move || icmp::ping(at(address), Duration::from_secs(1))).unwrap();
            answer.is_some()
        });
        assert_eq!(known(address), Some(mac(&a, "skt-n")));
    }
    a.run(move || unset_all(&plan(&addresses)).unwrap());
    b.run(set);
    for address in addresses {
        let place = b.run(move || {
            let all = safekit::net::addr::interfaces().unwrap();
            safekit::net::addr::whereabouts(&all, at(address)).remove(0)
        });
        wait_for("the client's entry to follow", || {
            // The bridge may have been learning its ports: that is what the burst is for.
            let place = place.clone();
            b.run(move || assert!(announce(&Announcer::open().unwrap(), &place, None)));
            known(address) == Some(mac(&b, "skt-n"))
        });
    }
}

#[test]
fn a_probe_finds_who_holds_an_address_and_who_does_not() {
    let (a, b) = pair();
    let (index, own, other) = (a.interface("skt-a").index, mac(&a, "skt-a"), mac(&b, "skt-b"));
    let ask = |address: &'static str, wait: Duration| {
        a.run(move || arp::probe(index, own, at(address), wait).unwrap())
    };
    for address in ["10.9.0.2", "fd09::2"] {
        assert_eq!(ask(address, DEADLINE), Some(other));
    }
    for address in ["10.9.0.3", "fd09::3", "10.9.0.1", "fd09::1"] {
        assert_eq!(ask(address, Duration::from_millis(300)), None, "{address}: nobody, or this node itself");
    }
}

#[test]
fn an_announcement_on_a_disabled_interface_says_why_it_fails() {
    let (a, _b) = pair();
    let (index, own) = (a.interface("skt-a").index, mac(&a, "skt-a"));
    a.ip("link set skt-a down");
    let sent = a.run(move || Announcer::open().unwrap().announce(index, own, at("10.9.0.77")));
    let error = sent.unwrap_err().to_string();
    assert!(error.starts_with("cannot announce 10.9.0.77: Network is down"), "{error}");
}
