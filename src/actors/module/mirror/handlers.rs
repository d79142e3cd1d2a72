//! What comes to a mirror module alone: its heart, the policies of its replication.

use super::Mirror;
use crate::actors::heart::{HeartEvent, PeerHolds};
use crate::actors::module::{Module, SyncPolicy, name};
use crate::control::LogChoice;
use crate::fsm::mirror::Event;
use crate::fsm::resource::Value;
use crate::fsm::state::Role;
use crate::node::rfssync::Policy;
use actix::prelude::*;

impl Handler<HeartEvent> for Module<Mirror> {
    type Result = ();

    fn handle(&mut self, event: HeartEvent, ctx: &mut Self::Context) {
        let up = |on| if on { Value::Up } else { Value::Down };
        let ident = |module: &Module<Mirror>, i: usize| module.own.pair.networks.get(i).map(|n| n.0.clone());
        match event {
            HeartEvent::Mirror(event, face_no) => {
                // The peer does not get what is sent: perhaps its network card was replaced.
                if matches!(event, Event::OwnPause(_)) {
                    self.renew_neighbours(ctx);
                }
                self.feed(self.judged(event, face_no), ctx);
            }
            HeartEvent::Link(i, on) => {
                let Some(ident) = ident(self, i) else { return };
                let stopped = self.state.shown().0 == Role::Stop;
                let log = if stopped { LogChoice::Never } else { LogChoice::Default };
                self.set(&name("heartbeat", &ident), up(on), "heart", log);
                if on {
                    self.renew_neighbours(ctx);
                } else {
                    self.forget_neighbour(i);
                }
            }
            HeartEvent::Local(i, on) => {
                let Some(ident) = ident(self, i) else { return };
                self.assign(&name("heartbeatlocaladdr", &ident), up(on));
            }
            HeartEvent::Remote(resources) => {
                self.own.remote = resources;
                self.keep_dates(ctx);
                self.show_applicable();
            }
        }
    }
}

impl Module<Mirror> {
    /// An echo counts only if it is one of the face shown now: the report may have been on its way
    /// while the face changed (S10).
    fn judged(&self, event: Event, face_no: u64) -> Event {
        match event {
            Event::Peer { face, counts } => {
                Event::Peer { face, counts: counts && face_no == self.own.face_no }
            }
            other => other,
        }
    }
}

impl Handler<SyncPolicy> for Module<Mirror> {
    type Result = MessageResult<SyncPolicy>;

    fn handle(&mut self, SyncPolicy(policy): SyncPolicy, _: &mut Self::Context) -> Self::Result {
        if policy.is_some() {
            self.own.pair.rfssync = policy;
            self.show_rfssync();
        }
        MessageResult(self.own.pair.rfssync.clone().unwrap_or(Policy::Full))
    }
}

impl Handler<PeerHolds> for Module<Mirror> {
    type Result = ();

    fn handle(&mut self, holds: PeerHolds, _: &mut Self::Context) {
        drop(self.own.heart.try_send(holds));
    }
}
