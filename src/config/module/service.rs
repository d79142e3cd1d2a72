//! `<service>` (CFG-SVC).

use crate::config::cluster::ClusterConfig;
use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::ids::NodeName;
use crate::told::{Told, told};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Architecture of a module (CFG-SVC-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Two nodes, one primary.
    Mirror,
    /// All nodes active.
    Farm,
    /// One node, local supervision.
    Light,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::Mirror => "mirror",
            Mode::Farm => "farm",
            Mode::Light => "light",
        })
    }
}

/// Start at boot (CFG-SVC-02); prints the value of `usersetting.boot`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boot {
    /// Started at boot.
    On,
    /// Not started at boot.
    Off,
    /// Started if it was started before the reboot.
    Auto,
    /// Governed by the command `safekit boot`.
    Ignore,
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Boot::On => "on",
            Boot::Off => "off",
            Boot::Auto => "auto",
            Boot::Ignore => "ignore",
        })
    }
}

/// Which node is primary once both run (CFG-SVC-05).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DefaultPrim {
    /// The one that runs stays primary.
    Alone,
    /// The one that was primary before its last stop.
    LastPrim,
    /// This node: its name in cluster.xml, or its host name (AMB-50).
    Server(NodeName),
}

/// `<service>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Architecture.
    pub mode: Mode,
    /// Start at boot.
    pub boot: Boot,
    /// Delay before the start at boot (CFG-SVC-03).
    pub boot_delay: Duration,
    /// Automatic failover; mirror only (CFG-SVC-04).
    pub failover: bool,
    /// Default primary; mirror only.
    pub defaultprim: DefaultPrim,
    /// Automatic restarts allowed in one `loop_interval` (CFG-SVC-06).
    pub maxloop: u32,
    /// Interval of the loop counter; zero = counter inactive (CFG-SVC-07).
    pub loop_interval: Duration,
    /// An automatic stopstart reboots the server instead (CFG-SVC-08).
    pub automatic_reboot: bool,
}

/// Default of `maxloop`.
const MAXLOOP: u32 = 3;
/// Default of `loop_interval`.
const LOOP_INTERVAL: Duration = Duration::from_secs(24 * 3600);
const DELAYS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);
const LOOP_INTERVALS: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(366 * 86_400);

/// Attributes of `<service>`.
pub(super) const ATTRIBUTES: &[&str] = &[
    "mode",
    "boot",
    "boot_delay",
    "failover",
    "defaultprim",
    "maxloop",
    "loop_interval",
    "automatic_reboot",
];

/// Reads the attributes of `<service>`.
pub(super) fn read(tag: &Tag<'_>, cluster: Option<&ClusterConfig>) -> Option<Service> {
    let modes = [("mirror", Mode::Mirror), ("farm", Mode::Farm), ("light", Mode::Light)];
    let boots = [("on", Boot::On), ("off", Boot::Off), ("auto", Boot::Auto), ("ignore", Boot::Ignore)];
    let mode = tag.need("mode", units::one_of(&modes));
    let service = Service {
        mode: mode.unwrap_or(Mode::Mirror),
        boot: tag.or("boot", Boot::Ignore, units::one_of(&boots)),
        boot_delay: tag.or("boot_delay", Duration::ZERO, units::duration(Unit::S, DELAYS)),
        failover: tag.or("failover", true, units::on_off),
        defaultprim: tag.or("defaultprim", DefaultPrim::Alone, default_prim),
        maxloop: tag.or("maxloop", MAXLOOP, units::integer(0..=1000)),
        loop_interval: tag.or("loop_interval", LOOP_INTERVAL, units::duration(Unit::H, LOOP_INTERVALS)),
        automatic_reboot: tag.or("automatic_reboot", false, units::on_off),
    };
    match mode? {
        Mode::Mirror => {
            if let (DefaultPrim::Server(name), Some(cluster)) = (&service.defaultprim, cluster)
                && !cluster.nodes().contains(name)
            {
                tag.ignored(
                    "defaultprim",
                    told!(
                        "not a node of cluster.xml: taken as the host name of one",
                        "ce n'est pas un nœud de cluster.xml : pris comme le nom de machine de l'un d'eux"
                    ),
                );
            }
        }
        Mode::Farm | Mode::Light => {
            tag.ignored(
                "failover",
                told!("ignored: for mode mirror only", "ignoré : pour le mode mirror seulement"),
            );
            tag.ignored(
                "defaultprim",
                told!("ignored: for mode mirror only", "ignoré : pour le mode mirror seulement"),
            );
        }
    }
    Some(service)
}

fn default_prim(text: &str) -> Result<DefaultPrim, Told> {
    match text {
        "alone" => Ok(DefaultPrim::Alone),
        "lastprim" => Ok(DefaultPrim::LastPrim),
        _ => text.parse().map(DefaultPrim::Server).map_err(|_| {
            told!(
                "write alone, lastprim or the name of a node",
                "écrivez alone, lastprim ou le nom d'un nœud"
            )
        }),
    }
}
