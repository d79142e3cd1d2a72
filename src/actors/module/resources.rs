//! Resources of the module, and the failover rules over them.

use super::{Kind, Module, name};
use crate::actors::cluster::now_ms;
use crate::control::LogChoice;
use crate::fsm::anew::{Anew, MODULECHECK};
use crate::fsm::command::{Caller, Command};
use crate::fsm::gate;
use crate::fsm::instance::{Happening, Outcome, Refused, Waits};
use crate::fsm::maxloop::{Limit, Loops};
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::fsm::rules::machine::{Verdict, View, WaitVerdict};
use crate::fsm::state::Role;
use crate::log::Message as LogMessage;
use crate::node::boot;
use crate::told::{Told, told};
use actix::prelude::*;
use jiff::Timestamp;

/// Classes whose assignments are logged unless `-n` says otherwise (RES: main resources).
const LOGGED: [&str; 9] =
    ["heartbeat", "tcp", "ping", "intf", "ip", "custom", "module", "splitbrain", "proc"];

/// Resources that are named when a rule holds the module in WAIT.
const BLOCKING: usize = 3;

impl<K: Kind> Module<K> {
    /// Sets a resource without a word in the log. True if its value changed.
    pub(super) fn assign(&mut self, resource: &ResourceName, value: Value) -> bool {
        let now = Timestamp::now();
        let old = self.values.insert(resource.clone(), (value.clone(), now));
        if old.is_some_and(|(old, _)| old == value) {
            return false;
        }
        self.setup.store.set_resource(resource, &value, now);
        let is_up = |id: &str| self.values.get(&name("rfs", id)).map(|(value, _)| *value == Value::Up);
        let (uptodate, degraded) = (is_up("uptodate"), is_up("degraded").unwrap_or(false));
        self.shown.send_modify(|shown| {
            (shown.uptodate, shown.degraded) = (uptodate, degraded);
            shown.changes += 1;
        });
        K::publish(self);
        true
    }

    /// Sets a resource and logs a change of a main one, as `set` was told to.
    pub(super) fn set(&mut self, resource: &ResourceName, value: Value, setter: &str, log: LogChoice) {
        let changed = self.assign(resource, value.clone());
        let main = changed && value != Value::Init && LOGGED.contains(&resource.class.as_str());
        let logged = match log {
            LogChoice::Never => false,
            LogChoice::Always => true,
            LogChoice::Default => main,
        };
        if logged {
            self.log(&LogMessage::Resource(resource.clone(), value, setter.to_owned()));
        }
    }

    pub(super) fn local(&self) -> Resources {
        self.values.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    /// One evaluation of the rules; what they say goes to the automaton.
    pub(super) fn evaluate(&mut self, ctx: &mut Context<Self>) {
        let (role, _) = K::shown(&self.state);
        if role == Role::Stop {
            return;
        }
        K::examine(self, ctx);
        let local = self.local();
        let (remote, cluster) = self.own.others(&self.state);
        let view = View { role, local: &local, remote, cluster: &cluster, checkers_on: self.checkers_on };
        let Verdict { wait, act, assign } = self.machine.evaluate(now_ms(), &view);
        self.shown.send_modify(|shown| shown.evaluations += 1);
        let blocking = self.blocking(&wait);
        let blocks_otherwise = std::mem::replace(&mut self.blocking, blocking) != self.blocking;
        let waits = match wait {
            WaitVerdict::Hold { resources } => {
                Waits::Hold(resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            WaitVerdict::Blocked { rule, .. } => Waits::Blocked(rule),
            WaitVerdict::Clear if self.setup.config.flow_without_rfs() => {
                Waits::Blocked("flow_without_rfs".to_owned())
            }
            WaitVerdict::Clear => Waits::Clear,
        };
        self.feed(Happening::Waits(waits), ctx);
        if blocks_otherwise {
            self.show();
        }
        K::assigned(self, assign.is_some(), ctx);
        if let Some((command, rule)) = act {
            // A rule's action that the state does not allow is no error: the rule stays true.
            if let Err(refused) = self.ask(command, Caller::Rule(rule), ctx) {
                tracing::info!(module = %self.setup.name, %refused, "an action of a rule is not possible now");
            }
        }
    }

    /// What makes the rule true that holds the module in WAIT, e.g. `: custom.disk is down`.
    fn blocking(&self, wait: &WaitVerdict) -> Told {
        let mut said = Told::default();
        let WaitVerdict::Blocked { resources, .. } = wait else { return said };
        let known = |name| self.values.get(name).map(|(value, _)| (name, value));
        for (name, value) in resources.iter().filter_map(known).take(BLOCKING) {
            said += if said.is_empty() { told!(": ", " : ") } else { Told::same(", ") };
            said += told!("{name} is {value}", "{name} est {value}");
        }
        said
    }

    /// A command on its way to the automaton, past the loop counter.
    pub(super) fn ask(
        &mut self,
        command: Command,
        caller: Caller,
        ctx: &mut Context<Self>,
    ) -> Result<(), Refused> {
        let (loops, passed, caller) = gate::admit(self.loops, self.limit(), command, caller, unix_now());
        if passed == Command::Stop && command != Command::Stop {
            self.assign(&name("heart", "maxloop"), Value::Text("true".to_owned()));
        }
        if command.begins() && caller.is_administrator() {
            self.assign(&name("heart", "maxloop"), Value::Text("false".to_owned()));
        }
        self.count(loops);
        if let Command::Checker(on) = passed
            && self.feed(Happening::Command(passed, caller.clone()), ctx) == Outcome::Taken
        {
            self.log(&LogMessage::Action(passed, caller));
            self.switch_checkers(on);
            self.show();
            return Ok(());
        }
        match self.feed(Happening::Command(passed, caller), ctx) {
            Outcome::Refused(refused) => Err(refused),
            Outcome::Taken | Outcome::Ignored(_) => Ok(()),
        }
    }

    /// A checker has seen which start of another module this is; another one than before is to be followed.
    pub(super) fn saw_start(&mut self, resource: &ResourceName, begun: u64, ctx: &mut Context<Self>) {
        let before = self.begun.insert(resource.clone(), begun);
        if before.is_some_and(|before| before != begun) {
            self.anew = true;
            self.follow(ctx);
        }
    }

    /// Does what follows from the new start of another module, once the state allows it.
    pub(super) fn follow(&mut self, ctx: &mut Context<Self>) {
        let found = K::anew(&self.state);
        if !self.anew || found == Anew::Later {
            return;
        }
        self.anew = false;
        if let Anew::Now(command) = found
            && let Err(refused) = self.ask(command, Caller::Identity(MODULECHECK.to_owned()), ctx)
        {
            tracing::info!(module = %self.setup.name, %refused, "the module does not follow another one now");
        }
    }

    pub(super) fn limit(&self) -> Limit {
        let service = &self.setup.config.service;
        Limit { maxloop: service.maxloop, interval_s: service.loop_interval.as_secs() }
    }

    /// Keeps the counter; `heart.stopstartloop` shows its beginning (ST-65).
    pub(super) fn count(&mut self, loops: Loops) {
        if loops == self.loops {
            return;
        }
        self.loops = loops;
        self.assign(&name("heart", "stopstartloop"), Value::Text(loops.began_s.to_string()));
        let (paths, module) = (self.setup.paths.clone(), self.setup.name.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = boot::set_loop_counter(&paths, &module, &loops) {
                tracing::warn!(%module, %error, "the loop counter is not kept");
            }
        });
    }
}

/// Unix time in seconds; 0 before 1970.
pub fn unix_now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(0)
}
