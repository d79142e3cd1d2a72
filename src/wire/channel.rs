//! A channel: sealed datagrams between nodes that share a key and a context, safe against replay.

use super::codec::{Header, Kind, Life, MAX_PAYLOAD, WireError, decode, encode};
use super::seal::{Seal, Secret};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Lives of one peer that are being asked at the same time. More only come from replays.
const ASKED: usize = 4;
/// Retired lives remembered per peer. A forgotten one is still kept out by the handshake.
const RETIRED: usize = 64;

/// An authentic payload of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Index of the sender in cluster.xml.
    pub from: u8,
    /// Names the life of the sender: another number after each of its starts.
    pub incarnation: u64,
    /// Grows with every datagram of the sender, over all links.
    pub sequence: u64,
    /// What was given to [`Channel::seal`].
    pub payload: Vec<u8>,
}

/// What came of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Authentic, and newer than all before.
    Payload(Opened),
    /// Authentic and seen for the first time, but a newer one overtook it (on another link): it proves
    /// that its link works, its content is to be ignored.
    Late(Opened),
    /// Part of a handshake: send these bytes back to where the datagram came from.
    Reply(Vec<u8>),
    /// A peer (re)started and has proved it: its payloads count from now on.
    Met {
        /// Index of the peer.
        from: u8,
        /// Its new life.
        incarnation: u64,
    },
    /// Nothing to do.
    Dropped(Reason),
}

/// Why a datagram was dropped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Not a frame.
    #[error(transparent)]
    Frame(#[from] WireError),
    /// A heartbeat on the cluster's port or the reverse.
    #[error("a datagram for another use came to this port: check the ports of the modules")]
    OtherKind,
    /// It carries the index of this node.
    #[error("a datagram under this node's own number: is the same cluster.xml installed on all nodes?")]
    Own,
    /// Damaged, forged, or of another cluster, module or key.
    #[error("the seal is broken: damaged on the way, or another cluster, module or key")]
    Seal,
    /// Of a life that another one has replaced.
    #[error("a replay of a life of node {0} that has ended")]
    Retired(u8),
    /// Seen before: a copy over another link, or a replay.
    #[error("seen before")]
    Duplicate,
    /// Older than the 64 newest.
    #[error("too old")]
    Stale,
    /// A response that nobody waits for, or a challenge to a life that has ended.
    #[error("an outdated handshake")]
    Handshake,
}

/// Proof that a life is running now: only a running process can answer a number drawn just now.
#[derive(Serialize, Deserialize)]
enum Handshake {
    /// To `life`: if that is you, send me this number.
    Challenge {
        life: Life,
        nonce: [u8; 16],
    },
    Response {
        nonce: [u8; 16],
    },
}

/// Both directions of the datagrams of one module (or of the cluster) on one node, over all its links.
pub struct Channel {
    kind: Kind,
    node: u8,
    life: Life,
    secret: Secret,
    seal: Seal,
    sent: u64,
    peers: BTreeMap<u8, Peer>,
}

#[derive(Default)]
struct Peer {
    current: Option<Current>,
    /// Lives that were asked to prove themselves, with the number they must send back.
    asked: VecDeque<(Life, [u8; 16])>,
    retired: VecDeque<Life>,
}

/// The life of a peer that has proved itself.
struct Current {
    life: Life,
    seal: Seal,
    newest: u64,
    /// Bit n: sequence `newest - n` was seen.
    seen: u64,
}

impl Channel {
    /// A channel of node number `node`. `key`: the key of the cluster or module; without one datagrams
    /// are only protected against accidents. `context` names the use, e.g. `heartbeat mirror 1`; all
    /// nodes give the same. `life` must be drawn at random for each new channel, and never used again.
    pub fn new(kind: Kind, node: u8, key: Option<&[u8; 32]>, context: &str, life: Life) -> Self {
        let secret = Secret::new(key, context);
        let seal = secret.seal(node, &life);
        Channel { kind, node, life, secret, seal, sent: 0, peers: BTreeMap::new() }
    }

    /// Names this life of this node, as peers see it in [`Opened::incarnation`].
    pub fn incarnation(&self) -> u64 {
        incarnation(&self.life)
    }

    /// A datagram with this payload, for one link: seal again for the next link.
    pub fn seal(&mut self, payload: &[u8]) -> Result<Vec<u8>, WireError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(WireError::TooLong(payload.len()));
        }
        Ok(self.close(self.kind, payload))
    }

    /// Judges a datagram. `fresh`: a random number drawn for this call.
    pub fn receive(&mut self, datagram: &[u8], fresh: [u8; 16]) -> Received {
        self.judge(datagram, fresh).unwrap_or_else(Received::Dropped)
    }

    fn close(&mut self, kind: Kind, payload: &[u8]) -> Vec<u8> {
        self.sent += 1;
        let header = Header { kind, node: self.node, life: self.life, sequence: self.sent };
        self.seal.close(header, payload)
    }

    fn judge(&mut self, datagram: &[u8], fresh: [u8; 16]) -> Result<Received, Reason> {
        let (header, sealed) = Header::split(datagram)?;
        if header.kind != self.kind && header.kind != Kind::Handshake {
            return Err(Reason::OtherKind);
        }
        if header.node == self.node {
            return Err(Reason::Own);
        }
        let payload = self.open(header, sealed).ok_or(Reason::Seal)?;
        if header.kind == Kind::Handshake {
            return self.handshake(header, &payload);
        }
        // From here on the sender knows the key, so it may take room in our memory.
        let peer = self.peers.entry(header.node).or_default();
        if peer.retired.contains(&header.life) {
            return Err(Reason::Retired(header.node));
        }
        match &mut peer.current {
            Some(current) if current.life == header.life => {
                let newer = current.see(header.sequence)?;
                let Header { node: from, life, sequence, .. } = header;
                let opened = Opened { from, incarnation: incarnation(&life), sequence, payload };
                Ok(if newer { Received::Payload(opened) } else { Received::Late(opened) })
            }
            _ => {
                let challenge =
                    Handshake::Challenge { life: header.life, nonce: peer.ask(header.life, fresh) };
                Ok(Received::Reply(self.close(Kind::Handshake, &encode(&challenge)?)))
            }
        }
    }

    fn open(&self, header: Header, sealed: &[u8]) -> Option<Vec<u8>> {
        match self.peers.get(&header.node).and_then(|peer| peer.current.as_ref()) {
            Some(current) if current.life == header.life => current.seal.open(header, sealed),
            _ => self.secret.seal(header.node, &header.life).open(header, sealed),
        }
    }

    /// A challenge is answered whether or not the asking life is known: when both sides restart at
    /// once, neither knows the other. The answer is of use only to a node that waits for it.
    fn handshake(&mut self, header: Header, payload: &[u8]) -> Result<Received, Reason> {
        match decode(payload)? {
            Handshake::Challenge { life, nonce } if life == self.life => {
                let response = encode(&Handshake::Response { nonce })?;
                Ok(Received::Reply(self.close(Kind::Handshake, &response)))
            }
            Handshake::Challenge { .. } => Err(Reason::Handshake),
            Handshake::Response { nonce } => {
                let seal = self.secret.seal(header.node, &header.life);
                let peer = self.peers.get_mut(&header.node).ok_or(Reason::Handshake)?;
                if !peer.asked.contains(&(header.life, nonce)) {
                    return Err(Reason::Handshake);
                }
                peer.replace(header, seal);
                Ok(Received::Met { from: header.node, incarnation: incarnation(&header.life) })
            }
        }
    }
}

impl Peer {
    /// The number that `life` must send back: always the same while it is asked, so that a slow answer
    /// is still good when the next datagrams have been asked as well.
    fn ask(&mut self, life: Life, fresh: [u8; 16]) -> [u8; 16] {
        if let Some((_, nonce)) = self.asked.iter().find(|(asked, _)| *asked == life) {
            return *nonce;
        }
        if self.asked.len() == ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((life, fresh));
        fresh
    }

    fn replace(&mut self, header: Header, seal: Seal) {
        // What was asked before is void: a delayed answer of an older life must not come in after this.
        self.asked.clear();
        // All that was sent before the response may be a replay, so all of it counts as seen.
        let new = Current { life: header.life, seal, newest: header.sequence, seen: u64::MAX };
        if let Some(old) = self.current.replace(new) {
            if self.retired.len() == RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(old.life);
        }
    }
}

impl Current {
    /// Notes a sequence: whether it is the newest, or why it does not count.
    fn see(&mut self, sequence: u64) -> Result<bool, Reason> {
        if sequence > self.newest {
            let step = u32::try_from(sequence - self.newest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
            self.newest = sequence;
            return Ok(true);
        }
        let age = u32::try_from(self.newest - sequence).unwrap_or(u32::MAX);
        let bit = 1u64.checked_shl(age).ok_or(Reason::Stale)?;
        if self.seen & bit != 0 {
            return Err(Reason::Duplicate);
        }
        self.seen |= bit;
        Ok(false)
    }
}

fn incarnation(life: &Life) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&life[..8]);
    u64::from_le_bytes(first)
}
