//! What outlives this process: the durable record, and the state for a control plane that comes
//! back in the same boot (DESIGN 3).

use super::{Kind, Module};
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::node::record::{self, RecordError};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::PathBuf;

/// The durable record (DESIGN 6).
pub fn record_path<K: Kind>(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join(K::RECORD)
}

/// The state as it was last: of use as long as this boot of the node lasts.
fn state_path<K: Kind>(paths: &Paths, module: &ModuleName) -> PathBuf {
    paths.uservar(module).join(K::STATE)
}

#[derive(Serialize, Deserialize)]
struct Kept<S> {
    boot: String,
    state: S,
    /// See `Shown::starts`.
    #[serde(default)]
    starts: u64,
}

/// The record of a module; the first one for a module that never ran.
///
/// # Errors
/// The file is damaged: what it said is not guessed.
pub fn load_record<K: Kind>(paths: &Paths, module: &ModuleName) -> Result<K::Record, RecordError> {
    Ok(record::load(&record_path::<K>(paths, module))?.unwrap_or_else(K::first_record))
}

/// The state that a former safeadmin of this boot left, and the last start of the application.
pub fn load_state<K: Kind>(paths: &Paths, module: &ModuleName, boot: &str) -> Option<(K::State, u64)> {
    let text = std::fs::read(state_path::<K>(paths, module)).ok()?;
    match serde_json::from_slice::<Kept<K::State>>(&text) {
        Ok(kept) if kept.boot == boot => Some((kept.state, kept.starts)),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%module, %error, "the state of the last safeadmin cannot be read");
            None
        }
    }
}

impl<K: Kind> Module<K> {
    /// Keeps the state for a control plane that comes back. It need not survive the power: another
    /// boot begins with the record. The page cache keeps it when this process dies.
    pub(super) fn keep(&self) {
        let path = state_path::<K>(&self.setup.paths, &self.setup.name);
        let fresh = path.with_extension("new");
        let (boot, starts) = (self.setup.boot.clone(), self.shown.borrow().starts);
        let kept = Kept { boot, state: &self.state, starts };
        let written = serde_json::to_vec(&kept).map_err(std::io::Error::from).and_then(|bytes| {
            std::fs::File::create(&fresh)?.write_all(&bytes)?;
            std::fs::rename(&fresh, &path)
        });
        if let Err(error) = written {
            tracing::warn!(module = %self.setup.name, %error, "the state cannot be kept for a restart of safeadmin");
        }
    }
}
