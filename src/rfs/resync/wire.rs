//! What the two sides of a reintegration say to each other. Each request has one answer.

use super::beneath::TreePath;
use super::meta::{Entry, Meta, Xattrs};
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::io;

/// Longest message, bytes.
pub const MESSAGE_MOST: usize = 9 << 20;
/// Most bytes of a file in one answer.
pub const PACKET_MOST: u32 = 4 << 20;

/// Carries messages of at most [`MESSAGE_MOST`] bytes, in order; every wait of it is bounded.
pub trait Channel {
    /// Sends a message.
    ///
    /// # Errors
    /// The connection is lost.
    fn send(&mut self, msg: &[u8]) -> io::Result<()>;
    /// Waits for a message.
    ///
    /// # Errors
    /// The connection is lost or silent for too long.
    fn receive(&mut self) -> io::Result<Vec<u8>>;
}

/// Bytes, encoded as such and not one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob(bytes)
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Blob, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Blob;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Blob, E> {
                Ok(Blob(v.to_vec()))
            }
        }
        from.deserialize_bytes(Bytes)
    }
}

/// Which file is meant: where it is and which one it was when it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// Path.
    pub path: TreePath,
    /// Inode number and birth on the primary.
    pub key: (u64, u64),
}

/// From the secondary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// First on each connection: version, and whether ACLs are replicated.
    Hello {
        /// [`VERSION`].
        version: u32,
        /// ACLs are replicated.
        acl: bool,
    },
    /// A round begins: what changed since the last one. Answered by `Changed`. `hold`: modifications
    /// wait from now on.
    Round {
        /// Everything is examined, whatever changed.
        first: bool,
        /// For the last round.
        hold: bool,
        /// Files that changed before and could not be examined: they are examined again.
        again: Vec<u64>,
    },
    /// The rest of the changes, or of a directory.
    More,
    /// The entries of a directory. Answered by `Entries`.
    List {
        /// The directory.
        path: TreePath,
    },
    /// One entry. Answered by `Entries` with one or none.
    Stat {
        /// The entry.
        path: TreePath,
        /// The changed file that is meant; `Gone` if this is not its path any more.
        id: Option<u64>,
    },
    /// The extended attributes of an entry.
    Xattrs {
        /// The entry.
        path: TreePath,
    },
    /// Hashes of a file block by block.
    Hashes {
        /// The file.
        file: Which,
        /// Where to begin, a multiple of `block`.
        offset: u64,
        /// Bytes of a block.
        block: u32,
    },
    /// Bytes of a file.
    Read {
        /// The file.
        file: Which,
        /// Where to begin.
        offset: u64,
        /// Where to end.
        end: u64,
        /// Most bytes in the answer.
        most: u32,
    },
    /// Modifications go on (the hold is not needed any more).
    Resume,
    /// Everything is on the secondary's disk.
    Finish,
}

/// Version of this protocol.
pub const VERSION: u32 = 1;

/// Piece of a file, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// This many bytes are zero and take no space.
    Hole(u64),
    /// BLAKE3 of this many bytes.
    Hash(u64, [u8; 32]),
    /// Bytes.
    Bytes(Blob),
}

/// From the primary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// Done.
    Done,
    /// Paths that changed; `more`: ask again.
    Changed {
        /// Directories.
        dirs: Vec<TreePath>,
        /// Other entries.
        files: Vec<(u64, TreePath)>,
        /// The first round, or too much changed to know what.
        overflow: bool,
        /// There are more.
        more: bool,
    },
    /// Entries of a directory.
    Entries {
        /// The directory itself.
        dir: Meta,
        /// Digest of its extended attributes.
        xattrs: u128,
        /// Its entries, ascending.
        entries: Vec<Entry>,
        /// There are more.
        more: bool,
    },
    /// Extended attributes.
    Xattrs(Xattrs),
    /// A part of a file; it ends at `next`, or at the end of the file if that is `None`.
    Pieces {
        /// What is there.
        pieces: Vec<Piece>,
        /// Where the next part begins.
        next: Option<u64>,
    },
    /// There is no such file or directory any more; a later round tells what is there.
    Gone,
    /// It cannot be done: why.
    Refused(String),
}

/// A message as bytes.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_allocvec(message).map_err(io::Error::other)?;
    if bytes.len() > MESSAGE_MOST {
        return Err(io::Error::other(format!("a message of {} bytes is too long", bytes.len())));
    }
    Ok(bytes)
}

/// A message from outside; what follows it is an error.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let bad = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if bytes.len() > MESSAGE_MOST {
        return Err(bad(format!("a message of {} bytes is too long", bytes.len())));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        Ok(_) => Err(bad("a message has a tail".to_owned())),
        Err(e) => Err(bad(format!("a message is damaged: {e}"))),
    }
}
