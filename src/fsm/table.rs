//! The automata as tables: every settled state under every kind of event, with what it does and where
//! it comes to rest. Tests compare them with files that are reviewed like code.

pub mod farm;
pub mod mirror;

use super::state::{Readiness, Role};

/// Steps after which a move that does not end is a fault of the automaton.
const STEPS_MOST: usize = 200;

/// One pair of state and event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The settled state.
    pub state: String,
    /// What happens.
    pub event: String,
    /// Taken, ignored or refused, and why.
    pub outcome: String,
    /// Role and readiness before.
    pub from: (Role, Readiness),
    /// The settled state in the end, if every effect works.
    pub ends: String,
    /// Role and readiness in the end.
    pub to: (Role, Readiness),
    /// The effects, in order, without messages.
    pub effects: Vec<String>,
    /// The scripts with their arguments, in order.
    pub scripts: Vec<String>,
}

/// The rows as text, a line each.
pub fn text(rows: &[Row]) -> String {
    let line = |r: &Row| {
        let effects = if r.effects.is_empty() { "-".to_owned() } else { r.effects.join(" ") };
        format!("{} | {} | {} | {effects} | {}\n", r.state, r.event, r.outcome, r.ends)
    };
    rows.iter().map(line).collect()
}

/// The scripts of every edge as a Markdown table; `of` names the kind of module.
pub fn scripts(of: &str, rows: &[Row]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for r in rows.iter().filter(|r| !r.scripts.is_empty()) {
        let (from, to) = (shown(r.from), shown(r.to));
        let line = format!("| {from} | {} | {to} | {} |\n", r.event, r.scripts.join("<br>"));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let head = "Generated from the automaton; every script exists and every step works.\n\n\
                | State | Event | Comes to rest in | Scripts, in order |\n|---|---|---|---|\n";
    format!("# Scripts of a {of} module\n\n{head}{}", lines.concat())
}

/// Role and readiness as one text.
pub(super) fn shown((role, readiness): (Role, Readiness)) -> String {
    format!("{role} {readiness}")
}
