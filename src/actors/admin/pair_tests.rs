use super::*;
use crate::config::{cluster, module};

fn cluster(nodes: usize) -> ClusterConfig {
    let lan = |name: &str, net: u8, nodes: usize| {
        let node = |n| format!("<node name='n{n}' addr='10.77.{net}.{n}'/>");
        format!("<lan name='{name}'>{}</lan>", (1..=nodes).map(node).collect::<String>())
    };
    let text = format!("<cluster><lans>{}{}</lans></cluster>", lan("default", 1, nodes), lan("repli", 2, 2));
    cluster::load(&text, "cluster.xml").unwrap()
}

fn config(heartbeats: &str) -> ModuleConfig {
    let text = format!("<safe><service mode='mirror'><heart>{heartbeats}</heart></service></safe>");
    module::load(&text, "userconfig.xml", &|_| None, None).unwrap()
}

fn find(
    config: &ModuleConfig,
    cluster: &ClusterConfig,
    elsewhere: &[Elsewhere],
    last: Option<&str>,
) -> Result<Pair, PairError> {
    let last = last.map(|n| n.parse().unwrap());
    pair(
        config,
        &Known {
            module: &"mirror".parse().unwrap(),
            id: 1,
            cluster,
            me: &"n2".parse().unwrap(),
            elsewhere,
            last: last.as_ref(),
            machine: &BTreeSet::from(["10.77.1.2".parse().unwrap()]),
        },
    )
}

fn at(node: &str, id: ModuleId) -> Elsewhere {
    Elsewhere { node: node.parse().unwrap(), module: "mirror".parse().unwrap(), id, configured: true }
}

#[test]
fn two_nodes_are_a_pair_with_a_network_for_each_heartbeat() {
    let found = find(
        &config("<heartbeat name='default'/><heartbeat name='repli' ident='flow'/>"),
        &cluster(2),
        &[],
        None,
    )
    .unwrap();
    assert_eq!((found.me.0, found.peer.0, found.peer.1.as_str()), (1, 0, "n1"));
    let networks: Vec<String> = found.networks.iter().map(|(i, l, r)| format!("{i} {l} {r}")).collect();
    assert_eq!(networks, ["default 10.77.1.2 10.77.1.1", "flow 10.77.2.2 10.77.2.1"]);
}

#[test]
fn in_a_larger_cluster_the_module_elsewhere_tells_then_the_last_peer() {
    let (config, cluster) = (config("<heartbeat name='default'/>"), cluster(3));
    let unknown = find(&config, &cluster, &[], None).unwrap_err().to_string();
    assert!(unknown.contains("n1, n3"), "{unknown}");
    assert_eq!(find(&config, &cluster, &[at("n3", 1)], Some("n1")).unwrap().peer.1.as_str(), "n3");
    assert_eq!(find(&config, &cluster, &[], Some("n1")).unwrap().peer.1.as_str(), "n1");
    assert!(find(&config, &cluster, &[], Some("n9")).is_err());
    let third = find(&config, &cluster, &[at("n1", 1), at("n3", 1)], Some("n1")).unwrap_err();
    assert!(third.to_string().contains("more than two nodes"), "{third}");
    let ids = find(&config, &cluster, &[at("n3", 4)], None).unwrap_err();
    assert!(ids.to_string().contains("-M 4"), "{ids}");
}

#[test]
fn a_lan_with_two_of_three_nodes_tells_the_pair() {
    let found = find(&config("<heartbeat name='repli'/>"), &cluster(3), &[], None).unwrap();
    assert_eq!(found.peer.1.as_str(), "n1");
}

#[test]
fn what_leads_nowhere_is_refused() {
    let error = find(&config("<heartbeat name='other'/>"), &cluster(2), &[], None).unwrap_err();
    assert!(matches!(error, PairError::Nobody(_)), "{error}");
}

#[test]
fn the_old_syntax_finds_this_node_by_its_address() {
    let old = |a: &str, b: &str| {
        config(&format!("<heartbeat ident='h'><server addr='{a}'/><server addr='{b}'/></heartbeat>"))
    };
    let found = find(&old("10.77.1.1", "10.77.1.2"), &cluster(2), &[], None).unwrap();
    let net = |s: &str| s.parse::<IpAddr>().unwrap();
    assert_eq!(found.networks, [("h".to_owned(), net("10.77.1.2"), net("10.77.1.1"))]);
    let error = find(&old("10.9.1.1", "10.9.1.2"), &cluster(2), &[], None).unwrap_err();
    assert!(matches!(error, PairError::NotOurs(_)), "{error}");
}
