//! Going on with the mounts of a box that was killed (ADR 9), and seeing to it that another one could
//! go on with these.

use super::directory::Directory;
use super::{Post, Service};
use crate::fsm::mirror::Stream;
use crate::lock::lock;
use crate::rfs::ledger::Mode;
use std::thread;
use std::time::Duration;

/// Said once when the guard goes.
pub const GUARD_AWAY: &str =
    "safeguard cannot be reached: the mounts would not survive the end of rfsbox; is the service running?";
/// How often the guard is looked after.
const LOOK: Duration = Duration::from_secs(1);

impl Service {
    /// Goes on with what an earlier box has left: all directories, or none. Modifications that the
    /// secondary may lack stay unanswered until the automaton's word (S3).
    pub(super) fn go_on(&self) {
        let modes: Result<Vec<Option<Mode>>, String> =
            self.dirs.iter().map(|dir| dir.resume(self.setup.acl)).collect();
        let (why, modes) = match modes {
            Ok(modes) if modes.iter().all(Option::is_none) => return,
            Ok(modes) if modes.iter().all(Option::is_some) => {
                return self.goes_on(&modes.into_iter().flatten().collect::<Vec<_>>());
            }
            Ok(modes) => ("not all of its descriptors are kept".to_owned(), modes),
            Err(why) => (why, Vec::new()),
        };
        tracing::error!(%why, ?modes, "the mounts of an earlier box are given up");
        self.dirs.iter().for_each(|dir| dir.abandon());
        lock(&self.inner).note = Some(format!("its mounts cannot be taken over: {why}"));
    }

    fn goes_on(&self, modes: &[Mode]) {
        let mut inner = lock(&self.inner);
        inner.mounted = true;
        for mode in modes {
            match *mode {
                Mode::Closed => {}
                Mode::Alone(generation, full) | Mode::Paired(generation, full) => {
                    inner.post = Post::Writable { generation, full };
                }
            }
            if matches!(mode, Mode::Paired(..)) {
                inner.stream = Stream::Broken;
            }
        }
        tracing::info!(?modes, "went on with the mounts of an earlier box");
        inner.note = Some("its mounts were taken over".to_owned());
    }

    /// Looks after the guard for ever: one that was started anew is given all again.
    pub(super) fn look_after_guard(&self) {
        let mut reached = true;
        loop {
            thread::sleep(LOOK);
            let mounted = lock(&self.inner).mounted;
            if mounted && !self.vault.is_whole() {
                self.dirs.iter().for_each(|dir| dir.offer());
            }
            let now = !mounted || self.vault.is_reached();
            if reached && !now {
                self.error(GUARD_AWAY.to_owned());
            }
            reached = now;
        }
    }
}

impl Directory {
    /// Goes on with the mount that an earlier box has left, if it has.
    fn resume(&self, acl: bool) -> Result<Option<Mode>, String> {
        let Some(left) = self.left()? else { return Ok(None) };
        let failed = |why: String| format!("{}: {why}", self.name());
        let mode = left.1;
        match mode {
            Mode::Closed => {}
            // A search of what was changed behind the mount may have been under way: the zones may lack
            // what it had not found.
            Mode::Alone(..) => {
                self.forget_marks().map_err(failed)?;
                self.replicator.alone().map_err(|e| failed(e.to_string()))?;
            }
            // What the secondary lacks was in the memory of that box.
            Mode::Paired(..) => {
                self.forget_marks().map_err(failed)?;
                self.replicator.lost();
            }
        }
        self.mount_again(left.0, acl)?;
        Ok(Some(mode))
    }
}
