//! Another module, which this one checks, begins anew at any moment of a takeover (ST-79d).

use super::pair::Pair;
use crate::fsm::anew::{Anew, MODULECHECK};
use crate::fsm::command::{Caller, Command};
use crate::fsm::mirror::Event;

/// What the actor does after each step, once its checker has seen it.
fn follow(p: &mut Pair, x: usize, anew: &mut bool) {
    let found = p.n[x].s.anew();
    if *anew && found != Anew::Later {
        *anew = false;
        if let Anew::Now(command) = found {
            p.feed(x, Event::Command(command, Caller::Identity(MODULECHECK.to_owned())));
        }
    }
}

/// The primary is lost together with the checked module; the secondary sees the latter after so many of
/// its own steps, and takes over.
fn lost_with_the_checked_module(after: usize) -> (Pair, bool) {
    let mut p = Pair::whole(true);
    (p.cut, p.split) = (true, true);
    let mut anew = after == 0;
    follow(&mut p, 1, &mut anew);
    p.detach(0);
    p.feed(1, Event::PeerSilent);
    let mut steps = 0;
    while p.step(1) {
        steps += 1;
        anew |= steps == after;
        follow(&mut p, 1, &mut anew);
        assert!(steps < 300, "it goes round and round: {:?}", p.did);
    }
    (p, steps >= after)
}

#[test]
fn st_79d_a_takeover_ends_in_alone_whenever_the_other_module_began() {
    let mut seen = Vec::new();
    for after in 0.. {
        let (p, reached) = lost_with_the_checked_module(after);
        if !reached {
            break;
        }
        assert_eq!(p.shown()[1], "ALONE Ready", "seen after {after} steps: {:?}", p.did);
        let said =
            |action: &str| p.log(1).contains(&format!("Action {action} called by modulecheck").as_str());
        seen.push((said("restart"), said("stopstart")));
    }
    assert!(seen.len() > 5, "{seen:?}");
    assert_eq!(seen[0], (true, false), "a secondary keeps its role");
    assert!(seen[1..].iter().all(|s| *s == (false, true)), "put off until ALONE: {seen:?}");
}

/// What the rule is for: a secondary that left its role would not be up to date by itself any more.
#[test]
fn a_secondary_that_stops_and_starts_without_its_primary_is_blocked() {
    let mut p = Pair::whole(true);
    (p.cut, p.split) = (true, true);
    p.detach(0);
    let caller = Caller::Identity("somebody".to_owned());
    p.feed(1, Event::Command(Command::StopStart, caller));
    p.feed(1, Event::PeerSilent);
    while p.step(1) {}
    assert_eq!(p.shown()[1], "WAIT NotReady");
}

#[test]
fn who_does_not_run_has_nothing_to_start_again() {
    let mut p = Pair::new(true);
    assert_eq!(p.n[0].s.anew(), Anew::Nothing);
    p.start_both();
    assert_eq!(p.n[0].s.anew(), Anew::Now(Command::StopStart));
    assert_eq!(p.n[1].s.anew(), Anew::Now(Command::Restart));
    p.command(0, Command::Stop);
    assert_eq!(p.n[0].s.anew(), Anew::Nothing);
}

#[test]
fn the_scripts_of_a_secondary_are_restarted_where_it_is() {
    let mut p = Pair::whole(true);
    let mut anew = true;
    follow(&mut p, 1, &mut anew);
    p.run();
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    assert!(p.place(1, "stop_second SECOND SECOND") < p.place(1, "start_second SECOND SECOND"));
}
