//! The two nodes of a mirror module and the networks between them (ST-09, AMB-41, CFG-HB-05).

use crate::config::cluster::ClusterConfig;
use crate::config::module::{Heart, Heartbeat, ModuleConfig};
use crate::ids::{ModuleId, ModuleName, NodeName};
use crate::node::modules::{Elsewhere, ModuleError, mirror_peer};
use crate::told::Tell;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Why a module has no pair of nodes, or no way between them.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// No `<heart>`.
    #[error("<heart> is missing: a mirror module has heartbeats")]
    NoHeart,
    /// No node shares its lans.
    #[error(
        "no other node of cluster.xml is on all heartbeat networks of module {0}: correct the names of its <heartbeat> or cluster.xml"
    )]
    Nobody(ModuleName),
    /// Several nodes could be the other one.
    #[error(
        "the other node of module {module} is not known: install and configure it on one of {nodes}, which must be online"
    )]
    Unknown {
        /// The module.
        module: ModuleName,
        /// The candidates.
        nodes: String,
    },
    /// The nodes disagree.
    #[error(transparent)]
    Elsewhere(#[from] ModuleError),
    /// The lan does not lead there.
    #[error(
        "heartbeat {ident}: node {node} is not on lan \"{lan}\" of cluster.xml: add it or take another lan"
    )]
    NotOnLan {
        /// The heartbeat.
        ident: String,
        /// Its lan.
        lan: String,
        /// The node without address.
        node: NodeName,
    },
    /// A name without address.
    #[error(
        "heartbeat {ident}: the address \"{addr}\" cannot be resolved ({error}): correct the name server or write the address"
    )]
    Unresolved {
        /// The heartbeat.
        ident: String,
        /// The name.
        addr: String,
        /// What the resolver says.
        error: std::io::Error,
    },
    /// None or both of the two servers of the old syntax are this machine.
    #[error(
        "heartbeat {0}: exactly one of its two <server> addresses must be an address of this machine; use <heartbeat name=\"...\"> with a lan of cluster.xml"
    )]
    NotOurs(String),
}

impl Tell for PairError {
    fn french(&self) -> String {
        match self {
            PairError::NoHeart => "<heart> manque : un module miroir a des heartbeats".to_owned(),
            PairError::Nobody(m) => format!(
                "aucun autre nœud de cluster.xml n'est sur tous les réseaux de heartbeat du module {m} : corrigez les \
                 noms de ses <heartbeat> ou cluster.xml"
            ),
            PairError::Unknown { module, nodes } => format!(
                "l'autre nœud du module {module} n'est pas connu : installez-le et configurez-le sur l'un de {nodes}, \
                 qui doit être en ligne"
            ),
            PairError::Elsewhere(e) => e.french(),
            PairError::NotOnLan { ident, lan, node } => format!(
                "heartbeat {ident} : le nœud {node} n'est pas sur le lan \"{lan}\" de cluster.xml : ajoutez-le ou \
                 prenez un autre lan"
            ),
            PairError::Unresolved { ident, addr, error } => format!(
                "heartbeat {ident} : l'adresse \"{addr}\" ne peut pas être résolue ({error}) : corrigez le serveur de \
                 noms ou écrivez l'adresse"
            ),
            PairError::NotOurs(ident) => format!(
                "heartbeat {ident} : exactement une de ses deux adresses <server> doit être une adresse de cette \
                 machine ; utilisez <heartbeat name=\"...\"> avec un lan de cluster.xml"
            ),
        }
    }
}

/// What a module must know of its pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Index and name of this node.
    pub me: (u8, NodeName),
    /// Index and name of the other node.
    pub peer: (u8, NodeName),
    /// Identity, own address and the peer's, by heartbeat.
    pub networks: Vec<(String, IpAddr, IpAddr)>,
}

/// What is known when the pair is asked for.
pub struct Known<'a> {
    /// The module.
    pub module: &'a ModuleName,
    /// Its number.
    pub id: ModuleId,
    /// The cluster.
    pub cluster: &'a ClusterConfig,
    /// This node.
    pub me: &'a NodeName,
    /// Modules of the nodes that are online.
    pub elsewhere: &'a [Elsewhere],
    /// The other node as it was last.
    pub last: Option<&'a NodeName>,
    /// Addresses of this machine.
    pub machine: &'a BTreeSet<IpAddr>,
}

/// Finds the pair of a module. May ask the resolver: blocks.
///
/// # Errors
/// See [`PairError`].
pub fn pair(config: &ModuleConfig, known: &Known<'_>) -> Result<Pair, PairError> {
    let heart = config.heart.as_ref().ok_or(PairError::NoHeart)?;
    let peer = other_node(heart, known)?;
    let nodes = known.cluster.nodes();
    let index = |name: &NodeName| {
        let at = nodes.iter().position(|n| n == name).and_then(|at| u8::try_from(at).ok());
        at.ok_or_else(|| PairError::Nobody(known.module.clone()))
    };
    let networks =
        heart.heartbeats.iter().map(|beat| network(beat, known, &peer)).collect::<Result<_, _>>()?;
    Ok(Pair { me: (index(known.me)?, known.me.clone()), peer: (index(&peer)?, peer), networks })
}

fn other_node(heart: &Heart, known: &Known<'_>) -> Result<NodeName, PairError> {
    let on_all = |node: &NodeName| {
        let lans = heart.heartbeats.iter().filter(|beat| beat.legacy_addrs.is_empty());
        lans.into_iter().all(|beat| known.cluster.lan(&beat.name).is_some_and(|lan| lan.node(node).is_some()))
    };
    let mut candidates = known.cluster.nodes();
    candidates.retain(|node| node != known.me && on_all(node));
    let online = mirror_peer(known.module, known.id, known.elsewhere)?;
    match (candidates.as_slice(), online) {
        ([], _) => Err(PairError::Nobody(known.module.clone())),
        ([only], _) => Ok(only.clone()),
        (_, Some(node)) if candidates.contains(&node) => Ok(node),
        _ => known.last.filter(|last| candidates.contains(last)).cloned().ok_or_else(|| {
            let nodes: Vec<&str> = candidates.iter().map(NodeName::as_str).collect();
            PairError::Unknown { module: known.module.clone(), nodes: nodes.join(", ") }
        }),
    }
}

fn network(
    beat: &Heartbeat,
    known: &Known<'_>,
    peer: &NodeName,
) -> Result<(String, IpAddr, IpAddr), PairError> {
    let ident = beat.ident.clone();
    if !beat.legacy_addrs.is_empty() {
        return legacy(beat, known.machine);
    }
    let of = |node: &NodeName| {
        let on_lan = known.cluster.lan(&beat.name).and_then(|lan| lan.node(node));
        on_lan.ok_or_else(|| PairError::NotOnLan {
            ident: beat.ident.clone(),
            lan: beat.name.clone(),
            node: node.clone(),
        })
    };
    let (mine, theirs) = (of(known.me)?, of(peer)?);
    let unresolved = |addr: &str| {
        let (ident, addr) = (beat.ident.clone(), addr.to_owned());
        move |error| PairError::Unresolved { ident, addr, error }
    };
    let local = mine.resolve_local().map_err(unresolved(&mine.addr))?;
    let remote = theirs.resolve().map_err(unresolved(&theirs.addr))?;
    Ok((ident, local, remote))
}

/// The syntax before 7.2 names both servers (CFG-HB-08): the one with an address of this machine is this node.
fn legacy(beat: &Heartbeat, machine: &BTreeSet<IpAddr>) -> Result<(String, IpAddr, IpAddr), PairError> {
    let resolve = |addr: &crate::config::address::Address| {
        addr.resolve().map_err(|error| PairError::Unresolved {
            ident: beat.ident.clone(),
            addr: addr.to_string(),
            error,
        })
    };
    let [a, b] = beat.legacy_addrs.as_slice() else { return Err(PairError::NotOurs(beat.ident.clone())) };
    let (a, b) = (resolve(a)?, resolve(b)?);
    match (machine.contains(&a), machine.contains(&b)) {
        (true, false) => Ok((beat.ident.clone(), a, b)),
        (false, true) => Ok((beat.ident.clone(), b, a)),
        _ => Err(PairError::NotOurs(beat.ident.clone())),
    }
}

#[cfg(test)]
#[path = "pair_tests.rs"]
mod tests;
