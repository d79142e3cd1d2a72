//! What comes to the module's actor: from its own actors, and from the rest of safeadmin.

use super::resources::unix_now;
use super::{Close, Control, Explain, Forget, GetResources, Kind, Loop, Module, Print, SetResource, name};
use crate::actors::checkers::{CheckerReport, Finding};
use crate::actors::guard::GuardEvent;
use crate::actors::script::{ScriptEnd, ScriptEvent, ScriptEventKind};
use crate::actors::vip::VipEvent;
use crate::control::{LogChoice, LoopOp, LoopReport, PrintLevel};
use crate::fsm::command::{Caller, Command};
use crate::fsm::explain::Explanation;
use crate::fsm::gate;
use crate::fsm::instance::{Happening, Refused};
use crate::fsm::maxloop::Loops;
use crate::fsm::resource::{ResourceName, Value};
use crate::log::{Level, Message as LogMessage};
use crate::told::{Tell, Told, told};
use actix::prelude::*;
use jiff::Timestamp;

impl<K: Kind> Handler<ScriptEvent> for Module<K> {
    type Result = ();

    fn handle(&mut self, ScriptEvent { epoch, id, kind }: ScriptEvent, ctx: &mut Self::Context) {
        if epoch != self.epoch {
            return;
        }
        let (script, timeout) = match &self.script {
            Some(running) if running.id == id => (running.name.clone(), running.timeout),
            _ => return,
        };
        let end = match kind {
            ScriptEventKind::Started(_) => return,
            ScriptEventKind::StillRunning(seconds) => {
                return self.log(&LogMessage::ScriptRunning(script, seconds));
            }
            ScriptEventKind::Ended(end) => end,
        };
        self.script = None;
        let result = match end {
            ScriptEnd::Exited(0) => Ok(()),
            ScriptEnd::Exited(code) => Err(told!("exit status {code}", "code de retour {code}")),
            ScriptEnd::Signaled(signal) => {
                Err(told!("killed by signal {signal}", "tué par le signal {signal}"))
            }
            ScriptEnd::Cancelled => Err(told!("killed on request", "tué sur demande")),
            ScriptEnd::Missing => Err(told!("the script has gone", "le script a disparu")),
            ScriptEnd::Failed(why) => Err(Told::same(why)),
            ScriptEnd::TimedOut => {
                self.log(&LogMessage::ScriptTimeout(script, timeout.unwrap_or_default().as_secs()));
                self.feed(Happening::Done(id, Err(told!("timeout", "délai dépassé"))), ctx);
                return;
            }
        };
        if let Err(why) = &result {
            self.log(&LogMessage::ScriptFailed(script, why.clone()));
        }
        self.feed(Happening::Done(id, result), ctx);
    }
}

impl<K: Kind> Handler<VipEvent> for Module<K> {
    type Result = ();

    fn handle(&mut self, event: VipEvent, ctx: &mut Self::Context) {
        match event {
            VipEvent::Set { epoch, result } => {
                let result = result.map_err(|e| e.told()).map(|places| {
                    for place in &places {
                        self.log(&LogMessage::VipSet(place.addr.to_string()));
                    }
                    self.places = places;
                });
                self.feed(Happening::Done(epoch, result), ctx);
            }
            VipEvent::Unset { epoch, result } => {
                self.feed(Happening::Done(epoch, result.map_err(|e| e.told())), ctx);
            }
            VipEvent::Connections { addr, count } => {
                self.assign(&name("connections", &addr.to_string()), Value::Text(count.to_string()));
            }
            VipEvent::Conflict { addr, holder: Some(mac) } => {
                self.log(&LogMessage::Error(told!(
                    "another machine ({mac}) answers for the virtual ip {addr}",
                    "une autre machine ({mac}) répond pour l'adresse IP virtuelle {addr}"
                )));
            }
            VipEvent::Conflict { .. } => {}
        }
    }
}

impl<K: Kind> Handler<GuardEvent> for Module<K> {
    type Result = ();

    fn handle(&mut self, event: GuardEvent, ctx: &mut Self::Context) {
        match event {
            GuardEvent::Armed(id, result) => self.feed(Happening::Done(id, result), ctx),
            GuardEvent::Disarmed(id, result) => self.feed(Happening::Done(id, result), ctx),
            GuardEvent::Fenced(what) => self.feed(Happening::Fenced(what), ctx),
        };
    }
}

impl<K: Kind> Handler<CheckerReport> for Module<K> {
    type Result = ();

    fn handle(&mut self, report: CheckerReport, ctx: &mut Self::Context) {
        if !self.windows.is_current(&report) {
            return;
        }
        // Before the rules wake the module up: what starts then need not be started again.
        if let Some(begun) = report.begun {
            self.saw_start(&report.resource, begun, ctx);
        }
        if let Some(why) = &report.why {
            self.log(why);
        }
        self.set(&report.resource, report.finding.value(), &report.origin, LogChoice::Default);
        // Without its local address the module cannot run here (ST-76).
        if report.finding == Finding::NoLocalAddress {
            let asked = self.ask(Command::Stop, Caller::Identity(report.origin), ctx);
            if let Err(refused) = asked {
                tracing::warn!(module = %self.setup.name, %refused, "the module stays without its local address");
            }
        } else {
            self.evaluate(ctx);
        }
    }
}

impl<K: Kind> Handler<Control> for Module<K> {
    type Result = Result<(), Refused>;

    fn handle(&mut self, Control { command, caller }: Control, ctx: &mut Self::Context) -> Self::Result {
        self.ask(command, caller, ctx)
    }
}

impl<K: Kind> Handler<SetResource> for Module<K> {
    type Result = ();

    fn handle(&mut self, s: SetResource, ctx: &mut Self::Context) {
        self.set(&s.name, s.value, &s.setter, s.log);
        self.evaluate(ctx);
    }
}

impl<K: Kind> Handler<Print> for Module<K> {
    type Result = ();

    fn handle(&mut self, Print(level, text): Print, _: &mut Self::Context) {
        let level = match level {
            PrintLevel::Info => Level::I,
            PrintLevel::Event => Level::E,
        };
        self.log(&LogMessage::Print(level, text));
    }
}

impl<K: Kind> Handler<Loop> for Module<K> {
    type Result = MessageResult<Loop>;

    fn handle(&mut self, Loop(op, identity): Loop, _: &mut Self::Context) -> Self::Result {
        let (limit, now) = (self.limit(), unix_now());
        let reached = match op {
            LoopOp::Inc => {
                let caller = Caller::Identity(identity.unwrap_or_default());
                let (loops, command, _) = gate::admit(self.loops, limit, Command::Restart, caller, now);
                self.count(loops);
                command == Command::Stop
            }
            LoopOp::Reset => {
                self.count(Loops::reset(now));
                false
            }
            LoopOp::Check => self.loops.exhausted(limit, now),
        };
        MessageResult(LoopReport {
            count: self.loops.expire(limit, now).count,
            limit: limit.maxloop,
            reached,
        })
    }
}

impl<K: Kind> Handler<GetResources> for Module<K> {
    type Result = MessageResult<GetResources>;

    fn handle(&mut self, _: GetResources, _: &mut Self::Context) -> Self::Result {
        let row = |(name, (value, time)): (&ResourceName, &(Value, Timestamp))| {
            (name.clone(), value.clone(), *time)
        };
        MessageResult(self.values.iter().map(row).collect())
    }
}

impl<K: Kind> Handler<Explain> for Module<K> {
    type Result = MessageResult<Explain>;

    fn handle(&mut self, _: Explain, _: &mut Self::Context) -> Self::Result {
        let explanation: Explanation = self.explanation();
        MessageResult(explanation)
    }
}

impl<K: Kind> Handler<Forget> for Module<K> {
    type Result = ();

    fn handle(&mut self, _: Forget, _: &mut Self::Context) {
        self.values.clear();
        self.initial_resources();
        self.publish_state();
    }
}

impl<K: Kind> Handler<Close> for Module<K> {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        K::close(self);
        ctx.stop();
    }
}
