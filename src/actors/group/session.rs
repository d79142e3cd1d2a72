//! One time of this node in the group, from joining to having left: channel, automaton and sockets.
//! Bytes come in with their time; bytes go out through the sockets it was given.

use super::setup::GroupSetup;
use crate::actors::cluster::{DropReason, Drops, Port, Sockets, random};
use crate::fsm::bucket::Bitmap;
use crate::fsm::group::{self, Destination, Effect, Event, Reason};
use crate::fsm::membership::Node;
use crate::told::Told;
use crate::wire::{Channel, Kind, Opened, Received, decode, encode};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The payload of a datagram.
#[derive(Serialize, Deserialize)]
struct Envelope {
    /// The lan for which it was sent: two lans may share an address.
    lan: usize,
    message: group::Message,
}

/// Membership of this node in its farm.
pub(super) struct Session {
    /// Decides.
    pub fsm: group::Group,
    /// By lan.
    pub sockets: Sockets,
    channel: Channel,
    tick_ms: u64,
    /// When this session was last run.
    run_ms: u64,
}

impl Session {
    /// Begins to listen; fails if the system gives no random numbers. `info`: what the others know of
    /// this node; `adopted`: what its packet filter accepts already.
    pub fn new(
        setup: &GroupSetup,
        info: Vec<u8>,
        adopted: Vec<Bitmap>,
        tick_ms: u64,
        now_ms: u64,
    ) -> Result<Self, getrandom::Error> {
        let context = format!("farm {} {}", setup.module, setup.id);
        let key = setup.key.as_ref().map(|key| key.as_bytes());
        // Fits: a cluster has 64 nodes at most.
        let node = u8::try_from(setup.me).unwrap_or(u8::MAX);
        let channel = Channel::new(Kind::Farm, node, key, &context, random()?);
        let life = u64::from_le_bytes(random()?);
        Ok(Session {
            fsm: group::Group::new(setup.config(), life, info, adopted, now_ms),
            sockets: Sockets::new(setup.lans.len()),
            channel,
            tick_ms,
            run_ms: now_ms,
        })
    }

    /// To be called at least each `tick_ms`.
    pub fn tick(&mut self, setup: &GroupSetup, now_ms: u64) -> Vec<Effect> {
        let mut effects = self.run(setup, now_ms);
        effects.extend(self.step(setup, Event::Tick(now_ms)));
        effects
    }

    /// A datagram from a socket of this node.
    pub fn receive(
        &mut self,
        setup: &GroupSetup,
        drops: &mut Drops,
        (socket, source): (usize, SocketAddr),
        datagram: &[u8],
        now_ms: u64,
    ) -> Vec<Effect> {
        let mut effects = self.run(setup, now_ms);
        let received = match random() {
            Ok(fresh) => self.channel.receive(datagram, fresh),
            Err(_) => {
                drop_it(setup, drops, source, DropReason::NoRandom, now_ms);
                return effects;
            }
        };
        match received {
            Received::Payload(opened) => match self.opened(setup, &opened, now_ms) {
                Ok(more) => effects.extend(more),
                Err(reason) => drop_it(setup, drops, source, reason, now_ms),
            },
            Received::Reply(reply) => self.sockets.transmit(socket, source, &reply),
            // What a newer datagram overtook is out of date.
            Received::Late(_) | Received::Met { .. } => {}
            Received::Dropped(reason) => drop_it(setup, drops, source, DropReason::from(&reason), now_ms),
        }
        effects
    }

    /// Measures how long nothing ran here.
    fn run(&mut self, setup: &GroupSetup, now_ms: u64) -> Vec<Effect> {
        let late = now_ms.saturating_sub(self.run_ms).saturating_sub(self.tick_ms);
        self.run_ms = now_ms;
        if late <= self.tick_ms {
            return Vec::new();
        }
        tracing::debug!(module = %setup.module, late, "the farm's group ran late");
        self.step(setup, Event::Paused(late))
    }

    fn opened(
        &mut self,
        setup: &GroupSetup,
        opened: &Opened,
        now_ms: u64,
    ) -> Result<Vec<Effect>, DropReason> {
        let from = usize::from(opened.from);
        let Envelope { lan, message } = decode(&opened.payload).map_err(|_| DropReason::Content)?;
        if from >= setup.nodes.len() || lan >= setup.lans.len() {
            return Err(DropReason::Content);
        }
        Ok(self.step(setup, Event::Received { from, lan, message, now_ms }))
    }

    /// Steps the automaton and sends what it wants sent; the rest is for the actor.
    pub fn step(&mut self, setup: &GroupSetup, event: Event) -> Vec<Effect> {
        let mut rest = Vec::new();
        for effect in self.fsm.step(event) {
            match effect {
                Effect::Send { lan, to, message } => self.send(setup, lan, to, message),
                other => rest.push(other),
            }
        }
        rest
    }

    fn send(&mut self, setup: &GroupSetup, lan: usize, to: Destination, message: group::Message) {
        let targets: Vec<SocketAddr> = match to {
            Destination::Node(node) => setup.target(lan, node).into_iter().collect(),
            Destination::All => (0..setup.nodes.len()).filter_map(|n| setup.target(lan, n)).collect(),
        };
        if targets.is_empty() {
            return;
        }
        match encode(&Envelope { lan, message }).and_then(|payload| self.channel.seal(&payload)) {
            Ok(datagram) => targets.iter().for_each(|to| self.sockets.transmit(lan, *to, &datagram)),
            Err(error) => {
                tracing::error!(module = %setup.module, %error, "a message of the farm cannot be sent");
            }
        }
    }
}

fn drop_it(setup: &GroupSetup, drops: &mut Drops, source: SocketAddr, reason: DropReason, now_ms: u64) {
    let node = setup.node_at(source.ip());
    if drops.count(node, source, reason, now_ms) {
        let who = name_of(setup, node);
        let advice = reason.advice(&Told::same(format!("{who} at {}", source.ip())), Port::Farm);
        tracing::warn!(module = %setup.module, "{advice}");
    }
}

/// Counts a message that changed nothing.
pub(super) fn ignore(setup: &GroupSetup, drops: &mut Drops, from: Node, reason: Reason, now_ms: u64) -> bool {
    let counted = match reason {
        // They happen whenever the leader changes.
        Reason::NotLeader | Reason::Outdated => DropReason::Outdated,
        Reason::OtherGroups | Reason::Unfit => DropReason::Content,
    };
    let source = setup.lans.iter().find_map(|lan| lan.addrs.get(from).copied().flatten());
    let Some(source) = source.map(|addr| SocketAddr::new(addr, setup.port)) else { return false };
    drops.count(Some(from), source, counted, now_ms)
}

/// The name of a node, for people.
pub(super) fn name_of(setup: &GroupSetup, node: Option<Node>) -> &str {
    node.and_then(|node| setup.nodes.get(node)).map_or("an unknown sender", |name| name.as_str())
}
