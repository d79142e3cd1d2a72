//! SQLite stores: module log, command log, resources and their history.
//!
//! One thread per node writes; handles put records in its bounded queue and never wait for the disk.
//! Who reads waits for what was queued before, so call the reading functions where blocking is allowed.

mod commands;
mod database;
mod module;
mod rows;
mod writer;

#[cfg(test)]
mod tests;

pub use commands::{CommandEntry, Commands};
pub use module::ModuleStore;
pub use rows::{Assignment, Entry, Retention};

use crate::ids::ModuleName;
use crate::log::syslog::Syslog;
use crate::told::Tell;
use database::{File, Schema};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use writer::Writer;

/// Why a store cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("{}: {what}; check the space, the rights and the disk of its directory", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        what: String,
    },
    /// The writer has too much to do, or its disk hangs.
    #[error("{}: too many changes are waiting for the disk; try again", .0.display())]
    Busy(PathBuf),
    /// The writer could not be started, or it has ended.
    #[error("the thread that writes the logs does not run: {0}")]
    NoWriter(String),
}

impl Tell for StoreError {
    fn french(&self) -> String {
        match self {
            StoreError::Database { path, what } => format!(
                "{} : {what} ; vérifiez l'espace, les droits et le disque de son répertoire",
                path.display()
            ),
            StoreError::Busy(path) => {
                format!("{} : trop de changements attendent le disque ; réessayez", path.display())
            }
            StoreError::NoWriter(why) => {
                format!("le thread qui écrit les journaux ne s'exécute pas : {why}")
            }
        }
    }
}

/// The stores of a node. A handle: clone it freely.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    syslog: Arc<Syslog>,
    commands: Commands,
    resources: Arc<File>,
    modules: Arc<Mutex<BTreeMap<ModuleName, ModuleStore>>>,
}

impl Store {
    /// Starts the writer. Files of the node: `log.db` (commands) and `resource.db` in `safevar` (ADM-25).
    pub fn start(safevar: &Path, syslog: Syslog) -> Result<Store, StoreError> {
        let writer = Writer::start().map_err(|e| StoreError::NoWriter(e.to_string()))?;
        let commands = Commands::new(writer.clone(), safevar.join("log.db"));
        let resources = Arc::new(File::new(safevar.join("resource.db"), Schema::Resources));
        Ok(Store { writer, syslog: Arc::new(syslog), commands, resources, modules: Arc::default() })
    }

    /// The log and resources of a module: `log.db` and `resource.db` in `uservar`, which must exist. All
    /// callers share one, until it is closed.
    pub fn module(&self, name: &ModuleName, uservar: &Path) -> ModuleStore {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || ModuleStore::new(name, uservar, self.writer.clone(), Arc::clone(&self.syslog));
        modules.entry(name.clone()).or_insert_with(new).clone()
    }

    /// Writes out and closes the files of a module, e.g. before its directory is removed.
    pub fn close_module(&self, name: &ModuleName) -> Result<(), StoreError> {
        let module = self.modules.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        module.map_or(Ok(()), |module| module.close())
    }

    /// The log of the commands and cluster events of this node.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Notes a resource of the node, e.g. an installed module. Never blocks.
    pub fn set_resource(&self, name: &str, value: &str, time: jiff::Timestamp) {
        self.writer.write(&self.resources, rows::set_resource(name, value, time));
    }

    /// The resources of the node. Blocks.
    pub fn resources(&self) -> Result<Vec<Assignment>, StoreError> {
        self.writer.flush(&self.resources)?;
        self.resources.read(rows::resources)
    }

    /// Applies the retention to the files of the node. Blocks.
    pub fn clean(&self, now: jiff::Timestamp, retention: Retention) -> Result<(), StoreError> {
        self.commands.clean(now, retention)?;
        self.writer.execute(&self.resources, rows::clean("history", now, retention))
    }

    /// Writes out and closes everything, at the end of the program. Blocks.
    pub fn close(&self) -> Result<(), StoreError> {
        let modules = std::mem::take(&mut *self.modules.lock().unwrap_or_else(PoisonError::into_inner));
        let modules = modules.into_values().map(|module| module.close());
        let node = [self.commands.close(), self.writer.close(&self.resources)];
        modules.chain(node).collect()
    }
}
