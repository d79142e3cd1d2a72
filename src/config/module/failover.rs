//! `<failover>`: rules of the operator (CFG-FO).

use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::told::told;
use std::ops::RangeInclusive;
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

const PERIODS: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);

/// Without `<failover>`: the default rules.
impl Default for FailoverConfig {
    fn default() -> Self {
        FailoverConfig {
            extends: true,
            period: Duration::from_secs(5),
            handle_time: Duration::from_secs(15),
            rules: Vec::new(),
        }
    }
}

/// Reads `<failover>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element) -> FailoverConfig {
    let tag = parent.open_with_text(element, &["extends", "period", "handle_time"], &[]);
    let default = FailoverConfig::default();
    let config = FailoverConfig {
        extends: tag.or("extends", true, units::yes_no),
        period: tag.or("period", default.period, units::duration(Unit::Ms, PERIODS)),
        handle_time: tag.or("handle_time", default.handle_time, units::duration(Unit::Ms, PERIODS)),
        rules: element.texts.iter().map(|t| rules(&t.text, t.line)).collect(),
    };
    if !config.handle_time.as_millis().is_multiple_of(config.period.as_millis()) {
        let (period, handle_time) = (config.period.as_millis(), config.handle_time.as_millis());
        tag.fault_of(
            "handle_time",
            told!(
                "handle_time ({handle_time} ms) must be a multiple of period ({period} ms)",
                "handle_time ({handle_time} ms) doit être un multiple de period ({period} ms)"
            ),
        );
    }
    for lua in config.rules.iter().filter(|r| r.lua) {
        tag.unsupported_at(
            lua.line,
            told!("not supported yet: Lua rules", "pas encore pris en charge : règles Lua"),
        );
    }
    config
}

fn rules(text: &str, line: u32) -> RulesText {
    RulesText { lua: text.trim_start().starts_with("--Lua"), text: text.to_owned(), line }
}
