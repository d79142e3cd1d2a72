//! Connections stay while buckets move; without `keep` they break.

use crate::requests::connect;
use crate::support::{Space, at};
use crate::world::{VIPS, World, owners, rules};
use safekit::config::module::Filter;
use safekit::fsm::bucket::{Owners, Reach, Share};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Nodes leave and return, and one becomes stronger.
const CHANGES: [[usize; 3]; 9] =
    [[1, 1, 0], [1, 1, 1], [0, 1, 1], [1, 1, 1], [2, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1]];
/// Connections that last; they ask again and again.
const LASTING: usize = 30;

/// What clients have seen.
#[derive(Default)]
struct Tally {
    answers: AtomicUsize,
    errors: AtomicUsize,
    moved: AtomicUsize,
    short: AtomicUsize,
    ended: AtomicBool,
}

/// Starts something that goes on until the end of the test, inside the client.
fn start(
    client: &Space,
    tally: &Arc<Tally>,
    work: impl Fn(&Tally) + Send + 'static,
) -> thread::JoinHandle<()> {
    let tally = tally.clone();
    client.run(move || {
        thread::spawn(move || {
            while !tally.ended.load(Ordering::Relaxed) {
                work(&tally);
            }
        })
    })
}

/// Lasting connections, each asked in turn.
fn lasting(client: &Space, vip: IpAddr, tally: &Arc<Tally>) -> thread::JoinHandle<()> {
    let connections = client.run(move || {
        let from = SocketAddr::new(if vip.is_ipv4() { at("0.0.0.0") } else { at("::") }, 0);
        (0..LASTING).map(|_| Some((connect(vip, from), None))).collect::<Vec<_>>()
    });
    let connections = std::sync::Mutex::new(connections);
    start(client, tally, move |tally| {
        for slot in connections.lock().unwrap().iter_mut() {
            let Some((connection, who)) = slot else { continue };
            let mut answer = [0];
            match connection.write_all(b"?").and_then(|()| connection.read_exact(&mut answer)) {
                Ok(()) => {
                    let before = who.replace(answer[0]);
                    tally.answers.fetch_add(1, Ordering::Relaxed);
                    tally
                        .moved
                        .fetch_add(usize::from(before.is_some_and(|b| b != answer[0])), Ordering::Relaxed);
                }
                Err(_) => {
                    tally.errors.fetch_add(1, Ordering::Relaxed);
                    *slot = None;
                }
            }
        }
    })
}

/// Connections for one question.
fn short(client: &Space, vip: IpAddr, tally: &Arc<Tally>) -> thread::JoinHandle<()> {
    start(client, tally, move |tally| {
        let from = SocketAddr::new(if vip.is_ipv4() { at("0.0.0.0") } else { at("::") }, 0);
        let mut connection = connect(vip, from);
        let mut answer = [0];
        let asked = connection.write_all(b"?").and_then(|()| connection.read_exact(&mut answer));
        let count: &AtomicUsize = if asked.is_ok() { &tally.short } else { &tally.errors };
        count.fetch_add(1, Ordering::Relaxed);
    })
}

/// The two-phase switch from one assignment to another, with the grace time still going on from the moves before.
fn rebalance(world: &World, current: &Owners, previous: &Owners, next: &Owners, keep: bool) -> Owners {
    let moved = |b: u8| if current.of(b) == next.of(b) { previous.of(b) } else { current.of(b) };
    let previous = if keep { Owners::new(moved) } else { Owners::NOBODY };
    let change = Share { owners: next.clone(), previous: Owners::new(moved), changing: true };
    world.switch(&[change]);
    world.switch(&[Share { owners: next.clone(), previous: previous.clone(), changing: false }]);
    previous
}

/// Nine rebalances under load; returns what the clients saw.
fn run(reach: Reach, vip: IpAddr, keep: bool) -> Arc<Tally> {
    let mut current = owners([1, 1, 1]);
    let world = World::with(reach, rules(Filter::OnPort), keep, &[Share::settled(current.clone())]);
    let tally = Arc::<Tally>::default();
    let clients = [
        lasting(&world.client, vip, &tally),
        short(&world.client, vip, &tally),
        short(&world.client, vip, &tally),
    ];
    let mut previous = Owners::NOBODY;
    for weights in CHANGES {
        let next = owners(weights);
        previous = rebalance(&world, &current, &previous, &next, keep);
        current = next;
        // So that the load goes on under this assignment: each lasting connection was asked since, and
        // others were made.
        let made = tally.short.load(Ordering::Relaxed);
        let (asked, errors) = (tally.answers.load(Ordering::Relaxed), tally.errors.load(Ordering::Relaxed));
        crate::support::wait_for("new connections", || tally.short.load(Ordering::Relaxed) >= made + 3);
        crate::support::wait_for("the next questions", || {
            tally.answers.load(Ordering::Relaxed) + LASTING * (tally.errors.load(Ordering::Relaxed) - errors)
                >= asked + 2 * LASTING
                || errors >= LASTING
        });
    }
    tally.ended.store(true, Ordering::Relaxed);
    clients.into_iter().for_each(|client| client.join().unwrap());
    tally
}

fn kept(reach: Reach) {
    for vip in VIPS.map(at) {
        let tally = run(reach, vip, true);
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        assert_eq!((count(&tally.errors), count(&tally.moved)), (0, 0), "{vip}, {reach:?}");
        assert!(count(&tally.short) > 20, "{vip}, {reach:?}: {} short connections", count(&tally.short));
    }
}

#[test]
fn connections_are_kept_in_vmac_invisible() {
    kept(Reach::Every);
}

#[test]
fn connections_are_kept_in_vmac_directed() {
    kept(Reach::One);
}

#[test]
fn without_keep_connections_break() {
    for reach in [Reach::Every, Reach::One] {
        let tally = run(reach, at(VIPS[0]), false);
        assert!(tally.errors.load(Ordering::Relaxed) > 0, "{reach:?}: the other tests can fail");
    }
}

/// After the grace time who has no connection says so.
#[test]
fn after_the_grace_time_a_lost_connection_is_reset() {
    for reach in [Reach::Every, Reach::One] {
        let all = |node: usize| Owners::new(|_| Some(node));
        let world = World::with(reach, rules(Filter::OnPort), true, &[Share::settled(all(0))]);
        let vip = at(VIPS[0]);
        let mut connection = world.client.run(move || connect(vip, "0.0.0.0:0".parse().unwrap()));
        let mut ask = || {
            let mut answer = [0];
            connection.write_all(b"?").and_then(|()| connection.read_exact(&mut answer)).map(|()| answer[0])
        };
        assert_eq!(ask().unwrap(), 0);
        let grace = Share { owners: all(1), previous: all(0), changing: false };
        world.switch(&[grace]);
        assert_eq!(ask().unwrap(), 0, "{reach:?}: kept");
        world.switch(&[Share::settled(all(1))]);
        let reset = ask().unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset, "{reach:?}");
    }
}
