//! The nodes of the cluster and its configuration, for the console.

use super::{Admin, AdminError, Place, off};
use crate::actors::cluster::Member;
use crate::config::cluster::ClusterConfig;
use crate::control::access::Access;
use crate::control::server::Call;
use crate::control::{AddressRow, ClusterReport, NodeRow, Reply};
use crate::ids::NodeName;
use crate::node::cluster;

impl Admin {
    pub(super) async fn nodes(&self, call: &Call) -> Result<i32, AdminError> {
        // Without a cluster there are no nodes.
        let place = self.0.place.borrow().clone().ok();
        let members = if place.is_some() { self.members().await? } else { Vec::new() };
        let rows = place.map(|place| rows(&place, &members)).unwrap_or_default();
        self.say(call, Reply::Nodes(rows)).await;
        Ok(0)
    }

    pub(super) async fn cluster_get(&self, call: &Call) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        let xml = off(move || cluster::present(&paths)).await??;
        let (place, info) = (self.0.place.borrow().clone(), self.0.cluster_info.borrow().clone());
        let info = info.filter(|_| xml.is_some());
        let report = ClusterReport {
            configured: xml.is_some(),
            signature: info.as_ref().map(|i| i.signature.clone()).unwrap_or_default(),
            date: info.as_ref().map(|i| i.date.clone()).unwrap_or_default(),
            lock: info.is_some_and(|i| i.locked),
            node: place.as_ref().ok().map(|place| place.me.clone()),
            nodes: place.as_ref().map(|place| place.config.nodes()).unwrap_or_default(),
            trouble: place.err().filter(|_| xml.is_some()).map(|why| why.into(call.caller.lang)),
        };
        self.say(call, Reply::Cluster(report)).await;
        if let (Some(xml), Access::Admin) = (xml, call.caller.access) {
            let _gone = call.sink.attach(xml.as_bytes()).await;
        }
        Ok(0)
    }

    /// The zip with which another node gets this configuration and its key.
    pub(super) async fn cluster_export(&self, call: &Call) -> Result<i32, AdminError> {
        let paths = self.0.paths.clone();
        self.give(call, move || Ok(cluster::package(&paths)?)).await
    }
}

/// The nodes in the order of cluster.xml, with what they said of themselves.
fn rows(place: &Place, members: &[Member]) -> Vec<NodeRow> {
    let row = |node: NodeName| {
        let member = members.iter().find(|member| member.name == node);
        let view = member.and_then(|member| member.view.clone()).unwrap_or_default();
        NodeRow {
            me: node == place.me,
            online: member.is_some_and(|member| member.online),
            addresses: addresses(&place.config, &node),
            command: command(&place.config, &node),
            version: view.safekit_version,
            signature: view.cluster_signature,
            date: view.cluster_date,
            lock: view.cluster_locked,
            node,
        }
    };
    place.config.nodes().into_iter().map(row).collect()
}

fn addresses(cluster: &ClusterConfig, node: &NodeName) -> Vec<AddressRow> {
    let on = cluster.lans.iter().filter_map(|lan| Some((lan, lan.node(node)?)));
    on.map(|(lan, node)| AddressRow { lan: lan.name.clone(), addr: node.addr.clone() }).collect()
}

fn command(cluster: &ClusterConfig, node: &NodeName) -> String {
    cluster.command_lan().and_then(|lan| lan.node(node)).map(|n| n.addr.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::cluster::NodeView;
    use crate::node::cluster::ClusterInfo;

    #[test]
    fn every_node_has_its_addresses_and_what_it_said() {
        let xml = "<cluster><lans><lan name='a'><node name='n1' addr='10.0.0.1'/><node name='n2' addr='10.0.0.2'/></lan>\
                   <lan name='b' command='on'><node name='n1' addr='10.0.1.1'/><node name='n2' addr='10.0.1.2'/></lan>\
                   </lans></cluster>";
        let config = crate::config::cluster::load(xml, "cluster.xml").unwrap();
        let info = ClusterInfo { signature: "s".into(), date: "d".into(), locked: false };
        let place = Place { config, me: "n1".parse().unwrap(), info };
        let view = NodeView { safekit_version: "1".into(), cluster_locked: true, ..NodeView::default() };
        let member = Member {
            node: 1,
            name: "n2".parse().unwrap(),
            me: false,
            online: true,
            heard_ms_ago: Some(3),
            clock_ahead_ms: None,
            view: Some(view),
        };
        let rows = rows(&place, &[member]);
        assert_eq!(rows.iter().map(|r| r.command.as_str()).collect::<Vec<_>>(), ["10.0.1.1", "10.0.1.2"]);
        assert_eq!((rows[0].me, rows[0].online, rows[0].version.as_str()), (true, false, ""));
        assert_eq!((rows[1].me, rows[1].online, rows[1].version.as_str()), (false, true, "1"));
        assert!(rows[1].lock);
        let lans: Vec<_> = rows[1].addresses.iter().map(|a| (a.lan.as_str(), a.addr.as_str())).collect();
        assert_eq!(lans, [("a", "10.0.0.2"), ("b", "10.0.1.2")]);
    }
}
