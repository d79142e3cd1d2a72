//! Carrying out the effects of the automaton. Each answered effect ends in exactly one
//! [`Happening::Done`]; what blocks runs on other threads.

use super::adopt::record_path;
use super::{Kind, Module, Running};
use crate::actors::guard::GuardOrder;
use crate::actors::script::{Kill, Run, ScriptJob};
use crate::actors::vip::{SetAll, UnsetAll};
use crate::config::module::Logging;
use crate::fsm::instance::Happening;
use crate::fsm::scripts::{Call, Script};
use crate::guard::frame::{Target, Vip as GuardVip};
use crate::log::Message as LogMessage;
use crate::log::userlog;
use crate::node::{environment, record};
use crate::told::{Tell, Told, told};
use actix::prelude::*;
use jiff::{Timestamp, tz::TimeZone};
use std::time::{Duration, Instant};

/// How long the killed application may take to disappear before the automaton is told.
const KILL_WAIT: Duration = Duration::from_secs(10);

fn vips_are_busy() -> Told {
    told!("the virtual ip actor is busy", "l'acteur des adresses IP virtuelles est occupé")
}

impl<K: Kind> Module<K> {
    /// Makes a record durable.
    pub(super) fn store(&mut self, id: u64, record: K::Record, ctx: &mut Context<Self>) {
        self.stores.push_back((id, record));
        self.store_next(ctx);
    }

    /// Records become durable one after the other: a store that a move no longer waits for must not
    /// overtake a later one.
    fn store_next(&mut self, ctx: &mut Context<Self>) {
        if self.storing {
            return;
        }
        let Some((id, value)) = self.stores.pop_front() else { return };
        self.storing = true;
        let path = record_path::<K>(&self.setup.paths, &self.setup.name);
        let stored = tokio::task::spawn_blocking(move || record::store(&path, &value).map_err(|e| e.told()));
        ctx.spawn(stored.into_actor(self).map(move |result, module, ctx| {
            module.storing = false;
            let result = result.unwrap_or_else(|e| {
                Err(told!("the store broke off: {e}", "l'enregistrement a été interrompu : {e}"))
            });
            module.feed(Happening::Done(id, result), ctx);
            module.store_next(ctx);
        }));
    }

    /// The answer to an effect, after what is under way.
    pub(super) fn answer(&mut self, id: u64, result: Result<(), Told>, ctx: &mut Context<Self>) {
        ctx.run_later(Duration::ZERO, move |module, ctx| {
            module.feed(Happening::Done(id, result), ctx);
        });
    }

    /// Runs what blocks on another thread; its result is the answer.
    fn elsewhere(
        &mut self,
        id: u64,
        work: impl FnOnce() -> Result<(), Told> + Send + 'static,
        ctx: &mut Context<Self>,
    ) {
        let done = tokio::task::spawn_blocking(work).into_actor(self).map(move |result, module, ctx| {
            let result = result.unwrap_or_else(|e| {
                Err(told!("the work broke off: {e}", "le travail a été interrompu : {e}"))
            });
            module.feed(Happening::Done(id, result), ctx);
        });
        ctx.spawn(done);
    }

    /// Sets the virtual addresses.
    pub(super) fn set_vips(&mut self, id: u64, ctx: &mut Context<Self>) {
        match &self.vip {
            Some(vip) if vip.try_send(SetAll { epoch: id }).is_ok() => {}
            Some(_) => self.answer(id, Err(vips_are_busy()), ctx),
            None => self.answer(id, Ok(()), ctx),
        }
    }

    /// Removes the virtual addresses.
    pub(super) fn unset_vips(&mut self, id: u64, ctx: &mut Context<Self>) {
        match &self.vip {
            Some(vip) if vip.try_send(UnsetAll { epoch: id }).is_ok() => {}
            Some(_) => self.answer(id, Err(vips_are_busy()), ctx),
            None => self.answer(id, Ok(()), ctx),
        }
    }

    /// Kills the application and sees it gone. `swap`: only what runs for the primary.
    pub(super) fn kill(&mut self, id: u64, swap: bool, ctx: &mut Context<Self>) {
        let groups = self.groups.clone();
        self.elsewhere(id, move || groups.kill(swap, Instant::now() + KILL_WAIT), ctx);
    }

    /// The guard is not to fence any more.
    pub(super) fn disarm(&mut self, id: u64, ctx: &mut Context<Self>) {
        if !self.setup.guard.order(&self.setup.name, GuardOrder::Disarm(id), &self.guard) {
            self.answer(id, Ok(()), ctx);
        }
    }

    /// Kills the script that runs.
    pub(super) fn kill_script(&self, id: u64) {
        drop(self.scripts.try_send(Kill { id }));
    }

    /// Starts a timer of the automaton.
    pub(super) fn timer(&self, id: u64, after: Duration, ctx: &mut Context<Self>) {
        ctx.run_later(after, move |module, ctx| {
            module.feed(Happening::Timer(id), ctx);
        });
    }

    /// What a fence removes and kills. The addresses are those of the configuration, wherever they
    /// will be set: the guard is armed before.
    pub(super) fn target(&self) -> Target {
        let vips = self
            .places
            .iter()
            .map(|p| GuardVip { index: p.ifindex, addr: p.addr, prefix: p.prefix })
            .collect();
        Target { vips, group: Some(self.groups.fence.clone()) }
    }

    pub(super) fn script(&mut self, id: u64, call: &Call, ctx: &mut Context<Self>) {
        let now = Timestamp::now();
        if matches!(call.script, Script::StartPrim | Script::StartBoth) {
            self.count_start();
            self.keep();
        }
        let script = call.script.name();
        let user = self.setup.config.user.as_ref();
        let log = user.is_some_and(|u| u.logging == Logging::Userlog);
        let userlog = log.then(|| userlog::file_name(now.to_zoned(TimeZone::system()).datetime(), script));
        let timeout = user
            .filter(|_| call.script.is_stop())
            .map(|u| if call.force { u.forcestoptimeout } else { u.nicestoptimeout });
        let paths = &self.setup.paths;
        let vars = user.map(|u| u.vars.clone()).unwrap_or_default();
        let job = ScriptJob {
            module: self.setup.name.clone(),
            name: script.to_owned(),
            path: paths.userbin(&self.setup.name).join(script),
            args: call.arguments(),
            env: environment::of_module(paths, &self.setup.name, &vars).into_iter().collect(),
            userlog: userlog.as_ref().map(|f| paths.uservar(&self.setup.name).join(f)),
            timeout,
            group: self.groups.of(call.script).clone(),
        };
        self.log(&LogMessage::Script {
            name: script.to_owned(),
            action: call.action.map(|a| a.name().to_owned()),
            userlog,
        });
        self.script = Some(Running { id, name: script.to_owned(), since: now, timeout });
        let sent = self.scripts.send(Run { epoch: self.epoch, id, job });
        ctx.spawn(sent.into_actor(self).map(move |result, module, ctx| {
            let failed = match result {
                Ok(Ok(())) => return,
                Ok(Err(e)) => e.told(),
                Err(e) => Told::same(e.to_string()),
            };
            let text = told!("the script cannot be run: ", "le script ne peut pas être exécuté : ");
            module.log(&LogMessage::Error(text + failed.clone()));
            module.script = None;
            module.feed(Happening::Done(id, Err(failed)), ctx);
        }));
    }

    /// At each start of the module (CFG-USR-04).
    pub(super) fn truncate_userlogs(&self) {
        let Some(user) = &self.setup.config.user else { return };
        let dir = self.setup.paths.uservar(&self.setup.name);
        if let Err(error) = userlog::truncate(&dir, user.userlogsize) {
            tracing::warn!(module = %self.setup.name, %error, "the script logs are not truncated");
        }
    }

    /// CFG-SVC-08; the command can be replaced for systems without systemd (AMB-47).
    pub(super) fn reboot(&self) {
        let command = std::env::var("SAFEKIT_REBOOT").unwrap_or_else(|_| "systemctl reboot".to_owned());
        self.log(&LogMessage::Error(told!(
            "automatic_reboot: running \"{command}\"",
            "automatic_reboot : exécution de \"{command}\""
        )));
        let words = shlex::split(&command).unwrap_or_default();
        if let Some((program, args)) = words.split_first()
            && let Err(error) = std::process::Command::new(program).args(args).spawn()
        {
            self.log(&LogMessage::Error(told!(
                "cannot reboot: {error}",
                "impossible de redémarrer : {error}"
            )));
        }
    }
}
