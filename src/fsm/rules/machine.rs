//! The failover machine: which action the rules ask for, and since when (ST-70 to ST-79e).

use super::ast::Action;
use super::default::{Entry, Origin, Ruleset};
use super::eval::{Sight, holds};
use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Resources, Value};
use crate::fsm::state::Role;

/// What the machine looks at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Role of the module on this node.
    pub role: Role,
    /// Resources of this node.
    pub local: &'a Resources,
    /// Resources of the peer; none while it cannot be heard or its module is stopped.
    pub remote: Option<&'a Resources>,
    /// Whether safeadmin hears the peer's node: up or down, init while that is not known.
    pub cluster: &'a Value,
    /// `checker on|off` (ST-79b).
    pub checkers_on: bool,
}

/// Whether the rules let a module leave WAIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitVerdict {
    /// No `wait()` rule is true, but these resources of such rules are in init: stay (AMB-05).
    Hold {
        /// The resources that were not examined yet.
        resources: Vec<ResourceName>,
    },
    /// A `wait()` rule is true.
    Blocked {
        /// Label of the rule.
        rule: String,
        /// Resources of this node that make it true: those that it tests and that are not up.
        resources: Vec<ResourceName>,
    },
    /// Nothing keeps the module in WAIT.
    Clear,
}

/// What the rules ask for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the module may leave WAIT; counts at once, without `handle_time`.
    pub wait: WaitVerdict,
    /// An action that was selected for `handle_time`, and the rule that selects it. Said once.
    pub act: Option<(Command, String)>,
    /// An assignment whose rule has been true for `handle_time`; said as long as it is.
    pub assign: Option<(ResourceName, Value, String)>,
}

/// An action that is selected but has not been so for `handle_time` yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Label of the rule.
    pub rule: String,
    /// What it will ask for.
    pub command: Command,
    /// Milliseconds until it does, if nothing changes.
    pub remaining_ms: u64,
}

/// The failover machine of one module.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: Ruleset,
    period_ms: u64,
    handle_time_ms: u64,
    last_ms: Option<u64>,
    act: Option<Selected>,
    assign: Option<Selected>,
}

/// An action that has been selected without a break since a time.
#[derive(Clone, Debug)]
struct Selected {
    action: Action,
    rule: String,
    since_ms: u64,
    said: bool,
}

impl Machine {
    /// A machine that has seen nothing yet. `period_ms`: time between evaluations (ST-70);
    /// `handle_time_ms`: how long an action must be selected before it is said.
    pub fn new(rules: Ruleset, period_ms: u64, handle_time_ms: u64) -> Self {
        Machine { rules, period_ms, handle_time_ms, last_ms: None, act: None, assign: None }
    }

    /// Time between evaluations, in milliseconds.
    pub fn period_ms(&self) -> u64 {
        self.period_ms
    }

    /// Forgets what was selected: another role, another life of the module.
    pub fn reset(&mut self) {
        self.act = None;
        self.assign = None;
    }

    /// Judges the rules at `now_ms` (monotonic). To be called once per period, and earlier when a
    /// resource changes: a short up between two periods would be missed otherwise.
    pub fn evaluate(&mut self, now_ms: u64, view: &View<'_>) -> Verdict {
        // Who did not look for so long cannot say that an action was selected all the time.
        let longest = self.handle_time_ms.max(self.period_ms.saturating_mul(2));
        if self.last_ms.is_some_and(|last| now_ms.saturating_sub(last) > longest) {
            self.reset();
        }
        self.last_ms = Some(now_ms);
        let firing = firing(&self.rules, view);
        let wait = wait_verdict(&self.rules, &firing, view);
        let act = first(&firing, |action| allowed(action, view.role));
        let assign = first(&firing, |action| matches!(action, Action::Set(..)));
        let handle_time_ms = self.handle_time_ms;
        let act = follow(&mut self.act, act, now_ms, handle_time_ms)
            .and_then(|selected| Some((selected.action.command()?, selected.rule.clone())));
        follow(&mut self.assign, assign, now_ms, handle_time_ms);
        let assign =
            self.assign.as_ref().filter(|selected| selected.said).and_then(|selected| {
                match &selected.action {
                    Action::Set(name, value) => Some((name.clone(), value.clone(), selected.rule.clone())),
                    _ => None,
                }
            });
        Verdict { wait, act, assign }
    }

    /// The action that will be said next if nothing changes, for `explain`.
    pub fn pending(&self, now_ms: u64) -> Option<Pending> {
        let selected = self.act.as_ref().filter(|selected| !selected.said)?;
        let elapsed = now_ms.saturating_sub(selected.since_ms);
        Some(Pending {
            rule: selected.rule.clone(),
            command: selected.action.command()?,
            remaining_ms: self.handle_time_ms.saturating_sub(elapsed),
        })
    }
}

/// The rules that are true, in the order of their origins.
fn firing<'a>(rules: &'a Ruleset, view: &View<'_>) -> Vec<&'a Entry> {
    let sight = Sight { local: view.local, remote: view.remote, cluster: view.cluster, late: rules.late() };
    let in_force = |entry: &&Entry| view.checkers_on || !entry.of_checker();
    let mut firing: Vec<&Entry> = Vec::new();
    for entry in rules.entries().iter().filter(in_force) {
        if holds(&entry.rule.when, &sight) == Some(true) && !overruled(entry, &firing) {
            firing.push(entry);
        }
    }
    firing
}

fn wait_verdict(rules: &Ruleset, firing: &[&Entry], view: &View<'_>) -> WaitVerdict {
    if let Some(entry) = first(firing, |action| *action == Action::Wait) {
        let bad = |(name, value): &(&ResourceName, &Value)| {
            !matches!(value, Value::Up | Value::Init) && entry.rule.when.tests_local(name)
        };
        let resources = view.local.iter().filter(bad).map(|(name, _)| name.clone()).collect();
        return WaitVerdict::Blocked { rule: entry.rule.label.clone(), resources };
    }
    let resources = unexamined(rules, view);
    if resources.is_empty() { WaitVerdict::Clear } else { WaitVerdict::Hold { resources } }
}

/// Resources of `wait()` rules that are in init although their checker runs.
fn unexamined(rules: &Ruleset, view: &View<'_>) -> Vec<ResourceName> {
    if !view.checkers_on {
        return Vec::new();
    }
    let waits = || rules.entries().iter().filter(|entry| entry.rule.action == Action::Wait);
    view.local
        .iter()
        .filter(|(name, value)| **value == Value::Init && !rules.late().contains(*name))
        .filter(|(name, _)| waits().any(|entry| entry.rule.when.tests_local(name)))
        .map(|(name, _)| name.clone())
        .collect()
}

/// A checker's own rule gives way to a true rule of the user on the same resource (AMB-04). Only
/// to a true one: a user's rule with a further condition must not silence the checker's.
fn overruled(entry: &Entry, firing: &[&Entry]) -> bool {
    let mut same = false;
    if entry.origin == Origin::Generated {
        entry.rule.when.targets(&mut |target| {
            if let super::ast::Pick::Id(id) = &target.pick {
                let name = ResourceName::new(&target.class, id);
                same |= firing
                    .iter()
                    .any(|other| other.origin == Origin::User && other.rule.when.tests_local(&name));
            }
        });
    }
    same
}

/// The entry with the most important action among those wanted; of the same action the first.
fn first<'a>(firing: &[&'a Entry], wanted: impl Fn(&Action) -> bool) -> Option<&'a Entry> {
    firing
        .iter()
        .copied()
        .filter(|entry| wanted(&entry.rule.action))
        .min_by(|one, other| one.rule.action.cmp(&other.rule.action))
}

/// Whether an action makes sense in a role. In WAIT a `wait()` rule is told by [`WaitVerdict`].
fn allowed(action: &Action, role: Role) -> bool {
    let running = matches!(role, Role::Alone | Role::Prim | Role::Second | Role::Up);
    match action {
        Action::Stop => role != Role::Stop,
        Action::Wait | Action::StopStart | Action::Restart => running,
        Action::Swap => matches!(role, Role::Prim | Role::Second),
        Action::Set(..) => false,
    }
}

/// Keeps account of what is selected; gives it when its time has come, once.
fn follow<'s>(
    slot: &'s mut Option<Selected>,
    selected: Option<&Entry>,
    now_ms: u64,
    handle_time_ms: u64,
) -> Option<&'s Selected> {
    let Some(entry) = selected else {
        *slot = None;
        return None;
    };
    let rule = entry.rule.label.clone();
    let action = entry.rule.action.clone();
    let (since_ms, said) = match slot.take() {
        Some(old) if old.action == action => (old.since_ms, old.said),
        _ => (now_ms, false),
    };
    let due = !said && now_ms.saturating_sub(since_ms) >= handle_time_ms;
    let kept = slot.insert(Selected { action, rule, since_ms, said: said || due });
    due.then_some(kept)
}
