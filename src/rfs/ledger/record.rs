//! What is written down of a mounted directory.

use serde::{Deserialize, Serialize};

/// Longest record, bytes: two names, a handle and numbers.
const LONGEST: usize = 1024;

/// A node that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord<'a> {
    /// Its number.
    pub id: u64,
    /// File system that it is on.
    pub dev: u64,
    /// Its inode number.
    pub ino: u64,
    /// Its birth, see `FileKey`.
    pub birth: u64,
    /// Its type, `S_IFMT` bits.
    pub kind: u32,
    /// It is part of what is replicated.
    pub replicated: bool,
    /// Lookups that the kernel has not forgotten.
    pub lookups: u64,
    /// Directory in which it was made without a name.
    pub unnamed: Option<u64>,
    /// Type of its file handle; nodes without one have an empty handle.
    pub handle_kind: i32,
    /// Its file handle.
    #[serde(borrow)]
    pub handle: &'a [u8],
}

/// A file by which it is known again: file system, inode number, birth.
pub type Key = (u64, u64, u64);

/// A modification that must not be made twice, and how its having been made is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intent<'a> {
    /// A name that was not there: made by mkdir, mknod, symlink or link if it is there.
    Made {
        /// Directory.
        parent: u64,
        /// Name.
        #[serde(borrow)]
        name: &'a [u8],
    },
    /// The same, to be opened with these flags.
    Created {
        /// Directory.
        parent: u64,
        /// Flags of `open`.
        flags: u32,
        /// Name.
        #[serde(borrow)]
        name: &'a [u8],
    },
    /// A name that was this file's: gone if it is not that any more.
    Unlinked {
        /// Directory.
        parent: u64,
        /// Name.
        #[serde(borrow)]
        name: &'a [u8],
        /// The file.
        key: Key,
    },
    /// Done if the file has the new name.
    Renamed {
        /// Directory and name before.
        #[serde(borrow)]
        from: (u64, &'a [u8]),
        /// Directory and name after.
        #[serde(borrow)]
        to: (u64, &'a [u8]),
        /// The file.
        key: Key,
        /// What had the new name.
        over: Option<Key>,
        /// Both have each other's name then.
        exchange: bool,
    },
    /// An attribute that was not there (`present`: that was there): done if it is the other way.
    Xattr {
        /// Node.
        node: u64,
        /// Name of the attribute.
        #[serde(borrow)]
        name: &'a [u8],
        /// It was there.
        present: bool,
    },
}

/// An intent that outlives the records that it was read from.
#[derive(Clone, Debug)]
pub struct KeptIntent(Box<[u8]>);

impl Intent<'_> {
    /// A copy; `None` for what no record could hold.
    pub fn keep(&self) -> Option<KeptIntent> {
        let mut buffer = [0; LONGEST];
        postcard::to_slice(self, &mut buffer).ok().map(|bytes| KeptIntent((&*bytes).into()))
    }
}

impl KeptIntent {
    /// The intent.
    pub fn intent(&self) -> Option<Intent<'_>> {
        postcard::from_bytes(&self.0).ok()
    }
}

/// What the caller of a modification is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done.
    Empty,
    /// An entry of this node.
    Entry(u64),
    /// The same, open under this handle.
    Created(u64, u64),
}

/// How the directory takes modifications, for who goes on with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Not at all.
    #[default]
    Closed,
    /// Without a secondary, in this generation; true: the next one is copied in full.
    Alone(u64, bool),
    /// With a secondary: what it has not acknowledged is not to be answered before the automaton's
    /// word (S3).
    Paired(u64, bool),
}

/// One record. Numbers of nodes, handles and requests are those that the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after what happens in the table of nodes and of open files")]
pub enum Record<'a> {
    /// What was agreed on with the kernel.
    Session {
        minor: u32,
        flags: u64,
    },
    Mode(Mode),
    /// Numbers below these were given away.
    Next {
        node: u64,
        handle: u64,
    },
    #[serde(borrow)]
    Node(NodeRecord<'a>),
    LookedUp(u64),
    /// The file is no more, its identity may come again.
    Stale(u64),
    Linked {
        id: u64,
        parent: u64,
        #[serde(borrow)]
        name: &'a [u8],
    },
    Unlinked {
        id: u64,
        parent: u64,
        #[serde(borrow)]
        name: &'a [u8],
    },
    Forgotten {
        id: u64,
        lookups: u64,
    },
    Keep(bool),
    /// Its descriptor is kept: it cannot be found otherwise.
    Pinned(u64),
    File {
        handle: u64,
        node: u64,
        flags: u32,
    },
    FileClosed(u64),
    Dir {
        handle: u64,
        node: u64,
    },
    DirClosed(u64),
    /// The request with this number begins to be carried out; true: as one that is replicated...
    Begun(u64, bool, #[serde(borrow)] Intent<'a>),
    /// ... is carried out...
    Ended(u64, bool, Outcome),
    /// ... and is answered, or failed.
    Answered(u64),
}

impl Record<'_> {
    /// Gives the bytes, after their length, to `put`. False if it does.
    pub(super) fn write(&self, put: &mut dyn FnMut(&[&[u8]]) -> bool) -> bool {
        let mut buffer = [0; LONGEST];
        let Ok(bytes) = postcard::to_slice(self, &mut buffer) else { return false };
        let Ok(length) = u16::try_from(bytes.len()) else { return false };
        put(&[&length.to_le_bytes(), bytes])
    }
}

/// Takes records apart, one after the other; `None` in the place of one that is damaged is the last.
pub(super) fn read(mut bytes: &[u8]) -> impl Iterator<Item = Option<Record<'_>>> {
    let mut sound = true;
    std::iter::from_fn(move || {
        if bytes.is_empty() || !sound {
            return None;
        }
        let record = bytes.split_first_chunk().and_then(|(length, rest)| {
            let (record, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            bytes = rest;
            postcard::from_bytes(record).ok()
        });
        sound = record.is_some();
        Some(record)
    })
}
