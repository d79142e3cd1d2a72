//! The virtual addresses of one module: sets and removes them, announces them, counts their
//! connections and looks whether somebody else still answers for them. The work is in
//! [`crate::net::vip`]; answers go to the module's actor and carry the epoch of the order.
//!
//! When this actor ends, the addresses stay: the control plane may die and come back (DESIGN 3).

mod ground;

pub use crate::net::vip::{VipAddr, VipPlan};
pub use ground::{Ground, MakeLayout};

use crate::farm::FarmError;
use crate::net::addr::Placement;
use crate::net::arp::{self, Announcer};
use crate::net::{MacAddr, NetError, addr, sockets, vip};
use crate::told::Tell;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle, WrapFuture,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Announcements that are always made, counted from the moment the address is set: a client or a
/// switch that misses the first would keep the old primary's MAC address for minutes.
const BURST: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Below it announcements would only load the link.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// RES-41.
const COUNT_PERIOD: Duration = Duration::from_secs(10);
/// How long somebody else may take to answer for an address that was just set.
const CONFLICT_WAIT: Duration = Duration::from_secs(1);
/// When to look again while somebody else answers.
const CONFLICT_PERIOD: Duration = Duration::from_secs(5);
/// Orders that may wait: a module gives one at a time.
const MAILBOX: usize = 16;
/// While the mailbox of the module is full, its answer is offered again after this time...
const RETRY: Duration = Duration::from_millis(20);
/// ... and this many times; then the module has stood still for 10 s.
const RETRIES: u32 = 500;

/// Order: set every address, announce each at once. Answer: [`VipEvent::Set`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SetAll {
    /// Comes back in the answer.
    pub epoch: u64,
}

/// Order: remove every address wherever it is, also what a crash left behind. Answer:
/// [`VipEvent::Unset`].
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct UnsetAll {
    /// Comes back in the answer.
    pub epoch: u64,
}

/// Order: announce the addresses that are set once more from the beginning, e.g. after a
/// partition healed. No answer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Announce;

/// Why an order failed.
#[derive(Debug, thiserror::Error)]
pub enum VipError {
    /// The network's reason.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The packet filter's reason.
    #[error(transparent)]
    Farm(#[from] FarmError),
    /// The work itself broke off, so that it is unknown what is set.
    #[error("setting or removing virtual addresses broke off: {0}; stop the module to remove them")]
    Broken(String),
}

impl Tell for VipError {
    fn french(&self) -> String {
        match self {
            VipError::Net(e) => e.french(),
            VipError::Farm(e) => e.french(),
            VipError::Broken(why) => format!(
                "la configuration ou la suppression des adresses virtuelles a été interrompue : {why} ; arrêtez le module \
                 pour les supprimer"
            ),
        }
    }
}

/// What the actor tells the module.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum VipEvent {
    /// Every address is set and announced, at these places (for the guard), or none is.
    Set {
        /// Of the order.
        epoch: u64,
        /// Where the addresses are; or why none is set.
        result: Result<Vec<Placement>, VipError>,
    },
    /// No address is set any more, which was verified; or why one may be.
    Unset {
        /// Of the order.
        epoch: u64,
        /// The first failure.
        result: Result<(), VipError>,
    },
    /// Resource `connections.<addr>` (RES-41).
    Connections {
        /// The virtual address.
        addr: IpAddr,
        /// Established TCP connections; 0 once the address is removed.
        count: u32,
    },
    /// Another machine answers for an address that is set here; or, with no holder, not any more.
    Conflict {
        /// The virtual address.
        addr: IpAddr,
        /// Who answers.
        holder: Option<MacAddr>,
    },
}

/// The actor.
pub struct Vip {
    plan: VipPlan,
    module: Recipient<VipEvent>,
    ground: Ground,
    /// While the addresses are set.
    held: Option<Held>,
    /// What goes on while they are set; one of a kind.
    tasks: BTreeMap<Task, SpawnHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    /// The next announcement of an address, by its number in the plan.
    Announce(usize),
    /// Looking whether somebody else holds an address.
    Conflict(IpAddr),
    Count,
}

struct Held {
    announcer: Announcer,
    places: Vec<Placement>,
}

impl Vip {
    /// An actor for the addresses of `plan`, which answers to `module`. It touches nothing before
    /// its first order.
    pub fn new(plan: VipPlan, module: Recipient<VipEvent>) -> Self {
        Vip { plan, module, ground: Ground::default(), held: None, tasks: BTreeMap::new() }
    }

    /// The same, for addresses that need more of the kernel than to be set.
    pub fn on(self, ground: Ground) -> Self {
        Vip { ground, ..self }
    }

    /// Ends whatever goes on, and gives up what was held, for the thread that can wait for it.
    fn quiet(&mut self, ctx: &mut Context<Self>) -> Option<Held> {
        while let Some((_, handle)) = self.tasks.pop_first() {
            ctx.cancel_future(handle);
        }
        self.held.take()
    }

    fn replace(&mut self, task: Task, handle: SpawnHandle, ctx: &mut Context<Self>) {
        if let Some(old) = self.tasks.insert(task, handle) {
            ctx.cancel_future(old);
        }
    }

    /// An answer is never dropped because the module is busy.
    fn answer(&self, event: VipEvent, tries: u32, ctx: &mut Context<Self>) {
        use actix::prelude::SendError;
        match self.module.try_send(event) {
            Ok(()) => {}
            Err(SendError::Full(event)) if tries > 0 => {
                ctx.run_later(RETRY, move |actor, ctx| actor.answer(event, tries - 1, ctx));
            }
            Err(SendError::Full(event) | SendError::Closed(event)) => {
                tracing::error!(?event, "the module does not take this answer");
            }
        }
    }

    /// Announces address number `index` as at `at` after it was set, and plans the next time.
    fn announce(&mut self, index: usize, at: Duration, ctx: &mut Context<Self>) {
        let Some(held) = &self.held else { return };
        if let (Some(place), Some(vip)) = (held.places.get(index), self.plan.addrs.get(index)) {
            vip::announce(&held.announcer, place, vip.vmac);
            self.plan_announcement(index, at, ctx);
        }
    }

    fn plan_announcement(&mut self, index: usize, at: Duration, ctx: &mut Context<Self>) {
        let Some(next) = self.plan.addrs.get(index).and_then(|v| next_announcement(v, at)) else { return };
        let timer =
            ctx.run_later(next.saturating_sub(at), move |actor, ctx| actor.announce(index, next, ctx));
        self.replace(Task::Announce(index), timer, ctx);
    }

    fn count(&mut self, ctx: &mut Context<Self>) {
        for vip in self.plan.addrs.iter().filter(|vip| vip.connections) {
            let addr = vip.addr;
            let work = tokio::task::spawn_blocking(move || sockets::count(addr));
            let report = work.into_actor(self).map(move |counted, actor, ctx| match counted {
                // It was removed meanwhile, and its last count is told.
                Ok(Ok(_)) if actor.held.is_none() => {}
                Ok(Ok(count)) => actor.answer(VipEvent::Connections { addr, count }, RETRIES, ctx),
                Ok(Err(error)) => tracing::warn!(%error, "connections are not counted"),
                Err(error) => tracing::error!(%error, "counting connections broke off"),
            });
            ctx.spawn(report);
        }
    }

    /// Asks the link who else holds an address; while somebody does, says so, announces again and
    /// asks again.
    fn look_for_others(
        &mut self,
        place: Placement,
        vmac: Option<MacAddr>,
        before: Option<MacAddr>,
        ctx: &mut Context<Self>,
    ) {
        let (asked, addr) = (place.clone(), place.addr);
        let work = tokio::task::spawn_blocking(move || other_holder(&asked));
        let report = work.into_actor(self).map(move |found, actor, ctx| {
            let holder = match found {
                Ok(Ok(holder)) => holder,
                // The checker of the link tells about dead links.
                Ok(Err(error)) => {
                    tracing::warn!(%error, "unknown whether somebody else holds a virtual address");
                    before
                }
                Err(error) => {
                    tracing::error!(%error, "looking for other holders of a virtual address broke off");
                    before
                }
            };
            if holder != before {
                actor.answer(VipEvent::Conflict { addr, holder }, RETRIES, ctx);
            }
            if let (Some(_), Some(held)) = (holder, &actor.held) {
                vip::announce(&held.announcer, &place, vmac);
                let again = move |actor: &mut Self, ctx: &mut Context<Self>| {
                    actor.look_for_others(place, vmac, holder, ctx);
                };
                let timer = ctx.run_later(CONFLICT_PERIOD, again);
                actor.replace(Task::Conflict(addr), timer, ctx);
            }
        });
        let asking = ctx.spawn(report);
        self.replace(Task::Conflict(addr), asking, ctx);
    }

    /// What goes on while the addresses are set.
    fn begin(&mut self, held: Held, ctx: &mut Context<Self>) {
        for (index, place) in held.places.iter().enumerate() {
            self.plan_announcement(index, Duration::ZERO, ctx);
            if let Some(vip) = self.plan.addrs.get(index).filter(|vip| !vip.shared) {
                self.look_for_others(place.clone(), vip.vmac, None, ctx);
            }
        }
        self.held = Some(held);
        if self.plan.addrs.iter().any(|vip| vip.connections) {
            let counting = ctx.run_interval(COUNT_PERIOD, |actor, ctx| actor.count(ctx));
            self.replace(Task::Count, counting, ctx);
        }
    }
}

fn other_holder(place: &Placement) -> Result<Option<MacAddr>, NetError> {
    match addr::interface(place.ifindex)?.and_then(|interface| interface.mac) {
        Some(mac) => arp::probe(place.ifindex, mac, place.addr, CONFLICT_WAIT),
        None => Ok(None),
    }
}

/// When to announce again after the announcement at `at`, both since the address was set: the
/// burst, then with arpreroute each arpinterval until arpelapse (CFG-VIP-03 to CFG-VIP-05). A virtual MAC
/// address is the same on all nodes: nothing is to be learnt again.
fn next_announcement(vip: &VipAddr, at: Duration) -> Option<Duration> {
    if let Some(next) = BURST.iter().find(|next| **next > at) {
        return Some(*next);
    }
    // The configuration allows a day at most; what does not fit 64 bits of milliseconds is never.
    let interval = u64::try_from(vip.arpinterval.max(SHORTEST_INTERVAL).as_millis()).ok()?;
    let times = u64::try_from(at.as_millis()).ok()? / interval + 1;
    let next = Duration::from_millis(times.checked_mul(interval)?);
    (vip.arpreroute && vip.vmac.is_none() && next <= vip.arpelapse).then_some(next)
}

impl Actor for Vip {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<SetAll> for Vip {
    type Result = ();

    fn handle(&mut self, SetAll { epoch }: SetAll, ctx: &mut Context<Self>) {
        let (plan, before) = (self.plan.clone(), self.quiet(ctx));
        let ground = self.ground.clone();
        let work = tokio::task::spawn_blocking(move || {
            let announcer = before.map_or_else(Announcer::open, |held| Ok(held.announcer))?;
            ground.prepare(&plan)?;
            let places = vip::set_all(&plan, &announcer).inspect_err(|_| drop(ground.clear()))?;
            Ok::<_, VipError>(Held { announcer, places })
        });
        let report = work.into_actor(self).map(move |done, actor, ctx| {
            let result = match done {
                Ok(Ok(held)) => {
                    let places = held.places.clone();
                    actor.begin(held, ctx);
                    Ok(places)
                }
                Ok(Err(error)) => Err(error),
                Err(error) => Err(VipError::Broken(error.to_string())),
            };
            actor.answer(VipEvent::Set { epoch, result }, RETRIES, ctx);
        });
        // Nothing else is handled meanwhile: orders are carried out one after the other.
        ctx.wait(report);
    }
}

impl Handler<UnsetAll> for Vip {
    type Result = ();

    fn handle(&mut self, UnsetAll { epoch }: UnsetAll, ctx: &mut Context<Self>) {
        let (plan, held) = (self.plan.clone(), self.quiet(ctx));
        let ground = self.ground.clone();
        let work = tokio::task::spawn_blocking(move || {
            let outcome = vip::unset_all(&plan).map_err(VipError::Net).and_then(|()| ground.clear());
            // Closing its socket takes the kernel milliseconds.
            drop(held);
            outcome
        });
        let report = work.into_actor(self).map(move |done, actor, ctx| {
            let result = match done {
                Ok(outcome) => outcome,
                Err(error) => Err(VipError::Broken(error.to_string())),
            };
            if result.is_ok() {
                for vip in actor.plan.addrs.iter().filter(|vip| vip.connections) {
                    actor.answer(VipEvent::Connections { addr: vip.addr, count: 0 }, RETRIES, ctx);
                }
            }
            actor.answer(VipEvent::Unset { epoch, result }, RETRIES, ctx);
        });
        ctx.wait(report);
    }
}

impl Handler<Announce> for Vip {
    type Result = ();

    fn handle(&mut self, _: Announce, ctx: &mut Context<Self>) {
        (0..self.plan.addrs.len()).for_each(|index| self.announce(index, Duration::ZERO, ctx));
    }
}

#[cfg(test)]
#[path = "vip_tests.rs"]
mod tests;
