//! What safeadmin and `rfsbox` say to each other: one JSON value a line over a UNIX stream socket.
//!
//! `rfsbox` serves one safeadmin at a time; a newer connection takes the place of the older, and
//! first hears how things stand ([`Said::Standing`]). Orders are answered by [`Said::Done`] with
//! their number. Nothing changes in the data plane without an order: a box whose safeadmin is away
//! goes on as it is, and never goes alone by itself (S8).

use crate::control::RfsReport;
use crate::fsm::mirror::Stream;
use crate::fsm::start::Rescue;
use crate::fsm::sync::How;
use crate::ids::ModuleName;
use crate::node::replicated::Directory;
use serde::{Deserialize, Serialize};
use std::fmt;
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
    /// Where rescue archives are kept.
    pub rescue: PathBuf,
    /// Bytes of all of them (`rescuelimit`).
    pub rescue_limit: u64,
    /// File of the module's key; none: nothing is encrypted.
    pub key: Option<PathBuf>,
    /// Socket of safeguard.
    pub guard: PathBuf,
    /// Goes on with the mounts of a box that is lost, without replication (ST-29).
    pub degraded: bool,
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
        /// What is wanted to be copied.
        how: How,
        /// What differs here is kept before it is overwritten (S6).
        rescue: Option<Rescue>,
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
    /// Compare the directories of a secondary in step with the primary's; answered by [`Said::Found`], then
    /// [`Said::Done`] (RFS-61).
    Verify,
    /// Say what a secondary would have to copy from this node now; answered likewise (RFS-62).
    Diff,
    /// End the comparison with this number.
    Cancel {
        /// The number.
        of: u64,
    },
    /// Unmount, put the links in the place of the mount points, and end.
    Quit,
}

/// How the directories stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// They are mounted.
    pub mounted: bool,
    /// Modifications are taken.
    pub writable: bool,
    /// The stream to or from the peer.
    pub stream: Stream,
    /// How it went on with the mounts of another box, for the module log.
    pub note: Option<String>,
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
    /// What a comparison has found.
    Found {
        /// Its number.
        id: u64,
        /// What.
        report: RfsReport,
    },
    /// How far a comparison is.
    Measured {
        /// Its number.
        id: u64,
        /// How far.
        measure: Measure,
    },
    /// How far the reintegration is; none: it is over.
    Progress(Option<Measure>),
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
    /// Files were kept in a rescue archive.
    Rescued {
        /// Name of the archive.
        archive: String,
        /// Files, directories and links.
        files: u64,
        /// Bytes of files.
        bytes: u64,
        /// Files that had no room.
        left_out: u64,
    },
    /// The reintegration has not moved for so many seconds.
    Stalled(u64),
    /// It goes on.
    GoesOn,
    /// A link was put back (RFS-11).
    Link(String),
    /// MSG-R-11.
    Handshake(String),
    /// Something went wrong; what, and what to do.
    Error(String),
}

/// How far a copy or a comparison is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// Files that are done.
    pub done: u64,
    /// Files known so far.
    pub known: u64,
    /// Bytes copied.
    pub copied: u64,
    /// Bytes compared.
    pub compared: u64,
    /// Bytes copied per second, over the last three seconds.
    pub rate: u64,
    /// Seconds that the rest takes at this rate, if anybody can say.
    pub left: Option<u64>,
    /// Seconds since something last went on.
    pub still: u64,
}

impl Measure {
    /// The same as a bar, for a terminal.
    pub fn bar(&self) -> String {
        const WIDTH: u64 = 20;
        let mut text = String::new();
        if let Some(left) = self.left
            && self.rate > 0
        {
            let seen = self.copied.saturating_add(self.compared);
            let all = seen.saturating_add(left.saturating_mul(self.rate)).max(1);
            let full = (seen.saturating_mul(WIDTH) / all).min(WIDTH);
            let fill = |c: &str, n: u64| c.repeat(usize::try_from(n).unwrap_or(0));
            text = format!("[{}{}] {}% ", fill("#", full), fill("-", WIDTH - full), seen * 100 / all);
        }
        text += &self.to_string();
        if self.still >= STALL {
            text += &format!(", nothing has come for {} s", self.still);
        }
        text
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        let (copied, compared) = (mib(self.copied), mib(self.compared));
        write!(f, "{} of {} files, {copied} MB copied, {compared} MB compared", self.done, self.known)?;
        write!(f, ", {} KB/s", self.rate >> 10)?;
        self.left.map_or(Ok(()), |left| write!(f, ", {left} s left"))
    }
}

/// A reintegration that does not move for so many seconds stands still.
pub const STALL: u64 = 15;

/// What a box has sent, received and copied since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// When it was counted, milliseconds since the box started.
    pub at: u64,
    /// Bytes of replication sent.
    pub replicated: u64,
    /// Bytes of reintegration sent.
    pub lent: u64,
    /// Bytes of reintegration sent or received.
    pub reintegrated: u64,
    /// Bytes sent in all.
    pub sent: u64,
    /// Bytes received in all.
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
    fn a_bar_says_how_far_it_is() {
        let mut m = Measure { done: 3, known: 8, copied: 30 << 20, rate: 10 << 20, ..Measure::default() };
        assert_eq!(m.bar(), "3 of 8 files, 30 MB copied, 0 MB compared, 10240 KB/s");
        m.left = Some(3);
        let text = "3 of 8 files, 30 MB copied, 0 MB compared, 10240 KB/s, 3 s left";
        assert_eq!(m.bar(), format!("[##########----------] 50% {text}"));
        (m.rate, m.still) = (0, 20);
        assert!(m.bar().ends_with(", nothing has come for 20 s"), "{}", m.bar());
    }

    #[test]
    fn what_is_said_fits_on_a_line_and_is_read_back() {
        let said = Said::Done { id: 7, result: Err(Fault::Again("no\nway".to_owned())) };
        let text = line(&said);
        assert!(!text.contains('\n'));
        assert_eq!(serde_json::from_str::<Said>(&text).expect("it is ours"), said);
    }
}
