//! Exchanges of roles (M-4.2.5, A-5.8).

use super::pair::Pair;
use crate::fsm::command::Command;
use crate::fsm::mirror::{DefaultPrim, Outcome};
use crate::fsm::scripts::Script;

const SWAP: Command = Command::Swap { nosync: false };

#[test]
fn a_swap_from_either_side() {
    for (data, from) in [(true, 0), (true, 1), (false, 0), (false, 1)] {
        let mut p = Pair::whole(data);
        p.order(from, SWAP);
        assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
        assert_eq!(
            p.scripts(0),
            [
                "stop_prim PRIM SECOND",
                "stop_prim force PRIM SECOND",
                "transition PRIM SECOND",
                "start_second PRIM SECOND",
                "start_sec PRIM SECOND"
            ]
        );
        assert_eq!(
            p.scripts(1),
            [
                "stop_sec SECOND PRIM",
                "stop_sec force SECOND PRIM",
                "stop_second SECOND PRIM",
                "stop_second force SECOND PRIM",
                "transition SECOND PRIM",
                "start_prim SECOND PRIM"
            ]
        );
        let asked = ["Action swap called by root", "Transition SWAP from SYSTEM", "Begin of Swap"];
        assert_eq!(p.log(from)[..3], asked);
        assert_eq!(p.log(1 - from)[0], "Begin of Swap");
        assert!(p.place(0, "kill for swap") < p.place(1, "start_prim SECOND PRIM"));
    }
}

#[test]
fn a_swap_waits_for_a_slow_other_half() {
    for data in [true, false] {
        let mut p = Pair::whole(data);
        p.n[1].frozen = Some(Script::StopSecond);
        p.order(0, SWAP);
        assert_eq!(p.shown()[0], "SECOND Transient");
        assert!(!p.scripts(0).iter().any(|s| s.contains("WAIT")), "{:?}", p.scripts(0));
        p.n[1].frozen = None;
        p.run();
        assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
        assert!(!p.scripts(0).iter().any(|s| s.starts_with("stop_both")), "{:?}", p.scripts(0));
    }
}

#[test]
fn a_swap_is_for_a_pair() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    let Outcome::Refused(refused) = p.order(0, SWAP) else { panic!("it is swapped alone") };
    let why = "swap is refused in ALONE Ready: it exchanges the roles of PRIM Ready and SECOND Ready";
    assert_eq!(refused.to_string(), why);
    let why = "swap est refusé en ALONE Ready : il échange les rôles de PRIM Ready et SECOND Ready";
    assert_eq!(crate::told::Tell::french(&refused), why);
}

#[test]
fn a_stop_in_the_middle_of_a_swap_leaves_nothing_behind() {
    let mut p = Pair::whole(true);
    p.n[1].frozen = Some(Script::StopSecond);
    p.order(0, SWAP);
    p.order(0, Command::Stop);
    p.n[1].frozen = None;
    p.run();
    assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
    assert!(p.n[0].windows.is_empty(), "{:?}", p.n[0].windows);
    assert!(p.scripts(0).contains(&"stop_both SECOND WAIT stop"), "{:?}", p.scripts(0));
}

#[test]
fn the_other_half_never_comes() {
    let mut p = Pair::whole(true);
    p.command(0, SWAP);
    p.lose(0);
    p.order(0, Command::Stop);
    assert_eq!(p.shown()[0], "STOP NotReady");
    assert!(p.n[0].windows.is_empty(), "{:?}", p.n[0].windows);
}

#[test]
fn defaultprim_alone_leaves_the_primary() {
    let mut p = Pair::whole(true);
    p.order(0, Command::Stop);
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
}

#[test]
fn defaultprim_node_swaps_after_a_reintegration_only() {
    let mut p = Pair::whole(true);
    p.n.iter_mut().for_each(|n| n.cfg.default_prim = DefaultPrim::Node(0));
    p.order(0, Command::Stop);
    p.did.clear();
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    let i = p.place(0, "Transition SWAP from defaultprim");
    assert!(i < p.place(0, "Begin of Swap") && i < p.place(1, "Begin of Swap"));
    // An operator's swap is not undone.
    p.order(0, SWAP);
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
}

#[test]
fn defaultprim_last_swaps_back_once() {
    let mut p = Pair::whole(true);
    p.n.iter_mut().for_each(|n| n.cfg.default_prim = DefaultPrim::Last);
    p.order(0, Command::Stop);
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    p.order(1, Command::Stop);
    p.order(1, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"], "the secondary comes back as such");
    p.order(1, SWAP);
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
    p.order(0, Command::StopWait);
    assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
}
