//! What is wrong in a configuration file, told so that it can be corrected in one go.

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
    pub what: String,
}

/// Longest part of a bad value that is repeated in an error.
const SHOWN: usize = 80;

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.tag.is_empty() {
            write!(f, "<{}>", self.tag)?;
            if let Some(a) = &self.attribute {
                write!(f, " {a}")?;
            }
            if let Some(v) = &self.value {
                let more = if v.chars().count() > SHOWN { "..." } else { "" };
                let shown: String = v.chars().take(SHOWN).flat_map(char::escape_debug).collect();
                write!(f, "=\"{shown}{more}\"")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
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

impl std::error::Error for ConfigError {}
impl std::error::Error for ConfigErrors {}
