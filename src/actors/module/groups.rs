//! The process groups of a module: one per class of scripts, so that a swap can end what runs for
//! the primary and nothing else (S9).

use crate::fsm::scripts::Script;
use crate::guard::cgroup::{AppGroup, GroupError};
use crate::ids::ModuleName;
use crate::told::{Tell, Told, told};
use std::path::Path;
use std::time::Instant;

/// The groups.
#[derive(Clone, Debug)]
pub struct Groups {
    /// What a fence kills.
    pub fence: AppGroup,
    prim: AppGroup,
    second: AppGroup,
    both: AppGroup,
    /// Custom checkers: they outlive a stop of the application.
    pub checkers: AppGroup,
}

impl Groups {
    /// Makes or finds the groups of a module. Without control groups processes are told apart by
    /// their marks; a fence then kills what runs for the primary.
    ///
    /// # Errors
    /// A control group cannot be made where there should be one.
    pub fn open(module: &ModuleName, run: &Path) -> Result<Groups, GroupError> {
        match AppGroup::open(module, run)? {
            AppGroup::Cgroup(base) => {
                let app = base.join("app");
                let class = |name: &'static str| AppGroup::in_cgroup(&app, &word(name));
                Ok(Groups {
                    fence: AppGroup::in_cgroup(&base, &word("app"))?,
                    prim: class("prim")?,
                    second: class("second")?,
                    both: class("both")?,
                    checkers: AppGroup::in_cgroup(&base, &word("checkers"))?,
                })
            }
            AppGroup::Marked(_) => {
                let class = |name: &'static str| AppGroup::by_mark(&marked(module, name), run);
                let prim = class("prim")?;
                Ok(Groups {
                    fence: prim.clone(),
                    prim,
                    second: class("second")?,
                    both: class("both")?,
                    checkers: class("checkers")?,
                })
            }
        }
    }

    /// The group in which a script runs, and with it what it starts.
    pub fn of(&self, script: Script) -> &AppGroup {
        match script {
            Script::StartPrim | Script::StopPrim => &self.prim,
            Script::StartSecond | Script::StopSecond | Script::StartSec | Script::StopSec => &self.second,
            _ => &self.both,
        }
    }

    /// Kills the application and sees it gone, at `deadline` at the latest. `swap`: only what runs for
    /// the primary. The error says what is left. Blocks.
    pub fn kill(&self, swap: bool, deadline: Instant) -> Result<(), Told> {
        let all = [&self.prim, &self.second, &self.both, &self.fence];
        let groups = if swap { &all[..1] } else { &all[..] };
        for group in groups {
            match group.kill_until_empty(deadline) {
                Ok(true) => {}
                Ok(false) => {
                    return Err(told!(
                        "processes of {group:?} do not end",
                        "les processus de {group:?} ne se terminent pas"
                    ));
                }
                Err(e) => return Err(e.told()),
            }
        }
        Ok(())
    }
}

fn word(name: &'static str) -> ModuleName {
    // A fixed word of letters is a good name.
    name.parse().unwrap_or_else(|_| unreachable!("{name} is a good name"))
}

/// A name of its own for the marks of a class: the longest module name leaves no room, so it is cut.
fn marked(module: &ModuleName, class: &'static str) -> ModuleName {
    let keep: String = module.as_str().chars().take(31 - class.len()).collect();
    format!("{keep}-{class}").parse().unwrap_or_else(|_| module.clone())
}
