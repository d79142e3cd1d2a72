//! The verdicts of `cluster check`, from what was found out. Pure.

use super::Facts;
use crate::actors::cluster::{DropCount, LanProbe, Member, NodeView, PeerProbe, Port};
use crate::control::{CheckRow, CheckStatus};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::net::MacAddr;
use crate::told::{Told, told};
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
    pub place: Result<Where, Told>,
}

/// Where an address is.
pub(super) struct Where {
    /// Set on this node.
    pub here: bool,
    /// Somebody else who answers for it.
    pub holder: Option<MacAddr>,
}

/// A result in every language.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub check: Told,
    pub status: CheckStatus,
    pub found: Told,
    /// Only when it is not good.
    pub advice: Option<Told>,
}

impl Row {
    /// For who reads this language.
    pub(super) fn shown(self, lang: Lang) -> CheckRow {
        let Row { check, status, found, advice } = self;
        let advice = advice.map(|advice| advice.into(lang));
        CheckRow { check: check.into(lang), status, found: found.into(lang), advice }
    }
}

fn row(check: Told, status: CheckStatus, found: Told, advice: Told) -> Row {
    let advice = (status != CheckStatus::Ok).then_some(advice);
    Row { check, status, found, advice }
}

/// No configuration.
pub(super) fn no_cluster() -> Vec<Row> {
    let advice = told!(
        "run safekit cluster config <cluster.xml> here, or deploy from a configured node with safekit -H \"*\" -G",
        "exécutez ici safekit cluster config <cluster.xml>, ou déployez depuis un nœud configuré par safekit -H \"*\" -G"
    );
    let found =
        told!("this node has no cluster configuration", "ce nœud n'a pas de configuration de cluster");
    vec![row(Told::same("cluster"), CheckStatus::Error, found, advice)]
}

/// The actor of the cluster does not answer.
pub(super) fn stuck() -> Vec<Row> {
    let advice = told!(
        "look at the log of safeadmin (journalctl -u safeadmin) and at the load of this machine",
        "regardez le journal de safeadmin (journalctl -u safeadmin) et la charge de cette machine"
    );
    let found = told!(
        "the membership of this node does not answer",
        "la gestion des membres du cluster ne répond pas sur ce nœud"
    );
    vec![row(Told::same("cluster"), CheckStatus::Error, found, advice)]
}

/// Everything but the virtual addresses.
pub(super) fn of_cluster(facts: &Facts) -> Vec<Row> {
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

fn encryption(facts: &Facts) -> Row {
    let (status, found) = match facts.setup.key {
        Some(_) => {
            (CheckStatus::Ok, told!("the nodes talk encrypted", "les échanges entre les nœuds sont chiffrés"))
        }
        None => (
            CheckStatus::Warning,
            told!(
                "the nodes talk without a key: anybody on the networks can forge a node",
                "les nœuds communiquent sans clé : n'importe qui sur les réseaux peut se faire passer pour un nœud"
            ),
        ),
    };
    let advice = told!(
        "run safekit cluster genkey, then safekit -H \"*\" -G",
        "exécutez safekit cluster genkey, puis safekit -H \"*\" -G"
    );
    row(told!("encryption", "chiffrement"), status, found, advice)
}

/// Lans whose address this machine has not.
fn local_addresses(facts: &Facts) -> Vec<Row> {
    let Some(addresses) = &facts.addresses else { return Vec::new() };
    let missing = facts.setup.lans.iter().filter_map(|lan| {
        let local = lan.local.filter(|local| !addresses.contains(local) && !local.is_loopback())?;
        let found = told!("this node has not the address {local}", "ce nœud n'a pas l'adresse {local}");
        let advice = told!(
            "set the address on a network interface, or correct addr or laddr in cluster.xml",
            "configurez l'adresse sur une interface réseau, ou corrigez addr ou laddr dans cluster.xml"
        );
        Some(row(Told::same(format!("lan {}", lan.name)), CheckStatus::Error, found, advice))
    });
    missing.collect()
}

fn of_lan(facts: &Facts, probe: &LanProbe, peer: &PeerProbe) -> Row {
    let (port, node) = (facts.setup.port, &facts.setup.nodes[probe.node]);
    let lan = &facts.setup.lans[probe.lan];
    let name = &lan.name;
    let check = told!("lan {name} to {node}", "lan {name} vers {node}");
    let at = lan.addrs[probe.node].map(|addr| format!(" ({addr})")).unwrap_or_default();
    let (status, found, advice) = match (probe.there, probe.back) {
        (true, true) => {
            let mut found = told!(
                "UDP port {port} is reached in both directions",
                "le port UDP {port} est atteint dans les deux sens"
            );
            if let Some(ms) = probe.round_trip_ms {
                found += told!(", round trip {ms} ms", ", aller-retour en {ms} ms");
            }
            (CheckStatus::Ok, found, Told::default())
        }
        (false, true) => (
            CheckStatus::Error,
            told!(
                "{node}{at} is heard, but does not hear this node",
                "{node}{at} est entendu, mais n'entend pas ce nœud"
            ),
            told!(
                "open UDP port {port} in the firewall of {node}, and check its route and address",
                "ouvrez le port UDP {port} dans le pare-feu de {node}, et vérifiez sa route et son adresse"
            ),
        ),
        (true, false) => (
            CheckStatus::Error,
            told!(
                "{node}{at} hears this node, but is not heard",
                "{node}{at} entend ce nœud, mais n'est pas entendu"
            ),
            told!(
                "open UDP port {port} in the firewall of this node, and check its route and address",
                "ouvrez le port UDP {port} dans le pare-feu de ce nœud, et vérifiez sa route et son adresse"
            ),
        ),
        (false, false) if peer.answered => (
            CheckStatus::Error,
            told!(
                "nothing passes to or from {node}{at}, which answers on another lan",
                "rien ne passe ni vers {node}{at} ni de lui, alors qu'il répond sur un autre lan"
            ),
            told!(
                "check the cables and addresses of this lan, and UDP port {port} in the firewalls",
                "vérifiez les câbles et les adresses de ce lan, et le port UDP {port} dans les pare-feu"
            ),
        ),
        (false, false) => (
            CheckStatus::Error,
            told!("{node}{at} does not answer", "{node}{at} ne répond pas"),
            told!(
                "start the safeadmin service on {node}; check its addresses, and UDP port {port} in the firewalls",
                "démarrez le service safeadmin sur {node} ; vérifiez ses adresses, et le port UDP {port} dans les pare-feu"
            ),
        ),
    };
    row(check, status, found, advice)
}

/// Keys, configurations and what else makes nodes refuse each other, in both directions.
fn agreement(member: &Member, peer: &PeerProbe, counters: &[DropCount]) -> Vec<Row> {
    let name = &member.name;
    let check = told!("datagrams of {name}", "datagrammes de {name}");
    let dropped = counters.iter().filter(|count| count.node == Some(member.node) && count.matters());
    let mut rows: Vec<_> = dropped
        .map(|count| {
            let (ip, count, reason) = (count.source.ip(), count.count, count.reason);
            let found = told!(
                "this node refuses them ({count} until now)",
                "ce nœud les refuse ({count} jusqu'à présent)"
            );
            let who = told!("{name} at {ip}", "{name} à {ip}");
            row(check.clone(), CheckStatus::Error, found, reason.advice(&who, Port::Cluster))
        })
        .collect();
    rows.extend(peer.refused.iter().map(|(reason, count)| {
        let found =
            told!("{name} refuses them ({count} until now)", "{name} les refuse ({count} jusqu'à présent)");
        let mut advice = told!("as seen from {name}, ", "vu de {name}, ");
        advice += reason.advice(&told!("this node", "ce nœud"), Port::Cluster);
        row(told!("datagrams to {name}", "datagrammes vers {name}"), CheckStatus::Error, found, advice)
    }));
    if rows.is_empty() && peer.answered {
        let found = told!(
            "{name} has the same key and the same cluster configuration",
            "{name} a la même clé et la même configuration de cluster"
        );
        rows.push(row(check, CheckStatus::Ok, found, Told::default()));
    }
    rows
}

fn stranger(count: &DropCount) -> Row {
    let (ip, count, reason) = (count.source.ip(), count.count, count.reason);
    let found = told!(
        "{count} came from {ip}, which is no node",
        "{count} sont venus de {ip}, qui n'est pas un nœud"
    );
    let advice = reason.advice(&told!("the machine at {ip}", "la machine à {ip}"), Port::Cluster);
    row(told!("datagrams of strangers", "datagrammes d'inconnus"), CheckStatus::Warning, found, advice)
}

fn clock(member: &Member, ahead_ms: i64) -> Row {
    let off = ahead_ms.unsigned_abs();
    let status = match off {
        0..=CLOCK_WARNING_MS => CheckStatus::Ok,
        off if off < CLOCK_ERROR_MS => CheckStatus::Warning,
        _ => CheckStatus::Error,
    };
    let (name, time) = (&member.name, format!("{}.{:03} s", off / 1000, off % 1000));
    let found = match ahead_ms < 0 {
        true => told!("{time} behind the clock of this node", "{time} de retard sur l'horloge de ce nœud"),
        false => told!("{time} ahead of the clock of this node", "{time} d'avance sur l'horloge de ce nœud"),
    };
    let advice = told!(
        "synchronize the clocks of all nodes (NTP, for example chrony): from 90 s on a reintegration fails",
        "synchronisez les horloges de tous les nœuds (NTP, par exemple chrony) : à partir de 90 s, une réintégration échoue"
    );
    row(told!("clock of {name}", "horloge de {name}"), status, found, advice)
}

fn version(member: &Member, mine: &NodeView, theirs: &NodeView) -> Row {
    let same = (&mine.safekit_version, mine.wire_version) == (&theirs.safekit_version, theirs.wire_version);
    let status = if same { CheckStatus::Ok } else { CheckStatus::Warning };
    let (name, here, there) = (&member.name, &mine.safekit_version, &theirs.safekit_version);
    let found = match same {
        true => told!("{here} on both", "{here} sur les deux"),
        false => told!("{there} there, {here} here", "{there} là-bas, {here} ici"),
    };
    let advice = told!(
        "install the same version of SafeKit on all nodes",
        "installez la même version de SafeKit sur tous les nœuds"
    );
    row(told!("version of {name}", "version de {name}"), status, found, advice)
}

fn user(member: &Member, mine: &NodeView, theirs: &NodeView) -> Row {
    let name = &member.name;
    let check = told!("user safekit on {name}", "utilisateur safekit sur {name}");
    let ids = |view: &NodeView| view.safekit_uid.zip(view.safekit_gid);
    match (ids(mine), ids(theirs)) {
        (Some(mine), Some(theirs)) if mine == theirs => {
            let (uid, gid) = mine;
            let found = told!("uid {uid} and gid {gid} on both", "uid {uid} et gid {gid} sur les deux");
            row(check, CheckStatus::Ok, found, Told::default())
        }
        (Some((uid, gid)), Some((their_uid, their_gid))) => {
            let found = told!(
                "uid {their_uid} and gid {their_gid} there, {uid} and {gid} here",
                "uid {their_uid} et gid {their_gid} là-bas, {uid} et {gid} ici"
            );
            let advice = told!(
                "replicated files would change their owner: stop SafeKit on one node and give user and group the \
                 numbers of the other (usermod -u, groupmod -g)",
                "les fichiers répliqués changeraient de propriétaire : arrêtez SafeKit sur un nœud et donnez à \
                 l'utilisateur et au groupe les numéros de l'autre (usermod -u, groupmod -g)"
            );
            row(check, CheckStatus::Error, found, advice)
        }
        (mine, theirs) => {
            let found = match (theirs.is_some(), mine.is_some()) {
                (false, true) => {
                    told!("is missing on {name}, is there here", "manque sur {name}, existe ici")
                }
                (true, false) => {
                    told!("is there on {name}, is missing here", "existe sur {name}, manque ici")
                }
                _ => told!("is missing on {name}, is missing here", "manque sur {name}, manque ici"),
            };
            let advice = told!(
                "create user and group safekit with the same numbers on all nodes (install the package again)",
                "créez l'utilisateur et le groupe safekit avec les mêmes numéros sur tous les nœuds (réinstallez le paquet)"
            );
            row(check, CheckStatus::Warning, found, advice)
        }
    }
}

/// The verdict on a virtual address.
pub(super) fn of_vip(vip: &VipFinding, members: &[Member]) -> Row {
    let VipFinding { module, addr, place } = vip;
    let check = told!("virtual address {addr} of {module}", "adresse virtuelle {addr} de {module}");
    let place = match place {
        Ok(place) => place,
        Err(why) => {
            let advice = told!(
                "correct the address or the interface in userconfig.xml, or the network of this node",
                "corrigez l'adresse ou l'interface dans userconfig.xml, ou le réseau de ce nœud"
            );
            return row(check, CheckStatus::Error, why.clone(), advice);
        }
    };
    let (status, found, advice) = held(runs_on(module, members), place.holder, place.here);
    row(check, status, found, advice)
}

/// A machine that should not have the address: what is to be done with it, and what follows or goes too.
fn strange(found: Told, [what, quoi]: [&str; 2]) -> (CheckStatus, Told, Told) {
    let advice = told!(
        "remove the address from the machine with that MAC address{what}",
        "retirez l'adresse de la machine qui a cette adresse MAC{quoi}"
    );
    (CheckStatus::Error, found, advice)
}

/// What it means where an address is, while its module runs on that node.
fn held(runs: Option<&Member>, holder: Option<MacAddr>, here: bool) -> (CheckStatus, Told, Told) {
    use CheckStatus::{Error, Ok, Warning};
    match (runs, holder, here) {
        (Some(node), Some(mac), _) if node.me => strange(
            told!(
                "the module runs here, but {mac} answers for the address too",
                "le module s'exécute ici, mais {mac} répond aussi pour l'adresse"
            ),
            [": clients reach one or the other", " : les clients atteignent l'une ou l'autre"],
        ),
        (Some(node), None, true) if node.me => (
            Ok,
            told!("set here, and nobody else answers", "configurée ici, et personne d'autre ne répond"),
            Told::default(),
        ),
        (Some(node), None, false) if node.me => (
            Warning,
            told!(
                "the module runs here, but the address is not set",
                "le module s'exécute ici, mais l'adresse n'est pas configurée"
            ),
            told!(
                "wait if the module is just starting; else read its log and restart it (safekit restart)",
                "attendez si le module est en cours de démarrage ; sinon lisez son journal et redémarrez-le (safekit restart)"
            ),
        ),
        (_, _, true) => (
            Error,
            told!(
                "set on this node, where the module does not run",
                "configurée sur ce nœud, où le module ne s'exécute pas"
            ),
            told!(
                "remove the address from the network configuration of this node: only the module may set it",
                "retirez l'adresse de la configuration réseau de ce nœud : seul le module doit la configurer"
            ),
        ),
        (Some(Member { name, .. }), Some(mac), false) => {
            let found = told!(
                "{mac} answers, as the module runs on {name}",
                "{mac} répond, et le module s'exécute sur {name}"
            );
            (Ok, found, Told::default())
        }
        (Some(Member { name, .. }), None, false) => (
            Warning,
            told!(
                "nobody answers, though the module runs on {name}",
                "personne ne répond, alors que le module s'exécute sur {name}"
            ),
            told!(
                "check the cables between the nodes and their clients: this node would take over on another network",
                "vérifiez les câbles entre les nœuds et leurs clients : ce nœud prendrait le relais sur un autre réseau"
            ),
        ),
        (None, Some(mac), false) => strange(
            told!(
                "{mac} answers for it, but the module runs on no node that is online",
                "{mac} répond pour elle, mais le module ne s'exécute sur aucun nœud en ligne"
            ),
            [", or give the module another one", ", ou donnez-en une autre au module"],
        ),
        (None, None, false) => (Ok, told!("free", "libre"), Told::default()),
    }
}

/// The node that should have the virtual addresses of a module, if it is online.
fn runs_on<'a>(module: &ModuleName, members: &'a [Member]) -> Option<&'a Member> {
    let has = |role: Role| matches!(role, Role::Prim | Role::Alone | Role::Up);
    members.iter().filter(|member| member.online).find(|member| {
        let modules = member.view.iter().flat_map(|view| &view.modules);
        modules.into_iter().any(|m| m.name == *module && has(m.state.0))
    })
}
