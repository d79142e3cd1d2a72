//! Modules that run and cannot go on in a new cluster configuration: they are stopped before it is applied
//! (CFG-CL-12). A module that can go on is not touched.

use super::cluster::place_in;
use super::farm;
use super::launch::find_pair;
use super::{Admin, AdminError, Instance, ask, off};
use crate::actors::module::Control;
use crate::config::cluster::ClusterConfig;
use crate::config::paths::Paths;
use crate::control::server::Call;
use crate::fsm::command::Command;
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::told::{Tell, Told, told};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it looks whether a module has stopped.
const LOOK: Duration = Duration::from_millis(100);

/// What the configuration leaves behind, and why. It fails if the whole node is. Blocks.
pub(super) fn left_behind(
    paths: &Paths,
    config: ClusterConfig,
    running: &[(ModuleName, Instance)],
) -> Result<Vec<(ModuleName, Told)>, AdminError> {
    if running.is_empty() {
        return Ok(Vec::new());
    }
    let place = place_in(config)?;
    let why = |(module, instance): &(ModuleName, Instance)| -> Option<(ModuleName, Told)> {
        let handle = &instance.handle;
        if let Some(farm) = &handle.config.farm
            && let Err(error) = farm::lans(farm, &place.config, &place.me)
        {
            return Some((module.clone(), error.told()));
        }
        let before = instance.pair.as_ref()?;
        match find_pair(paths, module, handle.id, &handle.config, &place, &[]) {
            Err(error) => Some((module.clone(), error.told())),
            Ok(pair) if (&pair.me, &pair.peer) != (&before.me, &before.peer) => Some((
                module.clone(),
                told!(
                    "its two nodes or their order in cluster.xml change",
                    "ses deux nœuds ou leur ordre dans cluster.xml changent"
                ),
            )),
            Ok(_) => None,
        }
    };
    Ok(running.iter().filter_map(why).collect())
}

impl Admin {
    /// Stops modules and waits until they are stopped, for as long as their scripts may take. Nothing is
    /// changed when one does not stop.
    pub(super) async fn stop_left_behind(
        &self,
        call: &Call,
        left: Vec<(ModuleName, Told)>,
    ) -> Result<(), AdminError> {
        let end = Instant::now() + self.longest_stop();
        let caller = call.caller.label(None, None);
        for (module, why) in &left {
            let mut text = told!(
                "module {module} cannot go on in this cluster and is stopped: ",
                "le module {module} ne peut pas continuer dans ce cluster, il est arrêté : "
            );
            text += why.clone();
            self.tell(call, text).await;
            let instance = self.instance(module).await?;
            ask(&instance.handle, Control { command: Command::Stop, caller: caller.clone() }).await??;
        }
        for (module, why) in left {
            while self.slot(&module, |slot| slot.role() != Role::Stop).unwrap_or(false) {
                if Instant::now() >= end {
                    return Err(AdminError::Running(module, why));
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// The modules of a proposed configuration that must stop for it.
    pub(super) async fn make_way(
        &self,
        call: &Call,
        config: Option<ClusterConfig>,
    ) -> Result<(), AdminError> {
        let Some(config) = config else { return Ok(()) };
        let (paths, running) = (self.0.paths.clone(), self.running_instances());
        let left = off(move || left_behind(&paths, config, &running)).await??;
        self.stop_left_behind(call, left).await
    }
}
