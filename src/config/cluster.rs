//! cluster.xml: the nodes, the networks between them and the membership protocol (CFG-CL).

use crate::config::address::Address;
use crate::config::error::ConfigErrors;
use crate::config::extract::{Findings, Tag};
use crate::config::units::{self, Unit};
use crate::config::xml::{self, Element};
use crate::ids::NodeName;
use crate::told::{Tell, Told, told};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Default of `lans@port` (CFG-CL-01).
pub const DEFAULT_PORT: u16 = 4800;
/// Default period of membership messages (AMB-15).
pub const DEFAULT_PULSE: Duration = Duration::from_millis(700);
/// Default silent periods before electing a new leader (AMB-15).
pub const DEFAULT_MLOST_COUNT: u32 = 6;
/// Default silent periods before declaring a follower offline (AMB-15).
pub const DEFAULT_SLOST_COUNT: u32 = 12;

/// Most nodes of a cluster: what all of them tell must fit into one datagram.
pub const MOST_NODES: usize = 64;

/// Periods that make sense for a membership protocol.
const PULSES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// Silent periods that make sense.
pub(super) const LOST_COUNTS: RangeInclusive<u32> = 2..=1000;

/// A checked cluster.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// UDP port of the membership protocol (CFG-CL-01).
    pub port: u16,
    /// Period of membership messages (CFG-CL-02).
    pub pulse: Duration,
    /// Silent periods before electing a new leader (CFG-CL-03).
    pub mlost_count: u32,
    /// Silent periods before declaring a follower offline (CFG-CL-04).
    pub slost_count: u32,
    /// The networks, in the order of the file; at least one holds all nodes.
    pub lans: Vec<Lan>,
    /// The text it was read from: what is signed and sent to other nodes.
    pub source: String,
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Name used by modules (CFG-CL-05).
    pub name: String,
    /// Distributed commands use this network; exactly one lan has it after loading (CFG-CL-06).
    pub command: bool,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<LanNode>,
}

/// Address of a node on one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanNode {
    /// Name of the node (CFG-CL-07).
    pub name: NodeName,
    /// Address or name as the other nodes see it, without brackets (CFG-CL-08).
    pub addr: String,
    /// Local address behind NAT (CFG-CL-09).
    pub laddr: Option<IpAddr>,
}

impl ClusterConfig {
    /// Every node once, in the order of cluster.xml: the node order of all automata.
    pub fn nodes(&self) -> Vec<NodeName> {
        let mut all: Vec<NodeName> = Vec::new();
        for node in self.lans.iter().flat_map(|l| &l.nodes) {
            if !all.contains(&node.name) {
                all.push(node.name.clone());
            }
        }
        all
    }

    /// The network of that name.
    pub fn lan(&self, name: &str) -> Option<&Lan> {
        self.lans.iter().find(|l| l.name == name)
    }

    /// The network of distributed commands (CFG-CL-06).
    pub fn command_lan(&self) -> Option<&Lan> {
        self.lans.iter().find(|l| l.command)
    }
}

impl Lan {
    /// That node on this network.
    pub fn node(&self, name: &NodeName) -> Option<&LanNode> {
        self.nodes.iter().find(|n| &n.name == name)
    }
}

impl LanNode {
    /// The address the other nodes use; a name is asked of the resolver, so this blocks.
    pub fn resolve(&self) -> io::Result<IpAddr> {
        let address: Address = self
            .addr
            .parse()
            .map_err(|e: Told| io::Error::new(io::ErrorKind::InvalidInput, e.to_string()))?;
        address.resolve()
    }

    /// The address this node binds to: `laddr` behind NAT, else `addr`. Blocks like `resolve`.
    pub fn resolve_local(&self) -> io::Result<IpAddr> {
        self.laddr.map_or_else(|| self.resolve(), Ok)
    }
}

/// Reads a cluster.xml; `file` names it in the errors, which are all of the file's.
pub fn load(text: &str, file: &str) -> Result<ClusterConfig, ConfigErrors> {
    let root = xml::parse(text, file)?;
    let findings = Findings::new(file);
    let config = read_root(&findings, &root, text);
    findings.finish(config).map(|(config, _, _)| config)
}

fn read_root<'a>(findings: &'a Findings<'a>, root: &'a Element, source: &str) -> Option<ClusterConfig> {
    if root.name != "cluster" {
        findings.fault(
            root,
            None,
            told!(
                "the first tag of cluster.xml is <cluster>",
                "la première balise de cluster.xml est <cluster>"
            ),
        );
        return None;
    }
    let tag = findings.open(root, &[], &["lans"]);
    let lans = tag.open(tag.one_needed("lans")?, &["port", "pulse", "mlost_count", "slost_count"], &["lan"]);
    let mut seen = BTreeSet::new();
    let mut config = ClusterConfig {
        port: lans.or("port", DEFAULT_PORT, units::port),
        pulse: lans.or("pulse", DEFAULT_PULSE, pulse()),
        mlost_count: lans.or("mlost_count", DEFAULT_MLOST_COUNT, units::integer(LOST_COUNTS)),
        slost_count: lans.or("slost_count", DEFAULT_SLOST_COUNT, units::integer(LOST_COUNTS)),
        lans: lans.some("lan", |lan| read_lan(&lans, lan, &mut seen)),
        source: source.to_owned(),
    };
    // A node or lan that could not be read is not there: comparing would only confuse.
    if findings.clean() {
        check_nodes(&lans, &config);
        choose_command_lan(&lans, &mut config);
    }
    Some(config)
}

/// Parser of the period of a membership protocol.
pub(super) fn pulse() -> impl Fn(&str) -> Result<Duration, Told> {
    units::duration(Unit::Ms, PULSES)
}

fn read_lan<'a>(lans: &Tag<'a>, element: &'a Element, seen: &mut BTreeSet<String>) -> Option<Lan> {
    // console and framework are of the console before 8.2: silently ignored (CFG-CL-10).
    let tag = lans.open(element, &["name", "command", "console", "framework"], &["node"]);
    let name = tag.need("name", units::name);
    if let Some(name) = &name {
        tag.unique("name", name, seen);
    }
    let command = tag.or("command", false, units::on_off);
    let (mut names, mut addrs) = (BTreeSet::new(), BTreeSet::new());
    let nodes = tag.some("node", |node| read_node(&tag, node, &mut names, &mut addrs));
    Some(Lan { name: name?, command, nodes })
}

fn read_node<'a>(
    lan: &Tag<'a>,
    element: &'a Element,
    names: &mut BTreeSet<String>,
    addrs: &mut BTreeSet<String>,
) -> Option<LanNode> {
    let tag = lan.open(element, &["name", "addr", "laddr"], &[]);
    let name: Option<NodeName> = tag.need("name", units::parsed);
    let addr: Option<Address> = tag.need("addr", units::parsed);
    let laddr = tag.get("laddr", |text| {
        let address: Address = text.parse()?;
        address.ip().ok_or_else(|| {
            told!("write an IPv4 or IPv6 address, not a name", "écrivez une adresse IPv4 ou IPv6, pas un nom")
        })
    });
    if let Some(name) = &name {
        tag.unique("name", name.as_str(), names);
    }
    if let Some(addr) = &addr {
        tag.unique("addr", &addr.to_string(), addrs);
    }
    Some(LanNode { name: name?, addr: addr?.to_string(), laddr })
}

/// Two to [`MOST_NODES`] nodes, and one lan that holds them all (CFG-CL-05, CFG-CL-07).
fn check_nodes(lans: &Tag<'_>, config: &ClusterConfig) {
    let nodes = config.nodes();
    if nodes.len() < 2 {
        lans.fault(told!("a cluster has at least 2 nodes", "un cluster a au moins 2 nœuds"));
    } else if nodes.len() > MOST_NODES {
        let here = nodes.len();
        lans.fault(told!(
            "a cluster has at most {MOST_NODES} nodes: these are {here}",
            "un cluster a au plus {MOST_NODES} nœuds : en voici {here}"
        ));
    } else if !config.lans.iter().any(|lan| lan.nodes.len() == nodes.len()) {
        let all = join(&nodes);
        lans.fault(told!(
            "at least one <lan> must hold all nodes: {all}",
            "au moins un <lan> doit contenir tous les nœuds : {all}"
        ));
    }
}

/// At most one lan has command="on"; without any the first is taken. It must hold all nodes, or
/// distributed commands could not reach some (CFG-CL-06).
fn choose_command_lan(lans: &Tag<'_>, config: &mut ClusterConfig) {
    let nodes = config.nodes();
    if config.lans.iter().filter(|lan| lan.command).count() > 1 {
        lans.fault(told!(
            "only one <lan> may have command=\"on\"",
            "un seul <lan> peut avoir command=\"on\""
        ));
        return;
    }
    let chosen = config.lans.iter().position(|lan| lan.command);
    let Some(lan) = config.lans.get_mut(chosen.unwrap_or(0)) else { return };
    let absent: Vec<NodeName> = nodes.into_iter().filter(|n| lan.node(n).is_none()).collect();
    if !absent.is_empty() {
        let (en, fr) = match chosen {
            Some(_) => ("has command=\"on\"", "car il a command=\"on\""),
            None => {
                let first = "is the first, and none has command=\"on\"";
                (first, "car il est le premier, et aucun n'a command=\"on\"")
            }
        };
        let (name, absent) = (&lan.name, join(&absent));
        lans.fault(told!(
            "lan \"{name}\" carries the distributed commands, as it {en}: it lacks {absent}",
            "le lan \"{name}\" porte les commandes distribuées, {fr} : il lui manque {absent}"
        ));
    }
    lan.command = true;
}

fn join(nodes: &[NodeName]) -> String {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    names.join(", ")
}

/// A name of cluster.xml that has no address.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot resolve \"{addr}\", the address of {node} on lan \"{lan}\": {source}; correct the name server or write the address in cluster.xml"
)]
pub struct Unresolved {
    /// The lan.
    pub lan: String,
    /// The node.
    pub node: NodeName,
    /// The name.
    pub addr: String,
    /// What the resolver says.
    pub source: io::Error,
}

impl Tell for Unresolved {
    fn french(&self) -> String {
        let Unresolved { lan, node, addr, source } = self;
        format!(
            "impossible de résoudre \"{addr}\", l'adresse de {node} sur le lan \"{lan}\" : {source} ; corrigez le \
             serveur de noms ou écrivez l'adresse dans cluster.xml"
        )
    }
}

impl ClusterConfig {
    /// The same with literal addresses only: what cluster_ip.xml holds (CFG-CL-13). `resolver` is
    /// [`LanNode::resolve`] outside of tests, so this blocks.
    pub fn resolved(
        &self,
        resolver: &dyn Fn(&LanNode) -> io::Result<IpAddr>,
    ) -> Result<ClusterConfig, Unresolved> {
        let mut resolved = self.clone();
        for lan in &mut resolved.lans {
            for node in &mut lan.nodes {
                let ip = resolver(node).map_err(|source| Unresolved {
                    lan: lan.name.clone(),
                    node: node.name.clone(),
                    addr: node.addr.clone(),
                    source,
                })?;
                node.addr = ip.to_string();
            }
        }
        resolved.source = resolved.render();
        Ok(resolved)
    }

    /// As a cluster.xml with every default written; comments of the source are lost.
    pub fn render(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\"?>\n<cluster>\n");
        let _ = writeln!(
            out,
            "  <lans port=\"{}\" pulse=\"{}ms\" mlost_count=\"{}\" slost_count=\"{}\">",
            self.port,
            self.pulse.as_millis(),
            self.mlost_count,
            self.slost_count
        );
        for lan in &self.lans {
            let command = if lan.command { "on" } else { "off" };
            let _ = writeln!(out, "    <lan name=\"{}\" command=\"{command}\">", lan.name);
            for node in &lan.nodes {
                let _ = write!(out, "      <node name=\"{}\" addr=\"{}\"", node.name, bracketed(&node.addr));
                if let Some(laddr) = node.laddr {
                    let _ = write!(out, " laddr=\"{}\"", bracketed(&laddr.to_string()));
                }
                out.push_str("/>\n");
            }
            out.push_str("    </lan>\n");
        }
        out.push_str("  </lans>\n</cluster>\n");
        out
    }
}

fn bracketed(addr: &str) -> String {
    if addr.contains(':') { format!("[{addr}]") } else { addr.to_owned() }
}

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
