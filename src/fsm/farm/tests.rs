//! What the table does not show: messages, commands that wait, failures, adoption.

use super::*;
use crate::fsm::anew::Anew;
use crate::fsm::scripts::Script;
use crate::fsm::state::Readiness;
use crate::told::Told;

fn config(farm: bool) -> Config {
    let scripts = Script::ALL.into_iter().fold(Scripts::default(), Scripts::with);
    Config { farm, scripts, automatic_reboot: false }
}

fn root() -> Caller {
    Caller::User("root".to_owned())
}

/// A module under test, and what it said.
struct Module {
    cfg: Config,
    s: State,
    out: Vec<Effect>,
}

impl Module {
    fn stopped(farm: bool) -> Module {
        Module { cfg: config(farm), s: State::stopped(Record::default(), 0), out: Vec::new() }
    }

    fn up(farm: bool) -> Module {
        let mut m = Module::stopped(farm);
        m.event(Event::Command(Command::Start, root()));
        m.event(Event::Waits(Waits::Clear));
        m.settle();
        assert_eq!(m.s.at, At::Up);
        m.out.clear();
        m
    }

    fn event(&mut self, event: Event) -> Outcome {
        let step = step(&self.cfg, &self.s, event);
        self.s = step.state;
        self.out.extend(step.effects);
        step.outcome
    }

    fn command(&mut self, command: Command) -> Outcome {
        self.event(Event::Command(command, root()))
    }

    fn awaited(&self) -> Option<u64> {
        match &self.s.at {
            At::Moving(m) => m.awaited.as_ref().map(|a| a.0),
            _ => None,
        }
    }

    fn doing(&self) -> Option<Todo> {
        match &self.s.at {
            At::Moving(m) => m.current(self.cfg.farm),
            _ => None,
        }
    }

    /// Answers until this is under way.
    fn until(&mut self, todo: &Todo) {
        while self.doing().as_ref() != Some(todo) {
            let id = self.awaited().expect("something is awaited");
            self.event(Event::ok(id));
        }
    }

    fn settle(&mut self) {
        while let Some(id) = self.awaited() {
            self.event(Event::ok(id));
        }
    }

    fn fail(&mut self, why: &str) {
        let id = self.awaited().expect("something is awaited");
        self.event(Event::Done(id, Err(Told::same(why))));
    }

    fn said(&self) -> Vec<String> {
        let said = |e: &Effect| match e {
            Effect::Log(m) if !matches!(m, Message::InternalAction(..) | Message::InternalState(_)) => {
                Some(m.to_string())
            }
            _ => None,
        };
        self.out.iter().filter_map(said).collect()
    }

    fn did(&self, effect: impl Fn(&Effect) -> bool) -> bool {
        self.out.iter().any(effect)
    }
}

#[test]
fn a_start_says_what_the_guide_says() {
    let mut m = Module::stopped(true);
    m.command(Command::Start);
    m.event(Event::Waits(Waits::Clear));
    m.settle();
    let said = [
        "Action start called by root",
        "Local state WAIT Transient",
        "Local state UP Transient",
        "Local state UP Ready",
    ];
    assert_eq!(m.said(), said);
    m.out.clear();
    m.command(Command::Stop);
    m.settle();
    let said = [
        "Action stop called by root",
        "Local state UP Transient",
        "Local state WAIT Transient",
        "End of stop",
        "Local state STOP NotReady",
    ];
    assert_eq!(m.said(), said);
    assert!(m.s.record.clean);
}

#[test]
fn a_crash_is_said_at_the_next_start() {
    let mut m = Module::stopped(false);
    m.s.record.clean = false;
    m.command(Command::Start);
    assert_eq!(m.said()[..2], ["Action start called by root", "Previous halt unexpected"]);
}

#[test]
fn a_rule_holds_it_in_wait_and_lets_it_go() {
    let mut m = Module::up(false);
    let rule = || Caller::Rule("c_id".to_owned());
    m.event(Event::Waits(Waits::Blocked("c_id".to_owned())));
    assert_eq!(m.s.at, At::Up, "only the action of the rule leaves UP");
    m.event(Event::Command(Command::StopWait, rule()));
    m.settle();
    assert_eq!(m.s.shown(), (Role::Wait, Readiness::NotReady));
    m.event(Event::Waits(Waits::Clear));
    m.settle();
    let said = m.said().join("\n");
    let order = [
        "Action wait from failover rule c_id",
        "Transition WAIT_TR from failover rule c_id",
        "Local state WAIT NotReady",
        "Action wakeup from failover rule Implicit_wakeup",
        "Local state UP Ready",
    ];
    let mut rest = said.as_str();
    for text in order {
        let at = rest.find(text).unwrap_or_else(|| panic!("{text} is missing in\n{said}"));
        rest = &rest[at + text.len()..];
    }
    assert!(!m.did(|e| matches!(e, Effect::Script(_, c) if c.script == Script::Poststop)));
    assert!(!m.did(|e| matches!(e, Effect::Script(_, c) if c.script == Script::Prestart)));
}

#[test]
fn a_stop_while_it_starts_sends_no_clients_here() {
    let mut m = Module::stopped(true);
    m.command(Command::Start);
    m.event(Event::Waits(Waits::Clear));
    m.until(&Todo::Script(Script::StartBoth, false));
    m.event(Event::Command(Command::Stop, Caller::Identity("start_both".to_owned())));
    m.fail("exit status 1");
    m.settle();
    assert_eq!(m.s.at, At::Stopped);
    assert!(!m.did(|e| matches!(e, Effect::Join(_))));
    assert!(m.said().contains(&"Action stop called by start_both".to_owned()));
}

#[test]
fn a_stop_does_not_wait_for_a_group_that_does_not_answer() {
    for resumed in [false, true] {
        let mut m = Module::up(true);
        if resumed {
            m.s = adopt(&m.cfg, m.s.clone(), m.s.record).state;
        } else {
            m.event(Event::Unshared(Told::same("the table is gone")));
        }
        m.until(&Todo::Join);
        let late = m.awaited().expect("the join");
        m.command(Command::Stop);
        assert_eq!(m.doing(), Some(Todo::Leave));
        assert_eq!(m.event(Event::ok(late)), Outcome::Ignored(Ignored::Late));
        m.settle();
        assert_eq!(m.s.at, At::Stopped);
    }
}

#[test]
fn a_join_that_fails_is_tried_again_and_said_once() {
    let mut m = Module::stopped(true);
    m.command(Command::Start);
    m.event(Event::Waits(Waits::Clear));
    m.until(&Todo::Join);
    for _ in 0..3 {
        m.fail("no nftables here");
        let timer = m.s.timer.expect("a timer");
        m.event(Event::Timer(timer));
    }
    assert_eq!(m.s.shown(), (Role::Up, Readiness::Transient));
    let times = m.said().iter().filter(|s| s.contains("no nftables here")).count();
    assert_eq!(times, 1);
    m.settle();
    assert_eq!(m.s.at, At::Up);
}

#[test]
fn what_cannot_be_stopped_is_not_shown_as_stopped() {
    for todo in [Todo::VipOff, Todo::Kill] {
        let mut m = Module::up(true);
        m.command(Command::Stop);
        m.until(&todo);
        m.fail("it stays");
        assert_eq!(m.s.shown(), (Role::Up, Readiness::Transient));
        let timer = m.s.timer.expect("a timer");
        m.event(Event::Timer(timer));
        m.settle();
        assert_eq!(m.s.at, At::Stopped);
    }
}

#[test]
fn a_filter_or_virtual_ip_that_cannot_be_set_stops_the_module() {
    for todo in [Todo::Load, Todo::VipOn] {
        let mut m = Module::stopped(true);
        m.command(Command::Start);
        m.event(Event::Waits(Waits::Clear));
        m.until(&todo);
        m.fail("no such thing");
        m.settle();
        assert_eq!(m.s.at, At::Stopped);
        assert!(!m.did(|e| matches!(e, Effect::Script(_, c) if c.script == Script::StartBoth)));
        assert!(m.said().iter().any(|said| said.ends_with("no such thing")), "{:?}", m.said());
    }
}

#[test]
fn a_share_that_is_lost_in_a_restart_is_joined_at_its_end() {
    let mut m = Module::up(true);
    m.command(Command::Restart);
    m.until(&Todo::Script(Script::StartBoth, false));
    m.event(Event::Fenced(Told::same("hung")));
    assert!(!m.did(|e| matches!(e, Effect::Join(_) | Effect::Leave(_))));
    m.settle();
    assert_eq!(m.s.at, At::Up);
    assert!(m.did(|e| matches!(e, Effect::Join(_))));
    // Otherwise a restart does not touch the share (ST-82).
    m.out.clear();
    m.command(Command::Restart);
    m.settle();
    assert!(!m.did(|e| matches!(e, Effect::Join(_) | Effect::Leave(_) | Effect::VipOff(_))));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    for (farm, mode) in [(true, "farm"), (false, "light")] {
        let mut m = Module::up(farm);
        for command in
            [Command::Swap { nosync: false }, Command::Prim { fullsync: false }, Command::Failover(true)]
        {
            let Outcome::Refused(why) = m.command(command) else { panic!("{command} is taken") };
            assert!(why.to_string().contains(&format!("this is a {mode} module")), "{why}");
        }
        let Outcome::Refused(why) = m.command(Command::Start) else { panic!("a second start is taken") };
        assert_eq!(why.to_string(), "start is refused in UP Ready: stop the module first");
        assert!(m.out.is_empty());
    }
}

#[test]
fn a_stopstart_of_a_detector_reboots_if_so_configured() {
    let mut m = Module::up(false);
    m.cfg.automatic_reboot = true;
    m.event(Event::Command(Command::StopStart, Caller::Identity("errd".to_owned())));
    assert!(m.did(|e| *e == Effect::Reboot));
    assert_eq!(m.s.at, At::Up);
    m.command(Command::StopStart);
    m.settle();
    assert!(m.said().contains(&"Action start called automatically".to_owned()));
}

#[test]
fn the_last_word_in_a_stop_wins() {
    let rule = || Caller::Rule("r".to_owned());
    let cases = [
        (Command::StopStart, Command::Stop, root(), false),
        (Command::Stop, Command::StopStart, root(), true),
        (Command::Stop, Command::StopStart, rule(), false),
    ];
    for (first, then, caller, starts) in cases {
        let mut m = Module::up(false);
        m.command(first);
        m.event(Event::Command(then, caller));
        m.settle();
        let started = m.said().contains(&"Action start called automatically".to_owned());
        assert_eq!(started, starts, "{first}, then {then}");
    }
}

#[test]
fn a_control_plane_that_comes_back_changes_nothing() {
    for farm in [true, false] {
        let mut m = Module::up(farm);
        let step = adopt(&m.cfg, m.s.clone(), m.s.record);
        m.s = step.state;
        m.out.extend(step.effects);
        assert_eq!(m.s.shown(), (Role::Up, Readiness::Ready));
        m.settle();
        assert_eq!(m.s.at, At::Up);
        assert_eq!(m.did(|e| matches!(e, Effect::Join(_))), farm);
        assert!(!m.did(|e| matches!(e, Effect::Script(..) | Effect::Kill(_))) && m.said().is_empty());
    }
}

#[test]
fn a_move_that_was_cut_off_is_cleaned_up() {
    let cut = |command: Option<Command>| {
        let mut m = Module::up(true);
        match command {
            Some(command) => drop(m.command(command)),
            None => drop(m.command(Command::Restart)),
        }
        let step = adopt(&m.cfg, m.s.clone(), m.s.record);
        m.s = step.state;
        m.out.extend(step.effects);
        m.settle();
        assert!(m.did(|e| matches!(e, Effect::Kill(_))) && m.did(|e| matches!(e, Effect::VipOff(_))));
        m
    };
    assert_eq!(cut(Some(Command::Stop)).s.at, At::Stopped);
    let m = cut(None);
    assert_eq!(m.s.at, At::Waiting);
    assert!(m.said().contains(&"Action start called automatically".to_owned()));
}

#[test]
fn whatever_is_not_ready_has_a_reason() {
    use crate::fsm::explain::farm::explain;
    let mut m = Module::stopped(true);
    let first =
        |m: &Module| explain(&m.cfg, &m.s, "f").reasons.first().cloned().unwrap_or_default().to_string();
    assert_eq!(first(&m), "stopped");
    m.command(Command::Start);
    assert!(first(&m).starts_with("on its way to WAIT: step 1 of "));
    m.settle();
    assert_eq!(first(&m), "waits for the first examination of rules");
    m.event(Event::Waits(Waits::Blocked("c_id".to_owned())));
    assert_eq!(first(&m), "the failover rule c_id holds it in WAIT");
    m.event(Event::Waits(Waits::Clear));
    m.until(&Todo::Join);
    m.fail("no nftables here");
    let e = explain(&m.cfg, &m.s, "f");
    assert!(e.reasons.iter().any(|r| r.to_string() == "no nftables here; it is tried again"), "{e:?}");
    m.command(Command::Restart);
    let timer = m.s.timer.expect("a timer");
    m.event(Event::Timer(timer));
    m.settle();
    assert_eq!(first(&m), "the application runs and serves its share of the clients");
    m.event(Event::Unshared(Told::same("lost")));
    assert!(first(&m).contains("no clients are sent to this node"));
}

/// CFG-MOD-03: a module that is checked began anew.
#[test]
fn who_is_up_follows_another_module_and_who_moves_does_so_later() {
    for farm in [false, true] {
        let mut m = Module::stopped(farm);
        assert_eq!(m.s.anew(), Anew::Nothing);
        m.event(Event::Command(Command::Start, root()));
        m.event(Event::Waits(Waits::Clear));
        let mut seen = Vec::new();
        while let Some(id) = m.awaited() {
            seen.push(m.s.anew());
            m.event(Event::ok(id));
        }
        // On the way to WAIT the application does not run; on the way to UP it may run already.
        let rising = seen.iter().position(|found| *found == Anew::Later).expect("it rises");
        assert!(seen[..rising].iter().all(|found| *found == Anew::Nothing), "{seen:?}");
        assert!(seen[rising..].iter().all(|found| *found == Anew::Later), "{seen:?}");
        assert_eq!(m.s.anew(), Anew::Now(Command::StopStart));
        m.command(Command::Stop);
        assert_eq!(m.s.anew(), Anew::Nothing);
    }
}
