//! Changes of bitmaps under a flood of packets: a bucket that does not move is served all the time, by its
//! owner alone.

use crate::requests::settle;
use crate::support::{Space, at, wait_for};
use crate::world::{VIPS, World, rules};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use safekit::config::module::Filter;
use safekit::farm::{Backend, bucket};
use safekit::fsm::bucket::{Owners, Reach, Share};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many changes are made.
pub const CHANGES: usize = 500;
/// Where what is counted goes; nobody answers there.
const SINK: u16 = 7200;

/// Packets that may be under way, so that no queue overflows.
const WINDOW: usize = 200;

/// Packets from one port of the client to the first node, on and on.
struct Flood {
    sent: Arc<AtomicUsize>,
    received: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    sender: JoinHandle<()>,
    receiver: JoinHandle<()>,
}

impl Flood {
    fn start(client: &Space, vip: IpAddr, from: SocketAddr, sink: UdpSocket) -> Flood {
        let (sent, received, end) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let socket = client.run(move || {
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect((vip, SINK)).unwrap();
            socket
        });
        let (out, back, ended) = (sent.clone(), received.clone(), end.clone());
        let sender = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                if out.load(Ordering::Relaxed) - back.load(Ordering::Relaxed) < WINDOW {
                    socket.send(b"12345678").unwrap();
                    out.fetch_add(1, Ordering::Relaxed);
                } else {
                    thread::sleep(Duration::from_micros(200));
                }
            }
        });
        let (back, ended) = (received.clone(), end.clone());
        let receiver = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let mut ready = [PollFd::new(sink.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut ready, PollTimeout::from(50u8));
                back.fetch_add(drain(&sink), Ordering::Relaxed);
            }
        });
        Flood { sent, received, end, sender, receiver }
    }

    /// Packets sent and received.
    fn counts(&self) -> (usize, usize) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }

    /// Ends it when all is received, or in vain at the deadline.
    fn stop(self) -> (usize, usize) {
        self.end.store(true, Ordering::Relaxed);
        self.sender.join().unwrap();
        self.receiver.join().unwrap();
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

/// Two halves: buckets below 128 stay with the first node, the others change hands at each step.
pub fn halves(step: usize) -> Owners {
    Owners::new(|b| Some(if b < 128 { 0 } else { 1 + (usize::from(b) + step) % 2 }))
}

/// A port of the client whose bucket is in the lower half.
fn steady_port(client: IpAddr) -> SocketAddr {
    let ports = (20_000..30_000).map(|port| SocketAddr::new(client, port));
    ports.into_iter().find(|from| bucket(Filter::OnPort, *from, 0) < 128).unwrap()
}

fn drain(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 16];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
}

fn sinks(world: &World, vip: IpAddr) -> Vec<UdpSocket> {
    let open = move || {
        let socket = UdpSocket::bind((vip, SINK)).unwrap();
        setsockopt(&socket, sockopt::RcvBufForce, &(512 << 20)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    world.nodes.iter().map(|node| node.space.run(open)).collect()
}

/// What became of packets whose bucket did not move.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    pub sent: usize,
    pub lost: usize,
    pub elsewhere: usize,
}

/// Makes so many changes under a flood to one that does not move.
pub fn misfiltered(reach: Reach, changes: usize, change: impl Fn(&World, usize)) -> Counts {
    let vip = at(VIPS[0]);
    let world = World::with(reach, rules(Filter::OnPort), true, &[Share::settled(halves(0))]);
    let mut sinks = sinks(&world, vip);
    let first = sinks.remove(0);
    let last = first.try_clone().unwrap();
    let flood = Flood::start(&world.client, vip, steady_port(at("10.9.0.200")), first);
    for step in 1..=changes {
        let (before, _) = flood.counts();
        change(&world, step);
        // On a busy machine the flood may have been asleep.
        wait_for("packets to arrive during the change", || flood.counts().0 > before);
    }
    let (sent, received) = flood.stop();
    settle(&world);
    let received = received + drain(&last);
    Counts { sent, lost: sent - received, elsewhere: sinks.iter().map(drain).sum() }
}

fn none_is_wrong(reach: Reach, changes: usize, change: impl Fn(&World, usize)) {
    let counts = misfiltered(reach, changes, change);
    assert_eq!((counts.lost, counts.elsewhere), (0, 0), "{reach:?}: of {} packets", counts.sent);
    assert!(counts.sent >= changes, "{reach:?}: only {} packets", counts.sent);
}

#[test]
fn no_packet_is_misfiltered_while_bitmaps_change() {
    for reach in [Reach::Every, Reach::One] {
        none_is_wrong(reach, CHANGES, |world, step| {
            let share = Share::settled(halves(step));
            // Each node in turn.
            world.filter(step % 3, move |nft| nft.switch(&[share])).unwrap();
        });
    }
}

/// As a killed and restarted process does: everything is replaced by one who knows nothing of it.
#[test]
fn no_packet_is_misfiltered_while_filters_are_loaded_again() {
    none_is_wrong(Reach::Every, 40, |world, step| {
        let node = step % 3;
        let (layout, share) =
            (world.layout(node, Reach::Every, rules(Filter::OnPort), true), Share::settled(halves(step)));
        world
            .filter(node, move |nft| {
                *nft = safekit::farm::nft::Nft::new(&layout.module);
                nft.load(&layout, &[share])
            })
            .unwrap();
    });
}
