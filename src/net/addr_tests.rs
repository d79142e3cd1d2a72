//! Where a virtual address belongs, without a kernel.

use super::*;
use proptest::prelude::*;

fn interface(index: u32, name: &str, carrier: bool, addresses: &[(&str, u8)]) -> Interface {
    let address = |(addr, prefix): &(&str, u8)| InterfaceAddr {
        addr: addr.parse().unwrap(),
        prefix: *prefix,
        unusable: false,
    };
    Interface {
        index,
        name: name.to_owned(),
        mac: None,
        up: true,
        running: carrier,
        carrier,
        promiscuous: false,
        addresses: addresses.iter().map(address).collect(),
    }
}

fn node() -> Vec<Interface> {
    vec![
        interface(1, "lo", true, &[("127.0.0.1", 8), ("::1", 128)]),
        interface(2, "eth0", true, &[("10.1.0.5", 16), ("fd01::5", 64)]),
        interface(3, "eth1", true, &[("10.1.2.5", 24), ("192.168.7.5", 24)]),
        interface(4, "eth2", false, &[("192.168.8.5", 24)]),
        interface(5, "eth3", true, &[("192.168.8.6", 24)]),
    ]
}

fn placed(addr: &str, forced: Option<&str>, prefix: Option<u8>) -> Result<(String, u8), NetError> {
    place(&node(), addr.parse().unwrap(), forced, prefix).map(|p| (p.ifname, p.prefix))
}

#[test]
fn the_longest_network_wins_then_a_link_that_is_plugged_in() {
    for (addr, name, prefix) in [
        ("10.1.9.9", "eth0", 16),
        ("10.1.2.9", "eth1", 24),
        ("fd01::9", "eth0", 64),
        ("192.168.8.9", "eth3", 24),
    ] {
        assert_eq!(placed(addr, None, None).unwrap(), (name.to_owned(), prefix), "{addr}");
    }
}

#[test]
fn the_configuration_forces_interface_and_prefix() {
    assert_eq!(placed("10.1.2.9", Some("eth0"), None).unwrap(), ("eth0".to_owned(), 16));
    assert_eq!(placed("10.1.2.9", None, Some(32)).unwrap(), ("eth1".to_owned(), 32));
    assert_eq!(placed("172.16.0.9", Some("eth2"), Some(20)).unwrap(), ("eth2".to_owned(), 20));
}

#[test]
fn a_leftover_does_not_choose_its_own_place() {
    let mut node = node();
    node.push(interface(6, "eth4", true, &[("172.16.0.9", 24)]));
    let addr: IpAddr = "172.16.0.9".parse().unwrap();
    assert!(matches!(place(&node, addr, None, None), Err(NetError::NoInterface { .. })));
    node.push(interface(7, "eth5", true, &[("172.16.0.1", 16)]));
    assert_eq!(place(&node, addr, None, None).unwrap().ifname, "eth5");
    assert_eq!(whereabouts(&node, addr)[0].ifname, "eth4");
}

#[test]
fn a_refusal_says_what_to_do() {
    let texts = [
        (placed("172.16.0.9", None, None), "10.1.0.0/16 (eth0)"),
        (placed("172.16.0.9", Some("eth9"), None), "interfaces here: lo, eth0, eth1, eth2, eth3"),
        (placed("172.16.0.9", Some("eth0"), None), "give the netmask attribute"),
        (placed("10.1.2.9", None, Some(33)), "prefix length 33 is too long for 10.1.2.9"),
    ];
    for (refused, part) in texts {
        let text = refused.unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

proptest! {
    #[test]
    fn a_network_holds_exactly_the_addresses_that_share_its_bits(a: u32, b: u32, prefix in 0u8..=32) {
        let same = prefix == 0 || (a ^ b) >> (32 - prefix) == 0;
        let [a, b] = [a, b].map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)));
        prop_assert_eq!(InterfaceAddr { addr: a, prefix, unusable: false }.contains(b), same);
        prop_assert_eq!(network(network(a, prefix), prefix), network(a, prefix));
    }

    #[test]
    fn an_address_of_the_other_family_is_never_in_the_network(a: u32, b: u128, prefix: u8) {
        let (a, b) = (IpAddr::from(Ipv4Addr::from_bits(a)), IpAddr::from(Ipv6Addr::from_bits(b)));
        let here = InterfaceAddr { addr: a, prefix, unusable: false };
        prop_assert!(!here.contains(b));
    }

    #[test]
    fn any_answer_of_the_kernel_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse_link(&Body { kind: libc::RTM_NEWLINK, bytes: bytes.clone() });
        let _ = parse_address(&Body { kind: libc::RTM_NEWADDR, bytes });
    }
}
