//! The secondary's side: rounds until both trees are equal.

mod bring;
mod client;
mod decide;
mod links;
mod place;
mod round;
mod shared;
mod trash;
mod walk;

pub use client::Open;
pub(super) use client::{Client, Page};

use super::beneath::TreePath;
use super::{Progress, ResyncError};
use crate::rfs::op::Name;
use crate::rfs::rescue::What;
use crate::rfs::zones::Zones;
use shared::{Job, Shared};
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use walk::Walk;

/// Jobs that wait for a worker.
const QUEUE: usize = 256;
/// Rounds before the hold, however much still changes.
const ROUNDS_MOST: u32 = 20;
/// A round that moved less than this is followed by the last one.
const SMALL: u64 = 16 << 20;
/// Last rounds that may fail because the hold was too short.
const HOLDS_MOST: u32 = 5;
/// Times that one hold goes on with what its round left, since nothing changes any more.
const PASSES_MOST: u32 = 4;
/// Files that are asked for again; with more, everything is examined.
const OWED_MOST: usize = 1 << 16;

/// Says whether a path is replicated (RFS-16).
pub type Replicated = Arc<dyn Fn(&[Name]) -> bool + Send + Sync>;

/// Is told of every file whose bytes were looked at.
pub type Detail = Arc<dyn Fn(String) + Send + Sync>;

/// Keeps what is at a path of this node's tree before it is changed (S6): its directory, its path, and
/// how it differs from the primary's. What it refuses stays as it is.
pub type Keep = Arc<dyn Fn(&OwnedFd, &TreePath, What) -> Result<(), String> + Send + Sync>;

/// How a secondary reintegrates.
#[derive(Clone)]
pub struct Options {
    /// Threads that copy, each with its own connection (`nbrei`).
    pub workers: usize,
    /// Bytes that are compared by one hash (`ruzone_blocksize`), 4 KiB to 64 MiB.
    pub zone_bytes: u32,
    /// Bytes of a file in one message (`reipacketsize`), at most 4 MiB.
    pub packet: u32,
    /// KB/s that may be received (`reiallowedbw`), 10 % more or less.
    pub bandwidth: Option<u64>,
    /// Replicate ACLs (RFS-17).
    pub acl: bool,
    /// What is replicated; `None`: everything.
    pub replicated: Option<Replicated>,
    /// Bytes of a file after which it is committed to the disk (`reicommit`); 0: at the end only.
    pub commit: u64,
    /// A full run does not copy again what an interrupted one has copied (`namespacepolicy`).
    pub resume: bool,
    /// Details for the log (`reidetail`).
    pub detail: Option<Detail>,
    /// What changed on this node while it was alone or crashed, for [`Plan::Zones`].
    pub own: Option<Arc<Zones>>,
    /// This node's clock, ns since 1970, up to which nothing but replication changed files here: what
    /// changed since is examined whatever any zone says.
    pub settled_at: Option<u64>,
    /// For a node that may hold what nobody else has.
    pub keep: Option<Keep>,
}

impl Default for Options {
    fn default() -> Options {
        let replicated = None;
        Options {
            workers: 3,
            zone_bytes: 8 << 20,
            packet: 1 << 20,
            bandwidth: None,
            acl: false,
            replicated,
            commit: 0,
            resume: true,
            detail: None,
            own: None,
            settled_at: None,
            keep: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("workers", &self.workers).finish_non_exhaustive()
    }
}

/// What the first round copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Every file whole (RFS-20, RFS-23).
    Full,
    /// What differs, by hash (RFS-22).
    Hash,
    /// What the primary's zones say (RFS-21).
    Zones,
    /// Files modified later than this second whole, others where length or date differ (RFS-60).
    Since(i64),
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Regular files that were looked at.
    pub files: u64,
    /// Bytes of files that were received.
    pub bytes: u64,
    /// Bytes that were compared by hash.
    pub compared: u64,
    /// Rounds, the held one included.
    pub rounds: u32,
}

/// Pulls a tree into a directory of this node.
#[derive(Debug)]
pub struct Target {
    root: OwnedFd,
    options: Options,
    progress: Arc<Progress>,
}

impl Target {
    /// A target that writes to the backing directory `root`.
    pub fn new(root: OwnedFd, options: Options, progress: Arc<Progress>) -> Target {
        Target { root, options, progress }
    }

    pub(super) fn parts(&self) -> (&OwnedFd, &Options, &Progress) {
        (&self.root, &self.options, &self.progress)
    }

    /// Makes the tree equal to the primary's. `attached` is called as soon as the stream is. `open` makes one more connection. On success everything
    /// is on this node's disk and the stream is attached on the primary.
    ///
    /// # Errors
    /// The connection, the primary, this node's disk, a file that refused to be changed, `cancel`.
    pub fn run(&self, open: impl Open, plan: Plan, attached: impl FnOnce()) -> Result<Outcome, ResyncError> {
        let shared = Shared::new(&self.root, &self.options, &self.progress, plan)?;
        let mut walk = Walk::new(&shared, Client::connect(&open, self.options.acl)?)?;
        let pool = Mutex::new(Vec::new());
        let (mut rounds, mut holds, mut before, mut hold) = (0, 0, u64::MAX, false);
        loop {
            let start = self.progress.copied.load(Ordering::Relaxed);
            if rounds > 0 {
                // The last one was silent while the workers copied, and may have been given up.
                walk.client = Client::connect(&open, self.options.acl)?;
            }
            let mut again: Vec<u64> = std::mem::take(&mut walk.owed).into_iter().collect();
            let first = rounds == 0 || again.len() > OWED_MOST;
            again.truncate(OWED_MOST);
            let mut changed = walk.client.round(first, hold, again)?;
            for _ in 0..PASSES_MOST {
                self.round(&shared, &mut walk, &open, &pool, std::mem::take(&mut changed))?;
                if !hold {
                    walk.client = Client::connect(&open, self.options.acl)?;
                }
                walk.attributes()?;
                shared.check()?;
                if !hold || shared.is_settled() {
                    break;
                }
            }
            rounds += 1;
            rustix::fs::syncfs(&self.root).map_err(|e| shared.local(&TreePath::default(), e.into()))?;
            if hold {
                match if walk.is_settled() {
                    walk.client.finish()
                } else {
                    Err(ResyncError::Held("files moved".into()))
                } {
                    Ok(()) => break,
                    Err(ResyncError::Refused(why) | ResyncError::Held(why)) if holds < HOLDS_MOST => {
                        tracing::info!("another round of reintegration: {why}");
                        walk.client.resume()?;
                    }
                    Err(ResyncError::Refused(why)) => return Err(ResyncError::Held(why)),
                    Err(e) => return Err(e),
                }
                holds += 1;
                // One more round in the open, so that the next hold is shorter.
                hold = false;
                continue;
            }
            let moved = self.progress.copied.load(Ordering::Relaxed) - start;
            hold = rounds > ROUNDS_MOST || moved < SMALL || (rounds > 1 && moved > before / 4 * 3);
            before = moved;
        }
        // The primary's callers wait for this node from now on; what is left to clean up may take long.
        attached();
        shared.finish();
        walk.finish();
        let load = |n: &std::sync::atomic::AtomicU64| n.load(Ordering::Relaxed);
        let p = &self.progress;
        Ok(Outcome {
            files: load(&p.files_done),
            bytes: load(&p.copied),
            compared: load(&p.compared),
            rounds,
        })
    }

    /// The walk of one round, which feeds the workers.
    fn round(
        &self,
        shared: &Shared<'_>,
        walk: &mut Walk<'_>,
        open: &impl Open,
        pool: &Mutex<Vec<Client>>,
        changed: client::Changed,
    ) -> Result<(), ResyncError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Mutex::new(queue);
        std::thread::scope(|scope| {
            for _ in 0..self.options.workers.clamp(1, 64) {
                scope.spawn(|| work(shared, open, pool, &queue));
            }
            // The sender goes with this closure, and the workers end when the queue is empty.
            let jobs = jobs;
            if let Err(e) = walk.round(&jobs, changed) {
                shared.fail(e);
            }
        });
        shared.check()
    }
}

/// One worker. It takes every job, even when it cannot do it any more, so that the walk never waits
/// for nobody.
fn work(shared: &Shared<'_>, open: &impl Open, pool: &Mutex<Vec<Client>>, queue: &Mutex<Receiver<Job>>) {
    let mut client = pool.lock().unwrap_or_else(PoisonError::into_inner).pop();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { break };
        if shared.is_over() {
            continue;
        }
        let idle = client.is_some();
        let mut done = attempt(shared, open, &mut client, &job);
        if idle && matches!(done, Err(ResyncError::Connection(_))) {
            // It was silent for long and may have been given up; a job can be done twice.
            client = None;
            done = attempt(shared, open, &mut client, &job);
        }
        if let Err(e) = done {
            client = None;
            shared.fail(e);
        }
    }
    pool.lock().unwrap_or_else(PoisonError::into_inner).extend(client);
}

fn attempt(
    shared: &Shared<'_>,
    open: &impl Open,
    client: &mut Option<Client>,
    job: &Job,
) -> Result<(), ResyncError> {
    let client = match client {
        Some(client) => client,
        None => client.insert(Client::connect(open, shared.options.acl)?),
    };
    bring::bring(shared, client, job)
}
