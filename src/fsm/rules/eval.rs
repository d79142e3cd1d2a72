//! Whether a rule's condition holds.

use super::ast::{Expr, Pick, Subject, Target};
use crate::fsm::resource::{ResourceName, Resources, Value};
use std::collections::BTreeSet;

/// What rules can see.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Resources of this node.
    pub local: &'a Resources,
    /// Resources of the peer; none while it cannot be heard, and all are then `unknown` (RES-51).
    pub remote: Option<&'a Resources>,
    /// Value of `cluster()`.
    pub cluster: &'a Value,
    /// Resources of checkers that run only in some roles: outside them they are in `init`, which
    /// `?` and `*` then pass over as if the checker were not configured.
    pub late: &'a BTreeSet<ResourceName>,
}

/// Whether the condition holds; `None` if it tests a resource that was not examined yet.
///
/// A resource in `init` is neither up nor down, so nothing may follow from it, through `!=` and
/// `!` neither: such a rule is not evaluated (AMB-05). Two tests do not depend on it: a comparison
/// with `init` itself, and a `?` or `*` that the other resources of the class already settle.
pub fn holds(expr: &Expr, sight: &Sight<'_>) -> Option<bool> {
    match expr {
        Expr::Test { subject: Subject::Cluster, equal, value } => compare(sight.cluster, *equal, value),
        Expr::Test { subject: Subject::Resource(target), equal, value } => {
            test(target, sight, &|found| compare(found, *equal, value))
        }
        Expr::Not(inner) => holds(inner, sight).map(|held| !held),
        // Every part is looked at: one that cannot be judged leaves the whole rule unjudged.
        Expr::And(parts) => {
            parts.iter().try_fold(true, |all, part| holds(part, sight).map(|held| all && held))
        }
        Expr::Or(parts) => {
            parts.iter().try_fold(false, |any, part| holds(part, sight).map(|held| any || held))
        }
    }
}

fn compare(found: &Value, equal: bool, wanted: &Value) -> Option<bool> {
    if *found == Value::Init && *wanted != Value::Init {
        return None;
    }
    Some((found == wanted) == equal)
}

type Compare<'a> = &'a dyn Fn(&Value) -> Option<bool>;

fn test(target: &Target, sight: &Sight<'_>, compare: Compare<'_>) -> Option<bool> {
    let resources = match (target.remote, sight.remote) {
        (true, None) => return compare(&Value::Unknown),
        (true, Some(remote)) => remote,
        (false, _) => sight.local,
    };
    let passed_over = |name: &ResourceName, value: &Value| {
        !target.remote && *value == Value::Init && sight.late.contains(name)
    };
    let members = || {
        resources
            .iter()
            .filter(|(name, value)| name.class == target.class && !passed_over(name, value))
            .map(|(_, value)| compare(value))
    };
    match &target.pick {
        Pick::Id(id) => compare(resources.get(&ResourceName::new(&target.class, id)).unwrap_or(&Value::Init)),
        Pick::Any if members().any(|held| held == Some(true)) => Some(true),
        Pick::All if members().any(|held| held == Some(false)) => Some(false),
        _ if members().any(|held| held.is_none()) => None,
        // All members are judged: none of them is true (?), none of them is false (*).
        Pick::Any => Some(false),
        Pick::All => Some(members().next().is_some()),
    }
}
