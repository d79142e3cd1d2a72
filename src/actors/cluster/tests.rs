//! Actors that talk over loopback addresses. Pulses are short; every wait ends at a deadline.

use super::*;
use crate::ids::NodeName;
use crate::node::keys::SecretKey;
use crate::told::Told;
use crate::told::proof::assert_translated;
use actix::Addr;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);
const PULSE: Duration = Duration::from_millis(20);

/// Passes on what it is told.
struct Subscriber(mpsc::UnboundedSender<ClusterEvent>);

impl Actor for Subscriber {
    type Context = Context<Self>;
}

impl Handler<ClusterEvent> for Subscriber {
    type Result = ();

    fn handle(&mut self, event: ClusterEvent, _: &mut Context<Self>) {
        let _closed = self.0.send(event);
    }
}

struct Node {
    actor: Addr<Cluster>,
    heard: Heard,
    events: mpsc::UnboundedReceiver<ClusterEvent>,
}

impl Node {
    fn start(setup: ClusterSetup) -> Node {
        let (sender, events) = mpsc::unbounded_channel();
        let heard = Heard::default();
        let subscriber = Subscriber(sender).start().recipient();
        let actor = Cluster::new(Some(setup), subscriber, heard.clone()).start();
        Node { actor, heard, events }
    }

    async fn wait_for(&mut self, event: ClusterEvent) {
        let until = async { while self.events.recv().await.unwrap() != event {} };
        timeout(DEADLINE, until).await.unwrap_or_else(|_| panic!("{event:?} did not come"));
    }

    async fn members(&self) -> Vec<Member> {
        self.actor.send(GetMembers).await.unwrap()
    }

    async fn online(&self) -> Vec<bool> {
        self.members().await.iter().map(|member| member.online).collect()
    }

    /// How many datagrams were dropped for `reason` once there is one.
    async fn dropped(&self, reason: DropReason) -> DropCount {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            let counts = self.actor.send(GetCounters).await.unwrap();
            if let Some(count) = counts.into_iter().find(|count| count.reason == reason) {
                return count;
            }
            tokio::time::sleep(PULSE / 4).await;
        }
        panic!("nothing was dropped for {reason:?}");
    }

    async fn probe(&self) -> ProbeReport {
        let report = self.actor.send(Probe { wait: Duration::from_secs(1) }).await.unwrap();
        timeout(DEADLINE, report).await.unwrap().unwrap()
    }
}

/// A port that is free now on every address of the loopback.
fn free_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

/// Node `me` of so many nodes on two lans: 127.0.1.x and 127.0.2.x.
fn setup(me: usize, nodes: usize, port: u16, key: Option<&SecretKey>) -> ClusterSetup {
    let addr = |lan: usize, node: usize| IpAddr::from([127, 0, lan as u8 + 1, node as u8 + 1]);
    let lan = |lan: usize| LanSetup {
        name: format!("lan{lan}"),
        local: Some(addr(lan, me)),
        addrs: (0..nodes).map(|node| Some(addr(lan, node))).collect(),
    };
    ClusterSetup {
        me,
        nodes: (0..nodes).map(|node| format!("node{}", node + 1).parse::<NodeName>().unwrap()).collect(),
        port,
        pulse: PULSE,
        mlost_count: 6,
        slost_count: 12,
        lans: vec![lan(0), lan(1)],
        key: key.cloned(),
        signature: "0123".into(),
    }
}

fn pair(port: u16, keys: [Option<&SecretKey>; 2]) -> [Node; 2] {
    [0, 1].map(|me| Node::start(setup(me, 2, port, keys[me])))
}

fn view(boot_id: &str) -> NodeView {
    NodeView { boot_id: boot_id.into(), ..NodeView::default() }
}

#[actix::test]
async fn members_meet_and_see_each_others_views() {
    let key = SecretKey::generate().unwrap();
    let [mut one, mut two] = pair(free_port(), [Some(&key); 2]);
    two.actor.send(SetLocal(view("first"))).await.unwrap();
    one.wait_for(ClusterEvent::MemberUp(1)).await;
    two.wait_for(ClusterEvent::MemberUp(0)).await;
    one.wait_for(ClusterEvent::ViewChanged(1)).await;
    two.actor.send(SetLocal(view("second"))).await.unwrap();
    one.wait_for(ClusterEvent::ViewChanged(1)).await;
    let members = one.members().await;
    assert_eq!(members[1].view, Some(view("second")));
    assert!(members[0].me && members[0].online && members[1].online && !members[1].me);
    assert!(members[1].clock_ahead_ms.unwrap().abs() < 5000, "{members:?}");
    let heard = one.heard.last_ms(1).unwrap();
    assert!(heard <= now_ms() && now_ms() - heard < 5000);
    assert_eq!(one.heard.last_ms(0), None, "a node does not hear itself");
}

#[actix::test]
async fn without_a_key_members_meet_too() {
    let [mut one, _two] = pair(free_port(), [None; 2]);
    one.wait_for(ClusterEvent::MemberUp(1)).await;
}

#[actix::test]
async fn another_key_is_refused_and_counted_until_it_is_deployed() {
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let port = free_port();
    let [mut one, two] = pair(port, [Some(&key), Some(&other)]);
    let count = one.dropped(DropReason::OtherKey).await;
    assert_eq!((count.node, count.source.port()), (Some(1), port));
    two.dropped(DropReason::OtherKey).await;
    assert_eq!(one.online().await, [true, false]);
    assert_eq!(one.heard.last_ms(1), None);
    two.actor.send(Reconfigure(Some(setup(1, 2, port, Some(&key))))).await.unwrap();
    one.wait_for(ClusterEvent::MemberUp(1)).await;
}

#[actix::test]
async fn another_configuration_is_another_cluster() {
    let port = free_port();
    let one = Node::start(setup(0, 2, port, None));
    let _two = Node::start(ClusterSetup { signature: "4567".into(), ..setup(1, 2, port, None) });
    one.dropped(DropReason::OtherKey).await;
    assert_eq!(one.online().await, [true, false]);
}

#[actix::test]
async fn one_of_three_that_stops_is_noticed_in_time() {
    let port = free_port();
    let [mut one, mut two, three] = [0, 1, 2].map(|me| Node::start(setup(me, 3, port, None)));
    one.wait_for(ClusterEvent::MemberUp(2)).await;
    two.wait_for(ClusterEvent::MemberUp(2)).await;
    let began = Instant::now();
    three.actor.send(Reconfigure(None)).await.unwrap();
    one.wait_for(ClusterEvent::MemberDown(2)).await;
    // Not sooner than it was silent for slost_count pulses, less the one in which it was heard last.
    assert!(began.elapsed() > PULSE * 10, "{:?}", began.elapsed());
    two.wait_for(ClusterEvent::MemberDown(2)).await;
    assert_eq!(one.online().await, [true, true, false]);
    assert_eq!(three.members().await, []);
    three.actor.send(Reconfigure(Some(setup(2, 3, port, None)))).await.unwrap();
    one.wait_for(ClusterEvent::MemberUp(2)).await;
}

#[actix::test]
async fn the_leader_that_stops_is_replaced() {
    let port = free_port();
    let [one, mut two, mut three] = [0, 1, 2].map(|me| Node::start(setup(me, 3, port, None)));
    three.wait_for(ClusterEvent::MemberUp(0)).await;
    three.wait_for(ClusterEvent::MemberUp(1)).await;
    one.actor.send(Reconfigure(None)).await.unwrap();
    two.wait_for(ClusterEvent::MemberDown(0)).await;
    three.wait_for(ClusterEvent::MemberDown(0)).await;
    assert_eq!(three.online().await, [false, true, true]);
}

#[actix::test]
async fn probes_are_answered_on_every_lan() {
    let [mut one, mut two] = pair(free_port(), [None; 2]);
    one.wait_for(ClusterEvent::MemberUp(1)).await;
    two.wait_for(ClusterEvent::MemberUp(0)).await;
    let report = one.probe().await;
    assert_eq!(report.lans.len(), 2, "{report:?}");
    assert!(report.lans.iter().all(|lan| lan.there && lan.back && lan.node == 1), "{report:?}");
    assert!(report.peers[&1].answered && report.peers[&1].clock_ahead_ms.is_some(), "{report:?}");
    assert_eq!(report.peers[&1].refused, []);
}

#[actix::test]
async fn a_lan_that_is_dead_loses_nobody_and_the_probe_tells_it() {
    let port = free_port();
    // The address of the second lan is on no interface of this machine.
    let mut deaf = setup(1, 2, port, None);
    deaf.lans[1].local = Some("192.0.2.1".parse().unwrap());
    let (mut one, mut two) = (Node::start(setup(0, 2, port, None)), Node::start(deaf));
    one.wait_for(ClusterEvent::MemberUp(1)).await;
    two.wait_for(ClusterEvent::MemberUp(0)).await;
    let report = one.probe().await;
    let found: Vec<_> = report.lans.iter().map(|lan| (lan.lan, lan.there, lan.back)).collect();
    assert_eq!(found, [(0, true, true), (1, false, false)]);
}

#[actix::test]
async fn strange_datagrams_are_counted_by_reason() {
    let port = free_port();
    let one = Node::start(setup(0, 2, port, None));
    // The address of node2, so that it is blamed; and one that is nobody's.
    let socket = std::net::UdpSocket::bind("127.0.1.2:0").unwrap();
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let cases: [(&[u8], DropReason); 3] = [
        (b"hello, is this DNS?", DropReason::NotSafekit),
        (b"SK\x01\x02", DropReason::Damaged),
        (b"SK\x63....................................................", DropReason::OtherVersion),
    ];
    for (bytes, reason) in cases {
        // The actor may not have bound its socket yet.
        assert_eq!(one.online().await, [true, false]);
        socket.send_to(bytes, ("127.0.1.1", port)).unwrap();
        assert_eq!(one.dropped(reason).await.node, Some(1), "{reason:?}");
    }
    stranger.send_to(&[7; MAX_DATAGRAM + 1], ("127.0.1.1", port)).unwrap();
    let until = Instant::now() + DEADLINE;
    while one.actor.send(GetCounters).await.unwrap().iter().all(|count| count.node.is_some()) {
        assert!(Instant::now() < until, "the stranger was not counted");
        tokio::time::sleep(PULSE / 4).await;
    }
}

#[actix::test]
async fn without_a_cluster_there_is_nobody() {
    let mut node = Node::start(setup(0, 2, free_port(), None));
    node.actor.send(Reconfigure(None)).await.unwrap();
    assert_eq!(node.members().await, []);
    assert_eq!(node.actor.send(GetCounters).await.unwrap(), []);
    let report = node.actor.send(Probe { wait: DEADLINE }).await.unwrap();
    assert!(report.await.is_err());
    assert!(node.events.try_recv().is_err());
}

#[test]
fn a_warning_comes_once_a_minute_and_tells_what_to_do() {
    let mut drops = super::drops::Drops::default();
    let source: SocketAddr = "10.0.0.2:4800".parse().unwrap();
    let mut count = |reason, at| drops.count(Some(1), source, reason, at);
    assert!(count(DropReason::OtherKey, 1000));
    assert!(!count(DropReason::OtherKey, 60_999));
    assert!(count(DropReason::OtherVersion, 60_999), "another reason");
    assert!(count(DropReason::OtherKey, 61_000));
    assert!(!count(DropReason::Outdated, 0), "happens on every network");
    assert_eq!(drops.all(61_500)[1].count, 3);
    assert_eq!(
        DropReason::OtherKey
            .advice(&Told::same("node2 at 10.0.0.2"), super::drops::Port::Cluster)
            .to_string(),
        "node2 at 10.0.0.2 uses another cluster key or another cluster configuration: deploy the \
         configuration again with safekit -H \"*\" -G"
    );
}

/// Each reason of each port is told in both languages.
#[test]
fn what_is_dropped_is_told_in_french_too() {
    use DropReason as R;
    let reasons = [
        R::NotSafekit,
        R::OtherVersion,
        R::Damaged,
        R::OtherKey,
        R::OtherUse,
        R::OwnNumber,
        R::Content,
        R::Outdated,
        R::NoRandom,
    ];
    for port in [super::drops::Port::Cluster, super::drops::Port::Farm] {
        for reason in reasons {
            assert_translated(&reason.advice(&Told::same("node2"), port));
        }
    }
}

#[test]
fn the_largest_node_fits_into_a_datagram() {
    let module = |id: u8| ModuleView {
        name: format!("{}{id}", "m".repeat(29)).parse().unwrap(),
        id,
        mode: "mirror".into(),
        config_date: "2016-05-20T17:06:45".into(),
        config_signature: "0".repeat(64),
        configured: true,
        state: (crate::fsm::state::Role::Prim, crate::fsm::state::Readiness::Ready),
    };
    let view = NodeView {
        safekit_version: "10.20.30".into(),
        cluster_signature: "0".repeat(64),
        modules: (1..=32).map(module).collect(),
        boot_id: "0".repeat(36),
        ..NodeView::default()
    };
    assert!(encode(&view).unwrap().len() <= MOST_INFO, "{}", encode(&view).unwrap().len());
}
