//! Nodes of a farm that run the real automaton over a simulated clock, network and packet filter.

use crate::rng::Rng;
use safekit::fsm::bucket::{BUCKETS, Bitmap, Owners, Reach, Share};
use safekit::fsm::group::{Config, Destination, Effect, Event, Group, Message};
use safekit::wire::{MAX_PAYLOAD, encode};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub const LANS: usize = 2;
pub const LEADER_LOST: u32 = 6;
pub const FOLLOWER_LOST: u32 = 12;
const GRACE: u64 = 3_000;

/// What a farm is like.
#[derive(Clone, Debug)]
pub struct Setup {
    pub powers: Vec<Vec<u32>>,
    pub pulse: u64,
    pub loss_percent: u64,
    /// The fault that is planted.
    pub planted: Option<Planted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Who was asleep goes on as if nothing had happened, and no guard withdraws it.
    OwnPause,
    /// Nobody waits for the others to prepare: a new plan is carried out as settled.
    OnePhase,
    /// An order that failed counts as carried out.
    FailedOrder,
}

pub struct Machine {
    pub group: Option<Group>,
    /// What its packet filter does.
    pub filter: Vec<Share>,
    /// By group: the buckets that it accepts.
    accepts: Vec<Bitmap>,
    /// Orders that the filter carries out one after the other.
    orders: BTreeMap<u64, (u64, Vec<Share>)>,
    paused_until: u64,
    ran: u64,
    /// Datagrams in its buffers.
    waiting: Vec<(usize, usize, Rc<Message>)>,
    next_tick: u64,
    life: u64,
    /// By sender: the newest datagram, as life and sequence.
    newest: Vec<(u64, u64)>,
    sent: u64,
    pub told: Vec<Effect>,
}

struct Flying {
    to: usize,
    from: usize,
    life: u64,
    sequence: u64,
    lan: usize,
    message: Rc<Message>,
}

pub struct World {
    pub setup: Setup,
    pub now: u64,
    pub rng: Rng,
    pub nodes: Vec<Machine>,
    flying: BTreeMap<(u64, u64), Flying>,
    order: u64,
    /// Pairs (from, to, lan) that do not get through.
    pub cut: BTreeSet<(usize, usize, usize)>,
    /// Two nodes may own a bucket.
    pub parted: bool,
    pub datagrams: u64,
    pub bytes: u64,
    pub trace: Option<Vec<String>>,
}

impl World {
    pub fn new(setup: Setup, seed: u64) -> World {
        let nodes = setup.powers.first().map_or(0, Vec::len);
        let machine = |_| Machine {
            group: None,
            filter: nothing(&setup),
            accepts: vec![Bitmap::EMPTY; setup.powers.len()],
            orders: BTreeMap::new(),
            paused_until: 0,
            ran: 0,
            waiting: Vec::new(),
            next_tick: 0,
            life: 0,
            newest: vec![(0, 0); nodes],
            sent: 0,
            told: Vec::new(),
        };
        World {
            now: 1_000,
            rng: Rng::new(seed),
            nodes: (0..nodes).map(machine).collect(),
            flying: BTreeMap::new(),
            order: 0,
            cut: BTreeSet::new(),
            parted: false,
            datagrams: 0,
            bytes: 0,
            trace: None,
            setup,
        }
    }

    fn config(&self, me: usize) -> Config {
        Config {
            me,
            nodes: self.nodes.len(),
            lans: (0..LANS).collect(),
            pulse_ms: self.setup.pulse,
            leader_lost: LEADER_LOST,
            follower_lost: FOLLOWER_LOST,
            powers: self.setup.powers.clone(),
            grace_ms: GRACE,
            fingerprint: 7,
        }
    }

    pub fn patience(&self) -> u64 {
        self.config(0).patience_ms()
    }

    pub fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>8} {}", self.now, what()));
        }
    }

    /// Starts serving: after a power failure with an empty filter, after a kill with what is there.
    pub fn start(&mut self, node: usize) {
        self.say(|| format!("node {node} starts"));
        let life = self.rng.draw() | 1;
        let tick = self.rng.range(1, self.setup.pulse / 4);
        let adopted = self.nodes[node].accepts.clone();
        let group = Group::new(self.config(node), life, vec![node as u8; 40], adopted, self.now);
        let n = &mut self.nodes[node];
        (n.group, n.life, n.sent, n.next_tick, n.ran) = (Some(group), life, 0, self.now + tick, self.now);
        n.orders.clear();
        n.waiting.clear();
        n.newest.fill((0, 0));
    }

    /// The process dies; its filter stays until the guard withdraws it.
    pub fn kill(&mut self, node: usize) {
        self.say(|| format!("node {node} is killed"));
        let n = &mut self.nodes[node];
        (n.group, n.paused_until) = (None, 0);
        n.orders.clear();
    }

    pub fn power_off(&mut self, node: usize) {
        self.kill(node);
        self.set_filter(node, nothing(&self.setup));
    }

    pub fn pause(&mut self, node: usize, ms: u64) {
        self.say(|| format!("node {node} stands still for {ms}"));
        self.nodes[node].paused_until = self.now + ms;
    }

    pub fn leave(&mut self, node: usize) {
        self.say(|| format!("node {node} leaves"));
        self.feed(node, Event::Leave);
    }

    /// Separates these nodes from all others.
    pub fn part(&mut self, side: &[usize]) {
        self.say(|| format!("nodes {side:?} are cut off"));
        self.parted = true;
        let others = (0..self.nodes.len()).filter(|node| !side.contains(node));
        for (a, b) in others.flat_map(|other| side.iter().map(move |node| (other, *node))) {
            self.cut.extend((0..LANS).flat_map(|lan| [(a, b, lan), (b, a, lan)]));
        }
    }

    /// Runs for so many milliseconds; what two nodes accept, if that is forbidden.
    pub fn run(&mut self, ms: u64) -> Result<(), String> {
        let end = self.now + ms;
        while let Some(at) = self.next_event().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.happen();
            self.exclusive()?;
        }
        self.now = end;
        Ok(())
    }

    fn next_event(&self) -> Option<u64> {
        let arrival = self.flying.keys().next().map(|(at, _)| *at);
        let of = |n: &Machine| {
            let awake = n.group.as_ref().map(|_| n.next_tick.max(n.paused_until));
            [awake, n.orders.keys().next().copied(), self.guard_at(n)].into_iter().flatten().min()
        };
        self.nodes.iter().filter_map(of).chain(arrival).min()
    }

    /// The guard withdraws a node that did not run.
    fn guard_at(&self, n: &Machine) -> Option<u64> {
        let guarded = self.setup.planted != Some(Planted::OwnPause);
        let holds = n.filter.iter().any(|share| share.owners != Owners::NOBODY);
        (guarded && holds).then_some(n.ran + self.patience() * 4 / 5)
    }

    fn happen(&mut self) {
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let flying = entry.remove();
            self.arrive(&flying);
        }
        for node in 0..self.nodes.len() {
            self.carry_out(node);
            let n = &self.nodes[node];
            if self.guard_at(n).is_some_and(|at| at <= self.now) {
                let awake = n.group.is_some() && n.paused_until <= self.now;
                self.say(|| format!("the guard withdraws node {node}"));
                self.set_filter(node, nothing(&self.setup));
                if awake {
                    self.feed(node, Event::Fenced);
                }
            }
            let n = &self.nodes[node];
            if n.group.is_some() && n.next_tick.max(n.paused_until) <= self.now {
                self.wake(node);
                self.nodes[node].next_tick = self.now + self.setup.pulse / 4;
                self.feed(node, Event::Tick(self.now));
            }
        }
    }

    fn arrive(&mut self, flying: &Flying) {
        let life = self.nodes[flying.from].life;
        let n = &mut self.nodes[flying.to];
        let newest = &mut n.newest[flying.from];
        // As the channel does: a life that was replaced, and what a newer datagram overtook, are dropped.
        let overtaken = *newest >= (flying.life, flying.sequence) && newest.0 == flying.life;
        if n.group.is_none() || flying.life != life || overtaken {
            return;
        }
        *newest = (flying.life, flying.sequence);
        n.waiting.push((flying.from, flying.lan, flying.message.clone()));
        if n.paused_until <= self.now {
            self.wake(flying.to);
        }
    }

    /// It runs: measures how long it did not, and reads what came meanwhile.
    fn wake(&mut self, node: usize) {
        let tick = self.setup.pulse / 4;
        let n = &mut self.nodes[node];
        let late = self.now.saturating_sub(n.ran).saturating_sub(tick);
        n.ran = self.now;
        if late > tick && self.setup.planted != Some(Planted::OwnPause) {
            self.feed(node, Event::Paused(late));
        }
        let now_ms = self.now;
        for (from, lan, message) in std::mem::take(&mut self.nodes[node].waiting) {
            self.feed(node, Event::Received { from, lan, message: (*message).clone(), now_ms });
        }
    }

    fn carry_out(&mut self, node: usize) {
        while let Some(entry) = self.nodes[node].orders.first_entry().filter(|entry| *entry.key() <= self.now)
        {
            let (order, shares) = entry.remove();
            // Now and then a filter fails, and is as it was.
            let failed = self.rng.percent(3) && self.setup.loss_percent > 0;
            let done = !failed || self.setup.planted == Some(Planted::FailedOrder);
            if !failed {
                self.set_filter(node, shares);
            }
            self.feed(node, Event::Installed { order, done });
        }
    }

    pub fn feed(&mut self, node: usize, event: Event) {
        if self.trace.is_some() && !matches!(event, Event::Tick(_) | Event::Received { .. }) {
            let text = format!("{event:?}");
            self.say(|| format!("node {node}: {text}"));
        }
        let Some(group) = self.nodes[node].group.as_mut() else { return };
        for effect in group.step(event) {
            self.act(node, effect);
        }
    }

    fn act(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { lan, to, message } => self.send(node, lan, to, message),
            Effect::Install { order, mut shares } => {
                if self.setup.planted == Some(Planted::OnePhase) {
                    shares.iter_mut().for_each(|share| share.changing = false);
                }
                let at = self.now + self.rng.range(0, 2);
                let last = self.nodes[node].orders.keys().next_back().map_or(0, |last| last + 1);
                self.nodes[node].orders.insert(at.max(last), (order, shares));
            }
            told => {
                self.say(|| format!("node {node} tells {told:?}"));
                self.nodes[node].told.push(told);
            }
        }
    }

    fn send(&mut self, from: usize, lan: usize, to: Destination, message: Message) {
        let length = encode(&message).unwrap_or_else(|e| panic!("{e}: {message:?}")).len();
        assert!(length <= MAX_PAYLOAD);
        self.say(|| {
            let text: String = format!("{:?}", message.body).chars().take(400).collect();
            format!("node {from} lan {lan} to {to:?}: {text}")
        });
        let message = Rc::new(message);
        for to in (0..self.nodes.len()).filter(|n| *n != from && covers(to, *n)) {
            let n = &mut self.nodes[from];
            n.sent += 1;
            let (life, sequence) = (n.life, n.sent);
            self.datagrams += 1;
            self.bytes += length as u64;
            if self.cut.contains(&(from, to, lan)) || self.rng.percent(self.setup.loss_percent) {
                continue;
            }
            self.order += 1;
            let at = (self.now + self.rng.range(0, 3), self.order);
            let message = message.clone();
            self.flying.insert(at, Flying { to, from, life, sequence, lan, message });
        }
    }

    fn set_filter(&mut self, node: usize, shares: Vec<Share>) {
        let n = &mut self.nodes[node];
        n.accepts = shares.iter().map(|share| share.own(node, Reach::Every)).collect();
        n.filter = shares;
    }

    /// Buckets that a node accepts now.
    pub fn accepts(&self, node: usize, group: usize) -> Bitmap {
        self.nodes[node].accepts[group]
    }

    fn exclusive(&self) -> Result<(), String> {
        if self.parted {
            return Ok(());
        }
        for group in 0..self.setup.powers.len() {
            let mut seen = Bitmap::EMPTY;
            for node in 0..self.nodes.len() {
                let own = self.accepts(node, group);
                if !(seen & own).is_empty() {
                    let who: Vec<_> = (0..self.nodes.len()).map(|n| self.accepts(n, group).len()).collect();
                    return Err(format!("two nodes accept {:?} of group {group}: {who:?}", seen & own));
                }
                seen = seen | own;
            }
        }
        Ok(())
    }

    /// Those that serve have one settled plan, and each bucket is accepted by its owner.
    pub fn stable(&self) -> Result<(), String> {
        let serving: BTreeSet<usize> = (0..self.nodes.len())
            .filter(|n| self.nodes[*n].group.as_ref().is_some_and(|g| !g.has_left()))
            .collect();
        let plan_of = |n: &usize| self.nodes[*n].group.as_ref().and_then(Group::plan);
        let Some(first) = serving.first() else { return Ok(()) };
        let Some(plan) = plan_of(first) else { return Err(format!("node {first} has no plan")) };
        if !plan.settled || plan.members != serving {
            return Err(format!("{serving:?} serve, the plan says {:?}", plan.members));
        }
        for node in &serving {
            if plan_of(node).is_none_or(|other| other.phase() != plan.phase()) {
                return Err(format!("node {node} has another plan than node {first}"));
            }
            for (group, division) in plan.divisions.iter().enumerate() {
                if self.accepts(*node, group) != division.owners.owned_by(*node) {
                    return Err(format!("node {node} does not accept what it owns of group {group}"));
                }
            }
        }
        self.shared(&serving)
    }

    fn shared(&self, serving: &BTreeSet<usize>) -> Result<(), String> {
        for (group, powers) in self.setup.powers.iter().enumerate() {
            let total: u64 = serving.iter().map(|n| u64::from(powers[*n])).sum();
            for node in serving {
                let got = self.accepts(*node, group).len() as u64;
                let wanted = (u64::from(powers[*node]) * BUCKETS as u64).checked_div(total).unwrap_or(0);
                if got.abs_diff(wanted) > 1 {
                    return Err(format!("node {node} has {got} buckets of group {group}, not {wanted}"));
                }
            }
        }
        Ok(())
    }

    /// Runs until all is stable: after how many milliseconds.
    pub fn until_stable(&mut self, most: u64) -> Result<u64, String> {
        let began = self.now;
        while self.now - began < most {
            if self.stable().is_ok() {
                return Ok(self.now - began);
            }
            self.run(5)?;
        }
        self.stable().map(|()| self.now - began)
    }
}

fn covers(to: Destination, node: usize) -> bool {
    to == Destination::All || to == Destination::Node(node)
}

fn nothing(setup: &Setup) -> Vec<Share> {
    vec![Share::settled(Owners::NOBODY); setup.powers.len()]
}
