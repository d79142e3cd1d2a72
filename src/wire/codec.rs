//! The frame around every datagram, and the encoding of what is inside it.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// First two bytes of every datagram.
const MAGIC: [u8; 2] = *b"SK";
/// Version of the frame and of everything inside it.
pub const VERSION: u8 = 1;
/// Longest datagram, in bytes, sent or read.
pub const MAX_DATAGRAM: usize = 8 * 1024;
/// Length of [`Header`] on the wire, in bytes.
pub const HEADER: usize = 2 + 1 + 1 + 1 + 16 + 8;
/// Length of the tag behind the payload, in bytes.
pub const TAG: usize = 16;
/// Longest payload of a datagram, in bytes.
pub const MAX_PAYLOAD: usize = MAX_DATAGRAM - HEADER - TAG;

/// What is wrong with a datagram or with a value that should travel in one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than a header and a tag.
    #[error("datagram of {0} bytes is too short: at least {min} are needed", min = HEADER + TAG)]
    TooShort(usize),
    /// Longer than [`MAX_DATAGRAM`], or a payload longer than [`MAX_PAYLOAD`].
    #[error("{0} bytes are too long for a datagram: {MAX_DATAGRAM} at most, {MAX_PAYLOAD} of them payload")]
    TooLong(usize),
    /// Does not begin with the magic.
    #[error("not a datagram of SafeKit: another program uses this port")]
    NotOurs,
    /// Another version of SafeKit.
    #[error(
        "the other node speaks version {0} of the protocol, this node version {VERSION}: install the same SafeKit on both"
    )]
    OtherVersion(u8),
    /// Not a kind of this version.
    #[error("unknown kind of datagram {0}")]
    UnknownKind(u8),
    /// The payload is not the expected value.
    #[error("the content of the datagram cannot be read: {0}")]
    Content(String),
    /// A value that cannot be encoded.
    #[error("a value cannot be encoded: {0}")]
    Encode(String),
}

/// What a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Heartbeat of a module.
    Heartbeat,
    /// Membership of the cluster.
    Cluster,
    /// Membership and balancing of a farm.
    Farm,
    /// Challenge and response between [`super::Channel`]s; callers never see it.
    Handshake,
}

impl Kind {
    fn from_byte(byte: u8) -> Result<Kind, WireError> {
        match byte {
            1 => Ok(Kind::Heartbeat),
            2 => Ok(Kind::Cluster),
            3 => Ok(Kind::Handshake),
            4 => Ok(Kind::Farm),
            other => Err(WireError::UnknownKind(other)),
        }
    }

    fn to_byte(self) -> u8 {
        match self {
            Kind::Heartbeat => 1,
            Kind::Cluster => 2,
            Kind::Handshake => 3,
            Kind::Farm => 4,
        }
    }
}

/// The random number that names one life of a sender: from its start to its end.
pub type Life = [u8; 16];

/// The part of a datagram that is readable, and sealed together with the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is for.
    pub kind: Kind,
    /// Index of the sender in cluster.xml.
    pub node: u8,
    /// Life of the sender.
    pub life: Life,
    /// Grows with every datagram of a life, whatever its kind or link.
    pub sequence: u64,
}

impl Header {
    /// The header as it travels.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = self.kind.to_byte();
        bytes[4] = self.node;
        bytes[5..21].copy_from_slice(&self.life);
        bytes[21..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// Splits a datagram in its header and what is sealed behind it (payload and tag).
    pub fn split(datagram: &[u8]) -> Result<(Header, &[u8]), WireError> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(WireError::TooLong(datagram.len()));
        }
        // The magic and the version come first: a later version may have another header.
        let [m0, m1, version, ..] = datagram else { return Err(WireError::TooShort(datagram.len())) };
        if [*m0, *m1] != MAGIC {
            return Err(WireError::NotOurs);
        }
        if *version != VERSION {
            return Err(WireError::OtherVersion(*version));
        }
        let Some((head, sealed)) = datagram.split_first_chunk::<HEADER>().filter(|(_, s)| s.len() >= TAG)
        else {
            return Err(WireError::TooShort(datagram.len()));
        };
        let mut life = [0; 16];
        life.copy_from_slice(&head[5..21]);
        let mut sequence = [0; 8];
        sequence.copy_from_slice(&head[21..]);
        let kind = Kind::from_byte(head[3])?;
        Ok((Header { kind, node: head[4], life, sequence: u64::from_le_bytes(sequence) }, sealed))
    }
}

/// A value as the payload of a datagram (postcard, at most [`MAX_PAYLOAD`] bytes).
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, WireError> {
    let bytes = postcard::to_allocvec(value).map_err(|e| WireError::Encode(e.to_string()))?;
    if bytes.len() > MAX_PAYLOAD { Err(WireError::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// The value in a payload. Bytes left over are an error: the sender meant another type.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, WireError> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(WireError::Content(format!("{} bytes are left over", rest.len()))),
        Err(e) => Err(WireError::Content(e.to_string())),
    }
}
