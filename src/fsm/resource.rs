//! Resources: `<class>.<id>` and their values (spec/resources.md).

use crate::told::Tell;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Name of a resource, `class.id`. The id may itself hold dots (`ip.192.168.1.99`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ResourceName {
    /// Class, e.g. `tcp`, `custom`, `heartbeat`.
    pub class: String,
    /// Identifier in the class.
    pub id: String,
}

/// Value of a resource. Checkers use the first four; other resources hold text (RES-12, RES-40).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Value {
    /// Not examined yet: neither up nor down (AMB-05).
    Init,
    /// The checked thing is there.
    Up,
    /// The checked thing is missing.
    Down,
    /// Of a remote module that is stopped or cannot be heard (RES-51).
    Unknown,
    /// Any other value.
    Text(String),
}

/// Every resource of a module on one node, by name.
pub type Resources = BTreeMap<ResourceName, Value>;

/// What is wrong with the name of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is not a resource name: write class.id with letters, digits and . _ - : [ ] / only, 128 characters at most"
)]
pub struct BadResourceName(pub String);

impl Tell for BadResourceName {
    fn french(&self) -> String {
        let BadResourceName(name) = self;
        format!(
            "\"{name}\" n'est pas un nom de ressource : écrivez class.id avec seulement des lettres, des chiffres et \
             . _ - : [ ] /, 128 caractères au plus"
        )
    }
}

impl ResourceName {
    /// A name from parts that the program itself chose.
    pub fn new(class: &str, id: &str) -> Self {
        ResourceName { class: class.to_owned(), id: id.to_owned() }
    }
}

impl FromStr for ResourceName {
    type Err = BadResourceName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || BadResourceName(s.chars().take(160).collect());
        let (class, id) = s.split_once('.').ok_or_else(bad)?;
        let word = |w: &str, more: &str| {
            !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if s.len() > 128 || !word(class, "_-") || !word(id, "._-:[]/") {
            return Err(bad());
        }
        Ok(ResourceName::new(class, id))
    }
}

impl TryFrom<String> for ResourceName {
    type Error = BadResourceName;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<ResourceName> for String {
    fn from(n: ResourceName) -> String {
        n.to_string()
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.id)
    }
}

impl From<String> for Value {
    fn from(s: String) -> Value {
        match s.as_str() {
            "init" => Value::Init,
            "up" => Value::Up,
            "down" => Value::Down,
            "unknown" => Value::Unknown,
            _ => Value::Text(s),
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Value {
        s.to_owned().into()
    }
}

impl From<Value> for String {
    fn from(v: Value) -> String {
        v.to_string()
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Value::Init => "init",
            Value::Up => "up",
            Value::Down => "down",
            Value::Unknown => "unknown",
            Value::Text(t) => t,
        })
    }
}
