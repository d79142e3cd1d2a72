//! The verdicts, and a check between two actors on loopback addresses.

use super::rows::{of_cluster, of_vip};
use super::*;
use crate::actors::cluster::{
    ClusterEvent, DropReason, Heard, LanProbe, LanSetup, ModuleView, NodeView, PeerProbe, SetLocal,
};
use crate::control::CheckStatus;
use crate::fsm::state::{Readiness, Role};
use crate::ids::NodeName;
use crate::node::keys::SecretKey;
use crate::told::proof::assert_translated;
use actix::{Actor, Context, Handler};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

fn name(node: usize) -> NodeName {
    format!("node{}", node + 1).parse().unwrap()
}

/// Node `me` of two, on the lans 127.0.3.x and 127.0.4.x.
fn setup(me: usize, port: u16, key: Option<SecretKey>) -> ClusterSetup {
    let lan = |lan: u8| {
        let addrs: Vec<_> = [1, 2].map(|node| IpAddr::from([127, 0, lan, node])).to_vec();
        LanSetup {
            name: format!("lan{lan}"),
            local: Some(addrs[me]),
            addrs: addrs.into_iter().map(Some).collect(),
        }
    };
    ClusterSetup {
        me,
        nodes: vec![name(0), name(1)],
        port,
        pulse: Duration::from_millis(20),
        mlost_count: 6,
        slost_count: 12,
        lans: vec![lan(3), lan(4)],
        key,
        signature: "0123".into(),
    }
}

fn view(role: Role) -> NodeView {
    let module = ModuleView {
        name: "mirror".parse().unwrap(),
        id: 1,
        mode: "mirror".into(),
        config_date: String::new(),
        config_signature: String::new(),
        configured: true,
        state: (role, Readiness::Ready),
    };
    NodeView {
        safekit_version: "1.0.0".into(),
        wire_version: 1,
        modules: vec![module],
        safekit_uid: Some(990),
        safekit_gid: Some(990),
        ..NodeView::default()
    }
}

fn members(roles: [Role; 2]) -> Vec<Member> {
    let member = |node: usize| Member {
        node,
        name: name(node),
        me: node == 0,
        online: true,
        heard_ms_ago: None,
        clock_ahead_ms: None,
        view: Some(view(roles[node])),
    };
    vec![member(0), member(1)]
}

/// Two nodes between which all is well.
fn good() -> Facts {
    let lan = |lan| LanProbe { node: 1, lan, there: true, back: true, round_trip_ms: Some(1) };
    let peer = PeerProbe { answered: true, clock_ahead_ms: Some(-3), refused: Vec::new() };
    Facts {
        setup: setup(0, 4800, Some(SecretKey::generate().unwrap())),
        members: members([Role::Stop, Role::Stop]),
        counters: Vec::new(),
        report: Some(ProbeReport { lans: vec![lan(0), lan(1)], peers: BTreeMap::from([(1, peer)]) }),
        addresses: Some(Vec::new()),
    }
}

/// The rows in English; their French is looked at.
fn shown(rows: Vec<Row>) -> Vec<CheckRow> {
    for row in &rows {
        [&row.check, &row.found].into_iter().chain(&row.advice).for_each(|told| {
            // A lan is called lan, the cluster cluster.
            let alike = told == &Told::same(told.to_string());
            assert!(
                !alike || ["lan ", "cluster"].iter().any(|word| told.to_string().starts_with(word)),
                "{told}"
            );
            if !alike {
                assert_translated(told);
            }
        });
    }
    rows.into_iter().map(|row| row.shown(Lang::En)).collect()
}

/// What is not good of `good`, spoilt by `spoil`.
fn faults(spoil: impl FnOnce(&mut Facts)) -> Vec<(CheckStatus, String, String)> {
    let mut facts = good();
    spoil(&mut facts);
    let rows = shown(of_cluster(&facts)).into_iter().filter(|row| row.status != CheckStatus::Ok);
    rows.map(|row| (row.status, format!("{}: {}", row.check, row.found), row.advice.unwrap())).collect()
}

/// The only fault, in the words of its status, check and finding; its advice has `advice` in it.
fn one_fault(advice: &str, spoil: impl FnOnce(&mut Facts)) -> (CheckStatus, String) {
    let faults = faults(spoil);
    let [(status, found, told)] = &faults[..] else { panic!("not one fault: {faults:?}") };
    assert!(told.contains(advice), "{told}");
    (*status, found.clone())
}

fn peer(facts: &mut Facts) -> &mut PeerProbe {
    facts.report.as_mut().unwrap().peers.get_mut(&1).unwrap()
}

fn lan(facts: &mut Facts) -> &mut LanProbe {
    &mut facts.report.as_mut().unwrap().lans[1]
}

fn theirs(facts: &mut Facts) -> &mut NodeView {
    facts.members[1].view.as_mut().unwrap()
}

#[test]
fn all_is_well() {
    assert_eq!(faults(|_| {}), []);
    let rows = shown(of_cluster(&good()));
    let checks: Vec<_> = rows.iter().map(|row| format!("{}: {}", row.check, row.found)).collect();
    assert_eq!(
        checks,
        [
            "encryption: the nodes talk encrypted",
            "lan lan3 to node2: UDP port 4800 is reached in both directions, round trip 1 ms",
            "lan lan4 to node2: UDP port 4800 is reached in both directions, round trip 1 ms",
            "datagrams of node2: node2 has the same key and the same cluster configuration",
            "clock of node2: 0.003 s behind the clock of this node",
            "version of node2: 1.0.0 on both",
            "user safekit on node2: uid 990 and gid 990 on both",
        ]
    );
}

#[test]
fn each_direction_of_a_lan_has_its_advice() {
    use CheckStatus::Error;
    let there = one_fault("firewall of this node", |facts| lan(facts).back = false);
    assert_eq!(
        there,
        (Error, "lan lan4 to node2: node2 (127.0.4.2) hears this node, but is not heard".into())
    );
    let back = one_fault("firewall of node2", |facts| lan(facts).there = false);
    assert_eq!(
        back,
        (Error, "lan lan4 to node2: node2 (127.0.4.2) is heard, but does not hear this node".into())
    );
    one_fault("check the cables", |facts| (lan(facts).there, lan(facts).back) = (false, false));
    one_fault("start the safeadmin service on node2", |facts| {
        (lan(facts).there, lan(facts).back) = (false, false);
        facts.report.as_mut().unwrap().lans.remove(0);
        peer(facts).answered = false;
    });
    let local = one_fault("laddr", |facts| facts.setup.lans[0].local = Some("192.0.2.1".parse().unwrap()));
    assert_eq!(local, (Error, "lan lan3: this node has not the address 192.0.2.1".into()));
}

#[test]
fn what_is_refused_in_either_direction_is_told() {
    let count = |node, reason, last_ms_ago| DropCount {
        node,
        source: "10.0.0.2:4800".parse().unwrap(),
        reason,
        count: 7,
        last_ms_ago,
    };
    let ours = one_fault("deploy the configuration again", |facts| {
        facts.counters.push(count(Some(1), DropReason::OtherKey, 100));
    });
    assert_eq!(ours, (CheckStatus::Error, "datagrams of node2: this node refuses them (7 until now)".into()));
    one_fault("as seen from node2, this node runs another version", |facts| {
        peer(facts).refused.push((DropReason::OtherVersion, 3));
    });
    let stranger = one_fault("another program", |facts| {
        facts.counters.push(count(None, DropReason::NotSafekit, 100));
    });
    assert_eq!(stranger.0, CheckStatus::Warning);
    let long_ago = faults(|facts| facts.counters.push(count(Some(1), DropReason::OtherKey, 3_600_000)));
    assert_eq!(long_ago, []);
}

#[test]
fn clocks_versions_users_and_keys_are_compared() {
    use CheckStatus::{Error, Warning};
    for (ahead_ms, status) in [(1001, Warning), (-89_999, Warning), (90_000, Error), (i64::MIN, Error)] {
        let found = one_fault("NTP", |facts| peer(facts).clock_ahead_ms = Some(ahead_ms));
        assert_eq!(found.0, status, "{found:?}");
    }
    let found = one_fault("NTP", |facts| peer(facts).clock_ahead_ms = Some(2500));
    assert_eq!(found.1, "clock of node2: 2.500 s ahead of the clock of this node");
    let version = one_fault("same version", |facts| theirs(facts).safekit_version = "2.0.0".into());
    assert_eq!(version, (Warning, "version of node2: 2.0.0 there, 1.0.0 here".into()));
    let user = one_fault("usermod", |facts| theirs(facts).safekit_uid = Some(991));
    assert_eq!(user, (Error, "user safekit on node2: uid 991 and gid 990 there, 990 and 990 here".into()));
    assert_eq!(one_fault("same numbers", |facts| theirs(facts).safekit_gid = None).0, Warning);
    assert_eq!(one_fault("genkey", |facts| facts.setup.key = None).0, Warning);
}

#[test]
fn a_virtual_address_belongs_to_who_runs_the_module() {
    use CheckStatus::{Error, Ok, Warning};
    use Role::{Prim, Second, Stop};
    let mac = Some(MacAddr([2, 0, 0, 0, 0, 9]));
    let cases = [
        ([Stop, Stop], false, None, Ok, "free"),
        ([Stop, Stop], false, mac, Error, "02:00:00:00:00:09 answers for it"),
        ([Stop, Stop], true, None, Error, "does not run"),
        ([Prim, Second], true, None, Ok, "set here"),
        ([Prim, Second], true, mac, Error, "answers for the address too"),
        ([Prim, Second], false, None, Warning, "not set"),
        ([Second, Prim], false, mac, Ok, "runs on node2"),
        ([Second, Prim], false, None, Warning, "nobody answers"),
        ([Second, Prim], true, None, Error, "does not run"),
    ];
    for (roles, here, holder, status, found) in cases {
        let place = Result::Ok(rows::Where { here, holder });
        let vip = VipFinding { module: "mirror".parse().unwrap(), addr: "192.0.2.9".parse().unwrap(), place };
        let row = shown(vec![of_vip(&vip, &members(roles))]).remove(0);
        assert_eq!(row.status, status, "{roles:?} {row:?}");
        assert!(row.found.contains(found), "{row:?}");
        assert_eq!(row.advice.is_some(), status != Ok);
        assert_eq!(row.check, "virtual address 192.0.2.9 of mirror");
    }
}

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

fn start(setup: Option<ClusterSetup>) -> (Addr<Cluster>, mpsc::UnboundedReceiver<ClusterEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    let subscriber = Subscriber(sender).start().recipient();
    (Cluster::new(setup, subscriber, Heard::default()).start(), events)
}

fn free_port() -> u16 {
    std::net::UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

async fn wait_for(events: &mut mpsc::UnboundedReceiver<ClusterEvent>, wanted: ClusterEvent) {
    let until = async { while events.recv().await.unwrap() != wanted {} };
    tokio::time::timeout(Duration::from_secs(20), until).await.unwrap();
}

#[actix::test]
async fn two_nodes_that_agree_have_no_fault() {
    let (key, port) = (SecretKey::generate().unwrap(), free_port());
    let (one, mut events) = start(Some(setup(0, port, Some(key.clone()))));
    let (two, mut theirs) = start(Some(setup(1, port, Some(key))));
    one.send(SetLocal(view(Role::Stop))).await.unwrap();
    two.send(SetLocal(view(Role::Stop))).await.unwrap();
    wait_for(&mut events, ClusterEvent::ViewChanged(1)).await;
    wait_for(&mut theirs, ClusterEvent::MemberUp(0)).await;
    let rows = check(one, CheckInputs::default(), Lang::En).await;
    assert!(rows.iter().all(|row| row.status == CheckStatus::Ok), "{rows:?}");
    assert_eq!(rows.len(), 7, "{rows:?}");
}

#[actix::test]
async fn another_key_is_found_within_the_time_of_the_check() {
    let port = free_port();
    let key = || Some(SecretKey::generate().unwrap());
    let (one, _events) = start(Some(setup(0, port, key())));
    let (_two, _theirs) = start(Some(setup(1, port, key())));
    let began = Instant::now();
    let rows = check(one, CheckInputs::default(), Lang::En).await;
    assert!(began.elapsed() < TOTAL, "{:?}", began.elapsed());
    let refused = rows.iter().find(|row| row.check == "datagrams of node2").unwrap();
    assert_eq!(refused.status, CheckStatus::Error);
    assert!(refused.advice.as_ref().unwrap().contains("another cluster key"), "{refused:?}");
}

#[actix::test]
async fn without_a_configuration_the_check_says_so() {
    let (cluster, _events) = start(None);
    let rows = check(cluster, CheckInputs::default(), Lang::En).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].advice.as_ref().unwrap().contains("safekit cluster config"), "{rows:?}");
}
