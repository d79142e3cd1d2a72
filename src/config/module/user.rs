//! `<user>`: module scripts (CFG-USR).

use std::collections::BTreeMap;
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
