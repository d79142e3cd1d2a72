//! The thread that writes: a bounded queue, one transaction per file and batch.

use super::database::{File, is_damaged};
use super::{Entry, StoreError, rows};
use crate::log::Message;
use crate::told::told;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Records that may wait for the disk; more are lost and counted.
pub const QUEUE: usize = 8192;
/// Records written in one transaction.
const BATCH: usize = 1024;
/// How long a reader waits for what was queued before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// A change of a file; for a module log the new entry. May run twice: the first time is rolled back.
pub type Write = Box<dyn Fn(&Connection) -> rusqlite::Result<Option<Entry>> + Send>;
type Answer = SyncSender<Result<(), StoreError>>;

enum Task {
    /// A record that nobody waits for.
    Write(Write),
    /// A change whose end somebody awaits.
    Execute(Write, Answer),
    /// The last one before the file is closed.
    Close(Answer),
}

struct Job {
    file: Arc<File>,
    task: Task,
}

/// The way to the writer. The thread ends with its last handle.
#[derive(Clone)]
pub struct Writer {
    jobs: SyncSender<Job>,
}

impl Writer {
    pub fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        std::thread::Builder::new().name("store".into()).spawn(move || run(&queue))?;
        Ok(Writer { jobs })
    }

    /// Queues a record. Never blocks; when the queue is full the record is lost and counted.
    pub fn write(&self, file: &Arc<File>, write: Write) {
        if self.jobs.try_send(Job { file: Arc::clone(file), task: Task::Write(write) }).is_err() {
            file.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes a change and waits for its end.
    pub fn execute(&self, file: &Arc<File>, write: Write) -> Result<(), StoreError> {
        self.wait(file, |answer| Task::Execute(write, answer))
    }

    /// Waits until all that was queued before is in the file.
    pub fn flush(&self, file: &Arc<File>) -> Result<(), StoreError> {
        self.execute(file, Box::new(|_| Ok(None)))
    }

    /// Writes out and closes a file. The next record opens it again.
    pub fn close(&self, file: &Arc<File>) -> Result<(), StoreError> {
        self.wait(file, Task::Close)
    }

    fn wait(&self, file: &Arc<File>, task: impl FnOnce(Answer) -> Task) -> Result<(), StoreError> {
        let ended = || StoreError::NoWriter("it has ended".into());
        let (answer, answered) = sync_channel(1);
        match self.jobs.try_send(Job { file: Arc::clone(file), task: task(answer) }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(StoreError::Busy(file.path.clone())),
            Err(TrySendError::Disconnected(_)) => return Err(ended()),
        }
        answered.recv_timeout(PATIENCE).unwrap_or_else(|error| match error {
            RecvTimeoutError::Timeout => Err(StoreError::Busy(file.path.clone())),
            RecvTimeoutError::Disconnected => Err(ended()),
        })
    }
}

type Open = HashMap<PathBuf, (Arc<File>, Connection)>;

fn run(queue: &Receiver<Job>) {
    let mut open = Open::new();
    while let Ok(first) = queue.recv() {
        let mut batch: Vec<Job> = std::iter::once(first).chain(queue.try_iter().take(BATCH - 1)).collect();
        while let Some(file) = batch.first().map(|job| Arc::clone(&job.file)) {
            let (mine, rest) = batch.into_iter().partition(|job: &Job| job.file.path == file.path);
            batch = rest;
            write_all(&mut open, &file, mine);
        }
        open.values().for_each(|(file, connection)| report_lost(file, connection));
    }
}

/// Everything that a batch has for one file, and the answers.
fn write_all(open: &mut Open, file: &Arc<File>, jobs: Vec<Job>) {
    let mut result = transaction(open, file, &jobs);
    if result.as_ref().is_err_and(is_damaged) {
        // Opening it again moves the damaged file aside.
        open.remove(&file.path);
        result = transaction(open, file, &jobs);
    }
    let answer = result.as_ref().map(|_| ()).map_err(|error| file.error(error));
    if let Err(error) = &answer {
        let records = jobs.iter().filter(|job| matches!(job.task, Task::Write(_))).count();
        file.lost.fetch_add(records as u64, Ordering::Relaxed);
        tracing::warn!(%error, records, "records are lost");
    }
    if let Some(followers) = &file.followers {
        for entry in result.into_iter().flatten() {
            // Nobody may be following.
            let _ = followers.send(entry);
        }
    }
    for job in jobs {
        if let Task::Close(_) = job.task {
            open.remove(&file.path);
        }
        if let Task::Execute(_, to) | Task::Close(to) = job.task {
            // Who asked may have lost patience.
            let _ = to.try_send(answer.clone());
        }
    }
}

fn transaction(open: &mut Open, file: &Arc<File>, jobs: &[Job]) -> rusqlite::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    if jobs.iter().all(|job| matches!(job.task, Task::Close(_))) {
        // Its directory may be gone: a file is not opened only to be closed.
        return Ok(entries);
    }
    if !open.contains_key(&file.path) {
        let (connection, moved) = file.open()?;
        if let (Some(moved), Some(_)) = (moved, &file.followers) {
            let moved = moved.display();
            let text = told!(
                "The log was damaged: it was moved to {moved}",
                "Le journal était endommagé : il a été déplacé vers {moved}"
            );
            entries.extend(rows::append(jiff::Timestamp::now(), &Message::Error(text))(&connection)?);
        }
        open.insert(file.path.clone(), (Arc::clone(file), connection));
    }
    let Some((_, connection)) = open.get(&file.path) else { return Ok(entries) };
    let transaction = connection.unchecked_transaction()?;
    for job in jobs {
        if let Task::Write(write) | Task::Execute(write, _) = &job.task {
            entries.extend(write(&transaction)?);
        }
    }
    transaction.commit()?;
    Ok(entries)
}

/// Says in the log how many of its messages are missing.
fn report_lost(file: &File, connection: &Connection) {
    let lost = file.lost.swap(0, Ordering::Relaxed);
    if lost == 0 {
        return;
    }
    let Some(followers) = &file.followers else {
        tracing::warn!(lost, "{}: records are missing", file.path.display());
        return;
    };
    match rows::append(jiff::Timestamp::now(), &Message::Lost(lost))(connection) {
        Ok(entry) => {
            // Nobody may be following.
            let _ = entry.map(|entry| followers.send(entry));
        }
        Err(_) => {
            file.lost.fetch_add(lost, Ordering::Relaxed);
        }
    }
}
