//! All rules of a module: the user's, those of its checkers, the default ones (CFG-FO-08).

use super::ast::{Action, Expr, Pick, Rule, Subject, Target};
use super::parse::{Author, Parsed, Problem, RuleError, parse};
use crate::fsm::resource::{ResourceName, Value};
use std::collections::BTreeSet;

/// The default rules (CFG-FO-08). All are of the group "checker": `checker off` silences them.
pub const DEFAULT_RULES: &str = "
module_failure: if (module.? == down) then wait();
interface_failure: if (intf.? == down) then wait();
ip_failure: if (ip.? == down) then stopstart();
splitbrain_failure: if (splitbrain.uptodate == down) then wait();
";

/// The rule of `syncdelta` (ST-35).
pub const FORCE_UPTODATE: &str = "
rfs_forceuptodate: if (heartbeat.* == down && cluster() == down && rfs.synced == up && rfs.uptodate == down)
then rfs.uptodate=up;
";

/// The rule of `syncat` (ST-36). A primary's `rfs.syncat` is always up.
pub const SYNCAT_WAIT: &str = "
rfs_syncat_wait: if (rfs.syncat == down) then wait();
";

/// A piece of rules as it stands in `<failover>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserText<'a> {
    /// The rules.
    pub text: &'a str,
    /// Line of userconfig.xml on which the text begins.
    pub base_line: u32,
}

/// The rule of one checker: `t_`, `p_` or `c_<ident>` (CFG-TCP-04, CFG-PNG-02, CFG-CUS-04).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Label of the rule.
    pub label: String,
    /// The checker's resource; the rule fires when it is down.
    pub resource: ResourceName,
    /// What the rule does.
    pub action: Action,
}

/// Where a rule comes from. The order decides which one is named when several select the same
/// action (ST-75).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Written in `<failover>`.
    User,
    /// Made from a checker's attribute `action`.
    Generated,
    /// One of [`DEFAULT_RULES`].
    Default,
    /// Brought by another part of the product, e.g. replication; cannot be replaced (CFG-FO-09).
    PlugIn,
}

/// A rule and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The rule.
    pub rule: Rule,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a module's rules are made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources<'a> {
    /// `extends="yes"`: keep the default rules (CFG-FO-01).
    pub extends: bool,
    /// The user's rules.
    pub user: Vec<UserText<'a>>,
    /// One rule for each checker that has an action.
    pub generated: Vec<Generated>,
    /// Rules of other parts of the product.
    pub plug_ins: Vec<&'a str>,
    /// Resources of checkers whose window is not `pre`: they never hold a module in WAIT.
    pub late: BTreeSet<ResourceName>,
}

/// All rules of a module, ordered by origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruleset {
    entries: Vec<Entry>,
    late: BTreeSet<ResourceName>,
}

impl Entry {
    /// Whether `checker off` silences the rule (ST-79b).
    pub fn of_checker(&self) -> bool {
        matches!(self.origin, Origin::Generated | Origin::Default)
    }
}

impl Generated {
    fn rule(self) -> Rule {
        let target = Target { remote: false, class: self.resource.class, pick: Pick::Id(self.resource.id) };
        let when = Expr::Test { subject: Subject::Resource(target), equal: true, value: Value::Down };
        Rule { label: self.label, when, action: self.action }
    }
}

impl Ruleset {
    /// Puts the rules together. A user's label that equals one of a default or generated rule
    /// replaces it (ST-79a).
    ///
    /// # Errors
    /// Every error of the user's rules.
    pub fn build(sources: Sources<'_>) -> Result<Ruleset, Vec<RuleError>> {
        let mut plug_ins = Vec::new();
        for text in &sources.plug_ins {
            plug_ins.extend(parse(text, 1, Author::Product)?);
        }
        let user = user_rules(&sources.user, &plug_ins)?;
        let defaults = if sources.extends { parse(DEFAULT_RULES, 1, Author::Product)? } else { Vec::new() };
        let mut entries = Vec::new();
        let mut add = |origin: Origin, rule: Rule| {
            let replaced = entries.iter().any(|entry: &Entry| entry.rule.label == rule.label);
            if !replaced {
                entries.push(Entry { rule, origin });
            }
        };
        user.into_iter().for_each(|parsed| add(Origin::User, parsed.rule));
        sources.generated.into_iter().for_each(|generated| add(Origin::Generated, generated.rule()));
        defaults.into_iter().for_each(|parsed| add(Origin::Default, parsed.rule));
        plug_ins.into_iter().for_each(|parsed| add(Origin::PlugIn, parsed.rule));
        Ok(Ruleset { entries, late: sources.late })
    }

    /// The rules, the user's first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Resources of checkers whose window is not `pre`.
    pub fn late(&self) -> &BTreeSet<ResourceName> {
        &self.late
    }
}

fn user_rules(texts: &[UserText<'_>], plug_ins: &[Parsed]) -> Result<Vec<Parsed>, Vec<RuleError>> {
    let (mut rules, mut errors) = (Vec::<Parsed>::new(), Vec::new());
    for text in texts {
        match parse(text.text, text.base_line, Author::User) {
            Ok(parsed) => rules.extend(parsed),
            Err(mut found) => errors.append(&mut found),
        }
    }
    let mut seen = BTreeSet::new();
    for Parsed { rule, at } in &rules {
        let label = &rule.label;
        if plug_ins.iter().any(|plug_in| plug_in.rule.label == *label) {
            errors.push(RuleError { at: *at, problem: Problem::Reserved(label.clone()) });
        }
        if !seen.insert(label) {
            errors.push(RuleError { at: *at, problem: Problem::Twice(label.clone()) });
        }
    }
    if let Some(over) = rules.get(super::parse::MOST_RULES) {
        errors.push(RuleError { at: over.at, problem: Problem::TooMany });
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}
