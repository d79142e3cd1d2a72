//! `<loadbalancing_list>`: how a farm shares its clients (CFG-LB).

use super::vip::Interface;
use super::{Context, Mode};
use crate::config::address::Address;
use crate::config::extract::Tag;
use crate::config::units;
use crate::config::xml::Element;
use crate::ids::NodeName;
use crate::told::{Told, told};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// `<group>` of load balancing rules (CFG-LB-01).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Weights of nodes, of which one is not 0; empty: all nodes, weight 1 (CFG-LB-02).
    pub hosts: Vec<Host>,
    /// At least one.
    pub rules: Vec<LbRule>,
}

/// `<host>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Node.
    pub name: NodeName,
    /// Weight; 0: no traffic.
    pub power: u32,
}

/// Protocol of a load balancing rule (CFG-LB-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proto {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// ARP and neighbour discovery.
    Arp,
}

/// What is hashed (CFG-LB-06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Address of the client.
    OnAddr,
    /// Port of the client.
    OnPort,
    /// IP identification; UDP on IPv4 only.
    OnIpid,
}

/// `<rule>` of load balancing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LbRule {
    /// None: every virtual address (CFG-LB-03).
    pub virtual_addr: Option<Address>,
    /// None: every port (CFG-LB-04).
    pub port: Option<u16>,
    /// Protocol.
    pub proto: Proto,
    /// What is hashed.
    pub filter: Filter,
}

/// Most groups of a module: what the nodes of a farm tell each other of all of them must fit into one datagram.
pub const MOST_GROUPS: usize = 14;

/// Reads `<loadbalancing_list>`.
pub(super) fn read<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    context: &Context<'_>,
    interfaces: &[Interface],
) -> Vec<Group> {
    let tag = parent.open(element, &[], &["group"]);
    if context.mode != Mode::Farm {
        tag.fault(told!("load balancing is for mode farm", "la répartition de charge est pour le mode farm"));
    }
    if tag.all("group").count() > MOST_GROUPS {
        tag.fault(told!(
            "a farm has at most {MOST_GROUPS} groups",
            "une ferme a au plus {MOST_GROUPS} groupes"
        ));
    }
    let (mut seen, mut matched) = (BTreeSet::new(), BTreeMap::new());
    tag.some("group", |e| {
        let group = tag.open(e, &["name"], &["cluster", "rule"]);
        let name = group.need("name", units::name);
        if let Some(name) = &name {
            group.unique("name", name, &mut seen);
        }
        let hosts = group.one("cluster").map(|e| read_hosts(&group, e, context)).unwrap_or_default();
        let rules = group.some("rule", |e| read_rule(&group, e, interfaces, &mut matched));
        Some(Group { name: name?, hosts, rules })
    })
}

fn read_hosts<'a>(parent: &Tag<'a>, element: &'a Element, context: &Context<'_>) -> Vec<Host> {
    let tag = parent.open(element, &[], &["host"]);
    let mut seen = BTreeSet::new();
    let hosts = tag.some("host", |e| {
        let host = tag.open(e, &["name", "power"], &[]);
        let name: Option<NodeName> = host.need("name", units::parsed);
        let power = host.need("power", units::integer(0..=256));
        if let Some(name) = &name {
            host.unique("name", name.as_str(), &mut seen);
            if context.cluster.is_some_and(|c| !c.nodes().contains(name)) {
                host.fault_of(
                    "name",
                    told!("not a node of cluster.xml", "ce n'est pas un nœud de cluster.xml"),
                );
            }
        }
        Some(Host { name: name?, power: power? })
    });
    if !hosts.is_empty() && hosts.iter().all(|host| host.power == 0) {
        tag.fault(told!(
            "no <host> has a power above 0: nobody would serve the clients of this group",
            "aucun <host> n'a une puissance supérieure à 0 : personne ne servirait les clients de ce groupe"
        ));
    }
    hosts
}

/// What a rule applies to: address, port and protocol.
type Matched = (Option<Address>, Option<u16>, Proto);

/// `matched` holds the line of each rule before this one.
fn read_rule<'a>(
    parent: &Tag<'a>,
    element: &'a Element,
    interfaces: &[Interface],
    matched: &mut BTreeMap<Matched, u32>,
) -> Option<LbRule> {
    let tag = parent.open(element, &["virtual_addr", "port", "proto", "filter"], &[]);
    let protos = [("udp", Proto::Udp), ("tcp", Proto::Tcp), ("arp", Proto::Arp)];
    let filters = [("on_addr", Filter::OnAddr), ("on_port", Filter::OnPort), ("on_ipid", Filter::OnIpid)];
    let (proto, filter) =
        (tag.need("proto", units::one_of(&protos)), tag.need("filter", units::one_of(&filters)));
    match (proto, filter) {
        (Some(Proto::Tcp), Some(Filter::OnIpid)) => {
            tag.fault_of(
                "filter",
                told!(
                    "on_ipid is for udp only: write on_addr or on_port",
                    "on_ipid est pour udp seulement : écrivez on_addr ou on_port"
                ),
            );
        }
        (Some(Proto::Arp), Some(Filter::OnPort | Filter::OnIpid)) => {
            tag.fault_of(
                "filter",
                told!(
                    "arp requests have no port: write on_addr",
                    "les requêtes arp n'ont pas de port : écrivez on_addr"
                ),
            );
        }
        _ => {}
    }
    let port = tag.or("port", None, any_or(units::port));
    if proto == Some(Proto::Arp) && port.is_some() {
        tag.fault_of(
            "port",
            told!(
                "arp requests have no port: write * or nothing",
                "les requêtes arp n'ont pas de port : écrivez * ou rien"
            ),
        );
    }
    let virtual_addr = tag.or("virtual_addr", None, any_or(units::parsed::<Address>));
    let known = |a: &Address| interfaces.iter().flat_map(|i| &i.addrs).any(|v| &v.addr == a);
    if virtual_addr.as_ref().is_some_and(|a| !known(a)) {
        tag.fault_of(
            "virtual_addr",
            told!(
                "not a <virtual_addr> of this module: write one of them or *",
                "ce n'est pas un <virtual_addr> de ce module : écrivez l'un d'eux ou *"
            ),
        );
    }
    if filter == Some(Filter::OnIpid)
        && virtual_addr.as_ref().is_some_and(|a| matches!(a.ip(), Some(IpAddr::V6(_))))
    {
        tag.fault_of(
            "filter",
            told!(
                "IPv6 packets have no identification: write on_addr or on_port",
                "les paquets IPv6 n'ont pas d'identification : écrivez on_addr ou on_port"
            ),
        );
    }
    let rule = LbRule { virtual_addr, port, proto: proto?, filter: filter? };
    let same = (rule.virtual_addr.clone(), rule.port, rule.proto);
    if let Some(line) = matched.insert(same, element.line) {
        tag.fault(told!(
            "the rule in line {line} is for the same address, port and protocol: remove one",
            "la règle de la ligne {line} est pour les mêmes adresse, port et protocole : supprimez-en une"
        ));
    }
    Some(rule)
}

/// `*` or a value.
fn any_or<T>(parse: impl Fn(&str) -> Result<T, Told>) -> impl Fn(&str) -> Result<Option<T>, Told> {
    move |text| match text {
        "*" => Ok(None),
        _ => parse(text).map(Some).map_err(|mut what| {
            what += told!(", or *", ", ou *");
            what
        }),
    }
}
