use super::*;
use crate::rfs::apply::tests::{Action, Recorder, action, applier, tree};
use crate::rfs::journal::{Admission, Journal};
use crate::rfs::link::tests::{Halves, linked, options as linking, soon};
use crate::rfs::link::{Key, Link, Listener};
use crate::rfs::op::{FileId, FileKey, Name, Op, Owner};
use crate::rfs::replicator::tests::{alone, options as sending};
use crate::rfs::replicator::{Mode, Replicator, StreamEvent};
use proptest::collection::vec;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Said, channel};
use tempfile::TempDir;

fn options(async_none: bool) -> Options {
    Options { async_none, queue_bytes: 64 << 10, queue_ops: 8 }
}

fn started(link: Halves, dir: &Path, options: Options) -> (Receiver, Said<ReceiverEvent>) {
    let (events, said) = channel();
    let events = Mutex::new(events);
    let say = Box::new(move |event| drop(events.lock().unwrap().send(event)));
    (Receiver::start(link.0, link.1, applier(dir), options, say).unwrap(), said)
}

/// Does the actions on `from` as a volume would; counts the answers.
fn live(replicator: &Replicator, from: &Path, actions: &[Action], answers: &Arc<AtomicU64>) -> u64 {
    let mut recorder = Recorder::new(from);
    let mut recorded = 0;
    for action in actions {
        let Admission::Now(permit) = replicator.admit() else { break };
        for op in recorder.act(action).unwrap_or_default() {
            if let Op::Write { offset, ref data, .. } = op {
                let file = FileKey { ino: 1, birth: 1 };
                replicator.touch(file, offset..offset + data.len() as u64).unwrap();
            }
            let ticket = replicator.record(op);
            let answers = answers.clone();
            recorded += 1;
            replicator.when_acknowledged(
                ticket,
                Box::new(move || {
                    answers.fetch_add(1, Ordering::SeqCst);
                }),
            );
        }
        drop(permit);
    }
    recorded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_life_on_the_primary_is_the_same_on_the_secondary(
        actions in vec(action(), 1..80), none in any::<bool>(), sealed in any::<bool>(),
    ) {
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (replicator, _marks, _said) = alone(sending());
        let ((reader, writer), secondary) = linked(sealed.then_some([9; 32]));
        let (receiver, said) = started(secondary, to.path(), options(none));
        replicator.hold(soon()).unwrap().attach(writer, reader, 1).unwrap();
        let answers = Arc::new(AtomicU64::new(0));
        let recorded = live(&replicator, from.path(), &actions, &answers);
        replicator.read_only(soon()).unwrap();
        receiver.drain(soon()).unwrap();
        prop_assert_eq!(receiver.position().applied, recorded);
        prop_assert_eq!(tree(from.path()), tree(to.path()));
        prop_assert!(said.try_recv().is_err(), "nothing is lost when the owner ends it");
    }

    #[test]
    fn what_was_answered_before_a_cut_is_there_after_the_drain(
        actions in vec(action(), 1..80), none in any::<bool>(), cut in 0..60u64,
    ) {
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (replicator, _marks, said) = alone(sending());
        let ((reader, writer), secondary) = linked(None);
        let closer = secondary.0.closer();
        let (receiver, lost) = started(secondary, to.path(), options(none));
        replicator.hold(soon()).unwrap().attach(writer, reader, 1).unwrap();
        let answers = Arc::new(AtomicU64::new(0));
        let done = AtomicBool::new(false);
        let recorded = std::thread::scope(|scope| {
            scope.spawn(|| {
                while receiver.position().received < cut && !done.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                closer.shutdown();
            });
            let recorded = live(&replicator, from.path(), &actions, &answers);
            done.store(true, Ordering::SeqCst);
            recorded
        });
        let loss = said.recv_timeout(Duration::from_secs(20));
        prop_assert!(matches!(loss, Ok(StreamEvent::Lost { session: 1, .. })), "{:?}", loss);
        let answered = answers.load(Ordering::SeqCst);
        receiver.drain(soon()).unwrap();
        prop_assert!(receiver.position().applied >= answered);
        prop_assert!(lost.try_iter().count() <= 1);

        prop_assert_eq!(replicator.mode(), Mode::Broken);
        replicator.mark_unacknowledged().unwrap();
        // Answers to what was acknowledged may have been on their way still; none other.
        let answered = answers.load(Ordering::SeqCst);
        prop_assert!(receiver.position().applied >= answered, "answered without the automaton's word");
        replicator.release().unwrap();
        prop_assert_eq!(answers.load(Ordering::SeqCst), recorded, "every caller once");
    }
}

fn create(seq: u64) -> Frame {
    let owner = Owner { mode: 0o100_644, uid: 0, gid: 0 };
    let name = Name::new(seq.to_string().as_bytes()).unwrap();
    let op = Op::Create { id: FileId(seq + 1), parent: FileId::ROOT, name, owner, rdev: 0 };
    Frame::Op { seq, op }
}

#[test]
fn on_receipt_is_acknowledged_what_is_in_the_queue_and_no_more() {
    let ((mut reader, mut writer), secondary) = linked(None);
    // Nothing applies here.
    let shared = Shared::new(options(false), Box::new(|_| {}));
    let acks = Mutex::new(secondary.1);
    std::thread::scope(|scope| {
        scope.spawn(|| read::run(&shared, secondary.0, &acks));
        for seq in 1..=20 {
            writer.frame(&create(seq)).unwrap();
        }
        let mut acknowledged = 0;
        while acknowledged < 8 {
            let Frame::Ack { seq } = reader.frame().unwrap() else { panic!("not an ack") };
            acknowledged = seq;
        }
        assert_eq!(acknowledged, 8, "more than the queue holds");
        assert_eq!(shared.lock().position().queued_ops, 8);
        for seq in 1..=12 {
            shared.next().unwrap();
            shared.applied(seq);
        }
        while acknowledged < 20 {
            let Frame::Ack { seq } = reader.frame().unwrap() else { panic!("not an ack") };
            acknowledged = seq;
        }
        drop(writer);
    });
    assert!(!shared.lock().reading);
}

#[test]
fn with_async_none_what_failed_is_never_acknowledged() {
    let dir = TempDir::new().unwrap();
    let ((mut reader, mut writer), secondary) = linked(None);
    let (receiver, said) = started(secondary, dir.path(), options(true));
    writer.frame(&create(1)).unwrap();
    writer.frame(&Frame::Op { seq: 2, op: Op::Fsync { id: FileId(99) } }).unwrap();
    writer.frame(&create(3)).unwrap();
    let failed = loop {
        match reader.frame().unwrap() {
            Frame::Ack { seq } => assert_eq!(seq, 1),
            frame => break frame,
        }
    };
    assert!(matches!(failed, Frame::Failed { seq: 2, .. }), "{failed:?}");
    assert!(matches!(said.recv_timeout(Duration::from_secs(20)), Ok(ReceiverEvent::Lost { .. })));
    assert!(matches!(receiver.drain(soon()), Err(ReceiverError::Apply(_))));
    assert_eq!(receiver.position().applied, 1);
    assert!(!dir.path().join("3").exists());
}

#[test]
fn a_drain_freezes_the_primary_first() {
    let dir = TempDir::new().unwrap();
    let ((mut reader, mut writer), secondary) = linked(None);
    let (receiver, _said) = started(secondary, dir.path(), options(false));
    writer.frame(&create(1)).unwrap();
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| receiver.drain(soon()));
        while reader.frame().unwrap() != Frame::Freeze {}
        // On its way when the primary froze.
        writer.frame(&create(2)).unwrap();
        writer.frame(&Frame::Frozen).unwrap();
        drained.join().unwrap().unwrap();
    });
    assert!(dir.path().join("1").exists() && dir.path().join("2").exists());
}

#[test]
fn out_of_order_and_strange_frames_end_the_stream_and_a_stop_discards() {
    for frame in [create(2), Frame::Ack { seq: 1 }] {
        let dir = TempDir::new().unwrap();
        let ((_reader, mut writer), secondary) = linked(None);
        let (receiver, said) = started(secondary, dir.path(), options(false));
        writer.frame(&frame).unwrap();
        assert!(matches!(said.recv_timeout(Duration::from_secs(20)), Ok(ReceiverEvent::Lost { .. })));
        receiver.stop(soon()).unwrap();
        assert_eq!(receiver.position().applied, 0);
        assert!(said.try_recv().is_err());
    }
}

#[test]
fn a_ping_is_answered() {
    let dir = TempDir::new().unwrap();
    let ((mut reader, mut writer), secondary) = linked(None);
    let (_receiver, _said) = started(secondary, dir.path(), options(false));
    writer.frame(&Frame::Ping(3)).unwrap();
    assert_eq!(reader.frame().unwrap(), Frame::Pong(3));
}

/// A link through somebody who changes the byte `at` of what the primary sends, or ends there.
fn through_damage(key: Option<Key>, at: usize, flip: Option<u8>) -> (Halves, Halves) {
    let local = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(local, linking(key)).unwrap();
    let to = listener.address().unwrap();
    let door = TcpListener::bind(local).unwrap();
    let address = door.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut from, mut to) = (door.accept().unwrap().0, TcpStream::connect(to).unwrap());
        let (mut back, mut answers) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
        let _ = std::io::copy(&mut (&mut from).take(at as u64), &mut to);
        let mut byte = [0];
        if let Some(flip) = flip.filter(|_| from.read_exact(&mut byte).is_ok()) {
            let _ = to.write_all(&[byte[0] ^ flip]);
            let _ = std::io::copy(&mut from, &mut to);
        }
        let _ = to.shutdown(Shutdown::Write);
    });
    std::thread::scope(|scope| {
        let accepting = scope.spawn(|| listener.accept().unwrap().handshake(soon()).unwrap());
        let connected = Link::connect(address, None, &linking(key), soon()).unwrap();
        (connected, accepting.join().unwrap())
    })
}

/// Sends files through a damaged link; what is there when it has ended, and why it has.
fn files_through(link: (Halves, Halves), dir: &Path) -> (usize, String) {
    let ((_reader, mut writer), secondary) = link;
    let (receiver, said) = started(secondary, dir, options(false));
    for n in 0..40 {
        let write = Op::Write { id: FileId(2 * n + 2), offset: 0, data: vec![7; 500].into(), sync: false };
        // The link may be broken already.
        let _ = writer
            .frame(&create(2 * n + 1))
            .and_then(|()| writer.frame(&Frame::Op { seq: 2 * n + 2, op: write }));
    }
    let Ok(ReceiverEvent::Lost { why }) = said.recv_timeout(Duration::from_secs(20)) else {
        panic!("nothing is said")
    };
    let drained = receiver.drain(soon());
    assert!(matches!(drained, Ok(()) | Err(ReceiverError::Apply(_))), "{drained:?}");
    let length = |n: usize| std::fs::metadata(dir.join((2 * n + 1).to_string())).map(|m| m.len());
    let files = (0..40).take_while(|&n| length(n).is_ok_and(|len| len == 500)).count();
    let rest: Vec<_> = (files..40).filter_map(|n| length(n).ok()).collect();
    assert!(rest.is_empty() || rest == [0], "only the newest file may lack its bytes: {rest:?}");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), files + rest.len(), "files that nobody made");
    (files, why)
}

#[test]
fn fault_a_truncated_stream_ends_with_whole_operations() {
    for (key, at) in
        [(None, 1), (None, 7_777), (None, 10_003), (Some([9; 32]), 9_001), (Some([9; 32]), 15_000)]
    {
        let dir = TempDir::new().unwrap();
        let (files, _) = files_through(through_damage(key, at, None), dir.path());
        assert!(files < 40, "{at}");
    }
}

#[test]
fn fault_a_corrupted_stream_ends_with_whole_operations() {
    for at in (6_000..16_000).step_by(811) {
        let dir = TempDir::new().unwrap();
        let (files, why) = files_through(through_damage(Some([9; 32]), at, Some(0x10)), dir.path());
        assert!(files < 40 && !why.is_empty(), "{at}");
    }
    // Without a key the frames alone say what is damaged: length, kind, flags and fields of the 11th file.
    let create = 4 + 2 + 8 + 8 + 8 + 3 + 12 + 8;
    let (small, file) = (create - 1, 4 + 2 + 8 + 8 + 8 + 500);
    let tenth = 5 * (small + file) + 5 * (create + file);
    for at in [2, 4, 5, 12] {
        let dir = TempDir::new().unwrap();
        let (files, why) = files_through(through_damage(None, tenth + at, Some(0x40)), dir.path());
        assert_eq!(files, 10, "{at}: {why}");
    }
}
