use super::*;
use proptest::prelude::*;

const MS: u64 = 1_000_000;
const TIMEOUT_MS: u32 = 1000;

fn name(module: &str) -> ModuleName {
    module.parse().unwrap()
}

fn target() -> Target {
    Target { vips: Vec::new(), group: None }
}

fn arm_ask(module: &str, echoed_at: u64) -> Ask {
    Ask::Arm { module: name(module), timeout_ms: TIMEOUT_MS, echoed_at, target: target() }
}

/// Sends and reads in the same moment.
fn ask(table: &mut Table, now: u64, ask: Ask) -> Status {
    sent(table, now, now, ask)
}

fn sent(table: &mut Table, sent_at: u64, now: u64, ask: Ask) -> Status {
    match table.answer(now, Request { number: 1, sent_at, ask }) {
        Answer::Status(status) => status,
        other => panic!("{other:?}"),
    }
}

fn renew(module: &str, echoed_at: u64) -> Ask {
    Ask::Renew { module: name(module), echoed_at }
}

/// Carries out every fence that is due, and names the modules.
fn fence(table: &mut Table, now: u64) -> Vec<String> {
    let done = table.due(now).map(|entry| {
        let Standing::Fenced { fenced, .. } = &mut entry.standing else { panic!("not fenced") };
        fenced.complete = true;
        entry.module.to_string()
    });
    done.collect()
}

const ARMED: Status = Status { armed: true, fenced: None };
const UNKNOWN: Status = Status { armed: false, fenced: None };

#[test]
fn a_silent_module_is_fenced_once_and_stays_so() {
    let mut table = Table::new(0);
    assert_eq!(ask(&mut table, 1000 * MS, arm_ask("one", 1000 * MS)), ARMED);
    assert_eq!(ask(&mut table, 1000 * MS, arm_ask("two", 1000 * MS)), ARMED);
    assert_eq!(table.next_due(), Some(1800 * MS));
    assert_eq!(ask(&mut table, 1750 * MS, renew("two", 1000 * MS)), ARMED);
    assert!(fence(&mut table, 1799 * MS).is_empty());
    assert_eq!(fence(&mut table, 1800 * MS), ["one"]);
    assert!(fence(&mut table, 1801 * MS).is_empty(), "once");
    assert_eq!(ask(&mut table, 1802 * MS, Ask::Query(name("two"))), ARMED);
    for late in [renew("one", 1802 * MS), arm_ask("one", 1802 * MS), Ask::Disarm(name("one"))] {
        let status = ask(&mut table, 1802 * MS, late);
        let fenced = Fenced { at: 1800 * MS, renewed_at: 1000 * MS, echoed_at: 1000 * MS, complete: true };
        assert_eq!(status, Status { armed: false, fenced: Some(fenced) });
    }
    assert_eq!(ask(&mut table, 1803 * MS, Ask::Acknowledge(name("one"))), UNKNOWN);
    assert_eq!(ask(&mut table, 1804 * MS, arm_ask("one", 1804 * MS)), ARMED);
}

#[test]
fn an_incomplete_fence_cannot_be_acknowledged() {
    let mut table = Table::new(0);
    ask(&mut table, 0, arm_ask("one", 0));
    assert_eq!(table.due(2000 * MS).count(), 1);
    let status = ask(&mut table, 2000 * MS, Ask::Acknowledge(name("one")));
    assert!(status.fenced.is_some_and(|fenced| !fenced.complete));
    assert_eq!(fence(&mut table, 2010 * MS), ["one"], "it is tried again");
}

#[test]
fn what_was_sent_after_the_deadline_comes_too_late() {
    for late in [renew("one", 1900 * MS), Ask::Disarm(name("one")), arm_ask("one", 1900 * MS)] {
        let mut table = Table::new(0);
        ask(&mut table, 1000 * MS, arm_ask("one", 1000 * MS));
        // The whole machine slept; safeadmin woke first.
        let status = ask(&mut table, 1900 * MS, late);
        assert!(status.fenced.is_some());
        assert_eq!(fence(&mut table, 1900 * MS), ["one"]);
    }
}

#[test]
fn a_guard_that_was_held_up_fences_nobody_that_renewed() {
    let mut table = Table::new(0);
    ask(&mut table, 1000 * MS, arm_ask("one", 1000 * MS));
    let mut time = 1000 * MS;
    while time < 5000 * MS {
        time += 90 * MS;
        assert_eq!(sent(&mut table, time, 5000 * MS, renew("one", time)), ARMED);
    }
    assert!(fence(&mut table, 5000 * MS).is_empty());
}

#[test]
fn old_renewals_and_clocks_ahead_postpone_nothing() {
    let mut table = Table::new(0);
    ask(&mut table, 1000 * MS, arm_ask("one", 1000 * MS));
    assert_eq!(sent(&mut table, 1001 * MS, 1700 * MS, renew("one", 1000 * MS)), ARMED);
    assert_eq!(sent(&mut table, 1_000_000 * MS, 1750 * MS, renew("one", 1_000_000 * MS)), ARMED);
    assert_eq!(table.next_due(), Some((1750 + 800) * MS));
}

#[test]
fn a_restarted_safeadmin_re_adopts_and_a_restarted_guard_remembers_fences() {
    let mut table = Table::new(0);
    ask(&mut table, 1000 * MS, arm_ask("one", 1000 * MS));
    assert_eq!(ask(&mut table, 1500 * MS, arm_ask("one", 0)), ARMED);
    assert_eq!(table.next_due(), Some(1800 * MS), "what was known of the peer still holds");
    assert_eq!(ask(&mut table, 1500 * MS, Ask::Disarm(name("one"))), UNKNOWN);
    assert_eq!(table.next_due(), None);

    let fenced = Fenced { at: 1, renewed_at: 0, echoed_at: 0, complete: true };
    let mut table = Table::new(9);
    table.restore(name("one"), fenced);
    assert_eq!(ask(&mut table, 10, arm_ask("one", 10)), Status { armed: false, fenced: Some(fenced) });
    assert_eq!(ask(&mut table, 10, renew("two", 10)), UNKNOWN, "safeadmin has to arm again");
    assert!(fence(&mut table, 10).is_empty());
}

#[test]
fn limits_are_refused() {
    let mut table = Table::new(7);
    let mut answer = |ask| table.answer(10, Request { number: 1, sent_at: 10, ask });
    assert_eq!(answer(Ask::Hello { version: 99 }), Answer::Welcome { version: VERSION, since: 7 });
    let zero = Ask::Arm { module: name("m"), timeout_ms: 0, echoed_at: 0, target: target() };
    assert_eq!(answer(zero), Answer::Refused(Refusal::Timeout));
    for n in 0..MAX_MODULES {
        assert_eq!(answer(arm_ask(&format!("m{n}"), 10)), Answer::Status(ARMED));
    }
    assert_eq!(answer(arm_ask("more", 10)), Answer::Refused(Refusal::Full));
    assert_eq!(answer(arm_ask("m0", 10)), Answer::Status(ARMED));
}

proptest! {
    /// Whatever safeadmin does until it stops, an armed module is fenced exactly at its deadline.
    #[test]
    fn silence_is_always_fenced(steps in proptest::collection::vec((0u8..3, 1u64..95, 0u64..3000), 1..60)) {
        let mut table = Table::new(0);
        let mut now = 10_000 * MS;
        let (mut renewed, mut echoed) = (now, now);
        ask(&mut table, now, arm_ask("one", now));
        for (kind, pause, age) in steps {
            now += pause * MS;
            prop_assert!(fence(&mut table, now).is_empty(), "renewed {} ms ago", (now - renewed) / MS);
            let echo = now - age * MS;
            let status = match kind {
                0 => ask(&mut table, now, arm_ask("one", echo)),
                _ => ask(&mut table, now, renew("one", echo)),
            };
            prop_assert_eq!(status, ARMED);
            (renewed, echoed) = (now, echoed.max(echo));
        }
        let deadline = (echoed + 800 * MS).max(renewed + 100 * MS);
        prop_assert_eq!(table.next_due(), Some(deadline));
        prop_assert!(fence(&mut table, deadline - 1).is_empty());
        prop_assert_eq!(fence(&mut table, deadline), ["one"]);
    }
}
