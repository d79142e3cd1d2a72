use super::*;
use crate::rfs::apply::tests::{Action, Recorder, action, applier, tree};
use crate::rfs::journal::{Admission, Journal};
use crate::rfs::link::tests::{Halves, linked, soon};
use crate::rfs::op::{FileId, FileKey, Name, Op, Owner};
use crate::rfs::replicator::tests::{alone, options as sending};
use crate::rfs::replicator::{Mode, Replicator, StreamEvent};
use proptest::collection::vec;
use proptest::prelude::*;
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
