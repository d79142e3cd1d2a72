//! Changes behind the mount: who writes to the directory of the files while the module is stopped is
//! seen by no zone. Before a primary uses zones of its last life, it looks for files that were stamped
//! since and marks them whole.

use super::directory::{Directory, after, now};
use crate::lock::lock;
use crate::rfs::replicator::Mode;
use crate::rfs::resync;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Files that are marked at once.
const BATCH: usize = 1024;

/// Whether a search is under way, and wanted once more.
#[derive(Debug, Default)]
struct State {
    running: bool,
    again: bool,
}

/// The search in one directory.
#[derive(Debug, Default)]
pub(super) struct Search {
    state: Mutex<State>,
    turned: Condvar,
}

impl Search {
    /// Waits until nothing is searched any more. False: it takes longer than that.
    pub fn wait(&self, most: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.turned.wait_timeout_while(state, most, |s| s.running);
        !waited.unwrap_or_else(PoisonError::into_inner).0.running
    }

    /// True: the caller has to search.
    fn enter(&self) -> bool {
        let mut state = lock(&self.state);
        state.again = state.running;
        !std::mem::replace(&mut state.running, true)
    }

    /// True: once more.
    fn leave(&self) -> bool {
        let mut state = lock(&self.state);
        state.running = std::mem::take(&mut state.again);
        self.turned.notify_all();
        state.running
    }
}

/// Begins to look for what was changed since the zones were last kept, if they are of use at all.
pub(super) fn begin(dir: &Arc<Directory>) -> Result<(), String> {
    if dir.known.valid().is_none() || !dir.search.enter() {
        return Ok(());
    }
    let searched = dir.clone();
    let thread = thread::Builder::new().name("search".to_owned()).spawn(move || {
        loop {
            if let Err(why) = search(&searched) {
                tracing::warn!(dir = searched.name(), why, "the next reintegration compares hashes");
                if let Err(why) = searched.forget_marks() {
                    // Who relies on these zones would copy too little: nobody may.
                    tracing::error!(why, "zones that are of no use cannot be removed");
                    return;
                }
            }
            if !searched.search.leave() {
                return;
            }
        }
    });
    thread.map(drop).map_err(|e| {
        dir.search.leave();
        format!("no thread to look for changes in {}: {e}", dir.name())
    })
}

fn search(dir: &Directory) -> Result<(), String> {
    let Some(valid) = dir.known.valid() else { return Ok(()) };
    if now() < valid.until {
        return Err("the clock was set back".to_owned());
    }
    let root = dir.root()?;
    let wanted = |path: &[crate::rfs::op::Name]| dir.exclude.replicated(path, false);
    let found = resync::touched_since(root.as_fd(), valid.until, wanted).map_err(|e| e.to_string())?;
    let found: Vec<_> = found.into_iter().filter(|file| !dir.is_new(*file)).collect();
    for files in found.chunks(BATCH) {
        dir.marks.zones.mark_whole(files.iter().copied()).map_err(|e| e.to_string())?;
    }
    if !found.is_empty() {
        tracing::info!(dir = dir.name(), files = found.len(), "files were changed behind the mount");
    }
    Ok(())
}

/// The directory takes modifications no more: what is stamped from now on comes from elsewhere.
pub(super) fn closed(dir: &Directory) {
    if dir.search.wait(Duration::ZERO)
        && let Err(error) = dir.known.watched(after())
    {
        tracing::warn!(%error, "changes since the last note will be taken for changes behind the mount");
    }
}

/// While a primary is alone it notes now and then that only the mount changed files, so that little
/// has to be examined after a crash.
pub(super) fn watch(dir: &Directory) {
    if matches!(dir.replicator.mode(), Mode::Alone)
        && dir.search.wait(Duration::ZERO)
        && let Err(error) = dir.known.watched(now())
    {
        tracing::warn!(%error, "more than is needed will be examined after a crash");
    }
}
