//! Every request is answered by one node, in the proportions of the buckets, in each mode and by each filter.

use crate::requests::{From, connections, datagrams, settle};
use crate::support::at;
use crate::world::{VIPS, World, rule, rules, share};
use safekit::config::module::{Filter, Proto};
use safekit::farm::{Backend, LayoutRule};
use safekit::fsm::bucket::{Reach, Share};
use std::net::IpAddr;

/// Chi-square with two degrees of freedom exceeds this once in a million.
const LIMIT: f64 = 27.6;
const WEIGHTS: [[usize; 3]; 3] = [[1, 1, 1], [2, 1, 1], [3, 2, 1]];

/// Each answer came from one node, and as many from each as it has weight.
fn check(what: &str, world: &World, answers: &[u8], weights: [usize; 3]) {
    settle(world);
    let mut seen = [0_usize; 3];
    answers.iter().for_each(|node| seen[usize::from(*node)] += 1);
    assert_eq!(world.served(), seen, "{what}: nobody else was asked");
    let total: usize = weights.iter().sum();
    let expected = weights.map(|w| (answers.len() * w) as f64 / total as f64);
    let chi: f64 = seen.iter().zip(expected).map(|(seen, e)| (*seen as f64 - e).powi(2) / e).sum();
    assert!(chi < LIMIT, "{what}: {seen:?} where {expected:?} were expected: chi-square {chi}");
}

/// All weights on the stack of a mode.
fn all(reach: Reach) {
    let world = World::with(reach, rules(Filter::OnPort), true, &[share([1, 1, 1])]);
    for weights in WEIGHTS {
        world.switch(&[share(weights)]);
        for vip in VIPS.map(at) {
            let what = |kind| format!("{kind} to {vip}, {reach:?}, {weights:?}");
            let answers = datagrams(&world.client, vip, From::OnePlace, 600, 20);
            check(&what("datagrams"), &world, &answers, weights);
            let answers = connections(&world.client, vip, From::OnePlace, 300);
            check(&what("connections"), &world, &answers, weights);
        }
    }
    for filter in [Filter::OnAddr, Filter::OnIpid] {
        reload(&world, reach, filter);
        for vip in VIPS.map(at) {
            by_place(&world, filter, vip, [2, 1, 1]);
        }
    }
}

fn reload(world: &World, reach: Reach, filter: Filter) {
    for me in 0..3 {
        let tcp = rule(Proto::Tcp, Filter::OnAddr);
        let layout = world.layout(me, reach, vec![tcp, rule(Proto::Udp, filter)], true);
        world.filter(me, move |nft| nft.load(&layout, &[share([2, 1, 1])])).unwrap();
    }
}

/// Requests from 600 addresses; by address each of them always finds the same node.
fn by_place(world: &World, filter: Filter, vip: IpAddr, weights: [usize; 3]) {
    let what = format!("{filter:?} to {vip}");
    let answers = datagrams(&world.client, vip, From::Places(600), 600, 20);
    check(&what, world, &answers, weights);
    if filter == Filter::OnAddr {
        let again = datagrams(&world.client, vip, From::Places(600), 600, 20);
        let connected = connections(&world.client, vip, From::Places(600), 300);
        assert_eq!(again, answers, "{what}");
        assert_eq!(connected, answers[..300], "{what}: tcp goes where udp goes");
        settle(world);
        world.served();
    }
}

#[test]
fn every_request_is_answered_once_in_vmac_invisible() {
    all(Reach::Every);
}

#[test]
fn every_request_is_answered_once_in_vmac_directed() {
    all(Reach::One);
}

/// Groups have shares of their own; a rule for one port or address goes before one for all.
#[test]
fn groups_and_rules_have_their_own_shares() {
    for reach in [Reach::Every, Reach::One] {
        let all = |node: usize| share([0, 1, 2].map(|n| usize::from(n == node)));
        let special = LayoutRule {
            group: 1,
            port: Some(7000),
            vip: Some(at(VIPS[0])),
            ..rule(Proto::Udp, Filter::OnPort)
        };
        let elsewhere = LayoutRule { port: Some(7001), ..special.clone() };
        let rest = LayoutRule { group: 2, ..rule(Proto::Udp, Filter::OnAddr) };
        let tcp = rule(Proto::Tcp, Filter::OnAddr);
        let shares: Vec<Share> = [0, 1, 2].map(all).to_vec();
        let world = World::with(reach, vec![elsewhere, tcp, special, rest], true, &shares);
        for (n, vip) in VIPS.map(at).into_iter().enumerate() {
            assert_eq!(datagrams(&world.client, vip, From::OnePlace, 20, 20), vec![n as u8 + 1; 20], "{vip}");
            assert_eq!(connections(&world.client, vip, From::OnePlace, 5), vec![0; 5], "{vip}");
        }
        let shown: Vec<usize> = (0..3).map(|node| world.shown(node, 3).unwrap()[node].len()).collect();
        assert_eq!(shown, [256; 3]);
        assert_eq!(world.shown(0, 3).unwrap()[1].len(), 0);
    }
}
