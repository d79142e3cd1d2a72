//! What both nodes must have configured alike to replicate.

use crate::told::{Told, told};
use serde::{Deserialize, Serialize};

/// The part of `<rfs>` that must be the same on both nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Alike {
    /// Hash of the replicated directories, their order and what they leave out.
    pub directories: u64,
    /// `acl`.
    pub acl: bool,
    /// `ruzone_blocksize`.
    pub zone: u32,
    /// `async="none"`.
    pub after_disk: bool,
}

/// What differs, as an operator finds it in userconfig.xml; none: nothing does.
pub fn difference(one: Option<Alike>, other: Option<Alike>) -> Option<Told> {
    match (one, other) {
        (Some(a), Some(b)) if a.directories != b.directories => {
            Some(told!("the <replicated> directories", "les répertoires <replicated>"))
        }
        (Some(a), Some(b)) if a.acl != b.acl => Some(told!("acl of <rfs>", "acl de <rfs>")),
        (Some(a), Some(b)) if a.zone != b.zone => {
            Some(told!("ruzone_blocksize of <rfs>", "ruzone_blocksize de <rfs>"))
        }
        (Some(a), Some(b)) if a.after_disk != b.after_disk => Some(told!("async of <rfs>", "async de <rfs>")),
        (None, None) | (Some(_), Some(_)) => None,
        (None, Some(_)) | (Some(_), None) => {
            Some(told!("<rfs>, which one of them does not have", "<rfs>, que l'un des deux n'a pas"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let a = Alike { directories: 1, acl: false, zone: 4096, after_disk: false };
        let cases = [
            (Alike { directories: 2, ..a }, "<replicated>"),
            (Alike { acl: true, ..a }, "acl"),
            (Alike { zone: 8192, ..a }, "ruzone_blocksize"),
            (Alike { after_disk: true, ..a }, "async"),
        ];
        for (b, word) in cases {
            assert!(difference(Some(a), Some(b)).is_some_and(|d| d.to_string().contains(word)), "{word}");
        }
        assert!(difference(None, Some(a)).is_some_and(|d| d.to_string().contains("<rfs>")));
        assert_eq!((difference(Some(a), Some(a)), difference(None, None)), (None, None));
    }
}
