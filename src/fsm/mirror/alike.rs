//! What both nodes must have configured alike to replicate.

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
pub fn difference(one: Option<Alike>, other: Option<Alike>) -> Option<&'static str> {
    match (one, other) {
        (Some(a), Some(b)) if a.directories != b.directories => Some("the <replicated> directories"),
        (Some(a), Some(b)) if a.acl != b.acl => Some("acl of <rfs>"),
        (Some(a), Some(b)) if a.zone != b.zone => Some("ruzone_blocksize of <rfs>"),
        (Some(a), Some(b)) if a.after_disk != b.after_disk => Some("async of <rfs>"),
        (None, None) | (Some(_), Some(_)) => None,
        (None, Some(_)) | (Some(_), None) => Some("<rfs>, which one of them does not have"),
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
            assert!(difference(Some(a), Some(b)).is_some_and(|d| d.contains(word)), "{word}");
        }
        assert!(difference(None, Some(a)).is_some_and(|d| d.contains("<rfs>")));
        assert_eq!((difference(Some(a), Some(a)), difference(None, None)), (None, None));
    }
}
