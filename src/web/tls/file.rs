//! Values made from files, and made again when the files change.

use crate::web::pki::PkiError;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The files are looked at no more often than this: many handshakes cost one look.
const PERIOD: Duration = Duration::from_secs(1);

type Load<T> = Box<dyn Fn() -> Result<T, PkiError> + Send + Sync>;

/// Inode, change time in nanoseconds and size of each file; `None` for one that is not there.
type Stamps = Vec<Option<(u64, i64, i64, u64)>>;

/// A value of some files.
pub(in crate::web) struct Watched<T> {
    files: Vec<PathBuf>,
    load: Load<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    looked: Option<Instant>,
    stamps: Stamps,
    value: Option<Arc<T>>,
}

impl<T> Watched<T> {
    /// Nothing is read yet.
    pub(in crate::web) fn new(
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, PkiError> + Send + Sync + 'static,
    ) -> Watched<T> {
        let state = State { looked: None, stamps: Vec::new(), value: None };
        Watched { files, load: Box::new(load), state: Mutex::new(state) }
    }

    /// The value of the files; the one before while they are wrong, e.g. half replaced. Looking at them
    /// takes microseconds; reading them, after a change, less than a handshake.
    pub(in crate::web) fn get(&self) -> Option<Arc<T>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // What is missing may come at any moment, and somebody waits for it.
        if state.value.is_some() && state.looked.is_some_and(|at| at.elapsed() < PERIOD) {
            return state.value.clone();
        }
        let stamps = self.stamps();
        if state.looked.is_none() || stamps != state.stamps {
            match (self.load)() {
                Ok(value) => {
                    tracing::info!("{}: read", self.files[0].display());
                    state.value = Some(Arc::new(value));
                }
                Err(e) => tracing::warn!("{e}"),
            }
            state.stamps = stamps;
        }
        state.looked = Some(Instant::now());
        state.value.clone()
    }

    fn stamps(&self) -> Stamps {
        let stamp = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.ino(), meta.ctime(), meta.ctime_nsec(), meta.size()))
        };
        self.files.iter().map(stamp).collect()
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("files", &self.files).finish_non_exhaustive()
    }
}
