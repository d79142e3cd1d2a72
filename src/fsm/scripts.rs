//! Which scripts run at which edge, in which order (spec/automata.md, image404).

use super::state::Role;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A script of a module (ST-90).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are the names of the scripts")]
pub enum Script {
    Transition,
    Prestart,
    Poststop,
    StartPrim,
    StopPrim,
    StartSecond,
    StopSecond,
    StartSec,
    StopSec,
    StartBoth,
    StopBoth,
}

impl Script {
    /// All scripts that the automata call.
    pub const ALL: [Script; 11] = [
        Script::Transition,
        Script::Prestart,
        Script::Poststop,
        Script::StartPrim,
        Script::StopPrim,
        Script::StartSecond,
        Script::StopSecond,
        Script::StartSec,
        Script::StopSec,
        Script::StartBoth,
        Script::StopBoth,
    ];

    /// File name in the module's `bin`.
    pub fn name(self) -> &'static str {
        match self {
            Script::Transition => "transition",
            Script::Prestart => "prestart",
            Script::Poststop => "poststop",
            Script::StartPrim => "start_prim",
            Script::StopPrim => "stop_prim",
            Script::StartSecond => "start_second",
            Script::StopSecond => "stop_second",
            Script::StartSec => "start_sec",
            Script::StopSec => "stop_sec",
            Script::StartBoth => "start_both",
            Script::StopBoth => "stop_both",
        }
    }

    /// Stop scripts are called twice and have timeouts (ST-92).
    pub fn is_stop(self) -> bool {
        matches!(self, Script::StopPrim | Script::StopSecond | Script::StopSec | Script::StopBoth)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The scripts that a module has; a missing script is no step at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scripts(u16);

impl Scripts {
    /// The same set with one more script.
    #[must_use]
    pub fn with(self, s: Script) -> Scripts {
        Scripts(self.0 | 1 << s as u16)
    }

    /// Whether the module has this script.
    pub fn has(self, s: Script) -> bool {
        self.0 & 1 << s as u16 != 0
    }
}

/// The action given as last argument when the edge results from one of the four (ST-91).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are the words themselves")]
pub enum Action {
    Start,
    Stop,
    StopStart,
    StopWait,
}

impl Action {
    /// The word that scripts get.
    pub fn name(self) -> &'static str {
        match self {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::StopStart => "stopstart",
            Action::StopWait => "stopwait",
        }
    }
}

/// One call of a script with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Call {
    /// The script.
    pub script: Script,
    /// Second call of a stop script: `force` comes first.
    pub force: bool,
    /// Current state.
    pub from: Role,
    /// Next state.
    pub to: Role,
    /// Action that caused the edge, if it is one of the four.
    pub action: Option<Action>,
}

impl Call {
    /// The arguments in order (ST-91, ST-92).
    pub fn arguments(&self) -> Vec<String> {
        let force = self.force.then(|| "force".to_owned());
        let action = self.action.map(|a| a.name().to_owned());
        force.into_iter().chain([self.from.to_string(), self.to.to_string()]).chain(action).collect()
    }
}

/// Start scripts of a role, in order.
pub fn starts(role: Role) -> &'static [Script] {
    match role {
        Role::Alone => &[Script::StartBoth, Script::StartPrim, Script::StartSec],
        Role::Prim => &[Script::StartBoth, Script::StartPrim],
        Role::Second => &[Script::StartBoth, Script::StartSecond, Script::StartSec],
        Role::Up => &[Script::StartBoth],
        Role::Stop | Role::Wait => &[],
    }
}

/// Stop scripts of a role, in order: the reverse of its starts.
pub fn stops(role: Role) -> &'static [Script] {
    match role {
        Role::Alone => &[Script::StopSec, Script::StopPrim, Script::StopBoth],
        Role::Prim => &[Script::StopPrim, Script::StopBoth],
        Role::Second => &[Script::StopSec, Script::StopSecond, Script::StopBoth],
        Role::Up => &[Script::StopBoth],
        Role::Stop | Role::Wait => &[],
    }
}

/// Stop scripts called with `force` on the way from WAIT to STOP.
pub const FORCED: [Script; 4] = [Script::StopSec, Script::StopPrim, Script::StopSecond, Script::StopBoth];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn force_comes_first_and_the_action_last() {
        let call = Call {
            script: Script::StopPrim,
            force: true,
            from: Role::Prim,
            to: Role::Wait,
            action: Some(Action::Stop),
        };
        assert_eq!(call.arguments(), ["force", "PRIM", "WAIT", "stop"]);
    }

    #[test]
    fn stops_mirror_starts() {
        for role in [Role::Alone, Role::Prim, Role::Second, Role::Up] {
            let class = |s: &Script| s.name().split_once('_').map(|(_, c)| c.to_owned());
            let mut there: Vec<_> = starts(role).iter().map(class).collect();
            there.reverse();
            let back: Vec<_> = stops(role).iter().map(class).collect();
            assert_eq!(there, back, "{role}");
        }
    }

    #[test]
    fn a_set_holds_what_it_was_given() {
        let set = Scripts::default().with(Script::StopBoth);
        assert!(set.has(Script::StopBoth) && !set.has(Script::StartBoth));
    }
}
