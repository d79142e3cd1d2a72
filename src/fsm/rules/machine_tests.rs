use super::ast::Action;
use super::machine::{Machine, Pending, Verdict, View, WaitVerdict};
use super::{Generated, Ruleset, Sources, UserText};
use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::fsm::state::Role;

const PERIOD: u64 = 5000;
const HANDLE: u64 = 15_000;

fn machine(user: &str, generated: &[(&str, &str, Action)]) -> Machine {
    let generated = generated
        .iter()
        .map(|(label, resource, action)| Generated {
            label: (*label).to_owned(),
            resource: resource.parse().unwrap(),
            action: action.clone(),
        })
        .collect();
    let sources = Sources {
        extends: true,
        user: vec![UserText { text: user, base_line: 1 }],
        generated,
        plug_ins: vec!["rfs_force: if (rfs.synced == up && rfs.uptodate == down) then rfs.uptodate=up;"],
        late: [ResourceName::new("tcp", "late")].into(),
    };
    Machine::new(Ruleset::build(sources).unwrap(), PERIOD, HANDLE)
}

/// A machine, its resources and a clock.
struct Bench {
    machine: Machine,
    role: Role,
    local: Resources,
    checkers_on: bool,
    now: u64,
}

impl Bench {
    fn new(machine: Machine, role: Role, list: &[(&str, &str)]) -> Self {
        let mut bench = Bench { machine, role, local: Resources::new(), checkers_on: true, now: 0 };
        list.iter().for_each(|(name, value)| bench.set(name, value));
        bench
    }

    fn set(&mut self, name: &str, value: &str) {
        self.local.insert(name.parse().unwrap(), Value::from(value));
    }

    fn evaluate(&mut self) -> Verdict {
        let view = View {
            role: self.role,
            local: &self.local,
            remote: None,
            cluster: &Value::Up,
            checkers_on: self.checkers_on,
        };
        self.machine.evaluate(self.now, &view)
    }

    /// Evaluates each period for that long; what was said, and when.
    fn run(&mut self, ms: u64) -> Vec<(u64, String, String)> {
        let end = self.now + ms;
        let mut said = Vec::new();
        while self.now < end {
            if let Some((command, rule)) = self.evaluate().act {
                said.push((self.now, command.to_string(), rule));
            }
            self.now += PERIOD;
        }
        said
    }

    fn wait(&mut self) -> WaitVerdict {
        self.evaluate().wait
    }
}

fn said(at: u64, command: &str, rule: &str) -> Vec<(u64, String, String)> {
    vec![(at, command.to_owned(), rule.to_owned())]
}

#[test]
fn an_action_is_said_once_after_handle_time_and_again_only_after_a_break() {
    let mut bench = Bench::new(machine("", &[]), Role::Prim, &[("ip.1", "down")]);
    assert_eq!(bench.run(100_000), said(15_000, "stopstart", "ip_failure"));
    bench.set("ip.1", "up");
    assert_eq!(bench.run(5000), []);
    bench.set("ip.1", "down");
    let again = bench.now + HANDLE;
    assert_eq!(bench.run(50_000), said(again, "stopstart", "ip_failure"));
    bench.machine.reset();
    let anew = bench.now + HANDLE;
    assert_eq!(bench.run(50_000), said(anew, "stopstart", "ip_failure"));
}

#[test]
fn a_down_shorter_than_handle_time_does_nothing() {
    let mut bench = Bench::new(machine("", &[]), Role::Prim, &[("ip.1", "down")]);
    for _ in 0..10 {
        bench.set("ip.1", "down");
        assert_eq!(bench.run(15_000), []);
        bench.set("ip.1", "up");
        bench.evaluate();
    }
}

#[test]
fn evaluations_between_the_periods_count_time_not_calls() {
    let mut bench = Bench::new(machine("", &[]), Role::Prim, &[("ip.1", "down")]);
    for now in (0..15_000).step_by(100) {
        bench.now = now;
        assert_eq!(bench.evaluate().act, None, "{now}");
    }
    bench.now = 15_000;
    assert_eq!(bench.evaluate().act, Some((Command::StopStart, "ip_failure".to_owned())));
}

#[test]
fn a_machine_that_did_not_look_begins_again() {
    let mut bench = Bench::new(machine("", &[]), Role::Prim, &[("ip.1", "down")]);
    bench.evaluate();
    bench.now = 60_000;
    assert_eq!(bench.evaluate().act, None);
    let due = bench.now + HANDLE;
    assert_eq!(bench.run(20_000), said(due, "stopstart", "ip_failure"));
}

#[test]
fn another_action_begins_its_own_time_and_another_rule_of_the_same_action_does_not() {
    let user = "a: if (custom.a == down) then restart(); b: if (custom.b == down) then restart(); \
        c: if (custom.c == down) then stop();";
    let mut bench = Bench::new(machine(user, &[]), Role::Prim, &[("custom.a", "down"), ("custom.b", "up")]);
    bench.run(10_000);
    bench.set("custom.a", "up");
    bench.set("custom.b", "down");
    assert_eq!(bench.run(10_000), said(15_000, "restart", "b"));
    bench.set("custom.c", "down");
    assert_eq!(bench.run(30_000), said(35_000, "stop", "c"));
}

#[test]
fn priority_is_stop_wait_stopstart_restart_swap() {
    let user = "swap: if (c.e == down) then swap(); restart: if (c.d == down) then restart(); \
        stopstart: if (c.c == down) then stopstart(); wait: if (c.b == down) then wait(); \
        stop: if (c.a == down) then stop();";
    let all = ["a", "b", "c", "d", "e"].map(|id| format!("c.{id}"));
    for (at, expected) in ["stop", "wait", "stopstart", "restart", "swap"].into_iter().enumerate() {
        let mut bench = Bench::new(machine(user, &[]), Role::Second, &[]);
        all[at..].iter().for_each(|name| bench.set(name, "down"));
        assert_eq!(bench.run(20_000), said(15_000, expected, expected));
    }
}

#[test]
fn actions_in_the_roles_where_they_make_sense() {
    let roles = [Role::Stop, Role::Wait, Role::Alone, Role::Prim, Role::Second, Role::Up];
    for (action, expected) in [
        ("stop", [false, true, true, true, true, true]),
        ("wait", [false, false, true, true, true, true]),
        ("stopstart", [false, false, true, true, true, true]),
        ("restart", [false, false, true, true, true, true]),
        ("swap", [false, false, false, true, true, false]),
    ] {
        let user = format!("r: if (c.x == down) then {action}();");
        let emitted = roles
            .map(|role| !Bench::new(machine(&user, &[]), role, &[("c.x", "down")]).run(20_000).is_empty());
        assert_eq!(emitted, expected, "{action}");
    }
}

fn blocked(rule: &str, resources: &[&str]) -> WaitVerdict {
    let resources = resources.iter().map(|name| name.parse().unwrap()).collect();
    WaitVerdict::Blocked { rule: rule.to_owned(), resources }
}

#[test]
fn of_the_same_action_the_user_is_named_before_generated_before_default() {
    let own = [("t_id", "tcp.id", Action::Wait)];
    let down = [("tcp.id", "down"), ("intf.net", "down")];
    let mut bench = Bench::new(machine("mine: if (tcp.? == down) then wait();", &own), Role::Wait, &down);
    assert_eq!(bench.wait(), blocked("mine", &["tcp.id"]));
    let mut bench = Bench::new(machine("", &own), Role::Wait, &down);
    assert_eq!(bench.wait(), blocked("t_id", &["tcp.id"]));
    bench.set("tcp.id", "up");
    assert_eq!(bench.wait(), blocked("interface_failure", &["intf.net"]));
}

#[test]
fn a_true_rule_of_the_user_overrules_the_checkers_own() {
    let user = "mine: if (tcp.id == down && custom.x == down) then restart();";
    let mut bench = Bench::new(
        machine(user, &[("t_id", "tcp.id", Action::StopStart)]),
        Role::Prim,
        &[("tcp.id", "down"), ("custom.x", "up")],
    );
    assert_eq!(bench.run(20_000), said(15_000, "stopstart", "t_id"), "the user's rule is not true");
    bench.set("custom.x", "down");
    let due = bench.now + HANDLE;
    assert_eq!(bench.run(20_000), said(due, "restart", "mine"));
}

#[test]
fn wait_holds_while_a_resource_of_a_wait_rule_is_in_init() {
    let own = [("c_x", "custom.x", Action::Wait), ("t_late", "tcp.late", Action::Wait)];
    let list = [("custom.x", "init"), ("tcp.late", "init"), ("custom.other", "init"), ("ip.1", "init")];
    let mut bench = Bench::new(machine("", &own), Role::Wait, &list);
    let hold = WaitVerdict::Hold { resources: vec![ResourceName::new("custom", "x")] };
    assert_eq!(bench.wait(), hold);
    bench.set("custom.x", "down");
    assert_eq!(bench.wait(), blocked("c_x", &["custom.x"]));
    bench.set("custom.x", "up");
    assert_eq!(bench.wait(), WaitVerdict::Clear);
}

#[test]
fn checker_off_silences_the_rules_of_checkers_and_holds_nothing() {
    let user = "mine: if (custom.y == down) then wait();";
    let own = [("c_x", "custom.x", Action::StopStart)];
    let list = [("custom.x", "down"), ("ip.1", "down"), ("intf.n", "init"), ("custom.y", "init")];
    let mut bench = Bench::new(machine(user, &own), Role::Prim, &list);
    bench.checkers_on = false;
    assert_eq!(bench.run(50_000), []);
    assert_eq!(bench.wait(), WaitVerdict::Clear);
    bench.set("custom.y", "down");
    assert_eq!(bench.wait(), blocked("mine", &["custom.y"]));
}

#[test]
fn an_assignment_is_said_after_handle_time_as_long_as_its_rule_is_true() {
    let list = [("rfs.synced", "up"), ("rfs.uptodate", "down")];
    let mut bench = Bench::new(machine("", &[]), Role::Wait, &list);
    let mut assigned = Vec::new();
    for _ in 0..6 {
        if bench.now == 25_000 {
            bench.set("rfs.synced", "down");
        }
        if let Some((name, value, rule)) = bench.evaluate().assign {
            assert_eq!(
                (name.to_string(), value, rule),
                ("rfs.uptodate".into(), Value::Up, "rfs_force".into())
            );
            assigned.push(bench.now);
        }
        bench.now += PERIOD;
    }
    assert_eq!(assigned, [15_000, 20_000]);
}

#[test]
fn what_is_pending_can_be_explained() {
    let mut bench = Bench::new(machine("", &[]), Role::Prim, &[("ip.1", "down")]);
    assert_eq!(bench.machine.pending(0), None);
    bench.evaluate();
    let pending =
        Pending { rule: "ip_failure".to_owned(), command: Command::StopStart, remaining_ms: 12_000 };
    assert_eq!(bench.machine.pending(3000), Some(pending));
    bench.run(20_000);
    assert_eq!(bench.machine.pending(bench.now), None, "it was said");
}
