//! What a node holds: templates, configurations, faults of files, script logs, histories.

use crate::config::error::ConfigError;
use crate::ids::ModuleName;
use crate::log::Lang;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use crate::node::templates::{TemplateKind, TemplateRow};

/// Longest value and text of a fault that are passed on, characters.
const LONGEST: usize = 500;
/// Faults that are passed on.
const MOST: usize = 200;

/// A value that a resource had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryRow {
    /// When it began, `2021-07-27 14:37:33.205122`.
    pub date: String,
    /// The same, Unix time in microseconds.
    pub micros: i64,
    /// The value.
    pub value: String,
}

/// Something wrong in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// The file, e.g. `userconfig.xml`.
    pub file: String,
    /// Its line, from 1.
    pub line: u32,
    /// The element; empty if the file is no XML at all.
    pub tag: String,
    /// Its attribute, if one is at fault.
    pub attribute: Option<String>,
    /// The value of the attribute, if that is what is wrong.
    pub value: Option<String>,
    /// What is wrong and what is allowed.
    pub what: String,
    /// It is accepted and ignored.
    pub warning: bool,
}

/// The certificate that is installed for the web service of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateReport {
    /// Whether the web service speaks HTTPS; the rest is empty otherwise.
    pub https: bool,
    /// Whose it is.
    pub subject: Option<String>,
    /// Who has signed it.
    pub issuer: Option<String>,
    /// Names and addresses for which it is valid.
    pub names: Vec<String>,
    /// Begin of its validity, UTC.
    pub not_before: Option<String>,
    /// End of its validity, UTC.
    pub not_after: Option<String>,
    /// Whole days to its end.
    pub days_left: Option<i64>,
    /// What an administrator has to do.
    pub warning: Option<String>,
}

impl Fault {
    /// A fault as the parsers tell it, in a language; what is very long is cut.
    pub fn new(error: &ConfigError, warning: bool, lang: Lang) -> Fault {
        let cut = |text: &str| text.chars().take(LONGEST).collect::<String>();
        Fault {
            file: cut(&error.file),
            line: error.line,
            tag: cut(&error.tag),
            attribute: error.attribute.as_deref().map(cut),
            value: error.value.as_deref().map(cut),
            what: cut(error.what.of(lang)),
            warning,
        }
    }

    /// The faults as they are told: by line, and no more than a console can show.
    pub fn all(errors: &[ConfigError], warnings: &[ConfigError], lang: Lang) -> Vec<Fault> {
        let errors = errors.iter().map(|error| Fault::new(error, false, lang));
        let mut all: Vec<Fault> =
            errors.chain(warnings.iter().map(|warning| Fault::new(warning, true, lang))).take(MOST).collect();
        all.sort_by_key(|fault| fault.line);
        all
    }
}

/// A successful configuration that is kept (ADM-07).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationRow {
    /// Whose.
    pub module: ModuleName,
    /// `AM_2024-02-13_090312`.
    pub name: String,
    /// When it was applied, `2024-02-13 09:03:12`.
    pub date: String,
}

/// The log of a script (CFG-USR-03).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserLogRow {
    /// Name of the file.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Last change, `2024-02-13 09:03:12`.
    pub date: String,
}
