//! What is refused, and how it is said (ST-40 to ST-44, A-5.9c).

use super::pair::Pair;
use crate::fsm::command::Command;
use crate::fsm::generation::{Flag, Record};
use crate::fsm::mirror::{Outcome, Refused};

const PRIM: Command = Command::Prim { fullsync: false };
const SECOND: Command = Command::Second { fullsync: false };

#[test]
fn prim_beside_a_primary() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    p.did.clear();
    for command in [PRIM, Command::PrimForce] {
        let refused = Refused::PeerIsPrimary(command.to_string());
        assert_eq!(p.order(1, command), Outcome::Refused(refused));
    }
    assert_eq!(
        p.log(1),
        [
            "Action prim called by root",
            "Requested prim start aborted",
            "Action primforce called by root",
            "Requested prim start aborted"
        ]
    );
    assert_eq!(p.shown(), ["ALONE Ready", "STOP NotReady"]);
}

#[test]
fn second_by_date_without_replicated_directories() {
    let mut p = Pair::whole(false);
    p.order(1, Command::Stop);
    let Outcome::Refused(refused) = p.order(1, Command::SecondForce { after: 9 }) else { panic!("refused") };
    assert!(refused.to_string().contains("no replicated directories"), "{refused}");
    assert_eq!(p.shown()[1], "STOP NotReady");
}

#[test]
fn second_without_a_primary() {
    let mut p = Pair::new(true);
    p.run();
    assert_eq!(p.order(1, SECOND), Outcome::Refused(Refused::NoPrimary));
    assert_eq!(p.log(1), ["Action second called by root", "Requested second start aborted"]);
    // Not known at first, and then silent: back to STOP.
    let mut p = Pair::new(true);
    p.cut = true;
    assert_eq!(p.order(1, SECOND), Outcome::Taken);
    p.lose(1);
    assert_eq!(p.shown()[1], "STOP NotReady");
    assert!(p.log(1).contains(&"Requested second start aborted"), "{:?}", p.log(1));
}

#[test]
fn second_beside_a_primary() {
    let mut p = Pair::whole(true);
    p.order(1, Command::Stop);
    assert_eq!(p.order(1, SECOND), Outcome::Taken);
    assert_eq!(p.shown(), ["PRIM Ready", "SECOND Ready"]);
}

#[test]
fn inconsistent_data() {
    let broken = Record { reintegrating: true, flag: Flag::Down, ..Pair::new(true).n[1].disk.clone() };
    let mut p = Pair::of(true, [Record::first(), broken]);
    p.lose(1);
    assert_eq!(p.order(1, PRIM), Outcome::Refused(Refused::Inconsistent));
    assert_eq!(
        p.log(1),
        [
            "Action prim called by root",
            "Data may be inconsistent for replicated directories (stopped during reintegration)",
            "If you are sure that this server has valid data, run safekit primforce to force start as primary",
            "Requested prim start aborted"
        ]
    );
    assert_eq!(p.order(1, Command::PrimForce), Outcome::Taken);
    assert_eq!(p.shown()[1], "ALONE Ready");
    assert!(p.n[1].disk.fullsync, "the next secondary is copied in full");
}

#[test]
fn commands_outside_their_states() {
    let mut p = Pair::whole(true);
    for command in [Command::Start, PRIM, SECOND] {
        assert!(matches!(p.order(0, command), Outcome::Refused(Refused::State { .. })), "{command}");
    }
    assert_eq!(p.did, []);
    p.order(1, Command::Stop);
    for command in [Command::Restart, Command::Swap { nosync: true }, Command::Failover(false)] {
        assert!(matches!(p.order(1, command), Outcome::Refused(Refused::State { .. })), "{command}");
    }
    assert!(matches!(p.order(1, Command::Stop), Outcome::Ignored(_)));
}
