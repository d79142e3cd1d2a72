//! A primary's box without mounts: its streams.

use super::primary::Lender;
use super::*;
use crate::node::replicated::Directory as Place;
use crate::rfs::control::DirSetup;
use crate::rfs::link::tests::linked;
use crate::rfs::replicator::Mode;
use crate::rfs::resync::Primary;

const SESSION: u64 = 7;
const LONG: Duration = Duration::from_secs(20);

/// A box of two directories that is ALONE, with a session that reintegrates.
fn primary(dir: &Path) -> Arc<Service> {
    let place = |name: &str| {
        let place = Place { dir: dir.join(name), suffix: "_back".to_owned() };
        std::fs::create_dir(place.backing()).expect("it is writable");
        DirSetup { place, tocheck: vec![], notreplicated: vec![], regexpath: vec![] }
    };
    let setup = Setup {
        module: "m".parse().expect("a name"),
        dirs: vec![place("a"), place("b")],
        me: 0,
        local: [127, 0, 0, 1].into(),
        peer: [127, 0, 0, 1].into(),
        port: 0,
        digest: [0; 32],
        after_disk: false,
        acl: false,
        zone: 8 << 20,
        packet: 1 << 20,
        workers: 1,
        commit: 0,
        detail: false,
        policy: 4,
        bandwidth: None,
        locktimeout: LONG,
        sendtimeout: LONG,
        reitimeout: LONG,
        state: dir.join("state"),
        rescue: dir.join("rescue"),
        rescue_limit: 0,
        key: None,
        guard: "/nonexistent".into(),
        degraded: false,
    };
    let service = Service::new(setup).expect("a box");
    service.dirs.iter().for_each(|d| d.replicator.alone().expect("it is closed"));
    let mut inner = lock(&service.inner);
    inner.post = Post::Writable { generation: 3, full: false };
    inner.stream = Stream::Syncing(SESSION);
    drop(inner);
    service
}

fn wait(service: &Service, stream: Stream) {
    let end = Instant::now() + LONG;
    while lock(&service.inner).stream != stream {
        assert!(Instant::now() < end, "the stream is not {stream:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The source of a directory, its stream connected; the secondary's end of that.
fn lender(
    service: &Arc<Service>,
    index: usize,
) -> (Lender, (crate::rfs::link::Reader, crate::rfs::link::Writer)) {
    let dir = service.dirs[index].clone();
    let ((reader, writer), secondary) = linked(None);
    *lock(&dir.parked) = Some(directory::Parked { session: SESSION, reader, writer });
    (Lender::new(service.clone(), dir, SESSION, 0).expect("a source"), secondary)
}

#[test]
fn all_directories_attached_are_a_stream() {
    let dir = tempfile::tempdir().expect("a directory");
    let service = primary(dir.path());
    let ends: Vec<_> = (0..2).map(|index| lender(&service, index)).collect();
    for (lender, _) in &ends {
        assert_eq!(lock(&service.inner).stream, Stream::Syncing(SESSION));
        lender.hold().and_then(|()| lender.attach()).expect("nobody is in the way");
    }
    assert_eq!(lock(&service.inner).stream, Stream::InStep(SESSION));
}

#[test]
fn a_directory_that_attaches_after_another_was_lost_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let service = primary(dir.path());
    let ((first, first_end), (second, _second_end)) = (lender(&service, 0), lender(&service, 1));
    first.hold().and_then(|()| first.attach()).expect("nobody is in the way");
    // Held already: only the attachment itself can see it.
    second.hold().expect("nobody is in the way");
    drop(first_end);
    wait(&service, Stream::Broken);
    assert!(second.attach().is_err());
    assert_eq!(lock(&service.inner).stream, Stream::Broken, "the module goes alone as a whole");
    assert!(service.dirs.iter().all(|d| d.replicator.mode() != Mode::Synchronous));
}

#[test]
fn the_loss_of_one_directory_is_that_of_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let service = primary(dir.path());
    let ((first, first_end), (second, _second_end)) = (lender(&service, 0), lender(&service, 1));
    for lender in [&first, &second] {
        lender.hold().and_then(|()| lender.attach()).expect("nobody is in the way");
    }
    drop(first_end);
    wait(&service, Stream::Broken);
    let end = Instant::now() + LONG;
    while service.dirs.iter().any(|d| d.replicator.mode() != Mode::Broken) {
        assert!(Instant::now() < end, "a directory still waits for a secondary that is given up");
        thread::sleep(Duration::from_millis(5));
    }
}
