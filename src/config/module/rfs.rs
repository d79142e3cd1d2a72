//! `<rfs>`: replicated directories (CFG-RFS).

use crate::config::address::Address;
use std::path::PathBuf;
use std::time::Duration;

/// When the secondary acknowledges a write (CFG-RFS-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Async {
    /// On receipt.
    Second,
    /// After its disk.
    None,
}

/// `<rfs>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rfs {
    /// Suffix of the renamed directory (CFG-RFS-01).
    pub mountoversuffix: String,
    /// ACL are replicated (CFG-RFS-02).
    pub acl: bool,
    /// When the secondary acknowledges.
    pub async_: Async,
    /// Largest replication packet, bytes (CFG-RFS-04).
    pub packetsize: Option<u32>,
    /// Largest reintegration packet, bytes (CFG-RFS-05).
    pub reipacketsize: u32,
    /// Zone of the modification bitmap, bytes (CFG-RFS-06).
    pub ruzone_blocksize: u32,
    /// Replication request not served in time: PRIM goes ALONE (CFG-RFS-07).
    pub locktimeout: Duration,
    /// TCP send not done in time: PRIM goes ALONE (CFG-RFS-08).
    pub sendtimeout: Duration,
    /// Reintegration threads (CFG-RFS-09).
    pub nbrei: u32,
    /// 0, 1, 3 or 4 (CFG-RFS-10).
    pub namespacepolicy: u8,
    /// Timeout of a reintegration request (CFG-RFS-11).
    pub reitimeout: Duration,
    /// Commit every so many blocks of `reipacketsize`; 0: at the end only (CFG-RFS-12).
    pub reicommit: u32,
    /// Detailed reintegration log (CFG-RFS-13).
    pub reidetail: bool,
    /// TCP connections between the nodes (CFG-RFS-14).
    pub nbremconn: u32,
    /// Timeout of the check of the local file system (CFG-RFS-15).
    pub checktime: Duration,
    /// Interval of that check (CFG-RFS-16).
    pub checkintv: Duration,
    /// `_rfs_*` callbacks instead of our own replication (CFG-RFS-17).
    pub scripts: bool,
    /// Bandwidth of reintegration in KB/s; none: no limit (CFG-RFS-18).
    pub reiallowedbw: Option<u32>,
    /// Age of data that may still take over; 1 minute or less: ignored (CFG-RFS-19).
    pub syncdelta: Duration,
    /// Schedule of the synchronization, crontab syntax (CFG-RFS-20).
    pub syncat: Option<String>,
    /// Obsolete choice of the replication network (CFG-RFS-21).
    pub flow: Option<Flow>,
    /// Replicated directories, at least one.
    pub replicated: Vec<Replicated>,
}

/// `<flow>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Name of a lan of cluster.xml; none in the syntax before 7.2.
    pub name: Option<String>,
    /// The two servers of the syntax before 7.2, else empty.
    pub legacy_addrs: Vec<Address>,
}

/// `<replicated>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replicated {
    /// Absolute path (CFG-RFS-22).
    pub dir: PathBuf,
    /// Read-only on the secondary (CFG-RFS-23).
    pub read_only: bool,
    /// Relative paths that must exist before replication starts (CFG-RFS-24).
    pub tocheck: Vec<PathBuf>,
    /// Relative paths that are not replicated (CFG-RFS-25).
    pub notreplicated: Vec<PathBuf>,
    /// Regular expressions; with a leading `!`, only what matches is replicated (CFG-RFS-26).
    pub regexpath: Vec<String>,
}
