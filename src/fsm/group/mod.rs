//! The nodes of a farm: who serves, and who owns the clients of each load balancing group (NET-22, NET-30).
//!
//! [`Membership`] finds the leader and the members. The leader makes one plan after each change and
//! all carry it out in two phases ([`switch`]): outside a partition no bucket is accepted by two nodes.
//! A node that was silent for as long as the others wait withdraws before it goes on ([`Event::Paused`]):
//! they may have given its buckets away. An isolated node leads itself and owns all; when nodes meet
//! again, what both hold is given to one of them, and the other keeps its connections for a while.

mod lead;
mod message;
pub mod switch;

pub use message::{
    Body, Destination, Division, Effect, Event, Message, Phase, Plan, PlanId, Reason, Report, Term,
};

use crate::fsm::bucket::Bitmap;
use crate::fsm::membership::{self, Membership, Node};
use std::collections::BTreeSet;
use switch::{Act, Switch, View};

/// Pulses that a starting node listens: enough to meet a leader that is there.
const LISTEN: u32 = 3;
/// Pulses added to the longest wait of a node that leaves.
const LEAVE_MARGIN: u32 = 4;

/// The farm as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// This node.
    pub me: Node,
    /// Number of nodes of the cluster.
    pub nodes: usize,
    /// The lans on which this node is.
    pub lans: Vec<usize>,
    /// Milliseconds between lists (CFG-FA-02).
    pub pulse_ms: u64,
    /// Silent pulses after which the leader is given up.
    pub leader_lost: u32,
    /// Silent pulses after which a follower is given up.
    pub follower_lost: u32,
    /// By load balancing group: the power of each node (CFG-LB-02); 0 for a node that is not in it.
    pub powers: Vec<Vec<u32>>,
    /// How long established connections stay where they are after a change, ms.
    pub grace_ms: u64,
    /// What must be the same on all nodes is: nodes with another one do not share clients.
    pub fingerprint: u64,
}

impl Config {
    /// Pulses that a new leader asks who is there. With those that it was waited for, a lost leader
    /// costs no more than a lost follower, unless the configured numbers leave less than half of that.
    fn ask(&self) -> u32 {
        let most = self.leader_lost.max(1);
        self.follower_lost.saturating_sub(self.leader_lost).clamp(most.div_ceil(2), most)
    }

    fn pulses(&self, count: u32) -> u64 {
        self.pulse_ms.saturating_mul(count.into())
    }

    /// Nobody gives away the buckets of a node that is silent for less than this, ms. A node that stood
    /// still for half of it withdraws by itself; the guard withdraws it before all of it is over (S8).
    pub fn patience_ms(&self) -> u64 {
        self.pulses(self.ask().min(self.follower_lost))
    }

    /// The longest that a node waits for others to take over before it leaves, ms.
    pub fn leave_ms(&self) -> u64 {
        self.pulses(self.follower_lost + self.ask() + LEAVE_MARGIN)
    }

    fn membership(&self) -> membership::Config {
        membership::Config {
            me: self.me,
            nodes: self.nodes,
            lans: self.lans.clone(),
            pulse_ms: self.pulse_ms,
            leader_lost: self.leader_lost,
            follower_lost: self.follower_lost,
            listen: LISTEN,
        }
    }

    fn switch(&self) -> switch::Config {
        switch::Config {
            me: self.me,
            powers: self.powers.clone(),
            grace_ms: self.grace_ms,
            ask_ms: self.pulses(self.ask()),
            retry_ms: self.pulse_ms,
        }
    }
}

/// One node of a farm, from the time it serves to the time it left.
#[derive(Clone, Debug)]
pub struct Group {
    config: Config,
    life: u64,
    info: Vec<u8>,
    membership: Membership,
    switch: Switch,
    now_ms: u64,
    /// When another configuration was heard last.
    strange_ms: Option<u64>,
    leave_by_ms: Option<u64>,
}

impl Group {
    /// A node that serves from `now_ms`. `life` is drawn at random; `info` (at most
    /// [`membership::MOST_INFO`] bytes, or it is not told) is what the others know of it; `adopted`:
    /// what its packet filter accepts already, by load balancing group.
    pub fn new(config: Config, life: u64, info: Vec<u8>, adopted: Vec<Bitmap>, now_ms: u64) -> Group {
        let mut group = Group {
            membership: Membership::new(config.membership(), life, now_ms),
            switch: Switch::new(config.switch(), life, adopted),
            now_ms,
            strange_ms: None,
            leave_by_ms: None,
            life,
            info: Vec::new(),
            config,
        };
        group.set_info(info);
        group
    }

    /// Changes what the others know of this node.
    pub fn set_info(&mut self, info: Vec<u8>) {
        if self.membership.set_info(info.clone()) {
            self.info = info;
        }
    }

    /// What another node said of itself; none if it was never heard.
    pub fn info(&self, node: Node) -> Option<&[u8]> {
        self.membership.info(node).map(|info| &info.data[..])
    }

    /// The leader, unless none is known now.
    pub fn leader(&self) -> Option<Node> {
        self.membership.leader()
    }

    /// The plan that was ordered last.
    pub fn plan(&self) -> Option<&Plan> {
        self.switch.plan()
    }

    /// Nothing more is sent, and nothing that comes in changes anything.
    pub fn has_left(&self) -> bool {
        self.switch.has_left()
    }

    /// Steps the automaton.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let (mut effects, mut acts) = (Vec::new(), Vec::new());
        if self.has_left() {
            return effects;
        }
        let mut members = Vec::new();
        match event {
            Event::Tick(now_ms) => {
                self.now_ms = self.now_ms.max(now_ms);
                members = self.membership.step(membership::Event::Tick(now_ms));
                if self.leave_by_ms.is_some_and(|by_ms| self.now_ms >= by_ms) {
                    self.switch.leave_now(&mut acts);
                }
            }
            Event::Received { from, lan, message, now_ms } => {
                self.now_ms = self.now_ms.max(now_ms);
                match self.receive(from, lan, message, &mut acts) {
                    Ok(told) => members = told,
                    Err(reason) => effects.push(Effect::Ignored(from, reason)),
                }
            }
            Event::Paused(ms) if ms < self.config.patience_ms() / 2 => {
                members = self.membership.step(membership::Event::Paused(ms));
            }
            Event::Paused(ms) => {
                self.now_ms = self.now_ms.saturating_add(ms);
                self.suspect(&mut acts);
            }
            Event::Fenced => self.suspect(&mut acts),
            Event::Installed { order, done } => self.switch.installed(order, done, self.now_ms, &mut acts),
            Event::Leave => {
                self.leave_by_ms.get_or_insert(self.now_ms.saturating_add(self.config.leave_ms()));
                self.switch.leave(&mut acts);
            }
        }
        self.look(&mut acts);
        self.translate_members(members, &mut effects, &mut acts);
        acts.into_iter().for_each(|act| self.translate(act, &mut effects));
        effects
    }

    fn receive(
        &mut self,
        from: Node,
        lan: usize,
        message: Message,
        acts: &mut Vec<Act>,
    ) -> Result<Vec<membership::Effect>, Reason> {
        if message.config != self.config.fingerprint {
            self.strange_ms = Some(self.now_ms);
            return Err(Reason::OtherGroups);
        }
        let now_ms = self.now_ms;
        let received = |message| membership::Event::Received { from, lan, message, now_ms };
        match message.body {
            Body::List(term, list @ membership::Message::List { .. }) => {
                let told = self.membership.step(received(list));
                if self.membership.leader() == Some(from) {
                    self.switch.listed(from, term);
                }
                Ok(told)
            }
            Body::Answer(answer @ membership::Message::Answer { .. }, report) => {
                let told = self.membership.step(received(answer));
                // A report to another term is of a node that does not know of this one yet.
                let _outdated = report.map(|report| self.switch.reported(from, report));
                Ok(told)
            }
            Body::List(..) | Body::Answer(..) => Err(Reason::Unfit),
            Body::Plan(plan) => self.switch.planned(from, plan, acts).map(|()| Vec::new()),
            Body::Report(report) => self.switch.reported(from, report).map(|()| Vec::new()),
        }
    }

    /// This node begins anew: the others may have given it up.
    fn suspect(&mut self, acts: &mut Vec<Act>) {
        self.life = self.life.wrapping_add(1);
        self.membership = Membership::new(self.config.membership(), self.life, self.now_ms);
        self.set_info(self.info.clone());
        self.switch.withdraw(self.life, acts);
    }

    fn look(&mut self, acts: &mut Vec<Act>) {
        let patience_ms = self.config.patience_ms();
        let strange = self.strange_ms.is_some_and(|at_ms| self.now_ms.saturating_sub(at_ms) < patience_ms);
        let view = View {
            leader: self.membership.leader(),
            members: self.membership.members(),
            now_ms: self.now_ms,
            acquainted: self.membership.acquainted(),
            strange,
        };
        self.switch.look(&view, acts);
    }

    fn translate_members(
        &self,
        told: Vec<membership::Effect>,
        effects: &mut Vec<Effect>,
        acts: &mut Vec<Act>,
    ) {
        let mut listed = false;
        for effect in told {
            match effect {
                membership::Effect::Send { lan, to, message } => {
                    let body = match (&message, self.switch.term(), to) {
                        (membership::Message::List { .. }, Some(term), _) => {
                            listed = true;
                            Body::List(term, message)
                        }
                        (_, _, Destination::Node(node)) if self.leader() == Some(node) => {
                            Body::Answer(message, self.switch.report())
                        }
                        _ => Body::Answer(message, None),
                    };
                    effects.push(self.send(lan, to, body));
                }
                membership::Effect::InfoChanged(node) => effects.push(Effect::InfoChanged(node)),
                membership::Effect::Ignored(from) => effects.push(Effect::Ignored(from, Reason::Unfit)),
                // The switch looks at leader and members itself.
                membership::Effect::MemberUp(_)
                | membership::Effect::MemberDown(_)
                | membership::Effect::LeaderIs(_)
                | membership::Effect::EpochChanged(_) => {}
            }
        }
        if listed {
            self.switch.remind(acts);
        }
    }

    fn translate(&self, act: Act, effects: &mut Vec<Effect>) {
        match act {
            Act::Send(to, body) => {
                effects.extend(self.config.lans.iter().map(|lan| self.send(*lan, to, body.clone())));
            }
            Act::Install(order, shares) => effects.push(Effect::Install { order, shares }),
            Act::Changed(members, loads) => effects.push(Effect::Changed { members, loads }),
            Act::Fewer => effects.push(Effect::Fewer),
            Act::Joined => effects.push(Effect::Joined),
            Act::Left => effects.push(Effect::Left),
        }
    }

    fn send(&self, lan: usize, to: Destination, body: Body) -> Effect {
        Effect::Send { lan, to, message: Message { config: self.config.fingerprint, body } }
    }

    /// The members as the leader knows them, for tests and diagnostics.
    pub fn members(&self) -> &BTreeSet<Node> {
        self.membership.members()
    }
}

#[cfg(test)]
mod tests;
