//! What a reintegration copies: the wish of the secondary and the policy of the primary together
//! (RFS-50 to RFS-60).

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a secondary wants its reintegration to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// What was modified (RFS-55).
    Modified,
    /// Nobody has said anything since the module was configured: everything (RFS-20, RFS-56).
    First,
    /// Everything, an operator said so (RFS-53, RFS-56).
    Full,
    /// Files modified after this time, whole (RFS-60); seconds since 1970.
    Since(i64),
    /// A backup of the primary was restored here (RFS-51).
    Restored(Backup),
    /// A backup was taken here: this node is the source of an external synchronization (RFS-50).
    Source(Backup),
}

/// A backup of an external synchronization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Its name.
    pub uid: String,
    /// Changes between backup or restore and the start of the module are looked for (RFS-52).
    pub detect: bool,
}

/// What a primary offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offer {
    /// What was modified.
    Modified,
    /// Everything.
    Full,
    /// What changed since a backup that was taken from it.
    Backup(Backup),
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copy {
    /// What the zones of both sides say; by hash where they say nothing.
    Modified,
    /// Everything.
    Full,
    /// Files modified after this time, whole.
    Since(i64),
    /// What differs, by hash: the files here are from elsewhere.
    Hash,
    /// What the zones of the primary say since this backup; nothing else was changed on either side.
    SinceBackup(String),
}

/// Why an external synchronization cannot be applied (RFS-57).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// The two nodes name different backups: here, there.
    Different(String, String),
    /// The primary took this backup, and nothing was restored here.
    NotRestored(String),
    /// This backup was restored here, and the primary took none.
    NotTaken(String),
    /// This backup was taken from this node, which is the secondary now.
    Reversed(String),
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the external synchronization cannot be applied: ")?;
        match self {
            Disagreement::Different(here, there) => {
                write!(f, "backup {here} was restored here, and {there} was taken from the primary")?;
            }
            Disagreement::NotRestored(uid) => {
                write!(f, "backup {uid} was taken from the primary, and none was restored here")?;
            }
            Disagreement::NotTaken(uid) => {
                write!(f, "backup {uid} was restored here, and none was taken from the primary")?;
            }
            Disagreement::Reversed(uid) => {
                write!(f, "backup {uid} was taken from this node, which is the secondary now")?;
            }
        }
        f.write_str(
            "; complete or repeat the procedure on both nodes, or give it up with safekit rfssync full",
        )
    }
}

/// What a secondary asks for: the files since a date, by an operator's word; else all, by that or the
/// primary's; else what its policy says.
pub fn wish(since: Option<i64>, full: bool, policy: How) -> How {
    match since {
        Some(date) => How::Since(date),
        None if full => How::Full,
        None => policy,
    }
}

/// What is copied to a secondary that wants this from a primary that offers that.
///
/// # Errors
/// The two do not fit: another attempt would end in the same way.
pub fn agree(how: &How, offer: &Offer) -> Result<Copy, Disagreement> {
    match (how, offer) {
        // The word of an operator on this node.
        (How::Since(date), _) => Ok(Copy::Since(*date)),
        (How::Full, _) => Ok(Copy::Full),
        (How::Source(b), _) => Err(Disagreement::Reversed(b.uid.clone())),
        (How::Restored(here), Offer::Backup(there)) if here.uid != there.uid => {
            Err(Disagreement::Different(here.uid.clone(), there.uid.clone()))
        }
        // Who wants changes to be looked for gets it.
        (How::Restored(here), Offer::Backup(there)) if here.detect || there.detect => Ok(Copy::Hash),
        (How::Restored(here), Offer::Backup(_)) => Ok(Copy::SinceBackup(here.uid.clone())),
        (How::Restored(here), _) => Err(Disagreement::NotTaken(here.uid.clone())),
        (_, Offer::Backup(there)) => Err(Disagreement::NotRestored(there.uid.clone())),
        (How::First, _) | (_, Offer::Full) => Ok(Copy::Full),
        (How::Modified, Offer::Modified) => Ok(Copy::Modified),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(uid: &str, detect: bool) -> Backup {
        Backup { uid: uid.to_owned(), detect }
    }

    #[test]
    fn both_sides_of_a_backup_must_name_the_same() {
        let restored = |uid, detect| How::Restored(backup(uid, detect));
        let taken = |uid, detect| Offer::Backup(backup(uid, detect));
        let agreed = |how, offer| agree(&how, &offer);
        assert_eq!(agreed(restored("a", true), taken("a", true)), Ok(Copy::Hash));
        assert_eq!(agreed(restored("a", false), taken("a", true)), Ok(Copy::Hash));
        assert_eq!(agreed(restored("a", false), taken("a", false)), Ok(Copy::SinceBackup("a".into())));
        let different = Disagreement::Different("a".into(), "b".into());
        assert_eq!(agreed(restored("a", true), taken("b", true)), Err(different));
        for offer in [Offer::Modified, Offer::Full] {
            assert_eq!(agreed(restored("a", true), offer), Err(Disagreement::NotTaken("a".into())));
        }
        for how in [How::Modified, How::First] {
            assert_eq!(agreed(how, taken("b", false)), Err(Disagreement::NotRestored("b".into())));
        }
        let reversed = Err(Disagreement::Reversed("a".into()));
        assert_eq!(agreed(How::Source(backup("a", true)), Offer::Modified), reversed);
    }

    #[test]
    fn a_word_of_somebody_wins_over_the_policy() {
        assert_eq!(wish(Some(7), true, How::Modified), How::Since(7));
        assert_eq!(wish(None, true, How::Modified), How::Full);
        assert_eq!(wish(None, false, How::First), How::First);
    }

    #[test]
    fn an_operator_gets_out_of_it_and_everything_is_copied_when_one_side_says_so() {
        let offers = [Offer::Modified, Offer::Full, Offer::Backup(backup("b", true))];
        for offer in &offers {
            assert_eq!(agree(&How::Full, offer), Ok(Copy::Full));
            assert_eq!(agree(&How::Since(7), offer), Ok(Copy::Since(7)));
        }
        assert_eq!(agree(&How::First, &Offer::Modified), Ok(Copy::Full));
        assert_eq!(agree(&How::Modified, &Offer::Full), Ok(Copy::Full));
        assert_eq!(agree(&How::Modified, &Offer::Modified), Ok(Copy::Modified));
    }

    #[test]
    fn a_disagreement_says_what_to_do() {
        let text = Disagreement::NotTaken("monday".into()).to_string();
        assert!(text.contains("monday was restored here") && text.contains("safekit rfssync full"), "{text}");
    }
}
