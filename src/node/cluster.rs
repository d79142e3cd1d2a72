//! The cluster configuration of this node: `safekit cluster ...` (CLI-041 to CLI-048).
//!
//! SAFEVAR/cluster holds cluster.xml, cluster_ip.xml (the resolved addresses), cluster.key and
//! cluster.json (date, signature, lock). A new configuration takes the place of the whole directory
//! in one step.

use super::cluster_zip::{self, ClusterZipError};
use super::keys::{self, CLUSTER_KEY, KeyError, SecretKey};
use super::record::{self, RecordError};
use super::tree;
use crate::config::cluster::{self, ClusterConfig, LanNode};
use crate::config::error::ConfigErrors;
use crate::config::paths::Paths;
use crate::config::signature;
use crate::told::Tell;
use crate::told::attempt::Attempt;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Largest cluster.xml.
pub(super) const LARGEST_XML: u64 = 1024 * 1024;
const INFO: &str = "cluster.json";

/// What `cluster config` applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// A cluster.xml: a new key is made.
    Xml(&'a str),
    /// A zip of cluster.xml and, unless the cluster is not encrypted, its key (`-G`).
    Zip(&'a [u8]),
    /// The present configuration, with a new key.
    Present,
    /// Nothing: only the lock changes.
    LockOnly,
}

/// The word after the file of `cluster config` (CLI-042).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Later changes are refused.
    Lock,
    /// Changes are allowed again, this one included.
    Unlock,
}

/// Date, signature and lock of the cluster configuration (CLI-044).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// Equal on all nodes of a cluster.
    pub signature: String,
    /// When it was applied on this node: local time, `2016-05-20T17:06:45`.
    pub date: String,
    /// Changes are refused until unlocked.
    pub locked: bool,
}

/// Why a cluster command is refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No configuration yet.
    #[error("the cluster is not configured: run \"safekit cluster config <cluster.xml>\"")]
    NotConfigured,
    /// Locked.
    #[error("the cluster configuration is locked: run \"safekit cluster config unlock\" first")]
    Locked,
    /// A name has no address.
    #[error(transparent)]
    Unresolved(#[from] cluster::Unresolved),
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The key cannot be made or is wrong.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The zip is wrong.
    #[error(transparent)]
    Zip(#[from] ClusterZipError),
    /// A file of the node cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Tell for ClusterError {
    fn french(&self) -> String {
        use ClusterError as E;
        match self {
            E::NotConfigured => {
                "le cluster n'est pas configuré : exécutez \"safekit cluster config <cluster.xml>\""
                    .to_owned()
            }
            E::Locked => {
                "la configuration du cluster est verrouillée : exécutez d'abord \"safekit cluster config \
                unlock\""
                    .to_owned()
            }
            E::Unresolved(e) => e.french(),
            E::Config(e) => e.french(),
            E::Key(e) => e.french(),
            E::Zip(e) => e.french(),
            E::Record(e) => e.french(),
        }
    }
}

/// The cluster configuration of this node; `None` when it has none.
pub fn load(paths: &Paths) -> Result<Option<ClusterConfig>, ClusterError> {
    match read_text(&paths.cluster_xml())? {
        None => Ok(None),
        Some(text) => Ok(Some(cluster::load(&text, "cluster.xml")?)),
    }
}

fn read_text(path: &Path) -> Result<Option<String>, RecordError> {
    let Some(bytes) = record::load_bytes(path, LARGEST_XML)? else { return Ok(None) };
    let damaged = |_| RecordError::Damaged { path: path.to_owned(), what: record::not_utf8() };
    String::from_utf8(bytes).map(Some).map_err(damaged)
}

/// `cluster confinfo` of this node; `None` when it has no configuration.
pub fn info(paths: &Paths) -> Result<Option<ClusterInfo>, RecordError> {
    record::load(&paths.cluster().join(INFO))
}

/// `cluster confcheck`: checks a cluster.xml without applying it.
pub fn confcheck(xml: &str, file: &str) -> Result<ClusterConfig, ConfigErrors> {
    cluster::load(xml, file)
}

/// `cluster config [file] [lock|unlock]`. `safeadmin` then reloads the configuration that is returned.
pub fn config(paths: &Paths, source: Source<'_>, lock: Option<Lock>) -> Result<ClusterConfig, ClusterError> {
    let present = info(paths)?;
    refuse_locked(paths, lock)?;
    let (xml, key) = match source {
        Source::Xml(xml) => (xml.to_owned(), Some(SecretKey::generate()?)),
        Source::Zip(bytes) => cluster_zip::unpack(bytes)?,
        Source::Present => (present_xml(paths)?, Some(SecretKey::generate()?)),
        Source::LockOnly => {
            // The key stays: a new one would cut this node off until the next -G.
            let config = load(paths)?.ok_or(ClusterError::NotConfigured)?;
            let info = present.ok_or(ClusterError::NotConfigured)?;
            let locked = lock == Some(Lock::Lock);
            record::store(&paths.cluster().join(INFO), &ClusterInfo { locked, ..info })?;
            return Ok(config);
        }
    };
    let config = cluster::load(&xml, "cluster.xml")?;
    install(paths, &config, key.as_ref(), lock == Some(Lock::Lock))?;
    Ok(config)
}

/// The text of cluster.xml; `None` when it is not configured.
pub fn present(paths: &Paths) -> Result<Option<String>, ClusterError> {
    Ok(read_text(&paths.cluster_xml())?)
}

fn present_xml(paths: &Paths) -> Result<String, ClusterError> {
    present(paths)?.ok_or(ClusterError::NotConfigured)
}

fn install(
    paths: &Paths,
    config: &ClusterConfig,
    key: Option<&SecretKey>,
    locked: bool,
) -> Result<(), ClusterError> {
    let resolved = config.resolved(&LanNode::resolve)?.source;
    let dir = paths.cluster();
    let fresh = tree::beside(&dir, "new");
    tree::remove(&fresh)?;
    record::store_bytes(&fresh.join("cluster.xml"), config.source.as_bytes(), 0o644)?;
    record::store_bytes(&fresh.join("cluster_ip.xml"), resolved.as_bytes(), 0o644)?;
    if let Some(key) = key {
        keys::store(&fresh.join(CLUSTER_KEY), key)?;
    }
    store_info(&fresh, locked)?;
    tree::replace(&fresh, &dir)?;
    Ok(())
}

/// Signs what is in `dir` without the resolved addresses, which may differ between nodes.
fn store_info(dir: &Path, locked: bool) -> Result<(), ClusterError> {
    let signature = signature::of_files(dir, &["cluster.xml", CLUSTER_KEY]);
    let signature = signature.map_err(record::io_error(Attempt::Sign, dir))?;
    let date = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    Ok(record::store(&dir.join(INFO), &ClusterInfo { signature, date, locked })?)
}

/// `cluster deconfig`: removes configuration, key and lock. False if there was none.
pub fn deconfig(paths: &Paths) -> Result<bool, ClusterError> {
    refuse_locked(paths, None)?;
    let there = paths.cluster().is_dir();
    tree::take_away(&paths.cluster())?;
    Ok(there)
}

/// `cluster genkey`: a new key, used once `-G` has deployed it.
pub fn genkey(paths: &Paths) -> Result<(), ClusterError> {
    let config = change_key(paths)?;
    install(paths, &config, Some(&SecretKey::generate()?), false)
}

/// `cluster delkey`: no key; the cluster talks without encryption once `-G` has deployed that.
pub fn delkey(paths: &Paths) -> Result<(), ClusterError> {
    let config = change_key(paths)?;
    install(paths, &config, None, false)
}

fn change_key(paths: &Paths) -> Result<ClusterConfig, ClusterError> {
    refuse_locked(paths, None)?;
    load(paths)?.ok_or(ClusterError::NotConfigured)
}

/// Fails while the configuration is locked, unless the change unlocks it (CLI-042).
pub fn refuse_locked(paths: &Paths, lock: Option<Lock>) -> Result<(), ClusterError> {
    match info(paths)? {
        Some(info) if info.locked && lock != Some(Lock::Unlock) => Err(ClusterError::Locked),
        _ => Ok(()),
    }
}

/// Deploys nothing itself: the zip of cluster.xml and key that `-G` sends to [`Source::Zip`].
pub fn package(paths: &Paths) -> Result<Vec<u8>, ClusterError> {
    Ok(cluster_zip::pack(&present_xml(paths)?, keys::cluster_key(paths)?.as_ref())?)
}

/// Nodes that `-E` and `-G` mean without `-H`: the URLs and node names of SAFEVAR/default_cluster.txt,
/// separated by commas or line ends; empty when there is no such file (AMB-13).
pub fn default_targets(paths: &Paths) -> Result<Vec<String>, RecordError> {
    let text = read_text(&paths.safevar.join("default_cluster.txt"))?.unwrap_or_default();
    Ok(text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|target| !target.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
