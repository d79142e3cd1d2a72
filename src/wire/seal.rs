//! Sealing: what makes a frame authentic, with the key of one life of one sender.

use super::codec::{HEADER, Header, Life, TAG};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

const SEALED: &str = "SafeKit datagram v1: ChaCha20-Poly1305 key of one life of a sender";
const OPEN: &str = "SafeKit datagram v1: public checksum of one life of a sender, no key";

/// The secret (or its absence) and the context that all nodes of a channel share.
pub struct Secret {
    key: Option<[u8; 32]>,
    context: String,
}

/// Seals and opens the frames of one life of one sender.
pub enum Seal {
    /// With a shared key: encrypted and authentic.
    Sealed(Box<ChaCha20Poly1305>),
    /// Without a key: a checksum that anyone can compute. It finds damage and strangers, not attackers.
    Open([u8; 32]),
}

impl Secret {
    pub fn new(key: Option<&[u8; 32]>, context: &str) -> Self {
        Secret { key: key.copied(), context: context.to_owned() }
    }

    /// The seal of one life of a node. An own key for each life: its sequence can serve as the nonce,
    /// and starts again at 1 after a crash without ever using a nonce twice under one key.
    pub fn seal(&self, node: u8, life: &Life) -> Seal {
        let mut hasher = blake3::Hasher::new_derive_key(if self.key.is_some() { SEALED } else { OPEN });
        // Parts of fixed length first, so that no two inputs read the same.
        hasher.update(self.key.as_ref().map_or(&[][..], |key| key));
        hasher.update(&[node]).update(life).update(self.context.as_bytes());
        let derived = *hasher.finalize().as_bytes();
        match self.key {
            Some(_) => Seal::Sealed(Box::new(ChaCha20Poly1305::new(&Key::from(derived)))),
            None => Seal::Open(derived),
        }
    }
}

impl Seal {
    /// The whole datagram.
    pub fn close(&self, header: Header, payload: &[u8]) -> Vec<u8> {
        let head = header.to_bytes();
        let mut datagram = Vec::with_capacity(HEADER + payload.len() + TAG);
        datagram.extend_from_slice(&head);
        match self {
            Seal::Sealed(cipher) => {
                let message = Payload { msg: payload, aad: &head };
                // Fails only for messages of 256 GiB; an empty one would be refused by the receiver.
                let sealed = cipher.encrypt(&nonce(header.sequence), message).unwrap_or_default();
                datagram.extend_from_slice(&sealed);
            }
            Seal::Open(key) => {
                datagram.extend_from_slice(payload);
                datagram.extend_from_slice(&checksum(key, &head, payload));
            }
        }
        datagram
    }

    /// The payload, if header, payload and tag belong together.
    pub fn open(&self, header: Header, sealed: &[u8]) -> Option<Vec<u8>> {
        let head = header.to_bytes();
        match self {
            Seal::Sealed(cipher) => {
                cipher.decrypt(&nonce(header.sequence), Payload { msg: sealed, aad: &head }).ok()
            }
            Seal::Open(key) => {
                let (payload, tag) = sealed.split_last_chunk::<TAG>()?;
                (checksum(key, &head, payload) == *tag).then(|| payload.to_vec())
            }
        }
    }
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_le_bytes());
    Nonce::from(nonce)
}

fn checksum(key: &[u8; 32], head: &[u8; HEADER], payload: &[u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    blake3::Hasher::new_keyed(key).update(head).update(payload).finalize_xof().fill(&mut tag);
    tag
}
