//! The nodes of a farm module: membership, and who has which clients (NET-22, NET-30; RES-40, MSG-F-01,
//! MSG-F-02). The decisions are those of [`crate::fsm::group`].
//!
//! It runs on the thread of the heartbeats, so nothing here waits for a disk or for the kernel's tables:
//! addresses are resolved before they come in, and a thread of its own drives the packet filter.

mod filter;
mod session;
mod setup;

pub use setup::{DEFAULT_GRACE, GroupEvent, GroupSetup, LbGroup};

use crate::actors::cluster::{DropCount, Drops, Incoming, canonical, datagrams, now_ms};
use crate::actors::guard::GuardOrder;
use crate::farm::{Backend, Layout, Peer};
use crate::fsm::bucket::{Bitmap, Share};
use crate::fsm::group::{Effect, Event, Reason};
use crate::guard::boottime_ns;
use crate::log::Message as LogMessage;
use crate::net::MacAddr;
use crate::told::{Told, told};
use crate::wire::{decode, encode};
use actix::dev::SendError;
use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler, Message, SpawnHandle, StreamHandler};
use filter::{Filter, FilterError, FilterEvent, Loaded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use session::Session;
use setup::ms;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Messages that may wait. Whoever finds it full tries again.
const MAILBOX: usize = 64;
/// Events that may wait for a busy module; a module this far behind has stood still.
const OUTBOX: usize = 256;
/// When a full mailbox of the module is tried again.
const RETRY: Duration = Duration::from_millis(10);
/// A tick is a quarter of the pulse, within these bounds.
const TICKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// How long after a failure a local address, or the packet filter, is tried again, ms.
const AGAIN_MS: u64 = 1000;
/// Share of the patience between two renewals of the guard (S8).
const RENEWALS: u32 = 20;

/// This node serves: its application runs. Answered by [`GroupEvent::Joined`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Join;

/// Hand over. Answered by [`GroupEvent::Left`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Leave;

/// The guard has withdrawn this node: it takes part anew.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Fenced;

/// Remove the packet filter and end; answered by [`GroupEvent::Ended`]. The virtual addresses must be gone.
/// An actor that only stops leaves the filter as it is, to be gone on with by the next life.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct End;

/// The shares that the packet filter has, by load balancing group.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<(String, Share)>")]
pub struct GetShares;

/// What was dropped since the start.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<DropCount>")]
pub struct GetDrops;

/// What a node tells the others.
#[derive(Serialize, Deserialize)]
struct Info {
    /// By virtual address: the MAC address of the interface that it is set on.
    macs: Vec<(IpAddr, MacAddr)>,
}

/// Shares that were given to the packet filter.
struct Ordered {
    /// Of this actor.
    number: u64,
    /// Of the automaton.
    order: u64,
    shares: Vec<Share>,
}

/// The actor.
pub struct Group {
    setup: GroupSetup,
    backend: Option<Box<dyn Backend>>,
    filter: Option<Filter>,
    /// None until the filter is in place.
    loaded: Option<Loaded>,
    /// It shall take part.
    wanted: bool,
    session: Option<Session>,
    /// Everything that runs for the session.
    tasks: Vec<SpawnHandle>,
    bound_ms: u64,
    drops: Drops,
    /// Orders are numbered over all sessions.
    orders: u64,
    /// The newest order under way.
    ordered: Option<Ordered>,
    /// What was carried out last.
    shares: Vec<Share>,
    /// The last order failed, and the module knows.
    failed: bool,
    /// By load balancing group: what the log says.
    logged: Vec<Option<(Vec<String>, usize)>>,
    outbox: VecDeque<GroupEvent>,
    retrying: bool,
    /// It ends once everything is told.
    ending: bool,
    peers: BTreeMap<usize, Peer>,
}

impl Group {
    /// Starts a group on its arbiter. It puts the packet filter in place and then waits for [`Join`].
    pub fn start(setup: GroupSetup, backend: Box<dyn Backend>) -> Addr<Group> {
        let arbiter = setup.arbiter.clone();
        Group::start_in_arbiter(&arbiter, move |_| Group::new(setup, backend))
    }

    fn new(setup: GroupSetup, backend: Box<dyn Backend>) -> Group {
        Group {
            logged: vec![None; setup.groups.len()],
            setup,
            backend: Some(backend),
            filter: None,
            loaded: None,
            wanted: false,
            session: None,
            tasks: Vec::new(),
            bound_ms: 0,
            drops: Drops::default(),
            orders: 0,
            ordered: None,
            shares: Vec::new(),
            failed: false,
            outbox: VecDeque::new(),
            retrying: false,
            ending: false,
            peers: BTreeMap::new(),
        }
    }

    /// Takes part, as soon as that is possible.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let (true, None, Some(loaded)) = (self.wanted, &self.session, &mut self.loaded) else { return };
        let tick = (self.setup.pulse / 4).clamp(TICKS.0, TICKS.1);
        let info = encode(&Info { macs: loaded.macs.clone() }).unwrap_or_default();
        let adopted = loaded.adopted.clone();
        match Session::new(&self.setup, info, adopted, ms(tick), now_ms()) {
            Ok(session) => self.session = Some(session),
            Err(error) => {
                tracing::error!(%error, "no random numbers: this node cannot take part in its farm yet");
                ctx.run_later(Duration::from_millis(AGAIN_MS), Self::begin);
                return;
            }
        }
        // After having left it holds nothing.
        loaded.adopted.fill(Bitmap::EMPTY);
        self.bind(ctx);
        let ticking = ctx.run_interval(tick, |actor, ctx| actor.tick(ctx));
        self.tasks.push(ticking);
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        self.session = None;
        self.logged.fill(None);
        self.tasks.drain(..).for_each(|task| {
            ctx.cancel_future(task);
        });
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = now_ms();
        if now.saturating_sub(self.bound_ms) >= AGAIN_MS {
            self.bind(ctx);
        }
        let Some(session) = &mut self.session else { return };
        let effects = session.tick(&self.setup, now);
        self.act(effects, ctx);
    }

    /// The guard is renewed as long as this actor runs, whether or not it takes part: the module arms the
    /// guard before, and disarms it after.
    fn renew(&self) {
        if let Some((guard, module)) = &self.setup.guard {
            let order = GuardOrder::Renew { echoed_at: boottime_ns() };
            guard.order(&self.setup.module, order, module);
        }
    }

    /// Opens the sockets that are missing. An address that is not there yet is no error of the node.
    fn bind(&mut self, ctx: &mut Context<Self>) {
        self.bound_ms = now_ms();
        let Some(session) = &mut self.session else { return };
        let whose = format!("module {}", self.setup.module);
        for (lan, socket) in session.sockets.bind(&self.setup.lans, self.setup.port, &whose) {
            self.tasks.push(ctx.add_stream(datagrams(lan, socket)));
        }
    }

    fn step(&mut self, event: Event, ctx: &mut Context<Self>) {
        let Some(session) = &mut self.session else { return };
        let effects = session.step(&self.setup, event);
        self.act(effects, ctx);
    }

    fn act(&mut self, effects: Vec<Effect>, ctx: &mut Context<Self>) {
        for effect in effects {
            match effect {
                // The session has sent it.
                Effect::Send { .. } => {}
                Effect::Install { order, shares } => {
                    self.orders += 1;
                    if let Some(filter) = &self.filter {
                        filter.install(self.orders, shares.clone());
                    }
                    self.ordered = Some(Ordered { number: self.orders, order, shares });
                }
                Effect::Changed { members, loads } => {
                    self.log(&members, &loads);
                    self.tell(GroupEvent::Changed(loads), ctx);
                }
                Effect::Fewer => self.tell(GroupEvent::Announce, ctx),
                Effect::Joined => self.tell(GroupEvent::Joined, ctx),
                Effect::Left => {
                    self.finish(ctx);
                    self.tell(GroupEvent::Left, ctx);
                    // It may be wanted again.
                    self.begin(ctx);
                }
                Effect::InfoChanged(node) => self.meet(node),
                Effect::Ignored(from, reason) => self.ignored(from, reason),
            }
        }
    }

    fn ignored(&mut self, from: usize, reason: Reason) {
        let first = session::ignore(&self.setup, &mut self.drops, from, reason, now_ms());
        let who = session::name_of(&self.setup, Some(from));
        tracing::debug!(module = %self.setup.module, %who, %reason, "a message of the farm changes nothing");
        if first && reason == Reason::OtherGroups {
            let what = LogMessage::Error(told!(
                "no clients are shared with {who}: {reason}",
                "aucun client n'est partagé avec {who} : {reason}"
            ));
            self.setup.store.append(Timestamp::now(), &what);
        }
    }

    /// A line for what is new in each load balancing group.
    fn log(&mut self, members: &std::collections::BTreeSet<usize>, loads: &[usize]) {
        for ((group, load), logged) in self.setup.groups.iter().zip(loads).zip(&mut self.logged) {
            let within = |node: &&usize| group.powers.get(**node).is_some_and(Option::is_some);
            let nodes: Vec<String> =
                members.iter().filter(within).map(|node| self.setup.nodes[*node].to_string()).collect();
            let before = logged.replace((nodes.clone(), *load));
            let append = |message: &LogMessage| self.setup.store.append(Timestamp::now(), message);
            if before.as_ref().is_none_or(|(before, _)| *before != nodes) {
                append(&LogMessage::FarmMembership { nodes: nodes.clone(), group: group.name.clone() });
            }
            if before.is_none_or(|before| before != (nodes, *load)) {
                append(&LogMessage::FarmLoad { buckets: *load, group: group.name.clone() });
            }
        }
    }

    /// Another node said where its packets go.
    fn meet(&mut self, node: usize) {
        let info = self.session.as_ref().and_then(|session| session.fsm.info(node));
        let Some(Info { macs }) = info.and_then(|info| decode(info).ok()) else {
            let who = session::name_of(&self.setup, Some(node));
            tracing::warn!(module = %self.setup.module, %who, "its network cards are not known");
            return;
        };
        let peer = peer(&self.setup.layout, node, &macs);
        if self.peers.get(&node) != Some(&peer) {
            self.peers.insert(node, peer);
            if let Some(filter) = &self.filter {
                filter.peers(self.peers.values().cloned().collect());
            }
        }
    }

    fn installed(&mut self, number: u64, done: Result<(), FilterError>, ctx: &mut Context<Self>) {
        let newest = self.ordered.take_if(|ordered| ordered.number == number);
        let carried_out = done.is_ok();
        match done {
            Ok(()) => self.failed = false,
            Err(error) => {
                if self.refused(error, ctx) {
                    return;
                }
            }
        }
        // An order that was replaced meanwhile has no answer.
        if let Some(Ordered { order, shares, .. }) = newest {
            if carried_out {
                self.shares = shares;
            }
            self.step(Event::Installed { order, done: carried_out }, ctx);
        }
    }

    /// An order was not carried out. True if this node begins anew.
    fn refused(&mut self, error: FilterError, ctx: &mut Context<Self>) -> bool {
        match error {
            FilterError::Withdrawn => {
                self.step(Event::Fenced, ctx);
                true
            }
            FilterError::Failed(what) => {
                self.fail(what, ctx);
                false
            }
        }
    }

    /// Tells the module once.
    fn fail(&mut self, what: Told, ctx: &mut Context<Self>) {
        if !std::mem::replace(&mut self.failed, true) {
            self.tell(GroupEvent::Failed(what), ctx);
        }
    }

    fn tell(&mut self, event: GroupEvent, ctx: &mut Context<Self>) {
        if self.outbox.len() >= OUTBOX {
            tracing::error!(module = %self.setup.module, "the module does not take what its group reports");
            return;
        }
        self.outbox.push_back(event);
        self.deliver(ctx);
    }

    /// In order, and nothing is lost: the module may be busy for a moment.
    fn deliver(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.outbox.pop_front() {
            match self.setup.events.try_send(event) {
                Ok(()) => {}
                Err(SendError::Full(event)) => {
                    self.outbox.push_front(event);
                    if !std::mem::replace(&mut self.retrying, true) {
                        ctx.run_later(RETRY, |group, ctx| {
                            group.retrying = false;
                            group.deliver(ctx);
                        });
                    }
                    return;
                }
                Err(SendError::Closed(_)) => break,
            }
        }
        if self.ending {
            ctx.stop();
        }
    }
}

/// Another node, by the names that the interfaces have on this one.
fn peer(layout: &Layout, node: usize, macs: &[(IpAddr, MacAddr)]) -> Peer {
    let device = |addr: &IpAddr| layout.vips.iter().find(|vip| vip.addr == *addr);
    let macs = macs.iter().filter_map(|(addr, mac)| Some((device(addr)?.device.clone(), *mac))).collect();
    Peer { node, macs }
}

mod handlers;

#[cfg(test)]
mod tests;
