use super::*;
use crate::rfs::journal::{Admission, Journal, Ticket};
use crate::rfs::link::tests::{Halves, linked, soon};
use crate::rfs::op::{FileId, Name};
use crate::rfs::wire::Frame;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

pub(crate) type Marks = Arc<Mutex<Vec<(FileKey, Range<u64>)>>>;

struct Zones(Marks);

impl Marker for Zones {
    fn mark(&self, file: FileKey, range: Range<u64>) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((file, range));
        Ok(())
    }

    fn named(&self, file: FileKey, _: bool) -> io::Result<()> {
        self.mark(file, 0..u64::MAX)
    }

    fn note(&self, _: &Op) {}

    fn is_tracking(&self) -> bool {
        true
    }
}

pub(crate) fn options() -> Options {
    let long = Duration::from_secs(20);
    Options { send_timeout: long, lock_timeout: long, queue_bytes: 1 << 20, queue_ops: 1000 }
}

/// A replicator that is alone, what it marks and what it says.
pub(crate) fn alone(options: Options) -> (Arc<Replicator>, Marks, Receiver<StreamEvent>) {
    let marks = Marks::default();
    let (events, said) = channel();
    let events = Mutex::new(events);
    let say = move |event| drop(events.lock().unwrap().send(event));
    let replicator = Replicator::new(Box::new(Zones(marks.clone())), options, Box::new(say));
    replicator.alone().unwrap();
    (replicator, marks, said)
}

/// Attaches a stream; the secondary's end of it.
fn attached(replicator: &Replicator) -> Halves {
    let ((reader, writer), secondary) = linked(None);
    replicator.hold(soon()).unwrap().attach(writer, reader, 7).unwrap();
    assert_eq!(replicator.mode(), Mode::Synchronous);
    secondary
}

const KEY: FileKey = FileKey { ino: 5, birth: 6 };

/// One write, as a volume does it. The callback sends `name` when it is answered.
fn write(replicator: &Replicator, offset: u64, answers: &Sender<u64>) -> Ticket {
    let Admission::Now(permit) = replicator.admit() else { panic!("not admitted") };
    replicator.touch(KEY, offset..offset + 4).unwrap();
    let op = Op::Write { id: FileId(2), offset, data: b"four"[..].into(), sync: false };
    let ticket = replicator.record(op);
    drop(permit);
    let answers = answers.clone();
    replicator.when_acknowledged(ticket, Box::new(move || answers.send(offset).unwrap()));
    ticket
}

/// Reads up to operation `seq`.
fn read_to(secondary: &mut Halves, seq: u64) {
    loop {
        match secondary.0.frame().unwrap() {
            Frame::Op { seq: read, .. } if read == seq => return,
            Frame::Op { .. } | Frame::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn next<T>(receiver: &Receiver<T>) -> T {
    receiver.recv_timeout(Duration::from_secs(20)).expect("it comes")
}

fn is_refused<P>(admission: Admission<P>) -> bool {
    matches!(admission, Admission::ReadOnly)
}

#[test]
fn alone_zones_are_marked_before_and_callers_answered_at_once() {
    let (replicator, marks, _said) = alone(options());
    let (answers, answered) = channel();
    write(&replicator, 0, &answers);
    assert_eq!(answered.try_recv(), Ok(0));
    assert_eq!(*marks.lock().unwrap(), [(KEY, 0..4)]);
    assert_eq!(replicator.peer(), 0);
    replicator.read_only(soon()).unwrap();
    assert!(is_refused(replicator.admit()));
}

#[test]
fn callers_are_answered_in_order_when_the_secondary_has_it() {
    let (replicator, marks, _said) = alone(options());
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    for offset in [0, 4, 8] {
        write(&replicator, offset, &answers);
    }
    read_to(&mut secondary, 3);
    assert!(answered.try_recv().is_err());
    secondary.1.frame(&Frame::Ack { seq: 2 }).unwrap();
    assert_eq!((next(&answered), next(&answered)), (0, 4));
    assert_eq!(replicator.counters().unacked_ops, 1);
    secondary.1.frame(&Frame::Ack { seq: 3 }).unwrap();
    assert_eq!(next(&answered), 8);
    assert!(marks.lock().unwrap().is_empty());
    assert_eq!(replicator.peer(), 1);
}

#[test]
fn after_a_lost_stream_callers_wait_for_marks_and_for_the_word() {
    let (replicator, marks, said) = alone(options());
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    for offset in [0, 4, 100] {
        write(&replicator, offset, &answers);
    }
    read_to(&mut secondary, 3);
    secondary.1.frame(&Frame::Ack { seq: 1 }).unwrap();
    assert_eq!(next(&answered), 0);
    // Under way when the stream is lost: announced, recorded only after the marks were made.
    let Admission::Now(permit) = replicator.admit() else { panic!("not admitted") };
    replicator.touch(KEY, 200..204).unwrap();
    drop(secondary);
    assert!(matches!(next(&said), StreamEvent::Lost { session: 7, .. }));
    assert_eq!(replicator.mode(), Mode::Broken);
    assert!(matches!(replicator.admit(), Admission::Later(_)));
    assert!(matches!(replicator.release(), Err(ReplicatorError::Unmarked)));

    replicator.mark_unacknowledged().unwrap();
    assert_eq!(*marks.lock().unwrap(), [(KEY, 4..8), (KEY, 100..104), (KEY, 200..204)]);
    replicator.touch(KEY, 300..304).unwrap();
    assert_eq!(marks.lock().unwrap().last(), Some(&(KEY, 300..304)));
    assert!(answered.try_recv().is_err());

    replicator.release().unwrap();
    drop(permit);
    assert_eq!((answered.try_recv(), answered.try_recv()), (Ok(4), Ok(100)));
    assert_eq!(replicator.mode(), Mode::Alone);
    assert!(said.try_recv().is_err(), "lost is said once");
}

#[test]
fn a_silent_peer_and_an_operation_without_answer_end_the_stream() {
    for write_one in [false, true] {
        let short = Options { lock_timeout: Duration::from_millis(100), ..options() };
        let (replicator, _marks, said) = alone(short);
        let (answers, answered) = channel();
        let _silent = attached(&replicator);
        if write_one {
            write(&replicator, 0, &answers);
        }
        assert!(matches!(next(&said), StreamEvent::Lost { session: 7, .. }));
        assert_eq!(replicator.mode(), Mode::Broken);
        assert!(answered.try_recv().is_err());
    }
}

#[test]
fn a_full_queue_admits_nothing_until_it_is_half_empty() {
    let (replicator, _marks, _said) = alone(Options { queue_ops: 4, ..options() });
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    for offset in 0..5 {
        write(&replicator, offset, &answers);
    }
    let Admission::Later(number) = replicator.admit() else { panic!("admitted") };
    let (room, roomy) = channel();
    replicator.when_changed(number, Box::new(move || room.send(()).unwrap()));
    read_to(&mut secondary, 5);
    secondary.1.frame(&Frame::Ack { seq: 2 }).unwrap();
    assert_eq!((next(&answered), next(&answered)), (0, 1));
    assert!(roomy.try_recv().is_err());
    secondary.1.frame(&Frame::Ack { seq: 3 }).unwrap();
    next(&roomy);
    assert!(matches!(replicator.admit(), Admission::Now(_)));
}

#[test]
fn closed_with_a_lost_stream_callers_get_no_good_answer() {
    let (replicator, marks, said) = alone(options());
    let (answers, answered) = channel();
    let secondary = attached(&replicator);
    write(&replicator, 0, &answers);
    let late = {
        let Admission::Now(_permit) = replicator.admit() else { panic!("not admitted") };
        replicator.record(Op::Fsync { id: FileId(2) })
    };
    drop(secondary);
    next(&said);
    replicator.read_only(soon()).unwrap();
    assert_eq!(*marks.lock().unwrap(), [(KEY, 0..4)]);
    // Also who asks only now.
    let also = answers.clone();
    replicator.when_acknowledged(late, Box::new(move || also.send(1).unwrap()));
    drop(answers);
    assert!(answered.recv().is_err(), "dropped, not run");
    replicator.alone().unwrap();
}

#[test]
fn closing_waits_for_permits_and_acknowledgements() {
    let (replicator, _marks, _said) = alone(options());
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    write(&replicator, 0, &answers);
    let now = Instant::now();
    assert!(matches!(replicator.read_only(now), Err(ReplicatorError::Timeout { permits: 0, unacked: 1 })));
    assert!(is_refused(replicator.admit()));
    read_to(&mut secondary, 1);
    secondary.1.frame(&Frame::Ack { seq: 1 }).unwrap();
    replicator.read_only(soon()).unwrap();
    assert_eq!(next(&answered), 0);
    replicator.detach();
    replicator.alone().unwrap();
}

#[test]
fn a_hold_waits_for_permits_and_leaves_nothing_when_given_up() {
    let (replicator, _marks, _said) = alone(options());
    let Admission::Now(permit) = replicator.admit() else { panic!("not admitted") };
    assert!(matches!(replicator.hold(Instant::now()), Err(ReplicatorError::Timeout { permits: 1, .. })));
    assert_eq!(replicator.mode(), Mode::Alone);
    drop(permit);
    let held = replicator.hold(soon()).unwrap();
    let Admission::Later(number) = replicator.admit() else { panic!("admitted") };
    let (over, is_over) = channel();
    replicator.when_changed(number, Box::new(move || over.send(()).unwrap()));
    drop(held);
    assert!(is_over.try_recv().is_ok());
    assert_eq!(replicator.mode(), Mode::Alone);

    let held = replicator.hold(soon()).unwrap();
    replicator.read_only(soon()).unwrap();
    let ((reader, writer), _secondary) = linked(None);
    assert!(matches!(held.attach(writer, reader, 1), Err(ReplicatorError::Mode(Mode::ReadOnly))));
    assert_eq!(replicator.mode(), Mode::ReadOnly);
}

#[test]
fn a_pause_waits_until_the_secondary_has_all_and_ends_with_the_stream() {
    let (replicator, _marks, said) = alone(options());
    assert!(matches!(replicator.pause(soon()), Err(ReplicatorError::Mode(Mode::Alone))));
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    write(&replicator, 0, &answers);
    assert!(matches!(replicator.pause(Instant::now()), Err(ReplicatorError::Timeout { unacked: 1, .. })));
    assert_eq!(replicator.mode(), Mode::Synchronous);
    read_to(&mut secondary, 1);
    secondary.1.frame(&Frame::Ack { seq: 1 }).unwrap();
    assert_eq!(next(&answered), 0);
    let held = replicator.pause(soon()).unwrap();
    assert!(matches!(replicator.admit(), Admission::Later(_)));
    drop(held);
    assert_eq!(replicator.mode(), Mode::Synchronous);

    let held = replicator.pause(soon()).unwrap();
    drop(secondary);
    assert!(matches!(next(&said), StreamEvent::Lost { session: 7, .. }));
    // Nobody goes on before the automaton has spoken, and nothing is left held.
    assert_eq!(replicator.mode(), Mode::Broken);
    drop(held);
    replicator.mark_unacknowledged().unwrap();
    replicator.release().unwrap();
    assert_eq!(replicator.mode(), Mode::Alone);
}

#[test]
fn frozen_nothing_is_acknowledged_any_more() {
    let (replicator, _marks, said) = alone(options());
    let (answers, answered) = channel();
    let mut secondary = attached(&replicator);
    write(&replicator, 0, &answers);
    read_to(&mut secondary, 1);
    secondary.1.frame(&Frame::Freeze).unwrap();
    // Both are behind the freeze: they count no more.
    let _ = secondary.1.frame(&Frame::Ack { seq: 1 });
    assert_eq!(next(&said), StreamEvent::Frozen { session: 7 });
    let answer = loop {
        match secondary.0.frame().unwrap() {
            Frame::Ping(_) => {}
            frame => break frame,
        }
    };
    assert_eq!(answer, Frame::Frozen);
    assert_eq!(replicator.mode(), Mode::Broken);
    assert!(answered.try_recv().is_err());
}

#[test]
fn what_a_secondary_must_not_say_ends_the_stream() {
    let stale = StreamEvent::Stale { session: 7 };
    let failed = Frame::Failed { seq: 1, errno: 28, text: "no space".into() };
    for (frame, first) in [(Frame::Ack { seq: 9 }, None), (failed, None), (Frame::Stale, Some(stale))] {
        let (replicator, _marks, said) = alone(options());
        let mut secondary = attached(&replicator);
        secondary.1.frame(&frame).unwrap();
        if let Some(first) = first {
            assert_eq!(next(&said), first);
        }
        assert!(matches!(next(&said), StreamEvent::Lost { .. }));
    }
}

#[test]
fn failed_local_work_is_marked_and_ends_the_stream() {
    let (replicator, marks, said) = alone(options());
    let _secondary = attached(&replicator);
    replicator.failed(KEY, 0..9);
    assert_eq!(next(&said), StreamEvent::LocalFailure { file: KEY, range: 0..9, unmarked: None });
    assert!(matches!(next(&said), StreamEvent::Lost { .. }));
    assert_eq!(*marks.lock().unwrap(), [(KEY, 0..9)]);
}

/// A file that gets a name has something else under it on the secondary: no zone of it can be trusted
/// there once that is not acknowledged.
#[test]
fn what_has_an_unacknowledged_name_is_marked_whole() {
    let (replicator, marks, said) = alone(options());
    let mut secondary = attached(&replicator);
    let other = FileKey { ino: 8, birth: 9 };
    let rename = Op::Rename {
        parent: FileId::ROOT,
        name: Name::new(b"a").unwrap(),
        to_parent: FileId::ROOT,
        to_name: Name::new(b"b").unwrap(),
        flags: 0,
    };
    let link = Op::Link { id: FileId(2), parent: FileId::ROOT, name: Name::new(b"c").unwrap() };
    for (file, fresh, op) in [(KEY, false, rename), (other, true, link)] {
        let Admission::Now(_permit) = replicator.admit() else { panic!("not admitted") };
        replicator.named(file, fresh).unwrap();
        replicator.record(op);
    }
    let under_way = FileKey { ino: 10, birth: 11 };
    let Admission::Now(_permit) = replicator.admit() else { panic!("not admitted") };
    replicator.named(under_way, false).unwrap();
    read_to(&mut secondary, 2);
    secondary.1.frame(&Frame::Ack { seq: 1 }).unwrap();
    drop(secondary);
    assert!(matches!(next(&said), StreamEvent::Lost { .. }));
    replicator.mark_unacknowledged().unwrap();
    let marks = marks.lock().unwrap();
    let whole = |file| marks.contains(&(file, 0..u64::MAX));
    assert!(whole(other) && whole(under_way), "{marks:?}");
}
