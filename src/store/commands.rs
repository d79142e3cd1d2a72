//! The command log of a node (MSG-CMD): commands that change it, and events of the cluster.

use super::database::{File, Schema};
use super::rows::{local, printable};
use super::writer::Writer;
use super::{Retention, StoreError, rows};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// The command log. A handle: clone it freely.
#[derive(Clone)]
pub struct Commands {
    writer: Writer,
    file: Arc<File>,
    written: watch::Sender<()>,
}

/// A line of the command log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandEntry {
    /// Grows with every line of this log; never used again.
    pub id: i64,
    /// Microseconds since 1970.
    pub time: i64,
    /// `safekit` for commands, `cluster` for events, `web` for logins; empty at the end of a command.
    pub kind: String,
    /// Module, if it is about one.
    pub module: String,
    /// Joins START and END of a command: its process, or a number beyond all processes for a command of
    /// the web service. 0 for events.
    pub pid: u32,
    /// `START`, `END` or `I`.
    pub keyword: String,
    /// Arguments of the command, its return value, or the text of the event.
    pub arguments: String,
}

impl CommandEntry {
    /// `| date | type | module | pid | keyword | arguments` (MSG-CMD-01), on one line whatever the text.
    pub fn line(&self, zone: &TimeZone) -> String {
        let cell = |text: &str| if text.is_empty() { "|".into() } else { format!("| {}", printable(text)) };
        let (kind, module, arguments) = (cell(&self.kind), cell(&self.module), cell(&self.arguments));
        let CommandEntry { pid, keyword, .. } = self;
        format!("| {} {kind} {module} | {pid} | {keyword} {arguments}", local(self.time, zone))
    }
}

impl Commands {
    pub(super) fn new(writer: Writer, path: PathBuf) -> Self {
        let file = Arc::new(File::new(path, Schema::Commands));
        Commands { writer, file, written: watch::Sender::new(()) }
    }

    /// A command begins. `arguments` must hold no secret. Never blocks.
    pub fn start(&self, time: Timestamp, module: Option<&str>, pid: u32, arguments: &str) {
        self.write(time, "safekit", module.unwrap_or_default(), pid, "START", arguments);
    }

    /// A command ends with this exit code. Never blocks.
    pub fn end(&self, time: Timestamp, pid: u32, code: i32) {
        self.write(time, "", "", pid, "END", &code.to_string());
    }

    /// An event of the cluster, e.g. `module state change on node node1`. Never blocks.
    pub fn event(&self, time: Timestamp, module: Option<&str>, text: &str) {
        self.write(time, "cluster", module.unwrap_or_default(), 0, "I", text);
    }

    /// Who logged in to the web service, or could not. Never blocks.
    pub fn session(&self, time: Timestamp, text: &str) {
        self.write(time, "web", "", 0, "I", text);
    }

    /// The newest `n` lines, oldest first. Blocks.
    pub fn list(&self, n: u32) -> Result<Vec<CommandEntry>, StoreError> {
        self.since(i64::MIN, n)
    }

    /// The newest `n` lines after the one with this id, oldest first. Blocks.
    pub fn since(&self, id: i64, n: u32) -> Result<Vec<CommandEntry>, StoreError> {
        self.writer.flush(&self.file)?;
        self.file.read(|db| list(db, id, n))
    }

    /// Wakes when there are lines more.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.written.subscribe()
    }

    pub(super) fn clean(&self, now: Timestamp, retention: Retention) -> Result<(), StoreError> {
        self.writer.execute(&self.file, rows::clean("command", now, retention))
    }

    pub(super) fn close(&self) -> Result<(), StoreError> {
        self.writer.close(&self.file)
    }

    fn write(
        &self,
        time: Timestamp,
        kind: &'static str,
        module: &str,
        pid: u32,
        keyword: &'static str,
        arguments: &str,
    ) {
        let (time, module, arguments) = (time.as_microsecond(), module.to_owned(), arguments.to_owned());
        let insert = "INSERT INTO command (time, type, module, pid, keyword, arguments) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let write = move |db: &Connection| {
            db.prepare_cached(insert)?.execute(params![time, kind, module, pid, keyword, arguments])?;
            Ok(None)
        };
        self.writer.write(&self.file, Box::new(write));
        self.written.send_replace(());
    }
}

fn list(db: &Connection, after: i64, n: u32) -> rusqlite::Result<Vec<CommandEntry>> {
    let mut query = db.prepare(
        "SELECT id, time, type, module, pid, keyword, arguments FROM command WHERE id > ?1 \
         ORDER BY id DESC LIMIT ?2",
    )?;
    let read = |row: &Row<'_>| {
        Ok(CommandEntry {
            id: row.get(0)?,
            time: row.get(1)?,
            kind: row.get(2)?,
            module: row.get(3)?,
            pid: row.get(4)?,
            keyword: row.get(5)?,
            arguments: row.get(6)?,
        })
    };
    let mut entries = query.query_map(params![after, n], read)?.collect::<Result<Vec<_>, _>>()?;
    entries.reverse();
    Ok(entries)
}
