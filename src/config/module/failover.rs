//! `<failover>`: rules of the operator (CFG-FO).

use std::time::Duration;

/// `<failover>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverConfig {
    /// False: the rules replace the default ones (CFG-FO-01).
    pub extends: bool,
    /// Period of the evaluations (CFG-FO-02).
    pub period: Duration,
    /// How long an action must stay the same to be applied; a multiple of `period`.
    pub handle_time: Duration,
    /// The texts, in the order of the file.
    pub rules: Vec<RulesText>,
}

/// One CDATA section of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesText {
    /// Lua, else the language of CFG-FO-03 (CFG-FO-11).
    pub lua: bool,
    /// The rules.
    pub text: String,
    /// Line of its first character in userconfig.xml.
    pub line: u32,
}
