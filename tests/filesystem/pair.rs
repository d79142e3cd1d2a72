//! Random operations on a mount whose modifications go to a secondary over a real stream: a plain directory,
//! the primary's and the secondary's end up the same.

use crate::random::{Act, act, empty, run, tree};
use crate::support::{LONG, errno, private_mounts};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use safekit::rfs::apply::Applier;
use safekit::rfs::link::{self, Link, Listener, Reader, Writer};
use safekit::rfs::op::{FileKey, Op};
use safekit::rfs::receiver::{self, Receiver, ReceiverEvent};
use safekit::rfs::replicator::{self, Marker, Mode, Replicator};
use safekit::rfs::volume::{Exclude, Volume, VolumeOptions};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver as Said, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing is tracked: there is a secondary all the time.
struct NoZones;

impl Marker for NoZones {
    fn mark(&self, _: FileKey, _: Range<u64>) -> io::Result<()> {
        Ok(())
    }

    fn named(&self, _: FileKey, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn note(&self, _: &Op) {}

    fn is_tracking(&self) -> bool {
        false
    }
}

fn soon() -> Instant {
    Instant::now() + LONG
}

fn linked(key: Option<link::Key>) -> [(Reader, Writer); 2] {
    let options = link::Options { key, send_timeout: LONG };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options.clone()).unwrap();
    let address = listener.address().unwrap();
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept().unwrap().handshake(soon()).unwrap());
        let connected = Link::connect(address, None, &options, soon()).unwrap();
        [connected, accepting.join().unwrap()]
    })
}

/// A mounted primary with a secondary in step.
struct Pair {
    one: PathBuf,
    mnt: PathBuf,
    two: PathBuf,
    replicator: Arc<Replicator>,
    volume: Arc<Volume<Replicator>>,
    receiver: Receiver,
    lost: Said<ReceiverEvent>,
}

impl Pair {
    fn new(dir: &Path, after_disk: bool, key: Option<link::Key>) -> Pair {
        let [one, mnt, two] = ["one", "mnt", "two"].map(|name| dir.join(name));
        for made in [&one, &mnt, &two] {
            std::fs::create_dir(made).unwrap();
        }
        let (send_timeout, lock_timeout) = (LONG, LONG);
        let options = replicator::Options { send_timeout, lock_timeout, queue_bytes: 1 << 20, queue_ops: 64 };
        let replicator = Replicator::new(Box::new(NoZones), options, Box::new(|_| {}));
        let volume = VolumeOptions { acl: false, threads: 2 };
        let volume =
            Volume::mount(&one, &mnt, None, replicator.clone(), Exclude::default(), volume, None).unwrap();
        volume.primary(true);
        let [(reader, writer), secondary] = linked(key);
        let (events, lost) = channel();
        let events = Mutex::new(events);
        let say = Box::new(move |event| drop(events.lock().unwrap().send(event)));
        let applier = Applier::new(File::open(&two).unwrap().into()).unwrap();
        let options = receiver::Options { async_none: after_disk, queue_bytes: 64 << 10, queue_ops: 16 };
        let receiver = Receiver::start(secondary.0, secondary.1, applier, options, say).unwrap();
        replicator.alone().unwrap();
        replicator.hold(soon()).unwrap().attach(writer, reader, 1).unwrap();
        assert_eq!(replicator.mode(), Mode::Synchronous);
        Pair { one, mnt, two, replicator, volume, receiver, lost }
    }

    /// Waits until the secondary has applied all that was recorded and acknowledged.
    fn settle(&self) {
        let end = soon();
        loop {
            let sent = self.replicator.counters();
            if sent.unacked_ops == 0 && self.receiver.position().applied == sent.ops {
                return;
            }
            assert!(Instant::now() < end, "{sent:?}, {:?}", self.receiver.position());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.replicator.detach();
        self.volume.unmount();
    }
}

fn all_are_alike(after_disk: bool, key: Option<link::Key>) {
    private_mounts();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plain = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let pair = Pair::new(dir.path(), after_disk, key);
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let alike = TestRunner::new(config).run(&prop::collection::vec(act(), 1..60), |acts: Vec<Act>| {
        empty(&pair.mnt);
        empty(plain.path());
        for act in &acts {
            let (here, there) = (errno(run(&pair.mnt, act)), errno(run(plain.path(), act)));
            prop_assert_eq!(here, there, "{:?}", act);
        }
        pair.settle();
        let wanted = tree(plain.path());
        prop_assert_eq!(&tree(&pair.one), &wanted);
        prop_assert_eq!(&tree(&pair.two), &wanted);
        Ok(())
    });
    alike.unwrap();
    assert_eq!(pair.lost.try_recv().ok(), None);
}

#[test]
fn both_nodes_are_like_a_plain_directory() {
    all_are_alike(false, None);
}

#[test]
fn both_nodes_are_like_a_plain_directory_with_a_key_and_after_the_disk() {
    all_are_alike(true, Some([7; 32]));
}
