//! The heart of a module: sends its heartbeats, watches those of the peer and renews the guard.
//! Runs on the arbiter that owns the heartbeats and never blocks; decisions are in [`Watch`].

use super::cluster::{Heard, now_ms};
use super::guard::{GuardEvent, GuardHandle, GuardOrder};
use super::link::{End, Link, LinkEvent, Transmit};
use crate::fsm::mirror::{Event, Face};
use crate::fsm::peer::{Beat, Report, Watch};
use crate::fsm::resource::Resources;
use crate::ids::ModuleName;
use crate::wire::{Channel, Received, decode, encode};
use actix::dev::SendError;
use actix::prelude::*;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Messages of links and module that may wait.
const MAILBOX: usize = 256;
/// Reports that may wait for a busy module; a module this far behind has stood still.
const OUTBOX: usize = 256;
/// When a full mailbox of the module is tried again.
const RETRY: Duration = Duration::from_millis(10);
/// Share of the timeout between two renewals of the guard (S8).
const RENEWALS: u32 = 20;

/// One heartbeat network.
#[derive(Clone, Debug)]
pub struct Network {
    /// Own address.
    pub local: IpAddr,
    /// Address of the peer.
    pub peer: IpAddr,
    /// UDP port, the same on both sides.
    pub port: u16,
    /// Silence after which this link is lost.
    pub timeout: Duration,
    /// Delay between heartbeats.
    pub pulse: Duration,
}

/// What a heart is made from.
pub struct HeartSetup {
    /// The module, for diagnostics and for the guard.
    pub name: ModuleName,
    /// Networks in the order of the configuration.
    pub networks: Vec<Network>,
    /// Seals and opens the datagrams; made for this heart alone (S13).
    pub channel: Channel,
    /// Random identity of this life.
    pub life: u64,
    /// Index of the peer.
    pub peer: u8,
    /// When the peer was heard on the cluster channel.
    pub heard: Heard,
    /// Where the own last heartbeat is told: a module looks before it sets an address (S4).
    pub last_sent: Arc<AtomicU64>,
    /// The guard, and where it answers.
    pub guard: (GuardHandle, Recipient<GuardEvent>),
    /// The module.
    pub module: Recipient<HeartEvent>,
}

/// What the heart tells its module.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum HeartEvent {
    /// For the automaton; what the peer echoes is the face of this number.
    Mirror(Event, u64),
    /// A heartbeat link is up or down (RES-13).
    Link(usize, bool),
    /// The own address of a link is there or missing (RES-14).
    Local(usize, bool),
    /// Resources of the peer; none when it is not heard.
    Remote(Option<Resources>),
}

/// The module shows a face; its number grows with each change.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Show(pub u64, pub Face);

/// The resources that the peer may see.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Publish(pub Resources);

/// Renew the guard from now on, or no more.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Guarded(pub bool);

/// Whether the peer holds this module, as it says on the cluster channel.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PeerHolds(pub bool);

/// Ends the heart and its links.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Silence;

/// The actor.
pub struct Heart {
    setup: HeartSetup,
    watch: Watch,
    links: Vec<Addr<Link>>,
    outbox: VecDeque<HeartEvent>,
    retrying: bool,
    guarded: bool,
    began: u64,
    due: Option<SpawnHandle>,
}

impl Heart {
    /// A heart that beats once its module shows a face.
    pub fn new(setup: HeartSetup) -> Heart {
        let timeouts: Vec<u64> = setup.networks.iter().map(|n| ms(n.timeout)).collect();
        let began = now_ms();
        let watch = Watch::new(&timeouts, setup.life, began);
        let (links, outbox) = (Vec::new(), VecDeque::new());
        Heart { setup, watch, links, outbox, retrying: false, guarded: false, began, due: None }
    }

    fn pulse(&self) -> Duration {
        self.setup.networks.iter().map(|n| n.pulse).min().unwrap_or(Duration::from_millis(700))
    }

    fn timeout(&self) -> Duration {
        self.setup.networks.iter().map(|n| n.timeout).max().unwrap_or(Duration::from_secs(30))
    }

    fn beat(&mut self, ctx: &mut Context<Self>) {
        let now = now_ms();
        let Some((mut beat, reports)) = self.watch.beat(now) else { return };
        self.report(reports, ctx);
        self.setup.last_sent.store(now, Ordering::Relaxed);
        let payload = encode(&beat).or_else(|_| {
            // More resources than a datagram holds: the state matters more.
            beat.resources = None;
            encode(&beat)
        });
        match payload {
            Ok(payload) => {
                for link in &self.links {
                    match self.setup.channel.seal(&payload) {
                        Ok(bytes) => drop(link.try_send(Transmit(bytes))),
                        Err(error) => {
                            tracing::error!(module = %self.setup.name, %error, "no heartbeat can be sealed")
                        }
                    }
                }
            }
            Err(error) => tracing::error!(module = %self.setup.name, %error, "no heartbeat can be made"),
        }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = now_ms();
        self.watch.heard_elsewhere(self.setup.heard.last_ms(self.setup.peer.into()).unwrap_or(0));
        let reports = self.watch.tick(now);
        self.report(reports, ctx);
        if let Some(handle) = self.due.take() {
            ctx.cancel_future(handle);
        }
        // Between two pulses only if a timeout ends there: exact, and no work otherwise.
        let wait = self.watch.deadline().map(|d| Duration::from_millis(d.saturating_sub(now).max(1)));
        if let Some(wait) = wait.filter(|w| *w < self.pulse()) {
            self.due = Some(ctx.run_later(wait, Heart::tick));
        }
    }

    fn keep_beating(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(until_next(self.pulse()), |heart, ctx| {
            heart.tick(ctx);
            heart.beat(ctx);
            heart.keep_beating(ctx);
        });
    }

    fn keep_renewing(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(until_next(self.timeout() / RENEWALS), |heart, ctx| {
            heart.renew();
            heart.keep_renewing(ctx);
        });
    }

    fn renew(&mut self) {
        if !self.guarded {
            return;
        }
        // A peer that is silent must first be silent to us for a whole timeout: it counts from now.
        let echoed =
            if self.watch.is_silent() { now_ms() } else { self.watch.newest_echoed().unwrap_or(self.began) };
        let order = GuardOrder::Renew { echoed_at: echoed * 1_000_000 };
        self.setup.guard.0.order(&self.setup.name, order, &self.setup.guard.1);
    }

    fn arrived(&mut self, link: usize, datagram: &[u8], ctx: &mut Context<Self>) {
        let mut fresh = [0; 16];
        if getrandom::fill(&mut fresh).is_err() {
            return;
        }
        let opened = match self.setup.channel.receive(datagram, fresh) {
            Received::Payload(opened) => opened,
            // It proves that its link works.
            Received::Late(opened) => opened,
            Received::Reply(bytes) => {
                if let Some(l) = self.links.get(link) {
                    drop(l.try_send(Transmit(bytes)));
                }
                return;
            }
            Received::Met { .. } => {
                self.beat(ctx);
                return;
            }
            Received::Dropped(reason) => {
                tracing::debug!(module = %self.setup.name, %reason, "a heartbeat is dropped");
                return;
            }
        };
        if opened.from != self.setup.peer {
            return;
        }
        match decode::<Beat>(&opened.payload) {
            Ok(beat) => {
                let (reports, answer) = self.watch.received(link, beat, now_ms());
                self.report(reports, ctx);
                if answer {
                    self.beat(ctx);
                }
            }
            Err(error) => tracing::warn!(module = %self.setup.name, %error, "a heartbeat of another version"),
        }
    }

    fn report(&mut self, reports: Vec<Report>, ctx: &mut Context<Self>) {
        for report in reports {
            let event = match report {
                Report::Link(i, up) => HeartEvent::Link(i, up),
                Report::Mirror(e) => HeartEvent::Mirror(e, self.watch.face_no()),
                Report::Resources(r) => HeartEvent::Remote(r),
            };
            self.tell(event, ctx);
        }
    }

    fn tell(&mut self, event: HeartEvent, ctx: &mut Context<Self>) {
        if self.outbox.len() >= OUTBOX {
            tracing::error!(module = %self.setup.name, "the module does not take what its heart reports");
            return;
        }
        self.outbox.push_back(event);
        self.deliver(ctx);
    }

    /// In order, and nothing is lost: the module may be busy for a moment.
    fn deliver(&mut self, ctx: &mut Context<Self>) {
        while let Some(event) = self.outbox.pop_front() {
            match self.setup.module.try_send(event) {
                Ok(()) => {}
                Err(SendError::Full(event)) => {
                    self.outbox.push_front(event);
                    if !std::mem::replace(&mut self.retrying, true) {
                        ctx.run_later(RETRY, |heart, ctx| {
                            heart.retrying = false;
                            heart.deliver(ctx);
                        });
                    }
                    return;
                }
                Err(SendError::Closed(_)) => return,
            }
        }
    }
}

/// Time to the next multiple of `every`: the hearts of a node beat at the same moments, so that one
/// awakening of their thread, and of that of the peer, serves them all.
fn until_next(every: Duration) -> Duration {
    let every = ms(every).max(1);
    Duration::from_millis(every - now_ms() % every)
}

fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

impl Actor for Heart {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
        let me = ctx.address().recipient::<LinkEvent>();
        self.links = (self.setup.networks.iter().enumerate())
            .map(|(i, n)| Link::new(i, n.local, n.peer, n.port, me.clone()).start())
            .collect();
        self.keep_beating(ctx);
        self.keep_renewing(ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        for link in &self.links {
            drop(link.try_send(End));
        }
    }
}

impl Handler<LinkEvent> for Heart {
    type Result = ();

    fn handle(&mut self, event: LinkEvent, ctx: &mut Self::Context) {
        match event {
            LinkEvent::Arrived(link, datagram) => self.arrived(link, &datagram, ctx),
            LinkEvent::Local(link, there) => self.tell(HeartEvent::Local(link, there), ctx),
        }
    }
}

impl Handler<Show> for Heart {
    type Result = ();

    fn handle(&mut self, Show(no, face): Show, ctx: &mut Self::Context) {
        if self.watch.show_as(no, &face) {
            self.beat(ctx);
        }
    }
}

impl Handler<Publish> for Heart {
    type Result = ();

    fn handle(&mut self, Publish(resources): Publish, _: &mut Self::Context) {
        self.watch.publish(&resources);
    }
}

impl Handler<Guarded> for Heart {
    type Result = ();

    fn handle(&mut self, Guarded(on): Guarded, _: &mut Self::Context) {
        self.guarded = on;
        self.renew();
    }
}

impl Handler<PeerHolds> for Heart {
    type Result = ();

    fn handle(&mut self, PeerHolds(holds): PeerHolds, ctx: &mut Self::Context) {
        self.watch.held_elsewhere(holds);
        self.tick(ctx);
    }
}

impl Handler<Silence> for Heart {
    type Result = ();

    fn handle(&mut self, _: Silence, ctx: &mut Self::Context) {
        ctx.stop();
    }
}
