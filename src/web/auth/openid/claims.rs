//! Roles from what an identity provider says about a user, e.g. `AdminClaim roles:SKAdmin` (WEB-44).

use crate::control::Access;
use serde_json::{Map, Value};

/// What gives a role: a claim and one of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleClaim {
    /// The role.
    pub access: Access,
    /// `name:value`; the name may lead into objects, by dots.
    text: String,
}

impl RoleClaim {
    /// Reads `name:value`.
    pub fn parse(access: Access, text: &str) -> Result<RoleClaim, String> {
        match text.split_once(':') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(RoleClaim { access, text: text.to_owned() })
            }
            _ => Err(format!("\"{text}\" is not a claim and its value, such as roles:SKAdmin")),
        }
    }

    /// Whether the claims of a user have it. Names and values may hold colons themselves, so each may be
    /// the one between them.
    fn is_in(&self, claims: &Map<String, Value>) -> bool {
        let at = self.text.match_indices(':').map(|(at, _)| at);
        at.into_iter().any(|at| has(claims, &self.text[..at], &self.text[at + 1..]))
    }
}

/// The greatest role that the claims give.
pub fn role(wanted: &[RoleClaim], claims: &Map<String, Value>) -> Option<Access> {
    wanted.iter().filter(|claim| claim.is_in(claims)).map(|claim| claim.access).max()
}

/// Whether the claim `name` of an object is `value`, or has it in a list. A name with dots may be that of
/// one claim, or a way into objects.
fn has(claims: &Map<String, Value>, name: &str, value: &str) -> bool {
    if claims.get(name).is_some_and(|found| is(found, value)) {
        return true;
    }
    name.match_indices('.').any(|(at, _)| {
        let inner = claims.get(&name[..at]);
        inner.is_some_and(|inner| within(inner, &name[at + 1..], value))
    })
}

fn within(found: &Value, name: &str, value: &str) -> bool {
    match found {
        Value::Object(claims) => has(claims, name, value),
        Value::Array(list) => list.iter().any(|one| within(one, name, value)),
        _ => false,
    }
}

fn is(found: &Value, value: &str) -> bool {
    match found {
        Value::String(text) => text == value,
        Value::Array(list) => list.iter().any(|one| is(one, value)),
        Value::Bool(truth) => truth.to_string() == value,
        Value::Number(number) => number.to_string() == value,
        Value::Null | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(text: &str, claims: &Value) -> bool {
        RoleClaim::parse(Access::Admin, text).unwrap().is_in(claims.as_object().unwrap())
    }

    #[test]
    fn claims_are_found_in_lists_and_objects() {
        let claims = json!({
            "roles": ["SKMonitor", "SKAdmin"],
            "role": "SKControl",
            "realm_access": { "roles": ["offline", "a:b"] },
            "teams": [{ "name": "ops" }, { "name": "dev" }],
            "https://example.com/roles": ["x"],
            "dotted.name": "y",
            "level": 3,
            "staff": true,
        });
        for good in [
            "roles:SKAdmin",
            "role:SKControl",
            "realm_access.roles:offline",
            "realm_access.roles:a:b",
            "teams.name:dev",
            "https://example.com/roles:x",
            "dotted.name:y",
            "level:3",
            "staff:true",
        ] {
            assert!(matches(good, &claims), "{good}");
        }
        for bad in
            ["roles:SKAdm", "roles:skadmin", "roles.x:SKAdmin", "realm_access:roles", "none:x", "teams:name"]
        {
            assert!(!matches(bad, &claims), "{bad}");
        }
        for bad in ["", "roles", ":x", "roles:"] {
            assert!(RoleClaim::parse(Access::Admin, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_greatest_role_counts() {
        let wanted = [(Access::Monitor, "roles:m"), (Access::Admin, "roles:a"), (Access::Control, "roles:c")]
            .map(|(access, text)| RoleClaim::parse(access, text).unwrap());
        let of = |claims: Value| role(&wanted, claims.as_object().unwrap());
        assert_eq!(of(json!({ "roles": ["m", "a"] })), Some(Access::Admin));
        assert_eq!(of(json!({ "roles": "c" })), Some(Access::Control));
        assert_eq!(of(json!({ "roles": [] })), None);
    }
}
