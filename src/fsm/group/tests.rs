use super::*;
use crate::fsm::bucket::{Owners, Share};
use crate::fsm::membership::Version;

const PULSE: u64 = 100;
const GRACE: u64 = 1_000;

fn config(me: Node) -> Config {
    Config {
        me,
        nodes: 2,
        lans: vec![0],
        pulse_ms: PULSE,
        leader_lost: 3,
        follower_lost: 6,
        powers: vec![vec![1, 1]],
        grace_ms: GRACE,
        fingerprint: 1,
    }
}

/// A node, its filter and what it told.
struct Node1 {
    group: Group,
    now: u64,
    filter: Vec<Share>,
    /// The filter does not carry out orders.
    broken: bool,
    sent: Vec<(Destination, Body)>,
    told: Vec<Effect>,
}

impl Node1 {
    fn new(me: Node) -> Node1 {
        let group = Group::new(config(me), 10 + me as u64, vec![me as u8], vec![Bitmap::EMPTY], 0);
        let filter = vec![Share::settled(Owners::NOBODY)];
        Node1 { group, now: 0, filter, broken: false, sent: Vec::new(), told: Vec::new() }
    }

    /// Alone, and leading.
    fn alone(me: Node) -> Node1 {
        let mut node = Node1::new(me);
        node.pass(20);
        assert_eq!(node.load(), 256);
        node
    }

    fn feed(&mut self, event: Event) {
        for effect in self.group.step(event) {
            match effect {
                Effect::Send { to, message, .. } => self.sent.push((to, message.body)),
                Effect::Install { order, shares } => {
                    if !self.broken {
                        self.filter = shares;
                    }
                    self.feed(Event::Installed { order, done: !self.broken });
                }
                told => self.told.push(told),
            }
        }
    }

    fn pass(&mut self, pulses: u64) {
        for _ in 0..pulses * 4 {
            self.now += PULSE / 4;
            self.feed(Event::Tick(self.now));
        }
    }

    fn hear(&mut self, from: Node, body: Body) {
        let (message, now_ms) = (Message { config: 1, body }, self.now);
        self.feed(Event::Received { from, lan: 0, message, now_ms });
    }

    fn load(&self) -> usize {
        self.filter[0].own(self.group.config.me, crate::fsm::bucket::Reach::Every).len()
    }

    fn ignored(&mut self) -> Vec<Reason> {
        let told = std::mem::take(&mut self.told);
        told.into_iter()
            .filter_map(|told| if let Effect::Ignored(_, reason) = told { Some(reason) } else { None })
            .collect()
    }
}

/// Passes everything that both send, for so many pulses.
fn together(nodes: &mut [Node1; 2], pulses: u64) {
    for _ in 0..pulses * 4 {
        for at in [0, 1] {
            nodes[at].now += PULSE / 4;
            let now = nodes[at].now;
            nodes[at].feed(Event::Tick(now));
        }
        while nodes.iter().any(|node| !node.sent.is_empty()) {
            for at in [0, 1] {
                for (_, body) in std::mem::take(&mut nodes[at].sent) {
                    nodes[1 - at].hear(at, body);
                }
            }
        }
    }
}

fn pair() -> [Node1; 2] {
    let mut nodes = [Node1::new(0), Node1::new(1)];
    together(&mut nodes, 20);
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
    nodes
}

const TERM: Term = Term { count: 1, life: 77 };

fn list(epoch: u64) -> Body {
    let members = BTreeSet::from([0, 1]);
    let versions = vec![Version::default(); 2];
    Body::List(TERM, membership::Message::List { epoch, members, versions, infos: Vec::new() })
}

fn plan(number: u64, term: Term, owner: Node) -> Plan {
    let division = Division { owners: Owners::new(|_| Some(owner)), previous: Owners::NOBODY };
    let members = BTreeSet::from([0, 1]);
    let partners = [(1, 11)].into();
    Plan { id: PlanId { number, term }, settled: true, members, partners, divisions: vec![division] }
}

#[test]
fn both_join_once_and_say_what_they_own() {
    let nodes = pair();
    for (node, first) in nodes.iter().zip([256, 128]) {
        let joined = node.told.iter().filter(|told| **told == Effect::Joined).count();
        assert_eq!(joined, 1);
        let loads: Vec<_> = node
            .told
            .iter()
            .filter_map(|told| if let Effect::Changed { loads, .. } = told { Some(loads[0]) } else { None })
            .collect();
        assert!(loads.len() <= 2 && (loads[0] == first || loads[0] == 128), "{loads:?}");
        assert_eq!(loads.last(), Some(&128));
    }
    assert_eq!(nodes[0].group.info(1), Some(&[1][..]));
}

#[test]
fn what_is_given_away_is_kept_for_connections_and_not_for_ever() {
    let mut nodes = [Node1::alone(0), Node1::new(1)];
    nodes[1].now = nodes[0].now;
    together(&mut nodes, 8);
    assert_eq!(nodes[0].load(), 128);
    let upper = Bitmap::from_iter(128..=255);
    assert_eq!(nodes[0].filter[0].previous.owned_by(0), upper);
    assert_eq!(nodes[1].filter[0].previous.owned_by(0), upper);
    together(&mut nodes, GRACE / PULSE);
    assert!(nodes.iter().all(|node| node.filter[0].previous == Owners::NOBODY));
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
}

#[test]
fn a_crash_leaves_no_grace() {
    let mut nodes = [Node1::alone(0), Node1::new(1)];
    nodes[1].now = nodes[0].now;
    together(&mut nodes, 8);
    let [mut left, _] = nodes;
    left.pass(7);
    assert_eq!((left.load(), &left.filter[0].previous), (256, &Owners::NOBODY));
}

#[test]
fn what_is_not_of_the_leader_changes_nothing() {
    let mut node = Node1::new(1);
    node.now = 10;
    node.hear(0, list(1));
    let mine = plan(5, TERM, 1);
    node.hear(0, Body::Plan(mine.clone()));
    assert_eq!(node.load(), 256);
    let before = node.filter.clone();
    let other_term = Term { count: 2, ..TERM };
    node.ignored();
    for (from, plan, reason) in [
        (0, plan(6, other_term, 0), Reason::NotLeader),
        (1, plan(6, TERM, 0), Reason::NotLeader),
        (0, mine, Reason::Outdated),
        (0, plan(4, TERM, 0), Reason::Outdated),
        (0, Plan { partners: [(1, 12)].into(), ..plan(6, TERM, 0) }, Reason::Outdated),
        (0, plan(6, TERM, 9), Reason::Unfit),
        (0, Plan { divisions: Vec::new(), ..plan(6, TERM, 0) }, Reason::Unfit),
    ] {
        node.hear(from, Body::Plan(plan.clone()));
        assert_eq!((node.ignored(), &node.filter), (vec![reason], &before), "{plan:?}");
    }
    let report = Report { term: TERM, life: 1, done: None, holds: vec![], keeps: vec![], leaving: true };
    node.hear(0, Body::Report(report.clone()));
    node.hear(0, Body::Report(Report { holds: vec![Bitmap::ALL], keeps: vec![Bitmap::ALL], ..report }));
    let Body::List(_, members) = list(1) else { panic!() };
    node.hear(0, Body::Answer(members, None));
    assert_eq!(node.ignored(), [Reason::Unfit, Reason::Outdated, Reason::Unfit]);
    assert_eq!(node.filter, before);
}

#[test]
fn a_follower_that_lost_its_leader_listens_to_it_no_more() {
    let mut node = Node1::new(1);
    node.now = 10;
    node.hear(0, list(1));
    node.pass(4);
    node.hear(0, Body::Plan(plan(5, TERM, 1)));
    assert!(node.ignored().contains(&Reason::NotLeader));
    assert_eq!(node.load(), 0);
}

#[test]
fn who_stood_still_withdraws_first() {
    let mut nodes = pair();
    nodes[1].told.clear();
    nodes[1].feed(Event::Paused(100));
    assert_eq!(nodes[1].load(), 128, "shorter than the others wait");
    nodes[1].feed(Event::Paused(config(1).patience_ms() / 2));
    assert_eq!(nodes[1].load(), 0);
    let told = Effect::Changed { members: BTreeSet::from([1]), loads: vec![0] };
    assert_eq!(nodes[1].told, [told]);
    together(&mut nodes, 10);
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
    nodes[0].feed(Event::Fenced);
    assert_eq!(nodes[0].load(), 0);
    together(&mut nodes, 20);
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
}

#[test]
fn who_leaves_hands_over_first() {
    for leaving in [0, 1] {
        let mut nodes = pair();
        nodes[leaving].feed(Event::Leave);
        nodes[leaving].feed(Event::Leave);
        together(&mut nodes, 2);
        assert_eq!(nodes[1 - leaving].load(), 256, "{leaving}");
        assert!(nodes[leaving].group.has_left() && nodes[leaving].told.contains(&Effect::Left));
        assert_eq!(nodes[leaving].load(), 0);
        let kept = nodes[leaving].filter[0].previous.owned_by(leaving);
        assert_eq!(kept.len(), 128, "its connections stay");
        let sent = nodes[leaving].told.len();
        together(&mut nodes, 20);
        assert_eq!(nodes[leaving].told.len(), sent, "nothing more is said");
        assert_eq!(nodes[1 - leaving].load(), 256);
    }
}

#[test]
fn who_is_alone_leaves_at_once_and_who_waits_in_vain_in_the_end() {
    let mut node = Node1::alone(0);
    node.feed(Event::Leave);
    node.pass(1);
    assert!(node.group.has_left() && node.load() == 0);
    // The other node lives, but its filter stands still.
    let mut nodes = pair();
    nodes[1].broken = true;
    nodes[0].feed(Event::Leave);
    together(&mut nodes, config(0).leave_ms() / PULSE - 1);
    assert!(!nodes[0].group.has_left());
    together(&mut nodes, 2);
    assert!(nodes[0].group.has_left());
    assert_eq!((nodes[0].load(), nodes[1].load()), (0, 128));
}

#[test]
fn a_filter_that_fails_is_tried_again_and_nobody_goes_on_without_it() {
    let mut nodes = [Node1::alone(0), Node1::new(1)];
    nodes[1].now = nodes[0].now;
    nodes[0].broken = true;
    together(&mut nodes, 20);
    assert_eq!([nodes[0].load(), nodes[1].load()], [256, 0], "the old filter works on, alone");
    nodes[0].broken = false;
    together(&mut nodes, 3);
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
}

#[test]
fn other_groups_share_nothing_and_who_owns_nothing_takes_nothing_beside_them() {
    let mut nodes = [Node1::alone(0), Node1::new(1)];
    nodes[1].now = nodes[0].now;
    nodes[1].group.config.fingerprint = 2;
    let meet = |nodes: &mut [Node1; 2]| {
        for at in [0, 1] {
            for (_, body) in std::mem::take(&mut nodes[at].sent) {
                let message = Message { config: 1 + at as u64, body };
                let now_ms = nodes[1 - at].now;
                nodes[1 - at].feed(Event::Received { from: at, lan: 0, message, now_ms });
            }
        }
    };
    for _ in 0..40 {
        nodes.iter_mut().for_each(|node| node.pass(1));
        meet(&mut nodes);
    }
    assert_eq!([nodes[0].load(), nodes[1].load()], [256, 0]);
    assert!(nodes[1].ignored().contains(&Reason::OtherGroups));
    nodes[1].pass(10);
    assert_eq!(nodes[1].load(), 256, "alone again");
}

#[test]
fn a_killed_node_that_comes_back_keeps_what_its_filter_does() {
    let mut nodes = pair();
    let (now, filter) = (nodes[1].now, nodes[1].filter.clone());
    let upper = filter[0].owners.owned_by(1);
    nodes[1] = Node1::new(1);
    nodes[1].group = Group::new(config(1), 99, vec![1], vec![upper], now);
    (nodes[1].now, nodes[1].filter) = (now, filter);
    together(&mut nodes, 6);
    assert_eq!([nodes[0].load(), nodes[1].load()], [128, 128]);
    assert!(nodes[1].told.contains(&Effect::Joined));
}

#[test]
fn patience_follows_the_configured_counts() {
    let of = |leader_lost, follower_lost| Config { leader_lost, follower_lost, ..config(0) }.patience_ms();
    assert_eq!((of(6, 12), of(3, 3), of(2, 30), of(6, 8)), (600, 200, 200, 300));
}
