//! The seal of the tunnel: a Noise handshake with the secret of `rcmdadmin`, then sealed records.
//!
//! Pure: no IO. Whatever is wrong with what came from outside is one error, [`ChannelError::Refused`],
//! so that nobody learns why. The wire is described in docs/wire.md.

use super::secret::Secret;
use crate::control::PROTOCOL;
use crate::told::Tell;
use serde::{Deserialize, Serialize};
use snow::{Builder, HandshakeState, StatelessTransportState};
use std::sync::Arc;

/// Both sides draw new keys for each channel, and both must know the secret.
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";
/// First bytes of a handshake: what it is, and the version of the tunnel.
const HEAD: [u8; 5] = *b"SKRC\x01";
/// A public key that is drawn for one handshake.
pub type Ephemeral = [u8; 32];
/// Longest handshake message, bytes.
pub const MOST_HANDSHAKE: usize = 1024;
/// Longest record: what Noise allows, bytes.
const MOST_RECORD: usize = 65535;
/// Bytes of the tag that ends a record.
const TAG: usize = 16;
/// Longest text of a record, bytes.
const MOST_TEXT: usize = MOST_RECORD - TAG;
/// Bytes before a record: its length, little endian.
const LENGTH: usize = 2;

/// Why a channel cannot be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The other side has another tunnel.
    #[error("the other node has version {theirs} of the tunnel, this one {}: install the same release on all nodes", HEAD[4])]
    Version {
        /// Its version.
        theirs: u8,
    },
    /// Another secret, or bytes that were damaged, doubled, left out, mixed up or made up.
    #[error("the seal is broken, or the secret of rcmdadmin is another one")]
    Refused,
}

impl Tell for ChannelError {
    fn french(&self) -> String {
        match self {
            ChannelError::Version { theirs } => format!(
                "l'autre nœud a la version {theirs} du tunnel, celui-ci {} : installez la même version sur tous les \
                 nœuds",
                HEAD[4]
            ),
            ChannelError::Refused => {
                "le sceau est rompu, ou le secret de rcmdadmin n'est pas le même".to_owned()
            }
        }
    }
}

impl From<snow::Error> for ChannelError {
    fn from(_: snow::Error) -> Self {
        ChannelError::Refused
    }
}

/// What each side tells in the handshake, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    /// Version of the local protocol.
    pub protocol: u32,
    /// Release, for the error text.
    pub release: String,
    /// Number of the channel, of the server only; hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl Greeting {
    /// The one of this program.
    pub fn ours(channel: Option<String>) -> Self {
        Greeting { protocol: PROTOCOL, release: env!("CARGO_PKG_VERSION").to_owned(), channel }
    }
}

/// An open channel: its two directions.
#[derive(Debug)]
pub struct Channel {
    /// What goes out.
    pub sealer: Sealer,
    /// What comes in.
    pub opener: Opener,
}

/// The client between the two messages of the handshake.
pub struct Offer(HandshakeState);

impl Offer {
    /// First message, for the server.
    pub fn new(secret: &Secret) -> Result<(Offer, Vec<u8>), ChannelError> {
        let mut state = builder(secret)?.build_initiator()?;
        let mut message = HEAD.to_vec();
        message.extend(write(&mut state, &Greeting::ours(None))?);
        Ok((Offer(state), message))
    }

    /// The channel, and what the server tells.
    pub fn accept(mut self, message: &[u8]) -> Result<(Channel, Greeting), ChannelError> {
        let greeting = read(&mut self.0, message)?;
        Ok((Channel::new(self.0)?, greeting))
    }
}

/// The public key that the client has drawn for a handshake, in its first message: no other handshake has it.
pub fn ephemeral(message: &[u8]) -> Option<&Ephemeral> {
    message.get(HEAD.len()..)?.first_chunk()
}

/// The server's answer to a first message: the channel, what the client tells, and the second message.
pub fn respond(
    secret: &Secret,
    message: &[u8],
    greeting: &Greeting,
) -> Result<(Channel, Greeting, Vec<u8>), ChannelError> {
    let message = match message.split_at_checked(HEAD.len()) {
        Some((head, message)) if head == HEAD => message,
        Some((head, _)) if head[..4] == HEAD[..4] => return Err(ChannelError::Version { theirs: head[4] }),
        _ => return Err(ChannelError::Refused),
    };
    let mut state = builder(secret)?.build_responder()?;
    let theirs = read(&mut state, message)?;
    let answer = write(&mut state, greeting)?;
    Ok((Channel::new(state)?, theirs, answer))
}

fn builder(secret: &Secret) -> Result<Builder<'_>, ChannelError> {
    Ok(Builder::new(PATTERN.parse()?).prologue(&HEAD)?.psk(0, secret.as_bytes())?)
}

fn write(state: &mut HandshakeState, greeting: &Greeting) -> Result<Vec<u8>, ChannelError> {
    let text = serde_json::to_vec(greeting).map_err(|_| ChannelError::Refused)?;
    let mut message = vec![0; MOST_HANDSHAKE];
    let length = state.write_message(&text, &mut message)?;
    message.truncate(length);
    Ok(message)
}

fn read(state: &mut HandshakeState, message: &[u8]) -> Result<Greeting, ChannelError> {
    let mut text = vec![0; MOST_RECORD];
    let length = state.read_message(message, &mut text)?;
    serde_json::from_slice(&text[..length]).map_err(|_| ChannelError::Refused)
}

impl Channel {
    fn new(state: HandshakeState) -> Result<Self, ChannelError> {
        let state = Arc::new(state.into_stateless_transport_mode()?);
        Ok(Channel {
            sealer: Sealer { state: state.clone(), next: 0 },
            opener: Opener { state, next: 0, waiting: Vec::new() },
        })
    }
}

/// Seals what goes out.
#[derive(Debug)]
pub struct Sealer {
    state: Arc<StatelessTransportState>,
    /// Number of the next record.
    next: u64,
}

impl Sealer {
    /// The records of a text; none of an empty one.
    pub fn seal(&mut self, text: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let mut records = Vec::with_capacity(text.len() + (text.len() / MOST_TEXT + 1) * (LENGTH + TAG));
        for part in text.chunks(MOST_TEXT) {
            let length = part.len() + TAG;
            records.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
            let start = records.len();
            records.resize(start + length, 0);
            self.state.write_message(self.next, part, &mut records[start..])?;
            self.next += 1;
        }
        Ok(records)
    }
}

/// Opens what comes in. After an error nothing more can be opened.
#[derive(Debug)]
pub struct Opener {
    state: Arc<StatelessTransportState>,
    /// Number of the next record.
    next: u64,
    /// Beginning of a record that has not come whole, shorter than one.
    waiting: Vec<u8>,
}

impl Opener {
    /// Takes some bytes and appends the text of all records that are complete now.
    pub fn open(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.waiting.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = record(&self.waiting[at..])? {
            let sealed = &self.waiting[at + LENGTH..at + LENGTH + length];
            let start = text.len();
            text.resize(start + length - TAG, 0);
            if self.state.read_message(self.next, sealed, &mut text[start..]).is_err() {
                text.truncate(start);
                return Err(ChannelError::Refused);
            }
            self.next += 1;
            at += LENGTH + length;
        }
        self.waiting.drain(..at);
        Ok(())
    }

    /// Whether what has come so far ends with a whole record.
    pub fn is_whole(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Length of the record at the beginning of these bytes, if it is there as a whole.
fn record(bytes: &[u8]) -> Result<Option<usize>, ChannelError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else { return Ok(None) };
    let length = usize::from(u16::from_le_bytes(*length));
    // A record without text would cost work and say nothing.
    if length <= TAG {
        return Err(ChannelError::Refused);
    }
    Ok((rest.len() >= length).then_some(length))
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
