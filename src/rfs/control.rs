//! What safeadmin and `rfsbox` say to each other: one JSON value a line over a UNIX stream socket.
//!
//! `rfsbox` serves one safeadmin at a time; a newer connection takes the place of the older, and
//! first hears how things stand ([`Said::Standing`]). Orders are answered by [`Said::Done`] with
//! their number. Nothing changes in the data plane without an order: a box whose safeadmin is away
//! goes on as it is, and never goes alone by itself (S8).

use crate::fsm::mirror::Stream;
use crate::ids::ModuleName;
use crate::node::replicated::Directory;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest line, bytes: longer ones are not ours.
pub const LONGEST: usize = 1 << 20;

/// What a box must know of its module; given to it as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The module.
    pub module: ModuleName,
    /// The replicated directories, in the order of userconfig.xml.
    pub dirs: Vec<DirSetup>,
    /// Index of this node in cluster.xml.
    pub me: u8,
    /// Address on the replication network.
    pub local: IpAddr,
    /// Address of the peer there.
    pub peer: IpAddr,
    /// `safenfs_port`.
    pub port: u16,
    /// What both nodes must have configured alike, hashed.
    pub digest: [u8; 32],
    /// The secondary acknowledges after its disk (async="none").
    pub after_disk: bool,
    /// ACL are replicated.
    pub acl: bool,
    /// Bytes of a zone.
    pub zone: u64,
    /// Bytes of a packet of reintegration.
    pub packet: u32,
    /// Packets of a file after which it is committed (`reicommit`); 0: at its end only.
    pub commit: u32,
    /// `namespacepolicy`: 0 without zones, 4 resumes an interrupted full copy.
    pub policy: u8,
    /// A line in the log for each file that is reintegrated (`reidetail`).
    pub detail: bool,
    /// Parallel workers of reintegration.
    pub workers: u32,
    /// KB/s of reintegration, if limited.
    pub bandwidth: Option<u32>,
    /// Oldest operation without acknowledgement.
    pub locktimeout: Duration,
    /// Longest send.
    pub sendtimeout: Duration,
    /// Longest request of reintegration.
    pub reitimeout: Duration,
    /// Where the zones and marks of the directories are kept.
    pub state: PathBuf,
    /// File of the module's key; none: nothing is encrypted.
    pub key: Option<PathBuf>,
}

/// One replicated directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirSetup {
    /// Where it is mounted, and where its files are.
    pub place: Directory,
    /// What must exist in it (RFS-15).
    pub tocheck: Vec<PathBuf>,
    /// Paths that are not replicated (RFS-16).
    pub notreplicated: Vec<PathBuf>,
    /// Expressions, see `rfs::volume::exclude`.
    pub regexpath: Vec<String>,
}

/// File of the [`Setup`] in SAFEUSERVAR.
pub fn setup_path(uservar: &Path) -> PathBuf {
    uservar.join("rfs/box.json")
}

/// Socket of the box of a module.
pub fn socket_path(uservar: &Path) -> PathBuf {
    uservar.join("rfs/box.sock")
}

/// An order and its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the answer.
    pub id: u64,
    /// What to do.
    pub order: Order,
}

/// What the automaton asks of the data plane. Each is done again without harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Check the directories and mount them, closed for modifications.
    Mount,
    /// Take modifications as the only node: zones are tracked.
    Writable {
        /// The generation that begins.
        generation: u64,
        /// The next secondary is copied in full.
        full: bool,
    },
    /// Refuse every modification, also through open handles, once all that was taken is answered.
    ReadOnly,
    /// Bring the directories to those of the primary and follow it.
    Reintegrate {
        /// Number of the session (S2).
        session: u64,
        /// What is copied.
        how: How,
    },
    /// Stop following, apply and sync what was received (S7).
    Drain,
    /// Make the zones of unacknowledged operations durable (S3).
    MarkDirty,
    /// Answer who waits for the lost peer, and go on alone.
    Release {
        /// The generation that begins.
        generation: u64,
    },
    /// Unmount, put the links in the place of the mount points, and end.
    Quit,
}

/// What a reintegration copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// What the marks of both sides say; by hash where they say nothing.
    Default,
    /// What differs, by hash, whatever the marks say: the files here may be from elsewhere.
    Hash,
    /// Everything.
    Full,
    /// Files modified after this time, whole (RFS-60); seconds since 1970.
    Since(i64),
}

/// How the directories stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// They are mounted.
    pub mounted: bool,
    /// Modifications are taken.
    pub writable: bool,
    /// The stream to or from the peer.
    pub stream: Stream,
}

/// What a box tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// The first line to a new safeadmin.
    Standing(Standing),
    /// An order is carried out, or why it is not.
    Done {
        /// Its number.
        id: u64,
        /// Its end.
        result: Result<(), Fault>,
    },
    /// The stream changed; why, where it is a loss.
    Stream(Stream, String),
    /// A line for the module log.
    Line(Line),
    /// Counters for the resources.
    Traffic(Traffic),
}

/// Why an order is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// It may work later.
    Again(String),
    /// It will not without somebody's help, and nothing was changed (ST-37).
    Refused(String),
}

/// Lines of the module log that the data plane knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Line {
    /// MSG-R-01.
    Updating(String),
    /// MSG-R-02.
    Copied(String),
    /// MSG-R-03.
    Ended(String),
    /// Progress of a reintegration.
    Progress(String),
    /// A link was put back (RFS-11).
    Link(String),
    /// MSG-R-11.
    Handshake(String),
    /// Something went wrong; what, and what to do.
    Error(String),
}

/// What a box has sent, received and copied since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes of replication sent.
    pub replicated: u64,
    /// Bytes of reintegration sent or received.
    pub reintegrated: u64,
    /// Bytes received.
    pub received: u64,
}

/// A line without its end.
pub fn line<T: Serialize>(value: &T) -> String {
    // These types have no maps with keys that JSON cannot hold: it does not fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_fits_on_a_line_and_is_read_back() {
        let said = Said::Done { id: 7, result: Err(Fault::Again("no\nway".to_owned())) };
        let text = line(&said);
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Said>(&text).expect("it is ours"), said);
    }
}
