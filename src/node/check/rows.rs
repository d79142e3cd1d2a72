//! The verdicts of `cluster check`, from what was found out. Pure.

use super::Facts;
use crate::actors::cluster::{DropCount, LanProbe, Member, NodeView, PeerProbe, Port};
use crate::control::{CheckRow, CheckStatus};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::net::MacAddr;
use std::net::IpAddr;

/// Logs of two nodes are hard to compare above it, ms.
const CLOCK_WARNING_MS: u64 = 1000;
/// Reintegration compares dates of the two nodes and fails above it, ms.
const CLOCK_ERROR_MS: u64 = 90_000;

/// A virtual address and where it is.
pub(super) struct VipFinding {
    pub module: ModuleName,
    pub addr: IpAddr,
    /// Or why that is not known.
    pub place: Result<Where, String>,
}

/// Where an address is.
pub(super) struct Where {
    /// Set on this node.
    pub here: bool,
    /// Somebody else who answers for it.
    pub holder: Option<MacAddr>,
}

fn row(check: String, status: CheckStatus, found: String, advice: &str) -> CheckRow {
    let advice = (status != CheckStatus::Ok).then(|| advice.to_owned());
    CheckRow { check, status, found, advice }
}

/// No configuration.
pub(super) fn no_cluster() -> Vec<CheckRow> {
    let advice = "run safekit cluster config <cluster.xml> here, or deploy from a configured node with \
                  safekit -H \"*\" -G";
    vec![row("cluster".into(), CheckStatus::Error, "this node has no cluster configuration".into(), advice)]
}

/// The actor of the cluster does not answer.
pub(super) fn stuck() -> Vec<CheckRow> {
    let advice = "look at the log of safeadmin (journalctl -u safeadmin) and at the load of this machine";
    vec![row(
        "cluster".into(),
        CheckStatus::Error,
        "the membership of this node does not answer".into(),
        advice,
    )]
}

/// Everything but the virtual addresses.
pub(super) fn of_cluster(facts: &Facts) -> Vec<CheckRow> {
    let Some(report) = &facts.report else { return stuck() };
    let mut rows = vec![encryption(facts)];
    rows.extend(local_addresses(facts));
    rows.extend(report.lans.iter().map(|lan| of_lan(facts, lan, &report.peers[&lan.node])));
    let me = facts.members.iter().find(|member| member.me).and_then(|member| member.view.as_ref());
    for (node, peer) in &report.peers {
        let Some(member) = facts.members.get(*node) else { continue };
        rows.extend(agreement(member, peer, &facts.counters));
        rows.extend(peer.clock_ahead_ms.map(|ahead_ms| clock(member, ahead_ms)));
        if let (Some(mine), Some(theirs)) = (me, &member.view) {
            rows.extend([version(member, mine, theirs), user(member, mine, theirs)]);
        }
    }
    rows.extend(facts.counters.iter().filter(|c| c.node.is_none() && c.matters()).map(stranger));
    rows
}

fn encryption(facts: &Facts) -> CheckRow {
    let (status, found) = match facts.setup.key {
        Some(_) => (CheckStatus::Ok, "the nodes talk encrypted"),
        None => {
            (CheckStatus::Warning, "the nodes talk without a key: anybody on the networks can forge a node")
        }
    };
    let advice = "run safekit cluster genkey, then safekit -H \"*\" -G";
    row("encryption".into(), status, found.into(), advice)
}

/// Lans whose address this machine has not.
fn local_addresses(facts: &Facts) -> Vec<CheckRow> {
    let Some(addresses) = &facts.addresses else { return Vec::new() };
    let missing = facts.setup.lans.iter().filter_map(|lan| {
        let local = lan.local.filter(|local| !addresses.contains(local) && !local.is_loopback())?;
        let found = format!("this node has not the address {local}");
        let advice = "set the address on a network interface, or correct addr or laddr in cluster.xml";
        Some(row(format!("lan {}", lan.name), CheckStatus::Error, found, advice))
    });
    missing.collect()
}

fn of_lan(facts: &Facts, probe: &LanProbe, peer: &PeerProbe) -> CheckRow {
    let (port, node) = (facts.setup.port, &facts.setup.nodes[probe.node]);
    let lan = &facts.setup.lans[probe.lan];
    let check = format!("lan {} to {node}", lan.name);
    let at = lan.addrs[probe.node].map(|addr| format!(" ({addr})")).unwrap_or_default();
    let (status, found, advice) = match (probe.there, probe.back) {
        (true, true) => {
            let time = probe.round_trip_ms.map(|ms| format!(", round trip {ms} ms")).unwrap_or_default();
            (CheckStatus::Ok, format!("UDP port {port} is reached in both directions{time}"), String::new())
        }
        (false, true) => (
            CheckStatus::Error,
            format!("{node}{at} is heard, but does not hear this node"),
            format!("open UDP port {port} in the firewall of {node}, and check its route and address"),
        ),
        (true, false) => (
            CheckStatus::Error,
            format!("{node}{at} hears this node, but is not heard"),
            format!("open UDP port {port} in the firewall of this node, and check its route and address"),
        ),
        (false, false) if peer.answered => (
            CheckStatus::Error,
            format!("nothing passes to or from {node}{at}, which answers on another lan"),
            format!("check the cables and addresses of this lan, and UDP port {port} in the firewalls"),
        ),
        (false, false) => (
            CheckStatus::Error,
            format!("{node}{at} does not answer"),
            format!(
                "start the safeadmin service on {node}; check its addresses, and UDP port {port} in the firewalls"
            ),
        ),
    };
    row(check, status, found, &advice)
}

/// Keys, configurations and what else makes nodes refuse each other, in both directions.
fn agreement(member: &Member, peer: &PeerProbe, counters: &[DropCount]) -> Vec<CheckRow> {
    let name = &member.name;
    let check = format!("datagrams of {name}");
    let dropped = counters.iter().filter(|count| count.node == Some(member.node) && count.matters());
    let mut rows: Vec<_> = dropped
        .map(|count| {
            let advice = count.reason.advice(&format!("{name} at {}", count.source.ip()), Port::Cluster);
            let found = format!("this node refuses them ({} until now)", count.count);
            row(check.clone(), CheckStatus::Error, found, &advice)
        })
        .collect();
    rows.extend(peer.refused.iter().map(|(reason, count)| {
        let found = format!("{name} refuses them ({count} until now)");
        let advice = format!("as seen from {name}, {}", reason.advice("this node", Port::Cluster));
        row(format!("datagrams to {name}"), CheckStatus::Error, found, &advice)
    }));
    if rows.is_empty() && peer.answered {
        let found = format!("{name} has the same key and the same cluster configuration");
        rows.push(row(check, CheckStatus::Ok, found, ""));
    }
    rows
}

fn stranger(count: &DropCount) -> CheckRow {
    let found = format!("{} came from {}, which is no node", count.count, count.source.ip());
    let advice = count.reason.advice(&format!("the machine at {}", count.source.ip()), Port::Cluster);
    row("datagrams of strangers".into(), CheckStatus::Warning, found, &advice)
}

fn clock(member: &Member, ahead_ms: i64) -> CheckRow {
    let off = ahead_ms.unsigned_abs();
    let status = match off {
        0..=CLOCK_WARNING_MS => CheckStatus::Ok,
        off if off < CLOCK_ERROR_MS => CheckStatus::Warning,
        _ => CheckStatus::Error,
    };
    let side = if ahead_ms < 0 { "behind" } else { "ahead of" };
    let found = format!("{}.{:03} s {side} the clock of this node", off / 1000, off % 1000);
    let advice =
        "synchronize the clocks of all nodes (NTP, for example chrony): from 90 s on a reintegration fails";
    row(format!("clock of {}", member.name), status, found, advice)
}

fn version(member: &Member, mine: &NodeView, theirs: &NodeView) -> CheckRow {
    let same = (&mine.safekit_version, mine.wire_version) == (&theirs.safekit_version, theirs.wire_version);
    let status = if same { CheckStatus::Ok } else { CheckStatus::Warning };
    let found = if same {
        format!("{} on both", mine.safekit_version)
    } else {
        format!("{} there, {} here", theirs.safekit_version, mine.safekit_version)
    };
    row(
        format!("version of {}", member.name),
        status,
        found,
        "install the same version of SafeKit on all nodes",
    )
}

fn user(member: &Member, mine: &NodeView, theirs: &NodeView) -> CheckRow {
    let check = format!("user safekit on {}", member.name);
    let ids = |view: &NodeView| view.safekit_uid.zip(view.safekit_gid);
    match (ids(mine), ids(theirs)) {
        (Some(mine), Some(theirs)) if mine == theirs => {
            let found = format!("uid {} and gid {} on both", mine.0, mine.1);
            row(check, CheckStatus::Ok, found, "")
        }
        (Some(mine), Some(theirs)) => {
            let found =
                format!("uid {} and gid {} there, {} and {} here", theirs.0, theirs.1, mine.0, mine.1);
            let advice = "replicated files would change their owner: stop SafeKit on one node and give user and \
                          group the numbers of the other (usermod -u, groupmod -g)";
            row(check, CheckStatus::Error, found, advice)
        }
        (mine, theirs) => {
            let on = |there: bool| if there { "is there" } else { "is missing" };
            let found = format!("{} on {}, {} here", on(theirs.is_some()), member.name, on(mine.is_some()));
            let advice = "create user and group safekit with the same numbers on all nodes (install the package again)";
            row(check, CheckStatus::Warning, found, advice)
        }
    }
}

/// The verdict on a virtual address.
pub(super) fn of_vip(vip: &VipFinding, members: &[Member]) -> CheckRow {
    let check = format!("virtual address {} of {}", vip.addr, vip.module);
    let place = match &vip.place {
        Ok(place) => place,
        Err(why) => {
            let advice =
                "correct the address or the interface in userconfig.xml, or the network of this node";
            return row(check, CheckStatus::Error, why.clone(), advice);
        }
    };
    let by = place.holder.map(|mac| mac.to_string());
    let (status, found, advice) = match (runs_on(&vip.module, members), by, place.here) {
        (Some(node), Some(mac), _) if node.me => (
            CheckStatus::Error,
            format!("the module runs here, but {mac} answers for the address too"),
            "remove the address from the machine with that MAC address: clients reach one or the other",
        ),
        (Some(node), None, true) if node.me => {
            (CheckStatus::Ok, "set here, and nobody else answers".into(), "")
        }
        (Some(node), None, false) if node.me => (
            CheckStatus::Warning,
            "the module runs here, but the address is not set".into(),
            "wait if the module is just starting; else read its log and restart it (safekit restart)",
        ),
        (_, _, true) => (
            CheckStatus::Error,
            "set on this node, where the module does not run".into(),
            "remove the address from the network configuration of this node: only the module may set it",
        ),
        (Some(node), Some(mac), false) => {
            (CheckStatus::Ok, format!("{mac} answers, as the module runs on {}", node.name), "")
        }
        (Some(node), None, false) => (
            CheckStatus::Warning,
            format!("nobody answers, though the module runs on {}", node.name),
            "check the cables between the nodes and their clients: this node would take over on another network",
        ),
        (None, Some(mac), false) => (
            CheckStatus::Error,
            format!("{mac} answers for it, but the module runs on no node that is online"),
            "remove the address from the machine with that MAC address, or give the module another one",
        ),
        (None, None, false) => (CheckStatus::Ok, "free".into(), ""),
    };
    row(check, status, found, advice)
}

/// The node that should have the virtual addresses of a module, if it is online.
fn runs_on<'a>(module: &ModuleName, members: &'a [Member]) -> Option<&'a Member> {
    let has = |role: Role| matches!(role, Role::Prim | Role::Alone | Role::Up);
    members.iter().filter(|member| member.online).find(|member| {
        let modules = member.view.iter().flat_map(|view| &view.modules);
        modules.into_iter().any(|m| m.name == *module && has(m.state.0))
    })
}
