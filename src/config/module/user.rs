//! `<user>`: module scripts (CFG-USR).

use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::told::{Told, told};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Where the output of scripts goes (CFG-USR-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logging {
    /// To userlog files.
    Userlog,
    /// Nowhere.
    None,
}

/// `<user>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Time a stop script has (CFG-USR-01).
    pub nicestoptimeout: Duration,
    /// Time a forced stop script has (CFG-USR-02).
    pub forcestoptimeout: Duration,
    /// Where the output of scripts goes.
    pub logging: Logging,
    /// Size in bytes at which a userlog is emptied when the module starts (CFG-USR-04).
    pub userlogsize: u64,
    /// Environment of the scripts (CFG-USR-05).
    pub vars: BTreeMap<String, String>,
}

/// Default time of a stop script.
const STOP_TIMEOUT: Duration = Duration::from_secs(300);
/// Default size of a userlog, bytes.
const USERLOGSIZE: u64 = 2048 * 1024;
const STOP_TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Reads `<user>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element) -> Option<User> {
    let attributes = ["nicestoptimeout", "forcestoptimeout", "logging", "userlogsize"];
    let tag = parent.open(element, &attributes, &["var"]);
    let loggings = [("userlog", Logging::Userlog), ("none", Logging::None)];
    let mut vars = BTreeMap::new();
    for e in tag.all("var") {
        let var = tag.open(e, &["name", "value"], &[]);
        let (name, value) = (var.need("name", variable), var.need("value", |v| Ok(v.to_owned())));
        if let (Some(name), Some(value)) = (name, value)
            && vars.insert(name, value).is_some()
        {
            var.fault_of(
                "name",
                told!("this variable is given twice", "cette variable est donnée deux fois"),
            );
        }
    }
    Some(User {
        nicestoptimeout: tag.or("nicestoptimeout", STOP_TIMEOUT, units::duration(Unit::S, STOP_TIMEOUTS)),
        forcestoptimeout: tag.or("forcestoptimeout", STOP_TIMEOUT, units::duration(Unit::S, STOP_TIMEOUTS)),
        logging: tag.or("logging", Logging::Userlog, units::one_of(&loggings)),
        userlogsize: tag.or("userlogsize", USERLOGSIZE, units::kilobytes(1..=4 << 20)),
        vars,
    })
}

fn variable(text: &str) -> Result<String, Told> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(good) {
        Ok(text.to_owned())
    } else {
        Err(told!(
            "write letters, digits and _, not beginning with a digit",
            "écrivez des lettres, des chiffres et _, sans commencer par un chiffre"
        ))
    }
}
