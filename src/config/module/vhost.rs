//! `<vhost>`: virtual host names (CFG-VH).

use std::path::PathBuf;

/// When the virtual name is returned (CFG-VH-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VhostWhen {
    /// On the primary.
    Prim,
    /// On the secondary.
    Second,
    /// On both.
    Both,
}

/// `<virtualhostname>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHostname {
    /// The name (CFG-VH-01).
    pub name: String,
    /// Generated file, relative to SAFEUSERBIN (CFG-VH-02).
    pub envfile: PathBuf,
    /// When the name is returned.
    pub when: VhostWhen,
}
