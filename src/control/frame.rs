//! Frames of the local socket: `length: u32 LE`, `kind: u8`, then `length` bytes.
//!
//! A request is Hello, Request, and where it has one the attachment: chunks, then their end.
//! An answer is Hello, then replies, chunks and signs of life, and `Reply::End` at last.

use super::Behalf;
use crate::told::Tell;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest payload of a frame, bytes.
pub const MAX_FRAME: usize = 1 << 20;
/// Longest attachment, bytes.
pub const MAX_ATTACHMENT: usize = 64 << 20;
/// Payload of a chunk, bytes: small enough that a queue of them stays small.
pub const CHUNK: usize = 64 << 10;
/// Bytes before the payload.
pub const HEADER: usize = 5;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON: [`Hello`], a request or a reply, by its place.
    Json = 0,
    /// A part of the attachment.
    Chunk = 1,
    /// The attachment is complete.
    LastChunk = 2,
    /// Nothing: the daemon is alive and still at work.
    Alive = 3,
}

/// A frame as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it holds.
    pub kind: Kind,
    /// The bytes.
    pub payload: Vec<u8>,
}

/// First frame of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`super::PROTOCOL`] of the sender.
    pub protocol: u32,
    /// Its release, for the error text.
    pub release: String,
    /// Whom the client speaks for; nobody but itself without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behalf: Option<Behalf>,
}

/// Why what came cannot be read, or what is to be sent cannot.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// Longer than a frame may be.
    #[error("a frame of {0} bytes is longer than {MAX_FRAME}")]
    TooLong(usize),
    /// Of no known kind.
    #[error("a frame has the unknown kind {0}")]
    Kind(u8),
    /// A known kind in a place where it cannot be.
    #[error("a frame of kind {0:?} came where none is expected")]
    Place(Kind),
    /// Not the JSON of the protocol.
    #[error("a frame cannot be decoded: {0}")]
    Json(#[from] serde_json::Error),
    /// Attachment beyond the limit.
    #[error("the attachment is longer than {} MiB", MAX_ATTACHMENT >> 20)]
    Attachment,
}

impl Tell for FrameError {
    fn french(&self) -> String {
        match self {
            FrameError::Io(e) => format!("la connexion a échoué : {e}"),
            FrameError::TooLong(length) => {
                format!("une trame de {length} octets est plus longue que {MAX_FRAME}")
            }
            FrameError::Kind(kind) => format!("une trame est d'un type inconnu, {kind}"),
            FrameError::Place(kind) => {
                format!("une trame de type {kind:?} est arrivée là où aucune n'est attendue")
            }
            FrameError::Json(e) => format!("une trame ne peut pas être décodée : {e}"),
            FrameError::Attachment => {
                format!("la pièce jointe est plus longue que {} Mio", MAX_ATTACHMENT >> 20)
            }
        }
    }
}

impl Hello {
    /// The one of this program.
    pub fn ours() -> Self {
        Hello { protocol: super::PROTOCOL, release: env!("CARGO_PKG_VERSION").to_owned(), behalf: None }
    }

    /// The one of this program when it speaks for a remote user.
    pub fn on_behalf(behalf: Option<Behalf>) -> Self {
        Hello { behalf, ..Hello::ours() }
    }
}

impl Frame {
    /// Decodes the payload of a JSON frame.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, FrameError> {
        match self.kind {
            Kind::Json => Ok(serde_json::from_slice(&self.payload)?),
            other => Err(FrameError::Place(other)),
        }
    }
}

/// Kind and payload length of a header; refuses what is too long before memory is taken for it.
pub fn header(bytes: [u8; HEADER]) -> Result<(Kind, usize), FrameError> {
    let [a, b, c, d, kind] = bytes;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let kind = match kind {
        0 => Kind::Json,
        1 => Kind::Chunk,
        2 => Kind::LastChunk,
        3 => Kind::Alive,
        other => return Err(FrameError::Kind(other)),
    };
    if length > MAX_FRAME { Err(FrameError::TooLong(length)) } else { Ok((kind, length)) }
}

/// Bytes of a frame, header included.
pub fn encode(kind: Kind, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    if payload.len() > MAX_FRAME {
        return Err(FrameError::TooLong(payload.len()));
    }
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.push(kind as u8);
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// Bytes of a JSON frame.
pub fn encode_json<T: Serialize>(value: &T) -> Result<Vec<u8>, FrameError> {
    encode(Kind::Json, &serde_json::to_vec(value)?)
}

/// Frames of an attachment, the end included.
pub fn encode_attachment(bytes: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> {
    bytes
        .chunks(CHUNK)
        .map(|chunk| encode(Kind::Chunk, chunk))
        .chain(std::iter::once_with(|| encode(Kind::LastChunk, &[])))
}

/// Appends a chunk to an attachment within its limit.
pub fn append(attachment: &mut Vec<u8>, chunk: &[u8]) -> Result<(), FrameError> {
    if attachment.len() + chunk.len() > MAX_ATTACHMENT {
        return Err(FrameError::Attachment);
    }
    attachment.extend_from_slice(chunk);
    Ok(())
}

/// Reads one frame; blocks.
pub fn read(from: &mut impl Read) -> Result<Frame, FrameError> {
    let mut head = [0; HEADER];
    from.read_exact(&mut head)?;
    let (kind, length) = header(head)?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Frame { kind, payload })
}

/// Reads one frame. To lose interest in between loses its beginning.
pub async fn read_from(from: &mut (impl AsyncRead + Unpin)) -> Result<Frame, FrameError> {
    let mut head = [0; HEADER];
    from.read_exact(&mut head).await?;
    let (kind, length) = header(head)?;
    let mut payload = vec![0; length];
    from.read_exact(&mut payload).await?;
    Ok(Frame { kind, payload })
}

/// Writes the bytes of frames; blocks.
pub fn write(to: &mut impl Write, bytes: &[u8]) -> Result<(), FrameError> {
    Ok(to.write_all(bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Reply, Request};
    use proptest::prelude::*;

    #[test]
    fn header_layout() {
        assert_eq!(encode(Kind::Chunk, b"ab").unwrap(), [2, 0, 0, 0, 1, b'a', b'b']);
    }

    #[test]
    fn refuses_long_frames_and_unknown_kinds() {
        assert!(matches!(header([1, 0, 16, 0, 0]), Err(FrameError::TooLong(n)) if n == MAX_FRAME + 1));
        assert!(header([0, 0, 16, 0, 0]).is_ok());
        assert!(matches!(header([0, 0, 0, 0, 9]), Err(FrameError::Kind(9))));
        assert!(matches!(encode(Kind::Json, &vec![0; MAX_FRAME + 1]), Err(FrameError::TooLong(_))));
    }

    #[test]
    fn attachment_has_a_limit() {
        let mut all = vec![0; MAX_ATTACHMENT - 1];
        append(&mut all, b"x").unwrap();
        assert!(matches!(append(&mut all, b"x"), Err(FrameError::Attachment)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut rest = bytes.as_slice();
            while let Ok(frame) = read(&mut rest) {
                let _ = frame.json::<Hello>();
                let _ = frame.json::<Request>();
                let _ = frame.json::<Reply>();
            }
        }

        #[test]
        fn attachments_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..3 * CHUNK)) {
            let mut wire = Vec::new();
            for frame in encode_attachment(&bytes) {
                wire.extend(frame.unwrap());
            }
            let (mut rest, mut all) = (wire.as_slice(), Vec::new());
            loop {
                let frame = read(&mut rest).unwrap();
                if frame.kind == Kind::LastChunk { break; }
                append(&mut all, &frame.payload).unwrap();
            }
            prop_assert_eq!(all, bytes);
        }
    }
}
