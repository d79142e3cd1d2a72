//! What safeguard keeps for this box: the descriptors with which another box goes on when this one is
//! killed.

use crate::guard::client::{GuardClient, GuardError};
use crate::ids::ModuleName;
use crate::lock::lock;
use crate::rfs::volume::Keeper;
use std::collections::BTreeSet;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A guard that cannot be reached is not tried again before this time has passed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long it is waited for at the start of a box, and how often it is asked then.
const PATIENCE: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_millis(20);

/// The box's connection to the guard.
pub struct Vault {
    socket: PathBuf,
    module: ModuleName,
    /// Until then the guard is waited for.
    patience: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    client: Option<GuardClient>,
    /// Not before.
    again: Instant,
    /// What the guard has, or shall have as soon as it can be reached.
    names: BTreeSet<String>,
}

impl Vault {
    /// A vault at the guard that listens on `socket`.
    pub fn new(socket: PathBuf, module: ModuleName) -> Arc<Vault> {
        let inner = Inner { client: None, again: Instant::now(), names: BTreeSet::new() };
        let patience = Instant::now() + PATIENCE;
        Arc::new(Vault { socket, module, patience, inner: Mutex::new(inner) })
    }

    /// `None`: it cannot be reached now.
    fn call<T>(
        &self,
        inner: &mut Inner,
        ask: impl FnOnce(&mut GuardClient, &ModuleName) -> Result<T, GuardError>,
    ) -> Option<Result<T, GuardError>> {
        if inner.client.is_none() {
            if Instant::now() < inner.again {
                return None;
            }
            match GuardClient::connect(&self.socket) {
                Ok(client) => inner.client = Some(client),
                Err(error) => {
                    tracing::debug!(%error, "no guard");
                    inner.again = Instant::now() + PAUSE;
                    return None;
                }
            }
        }
        let result = ask(inner.client.as_mut()?, &self.module);
        if !matches!(result, Ok(_) | Err(GuardError::Refused(_))) {
            inner.client = None;
            inner.again = Instant::now() + PAUSE;
            return None;
        }
        Some(result)
    }

    fn give(&self, name: String, fd: BorrowedFd<'_>) -> bool {
        let mut inner = lock(&self.inner);
        match self.call(&mut inner, |guard, module| guard.give(module, &name, fd)) {
            Some(Err(error)) => {
                tracing::warn!(%error, name, "a descriptor is not kept");
                return false;
            }
            // It is offered again, see `is_whole`.
            Some(Ok(_)) | None => inner.names.insert(name),
        };
        true
    }

    /// What an earlier box has given. A guard that is busy is given time: without its answer the mount
    /// would be lost.
    fn take(&self, name: &str) -> Option<OwnedFd> {
        loop {
            let mut inner = lock(&self.inner);
            match self.call(&mut inner, |guard, module| guard.take(module, name)) {
                Some(found) => {
                    let found = found.ok()?;
                    inner.names.insert(name.to_owned());
                    return Some(found);
                }
                None if Instant::now() >= self.patience => return None,
                None => inner.again = Instant::now(),
            }
            drop(inner);
            thread::sleep(SOON);
        }
    }

    fn forget(&self, beginning: &str) {
        let mut inner = lock(&self.inner);
        inner.names.retain(|name| !name.starts_with(beginning));
        self.call(&mut inner, |guard, module| guard.forget(module, beginning));
    }

    /// The guard can be reached. It may have been started anew.
    pub fn is_reached(&self) -> bool {
        let mut inner = lock(&self.inner);
        self.call(&mut inner, |guard, module| guard.count(module)).is_some()
    }

    /// The guard has all that it shall have.
    pub fn is_whole(&self) -> bool {
        let mut inner = lock(&self.inner);
        let wanted = inner.names.len();
        let count = self.call(&mut inner, |guard, module| guard.count(module));
        matches!(count, Some(Ok(n)) if usize::try_from(n).is_ok_and(|n| n == wanted))
    }
}

/// What is kept for one directory.
#[derive(Clone)]
pub struct Shelf {
    vault: Arc<Vault>,
    prefix: String,
}

impl Shelf {
    /// That of the directory with this number.
    pub fn new(vault: Arc<Vault>, index: usize) -> Shelf {
        Shelf { vault, prefix: format!("{index}.") }
    }

    /// Keeps nothing of this directory any more.
    pub fn clear(&self) {
        self.vault.forget(&self.prefix);
    }
}

impl Keeper for Shelf {
    fn give(&self, name: &str, fd: BorrowedFd<'_>) -> bool {
        self.vault.give(format!("{}{name}", self.prefix), fd)
    }

    fn take(&self, name: &str) -> Option<OwnedFd> {
        self.vault.take(&format!("{}{name}", self.prefix))
    }

    fn forget(&self, name: &str) {
        self.vault.forget(&format!("{}{name}", self.prefix));
    }
}
