//! Replicated directories: the order of what the data plane is told, and broken streams (S3, S7, S9).

use super::pair::{Did, Pair};
use crate::fsm::command::Command;
use crate::fsm::generation::{Flag, Generation, Record};
use crate::fsm::losses::Fate;
use crate::fsm::mirror::{At, Effect, Event, Outcome, Refused, Stream, Waits, Why, step};
use crate::fsm::scripts::Script;
use crate::told::Told;

/// What x did with record, data plane, address and application, in order.
fn deeds(p: &Pair, x: usize) -> Vec<&str> {
    let words = ["store", "vip on", "vip off", "kill", "mount", "unmount", "writable", "read-only"];
    let more = ["reintegrate", "drain", "mark dirty", "release", "kill script"];
    let of = |d: &'_ Did| matches!(d, Did::Else(s) if words.iter().chain(&more).any(|w| w == s));
    p.did
        .iter()
        .filter(|(y, d)| *y == x && of(d))
        .filter_map(|(_, d)| if let Did::Else(s) = d { Some(s.as_str()) } else { None })
        .collect()
}

/// The stream of a whole pair breaks; the primary notices.
fn broken(p: &mut Pair) {
    p.did.clear();
    p.detach(1);
    p.run();
}

#[test]
fn a_start_mounts_and_a_promotion_opens_before_the_address() {
    let mut p = Pair::new(true);
    p.start_both();
    let first = ["store", "mount", "store", "writable", "vip on"];
    assert_eq!(deeds(&p, 0)[..5], first);
    assert!(p.place(0, "mount") > p.place(0, "prestart STOP WAIT start"));
    assert!(p.place(0, "Uptodate replicated file system") < p.place(0, "start_prim WAIT ALONE"));
    assert_eq!(deeds(&p, 1), ["store", "mount", "store", "reintegrate", "store"]);
}

#[test]
fn a_stop_closes_after_the_application_and_unmounts_before_the_record() {
    let mut p = Pair::whole(true);
    p.order(0, Command::Stop);
    let halt = ["vip off", "kill", "read-only", "store", "unmount", "store"];
    assert_eq!(deeds(&p, 0), halt);
    assert!(p.place(0, "unmount") > p.place(0, "poststop WAIT STOP stop"));
    assert_eq!(deeds(&p, 1), ["drain", "store", "writable", "vip on"]);
    assert!(p.place(0, "read-only") < p.place(1, "drain"));
}

#[test]
fn modules_without_data_know_no_data_plane() {
    let mut p = Pair::new(false);
    p.start_both();
    p.order(0, Command::Swap { nosync: false });
    p.order(0, Command::Stop);
    p.order(1, Command::Stop);
    let words =
        ["mount", "unmount", "writable", "read-only", "reintegrate", "drain", "mark dirty", "release"];
    assert!(!p.did.iter().any(|(_, d)| matches!(d, Did::Else(s) if words.contains(&s.as_str()))));
}

#[test]
fn a_broken_stream_is_answered_for_by_a_new_generation_and_the_secondary_begins_anew() {
    let mut p = Pair::whole(true);
    let generation = p.n[0].disk.history.current();
    broken(&mut p);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"], "the pair finds itself again");
    assert_ne!(p.n[0].disk.history.current(), generation);
    assert_eq!(deeds(&p, 0)[..4], ["mark dirty", "store", "store", "release"]);
    assert!(p.place(1, "stop_sec SECOND WAIT") < p.place(0, "release"), "S gave up first");
    assert!(p.place(0, "release") < p.place(0, "start_sec PRIM ALONE"));
    assert!(p.place(1, "reintegrate") > p.place(0, "release"));
}

#[test]
fn the_primary_believes_a_secondary_that_says_its_stream_is_broken() {
    let mut p = Pair::whole(true);
    p.did.clear();
    p.stream = None;
    p.feed(1, Event::Stream(Stream::Broken));
    assert_eq!(p.shown()[1], "SECOND Ready", "promotable until the primary asks");
    p.run();
    assert_eq!(deeds(&p, 0)[..4], ["mark dirty", "store", "store", "release"]);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn a_secondary_with_a_broken_stream_takes_over_on_silence() {
    let mut p = Pair::whole(true);
    p.did.clear();
    p.n[0].vip = false;
    p.lose(1);
    assert_eq!(p.n[1].s.stream, Stream::None);
    assert_eq!(p.shown()[1], "ALONE Ready");
    assert_eq!(deeds(&p, 1), ["drain", "store", "writable", "vip on"]);

    let mut p = Pair::whole(true);
    p.n[0].vip = false;
    p.cut = true;
    p.feed(1, Event::Stream(Stream::Broken));
    p.feed(1, Event::PeerSilent);
    p.run();
    assert_eq!(p.shown()[1], "ALONE Ready");
}

#[test]
fn alone_goes_on_without_a_secondary_that_breaks_off_while_it_joins() {
    let mut p = Pair::new(true);
    p.order(0, Command::Start);
    p.command(1, Command::Start);
    assert!(p.until(|p| p.n[1].s.adopted), "{:?}", p.did);
    assert_eq!((p.shown()[0].as_str(), p.n[0].s.stream), ("ALONE Ready", Stream::InStep(p.n[1].s.session)));
    broken(&mut p);
    assert_eq!(deeds(&p, 0)[..3], ["mark dirty", "store", "release"]);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

/// The scripts of a restart may wait for callers that wait for the stream.
#[test]
fn a_restart_is_cut_short_by_a_broken_stream_and_done_again() {
    for script in [Script::StopPrim, Script::StartPrim] {
        let mut p = Pair::whole(true);
        p.n[0].frozen = Some(script);
        p.order(0, Command::Restart);
        assert_eq!(p.shown()[0], "PRIM Transient");
        broken(&mut p);
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        assert_eq!(deeds(&p, 0)[..5], ["kill script", "mark dirty", "store", "store", "release"]);
        let again = p.place(0, "stop_prim ALONE ALONE");
        assert!(p.place(0, "release") < again && again < p.place(0, "start_prim ALONE ALONE"));
    }
}

#[test]
fn a_stop_under_a_broken_stream_refuses_what_waits_at_once() {
    let mut p = Pair::whole(true);
    p.n[0].frozen = Some(Script::StopPrim);
    p.order(0, Command::Stop);
    p.did.clear();
    p.detach(1);
    assert_eq!(deeds(&p, 0), ["read-only"], "before the script ends");
    p.n[0].frozen = None;
    p.run();
    assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
    assert_eq!(deeds(&p, 0)[..4], ["read-only", "vip off", "kill", "read-only"]);
}

#[test]
fn what_cannot_be_mounted_is_tried_again_and_can_be_stopped() {
    let mut p = Pair::new(true);
    p.n[0].fail.push("mount");
    p.order(0, Command::Start);
    assert_eq!(p.shown()[0], "WAIT Transient");
    assert!(p.log(0).contains(&"the replicated directories cannot be mounted: it fails"));
    p.timer(0);
    assert_eq!(p.shown()[0], "ALONE Ready");

    let mut p = Pair::new(true);
    p.n[0].fail.push("mount");
    p.order(0, Command::Start);
    p.order(0, Command::Stop);
    assert_eq!(p.shown()[0], "STOP NotReady");
}

#[test]
fn directories_that_cannot_be_opened_do_not_block_a_stop() {
    let mut p = Pair::whole(true);
    p.n[1].fail.push("writable");
    p.order(0, Command::Stop);
    assert_eq!(p.shown(), ["STOP NotReady", "SECOND Transient"]);
    p.order(1, Command::Stop);
    assert_eq!(p.shown(), ["STOP NotReady", "STOP NotReady"]);
    assert!(!p.n[1].vip);
    assert_eq!((p.n[0].disk.flag, p.n[1].disk.flag), (Flag::Down, Flag::Up), "S has all of it");
}

#[test]
fn a_pause_after_the_opening_closes_again() {
    let mut p = Pair::new(true);
    p.n[0].fail.push("writable");
    p.order(0, Command::Start);
    p.lose(0);
    assert!(matches!(p.n[0].s.at, At::Moving(_)), "{:?}", p.n[0].s.at);
    p.did.clear();
    p.feed(0, Event::OwnPause(5000));
    p.run();
    assert_eq!(deeds(&p, 0)[..2], ["kill", "read-only"]);
    assert_eq!(p.shown()[0], "WAIT Transient");
}

#[test]
fn who_slept_is_in_step_again_without_another_reintegration() {
    let mut p = Pair::whole(true);
    let session = p.n[1].s.session;
    p.did.clear();
    p.feed(1, Event::OwnPause(5000));
    assert!(!p.n[1].s.promotable);
    p.run();
    assert!(p.n[1].s.promotable && p.n[1].s.session != session);
    assert_eq!(deeds(&p, 1), Vec::<&str>::new());
}

/// ST-37: no loop of reintegrations that fail.
#[test]
fn a_refused_reintegration_waits_for_an_operator() {
    let mut p = Pair::new(true);
    p.order(0, Command::Start);
    p.command(1, Command::Start);
    assert!(p.until(|p| awaited(p, 1) == Some("reintegrate")), "{:?}", p.did);
    let At::Moving(m) = &p.n[1].s.at else { panic!("it moves") };
    let id = m.awaited.as_ref().map(|a| a.0).expect("an answer is awaited");
    let outcome = p.feed(1, Event::ReintegrationRefused(id, Told::same("abnormal delta")));
    assert_eq!(outcome, Outcome::Taken);
    p.run();
    assert_eq!(p.shown(), ["ALONE Ready", "WAIT NotReady"]);
    assert_eq!(p.n[1].s.why, Some(Why::Refused));
    assert!(p.log(1).contains(&"the reintegration is refused: abnormal delta"));
    assert!(!p.n[1].disk.reintegrating, "nothing was copied");
    p.order(1, Command::Stop);
    p.order(1, Command::Second { fullsync: true });
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

/// The name of the effect that x waits for.
fn awaited(p: &Pair, x: usize) -> Option<&'static str> {
    let At::Moving(m) = &p.n[x].s.at else { return None };
    let reintegrates = m.todo(true).get(usize::from(m.at)) == Some(&crate::fsm::mirror::Todo::Reintegrate);
    (reintegrates && m.awaited.is_some()).then_some("reintegrate")
}

#[test]
fn a_full_copy_is_asked_for_by_either_side() {
    for (x, command) in [(1, Command::Second { fullsync: true }), (0, Command::PrimForce)] {
        let mut p = Pair::new(true);
        p.order(0, if x == 0 { command } else { Command::Start });
        p.lose(0);
        assert_eq!(p.shown()[0], "ALONE Ready");
        assert_eq!(p.n[0].disk.fullsync, x == 0);
        p.cut = false;
        p.command(1, if x == 1 { command } else { Command::Start });
        let mut full = None;
        p.until(|p| awaited(p, 1).is_some());
        let n = &p.n[1];
        let primary = matches!(&n.s.peer, crate::fsm::mirror::Peer::Heard { face, .. } if face.fullsync);
        full.get_or_insert(n.s.fullsync || primary);
        assert_eq!(full, Some(true));
        p.run();
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        assert!(!p.n[0].disk.fullsync, "paired: nothing is left to be copied");
    }
}

/// RFS-60.
#[test]
fn a_forced_secondary_copies_by_date_once() {
    let mut p = Pair::new(true);
    p.order(0, Command::Start);
    p.order(1, Command::SecondForce { after: 9 });
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    assert!(p.log(1).contains(&"Action secondforce called by root"));
    assert_eq!(p.n[1].s.since, None);
    p.order(1, Command::Stop);
    p.command(1, Command::SecondForce { after: 9 });
    assert!(p.until(|p| awaited(p, 1).is_some()));
    assert_eq!(p.n[1].s.since, Some(9));
    // The word is for this start.
    p.order(1, Command::Stop);
    p.command(1, Command::Start);
    assert!(p.until(|p| awaited(p, 1).is_some()));
    assert_eq!(p.n[1].s.since, None);
}

#[test]
fn a_degraded_primary_takes_no_secondary_until_it_is_started_anew() {
    let mut p = Pair::whole(true);
    p.did.clear();
    p.feed(0, Event::BoxLost(Fate::Degraded));
    p.feed(1, Event::Stream(Stream::Broken));
    p.stream = None;
    p.run();
    assert_eq!(p.shown(), ["ALONE Ready", "WAIT NotReady"]);
    assert!(p.log(1).contains(&"Action wait from failover rule degraded_server"), "{:?}", p.log(1));
    assert!(!p.n[1].s.uptodate() && p.n[0].s.uptodate());
    p.order(0, Command::StopStart);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn an_apply_error_during_the_drain_ends_in_wait() {
    let mut p = Pair::whole(true);
    p.n[1].fail.push("drain");
    p.order(0, Command::Stop);
    assert_eq!(p.shown()[1], "WAIT NotReady");
    assert!(p.log(1).contains(&"it fails"), "{:?}", p.log(1));
    assert!(p.n[1].disk.reintegrating && p.n[1].disk.flag == Flag::Down);
    assert_eq!(deeds(&p, 1)[..2], ["drain", "store"], "it is durable before anything else is done");
}

/// ST-41: what was received and not applied may be missing anywhere.
#[test]
fn data_that_could_not_be_applied_is_not_served_by_prim() {
    let mut p = Pair::whole(true);
    p.n[1].fail.push("drain");
    p.n[0].vip = false;
    p.lose(1);
    p.order(1, Command::Stop);
    let refused = p.order(1, Command::Prim { fullsync: false });
    assert_eq!(refused, Outcome::Refused(Refused::Inconsistent));
    assert_eq!(p.shown()[1], "STOP NotReady");
    p.order(1, Command::PrimForce);
    assert_eq!(p.shown()[1], "ALONE Ready");
    assert!(!p.n[1].disk.reintegrating);
}

/// S6: it would start with its old data once the other is silent.
#[test]
fn who_hears_of_a_newer_history_is_not_up_to_date_any_more() {
    let old = Record { term: 1, holder: true, flag: Flag::Up, ..Record::first() };
    let old = Record { history: old.history.with(Generation { id: 7, by: 0 }), ..old };
    let newer = old.history.with(Generation { id: 8, by: 1 });
    let new = Record { term: 2, history: newer, flag: Flag::Down, ..old.clone() };
    let mut p = Pair::of(true, [old, new]);
    // The other is held back by its rules, so it only waits.
    p.n[1].waits = Waits::Blocked("rule".to_owned());
    p.start_both();
    assert_eq!(p.shown(), ["WAIT NotReady", "WAIT NotReady"]);
    assert_eq!(p.n[0].disk.flag, Flag::Down);
    p.lose(0);
    assert_eq!(p.shown()[0], "WAIT NotReady");
}

/// The effect carries what the data plane cannot know.
#[test]
fn a_release_names_the_generation_that_is_durable() {
    let mut p = Pair::whole(true);
    p.lose(0);
    let generation = p.n[0].disk.history.current();
    let mut s = p.n[0].s.clone();
    s.stream = Stream::Broken;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let event = match &s.at {
            At::Moving(m) => Event::ok(m.awaited.as_ref().map_or(0, |a| a.0)),
            _ => Event::Waits(s.waits.clone()),
        };
        let out = step(&p.n[0].cfg, &s, event);
        ids.extend(
            out.effects.iter().filter_map(|e| if let Effect::Release(_, g) = e { Some(*g) } else { None }),
        );
        s = out.state;
    }
    assert_eq!(ids, [s.record.history.current()]);
    assert_ne!(ids, [generation]);
}

/// It was SECOND and lost its power, with what it had received and not written to its disk.
#[test]
fn who_was_secondary_does_not_start_beside_its_primary_that_is_held_back() {
    let prim = Record { term: 3, holder: true, flag: Flag::Paired, ..Record::first() };
    let prim = Record { history: prim.history.with(Generation { id: 7, by: 0 }), ..prim };
    let second = Record { holder: false, flag: Flag::Down, ..prim.clone() };
    let mut p = Pair::of(true, [prim, second]);
    p.n[0].waits = Waits::Blocked("rule".to_owned());
    p.start_both();
    assert_eq!(p.shown(), ["WAIT NotReady", "WAIT NotReady"]);
    assert_eq!(p.n[1].s.why, Some(Why::NotUptodate));
    p.n[0].waits = Waits::Clear;
    p.feed(0, Event::Waits(Waits::Clear));
    p.run();
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}
