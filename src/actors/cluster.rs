//! Membership of this node in its cluster: who is online, and what each node says about itself
//! (NET-31, NET-32, RES-54; CFG-CL). The decisions are those of [`crate::fsm::membership`].
//!
//! It runs on the thread of the heartbeats, so nothing here waits for a disk or for the kernel's
//! tables: addresses are resolved before they come in ([`ClusterSetup::new`]).

mod drops;
mod heard;
mod probe;
mod session;
mod setup;
mod sockets;
mod view;

pub use drops::{DropCount, DropReason, Drops, Port};
pub use heard::{Heard, now_ms};
pub use probe::{LanProbe, PeerProbe, ProbeReport};
pub(crate) use session::random;
pub use setup::{ClusterSetup, LanSetup, MOST_LANS, MOST_NODES, SetupError};
pub(crate) use sockets::Sockets;
pub use view::{Member, ModuleView, NodeView};

use crate::fsm::membership::MOST_INFO;
use crate::wire::codec::MAX_DATAGRAM;
use crate::wire::{decode, encode};
use actix::prelude::SendError;
use actix::{
    Actor, AsyncContext, Context, Handler, Message, MessageResult, Recipient, SpawnHandle, StreamHandler,
};
use futures_util::stream;
use probe::Round;
use session::Session;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

/// Messages that may wait. Whoever finds it full tries again.
const MAILBOX: usize = 64;
/// A tick is a quarter of the pulse, within these bounds.
const TICKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));
/// How long after a failure a local address is tried again, ms.
const BIND_AGAIN_MS: u64 = 1000;
/// Longest round of probes, ms.
const LONGEST_PROBE_MS: u64 = 10_000;

/// What this node tells the others from now on. Nothing is sent when nothing has changed.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct SetLocal(pub NodeView);

/// The cluster has another configuration, or none any more.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Reconfigure(pub Option<ClusterSetup>);

/// Every node of the cluster, in the order of cluster.xml; empty without a cluster.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<Member>")]
pub struct GetMembers;

/// What was dropped since the cluster was configured.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<DropCount>")]
pub struct GetCounters;

/// The present setup, for `cluster check`.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Option<ClusterSetup>")]
pub struct GetSetup;

/// Asks every node on every lan. The report comes when it is complete, or after `wait` (10 s at
/// most) with what is known then. The receiver fails at once when there is no cluster or when too
/// many rounds go on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "oneshot::Receiver<ProbeReport>")]
pub struct Probe {
    /// How long answers are waited for.
    pub wait: Duration,
}

/// What the subscriber is told; it asks [`GetMembers`] for the rest. Numbers are places in
/// cluster.xml. When it is busy it is told later, and then of the newest state only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum ClusterEvent {
    /// A node came online.
    MemberUp(usize),
    /// A node is silent on all lans.
    MemberDown(usize),
    /// A node says something else about itself.
    ViewChanged(usize),
}

/// The actor.
pub struct Cluster {
    setup: Option<ClusterSetup>,
    subscriber: Recipient<ClusterEvent>,
    heard: Heard,
    local: Option<NodeView>,
    session: Option<Session>,
    /// Everything that runs for the session.
    tasks: Vec<SpawnHandle>,
    bind_ms: u64,
}

/// What a socket gave.
pub(crate) struct Incoming {
    /// Which one.
    pub socket: usize,
    /// The bytes and who sent them.
    pub datagram: io::Result<(SocketAddr, Vec<u8>)>,
}

impl Cluster {
    /// A member of `setup` (none: not configured yet), which tells `subscriber` what changes and
    /// writes to `heard` whom it hears.
    pub fn new(setup: Option<ClusterSetup>, subscriber: Recipient<ClusterEvent>, heard: Heard) -> Self {
        Cluster { setup, subscriber, heard, local: None, session: None, tasks: Vec::new(), bind_ms: 0 }
    }

    /// Begins anew with the present setup.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.tasks.drain(..).for_each(|task| {
            ctx.cancel_future(task);
        });
        let before = self.session.take();
        let Some(setup) = self.setup.clone() else { return };
        let tick = (setup.pulse / 4).clamp(TICKS.0, TICKS.1);
        let tick_ms = u64::try_from(tick.as_millis()).unwrap_or(u64::MAX);
        match Session::new(setup, self.heard.clone(), tick_ms, now_ms()) {
            Ok(mut session) => {
                if let Some(before) = before.filter(|before| before.setup.nodes == session.setup.nodes) {
                    session.told_as(&before);
                }
                self.session = Some(session);
            }
            Err(error) => {
                tracing::error!(%error, "no random numbers: this node cannot talk to its cluster yet");
                let again = ctx.run_later(Duration::from_millis(BIND_AGAIN_MS), Self::begin);
                return self.tasks.push(again);
            }
        }
        self.tell_local();
        self.bind(ctx);
        let ticking = ctx.run_interval(tick, |actor, ctx| actor.tick(ctx));
        self.tasks.push(ticking);
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = now_ms();
        if now.saturating_sub(self.bind_ms) >= BIND_AGAIN_MS {
            self.bind(ctx);
        }
        if let Some(session) = &mut self.session {
            session.tick(now);
        }
        self.tell();
    }

    /// Opens the sockets that are missing. An address that is not there yet is no error of the node.
    fn bind(&mut self, ctx: &mut Context<Self>) {
        self.bind_ms = now_ms();
        let Some(session) = &mut self.session else { return };
        let (lans, port) = (&session.setup.lans, session.setup.port);
        for (lan, socket) in session.sockets.bind(lans, port, "the cluster") {
            self.tasks.push(ctx.add_stream(datagrams(lan, socket)));
        }
    }

    /// Gives the automaton what this node says about itself.
    fn tell_local(&mut self) {
        let (Some(session), Some(view)) = (&mut self.session, &self.local) else { return };
        let told = encode(view).is_ok_and(|bytes| session.membership.set_info(bytes));
        if !told {
            let modules = view.modules.len();
            tracing::error!(
                "the other nodes do not get the state of the {modules} modules of this node, as it is longer \
                 than {MOST_INFO} bytes: uninstall modules that are not used"
            );
        }
    }

    /// Tells the subscriber what has changed; what it does not take now is told at the next tick.
    fn tell(&mut self) {
        let Some(session) = &mut self.session else { return };
        for node in (0..session.peers.len()).filter(|node| *node != session.setup.me) {
            let online = session.membership.members().contains(&node);
            let version = session.membership.info(node).map(|info| info.version).unwrap_or_default();
            let told = &mut session.peers[node].told;
            let up = if online { ClusterEvent::MemberUp(node) } else { ClusterEvent::MemberDown(node) };
            if online != told.0 {
                match self.subscriber.try_send(up) {
                    Err(SendError::Full(_)) => return,
                    Ok(()) | Err(SendError::Closed(_)) => told.0 = online,
                }
            }
            if version != told.1 {
                match self.subscriber.try_send(ClusterEvent::ViewChanged(node)) {
                    Err(SendError::Full(_)) => return,
                    Ok(()) | Err(SendError::Closed(_)) => told.1 = version,
                }
            }
        }
    }

    fn members(&self) -> Vec<Member> {
        let Some(session) = &self.session else { return Vec::new() };
        let now = now_ms();
        let member = |(node, name): (usize, &crate::ids::NodeName)| {
            let me = node == session.setup.me;
            let view = session.membership.info(node).and_then(|info| decode(&info.data).ok());
            Member {
                node,
                name: name.clone(),
                me,
                online: session.membership.members().contains(&node),
                heard_ms_ago: session.last_heard_ms(node).map(|at| now.saturating_sub(at)),
                clock_ahead_ms: session.peers[node].clock_ahead_ms,
                view: if me { self.local.clone() } else { view },
            }
        };
        session.setup.nodes.iter().enumerate().map(member).collect()
    }
}

/// A socket that datagrams come to.
fn open(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&local.into())?;
    UdpSocket::from_std(socket.into())
}

/// What comes in, up to the first failure. Nothing is read ahead: what the actor cannot take yet
/// waits in the kernel's buffer, which is bounded.
pub(crate) fn datagrams(index: usize, socket: Arc<UdpSocket>) -> impl stream::Stream<Item = Incoming> {
    stream::unfold(Some(socket), move |socket| async move {
        let socket = socket?;
        // One more than the longest, so that a longer one is seen as such.
        let mut buffer = vec![0; MAX_DATAGRAM + 1];
        Some(match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                buffer.truncate(length);
                (Incoming { socket: index, datagram: Ok((source, buffer)) }, Some(socket))
            }
            Err(error) => (Incoming { socket: index, datagram: Err(error) }, None),
        })
    })
}

impl Actor for Cluster {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.begin(ctx);
    }
}

impl StreamHandler<Incoming> for Cluster {
    fn handle(&mut self, Incoming { socket, datagram }: Incoming, _: &mut Context<Self>) {
        let Some(session) = &mut self.session else { return };
        match datagram {
            Ok((source, bytes)) => session.receive(socket, canonical(source), &bytes, now_ms()),
            Err(error) => {
                let lan = &session.setup.lans[socket].name;
                tracing::warn!(lan, %error, "the socket of a lan failed: it is opened again");
                session.sockets.close(socket);
            }
        }
        self.tell();
    }

    /// A socket that ends does not end the actor.
    fn finished(&mut self, _: &mut Context<Self>) {}
}

/// The address itself, of an IPv4 address in the form of IPv6.
pub(crate) fn canonical(source: SocketAddr) -> SocketAddr {
    let ip: IpAddr = source.ip().to_canonical();
    SocketAddr::new(ip, source.port())
}

impl Handler<SetLocal> for Cluster {
    type Result = ();

    fn handle(&mut self, SetLocal(view): SetLocal, _: &mut Context<Self>) {
        if self.local.as_ref() != Some(&view) {
            self.local = Some(view);
            self.tell_local();
        }
    }
}

impl Handler<Reconfigure> for Cluster {
    type Result = ();

    fn handle(&mut self, Reconfigure(setup): Reconfigure, ctx: &mut Context<Self>) {
        let nodes = |setup: &Option<ClusterSetup>| setup.as_ref().map(|setup| setup.nodes.clone());
        if nodes(&setup) != nodes(&self.setup) {
            self.heard.forget();
        }
        self.setup = setup;
        self.begin(ctx);
    }
}

impl Handler<GetMembers> for Cluster {
    type Result = Vec<Member>;

    fn handle(&mut self, _: GetMembers, _: &mut Context<Self>) -> Vec<Member> {
        self.members()
    }
}

impl Handler<GetCounters> for Cluster {
    type Result = Vec<DropCount>;

    fn handle(&mut self, _: GetCounters, _: &mut Context<Self>) -> Vec<DropCount> {
        self.session.as_ref().map(|session| session.drops.all(now_ms())).unwrap_or_default()
    }
}

impl Handler<GetSetup> for Cluster {
    type Result = Option<ClusterSetup>;

    fn handle(&mut self, _: GetSetup, _: &mut Context<Self>) -> Option<ClusterSetup> {
        self.setup.clone()
    }
}

impl Handler<Probe> for Cluster {
    type Result = MessageResult<Probe>;

    fn handle(&mut self, Probe { wait }: Probe, _: &mut Context<Self>) -> MessageResult<Probe> {
        let (asker, report) = oneshot::channel();
        if let (Some(session), Ok(nonce)) = (&mut self.session, session::random()) {
            let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(LONGEST_PROBE_MS);
            let nonce = u64::from_le_bytes(nonce);
            let round = Round::new(&session.setup, nonce, now_ms(), wait_ms, asker);
            session.probe(round);
        }
        MessageResult(report)
    }
}

#[cfg(test)]
mod tests;
