//! A primary and a secondary in two directories, and connections between them in memory.

use super::super::beneath::{stat_at, walk};
use super::super::compare::same_tree;
use super::super::wire::{Request, decode};
use super::super::*;
use crate::rfs::op::{FileId, FileKey, Name};
use crate::rfs::zones::{Changes, Marks, Tracker, Zones};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub const ZONE: u64 = 64 << 10;

/// One end of a connection.
struct End {
    out: SyncSender<Vec<u8>>,
    into: Receiver<Vec<u8>>,
    /// Messages that may still pass on all connections; negative: none.
    fuse: Arc<AtomicI64>,
    asked: Option<Asked>,
}

/// Told of each request before the primary gets it.
pub type Asked = Arc<dyn Fn(&Request) + Send + Sync>;

impl Channel for End {
    fn send(&mut self, msg: &[u8]) -> io::Result<()> {
        if let Some(asked) = &self.asked {
            asked(&decode(msg)?);
        }
        if self.fuse.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.out.send(msg.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let limit = Duration::from_secs(60);
        self.into.recv_timeout(limit).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}

#[derive(Default)]
struct Gate {
    held: bool,
    under_way: u32,
}

/// The primary, as the replicator would be.
pub struct Alone {
    root: OwnedFd,
    pub marks: Marks,
    gate: Mutex<Gate>,
    turned: Condvar,
    pub holds: AtomicU64,
    pub late: AtomicU64,
    pub excluded: Vec<&'static [u8]>,
    /// The stream is attached: nothing is modified by `modify` any more.
    pub attached: AtomicBool,
    /// Asked at each taking of changes whether there were too many.
    pub flood: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl Alone {
    /// Runs a modification when none is held.
    pub fn modify<T>(&self, act: impl FnOnce(&Marks) -> T) -> T {
        let mut gate = self.gate.lock().unwrap();
        while gate.held {
            gate = self.turned.wait(gate).unwrap();
        }
        gate.under_way += 1;
        drop(gate);
        let done = act(&self.marks);
        self.gate.lock().unwrap().under_way -= 1;
        self.turned.notify_all();
        done
    }
}

pub fn excludes(names: &[&'static [u8]], path: &[Name]) -> bool {
    path.iter().any(|n| names.contains(&n.as_bytes()))
}

impl Primary for &Alone {
    fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
    fn path_of(&self, id: FileId) -> Option<Vec<Name>> {
        if stat_at(&self.root, b".").unwrap().stx_ino == id.0 {
            return Some(Vec::new());
        }
        // Nothing moves meanwhile, as nothing does in a table of nodes under its lock.
        let mut gate = self.gate.lock().unwrap();
        let held = std::mem::replace(&mut gate.held, true);
        while gate.under_way > 0 {
            gate = self.turned.wait(gate).unwrap();
        }
        let mut found = None;
        let _ = walk(self.root.as_fd(), |dir, path, name| {
            let s = stat_at(dir, name.as_bytes())?;
            if s.stx_ino == id.0 {
                found = path.names();
            }
            Ok(Meta::of(&s).is_dir())
        });
        gate.held = held;
        self.turned.notify_all();
        found
    }
    fn verdict(&self, file: FileKey, _: &Meta) -> Verdict {
        Verdict::of(&self.marks.zones, file)
    }
    fn changes(&self) -> Changes {
        let overflow = self.flood.as_ref().is_some_and(|f| f());
        Changes { overflow, ..self.marks.tracker.take() }
    }
    fn hold(&self) -> Result<(), String> {
        let mut gate = self.gate.lock().unwrap();
        gate.held = true;
        while gate.under_way > 0 {
            gate = self.turned.wait(gate).unwrap();
        }
        self.holds.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
    fn resume(&self) {
        self.gate.lock().unwrap().held = false;
        self.turned.notify_all();
    }
    fn attach(&self) -> Result<(), String> {
        if self.late.load(Ordering::SeqCst) > 0 {
            self.late.fetch_sub(1, Ordering::SeqCst);
            return Err("too late".into());
        }
        self.attached.store(true, Ordering::SeqCst);
        Ok(())
    }
    fn replicated(&self, path: &[Name]) -> bool {
        !excludes(&self.excluded, path)
    }
}

/// Makes connections.
type Opener<'a> = dyn Fn() -> io::Result<Box<dyn Channel + Send>> + Sync + 'a;

/// Both nodes.
pub struct World {
    pub dir: tempfile::TempDir,
    pub p: PathBuf,
    pub s: PathBuf,
    pub alone: Alone,
    pub options: Options,
    pub fuse: Arc<AtomicI64>,
    pub progress: Arc<Progress>,
    pub asked: Option<Asked>,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::Builder::new()
            .prefix("resync")
            .tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/target")
            .unwrap();
        let (p, s) = (dir.path().join("p"), dir.path().join("s"));
        std::fs::create_dir(&p).unwrap();
        std::fs::create_dir(&s).unwrap();
        let zones = Zones::open(&dir.path().join("z"), ZONE).unwrap();
        let alone = Alone {
            root: open_root(&p).unwrap(),
            marks: Marks { zones: zones.into(), tracker: Tracker::new().into() },
            gate: Mutex::default(),
            turned: Condvar::new(),
            holds: AtomicU64::new(0),
            late: AtomicU64::new(0),
            excluded: Vec::new(),
            attached: AtomicBool::new(false),
            flood: None,
        };
        let options = Options { zone_bytes: ZONE as u32, packet: 128 << 10, acl: true, ..Options::default() };
        let fuse = Arc::new(AtomicI64::new(i64::MAX));
        World { dir, p, s, alone, options, fuse, progress: Arc::default(), asked: None }
    }

    /// Calls `with` with what makes connections; they are served until it returns.
    fn connected<T>(&self, with: impl FnOnce(&Opener<'_>) -> T) -> T {
        let source = Source::new(&self.alone);
        std::thread::scope(|scope| {
            let source = &source;
            let (ask, asked) = sync_channel::<End>(64);
            scope.spawn(move || {
                std::thread::scope(|inner| {
                    while let Ok(mut end) = asked.recv() {
                        inner.spawn(move || {
                            if let Ok(true) = source.serve(&mut end) {
                                (&self.alone).resume();
                            }
                        });
                    }
                });
            });
            let done = with(&|| {
                let ((a, b), (c, d)) = (sync_channel(1), sync_channel(1));
                ask.send(End { out: c, into: b, fuse: self.fuse.clone(), asked: None })
                    .map_err(|_| io::Error::from(io::ErrorKind::NotConnected))?;
                Ok(Box::new(End { out: a, into: d, fuse: self.fuse.clone(), asked: self.asked.clone() }))
            });
            drop(ask);
            done
        })
    }

    pub fn run(&mut self, plan: Plan) -> Result<Outcome, ResyncError> {
        self.progress = Arc::default();
        self.run_with(plan)
    }

    pub fn run_with(&self, plan: Plan) -> Result<Outcome, ResyncError> {
        let target = self.target();
        self.alone.attached.store(false, Ordering::SeqCst);
        self.connected(|open| target.run(open, plan, || ()))
    }

    pub fn verify(&self) -> Result<Vec<(TreePath, Difference)>, ResyncError> {
        let target = self.target();
        self.connected(|open| target.verify(open, &|_| true))
    }

    fn target(&self) -> Target {
        Target::new(open_root(&self.s).unwrap(), self.options.clone(), self.progress.clone())
    }

    pub fn differences(&self) -> Vec<String> {
        same_tree(&self.p, &self.s).unwrap()
    }

    /// Makes both equal and starts the zones.
    pub fn in_step(&mut self) {
        self.run(Plan::Hash).unwrap();
        assert_eq!(self.differences(), Vec::<String>::new());
        self.alone.marks.zones.begin(1).unwrap();
    }
}
