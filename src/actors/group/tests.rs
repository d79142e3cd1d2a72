//! Groups that talk over loopback addresses and drive a filter that only remembers. Every wait ends at
//! a deadline.

use super::*;
use crate::actors::cluster::{DropReason, LanSetup};
use crate::farm::{Layout, LayoutVip, Memory};
use crate::fsm::bucket::{Owners, Reach};
use crate::log::syslog::Syslog;
use crate::node::keys::SecretKey;
use crate::store::{ModuleStore, Store};
use crate::told::told;
use actix::Arbiter;
use std::time::Instant;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(30);
const PULSE: Duration = Duration::from_millis(100);
const VIP: &str = "10.77.0.100";

/// Passes on what it is told.
struct Module(mpsc::UnboundedSender<GroupEvent>);

impl Actor for Module {
    type Context = Context<Self>;
}

impl Handler<GroupEvent> for Module {
    type Result = ();

    fn handle(&mut self, event: GroupEvent, _: &mut Context<Self>) {
        let _closed = self.0.send(event);
    }
}

struct Node {
    actor: Addr<Group>,
    memory: Memory,
    events: mpsc::UnboundedReceiver<GroupEvent>,
    log: ModuleStore,
    arbiter: Arbiter,
    _store: (Store, TempDir),
}

/// A port that is free now on every address of the loopback.
fn free_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn addr(lan: usize, node: usize) -> IpAddr {
    IpAddr::from([127, 0, lan as u8 + 1, node as u8 + 1])
}

fn layout(me: usize) -> Layout {
    let vip = LayoutVip { addr: VIP.parse().unwrap(), device: "lo".into(), reach: Reach::Every, vmac: None };
    let module = "farm".parse().unwrap();
    Layout { module, me, vips: vec![vip], rules: Vec::new(), peers: Vec::new(), keep: true }
}

impl Node {
    /// Node `me` of two on two lans, changed by `adapt`.
    fn start(me: usize, port: u16, memory: Memory, adapt: impl FnOnce(&mut GroupSetup)) -> Node {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::start(dir.path(), Syslog::new(dir.path().join("no-journal"))).unwrap();
        let module = "farm".parse().unwrap();
        let log = store.module(&module, dir.path());
        let (sender, events) = mpsc::unbounded_channel();
        let arbiter = Arbiter::new();
        let lan = |lan: usize| LanSetup {
            name: format!("lan{lan}"),
            local: Some(addr(lan, me)),
            addrs: (0..2).map(|node| Some(addr(lan, node))).collect(),
        };
        let mut setup = GroupSetup {
            module,
            id: "1".parse().unwrap(),
            me,
            nodes: ["node1", "node2"].map(|name| name.parse().unwrap()).to_vec(),
            port,
            lans: vec![lan(0), lan(1)],
            pulse: PULSE,
            mlost_count: 6,
            slost_count: 12,
            groups: vec![LbGroup { name: "FarmProto_0".into(), powers: vec![Some(1), Some(1)] }],
            grace: DEFAULT_GRACE,
            key: None,
            layout: layout(me),
            adopt: false,
            arbiter: arbiter.handle(),
            store: log.clone(),
            events: Module(sender).start().recipient(),
            guard: None,
        };
        adapt(&mut setup);
        let actor = Group::start(setup, Box::new(memory.clone()));
        Node { actor, memory, events, log, arbiter, _store: (store, dir) }
    }

    async fn event(&mut self) -> GroupEvent {
        timeout(DEADLINE, self.events.recv()).await.expect("no event comes").unwrap()
    }

    async fn wait_for(&mut self, wanted: GroupEvent) {
        while self.event().await != wanted {}
    }

    async fn loads(&mut self, wanted: usize) {
        loop {
            if matches!(self.event().await, GroupEvent::Changed(loads) if loads == [wanted]) {
                return;
            }
        }
    }

    /// Buckets that its filter accepts.
    fn accepts(&self) -> usize {
        self.memory.clone().shown(1).map_or(0, |maps| maps.first().map_or(0, Bitmap::len))
    }

    async fn accepting(&self, wanted: usize) {
        until(|| self.accepts() == wanted, "the filter does not accept what it should").await;
    }

    fn lines(&self) -> Vec<String> {
        let entries = self.log.tail(100, true).unwrap();
        entries.into_iter().map(|entry| format!("{} {}", entry.level, entry.en)).collect()
    }

    async fn dropped(&self, reason: DropReason) {
        let end = Instant::now() + DEADLINE;
        while self.actor.send(GetDrops).await.unwrap().iter().all(|drop| drop.reason != reason) {
            assert!(Instant::now() < end, "nothing is dropped for {reason:?}");
            sleep(PULSE / 4).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.arbiter.stop();
    }
}

async fn until(condition: impl Fn() -> bool, what: &str) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what}");
        sleep(PULSE / 4).await;
    }
}

/// Two nodes that serve.
async fn pair(port: u16) -> [Node; 2] {
    let key = SecretKey::generate().unwrap();
    let mut nodes =
        [0, 1].map(|me| Node::start(me, port, Memory::default(), |setup| setup.key = Some(key.clone())));
    for node in &mut nodes {
        assert_eq!(node.event().await, GroupEvent::Loaded);
        assert_eq!(node.accepts(), 0, "nobody is accepted before the application runs");
        node.actor.send(Join).await.unwrap();
    }
    for node in &mut nodes {
        node.loads(128).await;
        node.accepting(128).await;
    }
    nodes
}

#[actix::test]
async fn both_share_and_say_so() {
    let nodes = pair(free_port()).await;
    for node in &nodes {
        let lines = node.lines();
        let last = &lines[lines.len() - 2..];
        assert_eq!(
            last,
            [
                "E farm membership: node1 node2 (group FarmProto_0)",
                "E farm load: 128/256 (group FarmProto_0)"
            ]
        );
        let shares = node.actor.send(GetShares).await.unwrap();
        assert_eq!(shares[0].1.owners, Owners::new(|b| Some(usize::from(b >= 128))));
        let peers = node.memory.held().layout.as_ref().unwrap().peers.len();
        assert_eq!((shares[0].0.as_str(), peers), ("FarmProto_0", 1));
        // Joined once, and asked again without effect.
        node.actor.send(Join).await.unwrap();
        assert!(node.lines().len() <= 4, "once per change: {:?}", node.lines());
    }
}

#[actix::test]
async fn who_leaves_hands_over_and_takes_its_filter_along() {
    let [mut one, mut two] = pair(free_port()).await;
    two.actor.send(Leave).await.unwrap();
    two.wait_for(GroupEvent::Left).await;
    one.loads(256).await;
    assert_eq!((one.accepts(), two.accepts()), (256, 0));
    assert_eq!(two.memory.held().shares[0].previous.owned_by(1).len(), 128, "connections stay");
    let lines = one.lines();
    let last = &lines[lines.len() - 2..];
    assert_eq!(
        last,
        ["E farm membership: node1 (group FarmProto_0)", "E farm load: 256/256 (group FarmProto_0)"]
    );
    two.actor.send(Leave).await.unwrap();
    two.wait_for(GroupEvent::Left).await;
    two.actor.send(Join).await.unwrap();
    two.loads(128).await;
    two.actor.send(End).await.unwrap();
    two.wait_for(GroupEvent::Ended(Ok(()))).await;
    assert_eq!(two.memory.held().layout, None);
    one.loads(256).await;
}

#[actix::test]
async fn the_clients_of_a_node_that_dies_are_taken_in_time() {
    let [one, mut two] = pair(free_port()).await;
    let began = Instant::now();
    one.arbiter.stop();
    two.loads(256).await;
    // The leader is missed for 6 pulses, then the new one asks for 6; less the pulse that was heard last.
    assert!(began.elapsed() > PULSE * 9, "{:?}", began.elapsed());
    assert_eq!(two.accepts(), 256);
    assert_eq!(two.memory.held().shares[0].previous, Owners::NOBODY, "no grace after a crash");
}

/// What the group tells of a packet filter that refuses with these words.
fn failed(why: &str) -> GroupEvent {
    GroupEvent::Failed(told!(
        "cannot change the packet filter: {why}",
        "échec (change the packet filter) : {why}"
    ))
}

#[actix::test]
async fn a_filter_that_fails_keeps_its_last_state_and_is_tried_again() {
    let [mut one, two] = pair(free_port()).await;
    one.memory.held().refuse = Some("no room".into());
    two.actor.send(Leave).await.unwrap();
    let failed = failed("no room");
    one.wait_for(failed).await;
    assert_eq!(one.accepts(), 128);
    one.memory.held().refuse = None;
    one.loads(256).await;
    assert_eq!(one.accepts(), 256);
}

#[actix::test]
async fn a_filter_that_cannot_be_made_is_told_once_and_tried_again() {
    let memory = Memory::default();
    memory.held().refuse = Some("no nftables".into());
    let mut node = Node::start(0, free_port(), memory.clone(), |_| {});
    assert_eq!(node.event().await, failed("no nftables"));
    node.actor.send(Join).await.unwrap();
    memory.held().refuse = None;
    assert_eq!(node.event().await, GroupEvent::Loaded);
    node.loads(256).await;
}

#[actix::test]
async fn one_lan_is_enough() {
    let port = free_port();
    // The address of the second lan is on no interface of this machine.
    let mut nodes = [0, 1].map(|me| {
        Node::start(me, port, Memory::default(), |setup| {
            setup.lans[1].local = Some("192.0.2.1".parse().unwrap());
        })
    });
    for node in &nodes {
        node.actor.send(Join).await.unwrap();
    }
    for node in &mut nodes {
        node.loads(128).await;
    }
}

#[actix::test]
async fn strangers_are_counted_and_change_nothing() {
    let port = free_port();
    let other = SecretKey::generate().unwrap();
    let [one, _two] = pair(port).await;
    let before = one.memory.held().shares.clone();
    let socket = std::net::UdpSocket::bind("127.0.1.2:0").unwrap();
    for (bytes, reason) in [
        (&b"hello, is this DNS?"[..], DropReason::NotSafekit),
        (b"SK\x01\x04", DropReason::Damaged),
        (b"SK\x63....................................................", DropReason::OtherVersion),
    ] {
        socket.send_to(bytes, ("127.0.1.1", port)).unwrap();
        one.dropped(reason).await;
    }
    let context = "farm farm 1";
    let mut forger =
        crate::wire::Channel::new(crate::wire::Kind::Farm, 1, Some(other.as_bytes()), context, [9; 16]);
    socket.send_to(&forger.seal(b"all buckets are mine").unwrap(), ("127.0.1.1", port)).unwrap();
    one.dropped(DropReason::OtherKey).await;
    let mut heart =
        crate::wire::Channel::new(crate::wire::Kind::Heartbeat, 1, Some(other.as_bytes()), context, [9; 16]);
    socket.send_to(&heart.seal(b"beat").unwrap(), ("127.0.1.1", port)).unwrap();
    one.dropped(DropReason::OtherUse).await;
    assert_eq!((one.accepts(), one.memory.held().shares.clone()), (128, before));
}

#[actix::test]
async fn other_groups_are_told_and_share_nothing() {
    let port = free_port();
    let mut one = Node::start(0, port, Memory::default(), |_| {});
    one.actor.send(Join).await.unwrap();
    one.loads(256).await;
    let two = Node::start(1, port, Memory::default(), |setup| setup.groups[0].powers[0] = Some(5));
    two.actor.send(Join).await.unwrap();
    let text = "it has other load balancing groups: configure the module again on all nodes";
    let line = format!("C no clients are shared with node1: {text}");
    until(|| two.lines().contains(&line), "the log does not say it").await;
    assert_eq!((one.accepts(), two.accepts()), (256, 0));
}

#[actix::test]
async fn a_control_plane_that_comes_back_goes_on_with_what_the_filter_does() {
    let port = free_port();
    let [mut one, two] = pair(port).await;
    let memory = two.memory.clone();
    let setup_key = SecretKey::generate().unwrap();
    drop(two);
    one.loads(256).await;
    // Another farm, in which it is alone: only what the filter says is known.
    let mut again = Node::start(1, free_port(), memory.clone(), |setup| {
        setup.adopt = true;
        setup.key = Some(setup_key);
    });
    let changes = memory.held().changes;
    assert_eq!(again.event().await, GroupEvent::Loaded);
    assert_eq!((again.accepts(), memory.held().changes), (128, changes), "no gap");
    again.actor.send(Join).await.unwrap();
    again.loads(256).await;
}

#[actix::test]
async fn who_was_fenced_takes_part_anew() {
    let [one, mut two] = pair(free_port()).await;
    two.actor.send(Fenced).await.unwrap();
    two.loads(0).await;
    two.loads(128).await;
    two.accepting(128).await;
    one.accepting(128).await;
    assert!(two.lines().contains(&"E farm load: 0/256 (group FarmProto_0)".to_owned()));
}

#[test]
fn the_cards_of_another_node_are_known_by_the_own_interfaces() {
    let mac = |last| MacAddr([2, 0x77, 0, 0, 0, last]);
    let told = [(VIP.parse().unwrap(), mac(1)), ("10.99.0.1".parse().unwrap(), mac(2))];
    assert_eq!(peer(&layout(0), 1, &told), Peer { node: 1, macs: [("lo".to_owned(), mac(1))].into() });
}

#[test]
fn groups_are_those_of_the_configuration() {
    use crate::config::module::{Group as LbConfig, Host};
    let nodes = ["a", "b", "c"].map(|name| name.parse().unwrap());
    let hosts =
        vec![Host { name: "c".parse().unwrap(), power: 3 }, Host { name: "a".parse().unwrap(), power: 0 }];
    let group = LbConfig { name: "https".into(), hosts, rules: Vec::new() };
    let with = LbGroup::new(1, &group, &nodes);
    assert_eq!((with.name.as_str(), with.powers), ("https_1", vec![Some(0), None, Some(3)]));
    let without = LbGroup::new(0, &LbConfig { hosts: Vec::new(), ..group }, &nodes);
    assert_eq!(without.powers, [Some(1); 3]);
}
