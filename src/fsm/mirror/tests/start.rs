//! Starts and stops of a whole pair (M-4.2.1 to M-4.2.4, A-5.3, D-14a).

use super::pair::{Did, Pair};
use crate::fsm::command::Command;
use crate::fsm::generation::{Flag, Record};
use crate::fsm::mirror::{Peer, Waits};

/// WAIT -> STOP (image404).
pub const FINISH: [&str; 6] = [
    "stop_sec force WAIT STOP stop",
    "stop_prim force WAIT STOP stop",
    "stop_second force WAIT STOP stop",
    "stop_both force WAIT STOP stop",
    "poststop WAIT STOP stop",
    "transition WAIT STOP stop",
];

const JOIN: [&str; 6] = [
    "transition STOP WAIT start",
    "prestart STOP WAIT start",
    "transition WAIT SECOND",
    "start_both WAIT SECOND",
    "start_second WAIT SECOND",
    "start_sec WAIT SECOND",
];

/// Without data nobody speaks of data.
fn of(data: bool, said: &[&'static str]) -> Vec<&'static str> {
    said.iter().copied().filter(|s| data || !s.contains("replicated")).collect()
}

#[test]
fn both_start() {
    for data in [true, false] {
        let mut p = Pair::new(data);
        p.start_both();
        assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
        let said = [
            "Action start called by root",
            "Uptodate replicated file system",
            "Local state ALONE Ready",
            "Local state PRIM Ready",
            "Remote state SECOND Ready",
        ];
        assert_eq!(p.log(0), of(data, &said));
        assert_eq!(
            p.log(1),
            [
                "Action start called by root",
                "Remote state ALONE Ready",
                "Remote state PRIM Ready",
                "Local state SECOND Ready"
            ]
        );
        assert_eq!(
            p.scripts(0),
            [
                "transition STOP WAIT start",
                "prestart STOP WAIT start",
                "transition WAIT ALONE",
                "start_both WAIT ALONE",
                "start_prim WAIT ALONE",
                "start_sec WAIT ALONE",
                "stop_sec ALONE PRIM",
                "stop_sec force ALONE PRIM",
                "transition ALONE PRIM",
            ]
        );
        assert_eq!(p.scripts(1), JOIN);
        assert!(p.n.iter().all(|n| n.s.uptodate()));
    }
}

#[test]
fn the_secondary_takes_over_when_the_primary_has_stopped() {
    for data in [true, false] {
        let mut p = Pair::whole(data);
        p.order(0, Command::Stop);
        assert_eq!(p.shown(), ["STOP NotReady", "ALONE Ready"]);
        let leave = [
            "stop_prim PRIM WAIT stop",
            "stop_prim force PRIM WAIT stop",
            "stop_both PRIM WAIT stop",
            "stop_both force PRIM WAIT stop",
            "transition PRIM WAIT stop",
        ];
        assert_eq!(p.scripts(0), leave.into_iter().chain(FINISH).collect::<Vec<_>>());
        assert_eq!(
            p.scripts(1),
            [
                "stop_second SECOND ALONE",
                "stop_second force SECOND ALONE",
                "transition SECOND ALONE",
                "start_prim SECOND ALONE"
            ]
        );
        let said = [
            "Action alone called by heart: remote stop",
            "Uptodate replicated file system",
            "Local state ALONE Ready",
            "Remote state STOP NotReady",
        ];
        assert_eq!(p.log(1), of(data, &said));
        let log = p.log(0);
        assert_eq!(log[0], "Action stop called by root");
        assert_eq!(log[log.len() - 2..], ["End of stop", "Local state STOP NotReady"]);
        assert!(p.place(0, "kill") < p.place(1, "start_prim SECOND ALONE"));
        assert!(p.place(0, "vip off") < p.place(1, "vip on"));
        assert_eq!(p.n[0].disk.flag, Flag::Down, "it handed over (S5)");
        assert!(p.n[0].windows.is_empty(), "{:?}", p.n[0].windows);

        p.did.clear();
        p.order(0, Command::Start);
        assert_eq!(p.shown(), ["SECOND Ready", "PRIM Ready"]);
        assert_eq!(p.scripts(0), JOIN);
        assert_eq!(
            p.scripts(1),
            ["stop_sec ALONE PRIM", "stop_sec force ALONE PRIM", "transition ALONE PRIM"]
        );
    }
}

#[test]
fn the_secondary_stops() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    assert_eq!(p.shown(), ["ALONE Ready", "STOP NotReady"]);
    assert_eq!(p.scripts(0), ["transition PRIM ALONE", "start_sec PRIM ALONE"]);
    let leave = [
        "stop_sec SECOND WAIT stop",
        "stop_sec force SECOND WAIT stop",
        "stop_second SECOND WAIT stop",
        "stop_second force SECOND WAIT stop",
        "stop_both SECOND WAIT stop",
        "stop_both force SECOND WAIT stop",
        "transition SECOND WAIT stop",
    ];
    assert_eq!(p.scripts(1), leave.into_iter().chain(FINISH).collect::<Vec<_>>());
    assert_eq!((p.n[0].disk.flag, p.n[1].disk.flag), (Flag::Up, Flag::Down));

    // Alone it must wait: it cannot know what the other one wrote since.
    p.order(0, Command::Stop);
    p.did.clear();
    p.order(1, Command::Start);
    assert_eq!(p.shown()[1], "WAIT NotReady");
    assert_eq!(
        p.log(1)[2..],
        [
            "Data may be not uptodate for replicated directories (wait for the start of the remote server)",
            "Action wait from failover rule notuptodate_server",
            "If you are sure that this server has valid data, run safekit prim to force start as primary",
            "Local state WAIT NotReady",
        ]
    );
    p.order(0, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn a_restart_keeps_role_and_address() {
    let mut p = Pair::whole(true);
    p.order(0, Command::Restart);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    assert_eq!(
        p.scripts(0),
        [
            "stop_prim PRIM PRIM",
            "stop_prim force PRIM PRIM",
            "stop_both PRIM PRIM",
            "stop_both force PRIM PRIM",
            "start_both PRIM PRIM",
            "start_prim PRIM PRIM"
        ]
    );
    assert_eq!(p.log(0), ["Action restart called by root", "Local state PRIM Ready"]);
    assert!(!p.did.contains(&(0, Did::Else("vip off".into()))));
    p.did.clear();
    p.order(1, Command::Restart);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    assert_eq!(
        p.scripts(1),
        [
            "stop_sec SECOND SECOND",
            "stop_sec force SECOND SECOND",
            "stop_second SECOND SECOND",
            "stop_second force SECOND SECOND",
            "stop_both SECOND SECOND",
            "stop_both force SECOND SECOND",
            "start_both SECOND SECOND",
            "start_second SECOND SECOND",
            "start_sec SECOND SECOND"
        ]
    );
    assert_eq!(p.scripts(0), Vec::<&str>::new());
}

#[test]
fn a_first_start_needs_an_operator() {
    let mut p = Pair::of(true, [Record::first(), Record::first()]);
    p.start_both();
    assert_eq!(p.shown(), ["WAIT NotReady", "WAIT NotReady"]);
    p.order(0, Command::Stop);
    p.order(0, Command::Prim { fullsync: false });
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn a_silent_peer_is_said_at_the_start() {
    let mut p = Pair::new(false);
    p.lose(0);
    assert_eq!(p.log(0), Vec::<&str>::new());
    p.order(0, Command::Start);
    assert_eq!(p.shown()[0], "ALONE Ready");
    assert_eq!(
        p.log(0),
        ["Action start called by root", "Remote state UNKNOWN Unknown", "Local state ALONE Ready"]
    );
}

#[test]
fn a_start_during_a_claim_of_the_peer_is_kept() {
    let mut p = Pair::new(true);
    p.n[1].disk.flag = Flag::Up;
    p.n[1].s.record.flag = Flag::Up;
    p.command(0, Command::Start);
    // Step by step until the claim of 0 is being stored by 1.
    let claimed = p.until(|p| p.n[1].s.at != crate::fsm::mirror::At::Stopped);
    assert!(claimed, "1 hears the claim");
    p.order(1, Command::Start);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
    assert!(matches!(p.n[1].s.peer, Peer::Heard { .. }) && p.n[1].s.waits == Waits::Clear);
}
