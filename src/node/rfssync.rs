//! The synchronization policy of a module (RFS-50 to RFS-58): what the next reintegration copies, as
//! `safekit rfssync` and the other commands have left it. Kept in SAFEVAR/modules/AM/rfssync.json.

use super::record::{self, RecordError};
use crate::config::paths::Paths;
use crate::fsm::sync::{Backup, How, Offer};
use crate::ids::ModuleName;
use crate::told::{Told, told};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What the next synchronization copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// Modified zones, else modified files (RFS-55).
    Default,
    /// Everything (RFS-56).
    Full,
    /// What has changed since a backup was taken from one node and restored on the other (RFS-57).
    External {
        /// What this node is in it.
        side: Side,
        /// Names the backup; the same on both nodes, at most [`LONGEST_UID`] characters.
        uid: String,
        /// Changes between the backup or restore and the start of the module are detected (RFS-52).
        detect: bool,
    },
}

/// Part of a node in an external synchronization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The backup is taken here: the source (RFS-50).
    Prim,
    /// The backup is restored here: the destination (RFS-51).
    Second,
}

/// Longest uid of an external synchronization, characters (RFS-50).
pub const LONGEST_UID: usize = 24;

/// Whether a text can name a backup.
///
/// # Errors
/// What is wrong with it and what is allowed.
pub fn check_uid(uid: &str) -> Result<(), Told> {
    let bad = |c: char| c.is_control() || c.is_whitespace();
    if uid.is_empty() || uid.chars().count() > LONGEST_UID || uid.chars().any(bad) {
        return Err(told!(
            "the uid of an external synchronization must have 1 to {LONGEST_UID} characters, without blanks",
            "l'uid d'une synchronisation externe doit avoir 1 à {LONGEST_UID} caractères, sans espace"
        ));
    }
    Ok(())
}

/// The policy in force. Without any word of a command, the first synchronization is a full one (RFS-56).
///
/// # Errors
/// The record is damaged.
pub fn policy(paths: &Paths, module: &ModuleName) -> Result<Policy, RecordError> {
    Ok(spoken(&paths.uservar(module))?.unwrap_or(Policy::Full))
}

/// The last word on the policy, kept in this SAFEUSERVAR; none since the module was configured.
///
/// # Errors
/// The record is damaged.
pub fn spoken(uservar: &Path) -> Result<Option<Policy>, RecordError> {
    record::load(&file(uservar))
}

/// What a secondary with this last word wants to be copied.
pub fn wanted(spoken: Option<&Policy>) -> How {
    match spoken {
        None => How::First,
        Some(Policy::Default) => How::Modified,
        Some(Policy::Full) => How::Full,
        Some(Policy::External { side: Side::Prim, uid, detect }) => How::Source(backup(uid, *detect)),
        Some(Policy::External { side: Side::Second, uid, detect }) => How::Restored(backup(uid, *detect)),
    }
}

/// What a primary with this last word offers. What was restored there does not matter any more: it is
/// what the secondary gets.
pub fn offered(spoken: Option<&Policy>) -> Offer {
    match spoken {
        None | Some(Policy::Full) => Offer::Full,
        Some(Policy::External { side: Side::Prim, uid, detect }) => Offer::Backup(backup(uid, *detect)),
        Some(Policy::Default | Policy::External { side: Side::Second, .. }) => Offer::Modified,
    }
}

fn backup(uid: &str, detect: bool) -> Backup {
    Backup { uid: uid.to_owned(), detect }
}

/// Whether the policy can be applied, as far as the resources of the other node say (RES-35): an external
/// synchronization needs the other half of the procedure.
pub fn applicable(policy: &Policy, remote: &dyn Fn(&str) -> Option<String>) -> bool {
    let Policy::External { side, uid, .. } = policy else { return true };
    let other = if *side == Side::Prim { "second" } else { "prim" };
    [("rfssyncmode", "external"), ("rfssyncrole", other), ("rfssyncuid", uid)]
        .iter()
        .all(|(id, value)| remote(id).as_deref() == Some(*value))
}

/// Keeps a policy: of `rfssync`, or [`Policy::Default`] after a successful synchronization (RFS-58).
///
/// # Errors
/// The record cannot be written.
pub fn set_policy(paths: &Paths, module: &ModuleName, policy: &Policy) -> Result<(), RecordError> {
    record::store(&file(&paths.uservar(module)), policy)
}

/// `config` in STOP and `deconfig`: what was synchronized may no longer be what is replicated (RFS-56).
///
/// # Errors
/// The record cannot be removed.
pub fn forget(paths: &Paths, module: &ModuleName) -> Result<(), RecordError> {
    record::remove(&file(&paths.uservar(module))).map(drop)
}

/// Values of `usersetting.rfssyncmode`, `rfssyncrole` and `rfssyncuid` (RES-08 to RES-10).
pub fn resources(policy: &Policy) -> [(&'static str, &str); 3] {
    let (mode, role, uid) = match policy {
        Policy::Default => ("default", "default", "default"),
        Policy::Full => ("full", "default", "default"),
        Policy::External { side: Side::Prim, uid, .. } => ("external", "prim", uid.as_str()),
        Policy::External { side: Side::Second, uid, .. } => ("external", "second", uid.as_str()),
    };
    [("rfssyncmode", mode), ("rfssyncrole", role), ("rfssyncuid", uid)]
}

fn file(uservar: &Path) -> PathBuf {
    uservar.join("rfssync.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_policy_is_applicable_when_the_other_half_is_there() {
        let external = |side| Policy::External { side, uid: "b1".into(), detect: true };
        let remote = |uid: &'static str, role: &'static str| {
            move |id: &str| {
                let value = match id {
                    "rfssyncmode" => "external",
                    "rfssyncrole" => role,
                    _ => uid,
                };
                Some(value.to_owned())
            }
        };
        assert!(applicable(&Policy::Full, &|_| None));
        assert!(applicable(&external(Side::Prim), &remote("b1", "second")));
        assert!(applicable(&external(Side::Second), &remote("b1", "prim")));
        assert!(!applicable(&external(Side::Prim), &remote("b2", "second")));
        assert!(!applicable(&external(Side::Prim), &remote("b1", "prim")));
        assert!(!applicable(&external(Side::Second), &|_| None));
    }

    #[test]
    fn a_policy_is_full_until_somebody_speaks_and_survives() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let am: ModuleName = "mirror".parse().unwrap();
        let values = || resources(&policy(&paths, &am).unwrap()).map(|(_, v)| v.to_owned());
        assert_eq!(values(), ["full", "default", "default"]);
        let external = Policy::External { side: Side::Second, uid: "b1".into(), detect: true };
        for (policy, wanted) in [(external, ["external", "second", "b1"]), (Policy::Default, ["default"; 3])]
        {
            set_policy(&paths, &am, &policy).unwrap();
            assert_eq!(values(), wanted);
        }
        forget(&paths, &am).unwrap();
        assert_eq!(policy(&paths, &am).unwrap(), Policy::Full);
    }
}
