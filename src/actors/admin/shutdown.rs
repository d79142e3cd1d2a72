//! The stop of all modules: `safekit shutdown`, and the end of the machine (CLI-034, ADM-22).

use super::{Admin, AdminError, ask};
use crate::actors::module::Control;
use crate::config::module::ModuleConfig;
use crate::control::Reply;
use crate::control::server::Call;
use crate::fsm::command::{Caller, Command};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use std::time::Duration;
use tokio::time::{Instant, interval_at};

/// How often a stop that lasts says what it waits for.
const SAY: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);
/// What a stop may take besides its scripts.
const MARGIN: Duration = Duration::from_secs(120);
/// Scripts that stop an application one after another: stop_prim or stop_second, stop_both, poststop.
const SCRIPTS: u32 = 3;

impl Admin {
    /// Stops every module; ends when all are stopped or the user is gone.
    pub(super) async fn shut_down(&self, call: &Call) -> Result<i32, AdminError> {
        self.stop_all(&call.caller.label(None, None)).await;
        let mut say = interval_at(Instant::now() + SAY, SAY);
        loop {
            let left = self.running();
            if left.is_empty() {
                return Ok(0);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = say.tick() => self.say(call, Reply::Progress(waits_for(&left))).await,
                () = call.sink.closed() => return Ok(1),
            }
        }
    }

    /// The machine goes down: stops every module, for as long as their scripts may take.
    pub(super) async fn stop_for_system(&self) {
        self.0.stopping.set(true);
        let end = Instant::now() + self.longest_stop();
        self.stop_all(&Caller::System).await;
        let mut say = interval_at(Instant::now() + SAY, SAY);
        loop {
            let left = self.running();
            if left.is_empty() {
                return;
            }
            if Instant::now() >= end {
                tracing::error!("not stopped in time: {}", waits_for(&left));
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = say.tick() => tracing::info!("{}", waits_for(&left)),
            }
        }
    }

    /// Tells all running modules at once.
    async fn stop_all(&self, caller: &Caller) {
        let tell = |module: ModuleName| async move {
            let instance = self.slot(&module, |s| s.instance.clone());
            let Ok(Ok(instance)) = instance else { return };
            let order = Control { command: Command::Shutdown, caller: caller.clone() };
            let told = match ask(&instance.handle, order).await {
                Ok(answer) => answer.map_err(AdminError::from),
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::error!(%module, %error, "the module does not take the shutdown");
            }
        };
        futures_util::future::join_all(self.running().into_iter().map(|(m, _)| tell(m))).await;
    }

    /// Modules that are not stopped, with their states.
    fn running(&self) -> Vec<(ModuleName, String)> {
        let slots = self.0.slots.borrow();
        let running = slots.iter().filter(|(_, slot)| slot.role() != Role::Stop);
        running
            .map(|(name, slot)| {
                let (role, readiness) = slot.shown();
                (name.clone(), format!("{role} {readiness}"))
            })
            .collect()
    }

    /// How long a stop may take at most.
    pub(super) fn longest_stop(&self) -> Duration {
        let slots = self.0.slots.borrow();
        let configs = slots.values().filter_map(|slot| slot.config.as_ref());
        configs.map(|c| script_time(c)).max().unwrap_or_default() + MARGIN
    }
}

/// Longest time of the scripts of a stop: each may run in full, then once more by force.
fn script_time(config: &ModuleConfig) -> Duration {
    config.user.as_ref().map_or(Duration::ZERO, |u| (u.nicestoptimeout + u.forcestoptimeout) * SCRIPTS)
}

fn waits_for(left: &[(ModuleName, String)]) -> String {
    let left: Vec<String> = left.iter().map(|(module, state)| format!("{module} ({state})")).collect();
    format!("waiting for the stop of {}", left.join(", "))
}
