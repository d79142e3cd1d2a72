//! Leaving a role by order or rule, and what comes while a script runs (A-5.7, C-4.4.3, C-4.4.8.2).

use super::pair::{Did, Pair};
use super::start::FINISH;
use crate::fsm::command::{Caller, Command};
use crate::fsm::generation::Flag;
use crate::fsm::mirror::{Event, Waits};
use crate::fsm::scripts::Script;

fn rule(p: &mut Pair, x: usize, command: Command, label: &str) {
    p.feed(x, Event::Command(command, Caller::Rule(label.to_owned())));
    p.run();
}

#[test]
fn failover_off_waits_for_the_former_primary() {
    let mut p = Pair::whole(true);
    p.order(0, Command::Failover(false));
    p.order(1, Command::Failover(false));
    p.did.clear();
    p.order(0, Command::Stop);
    assert_eq!(p.shown(), ["STOP NotReady", "WAIT NotReady"]);
    let log = p.log(1);
    assert_eq!(
        log[..3],
        [
            "Failover-off configured",
            "Action stopstart called by failover-off",
            "Transition STOPSTART from failover-off",
        ]
    );
    assert!(log.contains(&"Action start called automatically"), "{log:?}");
    assert_eq!(log.last(), Some(&"Local state WAIT NotReady"), "{log:?}");
    assert!(p.scripts(1).contains(&"stop_both SECOND WAIT stopstart"));
    assert!(p.scripts(1).contains(&"poststop WAIT STOP stopstart"));
    assert_eq!(p.n[0].disk.flag, Flag::Up, "it did not hand over (S5)");
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn failover_off_does_not_hinder_a_swap_nor_prim() {
    let mut p = Pair::whole(true);
    p.order(0, Command::Failover(false));
    p.order(1, Command::Failover(false));
    p.order(0, Command::Swap { nosync: false });
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
    p.order(1, Command::Stop);
    p.order(0, Command::Stop);
    p.order(0, Command::Prim { fullsync: false });
    assert_eq!(p.shown(), ["ALONE Ready", "STOP NotReady"]);
}

#[test]
fn a_wait_rule_sends_the_primary_to_wait_and_lets_it_go_again() {
    let mut p = Pair::whole(true);
    p.rules(0, Waits::Blocked("t_id".into()));
    assert_eq!(p.shown()[0], "PRIM Ready", "a wait rule acts after its handle_time");
    rule(&mut p, 0, Command::StopWait, "t_id");
    assert_eq!(p.shown(), ["WAIT NotReady", "ALONE Ready"]);
    assert_eq!(
        p.log(0)[..2],
        ["Action wait from failover rule t_id", "Transition WAIT_TR from failover rule t_id"]
    );
    assert!(p.log(0).contains(&"Local state WAIT NotReady"));
    assert_eq!(
        p.scripts(0),
        [
            "stop_prim PRIM WAIT stopwait",
            "stop_prim force PRIM WAIT stopwait",
            "stop_both PRIM WAIT stopwait",
            "stop_both force PRIM WAIT stopwait",
            "transition PRIM WAIT stopwait"
        ]
    );
    p.did.clear();
    p.rules(0, Waits::Clear);
    p.run();
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
    assert_eq!(p.log(0)[0], "Action wakeup from failover rule Implicit_wakeup");
    assert!(!p.scripts(0).iter().any(|s| s.starts_with("prestart")));
}

#[test]
fn a_wait_rule_holds_a_start() {
    let mut p = Pair::new(true);
    p.n[0].waits = Waits::Blocked("c_checkfile".into());
    p.order(0, Command::Start);
    assert_eq!(p.shown()[0], "WAIT NotReady");
    assert_eq!(
        p.log(0),
        [
            "Action start called by root",
            "Remote state STOP NotReady",
            "Action wait from failover rule c_checkfile",
            "Transition WAIT_TR from failover rule c_checkfile",
            "Local state WAIT NotReady"
        ]
    );
    p.rules(0, Waits::Clear);
    p.run();
    assert_eq!(p.shown()[0], "ALONE Ready");
}

#[test]
fn a_stop_during_start_prim_is_kept_whatever_the_rules_say_then() {
    let mut p = Pair::new(false);
    p.n[0].frozen = Some(Script::StartPrim);
    p.order(0, Command::Start);
    assert_eq!(p.shown()[0], "ALONE Transient");
    p.order(0, Command::Stop);
    for command in [Command::StopStart, Command::StopWait] {
        rule(&mut p, 0, command, "t_id");
    }
    assert_eq!(p.shown()[0], "ALONE Transient", "it waits for the end of the script");
    p.n[0].frozen = None;
    p.run();
    assert_eq!(p.shown()[0], "STOP NotReady");
    assert!(p.scripts(0).ends_with(&FINISH));
    assert!(p.n[0].windows.is_empty());
}

#[test]
fn forcestop_kills_the_script() {
    let mut p = Pair::new(false);
    p.n[0].frozen = Some(Script::StartPrim);
    p.order(0, Command::Start);
    p.order(0, Command::ForceStop);
    assert!(p.did.contains(&(0, Did::Else("kill script".into()))));
    assert_eq!(p.shown()[0], "STOP NotReady");
    assert!(p.log(0).contains(&"Action forcestop called by root"));
}

#[test]
fn a_stopstart_starts_again_also_if_asked_for_twice() {
    for second in [Command::StopStart, Command::StopWait] {
        let mut p = Pair::whole(true);
        p.n[0].frozen = Some(Script::StopPrim);
        rule(&mut p, 0, Command::StopStart, "c_id");
        rule(&mut p, 0, second, "c_id");
        p.n[0].frozen = None;
        p.run();
        assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"], "{second}");
        let log = p.log(0);
        assert_eq!(log.iter().filter(|l| **l == "Action start called automatically").count(), 1);
        assert!(p.scripts(0).contains(&"stop_prim PRIM WAIT stopstart"));
        assert!(p.scripts(0).contains(&"poststop WAIT STOP stopstart"));
        assert!(p.did.iter().any(|d| *d == (0, Did::Else("rules begin anew".into()))));
    }
}

#[test]
fn a_stop_wins_while_the_answer_of_the_secondary_is_awaited() {
    let mut p = Pair::whole(true);
    p.cut = true;
    p.order(0, Command::Stop);
    assert_eq!(p.shown()[0], "WAIT Transient");
    rule(&mut p, 0, Command::StopWait, "t_id");
    p.timer(0);
    assert_eq!(p.shown()[0], "STOP NotReady");
    assert_eq!(p.n[0].disk.flag, Flag::Paired, "no answer leaves it unproven (S5)");
}

#[test]
fn a_stop_during_the_reintegration_tells_its_scripts() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    p.did.clear();
    p.n[1].frozen = Some(Script::StartSecond);
    p.order(1, Command::Start);
    p.order(1, Command::Stop);
    p.n[1].frozen = None;
    p.run();
    assert_eq!(p.shown(), ["ALONE Ready", "STOP NotReady"]);
    assert!(p.scripts(1).contains(&"stop_second SECOND WAIT stop"), "{:?}", p.scripts(1));
    assert!(p.scripts(1).ends_with(&FINISH));
}
