//! The check of the local replicated file system (RFS-41, `checktime`, `checkintv`).

use super::Mirror;
use super::replicated::PROGRAM;
use crate::actors::module::Module;
use crate::actors::replication::Stuck;
use crate::fsm::command::{Caller, Command};
use crate::fsm::state::Role;
use crate::log::Message as LogMessage;
use crate::rfs::probe;
use crate::told::told;
use actix::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

impl Module<Mirror> {
    /// Begins to check, for as long as this actor lives.
    pub(super) fn check_directories(&mut self, ctx: &mut Context<Self>) {
        let Some(rfs) = &self.setup.config.rfs else { return };
        let (every, timeout) = (rfs.checkintv, rfs.checktime);
        ctx.run_later(every, move |module, ctx| {
            if module.state.shown().0 == Role::Stop {
                return module.check_directories(ctx);
            }
            module.check_once(timeout, ctx);
        });
    }

    /// One check; the next one follows its end.
    fn check_once(&mut self, timeout: Duration, ctx: &mut Context<Self>) {
        let rfs = self.setup.config.rfs.as_ref();
        let dirs: Vec<PathBuf> =
            rfs.map(|r| r.replicated.iter().map(|r| r.dir.clone()).collect()).unwrap_or_default();
        let program = self.setup.paths.safebin().join(PROGRAM);
        let asked = tokio::task::spawn_blocking(move || probe::answers(&program, &dirs, timeout));
        ctx.spawn(asked.into_actor(self).map(move |answer, module, ctx| {
            match answer {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => module.blocked(timeout, ctx),
                Ok(Err(error)) => module.not_checked(&error.to_string()),
                Err(error) => module.not_checked(&error.to_string()),
            }
            module.check_directories(ctx);
        }));
    }

    fn not_checked(&self, error: &str) {
        tracing::warn!(module = %self.setup.name, %error, "the replicated directories are not checked");
    }

    /// The directories do not answer: neither would the process that serves them, so it has to go
    /// before the module can stop and start.
    fn blocked(&mut self, timeout: Duration, ctx: &mut Context<Self>) {
        if self.state.shown().0 == Role::Stop {
            return;
        }
        let seconds = timeout.as_secs();
        self.log(&LogMessage::Error(told!(
            "the replicated directories did not answer for {seconds} s",
            "les répertoires répliqués n'ont pas répondu pendant {seconds} s"
        )));
        let asked = self.ask(Command::StopStart, Caller::Identity("nfscheck".to_owned()), ctx);
        if let Err(refused) = asked {
            tracing::warn!(module = %self.setup.name, %refused, "the module goes on with blocked directories");
        }
        if let Some(replication) = &self.own.replication {
            drop(replication.try_send(Stuck));
        }
    }
}
