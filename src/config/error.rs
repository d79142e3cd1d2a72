//! What is wrong in a configuration file, told so that it can be corrected in one go.

use crate::log::Lang;
use crate::told::{Tell, Told};
use std::fmt;

/// One fault: where it is, what was found, what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Name of the element, empty if the file is no XML at all.
    pub tag: String,
    /// Name of the attribute, if one is at fault.
    pub attribute: Option<String>,
    /// Value of the attribute, if that is what is wrong.
    pub value: Option<String>,
    /// What is wrong and what is allowed.
    pub what: Told,
}

/// Longest part of a bad value that is repeated in an error.
const SHOWN: usize = 80;

impl ConfigError {
    /// Where it is, before what is wrong there.
    fn place(&self) -> String {
        let mut place = format!("{}:{}: ", self.file, self.line);
        if !self.tag.is_empty() {
            place += &format!("<{}>", self.tag);
            if let Some(a) = &self.attribute {
                place += &format!(" {a}");
            }
            if let Some(v) = &self.value {
                let more = if v.chars().count() > SHOWN { "..." } else { "" };
                let shown: String = v.chars().take(SHOWN).flat_map(char::escape_debug).collect();
                place += &format!("=\"{shown}{more}\"");
            }
            place += ": ";
        }
        place
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.place(), self.what)
    }
}

impl Tell for ConfigError {
    fn french(&self) -> String {
        format!("{}{}", self.place(), self.what.of(Lang::Fr))
    }
}

/// All faults of one file, in the order of their lines; never empty. Prints one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, e) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            e.fmt(f)?;
        }
        Ok(())
    }
}

impl Tell for ConfigErrors {
    fn french(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(Tell::french).collect();
        lines.join("\n")
    }
}

impl std::error::Error for ConfigError {}
impl std::error::Error for ConfigErrors {}
