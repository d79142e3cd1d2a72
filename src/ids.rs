//! Names of nodes and modules, checked once where they come in.

use crate::told::{Told, told};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{value}\" is not a {what} name: use 1 to {most} letters, digits, . _ and -, beginning with a letter or digit"
)]
pub struct BadName {
    /// What the name was for.
    pub what: &'static str,
    /// The refused text, shortened.
    pub value: String,
    /// Longest name allowed.
    pub most: usize,
}

impl From<BadName> for Told {
    fn from(bad: BadName) -> Told {
        let BadName { what, value, most } = bad;
        let of = if what == "module" { "de module" } else { "de nœud" };
        told!(
            "\"{value}\" is not a {what} name: use 1 to {most} letters, digits, . _ and -, beginning with a letter or digit",
            "\"{value}\" n'est pas un nom {of} : utilisez 1 à {most} lettres, chiffres, . _ et -, en commençant par une lettre ou un chiffre"
        )
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $most:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(s: &str) -> Result<Self, BadName> {
                let good = (1..=$most).contains(&s.len())
                    && s.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && s.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
                let value = || s.chars().take(64).collect();
                if good { Ok($name(s.to_owned())) } else { Err(BadName { what: $what, value: value(), most: $most }) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(s: String) -> Result<Self, BadName> {
                s.parse()
            }
        }

        impl From<$name> for String {
            fn from(n: $name) -> String {
                n.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// Name of a module, e.g. `mirror`: also a directory name.
    ModuleName, "module", 32
);
name!(
    /// Name of a node, as in cluster.xml.
    NodeName, "node", 64
);

/// Number of a module on all nodes of its cluster; its ports derive from it (NET 7).
pub type ModuleId = u8;
