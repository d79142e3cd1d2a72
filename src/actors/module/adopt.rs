//! What outlives this process: the durable record, and the state for a control plane that comes
//! back in the same boot (DESIGN 3).

use super::Module;
use crate::config::paths::Paths;
use crate::fsm::generation::Record;
use crate::fsm::mirror::State;
use crate::ids::ModuleName;
use crate::node::record::{self, RecordError};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;

/// The durable record (DESIGN 6).
pub fn record_path(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("record.json")
}

/// The state as it was last: of use as long as this boot of the node lasts.
fn state_path(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join("state.json")
}

#[derive(Serialize, Deserialize)]
struct Kept {
    boot: String,
    state: State,
}

/// The record of a module; the first one for a module that never ran.
///
/// # Errors
/// The file is damaged: what it said is not guessed.
pub fn load_record(paths: &Paths, module: &ModuleName) -> Result<Record, RecordError> {
    Ok(record::load(&record_path(paths, module))?.unwrap_or_else(Record::first))
}

/// The state that a former safeadmin of this boot left, if the module was not in STOP.
pub fn load_state(paths: &Paths, module: &ModuleName, boot: &str) -> Option<State> {
    let text = std::fs::read(state_path(paths, module)).ok()?;
    match serde_json::from_slice::<Kept>(&text) {
        Ok(kept) if kept.boot == boot => Some(kept.state),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%module, %error, "the state of the last safeadmin cannot be read");
            None
        }
    }
}

impl Module {
    /// Keeps the state for a control plane that comes back. It need not survive the power: another
    /// boot begins with the record. The page cache keeps it when this process dies.
    pub(super) fn keep(&self) {
        let path = state_path(&self.setup.paths, &self.setup.name);
        let fresh = path.with_extension("new");
        let kept = Kept { boot: self.setup.boot.clone(), state: self.state.clone() };
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from).and_then(|bytes| {
            std::fs::File::create(&fresh)?.write_all(&bytes)?;
            std::fs::rename(&fresh, &path)
        });
        if let Err(error) = written {
            tracing::warn!(module = %self.setup.name, %error, "the state cannot be kept for a restart of safeadmin");
        }
    }
}
