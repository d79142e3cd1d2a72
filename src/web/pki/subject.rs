//! Subjects of certificates, as on the command line: `/O=My Company/OU=My Entity/CN=My Authority`.

use rcgen::{DistinguishedName, DnType, DnValue};
use std::fmt;
use std::str::FromStr;

/// Longest value of an attribute (X.520).
const LONGEST: usize = 64;

/// Kinds of attributes, by their short names.
const KINDS: [(&str, DnType); 6] = [
    ("C", DnType::CountryName),
    ("ST", DnType::StateOrProvinceName),
    ("L", DnType::LocalityName),
    ("O", DnType::OrganizationName),
    ("OU", DnType::OrganizationalUnitName),
    ("CN", DnType::CommonName),
];

/// A subject: its attributes in order, by their short names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Vec<(String, String)>);

impl Subject {
    /// From kinds and values that are known to be right.
    pub(super) fn from(parts: &[(&str, &str)]) -> Subject {
        Subject(parts.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect())
    }

    /// That of a request. What is no plain text of a known kind shows as `?`.
    pub(super) fn of(name: &DistinguishedName) -> Subject {
        let part = |(kind, value): (&DnType, &DnValue)| {
            let known = KINDS.iter().find(|(_, known)| known == kind).map_or("?", |(short, _)| short);
            let text = match value {
                DnValue::Utf8String(text) => text.clone(),
                DnValue::PrintableString(text) => text.as_str().to_owned(),
                _ => "?".to_owned(),
            };
            (known.to_owned(), text)
        };
        Subject(name.iter().map(part).collect())
    }

    /// For a certificate.
    pub(super) fn distinguished(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        for (kind, value) in &self.0 {
            if let Some((_, kind)) = KINDS.iter().find(|(short, _)| short == kind) {
                name.push(kind.clone(), value.as_str());
            }
        }
        name
    }
}

/// A text that is no subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a subject: {what}; write it as \"/O=My Company/OU=My Entity/CN=My Authority\"")]
pub struct BadSubject {
    text: String,
    what: String,
}

impl FromStr for Subject {
    type Err = BadSubject;

    fn from_str(text: &str) -> Result<Subject, BadSubject> {
        let bad = |what: &str| BadSubject { text: text.to_owned(), what: what.to_owned() };
        let rest = text.strip_prefix('/').ok_or_else(|| bad("it does not begin with \"/\""))?;
        let mut parts: Vec<(String, String)> = Vec::new();
        for part in rest.split('/') {
            let (kind, value) = part.split_once('=').ok_or_else(|| bad("a part has no \"=\""))?;
            if !KINDS.iter().any(|(short, _)| *short == kind) {
                return Err(bad("the parts are C, ST, L, O, OU and CN"));
            }
            if parts.iter().any(|(there, _)| there == kind) {
                return Err(bad("a part is there twice"));
            }
            if value.is_empty() || value.chars().count() > LONGEST || value.chars().any(char::is_control) {
                return Err(bad("a value has 1 to 64 characters"));
            }
            if kind == "C" && !(value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase())) {
                return Err(bad("C is a country of two capital letters"));
            }
            parts.push((kind.to_owned(), value.to_owned()));
        }
        if !parts.iter().any(|(kind, _)| kind == "CN") {
            return Err(bad("CN is missing"));
        }
        Ok(Subject(parts))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What comes from outside must not break the line.
        self.0.iter().try_for_each(|(kind, value)| write!(f, "/{kind}={}", value.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_of_the_guide() {
        let text = "/O=My Company/OU=My Entity/CN=My Company Private Certificate Authority";
        let subject: Subject = text.parse().unwrap();
        assert_eq!(subject.to_string(), text);
        assert_eq!(Subject::of(&subject.distinguished()), subject);
        for bad in
            ["", "CN=x", "/", "/CN=", "/CN", "/O=x", "/X=y/CN=a", "/CN=a/CN=b", "/C=fr/CN=a", "/CN=a\nb"]
        {
            assert!(bad.parse::<Subject>().is_err(), "{bad:?}");
        }
    }
}
