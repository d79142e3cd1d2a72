//! The module's part in replication: what its box is told, and what becomes of its words.

use super::{Mirror, PairSetup};
use crate::actors::cluster::now_ms;
use crate::actors::module::{Module, News, Setup, name};
use crate::actors::replication::{Abandon, BoxEvent, BoxSetup, Give, Replace, Replication};
use crate::config::module::{Async, Replicated, Rfs};
use crate::config::ports;
use crate::fsm::losses::Fate;
use crate::fsm::mirror::{Alike, Effect, Event, Stream};
use crate::fsm::resource::Value;
use crate::fsm::sync;
use crate::log::Message as LogMessage;
use crate::node::keys;
use crate::node::replicated::{self, Directory};
use crate::node::rfssync::{self, Policy};
use crate::rfs::control::{DirSetup, Fault, Line, Order, Said, Setup as BoxConfig, Standing, Traffic};
use crate::told::{Tell, Told, told};
use actix::prelude::*;
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// While the mailbox of the replication is full, what must not be lost is offered again after this time.
const RETRY: Duration = Duration::from_millis(20);
/// Name of the program in SAFEBIN.
pub(super) const PROGRAM: &str = "rfsbox";

/// What the box of a module is told; none without replicated directories.
pub(super) fn box_setup(setup: &Setup, pair: &PairSetup) -> Option<BoxSetup> {
    let rfs = setup.config.rfs.as_ref()?;
    let uservar = setup.paths.uservar(&setup.name);
    let network = pair.networks.iter().find(|n| n.0 == "flow").or(pair.networks.first())?;
    let key = setup.key.as_ref().map(|_| setup.paths.active(&setup.name).join("conf").join(keys::MODULE_KEY));
    let config = BoxConfig {
        module: setup.name.clone(),
        digest: digest(&alike_of(rfs)),
        dirs: dirs(rfs),
        me: setup.me.0,
        local: network.1,
        peer: network.2,
        port: ports::rfs(setup.id),
        after_disk: rfs.async_ == Async::None,
        acl: rfs.acl,
        zone: rfs.ruzone_blocksize.into(),
        packet: rfs.reipacketsize,
        commit: rfs.reicommit,
        policy: rfs.namespacepolicy,
        detail: rfs.reidetail,
        workers: rfs.nbrei,
        bandwidth: rfs.reiallowedbw,
        locktimeout: rfs.locktimeout,
        sendtimeout: rfs.sendtimeout,
        reitimeout: rfs.reitimeout,
        state: uservar.join("rfs"),
        rescue: crate::rfs::rescue::dir(&uservar),
        rescue_limit: u64::from(rfs.rescuelimit) << 20,
        key,
        guard: setup.paths.run().join("safeguard.sock"),
        degraded: false,
    };
    let program = setup.paths.safebin().join(PROGRAM);
    Some(BoxSetup { setup: config, program, uservar })
}

fn dirs(rfs: &Rfs) -> Vec<DirSetup> {
    let one = |r: &Replicated| DirSetup {
        place: Directory { dir: r.dir.clone(), suffix: rfs.mountoversuffix.clone() },
        tocheck: r.tocheck.clone(),
        notreplicated: r.notreplicated.clone(),
        regexpath: r.regexpath.clone(),
    };
    rfs.replicated.iter().map(one).collect()
}

/// What both nodes must have configured alike; none without replicated directories.
pub(super) fn alike(setup: &Setup) -> Option<Alike> {
    setup.config.rfs.as_ref().map(alike_of)
}

fn alike_of(rfs: &Rfs) -> Alike {
    let after_disk = rfs.async_ == Async::None;
    let [a, b, c, d, e, f, g, h, ..] = digest(&dirs(rfs));
    let directories = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    Alike { directories, acl: rfs.acl, zone: rfs.ruzone_blocksize, after_disk }
}

fn digest(value: &impl Serialize) -> [u8; 32] {
    // Paths that are no UTF-8 cannot stand in userconfig.xml: it does not fail.
    *blake3::hash(&serde_json::to_vec(value).unwrap_or_default()).as_bytes()
}

/// Reintegrations that have failed and are tried again.
#[derive(Clone, Debug)]
pub(super) struct Uncopied {
    /// How many, at least 1.
    pub times: u32,
    /// Why the last one did.
    pub why: Told,
}

impl Module<Mirror> {
    /// An effect for the data plane.
    pub(super) fn replicate(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        if !matches!(effect, Effect::Reintegrate { .. }) {
            self.own.uncopied = None;
        }
        let (id, order) = match effect {
            Effect::Mount(id) => (id, Order::Mount),
            Effect::Unmount(id) => (id, Order::Quit),
            Effect::Writable(id, generation, full) => (id, Order::Writable { generation, full }),
            Effect::ReadOnly(id) => (id, Order::ReadOnly),
            Effect::Reintegrate { id, session, full, since, rescue, .. } => {
                let how = sync::wish(since, full, rfssync::wanted(self.own.pair.rfssync.as_ref()));
                if let Some(why) = self.abnormal(&how) {
                    self.log(&LogMessage::AbnormalDelta);
                    return self.refuse_reintegration(id, why, ctx);
                }
                self.own.reintegrating = Some(id);
                (id, Order::Reintegrate { session, how, rescue })
            }
            Effect::Drain(id) => (id, Order::Drain),
            Effect::MarkDirty(id) => (id, Order::MarkDirty),
            Effect::Release(id, generation) => (id, Order::Release { generation }),
            _ => return,
        };
        let sent = self.own.replication.as_ref().map(|r| r.try_send(Give { id, order }).is_ok());
        if sent != Some(true) {
            let busy = told!("the replication is busy", "la réplication est occupée");
            self.answer(id, Err(busy), ctx);
        }
    }

    /// RES-32.
    fn reintegrated(&mut self, result: &Result<(), Fault>) {
        let good = result.is_ok();
        self.own.uncopied = match result {
            Err(Fault::Again(why)) => {
                let times = self.own.uncopied.take().map_or(1, |u| u.times.saturating_add(1));
                Some(Uncopied { times, why: Told::same(why.clone()) })
            }
            _ => None,
        };
        let failed = Value::Text(if good { "false" } else { "true" }.to_owned());
        self.assign(&name("rfs", "reintegre_failed"), failed);
        if good {
            self.policy_is_done();
        }
    }

    /// RFS-58: a policy is for one synchronization, on both nodes.
    fn policy_is_done(&mut self) {
        if self.own.pair.rfssync == Some(Policy::Default) {
            return;
        }
        self.own.pair.rfssync = Some(Policy::Default);
        self.show_rfssync();
        let (paths, module) = (self.setup.paths.clone(), self.setup.name.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = rfssync::set_policy(&paths, &module, &Policy::Default) {
                tracing::warn!(%module, %error, "the next synchronization copies more than it must");
            }
        });
    }

    /// Links that a crash left as mount points are put back (RFS-11).
    pub(super) fn restore_links(&self) {
        let Some(setup) = box_setup(&self.setup, &self.own.pair) else { return };
        let store = self.setup.store.clone();
        tokio::task::spawn_blocking(move || {
            let places: Vec<Directory> = setup.setup.dirs.into_iter().map(|d| d.place).collect();
            match replicated::restore_links(&places) {
                Ok(restored) => {
                    for dir in restored {
                        let text = dir.display().to_string();
                        store.append(Timestamp::now(), &LogMessage::LinkRestored(text));
                    }
                }
                Err(error) => store.append(Timestamp::now(), &LogMessage::Error(error.told())),
            }
        });
    }

    fn said(&mut self, said: Said, ctx: &mut Context<Self>) {
        match said {
            Said::Standing(standing) => self.stands(standing, ctx),
            Said::Stream(stream, why) => {
                match stream {
                    Stream::Broken => self.log(&LogMessage::StreamLost(Told::same(why))),
                    // On a primary: its secondary has what the policy wanted.
                    Stream::InStep(_) if self.state.running() => self.policy_is_done(),
                    _ => {}
                }
                self.feed(Event::Stream(stream), ctx);
            }
            Said::Line(line) => self.log(&message(line)),
            Said::Traffic(traffic) => self.count_traffic(traffic),
            Said::Found { id, report } => self.examined(id, News::Report(report)),
            Said::Measured { id, measure } => self.examined(id, News::Progress(measure)),
            Said::Progress(measure) => self.progress(measure),
            Said::Done { .. } => {}
        }
    }

    /// RES-36 to RES-38: KB/s since the last count, by the clock of the box.
    fn count_traffic(&mut self, traffic: Traffic) {
        let last = self.own.counted.replace(traffic);
        // A count from 0 is that of a box that has just started, or of one that is met again.
        let Some(t) = last.filter(|t| t.at < traffic.at) else { return };
        let ms = traffic.at - t.at;
        let rate = |new: u64, old: u64| Value::Text((new.saturating_sub(old) * 1000 / 1024 / ms).to_string());
        self.assign(&name("rfs", "rep_bandwidth"), rate(traffic.replicated, t.replicated));
        self.assign(&name("rfs", "rei_bandwidth"), rate(traffic.reintegrated, t.reintegrated));
        self.assign(&name("rfs", "netout_bandwidth"), rate(traffic.sent, t.sent));
        self.assign(&name("rfs", "netin_bandwidth"), rate(traffic.received, t.received));
    }

    /// The automaton hears what it means, then another box is started, or the rest is taken away.
    fn box_lost(&mut self, why: &str, ctx: &mut Context<Self>) {
        self.own.counted = None;
        self.progress(None);
        let Some(replication) = self.own.replication.clone() else { return };
        let stopped = self.state.shown().0 == crate::fsm::state::Role::Stop;
        if !stopped {
            self.log(&LogMessage::Error(told!(
                "the process of replication is lost: {why}",
                "le processus de réplication est perdu : {why}"
            )));
        }
        let restarts = self.setup.config.rfs.as_ref().map_or(0, |r| r.restarts);
        let (running, degraded) = (self.state.running(), self.state.degraded);
        let fate = match stopped {
            true => Fate::Gone,
            false => self.own.losses.note(now_ms(), restarts, running, degraded),
        };
        if fate == Fate::Gone {
            // What runs there waits for an answer and cannot even be killed before this.
            return insist(&replication, Abandon, ctx);
        }
        self.own.replaced = true;
        insist(&replication, Replace { degraded: fate == Fate::Degraded }, ctx);
        self.feed(Event::BoxLost(fate), ctx);
    }

    /// A box says how things stand: a successor, or the one that an earlier safeadmin had started.
    fn stands(&mut self, standing: Standing, ctx: &mut Context<Self>) {
        let replaced = std::mem::take(&mut self.own.replaced);
        if let Some(note) = standing.note {
            self.log(&LogMessage::BoxReplaced(Told::same(note)));
        }
        if replaced && !standing.mounted && self.state.running() {
            self.feed(Event::BoxLost(Fate::Gone), ctx);
        } else {
            self.feed(Event::Stream(standing.stream), ctx);
        }
    }
}

impl Handler<BoxEvent> for Module<Mirror> {
    type Result = ();

    fn handle(&mut self, event: BoxEvent, ctx: &mut Self::Context) {
        if let BoxEvent::Done(id, result) = &event
            && self.examination_done(*id, result)
        {
            return;
        }
        if let BoxEvent::Done(id, result) = &event
            && self.own.reintegrating == Some(*id)
        {
            self.own.reintegrating = None;
            self.reintegrated(result);
        }
        match event {
            BoxEvent::Done(id, Ok(())) => {
                self.feed(Event::ok(id), ctx);
            }
            BoxEvent::Done(id, Err(Fault::Again(why))) => {
                self.feed(Event::Done(id, Err(Told::same(why))), ctx);
            }
            BoxEvent::Done(id, Err(Fault::Refused(why))) => {
                self.feed(Event::ReintegrationRefused(id, Told::same(why)), ctx);
            }
            BoxEvent::Said(said) => self.said(said, ctx),
            BoxEvent::Lost(why) => self.box_lost(&why, ctx),
            BoxEvent::Gone => {
                self.feed(Event::BoxLost(Fate::Gone), ctx);
            }
        }
    }
}

/// Gives an order that must not be lost: callers wait for what it brings.
fn insist<M>(replication: &Addr<Replication>, order: M, ctx: &mut Context<Module<Mirror>>)
where
    M: Message<Result = ()> + Send + 'static,
    Replication: Handler<M>,
{
    if let Err(SendError::Full(order)) = replication.try_send(order) {
        let replication = replication.clone();
        ctx.run_later(RETRY, move |_, ctx| insist(&replication, order, ctx));
    }
}

fn message(line: Line) -> LogMessage {
    match line {
        Line::Updating(dir) => LogMessage::UpdatingTree(dir),
        Line::Copied(what) => LogMessage::Copied(what),
        Line::Ended(how) => LogMessage::ReintegrationEnded(how),
        Line::Progress(text) => LogMessage::ReintegrationProgress(text),
        Line::Rescued { archive, files, bytes, left_out } => {
            LogMessage::Rescued { archive, files, bytes, left_out }
        }
        Line::Stalled(seconds) => LogMessage::ReintegrationStalled(seconds),
        Line::GoesOn => LogMessage::ReintegrationGoesOn,
        Line::Link(dir) => LogMessage::LinkRestored(dir),
        Line::Handshake(why) => LogMessage::TlsHandshake(why),
        Line::Error(what) => LogMessage::Error(Told::same(what)),
    }
}

/// The actor of the replication of a module, if it replicates.
pub(super) fn replication(
    setup: &Setup,
    pair: &PairSetup,
    module: &Addr<Module<Mirror>>,
) -> Option<Addr<Replication>> {
    box_setup(setup, pair).map(|s| Replication::new(s, module.clone().recipient()).start())
}
