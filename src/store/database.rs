//! One SQLite file: opening, tables, and what to do when it is damaged.

use super::{Entry, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::broadcast;

/// How long one side waits while the other one changes the file.
const BUSY: Duration = Duration::from_secs(5);

const LOG: &str = "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY AUTOINCREMENT, \
     time INTEGER NOT NULL, origin TEXT NOT NULL, level TEXT NOT NULL, en TEXT NOT NULL, fr TEXT NOT NULL)";
const COMMANDS: &str = "CREATE TABLE IF NOT EXISTS command (id INTEGER PRIMARY KEY AUTOINCREMENT, \
     time INTEGER NOT NULL, type TEXT NOT NULL, module TEXT NOT NULL, pid INTEGER NOT NULL, \
     keyword TEXT NOT NULL, arguments TEXT NOT NULL)";
const RESOURCES: &str = "CREATE TABLE IF NOT EXISTS resource (name TEXT PRIMARY KEY, value TEXT NOT NULL, \
     time INTEGER NOT NULL); \
     CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, \
     value TEXT NOT NULL, time INTEGER NOT NULL); \
     CREATE INDEX IF NOT EXISTS history_name ON history (name, id)";

/// What a file holds. Times are microseconds since 1970.
#[derive(Clone, Copy)]
pub enum Schema {
    Log,
    Commands,
    Resources,
}

/// A file as handles and writer share it.
pub struct File {
    pub path: PathBuf,
    schema: Schema,
    /// Records that did not reach the file and are not reported yet.
    pub lost: AtomicU64,
    /// New entries of a module log, as soon as they are in the file.
    pub followers: Option<broadcast::Sender<Entry>>,
}

impl File {
    pub fn new(path: PathBuf, schema: Schema) -> Self {
        File { path, schema, lost: AtomicU64::new(0), followers: None }
    }

    /// A module log with followers.
    pub fn log(path: PathBuf, followers: broadcast::Sender<Entry>) -> Self {
        File { followers: Some(followers), ..File::new(path, Schema::Log) }
    }

    /// Opens the file for the writer. A damaged one is moved aside (its new path is the second value): a
    /// log must never stop a module.
    pub fn open(&self) -> rusqlite::Result<(Connection, Option<PathBuf>)> {
        match self.connect() {
            Err(error) if is_damaged(&error) => {
                let moved = self.move_aside(&error);
                self.connect().map(|connection| (connection, moved))
            }
            result => result.map(|connection| (connection, None)),
        }
    }

    /// Runs a query on an own connection, beside the writer.
    pub fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read = || {
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(BUSY)?;
            query(&connection)
        };
        read().map_err(|error| self.error(&error))
    }

    pub fn error(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), what: error.to_string() }
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(BUSY)?;
        // With WAL a crash of the program loses nothing, one of the machine at most the last moments.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            return Err(rusqlite::Error::SqliteFailure(corrupt, Some(check)));
        }
        connection.execute_batch(match self.schema {
            Schema::Log => LOG,
            Schema::Commands => COMMANDS,
            Schema::Resources => RESOURCES,
        })?;
        Ok(connection)
    }

    /// Renames the file and its companions to `<name>.corrupt-<date>`; where that is impossible the next
    /// attempt to open it says so.
    fn move_aside(&self, error: &rusqlite::Error) -> Option<PathBuf> {
        let date = jiff::Zoned::now().strftime("%Y-%m-%dT%H%M%S").to_string();
        let aside = with_suffix(&self.path, &format!(".corrupt-{date}"));
        let renamed = std::fs::rename(&self.path, &aside);
        for companion in ["-wal", "-shm"] {
            // Usually there is none.
            let _ = std::fs::rename(with_suffix(&self.path, companion), with_suffix(&aside, companion));
        }
        match renamed {
            Ok(()) => {
                tracing::warn!(%error, moved = %aside.display(), "{} was damaged", self.path.display());
                Some(aside)
            }
            Err(rename) => {
                tracing::warn!(%error, %rename, "{} is damaged and cannot be moved", self.path.display());
                None
            }
        }
    }
}

/// Whether the file itself is at fault, and not its directory, its rights or the disk.
pub fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
