//! `<farm>` (CFG-FA).

use super::Context;
use crate::config::address::Address;
use crate::config::cluster::{self, LOST_COUNTS};
use crate::config::extract::Tag;
use crate::config::units;
use crate::config::xml::Element;
use crate::ids::NodeName;
use std::collections::BTreeSet;
use std::time::Duration;

/// `<farm>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farm {
    /// UDP port of the membership protocol; none: 4803+3(id-1) (CFG-FA-01).
    pub port: Option<u16>,
    /// Period of membership messages (CFG-FA-02).
    pub pulse: Duration,
    /// Silent periods before electing a new leader.
    pub mlost_count: u32,
    /// Silent periods before declaring a follower offline.
    pub slost_count: u32,
    /// At least one.
    pub lans: Vec<FarmLan>,
}

/// `<lan>` of a farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmLan {
    /// Name of a lan of cluster.xml; a chosen one in the syntax before 7.2 (CFG-FA-03).
    pub name: String,
    /// The nodes of the syntax before 7.2, else empty (CFG-FA-04).
    pub legacy_nodes: Vec<(NodeName, Address)>,
}

/// Reads `<farm>`.
pub(super) fn read<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Option<Farm> {
    let tag = parent.open(element, &["port", "pulse", "mlost_count", "slost_count"], &["lan"]);
    let mut seen = BTreeSet::new();
    Some(Farm {
        port: tag.get("port", units::port),
        pulse: tag.or("pulse", cluster::DEFAULT_PULSE, cluster::pulse()),
        mlost_count: tag.or("mlost_count", cluster::DEFAULT_MLOST_COUNT, units::integer(LOST_COUNTS)),
        slost_count: tag.or("slost_count", cluster::DEFAULT_SLOST_COUNT, units::integer(LOST_COUNTS)),
        lans: tag.some("lan", |e| read_lan(&tag, e, context, &mut seen)),
    })
}

fn read_lan<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    context: &Context<'_>,
    seen: &mut BTreeSet<String>,
) -> Option<FarmLan> {
    let tag = parent.open(element, &["name"], &["node"]);
    let name = context.lan_name(&tag, "node");
    let (mut names, mut addrs) = (BTreeSet::new(), BTreeSet::new());
    let mut legacy_nodes = Vec::new();
    for e in tag.all("node") {
        let node = tag.open(e, &["name", "addr"], &[]);
        let (name, addr) =
            (node.need("name", units::parsed::<NodeName>), node.need("addr", units::parsed::<Address>));
        if let (Some(name), Some(addr)) = (name, addr) {
            node.unique("name", name.as_str(), &mut names);
            node.unique("addr", &addr.to_string(), &mut addrs);
            legacy_nodes.push((name, addr));
        }
    }
    let old = tag.all("node").next().is_some();
    if old {
        context.legacy(&tag);
    }
    let name = match name {
        None if old => {
            format!("lan{}", parent.all("lan").position(|e| std::ptr::eq(e, element)).unwrap_or(0) + 1)
        }
        name => name?,
    };
    tag.unique("name", &name, seen);
    Some(FarmLan { name, legacy_nodes })
}
