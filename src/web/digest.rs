//! Hashes by which something is known that is not kept itself.

use crate::hex;
use serde::{Deserialize, Serialize};

/// A hash; 64 hexadecimal digits in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of a text for one purpose: a digest for another purpose tells nothing of it.
    pub fn of(purpose: &str, text: &str) -> Digest {
        Digest(blake3::derive_key(purpose, text.as_bytes()))
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        hex::encode(&digest.0)
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Digest, Self::Error> {
        let bytes = hex::decode(&text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or("this is no digest")
    }
}
