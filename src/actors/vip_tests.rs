//! The plan of announcements. The actor itself is tested in namespaces (tests/network): it would
//! change the addresses of the machine that runs this test.

use super::*;

fn vip(arpreroute: bool) -> VipAddr {
    VipAddr {
        addr: "192.0.2.77".parse().unwrap(),
        interface: None,
        prefix: None,
        arpreroute,
        arpinterval: Duration::from_secs(60),
        arpelapse: Duration::from_secs(1200),
        connections: true,
        vmac: None,
        shared: false,
    }
}

fn times(vip: &VipAddr) -> Vec<Duration> {
    std::iter::successors(Some(Duration::ZERO), |at| next_announcement(vip, *at)).collect()
}

#[test]
fn the_burst_comes_whatever_arpreroute_says() {
    assert_eq!(times(&vip(false)), [0, 200, 1000].map(Duration::from_millis));
}

#[test]
fn arpreroute_goes_on_each_interval_until_it_elapses() {
    let times = times(&vip(true));
    assert_eq!(times.len(), 3 + 20);
    assert_eq!(times[3], Duration::from_secs(60));
    assert_eq!(times.last(), Some(&Duration::from_secs(1200)));
}

#[test]
fn a_virtual_mac_address_is_learnt_once() {
    let vip = VipAddr { vmac: Some("5a:fe:c0:00:02:4d".parse().unwrap()), ..vip(true) };
    assert_eq!(times(&vip), [0, 200, 1000].map(Duration::from_millis));
}

#[test]
fn an_interval_of_nothing_neither_spins_nor_divides_by_zero() {
    let arpelapse = Duration::from_millis(1250);
    let vip = VipAddr { arpinterval: Duration::ZERO, arpelapse, ..vip(true) };
    assert_eq!(times(&vip), [0, 200, 1000, 1100, 1200].map(Duration::from_millis));
    let never = VipAddr { arpinterval: Duration::MAX, arpelapse: Duration::MAX, ..vip };
    assert_eq!(next_announcement(&never, BURST[1]), None);
}
