//! The state of links, and the watch that tells of changes at once.

use crate::support::{DEADLINE, at, pair, wait_for};
use futures_util::StreamExt;
use safekit::net::addr::{interfaces, is_local};
use safekit::net::link::{Change, LinkState, LinkWatch};
use std::process::Command;
use std::sync::mpsc;

#[test]
fn a_pulled_cable_is_noticed_and_so_is_an_interface_that_goes() {
    let (a, b) = pair();
    let index = a.interface("skt-a").index;
    assert_eq!(a.interface("skt-a").link(), LinkState::Up);
    let (sender, states) = mpsc::channel();
    let (ready, watching) = mpsc::channel();
    // The watch reports what it finds each time that it is told of a change of this interface.
    let watch = std::thread::spawn(move || {
        a.run_async(move || async move {
            let mut watch = LinkWatch::open().unwrap();
            ready.send(()).unwrap();
            loop {
                match watch.next().await.unwrap() {
                    Change::Interfaces(changed) if !changed.contains(&index) => {}
                    _ => {
                        let all = interfaces().unwrap();
                        let Some(now) = all.into_iter().find(|i| i.index == index) else { return };
                        sender.send((now.link(), now.addresses.len())).unwrap();
                    }
                }
            }
        });
    });
    watching.recv_timeout(DEADLINE).unwrap();
    let until = |wanted: &dyn Fn((LinkState, usize)) -> bool| {
        while !wanted(states.recv_timeout(DEADLINE).expect("the watch tells of the change")) {}
    };
    b.ip("link set skt-b down");
    until(&|(link, _)| link == LinkState::NoCarrier);
    b.ip("link set skt-b up");
    until(&|(link, _)| link == LinkState::Up);
    b.ip("link del skt-b");
    watch.join().unwrap();
}

#[test]
fn addresses_that_come_and_go_are_noticed() {
    let (a, _b) = pair();
    // Else the kernel's own work on link-local addresses would wake the watch.
    a.ip("link set skt-a addrgenmode none");
    a.ip("addr flush dev skt-a scope link");
    let index = a.interface("skt-a").index;
    a.run_async(move || async move {
        let mut watch = LinkWatch::open().unwrap();
        for (words, address, there) in [
            ("addr del 10.9.0.1/24 dev skt-a", "10.9.0.1", false),
            ("addr add fd09::78/64 dev skt-a nodad", "fd09::78", true),
            ("addr del fd09::78/64 dev skt-a", "fd09::78", false),
            ("addr add 10.9.0.78/24 dev skt-a", "10.9.0.78", true),
        ] {
            let done = Command::new("ip").args(words.split(' ')).status().unwrap();
            assert!(done.success(), "{words}");
            let change = tokio::time::timeout(DEADLINE, watch.next()).await.expect(words).unwrap();
            assert_eq!(change, Change::Interfaces([index].into()), "{words}");
            assert_eq!(is_local(at(address)).unwrap(), there, "{words}");
        }
    });
}

#[test]
fn a_disabled_link_is_told_apart_from_a_pulled_cable() {
    let (a, b) = pair();
    b.ip("link set skt-b down");
    wait_for("the carrier to go", || a.interface("skt-a").link() == LinkState::NoCarrier);
    a.ip("link set skt-a down");
    assert_eq!(a.interface("skt-a").link(), LinkState::Disabled);
}

#[test]
fn as_a_stream_it_goes_on() {
    let (a, _b) = pair();
    a.run_async(|| async {
        let mut changes = LinkWatch::open().unwrap().into_stream();
        for words in ["link set skt-a down", "link set skt-a up"] {
            assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success());
            let change = tokio::time::timeout(DEADLINE, changes.next()).await.expect(words);
            assert!(change.is_some(), "{words}");
        }
    });
}
