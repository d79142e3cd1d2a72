//! A line of the manifest.

use crate::hex;
use crate::rfs::op::FileKey;
use crate::rfs::resync::{Entry as Found, TreePath, Xattrs};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};

/// How a file differs from the primary's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The primary has other bytes, or something of another type, under this name.
    Changed,
    /// The primary has nothing under this name: it was made here, or deleted there.
    OnlyHere,
    /// Only owner, permissions, date or extended attributes differ; the bytes are the same.
    Attributes,
}

/// Type of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the types of a file, as everybody knows them")]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Fifo,
    Socket,
    CharDevice,
    BlockDevice,
}

impl Kind {
    /// `None`: unknown.
    pub(super) fn of(kind: FileType) -> Option<Kind> {
        Some(match kind {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            FileType::Unknown => return None,
        })
    }

    pub(super) fn file_type(self) -> FileType {
        match self {
            Kind::File => FileType::RegularFile,
            Kind::Directory => FileType::Directory,
            Kind::Symlink => FileType::Symlink,
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
        }
    }
}

/// What was at a path before the reintegration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Index of the replicated directory, as in [`super::Header::dirs`].
    pub dir: usize,
    /// Path below it, see [`escape`].
    pub path: String,
    /// How it differs.
    pub what: What,
    /// Its type.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Modification time: seconds since 1970, nanoseconds.
    pub mtime: (i64, u32),
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permissions, e.g. 420 for 0644.
    pub mode: u32,
    /// BLAKE3 of the bytes kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Number of the file in `files/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<u64>,
    /// Why the bytes are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Where a symbolic link leads, see [`escape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Major and minor number of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdev: Option<(u32, u32)>,
    /// Extended attributes: name, see [`escape`], and value in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub xattrs: Vec<(String, String)>,
    /// Inode number and birth: names of one file are restored as links of each other.
    pub key: (u64, u64),
    /// The clock was set back while the reintegration was interrupted: it may be half copied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
}

impl Entry {
    /// Of what was found at a path; bytes are not kept yet. `None`: of a type that cannot be kept.
    pub(super) fn of(
        dir: usize,
        path: &TreePath,
        what: What,
        found: &Found,
        xattrs: &Xattrs,
    ) -> Option<Entry> {
        let meta = &found.meta;
        let kind = Kind::of(meta.kind())?;
        Some(Entry {
            dir,
            path: escape(path.bytes()),
            what,
            kind,
            size: meta.size,
            mtime: meta.mtime,
            uid: meta.uid,
            gid: meta.gid,
            mode: meta.mode & 0o7777,
            hash: None,
            stored: None,
            left_out: None,
            target: (kind == Kind::Symlink).then(|| escape(&found.target)),
            rdev: matches!(kind, Kind::CharDevice | Kind::BlockDevice).then_some(meta.rdev),
            xattrs: xattrs.iter().map(|(name, value)| (escape(name), hex::encode(&value.0))).collect(),
            key: (meta.ino, meta.birth),
            doubtful: false,
        })
    }

    /// Which file it was.
    pub fn file(&self) -> FileKey {
        FileKey { ino: self.key.0, birth: self.key.1 }
    }

    /// Its path; `None` if it is none, as only a manifest that somebody changed can have it.
    pub fn tree_path(&self) -> Option<TreePath> {
        TreePath::from_bytes(unescape(&self.path)?).filter(|p| p.split().is_some())
    }

    /// Its extended attributes; `None` if they are damaged.
    pub(super) fn xattrs(&self) -> Option<Xattrs> {
        let pair = |(name, value): &(String, String)| Some((unescape(name)?, hex::decode(value)?.into()));
        self.xattrs.iter().map(pair).collect()
    }
}

/// Bytes as text: what is neither text nor printable, and `%`, is written as `%XX`.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '%' {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|b| out.push_str(&format!("%{b:02X}")));
            } else {
                out.push(c);
            }
        }
        chunk.invalid().iter().for_each(|b| out.push_str(&format!("%{b:02X}")));
    }
    out
}

/// The bytes of an escaped text.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_is_readable_and_comes_back(bytes: Vec<u8>) {
            let text = escape(&bytes);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(unescape(&text), Some(bytes.clone()));
            prop_assert_eq!(hex::decode(&hex::encode(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_is_too_strange(text: String) {
            let _ = (unescape(&text), hex::decode(&text));
        }
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(escape("base/5/2600 caf\u{e9}".as_bytes()), "base/5/2600 caf\u{e9}");
        assert_eq!(escape(b"100%\n\xff"), "100%25%0A%FF");
    }
}
