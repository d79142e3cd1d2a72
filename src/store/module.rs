//! The log and the resources of one module.

use super::database::{File, Schema};
use super::writer::Writer;
use super::{Assignment, Entry, Retention, StoreError, rows};
use crate::fsm::resource::{ResourceName, Value};
use crate::ids::ModuleName;
use crate::log::syslog::Syslog;
use crate::log::{Lang, LogFilter, LogPage, Message};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Entries a follower may lag behind before it has to read the log again.
const FOLLOW: usize = 1024;

/// The log and the resources of a module. A handle: clone it freely.
#[derive(Clone)]
pub struct ModuleStore {
    name: ModuleName,
    pub(super) writer: Writer,
    syslog: Arc<Syslog>,
    pub(super) log: Arc<File>,
    followers: broadcast::Sender<Entry>,
    resources: Arc<File>,
}

impl ModuleStore {
    pub(super) fn new(name: &ModuleName, uservar: &Path, writer: Writer, syslog: Arc<Syslog>) -> Self {
        let followers = broadcast::Sender::new(FOLLOW);
        let log = Arc::new(File::log(uservar.join("log.db"), followers.clone()));
        let resources = Arc::new(File::new(uservar.join("resource.db"), Schema::Resources));
        ModuleStore { name: name.clone(), writer, syslog, log, followers, resources }
    }

    /// Appends to the module log, and to the system journal what belongs to the main log. Never blocks:
    /// what the disk cannot take is lost, counted, and said in one line.
    pub fn append(&self, time: Timestamp, message: &Message) {
        self.syslog.send(self.name.as_str(), message);
        self.writer.write(&self.log, rows::append(time, message));
    }

    /// The newest `n` entries, oldest first, with all that was appended before; `all`: verbose ones too.
    /// Blocks.
    pub fn tail(&self, n: u32, all: bool) -> Result<Vec<Entry>, StoreError> {
        self.page(&LogPage {
            before: i64::MAX,
            count: n,
            all,
            filter: LogFilter::default(),
            lang: Lang::default(),
        })
    }

    /// A page of the log, oldest first, with all that was appended before. Blocks.
    pub fn page(&self, page: &LogPage) -> Result<Vec<Entry>, StoreError> {
        self.writer.flush(&self.log)?;
        self.log.read(|db| rows::page(db, page))
    }

    /// First and last id of what a page takes, to read it in parts; none if it takes nothing. Blocks.
    pub fn span(&self, page: &LogPage) -> Result<Option<(i64, i64)>, StoreError> {
        self.writer.flush(&self.log)?;
        self.log.read(|db| rows::span(db, page))
    }

    /// The oldest `n` entries of a span that a page takes, oldest first. Blocks.
    pub fn part(&self, span: (i64, i64), n: u32, page: &LogPage) -> Result<Vec<Entry>, StoreError> {
        self.log.read(|db| rows::part(db, span, n, page))
    }

    /// New entries from now on. To follow a log: subscribe, then read the `tail`, then skip ids that the
    /// tail had. Who lags too far behind is told so and reads the tail again.
    pub fn subscribe(&self) -> broadcast::Receiver<Entry> {
        self.followers.subscribe()
    }

    /// Notes the value of a resource. Never blocks.
    pub fn set_resource(&self, name: &ResourceName, value: &Value, time: Timestamp) {
        self.writer.write(&self.resources, rows::set_resource(&name.to_string(), &value.to_string(), time));
    }

    /// The last value of every resource, by name. Blocks.
    pub fn resources(&self) -> Result<Vec<Assignment>, StoreError> {
        self.writer.flush(&self.resources)?;
        self.resources.read(rows::resources)
    }

    /// The newest `n` values of a resource, oldest first. Blocks.
    pub fn resources_history(&self, name: &ResourceName, n: u32) -> Result<Vec<Assignment>, StoreError> {
        self.writer.flush(&self.resources)?;
        self.resources.read(|db| rows::history(db, &name.to_string(), n))
    }

    /// Empties the log. Ids go on where they were. Blocks.
    pub fn clear_log(&self) -> Result<(), StoreError> {
        self.writer.execute(&self.log, Box::new(|db| db.execute("DELETE FROM message", []).map(|_| None)))
    }

    /// Empties the resources and their history. Blocks.
    pub fn clear_resources(&self) -> Result<(), StoreError> {
        let clear = "DELETE FROM resource; DELETE FROM history";
        self.writer.execute(&self.resources, Box::new(move |db| db.execute_batch(clear).map(|()| None)))
    }

    /// Applies the retention. Blocks.
    pub fn clean(&self, now: Timestamp, retention: Retention) -> Result<(), StoreError> {
        self.writer.execute(&self.log, rows::clean("message", now, retention))?;
        self.writer.execute(&self.resources, rows::clean("history", now, retention))
    }

    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.writer.close(&self.log).and(self.writer.close(&self.resources))
    }
}
