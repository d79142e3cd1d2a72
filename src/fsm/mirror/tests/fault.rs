//! Partitions, failing effects, the guard, the own pause, a control plane that comes back.

use super::pair::{Did, Pair};
use crate::fsm::command::Command;
use crate::fsm::generation::Flag;
use crate::fsm::mirror::Event;
use crate::fsm::scripts::Script;
use crate::told::Told;

#[test]
fn a_lost_primary_is_replaced() {
    let mut p = Pair::whole(true);
    p.n[0].vip = false;
    p.lose(1);
    assert_eq!(p.shown()[1], "ALONE Ready");
    assert_eq!(
        p.log(1),
        [
            "Remote state UNKNOWN Unknown",
            "Action alone called by heart: no heartbeat",
            "Uptodate replicated file system",
            "Local state ALONE Ready"
        ]
    );
}

#[test]
fn a_split_brain_heals() {
    for data in [true, false] {
        let mut p = Pair::whole(data);
        p.part();
        assert_eq!(p.shown(), ["ALONE Ready", "ALONE Ready"]);
        p.did.clear();
        p.heal();
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        assert_eq!(p.log(0)[..2], ["Remote state ALONE Ready", "Split brain recovery: staying alone"]);
        assert_eq!(p.log(1)[..2], ["Remote state ALONE Ready", "Split brain recovery: exiting alone"]);
        let scripts = p.scripts(1);
        assert!(scripts.starts_with(&["stop_sec ALONE WAIT stopstart"]), "{scripts:?}");
        assert!(scripts.contains(&"stop_prim force ALONE WAIT stopstart"));
        assert!(scripts.contains(&"transition ALONE WAIT stopstart"), "{scripts:?}");
        assert_eq!(p.log(0).iter().filter(|l| l.contains("staying")).count(), 1);
    }
}

#[test]
fn a_record_that_cannot_be_stored_is_tried_again() {
    let mut p = Pair::new(false);
    p.n[0].fail.push("store");
    p.order(0, Command::Start);
    assert_eq!(p.scripts(0), Vec::<&str>::new(), "nothing runs before the record is durable");
    p.timer(0);
    assert_eq!(p.shown()[0], "ALONE Ready");
}

#[test]
fn an_address_that_cannot_be_set_stops_the_node() {
    let mut p = Pair::new(false);
    p.n[0].fail.push("vip on");
    p.order(0, Command::Start);
    assert_eq!(p.shown()[0], "STOP NotReady");
    assert!(p.log(0).contains(&"the virtual ip cannot be set: it fails"), "{:?}", p.log(0));
    assert!(!p.scripts(0).iter().any(|s| s.starts_with("start_prim")));
    assert!(p.did.contains(&(0, Did::Else("vip off".into()))));

    let mut p = Pair::whole(true);
    p.n[1].fail.push("vip on");
    p.order(0, Command::Stop);
    assert_eq!(p.shown(), ["STOP NotReady", "STOP NotReady"]);
    assert!(p.scripts(1).contains(&"transition SECOND WAIT stop"), "{:?}", p.scripts(1));
    assert!(p.n.iter().all(|n| n.windows.is_empty()));
}

#[test]
fn what_does_not_stop_is_not_announced() {
    let mut p = Pair::whole(true);
    p.n[0].fail.push("kill");
    p.order(0, Command::Stop);
    assert_eq!(p.shown(), ["PRIM Transient", "SECOND Ready"]);
    assert!(p.log(0).contains(&"The application cannot be stopped: it fails"), "{:?}", p.log(0));
    p.timer(0);
    assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
}

#[test]
fn a_reintegration_that_fails_is_tried_again() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    p.n[1].fail.push("reintegrate");
    p.order(1, Command::Start);
    assert_eq!(p.shown()[1], "SECOND Transient");
    p.timer(1);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn a_fenced_primary_recovers() {
    let mut p = Pair::whole(true);
    p.n[0].vip = false;
    p.feed(0, Event::Fenced(Told::same("no heartbeat for 24 s")));
    p.run();
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
    let log = p.log(0);
    assert_eq!(log[0], "This server fenced itself: no heartbeat for 24 s");
    assert!(log.contains(&"Action start called automatically"));
}

/// What it has not seen dead it kills again: also what is started meanwhile.
#[test]
fn nothing_is_started_while_the_guard_still_kills() {
    let mut p = Pair::whole(true);
    p.n[0].vip = false;
    p.n[0].fail.push("disarm");
    p.feed(0, Event::Fenced(Told::same("it hung")));
    p.run();
    assert_eq!(p.shown()[0], "WAIT Transient");
    assert!(!p.log(0).contains(&"Action start called automatically"));
    p.timer(0);
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
}

#[test]
fn a_fenced_node_that_was_being_stopped_stays_stopped() {
    for frozen in [Script::StopPrim, Script::StopBoth] {
        let mut p = Pair::whole(true);
        p.n[0].frozen = Some(frozen);
        p.order(0, Command::Stop);
        p.n[0].vip = false;
        p.feed(0, Event::Fenced(Told::same("it hung")));
        p.run();
        assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
        assert!(p.n[0].windows.is_empty());
    }
}

#[test]
fn an_own_pause_ends_the_session_of_a_secondary() {
    let mut p = Pair::whole(true);
    let session = p.n[1].s.session;
    p.feed(1, Event::OwnPause(20_000));
    assert_eq!(p.shown()[1], "SECOND Transient");
    p.feed(1, Event::PeerSilent);
    p.run();
    assert_ne!(p.shown()[1], "ALONE Ready", "it may not take over");
    let mut p = Pair::whole(true);
    p.feed(1, Event::OwnPause(20_000));
    p.run();
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"], "in step again");
    assert_ne!(p.n[1].s.session, session);
    assert_eq!(p.log(1)[0], "This server was paused for 20000 ms: it suspects itself first");
}

#[test]
fn a_settled_state_survives_the_control_plane() {
    for x in [0, 1] {
        let mut p = Pair::whole(true);
        p.restart(x);
        p.run();
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        assert_eq!((p.scripts(0), p.scripts(1)), (vec![], vec![]));
        p.order(0, Command::Stop);
        assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
        p.restart(1);
        p.run();
        assert_eq!(p.shown()[1], "ALONE Ready");
    }
}

#[test]
fn a_move_does_not_survive_the_control_plane() {
    let mut p = Pair::whole(true);
    p.n[0].frozen = Some(Script::StartPrim);
    p.order(0, Command::Restart);
    p.n[0].frozen = None;
    p.restart(0);
    p.run();
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"], "all was stopped first, so the other took over");
    assert!(p.scripts(0).contains(&"stop_prim force PRIM WAIT"), "{:?}", p.scripts(0));
}

#[test]
fn a_stop_survives_the_control_plane() {
    // In the stop itself, while the answer is awaited, and as an order that waits for a script.
    for (frozen, command) in [
        (Script::StopPrim, Command::Stop),
        (Script::Poststop, Command::Stop),
        (Script::StartPrim, Command::Restart),
    ] {
        let mut p = Pair::whole(true);
        p.n[0].frozen = Some(frozen);
        p.order(0, command);
        if command != Command::Stop {
            p.order(0, Command::Stop);
        }
        p.n[0].frozen = None;
        p.restart(0);
        p.run();
        assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"], "{frozen}");
        assert!(p.n[0].windows.is_empty());
    }
}

#[test]
fn a_stopped_node_stays_stopped_when_it_dies_in_a_claim() {
    let mut p = Pair::new(true);
    p.n[1].disk.flag = Flag::Up;
    p.n[1].s.record.flag = Flag::Up;
    p.command(0, Command::Start);
    assert!(p.until(|p| p.n[1].s.at != crate::fsm::mirror::At::Stopped));
    p.restart(1);
    p.run();
    assert_eq!(p.shown(), ["ALONE Ready", "STOP NotReady"]);
    assert_eq!(p.n[1].disk.flag, Flag::Down);
}
