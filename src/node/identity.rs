//! Which node of cluster.xml this machine is.

use super::level;
use crate::config::cluster::ClusterConfig;
use crate::ids::NodeName;
use crate::told::Tell;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// Variable that names this node, for machines on which nothing else tells.
pub const NODE_VARIABLE: &str = "SAFEKIT_NODE";

/// What this machine knows about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Value of [`NODE_VARIABLE`].
    pub named: Option<String>,
    /// Addresses of its interfaces.
    pub addresses: BTreeSet<IpAddr>,
    /// Its host name.
    pub hostname: String,
}

/// Why this machine is no node of the cluster.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The variable names no node.
    #[error("SAFEKIT_NODE=\"{named}\" is not a node of cluster.xml ({nodes}): correct one of them")]
    UnknownName {
        /// Value of the variable.
        named: String,
        /// Names of the nodes.
        nodes: String,
    },
    /// Several nodes have an address of this machine.
    #[error(
        "this machine has addresses of several nodes of cluster.xml ({0}): correct cluster.xml, or set SAFEKIT_NODE"
    )]
    Several(String),
    /// Nothing matches.
    #[error(
        "this machine is none of the nodes of cluster.xml ({nodes}): no addr or laddr is one of its addresses ({addresses}) and its host name is {hostname}"
    )]
    None {
        /// Names of the nodes.
        nodes: String,
        /// Addresses of this machine.
        addresses: String,
        /// Its host name.
        hostname: String,
    },
    /// The system does not list its addresses.
    #[error("the addresses of this machine cannot be listed: {0}")]
    Addresses(#[from] io::Error),
}

impl Tell for IdentityError {
    fn french(&self) -> String {
        match self {
            IdentityError::UnknownName { named, nodes } => format!(
                "SAFEKIT_NODE=\"{named}\" n'est pas un nœud de cluster.xml ({nodes}) : corrigez l'un des deux"
            ),
            IdentityError::Several(nodes) => format!(
                "cette machine a des adresses de plusieurs nœuds de cluster.xml ({nodes}) : corrigez cluster.xml, ou \
                 définissez SAFEKIT_NODE"
            ),
            IdentityError::None { nodes, addresses, hostname } => format!(
                "cette machine n'est aucun des nœuds de cluster.xml ({nodes}) : aucun addr ni laddr n'est l'une de \
                 ses adresses ({addresses}) et son nom est {hostname}"
            ),
            IdentityError::Addresses(e) => {
                format!("les adresses de cette machine ne peuvent pas être listées : {e}")
            }
        }
    }
}

impl Machine {
    /// Asks the system, and the environment for [`NODE_VARIABLE`].
    pub fn this_one() -> Result<Machine, IdentityError> {
        let interfaces = nix::ifaddrs::getifaddrs().map_err(io::Error::from)?;
        let addresses = interfaces.filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        });
        Ok(Machine {
            named: std::env::var(NODE_VARIABLE).ok().filter(|name| !name.is_empty()),
            addresses: addresses.collect(),
            hostname: level::hostname(),
        })
    }
}

/// The node that `machine` is: the one that is named, else the one whose `laddr` or `addr` is an
/// address of the machine, else the one that bears its host name (with or without its domain).
/// Names of cluster.xml are asked of the resolver, so this blocks; one without an address is skipped.
pub fn this_node(cluster: &ClusterConfig, machine: &Machine) -> Result<NodeName, IdentityError> {
    let all = cluster.nodes();
    let find = |name: &str| all.iter().find(|node| node.as_str() == name).cloned();
    if let Some(named) = &machine.named {
        let unknown = || IdentityError::UnknownName { named: named.clone(), nodes: join(&all) };
        return find(named).ok_or_else(unknown);
    }
    let mut local: Vec<NodeName> = Vec::new();
    for node in cluster.lans.iter().flat_map(|lan| &lan.nodes) {
        if local.contains(&node.name) {
            continue;
        }
        match node.resolve_local() {
            // Every machine has the loopback addresses: they tell nothing.
            Ok(address) if !address.is_loopback() && machine.addresses.contains(&address) => {
                local.push(node.name.clone());
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(node = %node.name, addr = node.addr, %error, "address not resolved"),
        }
    }
    if local.len() > 1 {
        return Err(IdentityError::Several(join(&local)));
    }
    let short = machine.hostname.split('.').next().unwrap_or_default();
    local.pop().or_else(|| find(&machine.hostname)).or_else(|| find(short)).ok_or_else(|| {
        IdentityError::None {
            nodes: join(&all),
            addresses: join(&machine.addresses),
            hostname: machine.hostname.clone(),
        }
    })
}

fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cluster::{Lan, LanNode};
    use std::time::Duration;

    fn cluster() -> ClusterConfig {
        let node = |name: &str, addr: &str, laddr: Option<&str>| LanNode {
            name: name.parse().unwrap(),
            addr: addr.to_owned(),
            laddr: laddr.map(|laddr| laddr.parse().unwrap()),
        };
        let lan = |name: &str, nodes| Lan { name: name.into(), command: name == "default", nodes };
        ClusterConfig {
            port: 4800,
            pulse: Duration::from_millis(700),
            mlost_count: 6,
            slost_count: 12,
            lans: vec![
                lan(
                    "default",
                    vec![node("node1", "192.0.2.1", Some("10.0.0.1")), node("node2", "192.0.2.2", None)],
                ),
                lan("repli", vec![node("node1", "fd00::1", None), node("node2", "fd00::2", None)]),
            ],
            source: String::new(),
        }
    }

    fn machine(named: Option<&str>, addresses: &[&str], hostname: &str) -> Machine {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Machine { named: named.map(Into::into), addresses, hostname: hostname.into() }
    }

    #[test]
    fn name_then_address_then_host_name_tell_the_node() {
        let cases = [
            (machine(Some("node2"), &["10.0.0.1"], "node1"), "node2"),
            (machine(None, &["127.0.0.1", "10.0.0.1"], "other"), "node1"),
            (machine(None, &["fd00::2"], "node1"), "node2"),
            (machine(None, &["172.16.0.1"], "node2"), "node2"),
            (machine(None, &[], "node1.example.com"), "node1"),
        ];
        for (machine, wanted) in cases {
            assert_eq!(this_node(&cluster(), &machine).unwrap().as_str(), wanted, "{machine:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_explained() {
        let error = |machine| this_node(&cluster(), &machine).unwrap_err();
        // Behind NAT the external address is not the machine's own.
        let none = error(machine(None, &["192.0.2.1"], "elsewhere"));
        assert!(matches!(none, IdentityError::None { .. }));
        assert!(
            none.to_string().contains("node1, node2") && none.to_string().contains("192.0.2.1"),
            "{none}"
        );
        let several = error(machine(None, &["10.0.0.1", "fd00::2"], "x"));
        assert!(matches!(several, IdentityError::Several(_)), "{several}");
        assert!(matches!(error(machine(Some("node9"), &[], "node1")), IdentityError::UnknownName { .. }));
    }

    #[test]
    fn this_machine_lists_its_loopback() {
        let machine = Machine::this_one().unwrap();
        assert!(machine.addresses.contains(&IpAddr::from([127, 0, 0, 1])), "{machine:?}");
    }
}
