//! The state of links, and the watch that tells of changes at once.

use crate::support::{DEADLINE, pair};
use safekit::net::addr::interfaces;
use safekit::net::link::{Change, LinkState, LinkWatch};
use std::sync::mpsc;

#[test]
fn a_pulled_cable_and_a_removed_address_are_noticed() {
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
fn an_address_that_goes_is_noticed_and_a_disabled_link_is_told_apart() {
    let (a, _b) = pair();
    let index = a.interface("skt-a").index;
    let seen = a.run_async(move || async move {
        let mut watch = LinkWatch::open().unwrap();
        let ip = |words: &'static str| {
            let done = std::process::Command::new("ip").args(words.split(' ')).status().unwrap();
            assert!(done.success(), "{words}");
        };
        ip("addr del 10.9.0.1/24 dev skt-a");
        let first = tokio::time::timeout(DEADLINE, watch.next()).await.unwrap().unwrap();
        let mut all = interfaces().unwrap();
        let has = all.iter().any(|i| i.addresses.iter().any(|a| a.addr == crate::support::at("10.9.0.1")));
        ip("link set skt-a down");
        let second = tokio::time::timeout(DEADLINE, watch.next()).await.unwrap().unwrap();
        all = interfaces().unwrap();
        let state = all.iter().find(|i| i.index == index).unwrap().link();
        (first, has, second, state)
    });
    let here = Change::Interfaces([index].into());
    assert_eq!(seen, (here.clone(), false, here, LinkState::Disabled));
}
