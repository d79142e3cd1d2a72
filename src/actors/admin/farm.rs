//! The networks of a farm module (CFG-FA-03, CFG-FA-04).

use crate::actors::cluster::LanSetup;
use crate::config::cluster::{ClusterConfig, Lan, LanNode};
use crate::config::module::{Farm, FarmLan};
use crate::ids::NodeName;
use crate::told::Tell;

/// Why a farm has no network.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FarmError {
    /// The configuration of the cluster has changed, or the file names another one.
    #[error("<farm>: lan \"{0}\" is not in cluster.xml: correct its name or cluster.xml")]
    NoLan(String),
    /// This node would be alone for ever.
    #[error("<farm>: this node, {node}, is not on lan \"{lan}\": add it or take another lan")]
    NotOnLan {
        /// The lan.
        lan: String,
        /// This node.
        node: NodeName,
    },
    /// Its old syntax names somebody else.
    #[error("<farm>: node {node} of lan \"{lan}\" is not in cluster.xml: correct its name or cluster.xml")]
    NoNode {
        /// The lan.
        lan: String,
        /// The name.
        node: NodeName,
    },
    /// A name without address.
    #[error(
        "<farm>: the address of {node} on lan \"{lan}\" cannot be resolved: correct the name server or write the address"
    )]
    Unresolved {
        /// The lan.
        lan: String,
        /// This node.
        node: NodeName,
    },
}

impl Tell for FarmError {
    fn french(&self) -> String {
        match self {
            FarmError::NoLan(lan) => {
                format!(
                    "<farm> : le lan \"{lan}\" n'est pas dans cluster.xml : corrigez son nom ou cluster.xml"
                )
            }
            FarmError::NotOnLan { lan, node } => format!(
                "<farm> : ce nœud, {node}, n'est pas sur le lan \"{lan}\" : ajoutez-le ou prenez un autre lan"
            ),
            FarmError::NoNode { lan, node } => format!(
                "<farm> : le nœud {node} du lan \"{lan}\" n'est pas dans cluster.xml : corrigez son nom ou cluster.xml"
            ),
            FarmError::Unresolved { lan, node } => format!(
                "<farm> : l'adresse de {node} sur le lan \"{lan}\" ne peut pas être résolue : corrigez le serveur de \
                 noms ou écrivez l'adresse"
            ),
        }
    }
}

/// The networks of a farm. Asks the resolver: blocks. Another node whose name has no address is skipped
/// with a warning, as it may be reached on another lan.
///
/// # Errors
/// See [`FarmError`].
pub fn lans(farm: &Farm, cluster: &ClusterConfig, me: &NodeName) -> Result<Vec<LanSetup>, FarmError> {
    let nodes = cluster.nodes();
    let one = |configured: &FarmLan| {
        let lan = lan(configured, cluster, &nodes)?;
        if lan.node(me).is_none() {
            return Err(FarmError::NotOnLan { lan: lan.name, node: me.clone() });
        }
        let setup = LanSetup::new(&lan, &nodes, me);
        match setup.local {
            Some(_) => Ok(setup),
            None => Err(FarmError::Unresolved { lan: lan.name, node: me.clone() }),
        }
    };
    farm.lans.iter().map(one).collect()
}

/// The lan of cluster.xml, or that of the syntax before 7.2.
fn lan(configured: &FarmLan, cluster: &ClusterConfig, nodes: &[NodeName]) -> Result<Lan, FarmError> {
    let name = configured.name.clone();
    if configured.legacy_nodes.is_empty() {
        return cluster.lan(&name).cloned().ok_or(FarmError::NoLan(name));
    }
    let node = |(node, addr): &(NodeName, crate::config::address::Address)| match nodes.contains(node) {
        true => Ok(LanNode { name: node.clone(), addr: addr.to_string(), laddr: None }),
        false => Err(FarmError::NoNode { lan: configured.name.clone(), node: node.clone() }),
    };
    let nodes = configured.legacy_nodes.iter().map(node).collect::<Result<_, _>>()?;
    Ok(Lan { name, command: false, nodes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cluster;

    const CLUSTER: &str = "<cluster><lans>\
        <lan name='a'><node name='n1' addr='10.0.0.1'/><node name='n2' addr='10.0.0.2'/></lan>\
        <lan name='b'><node name='n2' addr='10.0.1.2'/></lan></lans></cluster>";

    fn found(farm: &str, me: &str) -> Result<Vec<LanSetup>, FarmError> {
        let cluster = cluster::load(CLUSTER, "cluster.xml").unwrap();
        let text = format!("<safe><service mode='farm'><farm>{farm}</farm></service></safe>");
        let config = crate::config::module::load(&text, "userconfig.xml", &|_| None, None).unwrap();
        lans(config.farm.as_ref().unwrap(), &cluster, &me.parse().unwrap())
    }

    #[test]
    fn both_syntaxes_give_the_addresses_of_all_nodes() {
        let old = "<lan><node name='n1' addr='10.0.0.1'/><node name='n2' addr='10.0.0.2'/></lan>";
        for farm in ["<lan name='a'/>", old] {
            let lans = found(farm, "n2").unwrap();
            let addr = |text: &str| Some(text.parse().unwrap());
            assert_eq!((lans.len(), lans[0].local), (1, addr("10.0.0.2")), "{farm}");
            assert_eq!(lans[0].addrs, [addr("10.0.0.1"), addr("10.0.0.2")]);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let told = |farm, me| found(farm, me).unwrap_err().to_string();
        assert!(told("<lan name='c'/>", "n1").contains("lan \"c\" is not in cluster.xml"));
        assert!(told("<lan name='b'/>", "n1").contains("this node, n1, is not on lan \"b\""));
        let stranger = "<lan><node name='n1' addr='10.0.0.1'/><node name='n9' addr='10.0.0.9'/></lan>";
        assert!(told(stranger, "n1").contains("node n9 of lan \"lan1\" is not in cluster.xml"));
    }
}
