//! The part of a farm module in its group: who serves which clients.

use super::Farm;
use crate::actors::cluster::{LanSetup, now_ms};
use crate::actors::group::{self, DEFAULT_GRACE, Group, GroupEvent, GroupSetup, LbGroup};
use crate::actors::guard::GuardOrder;
use crate::actors::module::{GetGroup, Module, name};
use crate::actors::vip::Announce;
use crate::config::ports;
use crate::control::ShareRow;
use crate::farm::{Layout, nft::Nft};
use crate::fsm::instance::Happening;
use crate::fsm::resource::Value;
use crate::guard::frame::Target;
use crate::ids::NodeName;
use crate::log::Message as LogMessage;
use crate::net::addr;
use crate::told::{Tell, Told, told};
use actix::prelude::*;
use std::time::Duration;

/// What a farm module is made from, besides what every module is.
pub struct FarmSetup {
    /// Every node, in the order of cluster.xml.
    pub nodes: Vec<NodeName>,
    /// The networks of the farm.
    pub lans: Vec<LanSetup>,
    /// The arbiter that owns the heartbeats.
    pub hearts: ArbiterHandle,
}

/// The group of a module, and the effects that wait for its word.
#[derive(Default)]
pub(super) struct Part {
    group: Option<Addr<Group>>,
    /// The guard's timeout.
    patience: Duration,
    /// The filter is in place.
    loaded: bool,
    /// This node has had its share since it joined.
    joined: bool,
    loading: Option<u64>,
    joining: Option<u64>,
    leaving: Option<u64>,
    ending: Option<u64>,
}

impl Module<Farm> {
    /// Starts the group, if there is one to share clients with: one with virtual addresses. `adopt`: it
    /// goes on with what an earlier life has left in the packet filter.
    fn form(&mut self, adopt: bool, ctx: &mut Context<Self>) -> Result<(), Told> {
        let config = self.setup.config.clone();
        let (Some(farm), Some(vip), Some(of)) = (&config.farm, &config.vip, &self.own.setup) else {
            return Ok(());
        };
        let interfaces = addr::interfaces().map_err(|e| e.told())?;
        let layout = Layout::new(&self.setup.name, self.setup.me.0.into(), vip, &self.vips, &interfaces)
            .map_err(|e| e.told())?;
        let groups = vip.groups.iter().enumerate().map(|(n, group)| LbGroup::new(n, group, &of.nodes));
        let setup = GroupSetup {
            module: self.setup.name.clone(),
            id: self.setup.id,
            me: self.setup.me.0.into(),
            nodes: of.nodes.clone(),
            port: farm.port.unwrap_or(ports::farm(self.setup.id)),
            lans: of.lans.clone(),
            pulse: farm.pulse,
            mlost_count: farm.mlost_count,
            slost_count: farm.slost_count,
            groups: groups.collect(),
            grace: DEFAULT_GRACE,
            key: self.setup.key.clone(),
            layout,
            adopt,
            arbiter: of.hearts.clone(),
            store: self.setup.store.clone(),
            events: ctx.address().recipient(),
            guard: Some((self.setup.guard.clone(), self.guard.clone())),
        };
        let patience = setup.patience();
        let group = Group::start(setup, Box::new(Nft::new(&self.setup.name)));
        self.own.part = Part { group: Some(group), patience, ..Part::default() };
        Ok(())
    }

    /// Puts the packet filter in place.
    pub(super) fn load(&mut self, id: u64, ctx: &mut Context<Self>) {
        if self.own.part.group.is_none()
            && let Err(why) = self.form(false, ctx)
        {
            return self.answer(id, Err(why), ctx);
        }
        match self.own.part.group.is_none() || self.own.part.loaded {
            true => self.answer(id, Ok(()), ctx),
            false => self.own.part.loading = Some(id),
        }
    }

    /// The group of a module that went on without safeadmin.
    pub(super) fn rejoin(&mut self, ctx: &mut Context<Self>) {
        if let Err(why) = self.form(true, ctx) {
            self.log(&LogMessage::Error(
                told!(
                    "this node cannot take part in its farm: ",
                    "ce nœud ne peut pas participer à sa ferme : "
                ) + why,
            ));
        }
    }

    pub(super) fn join(&mut self, id: u64, ctx: &mut Context<Self>) {
        let Some(group) = self.own.part.group.clone() else { return self.answer(id, Ok(()), ctx) };
        // Who has had a share and joins again has lost it: it takes part anew.
        let anew = !self.own.part.joined
            || (group.try_send(group::Fenced).is_ok() && group.try_send(group::Leave).is_ok());
        match anew && group.try_send(group::Join).is_ok() {
            true => (self.own.part.joining, self.own.part.joined) = (Some(id), false),
            false => self.answer(
                id,
                Err(told!("the group of the farm is busy", "le groupe de la ferme est occupé")),
                ctx,
            ),
        }
    }

    pub(super) fn leave(&mut self, id: u64, ctx: &mut Context<Self>) {
        (self.own.part.joining, self.own.part.joined) = (None, false);
        match &self.own.part.group {
            Some(group) if group.try_send(group::Leave).is_ok() => self.own.part.leaving = Some(id),
            Some(_) => self.answer(
                id,
                Err(told!("the group of the farm is busy", "le groupe de la ferme est occupé")),
                ctx,
            ),
            None => self.answer(id, Ok(()), ctx),
        }
    }

    /// Removes the packet filter, and with it the group.
    pub(super) fn unload(&mut self, id: u64, ctx: &mut Context<Self>) {
        match self.own.part.group.take() {
            Some(group) if group.try_send(group::End).is_ok() => {
                self.own.part = Part { ending: Some(id), ..Part::default() };
            }
            Some(_) => self.answer(
                id,
                Err(told!("the group of the farm is busy", "le groupe de la ferme est occupé")),
                ctx,
            ),
            None => self.answer(id, Ok(()), ctx),
        }
        self.show_loads(&[]);
    }

    /// The guard takes the share of a node that hangs; it touches nothing else (S8).
    pub(super) fn arm(&mut self, id: u64, ctx: &mut Context<Self>) {
        if self.own.part.group.is_none() {
            return self.answer(id, Ok(()), ctx);
        }
        let order = GuardOrder::Arm {
            id,
            timeout: self.own.part.patience,
            echoed_at: now_ms() * 1_000_000,
            target: Target { vips: Vec::new(), group: None },
        };
        if !self.setup.guard.order(&self.setup.name, order, &self.guard) {
            self.answer(
                id,
                Err(told!("too many orders wait for the guard", "trop d'ordres attendent safeguard")),
                ctx,
            );
        }
    }

    /// RES-40: the share of this node, in percent; none: it has no group.
    pub(super) fn show_loads(&mut self, loads: &[usize]) {
        let config = self.setup.config.clone();
        let groups = config.vip.iter().flat_map(|vip| &vip.groups).enumerate();
        let mut shares = Vec::new();
        for (n, group) in groups {
            let percent = (loads.get(n).copied().unwrap_or(0) * 100 + 128) / 256;
            let resource = name("lbgroup", &format!("{}_{n}", group.name));
            self.assign(&resource, Value::Text(format!("{percent}%")));
            let percent = u8::try_from(percent).unwrap_or(100);
            shares.push(ShareRow { group: group.name.clone(), percent });
        }
        self.shown.send_modify(|shown| shown.shares = shares);
    }

    /// Ends the group without leaving it: the next life of this actor goes on with it.
    pub(super) fn close_group(&mut self) {
        if let Some(group) = self.own.part.group.take() {
            drop(group.try_send(crate::actors::module::Close));
        }
    }
}

impl Handler<GetGroup> for Module<Farm> {
    type Result = Option<Addr<Group>>;

    fn handle(&mut self, _: GetGroup, _: &mut Self::Context) -> Option<Addr<Group>> {
        self.own.part.group.clone()
    }
}

impl Handler<GroupEvent> for Module<Farm> {
    type Result = ();

    fn handle(&mut self, event: GroupEvent, ctx: &mut Self::Context) {
        let part = &mut self.own.part;
        let (done, result) = match event {
            GroupEvent::Loaded => {
                part.loaded = true;
                (part.loading.take(), Ok(()))
            }
            GroupEvent::Joined => {
                part.joined = part.joining.is_some();
                (part.joining.take(), Ok(()))
            }
            GroupEvent::Left => (part.leaving.take(), Ok(())),
            GroupEvent::Ended(result) => (part.ending.take(), result),
            GroupEvent::Changed(loads) => return self.show_loads(&loads),
            GroupEvent::Announce => {
                if let Some(vip) = &self.vip {
                    drop(vip.try_send(Announce));
                }
                return;
            }
            // What the filter did last it still does.
            GroupEvent::Failed(why) => match part.loading.take() {
                Some(id) => (Some(id), Err(why)),
                None => return self.log(&LogMessage::Error(why)),
            },
        };
        if let Some(id) = done {
            self.feed(Happening::Done(id, result), ctx);
        }
    }
}
