//! Leader and followers of the cluster (NET-30 to NET-32, CFG-CL-02 to CFG-CL-04).
//!
//! The leader, the lowest node that lives, sends the list of members on every lan once per pulse;
//! whoever hears a list answers its sender. A node is a member while it answers, or while the
//! leader lists it. A node that hears no leader leads; two leaders that hear each other become one:
//! the higher follows. So a partition elects its own leader and joins again by itself.
//!
//! Each node brings an opaque [`NodeInfo`]. Lists and answers carry the versions of all infos, and
//! a text travels only to whom it is missing.

mod message;

pub use message::{Config, Destination, Effect, Event, MOST_INFO, Message, Node, NodeInfo, Version};
use std::collections::BTreeSet;

/// Bytes of infos in one message; one info is always sent, so none is starved.
const INFO_BUDGET: usize = 6 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    /// Hears no leader; leads when the time has come.
    Waiting {
        until_ms: u64,
    },
    Following {
        leader: Node,
        heard_ms: u64,
        listed: BTreeSet<Node>,
    },
    Leading {
        next_ms: u64,
    },
}

/// Membership as one node sees it.
#[derive(Clone, Debug)]
pub struct Membership {
    config: Config,
    now_ms: u64,
    standing: Standing,
    members: BTreeSet<Node>,
    /// When each node was last heard, on any lan.
    heard_ms: Vec<Option<u64>>,
    epoch: u64,
    infos: Vec<NodeInfo>,
    /// Versions that each node said it has.
    known: Vec<Vec<Version>>,
    /// Where the next list begins to pick infos.
    turn: usize,
}

impl Membership {
    /// A node that starts at `now_ms`; `life` differs from that of its former
    /// lives. It first listens.
    pub fn new(config: Config, life: u64, now_ms: u64) -> Self {
        let nodes = config.nodes;
        let mut infos = vec![NodeInfo::default(); nodes];
        infos[config.me].version.life = life;
        let patience = u64::from(config.listen) + config.me as u64;
        Membership {
            now_ms,
            standing: Standing::Waiting { until_ms: now_ms + patience * config.pulse_ms },
            members: BTreeSet::from([config.me]),
            heard_ms: vec![None; nodes],
            epoch: 0,
            infos,
            known: vec![vec![Version::default(); nodes]; nodes],
            turn: 0,
            config,
        }
    }

    /// The members, this node among them.
    pub fn members(&self) -> &BTreeSet<Node> {
        &self.members
    }

    /// The leader, unless none is known now.
    pub fn leader(&self) -> Option<Node> {
        match self.standing {
            Standing::Waiting { .. } => None,
            Standing::Following { leader, .. } => Some(leader),
            Standing::Leading { .. } => Some(self.config.me),
        }
    }

    /// Number of the current list.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The newest info of a node, also of one that is lost; none if it was never heard.
    pub fn info(&self, node: Node) -> Option<&NodeInfo> {
        self.infos.get(node).filter(|info| info.version.number > 0)
    }

    /// Every other member said that it has the newest info of each member.
    pub fn acquainted(&self) -> bool {
        let others = self.members.iter().filter(|node| **node != self.config.me);
        let lacks = |other: &Node, node: &Node| self.known[*other][*node] < self.infos[*node].version;
        others.into_iter().all(|other| !self.members.iter().any(|node| lacks(other, node)))
    }

    /// Changes what this node tells the others. False if `data` is longer than [`MOST_INFO`].
    #[must_use]
    pub fn set_info(&mut self, data: Vec<u8>) -> bool {
        let fits = data.len() <= MOST_INFO;
        if fits {
            let own = &mut self.infos[self.config.me];
            own.version.number = own.version.number.saturating_add(1);
            own.data = data;
        }
        fits
    }

    /// Steps the automaton.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        let (leader, epoch) = (self.leader(), self.epoch);
        match event {
            Event::Tick(now_ms) => self.tick(now_ms, &mut effects),
            Event::Received { from, lan, message, now_ms } => {
                self.now_ms = self.now_ms.max(now_ms);
                if self.fits(from, &message) {
                    self.receive(from, lan, message, &mut effects);
                } else {
                    effects.push(Effect::Ignored(from));
                }
            }
            Event::Paused(ms) => self.paused(ms),
        }
        self.refresh(&mut effects);
        if let Some(new) = self.leader().filter(|new| leader != Some(*new)) {
            effects.push(Effect::LeaderIs(new));
        }
        if self.epoch != epoch {
            effects.push(Effect::EpochChanged(self.epoch));
        }
        effects
    }

    fn pulses(&self, count: u64) -> u64 {
        self.config.pulse_ms.saturating_mul(count)
    }

    fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.now_ms = self.now_ms.max(now_ms);
        if let Standing::Following { leader, heard_ms, .. } = self.standing {
            let lost_ms = self.pulses(self.config.leader_lost.into());
            if self.now_ms.saturating_sub(heard_ms) >= lost_ms {
                self.lose_leader(leader);
            }
        }
        match self.standing {
            Standing::Waiting { until_ms } if self.now_ms >= until_ms => self.lead(),
            _ => {}
        }
        // The list of a new leader must hold whom it has just taken over.
        self.refresh(effects);
        if let Standing::Leading { next_ms } = self.standing
            && self.now_ms >= next_ms
        {
            let kept = next_ms + self.config.pulse_ms;
            let next_ms = if kept > self.now_ms { kept } else { self.now_ms + self.config.pulse_ms };
            self.standing = Standing::Leading { next_ms };
            let message = self.list();
            effects.extend(self.config.lans.iter().map(|lan| Effect::Send {
                lan: *lan,
                to: Destination::All,
                message: message.clone(),
            }));
        }
    }

    /// The lower ones of those who are left lead first; the others hear them in time.
    fn lose_leader(&mut self, leader: Node) {
        self.keep_members();
        self.heard_ms[leader] = None;
        let before = |node: &&Node| **node < self.config.me && **node != leader;
        let rank = self.members.iter().filter(before).count() as u64;
        self.standing = Standing::Waiting { until_ms: self.now_ms + self.pulses(rank) };
    }

    fn lead(&mut self) {
        self.keep_members();
        self.epoch = self.epoch.saturating_add(1);
        self.standing = Standing::Leading { next_ms: self.now_ms };
    }

    fn follow(&mut self, leader: Node, epoch: u64, listed: BTreeSet<Node>) {
        self.keep_members();
        self.epoch = epoch;
        self.standing = Standing::Following { leader, heard_ms: self.now_ms, listed };
    }

    /// Another leader does not know the members yet: each has the full time to be heard again.
    fn keep_members(&mut self) {
        if let Standing::Following { listed, .. } = &self.standing {
            for node in listed {
                self.heard_ms[*node] = Some(self.now_ms);
            }
        }
    }

    fn fits(&self, from: Node, message: &Message) -> bool {
        let nodes = self.config.nodes;
        let (versions, infos) = match message {
            Message::List { members, .. } if members.iter().any(|node| *node >= nodes) => return false,
            Message::List { versions, infos, .. } | Message::Answer { versions, infos, .. } => {
                (versions, infos)
            }
        };
        from < nodes
            && from != self.config.me
            && versions.len() == nodes
            && infos.iter().all(|(node, info)| *node < nodes && info.data.len() <= MOST_INFO)
    }

    fn receive(&mut self, from: Node, lan: usize, message: Message, effects: &mut Vec<Effect>) {
        self.heard_ms[from] = Some(self.now_ms);
        let (Message::List { versions, infos, .. } | Message::Answer { versions, infos, .. }) = &message;
        self.take_infos(infos, effects);
        self.outgrow(versions);
        self.known[from].clone_from(versions);
        match message {
            Message::List { epoch, members, .. } => {
                self.hear_list(from, epoch, members);
                let infos = self.infos_for(&[from]);
                let message = Message::Answer { epoch: self.epoch, versions: self.versions(), infos };
                effects.push(Effect::Send { lan, to: Destination::Node(from), message });
            }
            Message::Answer { epoch, .. } => {
                if self.leader() == Some(self.config.me) && epoch > self.epoch {
                    self.epoch = epoch.saturating_add(1);
                }
            }
        }
    }

    fn hear_list(&mut self, from: Node, epoch: u64, members: BTreeSet<Node>) {
        let me = self.config.me;
        match &mut self.standing {
            Standing::Following { leader, heard_ms, listed } if *leader == from => {
                *heard_ms = self.now_ms;
                // An older list was overtaken, or is of a restarted leader: the answer tells it.
                if epoch >= self.epoch {
                    self.epoch = epoch;
                    *listed = members;
                }
            }
            Standing::Following { leader, .. } if *leader < from => {}
            // Not yet leading, but lower than the one who leads.
            Standing::Waiting { .. } if me < from => {
                self.epoch = self.epoch.max(epoch);
                for node in members {
                    self.heard_ms[node] = Some(self.now_ms);
                }
                self.lead();
            }
            // The higher one will follow when it hears the list of this node.
            Standing::Leading { .. } if me < from => {}
            Standing::Waiting { .. } | Standing::Leading { .. } | Standing::Following { .. } => {
                self.follow(from, epoch, members);
            }
        }
    }

    fn paused(&mut self, ms: u64) {
        let later = |at: &mut u64| *at = at.saturating_add(ms);
        self.heard_ms.iter_mut().flatten().for_each(later);
        match &mut self.standing {
            Standing::Waiting { until_ms } => later(until_ms),
            Standing::Following { heard_ms, .. } => later(heard_ms),
            Standing::Leading { .. } => {}
        }
    }

    /// Draws the members from what was heard and listed, and tells the difference.
    fn refresh(&mut self, effects: &mut Vec<Effect>) {
        let lost_ms = self.pulses(self.config.follower_lost.into());
        let fresh = |at: &Option<u64>| at.is_some_and(|at| self.now_ms.saturating_sub(at) < lost_ms);
        let mut members: BTreeSet<Node> =
            (0..self.config.nodes).filter(|node| fresh(&self.heard_ms[*node])).collect();
        members.insert(self.config.me);
        if let Standing::Following { leader, listed, .. } = &self.standing {
            members.insert(*leader);
            members.extend(listed);
        }
        if members == self.members {
            return;
        }
        effects.extend(members.difference(&self.members).map(|node| Effect::MemberUp(*node)));
        effects.extend(self.members.difference(&members).map(|node| Effect::MemberDown(*node)));
        self.members = members;
        if matches!(self.standing, Standing::Leading { .. }) {
            self.epoch = self.epoch.saturating_add(1);
        }
    }

    fn versions(&self) -> Vec<Version> {
        self.infos.iter().map(|info| info.version).collect()
    }

    fn take_infos(&mut self, infos: &[(Node, NodeInfo)], effects: &mut Vec<Effect>) {
        for (node, info) in infos {
            if *node != self.config.me && info.version > self.infos[*node].version {
                self.infos[*node] = info.clone();
                effects.push(Effect::InfoChanged(*node));
            }
        }
    }

    /// A former life of this node may have told newer versions: what is told now must be newer still.
    fn outgrow(&mut self, versions: &[Version]) {
        let own = &mut self.infos[self.config.me];
        let theirs = versions[self.config.me];
        if theirs > own.version {
            own.version.number = theirs.number.saturating_add(1);
        }
    }

    fn list(&mut self) -> Message {
        let others: Vec<Node> = self.members.iter().copied().filter(|node| *node != self.config.me).collect();
        let infos = self.infos_for(&others);
        Message::List { epoch: self.epoch, members: self.members.clone(), versions: self.versions(), infos }
    }

    /// Infos that one of the receivers lacks, in turn and within the budget.
    fn infos_for(&mut self, receivers: &[Node]) -> Vec<(Node, NodeInfo)> {
        let nodes = self.config.nodes;
        let lacking =
            |node: &Node| receivers.iter().any(|other| self.known[*other][*node] < self.infos[*node].version);
        let (mut infos, mut bytes) = (Vec::new(), 0);
        for node in (self.turn..self.turn + nodes).map(|at| at % nodes).filter(lacking) {
            bytes += self.infos[node].data.len();
            if !infos.is_empty() && bytes > INFO_BUDGET {
                break;
            }
            infos.push((node, self.infos[node].clone()));
        }
        self.turn = infos.last().map_or(self.turn, |(node, _)| node + 1) % nodes;
        infos
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
