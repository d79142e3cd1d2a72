//! `<rfs>`: replicated directories (CFG-RFS).

use super::Context;
use super::errd::regex;
use super::heart::read_servers;
use crate::config::address::Address;
use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::fsm::synced;
use crate::told::{Told, told};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::path::{Component, Path};
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
    /// How many times in ten minutes a primary's process of replication is replaced when it is lost;
    /// then the module goes on degraded (ST-29).
    pub restarts: u32,
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
    /// MB of all rescue archives of the module together, ours (S6).
    pub rescuelimit: u32,
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

impl Rfs {
    /// Age up to which data that may be not up to date may start, if that is allowed at all (RFS-30).
    pub fn tolerance(&self) -> Option<Duration> {
        Some(self.syncdelta).filter(|d| *d > IGNORED_DELTA)
    }
}

/// A `syncdelta` up to this is ignored.
const IGNORED_DELTA: Duration = Duration::from_secs(synced::IGNORED);
/// Default of `mountoversuffix`.
const SUFFIX: &str = "_For_SafeKit_Replication";
/// Default of `restarts`.
const RESTARTS: u32 = 3;
/// Default size of reintegration packets and of zones, bytes.
const PACKET: u32 = 8 << 20;
/// Default of `rescuelimit`, MB.
const RESCUE: u32 = 10_240;
const SIZES: RangeInclusive<u32> = 4096..=1 << 30;
const SECONDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);
const DELTAS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(366 * 86_400);

const ATTRIBUTES: &[&str] = &[
    "mountoversuffix",
    "acl",
    "async",
    "packetsize",
    "reipacketsize",
    "ruzone_blocksize",
    "locktimeout",
    "sendtimeout",
    "nbrei",
    "restarts",
    "namespacepolicy",
    "reitimeout",
    "reicommit",
    "reidetail",
    "nbremconn",
    "checktime",
    "checkintv",
    "scripts",
    "reiallowedbw",
    "rescuelimit",
    "syncdelta",
    "syncat",
    "iotimeout",
    "roflags",
    "allocthreshold",
    "nfsbox_options",
];

/// Reads `<rfs>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Option<Rfs> {
    let tag = parent.open(element, ATTRIBUTES, &["flow", "replicated"]);
    for windows in ["iotimeout", "roflags", "allocthreshold", "nfsbox_options"] {
        tag.ignored(windows, told!("ignored: for Windows only", "ignoré : pour Windows seulement"));
    }
    if tag.get("scripts", units::on_off) == Some(true) {
        tag.unsupported_as(told!(
            "not supported yet: scripts=\"on\"",
            "pas encore pris en charge : scripts=\"on\""
        ));
    }
    if tag.get("nbremconn", units::integer(1..=64)).is_some_and(|n: u32| n != 1) {
        tag.ignored(
            "nbremconn",
            told!(
                "one ordered stream is used, whatever is written here",
                "un seul flux ordonné est utilisé, quoi qu'il soit écrit ici"
            ),
        );
    }
    let seconds =
        |name, default| tag.or(name, Duration::from_secs(default), units::duration(Unit::S, SECONDS));
    let (packetsize, reipacketsize, ruzone_blocksize) = read_sizes(&tag);
    let asyncs = [("second", Async::Second), ("none", Async::None)];
    let policies = [("0", 0), ("1", 1), ("3", 3), ("4", 4)];
    Some(Rfs {
        mountoversuffix: tag.or("mountoversuffix", SUFFIX.to_owned(), suffix),
        acl: tag.or("acl", false, units::on_off),
        async_: tag.or("async", Async::Second, units::one_of(&asyncs)),
        packetsize,
        reipacketsize,
        ruzone_blocksize,
        locktimeout: seconds("locktimeout", 100),
        sendtimeout: seconds("sendtimeout", 30),
        restarts: tag.or("restarts", RESTARTS, units::integer(0..=100)),
        nbrei: tag.or("nbrei", 3, units::integer(1..=64)),
        namespacepolicy: tag.or("namespacepolicy", 4, units::one_of(&policies)),
        reitimeout: seconds("reitimeout", 150),
        reicommit: tag.or("reicommit", 0, units::integer(0..=1 << 20)),
        reidetail: tag.or("reidetail", false, units::on_off),
        nbremconn: tag.or("nbremconn", 1, units::integer(1..=64)),
        checktime: tag.or("checktime", Duration::from_secs(220), units::duration(Unit::Ms, SECONDS)),
        checkintv: seconds("checkintv", 120),
        scripts: tag.or("scripts", false, units::on_off),
        reiallowedbw: tag.get("reiallowedbw", units::integer(1..=u32::MAX)),
        rescuelimit: tag.or("rescuelimit", RESCUE, units::integer(0..=1 << 30)),
        syncdelta: tag.or("syncdelta", Duration::ZERO, units::duration(Unit::M, DELTAS)),
        syncat: tag.get("syncat", crontab),
        flow: tag.one("flow").and_then(|e| read_flow(&tag, e, context)),
        replicated: read_replicated(&tag),
    })
}

/// packetsize, reipacketsize, ruzone_blocksize: each has the one before as its default and limit
/// (CFG-RFS-04 to CFG-RFS-06).
fn read_sizes(tag: &Tag<'_>) -> (Option<u32>, u32, u32) {
    let packet = tag.get("packetsize", units::integer(SIZES));
    let rei = tag.or("reipacketsize", packet.map_or(PACKET, |p| p.min(PACKET)), units::integer(SIZES));
    if packet.is_some_and(|p| rei > p) {
        tag.fault_of(
            "reipacketsize",
            told!(
                "reipacketsize must not be larger than packetsize",
                "reipacketsize ne doit pas être plus grand que packetsize"
            ),
        );
    }
    let default_zone = if tag.has("reipacketsize") { rei } else { PACKET };
    let zone = tag.or("ruzone_blocksize", default_zone, units::integer(SIZES));
    if !zone.is_multiple_of(rei) {
        let what = told!(
            "ruzone_blocksize ({zone}) must be a multiple of reipacketsize ({rei})",
            "ruzone_blocksize ({zone}) doit être un multiple de reipacketsize ({rei})"
        );
        tag.fault_of("ruzone_blocksize", what);
    }
    (packet, rei, zone)
}

fn read_flow<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Option<Flow> {
    let tag = parent.open(element, &["name"], &["server"]);
    let name = context.lan_name(&tag, "server");
    let legacy_addrs = read_servers(&tag, context);
    Some(Flow { name, legacy_addrs })
}

fn read_replicated(parent: &Tag<'_>) -> Vec<Replicated> {
    let mut dirs: Vec<PathBuf> = Vec::new();
    parent.some("replicated", |e| {
        let tag = parent.open(e, &["dir", "mode"], &["tocheck", "notreplicated"]);
        let dir = tag.need("dir", absolute);
        if let Some(dir) = &dir {
            if dirs.iter().any(|d| d.starts_with(dir) || dir.starts_with(d)) {
                tag.fault_of(
                    "dir",
                    told!(
                        "this directory, or one above or below it, is already replicated",
                        "ce répertoire, ou un autre au-dessus ou au-dessous, est déjà répliqué"
                    ),
                );
            }
            dirs.push(dir.clone());
        }
        let read_only = tag.or("mode", true, units::one_of(&[("read_only", true)]));
        let tocheck = tag.all("tocheck").filter_map(|e| tag.open(e, &["path"], &[]).need("path", relative));
        let tocheck = tocheck.collect();
        let (mut notreplicated, mut regexpath) = (Vec::new(), Vec::new());
        for e in tag.all("notreplicated") {
            // regxpath is how the syntax box of the guide writes it.
            let not = tag.open(e, &["path", "regexpath", "regxpath"], &[]);
            notreplicated.extend(not.get("path", relative));
            regexpath.extend(not.get("regexpath", path_regex));
            regexpath.extend(not.get("regxpath", path_regex));
            if e.attributes.len() != 1 {
                not.fault(told!(
                    "either path or regexpath is needed",
                    "il faut path ou regexpath, l'un des deux"
                ));
            }
        }
        Some(Replicated { dir: dir?, read_only, tocheck, notreplicated, regexpath })
    })
}

fn suffix(text: &str) -> Result<String, Told> {
    if text.is_empty() || text.contains(['/', '\0']) {
        Err(told!(
            "write a suffix for a directory name, without /",
            "écrivez un suffixe de nom de répertoire, sans /"
        ))
    } else {
        Ok(text.to_owned())
    }
}

fn normal(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_) | Component::RootDir))
}

fn absolute(text: &str) -> Result<PathBuf, Told> {
    let path = Path::new(text);
    if path.is_absolute() && normal(path) && path.parent().is_some() && !text.contains('\0') {
        Ok(path.components().collect())
    } else {
        Err(told!(
            "write the absolute path of a directory other than /, without ..",
            "écrivez le chemin absolu d'un répertoire autre que /, sans .."
        ))
    }
}

fn relative(text: &str) -> Result<PathBuf, Told> {
    let path = Path::new(text);
    if !text.is_empty() && !path.is_absolute() && normal(path) && !text.contains('\0') {
        Ok(path.to_path_buf())
    } else {
        Err(told!(
            "write a path relative to the replicated directory, without ..",
            "écrivez un chemin relatif au répertoire répliqué, sans .."
        ))
    }
}

fn path_regex(text: &str) -> Result<String, Told> {
    regex(text.strip_prefix('!').unwrap_or(text)).map(|_| text.to_owned())
}

/// Five fields; what they mean is checked by whoever runs the schedule.
fn crontab(text: &str) -> Result<String, Told> {
    let field = |f: &str| f.chars().all(|c| c.is_ascii_alphanumeric() || "*,/-".contains(c));
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    if fields.len() == 5 && fields.iter().all(|f| field(f)) {
        Ok(fields.join(" "))
    } else {
        Err(told!(
            "write the five fields of crontab, such as 01 0 * * *",
            "écrivez les cinq champs de crontab, par exemple 01 0 * * *"
        ))
    }
}
