//! Carrying out the effects of a mirror module.

use super::Mirror;
use crate::actors::cluster::now_ms;
use crate::actors::guard::GuardOrder;
use crate::actors::module::{Module, name};
use crate::fsm::mirror::{Effect, Event, Timer};
use crate::fsm::resource::Value;
use crate::log::Message as LogMessage;
use crate::node::boot;
use crate::told::{Tell, told};
use actix::prelude::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Timer `Retry`.
const RETRY: Duration = Duration::from_secs(1);
/// The same after many reintegrations that failed: each may read all of both disks.
const RETRY_MOST: Duration = Duration::from_secs(60);

impl Module<Mirror> {
    pub(super) fn carry_out(&mut self, effect: Effect, ctx: &mut Context<Self>) {
        match effect {
            Effect::Log(message) => self.log(&message),
            Effect::Store(id, record) => self.store(id, record, ctx),
            Effect::Script(id, call) => self.script(id, &call, ctx),
            Effect::VipOn(id) => self.vip_on(id, ctx),
            Effect::VipOff(id) => self.unset_vips(id, ctx),
            Effect::Kill { id, swap } => self.kill(id, swap, ctx),
            Effect::Arm(id) => self.arm(id, ctx),
            Effect::Disarm(id) => self.disarm(id, ctx),
            Effect::Mount(_)
            | Effect::Unmount(_)
            | Effect::Writable(..)
            | Effect::ReadOnly(_)
            | Effect::Reintegrate { .. }
            | Effect::Drain(_)
            | Effect::MarkDirty(_)
            | Effect::Release(..) => self.replicate(effect, ctx),
            Effect::Checkers(window, on) => self.window(window, on),
            Effect::Timer(id, timer) => self.timer(id, self.duration(timer), ctx),
            Effect::KillScript(id) => self.kill_script(id),
            Effect::ResetRules => self.machine.reset(),
            Effect::Failover(on) => self.keep_failover(on),
            Effect::Reboot => self.reboot(),
        }
    }

    fn duration(&self, timer: Timer) -> Duration {
        let timeout = self.setup.config.heart.as_ref().map_or(Duration::from_secs(30), |h| h.timeout);
        match timer {
            Timer::Answer => timeout,
            Timer::Swap => timeout * 2,
            Timer::Retry => match &self.own.uncopied {
                Some(failure) => RETRY * (1 << (failure.times - 1).min(6)),
                None => RETRY,
            }
            .min(RETRY_MOST),
        }
    }

    /// Sets the virtual addresses; but who has slept looks first (S4).
    fn vip_on(&mut self, id: u64, ctx: &mut Context<Self>) {
        let slept = now_ms().saturating_sub(self.own.last_sent.load(Ordering::Relaxed));
        if Duration::from_millis(slept) * 2 >= self.duration(Timer::Answer) {
            ctx.run_later(Duration::ZERO, move |module, ctx| {
                module.feed(Event::OwnPause(slept), ctx);
            });
            return;
        }
        self.set_vips(id, ctx);
    }

    fn arm(&mut self, id: u64, ctx: &mut Context<Self>) {
        self.places = self.placements();
        let order = GuardOrder::Arm {
            id,
            timeout: self.duration(Timer::Answer),
            echoed_at: now_ms() * 1_000_000,
            target: self.target(),
        };
        if !self.setup.guard.order(&self.setup.name, order, &self.guard) {
            self.answer(
                id,
                Err(told!("too many orders wait for the guard", "trop d'ordres attendent safeguard")),
                ctx,
            );
        }
    }

    fn keep_failover(&mut self, on: bool) {
        let (paths, module) = (self.setup.paths.clone(), self.setup.name.clone());
        let settings = boot::UserSettings {
            failover: Some(on),
            ..boot::user_settings(&paths, &module).unwrap_or_default()
        };
        if let Err(error) = boot::set_user_settings(&paths, &module, &settings) {
            self.log(&LogMessage::Error(
                told!(
                    "the setting of failover is lost at the next restart: ",
                    "le réglage de failover sera perdu au prochain redémarrage : "
                ) + error.told(),
            ));
        }
        self.assign(&name("usersetting", "failover"), Value::Text(if on { "on" } else { "off" }.to_owned()));
    }
}
