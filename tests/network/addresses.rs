//! Setting and removing addresses; where they go; permanent neighbours.

use crate::support::{Space, at, pair, plan, vip};
use safekit::net::addr::{self, InterfaceAddr, Placement};
use safekit::net::arp::Announcer;
use safekit::net::vip::{VipPlan, set_all, unset_all};
use safekit::net::{MacAddr, NetError, neighbour};

fn place(space: &Space, address: &str) -> Placement {
    let address = at(address);
    space.run(move || addr::place(&addr::interfaces().unwrap(), address, None, None).unwrap())
}

fn set(space: &Space, plan: VipPlan) -> Result<Vec<Placement>, NetError> {
    space.run(move || set_all(&plan, &Announcer::open().unwrap()))
}

#[test]
fn an_address_is_set_and_removed_again_and_again() {
    let (a, _b) = pair();
    for (address, prefix) in [("10.9.0.77", 24), ("fd09::77", 64)] {
        let place = place(&a, address);
        assert_eq!((place.ifname.as_str(), place.prefix), ("skt-a", prefix));
        let add = |p: &Placement| {
            let p = p.clone();
            a.run(move || addr::add(&p).unwrap())
        };
        let remove = |p: &Placement| {
            let p = p.clone();
            a.run(move || addr::remove(&p).unwrap())
        };
        assert_eq!([add(&place), add(&place)], [true, false]);
        let here = InterfaceAddr { addr: place.addr, prefix, unusable: false };
        assert!(a.interface("skt-a").addresses.contains(&here), "usable at once");
        assert!(a.has(address));
        assert_eq!([remove(&place), remove(&place)], [true, false]);
        assert!(!a.has(address));
        let gone = Placement { ifindex: 9999, ..place };
        assert!(!remove(&gone), "an interface that is gone has no address");
    }
}

#[test]
fn the_node_does_not_choose_the_virtual_address_as_its_source() {
    let (a, _b) = pair();
    set(&a, plan(&["10.9.0.77", "fd09::77"])).unwrap();
    for (peer, own) in [("10.9.0.2", "10.9.0.1"), ("fd09::2", "fd09::1")] {
        let peer = (at(peer), 9);
        let source = a.run(move || {
            let any = if peer.0.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = std::net::UdpSocket::bind(any).unwrap();
            socket.connect(peer).unwrap();
            socket.local_addr().unwrap().ip()
        });
        assert_eq!(source, at(own));
    }
}

#[test]
fn the_interface_is_the_one_of_the_network_or_the_forced_one() {
    let (a, b) = pair();
    a.cable("skt-c", &b, "skt-d");
    a.address("skt-c", "10.8.0.1/16");
    let interfaces = a.run(|| addr::interfaces().unwrap());
    assert_eq!(place(&a, "10.8.7.7").ifname, "skt-c");
    let forced = addr::place(&interfaces, at("10.9.0.77"), Some("skt-c"), Some(32)).unwrap();
    assert_eq!((forced.ifname.as_str(), forced.prefix), ("skt-c", 32));
    let places = set(&a, plan(&["10.8.7.7", "10.9.0.77"])).unwrap();
    assert_eq!(places.iter().map(|p| p.ifname.as_str()).collect::<Vec<_>>(), ["skt-c", "skt-a"]);
}

#[test]
fn a_leftover_is_moved_or_removed_wherever_it_is() {
    let (a, b) = pair();
    a.cable("skt-c", &b, "skt-d");
    a.address("skt-c", "10.9.0.77/32");
    a.address("skt-a", "10.9.0.77/28");
    let places = set(&a, plan(&["10.9.0.77"])).unwrap();
    let interfaces = a.run(|| addr::interfaces().unwrap());
    assert_eq!(addr::whereabouts(&interfaces, at("10.9.0.77")), places);
    assert_eq!(places[0].prefix, 24);
    a.address("skt-c", "10.9.0.77/32");
    for _ in 0..2 {
        a.run(|| unset_all(&plan(&["10.9.0.77"])).unwrap());
        assert!(!a.has("10.9.0.77"));
    }
    assert!(a.has("10.9.0.1"), "the node's own address stays");
}

#[test]
fn nothing_is_half_set() {
    let (a, _b) = pair();
    let mut unknown = plan(&["10.9.0.77"]);
    unknown.addrs.push(safekit::net::vip::VipAddr { interface: Some("skt-x".into()), ..vip("10.9.0.78") });
    let error = set(&a, unknown).unwrap_err().to_string();
    assert!(error.starts_with("there is no interface skt-x") && error.ends_with("lo, skt-a"), "{error}");
    assert!(!a.has("10.9.0.77"));

    // Refused by the kernel, when the first address is already set.
    a.sysctl("ipv6/conf/skt-a/disable_ipv6", "1");
    let mut refused = plan(&["10.9.0.77"]);
    let forced = vip("fd09::77");
    refused.addrs.push(safekit::net::vip::VipAddr {
        interface: Some("skt-a".into()),
        prefix: Some(64),
        ..forced
    });
    let error = set(&a, refused).unwrap_err();
    assert!(matches!(error, NetError::Kernel { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot set fd09::77/64 on skt-a: "), "{error}");
    assert!(!a.has("10.9.0.77"));
}

#[test]
fn a_permanent_neighbour_is_set_replaced_and_removed() {
    let (a, _b) = pair();
    let index = a.interface("skt-a").index;
    for address in ["10.9.0.2", "fd09::2"] {
        for mac in [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])] {
            let address = at(address);
            a.run(move || neighbour::set_permanent(index, address, mac).unwrap());
            assert_eq!(a.run(move || neighbour::mac_of(index, address).unwrap()), Some(mac));
        }
        let address = at(address);
        assert!(a.run(move || neighbour::remove(index, address).unwrap()));
        assert_eq!(a.run(move || neighbour::mac_of(index, address).unwrap()), None);
        let never = if address.is_ipv4() { at("10.9.0.200") } else { at("fd09::200") };
        assert!(!a.run(move || neighbour::remove(index, never).unwrap()));
    }
}
