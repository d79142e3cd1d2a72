//! One replicated directory in the box: its files, its mount, its zones, its stream.

use super::behind::Search;
use super::marks::{Marks, Settled, Valid};
use super::vault::{Shelf, Vault};
use crate::lock::lock;
use crate::node::replicated;
use crate::rfs::control::{DirSetup, Setup};
use crate::rfs::ledger::{Ledger, Mode, Record};
use crate::rfs::link::{Reader, Writer};
use crate::rfs::op::{FileKey, Op};
use crate::rfs::receiver::Receiver;
use crate::rfs::replicator::{self, Events, Held, Marker, Replicator};
use crate::rfs::volume::{Exclude, Keeper, Left, Outlive, Volume, VolumeOptions};
use crate::rfs::zones::{Marks as Zones, Tracker, Zones as Store};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::syncfs;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of operations that may wait for the peer.
const QUEUE_BYTES: usize = 64 << 20;
/// Operations that may wait for the peer.
const QUEUE_OPS: usize = 1 << 16;

/// Births are stamped with a clock that ticks coarsely: what was made this long before counts as made
/// after, ns.
const COARSE: u64 = 2_000_000_000;

/// How often it is looked whether the clock of stamps has ticked, and how many times at most.
const TICK: Duration = Duration::from_millis(5);
const TICKS: u32 = 400;
/// How long a reintegration waits for the search of what was changed behind the mount.
const SEARCH: Duration = Duration::from_secs(60);
/// Names at the guard: the descriptor of `/dev/fuse`, and what the kernel knows.
const FUSE: &str = "fuse.";
const NODES: &str = "nodes.";

/// A disk that refuses modifications is complained of once in this time.
const COMPLAINTS: Duration = Duration::from_secs(60);

/// A stop of modifications for the end of a reintegration.
pub(super) struct Hold {
    /// Of which session.
    pub session: u64,
    /// When it began.
    pub since: Instant,
    /// Dropped, it ends.
    pub held: Held,
}

/// The connection of a stream before it is attached.
pub(super) struct Parked {
    pub session: u64,
    pub reader: Reader,
    pub writer: Writer,
}

/// Marks modifications in the zones while there is no secondary.
struct Notes {
    zones: Zones,
    since: Arc<AtomicU64>,
}

impl Notes {
    /// The birth of a file says already that all of it is examined; only a round that is under way has to
    /// know what was changed of it.
    fn born(&self, file: FileKey, range: Range<u64>) -> bool {
        let born = file.birth >= self.since.load(Ordering::Relaxed);
        if born {
            self.zones.tracker.touch(file, range);
        }
        born
    }
}

impl Marker for Notes {
    fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        if self.born(file, range.clone()) { Ok(()) } else { self.zones.mark(file, range) }
    }

    fn named(&self, file: FileKey, fresh: bool) -> io::Result<()> {
        if fresh && self.born(file, 0..u64::MAX) { Ok(()) } else { self.zones.mark(file, 0..u64::MAX) }
    }

    fn note(&self, op: &Op) {
        self.zones.note(op);
    }

    fn is_tracking(&self) -> bool {
        self.zones.is_tracking()
    }
}

/// One directory.
pub(super) struct Directory {
    pub index: usize,
    pub setup: DirSetup,
    pub exclude: Exclude,
    pub known: Marks,
    pub marks: Zones,
    pub replicator: Arc<Replicator>,
    pub hold: Mutex<Option<Hold>>,
    pub parked: Mutex<Option<Parked>>,
    pub receiver: Mutex<Option<Receiver>>,
    volume: Mutex<Option<Arc<Volume<Replicator>>>>,
    /// What is kept at the guard for another box.
    shelf: Shelf,
    /// What the kernel knows of the mount, if another box could go on with it.
    ledger: Mutex<Option<Arc<Ledger>>>,
    /// When the zones began; `u64::MAX`: what is new is not known by its birth.
    since: Arc<AtomicU64>,
    /// The search for what was changed behind the mount.
    pub search: Search,
    /// When its disk was last complained of.
    complained: Mutex<Option<Instant>>,
}

impl Directory {
    /// Opens its zones and marks; its files are not touched yet.
    pub fn open(
        setup: &Setup,
        index: usize,
        vault: &Arc<Vault>,
        events: Events,
    ) -> Result<Directory, String> {
        let state = setup.state.join(index.to_string());
        let dir = setup.dirs[index].clone();
        let store = match setup.degraded {
            false => Store::open(&state, setup.zone),
            // What is modified from now on is marked nowhere.
            true => Store::unused(&state, setup.zone),
        };
        let marks =
            Zones { zones: Arc::new(store.map_err(|e| e.to_string())?), tracker: Arc::new(Tracker::new()) };
        let known = Marks::new(&state);
        if setup.degraded {
            known.validate(None).and_then(|()| known.settle(None)).map_err(|e| e.to_string())?;
        }
        let since = Arc::new(AtomicU64::new(known.valid().map_or(u64::MAX, |v| v.since)));
        let options = replicator::Options {
            send_timeout: setup.sendtimeout,
            lock_timeout: setup.locktimeout,
            queue_bytes: QUEUE_BYTES,
            queue_ops: QUEUE_OPS,
        };
        let marker = Notes { zones: marks.clone(), since: since.clone() };
        Ok(Directory {
            index,
            exclude: Exclude::new(&dir.notreplicated, &dir.regexpath)
                .map_err(|e| format!("{}: {e}", dir.place.dir.display()))?,
            setup: dir,
            known,
            replicator: Replicator::new(Box::new(marker), options, events),
            marks,
            hold: Mutex::new(None),
            parked: Mutex::new(None),
            receiver: Mutex::new(None),
            volume: Mutex::new(None),
            shelf: Shelf::new(vault.clone(), index),
            ledger: Mutex::new(None),
            since,
            search: Search::default(),
            complained: Mutex::new(None),
        })
    }

    /// Whether it is time to say again that its disk refuses something.
    pub fn may_complain(&self) -> bool {
        let mut last = lock(&self.complained);
        let due = last.is_none_or(|at| at.elapsed() >= COMPLAINTS);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    /// Name for messages.
    pub fn name(&self) -> String {
        self.setup.place.dir.display().to_string()
    }

    /// The directory of the files.
    pub fn root(&self) -> Result<OwnedFd, String> {
        let backing = self.setup.place.backing();
        File::open(&backing).map(OwnedFd::from).map_err(|e| format!("{}: {e}", backing.display()))
    }

    /// Its mount, while there is one.
    pub fn volume(&self) -> Option<Arc<Volume<Replicator>>> {
        lock(&self.volume).clone()
    }

    /// Mounts it, closed for modifications. Nothing to do if it is mounted.
    pub fn mount(&self, acl: bool) -> Result<(), String> {
        let mut volume = lock(&self.volume);
        if volume.is_some() {
            return Ok(());
        }
        self.shelf.clear();
        replicated::detach_left(&self.setup.place).map_err(|e| e.to_string())?;
        let point = replicated::prepare_mount(&self.setup.place).map_err(|e| e.to_string())?;
        let ledger = Ledger::create().map(Arc::new);
        let ledger = ledger.inspect_err(|e| tracing::warn!("the mount cannot be taken over later: {e}")).ok();
        let outlive = ledger.clone().map(|ledger| Outlive { ledger, keeper: Arc::new(self.shelf.clone()) });
        let mounted = Volume::mount(
            &self.setup.place.backing(),
            &self.setup.place.dir,
            Some(point.as_fd()),
            self.replicator.clone(),
            self.excluded()?,
            VolumeOptions { acl, threads: 0 },
            outlive,
        )
        .map_err(|e| format!("{} cannot be mounted: {e}", self.name()))?;
        *volume = Some(mounted);
        *lock(&self.ledger) = ledger;
        drop(volume);
        self.offer();
        Ok(())
    }

    fn excluded(&self) -> Result<Exclude, String> {
        Exclude::new(&self.setup.notreplicated, &self.setup.regexpath)
            .map_err(|e| format!("{}: {e}", self.name()))
    }

    /// What an earlier box has left of its mount, and how the directory took modifications.
    pub(super) fn left(&self) -> Result<Option<(Left, Mode)>, String> {
        let Some(fd) = self.shelf.take(FUSE) else { return Ok(None) };
        let Some(nodes) = self.shelf.take(NODES) else { return Ok(None) };
        let ledger = Ledger::adopt(nodes).map_err(|e| format!("{}: {e}", self.name()))?;
        ledger.replay(|_| true).map_err(|e| format!("{}: {e}", self.name()))?;
        let mode = ledger.mode();
        let outlive = Outlive { ledger: Arc::new(ledger), keeper: Arc::new(self.shelf.clone()) };
        Ok(Some((Left { fd, outlive, primary: mode != Mode::Closed }, mode)))
    }

    /// Goes on with a mount that was left.
    pub(super) fn mount_again(&self, left: Left, acl: bool) -> Result<(), String> {
        let ledger = left.outlive.ledger.clone();
        let place = &self.setup.place;
        let options = VolumeOptions { acl, threads: 0 };
        let exclude = self.excluded()?;
        let journal = self.replicator.clone();
        let volume = Volume::resume(&place.backing(), &place.dir, left, journal, exclude, options)
            .map_err(|e| format!("{}: {e}", self.name()))?;
        *lock(&self.volume) = Some(volume);
        *lock(&self.ledger) = Some(ledger);
        Ok(())
    }

    /// Writes down how it takes modifications, for a box that goes on.
    pub fn note(&self, mode: Mode) {
        if let Some(ledger) = &*lock(&self.ledger) {
            ledger.note(&Record::Mode(mode));
        }
    }

    /// Gives the guard all that another box needs to go on with the mount.
    pub fn offer(&self) {
        let (Some(volume), Some(ledger)) = (self.volume(), lock(&self.ledger).clone()) else { return };
        if ledger.is_void() {
            // Nobody could go on with it: who waits for an answer must see the end of this process.
            return self.shelf.clear();
        }
        if let Some(fd) = volume.descriptor() {
            self.shelf.give(FUSE, fd.as_fd());
        }
        ledger.with_descriptor(|fd| self.shelf.give(NODES, fd));
        volume.give_nodes();
    }

    /// Ends a mount that nobody goes on with: who waits for it gets an error.
    pub(super) fn abandon(&self) {
        if let Some(volume) = lock(&self.volume).take() {
            volume.unmount();
        }
        *lock(&self.ledger) = None;
        self.shelf.clear();
        if let Err(error) = replicated::detach_left(&self.setup.place) {
            tracing::error!(%error, "a mount stays");
        }
        // Whatever the zones say of what that box did.
        if let Err(error) = self.forget_marks() {
            tracing::error!(%error, "marks stay");
        }
    }

    /// Unmounts it, and puts the link back; what is still open there fails from now on.
    pub fn unmount(&self) -> Result<(), String> {
        if let Some(volume) = lock(&self.volume).take() {
            volume.unmount();
        }
        *lock(&self.ledger) = None;
        self.shelf.clear();
        // What an earlier box may have left.
        replicated::detach_left(&self.setup.place).map_err(|e| e.to_string())?;
        replicated::after_unmount(&self.setup.place).map(drop).map_err(|e| e.to_string())
    }

    /// Everything written so far is on the disk.
    pub fn sync(&self) -> Result<(), String> {
        let root = self.root()?;
        syncfs(&root).map_err(|e| format!("{} cannot be synced: {e}", self.name()))
    }

    /// Generation from which the zones say everything, if they do. Waits, bounded, for the search of
    /// what they cannot know by themselves.
    pub fn zones_from(&self) -> Option<u64> {
        if !self.search.wait(SEARCH) {
            return None;
        }
        let valid = self.known.valid()?;
        // A clock that was set back makes births say nothing.
        (now() >= valid.since && self.marks.zones.base() == Some(valid.generation))
            .then_some(valid.generation)
    }

    /// This file was made since the zones began.
    pub fn is_new(&self, file: FileKey) -> bool {
        file.birth >= self.since.load(Ordering::Relaxed)
    }

    /// Begins the zones anew, for a peer that holds what this node holds now. They are of use only
    /// once [`Directory::validate`] has said so.
    pub fn begin_zones(&self, generation: u64) -> Result<(), String> {
        let kept = |e: String| format!("{}: its zones cannot be kept: {e}", self.name());
        self.known.validate(None).map_err(|e| kept(e.to_string()))?;
        self.marks.zones.begin(generation).map_err(|e| kept(e.to_string()))?;
        self.since.store(now().saturating_sub(COARSE), Ordering::Relaxed);
        Ok(())
    }

    /// What is in the directory changes by a reintegration: nothing that was known of it holds.
    pub fn forget_marks(&self) -> Result<(), String> {
        self.known.settle(None).map_err(|e| e.to_string())?;
        self.known.validate(None).map_err(|e| e.to_string())?;
        self.marks.zones.invalidate().map_err(|e| e.to_string())
    }

    /// Its files come from the primary from now on, if they do not yet: since when, and whether the clock
    /// was set back behind that.
    pub fn follow(&self) -> Result<(u64, bool), String> {
        if let Some(since) = self.known.following() {
            return Ok((since, now() < since));
        }
        let since = after();
        self.known.follow(Some(since)).map_err(|e| e.to_string())?;
        Ok((since, false))
    }

    /// Nobody asks for changes any more.
    pub fn stop_tracking(&self) {
        self.marks.tracker.stop();
        if let Some(volume) = self.volume() {
            volume.keep_nodes(false);
        }
    }

    /// All that was written before the zones began is on the disk now: they say everything.
    pub fn validate(&self) -> Result<(), String> {
        let Some(generation) = self.marks.zones.base() else { return Ok(()) };
        self.sync()?;
        let since = self.since.load(Ordering::Relaxed);
        let until = now().saturating_sub(COARSE);
        self.known.validate(Some(Valid { generation, since, until })).map_err(|e| e.to_string())
    }

    /// The directory is, durably, what the primary's was in this generation.
    pub fn settle(&self, generation: u64) -> Result<(), String> {
        self.known.settle(Some(Settled { generation, at: after() })).map_err(|e| e.to_string())
    }

    /// Where it is settled, unless the clock was set back: then stamps say nothing.
    pub fn settled(&self) -> Option<Settled> {
        self.known.settled().filter(|s| now() >= s.at)
    }
}

/// This node's clock, ns since 1970. It is compared with stamps of this node's files only.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A time that is later than the stamps of all changes so far, and not later than those of all that
/// follow: stamps are taken from a clock that ticks with the kernel.
pub(super) fn after() -> u64 {
    let (start, ticks) = (now(), || {
        let time = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).ok()?;
        let ns = i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec());
        u64::try_from(ns).ok()
    });
    for _ in 0..TICKS {
        if let Some(tick) = ticks().filter(|tick| *tick > start) {
            return tick;
        }
        std::thread::sleep(TICK);
    }
    // The clock was set back just now: that is found when it is compared.
    now()
}
