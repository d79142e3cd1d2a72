//! The disk of a node, in memory: pages of files, of which a power failure keeps what was synced and any
//! part of the rest; and the log of zones, which it may tear.

use crate::rng::Rng;
use safekit::rfs::zones::{Append, Fill, Medium};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Number of a file and of a page in it.
pub type Page = (u64, u64);
/// What a page holds: the number of the write that it is of; 0 at first.
pub type Content = u32;

#[derive(Debug, Default)]
pub struct Disk {
    /// What each page held since the last sync, newest last; the first is on the disk.
    pages: BTreeMap<Page, Vec<Content>>,
    /// Files that others changed while the module was stopped: their sizes and times tell.
    pub touched: BTreeSet<u64>,
}

impl Disk {
    pub fn read(&self, page: Page) -> Content {
        self.pages.get(&page).and_then(|versions| versions.last()).copied().unwrap_or(0)
    }

    pub fn write(&mut self, page: Page, content: Content) {
        self.pages.entry(page).or_insert_with(|| vec![0]).push(content);
    }

    pub fn pages(&self) -> Vec<Page> {
        self.pages.keys().copied().collect()
    }

    pub fn sync(&mut self) {
        for versions in self.pages.values_mut() {
            versions.drain(..versions.len() - 1);
        }
    }

    /// Pages reach the disk in any order, or not at all.
    pub fn power_off(&mut self, rng: &mut Rng) {
        for versions in self.pages.values_mut() {
            let kept = rng.pick(versions);
            *versions = vec![kept];
        }
    }
}

/// The log of zones.
#[derive(Clone, Debug, Default)]
pub struct Flash(Arc<Mutex<Bytes>>);

#[derive(Debug, Default)]
struct Bytes {
    log: Option<Vec<u8>>,
    full: bool,
}

impl Flash {
    fn with<T>(&self, f: impl FnOnce(&mut Bytes) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is no room for more.
    pub fn fill(&self, full: bool) {
        self.with(|b| b.full = full);
    }

    /// The power fails while a record is appended, or the log is damaged.
    pub fn power_off(&self, rng: &mut Rng) {
        let (torn, damaged, at) = (rng.percent(30), rng.percent(5), rng.range(1, 47) as usize);
        self.with(|b| {
            if let Some(log) = &mut b.log {
                if torn {
                    let tail = log[log.len() - 48..][..at].to_vec();
                    log.extend(tail);
                }
                if damaged {
                    log[at] ^= 0xff;
                }
            }
        });
    }
}

impl Medium for Flash {
    fn name(&self) -> PathBuf {
        PathBuf::from("simulation")
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.with(|b| b.log.clone()))
    }

    fn replace(&self, fill: &mut Fill<'_>) -> io::Result<Box<dyn Append>> {
        let mut log = Vec::new();
        fill(&mut log)?;
        self.with(|b| b.log = Some(log));
        Ok(Box::new(self.clone()))
    }

    fn remove(&self) -> io::Result<()> {
        self.with(|b| b.log = None);
        Ok(())
    }
}

impl Append for Flash {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|b| match (&mut b.log, b.full) {
            (Some(log), false) => {
                log.extend(bytes);
                Ok(())
            }
            (Some(log), true) => {
                log.extend(&bytes[..bytes.len() / 2]);
                Err(io::ErrorKind::StorageFull.into())
            }
            (None, _) => Err(io::ErrorKind::NotFound.into()),
        })
    }
}
