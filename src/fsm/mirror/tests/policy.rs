//! The policies of synchronization: `syncdelta`, refused reintegrations, unequal configurations.

use super::pair::Pair;
use crate::fsm::command::Command;
use crate::fsm::generation::{Flag, Generation, History, Record};
use crate::fsm::mirror::{Alike, Event, Outcome, Why};
use crate::told::Told;

const FORCED: &str = "Resource rfs.uptodate set to up by rfs_forceuptodate";

/// Both nodes crashed as a pair: node 0 was primary, node 1 its secondary.
fn outage(reintegrating: bool) -> Pair {
    let history = History::default().with(Generation { id: 7, by: 0 });
    let crashed = Record { term: 1, clean: false, history, ..Record::first() };
    let zero = Record { holder: true, flag: Flag::Paired, primary: true, ..crashed.clone() };
    let mut p = Pair::of(true, [zero, Record { reintegrating, ..crashed }]);
    p.cut = true;
    p
}

/// Starts x alone, and lets the rule of `syncdelta` speak.
fn start_alone(p: &mut Pair, x: usize) -> Outcome {
    p.order(x, Command::Start);
    p.feed(x, Event::PeerSilent);
    p.run();
    assert_eq!(p.shown()[x], "WAIT NotReady");
    assert_eq!(p.n[x].s.why, Some(Why::NotUptodate));
    let outcome = p.feed(x, Event::Tolerated(true));
    p.run();
    outcome
}

/// ST-35, A-1.3.6: either node of a crashed pair.
#[test]
fn syncdelta_lets_an_unproven_node_start_alone() {
    for x in 0..2 {
        let mut p = outage(false);
        start_alone(&mut p, x);
        assert_eq!(p.shown()[x], "ALONE Ready");
        assert!(p.place(x, FORCED) < p.place(x, "start_prim WAIT ALONE"));
        assert_eq!(p.n[x].disk.flag, Flag::Up);
        assert_eq!(p.n[x].disk.history.iter().count(), 2, "it went on in a generation of its own");
    }
}

#[test]
fn syncdelta_never_starts_data_that_is_half_copied() {
    let mut p = outage(true);
    start_alone(&mut p, 1);
    assert_eq!(p.shown()[1], "WAIT NotReady");
    assert!(!p.log(1).contains(&FORCED));
}

#[test]
fn syncdelta_gives_way_to_a_peer_that_is_heard() {
    let mut p = outage(false);
    p.order(1, Command::Start);
    p.cut = false;
    p.run();
    p.feed(1, Event::Tolerated(true));
    p.run();
    assert_eq!(p.shown()[1], "WAIT NotReady", "node 0 in STOP may have newer data");
    // What was said before the peer was heard is over.
    p.cut = true;
    p.feed(1, Event::Tolerated(false));
    p.feed(1, Event::PeerSilent);
    p.run();
    assert_eq!(p.shown()[1], "WAIT NotReady");
}

/// ... and the pair finds itself again: the one that went on is the newer one.
#[test]
fn after_syncdelta_the_other_node_reintegrates() {
    let mut p = outage(false);
    start_alone(&mut p, 1);
    p.command(0, Command::Start);
    p.heal();
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
}

#[test]
fn failover_off_wins_over_syncdelta() {
    let mut p = outage(false);
    p.n[1].s.failover = false;
    start_alone(&mut p, 1);
    assert_eq!(p.shown()[1], "WAIT NotReady");
    assert_eq!(p.n[1].s.why, Some(Why::FailoverOff));
}

#[test]
fn a_secondary_of_another_configuration_waits_until_they_are_equal() {
    let a = Alike { directories: 1, acl: false, zone: 8 << 20, after_disk: false };
    let mut p = Pair::new(true);
    p.n[0].cfg.alike = Some(a);
    p.n[1].cfg.alike = Some(Alike { after_disk: true, ..a });
    p.start_both();
    assert_eq!(p.shown(), ["ALONE Ready", "WAIT NotReady"]);
    assert_eq!(p.n[1].s.why, Some(Why::Differs));
    let said = "the reintegration is refused: the other node has another configuration, async of <rfs>";
    assert!(p.log(1).contains(&said), "{:?}", p.log(1));
    p.order(1, Command::Stop);
    p.n[1].cfg.alike = Some(a);
    p.order(1, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

/// It may be another primary when it comes back, or have another configuration.
#[test]
fn a_refused_reintegration_is_tried_again_with_a_primary_that_was_stopped() {
    let mut p = Pair::new(true);
    p.order(0, Command::Start);
    p.command(1, Command::Start);
    p.n[1].s.refusal = Some(Told::same("no"));
    p.run();
    assert_eq!(p.shown(), ["ALONE Ready", "WAIT NotReady"]);
    assert_eq!(p.n[1].s.why, Some(Why::Refused));
    p.order(0, Command::Stop);
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}
