//! The actor of a module's virtual addresses, as the module sees it.

use crate::announce::{capture, gratuitous, next};
use crate::support::{DEADLINE, at, pair, vip};
use actix::{Actor, Context, Handler};
use safekit::actors::vip::{Announce, Ground, MakeLayout, SetAll, UnsetAll, Vip, VipAddr, VipEvent, VipPlan};
use safekit::config::paths::Paths;
use safekit::farm::{Layout, LayoutVip, Memory};
use safekit::fsm::bucket::Reach;
use safekit::node::sysctl::Settings;
use std::time::Duration;
use tokio::sync::mpsc;

struct Module(mpsc::UnboundedSender<VipEvent>);

impl Actor for Module {
    type Context = Context<Self>;
}

impl Handler<VipEvent> for Module {
    type Result = ();

    fn handle(&mut self, event: VipEvent, _: &mut Context<Self>) {
        // The test may have ended.
        let _ = self.0.send(event);
    }
}

type Events = mpsc::UnboundedReceiver<VipEvent>;

fn start(plan: VipPlan) -> (actix::Addr<Vip>, Events) {
    let (sender, events) = mpsc::unbounded_channel();
    let module = Module(sender).start();
    (Vip::new(plan, module.recipient()).start(), events)
}

async fn event(events: &mut Events) -> VipEvent {
    tokio::time::timeout(DEADLINE, events.recv()).await.expect("an event in time").unwrap()
}

fn one(vip: VipAddr) -> VipPlan {
    VipPlan { tcpreset: true, addrs: vec![vip] }
}

#[test]
fn it_sets_announces_repeatedly_and_removes() {
    let (a, b) = pair();
    let seen = capture(&b, 0x0806);
    let mac = a.interface("skt-a").mac.unwrap();
    let count = std::thread::spawn(move || {
        // At once, after 200 ms, after 1 s, after each interval of 1 s, and again when asked.
        for _ in 0..5 {
            for operation in [1, 2] {
                assert_eq!(next(&seen, |frame| gratuitous(frame, [10, 9, 0, 77], mac)), operation);
            }
        }
        b
    });
    let addr = VipAddr {
        arpreroute: true,
        arpinterval: Duration::from_secs(1),
        arpelapse: Duration::from_secs(2),
        ..vip("10.9.0.77")
    };
    let (a, set) = a_with(
        a,
        move |stop: tokio::sync::oneshot::Receiver<()>| async move {
            let (actor, mut events) = start(one(addr));
            actor.send(SetAll { epoch: 4 }).await.unwrap();
            let set = event(&mut events).await;
            let VipEvent::Set { epoch: 4, result: Ok(places) } = set else { panic!("{set:?}") };
            actor.send(Announce).await.unwrap();
            stop.await.unwrap();
            actor.send(UnsetAll { epoch: 5 }).await.unwrap();
            let unset = event(&mut events).await;
            assert!(matches!(unset, VipEvent::Unset { epoch: 5, result: Ok(()) }), "{unset:?}");
            places
        },
        count,
    );
    assert_eq!((set[0].ifname.as_str(), set[0].addr, set[0].prefix), ("skt-a", at("10.9.0.77"), 24));
    assert!(!a.has("10.9.0.77"));
}

/// Runs `work` in `space` until `other` has ended, which is told through the channel.
fn a_with<R, F, T>(
    space: crate::support::Space,
    work: impl FnOnce(tokio::sync::oneshot::Receiver<()>) -> F + Send + 'static,
    other: std::thread::JoinHandle<T>,
) -> (crate::support::Space, R)
where
    R: Send + 'static,
    F: Future<Output = R>,
    T: Send + 'static,
{
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let inside = std::thread::spawn(move || {
        let result = space.run_async(move || work(stopped));
        (space, result)
    });
    let ended = other.join();
    stop.send(()).unwrap();
    let inside = inside.join().unwrap();
    assert!(ended.is_ok(), "the other end saw what it should");
    inside
}

#[test]
fn it_tells_who_else_holds_the_address() {
    for address in ["10.9.0.77", "fd09::77"] {
        let (a, b) = pair();
        let other = b.interface("skt-b").mac;
        b.address("skt-b", &format!("{address}/{}", if address.contains(':') { 64 } else { 24 }));
        let holder = a.run_async(move || async move {
            let (actor, mut events) = start(one(vip(address)));
            actor.send(SetAll { epoch: 1 }).await.unwrap();
            assert!(matches!(event(&mut events).await, VipEvent::Set { epoch: 1, result: Ok(_) }));
            match event(&mut events).await {
                VipEvent::Conflict { addr, holder } if addr == at(address) => holder,
                other => panic!("{other:?}"),
            }
        });
        assert_eq!(holder, other);
    }
}

#[test]
fn after_a_crash_it_removes_what_was_left_behind() {
    let (a, _b) = pair();
    a.address("skt-a", "10.9.0.77/24");
    a.address("lo", "fd09::77/128");
    let plan = VipPlan { tcpreset: true, addrs: vec![vip("10.9.0.77"), vip("fd09::77")] };
    a.run_async(move || async move {
        let (actor, mut events) = start(plan);
        actor.send(UnsetAll { epoch: 9 }).await.unwrap();
        let unset = event(&mut events).await;
        assert!(matches!(unset, VipEvent::Unset { epoch: 9, result: Ok(()) }), "{unset:?}");
    });
    assert!(!a.has("10.9.0.77") && !a.has("fd09::77"));
}

fn setting(path: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/net/{path}")).unwrap().trim().to_owned()
}

fn ip(words: &str) {
    let done = std::process::Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(done.status.success(), "ip {words}: {done:?}");
}

/// NET-10.
#[test]
fn what_a_shared_address_needs_of_the_kernel_is_put_back() {
    let (a, b) = pair();
    // A second interface on the same link.
    a.cable("skt-c", &b, "skt-d");
    a.address("skt-c", "10.9.0.3/24");
    let dir = tempfile::tempdir().unwrap();
    let paths = Paths::new(dir.path(), dir.path());
    let shared =
        |address: &str| VipAddr { interface: Some("skt-a".to_owned()), shared: true, ..vip(address) };
    let plan = VipPlan { tcpreset: true, addrs: vec![shared("10.9.0.77"), shared("fd09::77")] };
    a.run_async(move || async move {
        let all = || {
            let paths = [
                "ipv4/conf/skt-a/arp_announce",
                "ipv4/conf/skt-c/arp_ignore",
                "ipv6/conf/skt-a/keep_addr_on_down",
            ];
            paths.map(setting)
        };
        let before = all();
        let (sender, mut events) = mpsc::unbounded_channel();
        let module = Module(sender).start();
        let settings = Settings::new(&paths, "boot", &"farm".parse().unwrap());
        let actor = Vip::new(plan, module.recipient()).on(Ground::with_settings(settings)).start();
        actor.send(SetAll { epoch: 1 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Set { result: Ok(_), .. }));
        assert_eq!(all(), ["2", "1", "1"]);
        ip("link set skt-a down");
        ip("link set skt-a up");
        let there = |address: &str| safekit::net::addr::is_local(at(address)).unwrap();
        assert!(there("10.9.0.77") && there("fd09::77"), "an interface that was disabled keeps them");
        actor.send(UnsetAll { epoch: 2 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Unset { result: Ok(()), .. }));
        assert_eq!(all(), before);
        assert!(!there("10.9.0.77") && !there("fd09::77"));
    });
}

/// NET-16: the filter of a mirror answers with the virtual MAC address while the address is set, no longer.
#[test]
fn a_filter_is_there_as_long_as_the_addresses() {
    let (a, _b) = pair();
    let memory = Memory::default();
    let held = memory.clone();
    let vmac = Some("5a:fe:0a:09:00:4d".parse().unwrap());
    let plan = one(VipAddr { vmac, ..vip("10.9.0.77") });
    let ground = |make: MakeLayout| {
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path(), dir.path());
        let settings = Settings::new(&paths, "boot", &"mirror".parse().unwrap());
        (Ground::with_settings(settings).and_filter(Box::new(memory.clone()), make), dir)
    };
    let of = plan.clone();
    let (filtered, _dir) = ground(Box::new(move |interfaces| {
        let places = of.places(interfaces)?;
        let vips = places.into_iter().map(|place| LayoutVip {
            addr: place.addr,
            device: place.ifname,
            reach: Reach::Every,
            vmac,
        });
        let module = "mirror".parse().unwrap();
        Ok(Layout { module, me: 0, vips: vips.collect(), rules: vec![], peers: vec![], keep: false })
    }));
    a.run_async(move || async move {
        let (sender, mut events) = mpsc::unbounded_channel();
        let actor = Vip::new(plan, Module(sender).start().recipient()).on(filtered).start();
        for round in 0..2 {
            held.held().refuse = (round == 0).then(|| "no room".to_owned());
            actor.send(SetAll { epoch: round }).await.unwrap();
            let VipEvent::Set { result, .. } = event(&mut events).await else { panic!("not an answer") };
            let there = held.held().layout.as_ref().map(|layout| layout.vips[0].device.clone());
            match round {
                0 => assert!(result.unwrap_err().to_string().contains("no room")),
                _ => assert_eq!((result.unwrap().len(), there.as_deref()), (1, Some("skt-a"))),
            }
            let set = safekit::net::addr::is_local(at("10.9.0.77")).unwrap();
            assert_eq!(set, round == 1, "without its filter it is not set");
        }
        actor.send(UnsetAll { epoch: 2 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Unset { result: Ok(()), .. }));
        assert!(held.held().layout.is_none());
    });
}

/// The other nodes of a farm answer for it as well.
#[test]
fn others_may_hold_a_shared_address() {
    let (a, b) = pair();
    for address in ["10.9.0.77/24", "10.9.0.78/24", "fd09::77/64"] {
        b.address("skt-b", address);
    }
    let told = a.run_async(|| async {
        // All are asked for at once, the shared one first.
        let addrs = vec![VipAddr { shared: true, ..vip("10.9.0.77") }, vip("10.9.0.78"), vip("fd09::77")];
        let (actor, mut events) = start(VipPlan { tcpreset: true, addrs });
        actor.send(SetAll { epoch: 1 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Set { result: Ok(_), .. }));
        let mut told = Vec::new();
        while told.len() < 2 {
            let VipEvent::Conflict { addr, holder: Some(_) } = event(&mut events).await else { continue };
            told.push(addr);
        }
        told.sort();
        told
    });
    assert_eq!(told, [at("10.9.0.78"), at("fd09::77")]);
}

#[test]
fn the_addresses_stay_when_the_actor_goes() {
    let (a, _b) = pair();
    a.run_async(|| async {
        let (actor, mut events) = start(one(vip("10.9.0.77")));
        actor.send(SetAll { epoch: 1 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Set { result: Ok(_), .. }));
    });
    assert!(a.has("10.9.0.77"));
}

#[test]
fn each_order_is_answered_with_its_epoch_also_when_it_is_refused() {
    let (a, _b) = pair();
    a.run_async(|| async {
        let (actor, mut events) = start(one(VipAddr { connections: true, ..vip("192.0.2.77") }));
        actor.send(SetAll { epoch: 7 }).await.unwrap();
        let refused = event(&mut events).await;
        let VipEvent::Set { epoch: 7, result: Err(error) } = refused else { panic!("{refused:?}") };
        assert!(error.to_string().starts_with("no interface holds the network of 192.0.2.77"), "{error}");
        actor.send(UnsetAll { epoch: 8 }).await.unwrap();
        assert!(matches!(event(&mut events).await, VipEvent::Connections { count: 0, .. }));
        assert!(matches!(event(&mut events).await, VipEvent::Unset { epoch: 8, result: Ok(()) }));
    });
}

/// RES-41, on a clock that jumps to the next timer.
#[test]
fn it_counts_the_connections_each_period() {
    let (a, b) = pair();
    let server = a.run(|| std::net::TcpListener::bind("0.0.0.0:0").unwrap());
    let target = std::net::SocketAddr::new(at("10.9.0.77"), server.local_addr().unwrap().port());
    let counts = a.run(move || {
        let runtime = || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().start_paused(true).build().unwrap()
        };
        actix::System::with_tokio_rt(runtime).block_on(async move {
            let (actor, mut events) = start(one(VipAddr { connections: true, ..vip("10.9.0.77") }));
            actor.send(SetAll { epoch: 1 }).await.unwrap();
            assert!(matches!(event(&mut events).await, VipEvent::Set { epoch: 1, result: Ok(_) }));
            let client = b.run(move || std::net::TcpStream::connect(target).unwrap());
            let mut counts = Vec::new();
            while counts.len() < 3 {
                let VipEvent::Connections { addr, count } = event(&mut events).await else { continue };
                assert_eq!(addr, at("10.9.0.77"));
                counts.push(count);
                if counts.len() == 2 {
                    actor.send(UnsetAll { epoch: 2 }).await.unwrap();
                }
            }
            drop(client);
            counts
        })
    });
    assert_eq!(counts, [1, 1, 0]);
}
