//! What the disk says of the installed modules, for those who watch. It is looked at every few seconds while
//! somebody does, and a module is signed again only when one of its files has another date.

use super::{Admin, off};
use crate::config::paths::Paths;
use crate::config::signature::{self, MODULE_PARTS};
use crate::control::{SavedKey, Stamp};
use crate::ids::ModuleName;
use crate::node::{boot, configure, keys};
use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::timeout;

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// A disk that does not answer for so long does not hold up who watches.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the disk says of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OnDisk {
    /// The configuration of SAFE/modules/AM; with an empty signature if it cannot be read.
    pub current: Stamp,
    /// Its mode; none if its configuration cannot be read.
    pub mode: Option<String>,
    /// The setting of `safekit boot`.
    pub boot: bool,
    /// The key of SAFE/modules/AM.
    pub key: SavedKey,
}

/// What the disk said last.
pub(super) struct Disk {
    seen: Mutex<BTreeMap<ModuleName, Seen>>,
    said: watch::Sender<Arc<BTreeMap<ModuleName, OnDisk>>>,
    /// A command has changed something.
    touched: Notify,
}

impl Default for Disk {
    fn default() -> Self {
        Disk { seen: Mutex::default(), said: watch::Sender::new(Arc::default()), touched: Notify::new() }
    }
}

impl Disk {
    /// What it said last of each module; changes wake.
    pub(super) fn subscribe(&self) -> watch::Receiver<Arc<BTreeMap<ModuleName, OnDisk>>> {
        self.said.subscribe()
    }

    /// The next look is due at once.
    pub(super) fn touch(&self) {
        self.touched.notify_one();
    }
}

/// A module as it was when it was looked at.
#[derive(Clone)]
struct Seen {
    /// Of the names, dates and sizes of its files; none if they cannot be read.
    dates: Option<u64>,
    on_disk: OnDisk,
}

impl Admin {
    /// Looks at the disk for as long as the node lives and somebody watches.
    pub(super) async fn watch_disk(self) {
        let mut watchers = self.0.watchers.subscribe();
        while watchers.wait_for(|count| *count > 0).await.is_ok() {
            let _touched = timeout(LOOK, self.0.disk.touched.notified()).await;
            self.look_at_disk().await;
        }
    }

    /// Looks at the disk now, for a bounded time.
    pub(super) async fn look_at_disk(&self) {
        if timeout(PATIENCE, self.look()).await.is_err() {
            tracing::warn!(
                "the disk does not answer: the console shows the configurations that it said last"
            );
        }
    }

    async fn look(&self) {
        let mut seen = self.0.disk.seen.lock().await;
        let (paths, names, before) = (self.0.paths.clone(), self.names(), seen.clone());
        let look = move || -> BTreeMap<_, _> {
            let one = |name: ModuleName| {
                let seen = module(&paths, &name, before.get(&name));
                (name, seen)
            };
            names.into_iter().map(one).collect()
        };
        match off(look).await {
            Ok(now) => *seen = now,
            Err(error) => return tracing::error!(%error, "the disk is not looked at"),
        }
        let said: BTreeMap<_, _> = seen.iter().map(|(name, s)| (name.clone(), s.on_disk.clone())).collect();
        self.0.disk.said.send_if_modified(|old| {
            let other = **old != said;
            if other {
                *old = Arc::new(said);
            }
            other
        });
    }
}

/// Looks at one module. Blocks.
fn module(paths: &Paths, module: &ModuleName, before: Option<&Seen>) -> Seen {
    let dir = paths.module(module);
    let dates = dates(&dir).ok();
    let boot = boot::setting(paths, module).unwrap_or_default();
    // A configuration changes it without touching the files that are dated.
    let key = keys::saved_module_key(paths, module).unwrap_or_default();
    if let Some(before) = before.filter(|before| before.dates.is_some() && before.dates == dates) {
        return Seen { dates, on_disk: OnDisk { boot, key, ..before.on_disk.clone() } };
    }
    let current = configure::current(paths, module).map_or_else(
        |error| {
            tracing::warn!(%module, %error, "the module is not signed");
            Stamp { signature: String::new(), date: 0 }
        },
        super::configure::stamp,
    );
    let mode = super::install::current_mode(paths, module).map(|mode| mode.to_string());
    Seen { dates, on_disk: OnDisk { current, mode, boot, key } }
}

/// A number that is another one when a file was changed, added or removed.
fn dates(dir: &Path) -> std::io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    for (path, _) in signature::walk(dir, &MODULE_PARTS)? {
        let meta = std::fs::symlink_metadata(dir.join(&path))?;
        let dates = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        (path, meta.len(), meta.mode(), meta.ino(), dates).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_signed_again_when_a_file_has_changed() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let name: ModuleName = "web".parse().unwrap();
        let file = paths.userconfig(&name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "<safe><service mode='light'/></safe>").unwrap();
        let first = module(&paths, &name, None);
        assert_eq!(first.on_disk.mode.as_deref(), Some("light"));
        // What is remembered is believed as long as the dates are the same.
        let known = OnDisk { mode: Some("known".to_owned()), ..first.on_disk.clone() };
        let known = Seen { on_disk: known, ..first.clone() };
        assert_eq!(module(&paths, &name, Some(&known)).on_disk, known.on_disk);
        boot::set_setting(&paths, &name, true).unwrap();
        assert!(module(&paths, &name, Some(&known)).on_disk.boot);
        std::fs::write(file.with_file_name("more.xml"), "x").unwrap();
        let second = module(&paths, &name, Some(&known)).on_disk;
        assert_eq!(second.mode.as_deref(), Some("light"));
        assert_ne!(second.current.signature, first.on_disk.current.signature);
    }

    #[test]
    fn what_cannot_be_read_has_no_signature() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let seen = module(&paths, &"web".parse().unwrap(), None).on_disk;
        assert_eq!((seen.current.signature.as_str(), seen.mode), ("", None));
    }
}
