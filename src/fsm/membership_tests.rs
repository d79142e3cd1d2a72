use super::*;
use std::collections::BTreeMap;

const PULSE: u64 = 1000;
const LEADER_LOST: u32 = 3;
const FOLLOWER_LOST: u32 = 4;

fn config(me: Node, nodes: usize) -> Config {
    Config {
        me,
        nodes,
        lans: vec![0, 1],
        pulse_ms: PULSE,
        leader_lost: LEADER_LOST,
        follower_lost: FOLLOWER_LOST,
        listen: LEADER_LOST + 1,
    }
}

/// Nodes, a network with loss, delay and cuts, and a clock.
struct World {
    nodes: Vec<Option<Membership>>,
    /// Pairs (from, to, lan) that do not get through.
    cut: BTreeSet<(Node, Node, usize)>,
    /// Messages under way: arrival and order, then receiver, sender, lan.
    flying: BTreeMap<(u64, u64), (Node, Node, usize, Message)>,
    loss_percent: u64,
    now: u64,
    order: u64,
    seed: u64,
    /// Changes of members that each node told.
    told: Vec<Vec<(u64, Effect)>>,
}

impl World {
    fn new(nodes: usize, seed: u64) -> Self {
        let mut world = World {
            nodes: vec![None; nodes],
            cut: BTreeSet::new(),
            flying: BTreeMap::new(),
            loss_percent: 0,
            now: 0,
            order: 0,
            seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            told: vec![Vec::new(); nodes],
        };
        (0..nodes).for_each(|node| world.start(node));
        world
    }

    fn random(&mut self, below: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below
    }

    fn start(&mut self, node: Node) {
        let life = self.random(u64::MAX);
        let mut member = Membership::new(config(node, self.nodes.len()), life, self.now);
        assert!(member.set_info(format!("node {node} since {}", self.now).into_bytes()));
        self.nodes[node] = Some(member);
    }

    fn cut_off(&mut self, node: Node) {
        for other in 0..self.nodes.len() {
            self.cut.extend([0, 1].map(|lan| (node, other, lan)));
            self.cut.extend([0, 1].map(|lan| (other, node, lan)));
        }
    }

    fn step(&mut self, node: Node, event: Event) {
        let Some(member) = &mut self.nodes[node] else { return };
        for effect in member.step(event) {
            let Effect::Send { lan, to, message } = effect else {
                self.told[node].push((self.now, effect));
                continue;
            };
            for other in (0..self.nodes.len()).filter(|other| *other != node) {
                let addressed = to == Destination::All || to == Destination::Node(other);
                let lost = self.random(100) < self.loss_percent || self.cut.contains(&(node, other, lan));
                if addressed && !lost {
                    let at = self.now + 1 + self.random(PULSE / 4);
                    self.order += 1;
                    self.flying.insert((at, self.order), (other, node, lan, message.clone()));
                }
            }
        }
    }

    /// Runs for so many pulses, ticking each node four times per pulse.
    fn run(&mut self, pulses: u64) {
        let end = self.now + pulses * PULSE;
        while self.now < end {
            self.now += PULSE / 4;
            while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to, from, lan, message) = entry.remove();
                self.step(to, Event::Received { from, lan, message, now_ms: self.now });
            }
            (0..self.nodes.len()).for_each(|node| self.step(node, Event::Tick(self.now)));
        }
    }

    fn view(&self, node: Node) -> (Option<Node>, Vec<Node>) {
        let member = self.nodes[node].as_ref().unwrap();
        (member.leader(), member.members().iter().copied().collect())
    }

    fn assert_agreed(&self, members: &[Node], what: &str) {
        let mut epochs = BTreeSet::new();
        for node in members {
            assert_eq!(self.view(*node), (Some(members[0]), members.to_vec()), "{what}: node {node}");
            let member = self.nodes[*node].as_ref().unwrap();
            epochs.insert(member.epoch());
            for other in members {
                let own = self.nodes[*other].as_ref().unwrap().info(*other);
                assert_eq!(member.info(*other), own, "{what}: info of {other} at {node}");
            }
        }
        assert_eq!(epochs.len(), 1, "{what}: one epoch");
    }

    fn changes(&mut self, node: Node) -> Vec<Effect> {
        let told = std::mem::take(&mut self.told[node]).into_iter().map(|(_, effect)| effect);
        told.filter(|effect| matches!(effect, Effect::MemberUp(_) | Effect::MemberDown(_))).collect()
    }
}

/// Pulses in which any group of up to five must agree once the network is whole.
const ENOUGH: u64 = 16;

#[test]
fn three_nodes_elect_the_lowest_and_share_their_infos() {
    let mut world = World::new(3, 1);
    world.run(ENOUGH);
    world.assert_agreed(&[0, 1, 2], "start");
    assert_eq!(world.changes(2), [Effect::MemberUp(0), Effect::MemberUp(1)]);
    let epoch = world.nodes[0].as_ref().unwrap().epoch();
    assert!(world.nodes[2].as_mut().unwrap().set_info(b"changed".to_vec()));
    world.run(4);
    world.assert_agreed(&[0, 1, 2], "changed info");
    assert_eq!(world.nodes[0].as_ref().unwrap().info(2).unwrap().data, b"changed");
    assert_eq!(world.nodes[0].as_ref().unwrap().epoch(), epoch, "an info is not a change of members");
    world.run(50);
    assert_eq!(world.changes(1).len(), 2, "nothing changes by itself");
}

#[test]
fn a_lost_leader_is_replaced_and_takes_over_again_without_further_losses() {
    let mut world = World::new(3, 2);
    world.run(ENOUGH);
    world.told.iter_mut().for_each(Vec::clear);
    world.nodes[0] = None;
    world.run(ENOUGH);
    world.assert_agreed(&[1, 2], "without the leader");
    assert_eq!(world.changes(1), [Effect::MemberDown(0)]);
    assert_eq!(world.changes(2), [Effect::MemberDown(0)]);
    world.start(0);
    world.run(ENOUGH);
    world.assert_agreed(&[0, 1, 2], "leader back");
    assert_eq!(world.changes(1), [Effect::MemberUp(0)]);
    assert_eq!(world.changes(2), [Effect::MemberUp(0)]);
}

#[test]
fn a_leader_that_restarts_listens_before_it_leads() {
    let mut world = World::new(3, 7);
    world.run(ENOUGH);
    world.told.iter_mut().for_each(Vec::clear);
    world.start(0);
    world.cut.extend([(2, 0, 0), (2, 0, 1)]);
    world.run(3);
    world.cut.clear();
    world.run(ENOUGH);
    world.assert_agreed(&[0, 1, 2], "restarted");
    assert!(!world.changes(1).contains(&Effect::MemberDown(2)));
}

#[test]
fn a_list_that_was_overtaken_is_ignored() {
    let mut member = Membership::new(config(1, 3), 1, 0);
    let list = |epoch, members: &[Node]| {
        let members = members.iter().copied().collect();
        let message = Message::List { epoch, members, versions: vec![Version::default(); 3], infos: vec![] };
        Event::Received { from: 0, lan: 0, message, now_ms: 1 }
    };
    assert!(member.step(list(5, &[0, 1, 2])).contains(&Effect::MemberUp(2)));
    assert!(!member.step(list(4, &[0, 1])).contains(&Effect::MemberDown(2)));
    assert!(member.step(list(6, &[0, 1])).contains(&Effect::MemberDown(2)));
}

#[test]
fn a_silent_follower_is_given_up_in_time_and_not_before() {
    let mut world = World::new(3, 3);
    world.run(ENOUGH);
    world.told.iter_mut().for_each(Vec::clear);
    world.nodes[2] = None;
    world.run(u64::from(FOLLOWER_LOST) - 1);
    assert_eq!(world.changes(0), []);
    world.run(3);
    assert_eq!(world.changes(0), [Effect::MemberDown(2)]);
    assert_eq!(world.changes(1), [Effect::MemberDown(2)]);
}

#[test]
fn one_lan_is_enough() {
    let mut world = World::new(2, 4);
    world.run(ENOUGH);
    world.told.iter_mut().for_each(Vec::clear);
    world.cut.extend([(0, 1, 0), (1, 0, 0)]);
    world.run(30);
    assert_eq!((world.changes(0), world.changes(1)), (vec![], vec![]));
    world.cut.extend([(0, 1, 1), (1, 0, 1)]);
    world.run(ENOUGH);
    assert_eq!(world.view(1), (Some(1), vec![1]));
}

#[test]
fn who_slept_accuses_nobody() {
    let mut world = World::new(2, 5);
    world.run(ENOUGH);
    let slept = 60 * PULSE;
    for node in 0..2 {
        let mut member = world.nodes[node].clone().unwrap();
        let mut effects = member.step(Event::Paused(slept));
        effects.extend(member.step(Event::Tick(world.now + slept + PULSE / 4)));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::MemberDown(_))), "{node}");
        let mut unaware = world.nodes[node].clone().unwrap();
        let effects = unaware.step(Event::Tick(world.now + slept));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::MemberDown(_))), "{node}");
    }
}

#[test]
fn messages_of_another_cluster_are_ignored() {
    let mut member = Membership::new(config(0, 2), 1, 0);
    let answer = |versions: usize| Message::Answer {
        epoch: 1,
        versions: vec![Version::default(); versions],
        infos: Vec::new(),
    };
    let list = |members: [Node; 2]| Message::List {
        epoch: 1,
        members: members.into(),
        versions: vec![Version::default(); 2],
        infos: Vec::new(),
    };
    for (from, message) in [(1, answer(3)), (0, answer(2)), (2, answer(2)), (1, list([1, 7]))] {
        let effects = member.step(Event::Received { from, lan: 0, message, now_ms: 1 });
        assert_eq!(effects, [Effect::Ignored(from)]);
    }
    assert!(!member.set_info(vec![0; MOST_INFO + 1]));
}

#[test]
fn large_infos_take_turns() {
    let mut world = World::new(3, 6);
    for node in &mut world.nodes {
        assert!(node.as_mut().unwrap().set_info(vec![7; MOST_INFO]));
    }
    world.run(ENOUGH);
    world.assert_agreed(&[0, 1, 2], "large infos");
}

/// Loss, one-way cuts, partitions, crashes and restarts; then all heals, and within bounded time
/// the nodes that live agree on leader, members, epoch and infos.
#[test]
fn agreement_after_healing_whatever_happened() {
    for seed in 0..1000 {
        let nodes = 2 + (seed % 4) as usize;
        let mut world = World::new(nodes, seed);
        world.loss_percent = [0, 10, 40][(seed % 3) as usize];
        for _ in 0..12 {
            let node = world.random(nodes as u64) as usize;
            match world.random(6) {
                0 => world.nodes[node] = None,
                1 | 2 => world.start(node),
                3 => world.cut_off(node),
                4 => {
                    let (to, lan) = (world.random(nodes as u64) as usize, world.random(2) as usize);
                    world.cut.insert((node, to, lan));
                }
                _ => world.cut.clear(),
            }
            let pulses = 1 + world.random(8);
            world.run(pulses);
        }
        world.cut.clear();
        world.loss_percent = 0;
        world.run(ENOUGH);
        let live: Vec<_> = (0..nodes).filter(|node| world.nodes[*node].is_some()).collect();
        if !live.is_empty() {
            world.assert_agreed(&live, &format!("seed {seed}"));
        }
    }
}
