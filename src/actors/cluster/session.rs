//! One configuration of the cluster, from its setup to the next: channel, automaton and counters.
//! Bytes come in with their time; bytes go out through the sockets it was given.

use super::drops::{DropCount, DropReason, Drops, Port};
use super::heard::Heard;
use super::probe::{Answer, Question, Round};
use super::setup::ClusterSetup;
use super::sockets::Sockets;
use crate::fsm::membership::{self, Destination, Effect, Event, Membership, Node, Version};
use crate::told::Told;
use crate::wire::{Channel, Kind, Opened, Received, decode, encode};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::SystemTime;

/// Rounds of probes that may go on at the same time.
const MOST_ROUNDS: usize = 8;

/// The payload of a datagram.
#[derive(Serialize, Deserialize)]
struct Envelope {
    /// The lan for which it was sent: two lans may share an address.
    lan: usize,
    /// The sender's clock, ms since 1970.
    sent_unix_ms: i64,
    body: Body,
}

#[derive(Serialize, Deserialize)]
enum Body {
    Membership(membership::Message),
    Question(Question),
    Answer(Answer),
}

/// What this node knows of another one besides its info.
#[derive(Clone, Default)]
pub(super) struct Peer {
    /// By lan: when it was heard there.
    heard_ms: Vec<Option<u64>>,
    pub clock_ahead_ms: Option<i64>,
    /// What the subscriber was told last: online, version of the view.
    pub told: (bool, Version),
}

/// The cluster as it is set up now.
pub(super) struct Session {
    pub setup: ClusterSetup,
    /// By lan.
    pub sockets: Sockets,
    pub membership: Membership,
    pub peers: Vec<Peer>,
    pub drops: Drops,
    channel: Channel,
    heard: Heard,
    rounds: Vec<Round>,
    tick_ms: u64,
    /// When this session was last run.
    run_ms: u64,
}

impl Session {
    /// Begins to listen; fails if the system gives no random numbers.
    pub fn new(
        setup: ClusterSetup,
        heard: Heard,
        tick_ms: u64,
        now_ms: u64,
    ) -> Result<Self, getrandom::Error> {
        // Fits: a setup has 64 nodes at most.
        let node = u8::try_from(setup.me).unwrap_or(u8::MAX);
        // Nodes with another configuration are not heard (CFG-CL-11): their numbers may mean others.
        let context = format!("cluster {}", setup.signature);
        let key = setup.key.as_ref().map(|key| key.as_bytes());
        let channel = Channel::new(Kind::Cluster, node, key, &context, random()?);
        let life = u64::from_le_bytes(random()?);
        let peer = Peer { heard_ms: vec![None; setup.lans.len()], ..Peer::default() };
        Ok(Session {
            sockets: Sockets::new(setup.lans.len()),
            membership: Membership::new(setup.membership(), life, now_ms),
            peers: vec![peer; setup.nodes.len()],
            drops: Drops::default(),
            channel,
            heard,
            rounds: Vec::new(),
            tick_ms,
            run_ms: now_ms,
            setup,
        })
    }

    /// The subscriber knows what the session before told it, of the same nodes.
    pub fn told_as(&mut self, before: &Session) {
        for (peer, before) in self.peers.iter_mut().zip(&before.peers) {
            peer.told = before.told;
        }
    }

    /// To be called at least each `tick_ms`.
    pub fn tick(&mut self, now_ms: u64) {
        self.run(now_ms);
        self.step(Event::Tick(now_ms));
        let mut rounds = std::mem::take(&mut self.rounds);
        for round in &mut rounds {
            if let Some((question, silent)) = round.due(now_ms) {
                for (lan, node) in silent {
                    self.send(lan, Destination::Node(node), Body::Question(question));
                }
            }
        }
        let (over, going): (Vec<_>, Vec<_>) = rounds.into_iter().partition(|round| round.over(now_ms));
        self.rounds = going;
        over.into_iter().for_each(Round::finish);
    }

    /// A datagram from a socket of this node.
    pub fn receive(&mut self, socket: usize, source: SocketAddr, datagram: &[u8], now_ms: u64) {
        self.run(now_ms);
        let Ok(fresh) = random() else { return self.drop(source, DropReason::NoRandom, now_ms) };
        match self.channel.receive(datagram, fresh) {
            Received::Payload(opened) => self.opened(&opened, true, source, now_ms),
            Received::Late(opened) => self.opened(&opened, false, source, now_ms),
            Received::Reply(reply) => self.sockets.transmit(socket, source, &reply),
            Received::Met { from, .. } => self.heard.mark(usize::from(from), now_ms),
            Received::Dropped(reason) => self.drop(source, DropReason::from(&reason), now_ms),
        }
    }

    /// Begins a round of probes. False if too many go on.
    pub fn probe(&mut self, round: Round) -> bool {
        let room = self.rounds.len() < MOST_ROUNDS;
        if room {
            self.rounds.push(round);
        }
        room
    }

    /// When `node` was heard last, on any lan.
    pub fn last_heard_ms(&self, node: Node) -> Option<u64> {
        self.heard.last_ms(node)
    }

    /// Measures how long nothing ran here. What was not read meanwhile is no silence of the others.
    fn run(&mut self, now_ms: u64) {
        let late = now_ms.saturating_sub(self.run_ms).saturating_sub(self.tick_ms);
        self.run_ms = now_ms;
        if late > self.tick_ms {
            tracing::debug!(late, "the cluster's actor ran late");
            self.step(Event::Paused(late));
        }
    }

    fn opened(&mut self, opened: &Opened, newest: bool, source: SocketAddr, now_ms: u64) {
        let from = usize::from(opened.from);
        let envelope: Envelope = match decode(&opened.payload) {
            Ok(envelope) => envelope,
            Err(_) => return self.drop(source, DropReason::Content, now_ms),
        };
        let lan = envelope.lan;
        let Some(seen) = self.peers.get_mut(from).and_then(|peer| peer.heard_ms.get_mut(lan)) else {
            return self.drop(source, DropReason::Content, now_ms);
        };
        *seen = Some(now_ms);
        self.heard.mark(from, now_ms);
        self.rounds.iter_mut().for_each(|round| round.heard(from, lan));
        let ahead_ms = envelope.sent_unix_ms.saturating_sub(unix_ms());
        self.peers[from].clock_ahead_ms = Some(ahead_ms);
        match envelope.body {
            // What a newer datagram overtook is out of date; a probe is about the way it came.
            Body::Membership(message) if newest => {
                self.step(Event::Received { from, lan, message, now_ms });
            }
            Body::Membership(_) => {}
            Body::Question(question) => self.answer(from, lan, question, now_ms),
            Body::Answer(answer) => {
                let nonce = answer.question.nonce;
                if let Some(round) = self.rounds.iter_mut().find(|round| round.nonce == nonce) {
                    round.answered(from, &answer, ahead_ms, now_ms);
                }
            }
        }
    }

    fn answer(&mut self, to: Node, lan: usize, question: Question, now_ms: u64) {
        let ago = |at: &Option<u64>| at.map(|at| now_ms.saturating_sub(at));
        let heard_ms_ago: Vec<_> = self.peers[to].heard_ms.iter().map(ago).collect();
        let drops = self.drops.all(now_ms).into_iter().filter(|drop| drop.node == Some(to));
        let refused: Vec<_> =
            drops.filter(DropCount::matters).map(|drop| (drop.reason, drop.count)).collect();
        for back in 0..self.setup.lans.len() {
            let answer =
                Answer { question, lan, heard_ms_ago: heard_ms_ago.clone(), refused: refused.clone() };
            self.send(back, Destination::Node(to), Body::Answer(answer));
        }
    }

    fn step(&mut self, event: Event) {
        for effect in self.membership.step(event) {
            match effect {
                Effect::Send { lan, to, message } => self.send(lan, to, Body::Membership(message)),
                Effect::MemberUp(node) => tracing::info!(node = %self.setup.nodes[node], "node online"),
                Effect::MemberDown(node) => tracing::warn!(node = %self.setup.nodes[node], "node offline"),
                Effect::LeaderIs(node) => {
                    tracing::info!(node = %self.setup.nodes[node], "leader of the cluster")
                }
                Effect::Ignored(from) => tracing::debug!(from, "ignored a message of the cluster"),
                // Read from the automaton when the subscriber is told.
                Effect::EpochChanged(_) | Effect::InfoChanged(_) => {}
            }
        }
    }

    fn send(&mut self, lan: usize, to: Destination, body: Body) {
        let targets: Vec<SocketAddr> = match to {
            Destination::Node(node) => self.setup.target(lan, node).into_iter().collect(),
            Destination::All => {
                (0..self.setup.nodes.len()).filter_map(|n| self.setup.target(lan, n)).collect()
            }
        };
        if targets.is_empty() {
            return;
        }
        let envelope = Envelope { lan, sent_unix_ms: unix_ms(), body };
        match encode(&envelope).and_then(|payload| self.channel.seal(&payload)) {
            Ok(datagram) => targets.iter().for_each(|to| self.sockets.transmit(lan, *to, &datagram)),
            Err(error) => tracing::error!(%error, "a message of the cluster cannot be sent"),
        }
    }

    fn drop(&mut self, source: SocketAddr, reason: DropReason, now_ms: u64) {
        let node = self.setup.node_at(source.ip());
        if self.drops.count(node, source, reason, now_ms) {
            let who = node.map_or("an unknown sender", |node| self.setup.nodes[node].as_str());
            tracing::warn!(
                "{}",
                reason.advice(&Told::same(format!("{who} at {}", source.ip())), Port::Cluster)
            );
        }
    }
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map(|()| bytes)
}

fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
