//! The policies of synchronization: how old data may be that starts (`syncdelta`), when a secondary
//! synchronizes (`syncat`), and the dates of the last synchronization. Decisions are in
//! [`crate::fsm::synced`].

use super::Mirror;
use crate::actors::module::resources::unix_now;
use crate::actors::module::{Module, name};
use crate::config::paths::Paths;
use crate::control::LogChoice;
use crate::fsm::mirror::{At, Event, Peer};
use crate::fsm::resource::Value;
use crate::fsm::state::Role;
use crate::fsm::sync::How;
use crate::fsm::synced::{self, Stamps};
use crate::ids::ModuleName;
use crate::node::record;
use crate::told::{Told, told};
use actix::prelude::*;
use std::path::PathBuf;
use std::time::Duration;

/// What this node keeps, and what it said as primary since its secondary is in step.
#[derive(Debug, Default)]
pub(super) struct Dates {
    kept: Option<Stamps>,
    said: Option<u64>,
    storing: bool,
}

/// File of the dates.
fn path(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("synctimestamp.json")
}

impl Dates {
    /// Those that are kept. A file that cannot be read says nothing.
    pub(super) fn load(paths: &Paths, module: &ModuleName) -> Dates {
        let kept = record::load(&path(paths, module)).unwrap_or_else(|error| {
            tracing::warn!(%module, %error, "the date of the last synchronization is not known");
            None
        });
        Dates { kept, ..Dates::default() }
    }
}

impl Module<Mirror> {
    /// Moves the dates of a pair in step on (RFS-28).
    pub(super) fn keep_dates(&mut self, ctx: &mut Context<Self>) {
        if !self.fsm.data || self.own.dates.storing {
            return;
        }
        let (now, theirs) = (unix_now(), self.their_dates().map(|d| d.0));
        let date = match (&self.state.at, theirs) {
            (At::Prim, _) if synced::due(self.own.dates.kept, self.own.dates.said, theirs, now) => {
                self.own.dates.said = Some(now);
                now
            }
            (At::Prim, _) => return,
            (At::Second, Some(last)) if self.state.promotable => {
                if self.own.dates.kept.is_some_and(|s| s.last == last) {
                    return;
                }
                last
            }
            _ => {
                self.own.dates.said = None;
                return;
            }
        };
        self.own.dates.storing = true;
        let stamps = Stamps::next(self.own.dates.kept, date, now);
        let file = path(&self.setup.paths, &self.setup.name);
        let stored = tokio::task::spawn_blocking(move || record::store(&file, &stamps)).into_actor(self);
        ctx.spawn(stored.map(move |result, module, _| {
            module.own.dates.storing = false;
            match result {
                Ok(Ok(())) => {
                    module.own.dates.kept = Some(stamps);
                    module.show_dates();
                }
                Ok(Err(error)) => module.not_kept(&error.to_string()),
                Err(error) => module.not_kept(&error.to_string()),
            }
        }));
    }

    fn not_kept(&mut self, error: &str) {
        self.own.dates.said = None;
        tracing::warn!(module = %self.setup.name, %error, "the date of the synchronization is not kept");
    }

    /// The peer, and whoever asks, sees them.
    pub(super) fn show_dates(&mut self) {
        if let Some(stamps) = self.own.dates.kept.filter(|_| self.fsm.data) {
            self.assign(&name("rfs", "synctimestamp"), Value::Text(stamps.shown()));
        }
    }

    fn their_dates(&self) -> Option<(u64, u64)> {
        match self.own.remote.as_ref()?.get(&name("rfs", "synctimestamp"))? {
            Value::Text(text) => synced::dates(text),
            _ => None,
        }
    }

    /// ST-37: why an automatic reintegration cannot be applied. A full copy needs no date, nor does
    /// what an operator brought from elsewhere.
    pub(super) fn abnormal(&self, how: &How) -> Option<Told> {
        let (mine, theirs) = (self.own.dates.kept?, self.their_dates()?);
        let refused = *how == How::Modified && synced::abnormal(mine, theirs);
        refused.then(|| {
            let (mine, theirs) = (mine.last, theirs.0);
            told!(
                "the nodes were last synchronized at {mine} for this node, at {theirs} for the other (seconds since 1970)",
                "les nœuds ont été synchronisés pour la dernière fois à {mine} pour ce nœud, à {theirs} pour l'autre \
                 (secondes depuis 1970)"
            )
        })
    }

    pub(super) fn refuse_reintegration(&mut self, id: u64, why: Told, ctx: &mut Context<Self>) {
        ctx.run_later(Duration::ZERO, move |module, ctx| {
            module.feed(Event::ReintegrationRefused(id, why), ctx);
        });
    }

    /// `rfs.synced` and `rfs.syncat`, each with its configuration only (RES-33, RES-34).
    pub(super) fn check_policies(&mut self) {
        let Some(rfs) = &self.setup.config.rfs else { return };
        let (delta, scheduled) = (rfs.tolerance(), rfs.syncat.is_some());
        if let Some(delta) = delta {
            let value = self.synced(delta);
            self.policy("synced", value, "syncedcheck");
        }
        let silent = self.state.peer == Peer::Silent;
        if scheduled && let Some(value) = synced::scheduled(self.state.posture(), silent) {
            self.policy("syncat", value, "rfsplug");
        }
    }

    fn synced(&self, delta: Duration) -> Value {
        let stopped = self.state.shown().0 == Role::Stop;
        if stopped || !self.checkers_on {
            return Value::Init;
        }
        let consistent = !self.state.record.reintegrating;
        match synced::synced(self.own.dates.kept, consistent, delta.as_secs(), unix_now()) {
            true => Value::Up,
            false => Value::Down,
        }
    }

    fn policy(&mut self, id: &str, value: Value, setter: &str) {
        let resource = name("rfs", id);
        if self.values.get(&resource).is_none_or(|(old, _)| *old != value) {
            let log = if value == Value::Init { LogChoice::Never } else { LogChoice::Always };
            self.set(&resource, value, setter, log);
        }
    }
}
