//! The beginning of a farm or light module.

use super::group::Part;
use super::{Farm, FarmSetup};
use crate::actors::module::launch::{self, Start};
use crate::actors::module::{LaunchError, ModuleAddr, ModuleHandle, Setup};
use crate::fsm::farm::{Config, State};

/// Starts a farm module or, without `of_farm`, a light one, on an arbiter of its own. What a former safeadmin of the same boot
/// left is taken over (DESIGN 3). Reads files and may ask the resolver: call it from a blocking thread.
///
/// # Errors
/// See [`LaunchError`]; nothing runs then.
pub fn launch_farm(setup: Setup, of_farm: Option<FarmSetup>) -> Result<ModuleHandle, LaunchError> {
    let fsm = Config {
        farm: of_farm.is_some(),
        scripts: launch::scripts(&setup),
        automatic_reboot: setup.config.service.automatic_reboot,
    };
    let prepared = launch::prepare::<Farm>(setup, fsm)?;
    let launched = launch::start(prepared, move |p, _| {
        let state = match p.kept.clone() {
            Some(kept) => State { record: p.record, ..kept },
            None => State::stopped(p.record, 0),
        };
        Start { state, own: Farm { setup: of_farm, part: Part::default() } }
    });
    Ok(launched.handle(ModuleAddr::Farm))
}
