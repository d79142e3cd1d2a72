//! Frames of the replication stream (`docs/wire.md`): what a primary and a secondary say to each other
//! over one [link](super::link). Pure: bytes in, values out. A decoded write shares the bytes it was
//! read into; an encoded one gives its bytes back, so that they can be sent without a copy.

mod get;
mod put;

#[cfg(test)]
pub(crate) mod tests;

use super::op::Op;
use crate::fsm::sync::Offer;
use bytes::{Buf, Bytes, BytesMut};

pub use get::decode;
pub use put::{encode, encode_op};

/// Version of the protocol; both sides must have the same.
pub const VERSION: u16 = 1;

/// Most bytes of data that a [`Op::Write`] carries.
pub const DATA_MOST: usize = 1 << 20;

/// Most bytes of a frame after its length: the data of a write, and room for any header.
pub const FRAME_MOST: usize = DATA_MOST + (64 << 10);

/// Bytes of the length before each frame.
pub const LENGTH: usize = 4;

/// Why bytes are not a frame, or a value cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than [`FRAME_MOST`], or too short for its kind.
    #[error(
        "a replication frame of {0} bytes: the connection does not carry SafeKit replication, or is damaged"
    )]
    Length(usize),
    /// The frame ends inside a field.
    #[error("a replication frame of kind {kind:#04x} ends inside a field")]
    Short {
        /// Kind of the frame.
        kind: u8,
    },
    /// Bytes are left after the last field.
    #[error("a replication frame of kind {kind:#04x} has {left} bytes too many")]
    Long {
        /// Kind of the frame.
        kind: u8,
        /// Bytes left.
        left: usize,
    },
    /// A kind that this version does not know.
    #[error("a replication frame of unknown kind {0:#04x}")]
    Kind(u8),
    /// A field holds what it cannot.
    #[error("a replication frame of kind {kind:#04x} has a wrong {field}")]
    Field {
        /// Kind of the frame.
        kind: u8,
        /// Which field.
        field: &'static str,
    },
    /// The other side speaks another version: the nodes must have the same release.
    #[error(
        "the peer speaks version {theirs} of the replication protocol, this node version {VERSION}: install the same release on both nodes"
    )]
    Version {
        /// Version of the peer.
        theirs: u16,
    },
    /// A field is too long to be sent.
    #[error("the {0} is too long for a replication frame")]
    TooLong(&'static str),
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The ordered stream of modifications.
    Stream,
    /// Reintegration; its frames are its own.
    Resync,
    /// Comparison of a secondary in step (RFS-61), in the frames of reintegration.
    Verify,
}

/// First frame, from the side that connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Name of the module, at most 255 bytes.
    pub module: String,
    /// Which replicated directory, in the order of the configuration.
    pub directory: u16,
    /// What the connection is for.
    pub purpose: Purpose,
    /// Session number of the secondary (DESIGN S2).
    pub session: u64,
    /// Generation of the data that the sender holds.
    pub generation: u64,
    /// Index of the sender in cluster.xml.
    pub node: u32,
    /// Digest of the module's configuration.
    pub config: [u8; 32],
}

/// Answer to a [`Hello`]: the connection is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The session of the hello.
    pub session: u64,
    /// Generation of the data that the sender holds.
    pub generation: u64,
    /// Index of the sender in cluster.xml.
    pub node: u32,
    /// What it offers to copy (RFS-57).
    pub offer: Offer,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Opens a connection.
    Hello(Hello),
    /// Accepts it.
    Welcome(Welcome),
    /// Refuses it.
    Refuse {
        /// It will be refused again until somebody changes something.
        lasting: bool,
        /// Text for the operator, at most 1024 bytes.
        text: String,
    },
    /// A modification; the first of a stream has sequence 1, each other one more than the one before.
    Op {
        /// Its sequence.
        seq: u64,
        /// What was done.
        op: Op,
    },
    /// Everything up to this sequence is taken over.
    Ack {
        /// The sequence.
        seq: u64,
    },
    /// The secondary could not apply a modification and has ended the stream.
    Failed {
        /// Its sequence.
        seq: u64,
        /// Error number, 0 if there is none.
        errno: i32,
        /// Text for the operator, at most 1024 bytes.
        text: String,
    },
    /// Asks for a [`Frame::Pong`] with the same number.
    Ping(u64),
    /// Answers a [`Frame::Ping`].
    Pong(u64),
    /// The secondary is about to take over: acknowledge nothing more to applications (DESIGN S8).
    Freeze,
    /// Nothing is acknowledged any more.
    Frozen,
    /// The secondary has ended its session and will not take over with this data (DESIGN S3).
    Stale,
}

/// Splits the next frame off `buffer`; `None` if more bytes are needed.
///
/// # Errors
/// The bytes are not a frame. The stream cannot go on then.
pub fn next(buffer: &mut BytesMut) -> Result<Option<Frame>, WireError> {
    let Some(length) = announced(buffer)? else { return Ok(None) };
    if buffer.len() < LENGTH + length {
        return Ok(None);
    }
    buffer.advance(LENGTH);
    decode(buffer.split_to(length).freeze()).map(Some)
}

/// Bytes that `buffer` lacks until it holds a frame; 0 if it holds one, `None` if that is not known yet.
///
/// # Errors
/// The length of the frame is out of bounds.
pub fn missing(buffer: &[u8]) -> Result<Option<usize>, WireError> {
    Ok(announced(buffer)?.map(|length| (LENGTH + length).saturating_sub(buffer.len())))
}

/// Length of the frame at the start of `buffer`, as its first bytes say.
fn announced(buffer: &[u8]) -> Result<Option<usize>, WireError> {
    let Some(length) = buffer.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if (2..=FRAME_MOST).contains(&length) { Ok(Some(length)) } else { Err(WireError::Length(length)) }
}

/// The frame as bytes, its length before it.
///
/// # Errors
/// A field is too long.
pub fn bytes(frame: &Frame) -> Result<Bytes, WireError> {
    let mut out = Vec::new();
    let data = encode(frame, &mut out)?;
    out.extend_from_slice(&data);
    Ok(out.into())
}

/// Memory that an operation takes in a queue, about, in bytes.
pub fn weight(op: &Op) -> usize {
    /// Of any operation, beside its data.
    const FIXED: usize = 64;
    FIXED
        + match op {
            Op::Write { data, .. } => data.len(),
            Op::SetXattr { value, .. } => value.len(),
            Op::Forget(ids) => ids.len() * 8,
            _ => 0,
        }
}

/// Numbers of the kinds, and bits of the flags.
mod kind {
    pub const HELLO: u8 = 0x01;
    pub const WELCOME: u8 = 0x02;
    pub const REFUSE: u8 = 0x03;
    pub const ACK: u8 = 0x04;
    pub const FAILED: u8 = 0x05;
    pub const PING: u8 = 0x06;
    pub const PONG: u8 = 0x07;
    pub const FREEZE: u8 = 0x08;
    pub const FROZEN: u8 = 0x09;
    pub const STALE: u8 = 0x0a;

    pub const BIND: u8 = 0x20;
    pub const CREATE: u8 = 0x21;
    pub const SYMLINK: u8 = 0x22;
    pub const TMPFILE: u8 = 0x23;
    pub const LINK: u8 = 0x24;
    pub const UNLINK: u8 = 0x25;
    pub const RENAME: u8 = 0x26;
    pub const WRITE: u8 = 0x27;
    pub const TRUNCATE: u8 = 0x28;
    pub const ALLOCATE: u8 = 0x29;
    pub const SET_ATTRS: u8 = 0x2a;
    pub const SET_XATTR: u8 = 0x2b;
    pub const REMOVE_XATTR: u8 = 0x2c;
    pub const FSYNC: u8 = 0x2d;
    pub const FORGET: u8 = 0x2e;

    /// Of a write: the handle is synchronous.
    pub const SYNC: u8 = 0x01;
    /// Of an unlink: it is a directory.
    pub const DIR: u8 = 0x01;
    /// Of a hello: the connection is for reintegration.
    pub const RESYNC: u8 = 0x01;
    /// Of a refusal: it will be refused again.
    pub const LASTING: u8 = 0x01;
    /// Of a hello: the connection is for a comparison.
    pub const VERIFY: u8 = 0x02;
    /// Of new attributes: which are there.
    pub const MODE: u8 = 0x01;
    pub const UID: u8 = 0x02;
    pub const GID: u8 = 0x04;
    pub const ATIME: u8 = 0x08;
    pub const MTIME: u8 = 0x10;
}

/// First bytes of a hello and of a welcome.
const MAGIC: [u8; 4] = *b"SKRF";

/// Longest text, bytes.
const TEXT_MOST: usize = 1024;
