//! What a rule is. Printing a rule gives text that parses to the same rule.

use crate::fsm::command::Command;
use crate::fsm::resource::{ResourceName, Value};
use std::fmt;

/// One rule: `label: if (when) then action;` (CFG-FO-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name of the rule, as the module log shows it.
    pub label: String,
    /// The condition.
    pub when: Expr,
    /// What happens when the condition has held for `handle_time`.
    pub action: Action,
}

/// A condition. Chains of one operator are flat, so that only parentheses and `!` nest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expr {
    /// `subject == value` or, with `equal` false, `subject != value`.
    Test {
        /// What is looked at.
        subject: Subject,
        /// `==` rather than `!=`.
        equal: bool,
        /// One of init, down, up, unknown.
        value: Value,
    },
    /// `!expression`.
    Not(Box<Expr>),
    /// Two or more expressions joined by `&&`.
    And(Vec<Expr>),
    /// Two or more expressions joined by `||`.
    Or(Vec<Expr>),
}

/// What a test looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One or several resources of one node.
    Resource(Target),
    /// `cluster()`: whether safeadmin hears the peer's node. Only in the product's own rules (CFG-FO-09).
    Cluster,
}

/// `[local.|remote.]class.id` (CFG-FO-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The peer's resource rather than this node's.
    pub remote: bool,
    /// Class of the resources.
    pub class: String,
    /// Which resources of the class.
    pub pick: Pick,
}

/// Which resources of a class a test means (CFG-FO-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The one with this id.
    Id(String),
    /// `?`: true if it holds for at least one.
    Any,
    /// `*`: true if there is one and it holds for all.
    All,
}

/// What a rule does. The order is the priority when several are selected (ST-75).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// `stop()`.
    Stop,
    /// `wait()`.
    Wait,
    /// `stopstart()`.
    StopStart,
    /// `restart()`.
    Restart,
    /// `swap()`.
    Swap,
    /// `class.id=value`. Only in the product's own rules (CFG-FO-09).
    Set(ResourceName, Value),
}

impl Target {
    /// Whether the resource of this node is among those that the target means.
    pub fn means_local(&self, name: &ResourceName) -> bool {
        !self.remote && self.class == name.class && self.pick.matches(&name.id)
    }
}

impl Pick {
    /// Whether the pick takes the resource with this id.
    pub fn matches(&self, id: &str) -> bool {
        match self {
            Pick::Id(wanted) => wanted == id,
            Pick::Any | Pick::All => true,
        }
    }
}

impl Expr {
    /// Calls `visit` for every target of the expression, in the order of the text.
    pub fn targets<'a>(&'a self, visit: &mut dyn FnMut(&'a Target)) {
        match self {
            Expr::Test { subject: Subject::Resource(target), .. } => visit(target),
            Expr::Test { subject: Subject::Cluster, .. } => {}
            Expr::Not(inner) => inner.targets(visit),
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| part.targets(visit)),
        }
    }

    /// Whether the expression tests this resource of this node.
    pub fn tests_local(&self, name: &ResourceName) -> bool {
        let mut found = false;
        self.targets(&mut |target| found |= target.means_local(name));
        found
    }
}

impl Action {
    /// The command of an action; an assignment has none.
    pub fn command(&self) -> Option<Command> {
        Some(match self {
            Action::Stop => Command::Stop,
            Action::Wait => Command::StopWait,
            Action::StopStart => Command::StopStart,
            Action::Restart => Command::Restart,
            Action::Swap => Command::Swap { nosync: false },
            Action::Set(..) => return None,
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: if ({}) then {};", self.label, self.when, self.action)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Test { subject, equal, value } => {
                write!(f, "{subject} {} {value}", if *equal { "==" } else { "!=" })
            }
            Expr::Not(inner) => match **inner {
                Expr::Not(_) | Expr::Test { .. } => write!(f, "!{inner}"),
                _ => write!(f, "!({inner})"),
            },
            Expr::And(parts) => chain(f, parts, " && ", |part| matches!(part, Expr::And(_) | Expr::Or(_))),
            Expr::Or(parts) => chain(f, parts, " || ", |part| matches!(part, Expr::Or(_))),
        }
    }
}

/// Prints a chain; `enclose` says which parts need parentheses to stay one part.
fn chain(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    between: &str,
    enclose: fn(&Expr) -> bool,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(between)?;
        }
        if enclose(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Resource(target) => write!(f, "{target}"),
            Subject::Cluster => f.write_str("cluster()"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = if self.remote { "remote." } else { "" };
        match &self.pick {
            Pick::Id(id) => write!(f, "{scope}{}.{id}", self.class),
            Pick::Any => write!(f, "{scope}{}.?", self.class),
            Pick::All => write!(f, "{scope}{}.*", self.class),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Stop => f.write_str("stop()"),
            Action::Wait => f.write_str("wait()"),
            Action::StopStart => f.write_str("stopstart()"),
            Action::Restart => f.write_str("restart()"),
            Action::Swap => f.write_str("swap()"),
            Action::Set(name, value) => write!(f, "{name}={value}"),
        }
    }
}
