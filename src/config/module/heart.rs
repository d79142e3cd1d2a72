//! `<heart>` and `<heartbeat>` (CFG-HB).

use super::Context;
use crate::config::address::Address;
use crate::config::extract::Tag;
use crate::config::units::{self, Unit};
use crate::config::xml::Element;
use crate::told::told;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Identity of the heartbeat whose network carries the replication (CFG-HB-07).
pub const FLOW: &str = "flow";

/// `<heart>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heart {
    /// UDP port of the heartbeats that name none; none: 8888+(id-1) (CFG-HB-01).
    pub port: Option<u16>,
    /// Default delay between packets (CFG-HB-02).
    pub pulse: Duration,
    /// Default silence after which a heartbeat is lost (CFG-HB-03).
    pub timeout: Duration,
    /// Permanent ARP entries for the heartbeat addresses (CFG-HB-04).
    pub permanent_arp: bool,
    /// At least one, in the order of the file.
    pub heartbeats: Vec<Heartbeat>,
}

/// `<heartbeat>`, with the defaults of its `<heart>` filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Name of a lan of cluster.xml; in the syntax before 7.2, the identity (CFG-HB-05).
    pub name: String,
    /// Resource `heartbeat.<ident>` (CFG-HB-06).
    pub ident: String,
    /// UDP port; none: 8888+(id-1).
    pub port: Option<u16>,
    /// Delay between packets.
    pub pulse: Duration,
    /// Silence after which this heartbeat is lost.
    pub timeout: Duration,
    /// The two servers of the syntax before 7.2, else empty (CFG-HB-08).
    pub legacy_addrs: Vec<Address>,
}

/// Default of `pulse`.
const PULSE: Duration = Duration::from_millis(700);
/// Default of `timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);
const PULSES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);

/// Reads `<heart>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Option<Heart> {
    let tag = parent.open(element, &["port", "pulse", "timeout", "permanent_arp"], &["heartbeat"]);
    let mut heart = Heart {
        port: tag.get("port", units::port),
        pulse: tag.or("pulse", PULSE, units::duration(Unit::Ms, PULSES)),
        timeout: tag.or("timeout", TIMEOUT, units::duration(Unit::Ms, TIMEOUTS)),
        permanent_arp: tag.or("permanent_arp", true, units::on_off),
        heartbeats: Vec::new(),
    };
    if heart.timeout <= heart.pulse {
        tag.fault_of(
            "timeout",
            told!("timeout must be longer than pulse", "timeout doit être plus long que pulse"),
        );
    }
    let (mut idents, mut networks) = (BTreeSet::new(), BTreeSet::new());
    let heartbeats = tag.some("heartbeat", |e| {
        let (own, beat) = read_heartbeat(&tag, e, &heart, context)?;
        own.unique(if own.has("ident") { "ident" } else { "name" }, &beat.ident, &mut idents);
        if beat.legacy_addrs.is_empty() && !networks.insert((beat.name.clone(), beat.port)) {
            own.fault_of(
                "name",
                told!(
                    "this lan already carries a heartbeat on the same port",
                    "ce lan porte déjà un heartbeat sur le même port"
                ),
            );
        }
        Some(beat)
    });
    heart.heartbeats = heartbeats;
    Some(heart)
}

fn read_heartbeat<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    heart: &Heart,
    context: &Context<'_>,
) -> Option<(Tag<'a>, Heartbeat)> {
    let tag = parent.open(element, &["port", "pulse", "timeout", "name", "ident"], &["server"]);
    let name = context.lan_name(&tag, "server");
    let (ident, port) = (tag.get("ident", units::name), tag.get("port", units::port));
    let legacy_addrs = read_servers(&tag, context);
    let pulse = tag.or("pulse", heart.pulse, units::duration(Unit::Ms, PULSES));
    let timeout = tag.or("timeout", heart.timeout, units::duration(Unit::Ms, TIMEOUTS));
    if timeout <= pulse && (tag.has("pulse") || tag.has("timeout")) {
        tag.fault_of(
            "timeout",
            told!("timeout must be longer than pulse", "timeout doit être plus long que pulse"),
        );
    }
    let name = match name {
        // Before 7.2 a heartbeat had no name; its place tells it from the others.
        None if !legacy_addrs.is_empty() => {
            let place = parent.all("heartbeat").position(|e| std::ptr::eq(e, element)).unwrap_or(0);
            ident.clone().unwrap_or_else(|| format!("heartbeat{}", place + 1))
        }
        name => name?,
    };
    let beat = Heartbeat {
        ident: ident.unwrap_or_else(|| name.clone()),
        name,
        port: port.or(heart.port),
        pulse,
        timeout,
        legacy_addrs,
    };
    Some((tag, beat))
}

/// The two `<server addr>` of the syntax before 7.2, or none.
pub(super) fn read_servers(tag: &Tag<'_>, context: &Context<'_>) -> Vec<Address> {
    let servers: Vec<&Element> = tag.all("server").collect();
    if servers.is_empty() {
        return Vec::new();
    }
    context.legacy(tag);
    if servers.len() != 2 {
        tag.fault(told!(
            "the syntax before 7.2 needs two <server>",
            "la syntaxe d'avant 7.2 demande deux <server>"
        ));
    }
    let mut seen = BTreeSet::new();
    let read = servers.into_iter().filter_map(|e| {
        let server = tag.open(e, &["addr"], &[]);
        let addr: Address = server.need("addr", units::parsed)?;
        server.unique("addr", &addr.to_string(), &mut seen);
        Some(addr)
    });
    read.collect()
}
