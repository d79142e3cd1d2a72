//! The clients of a farm: who answers them, in both ways to reach all nodes and in both families
//! (spec/acceptance.md F).

use crate::support::{
    Answers, Cluster, Farm, GROUP, MODULE, Node, PORT, PORT2, VIP4, VIP6, bitmaps, bits, connect,
    connect_from, eventually, send, target, wait_shared,
};
use std::net::SocketAddr;

/// The load of a node that shares with another one, and of one that is alone, in messages and as resource.
const HALF: (&str, &str) = ("farm load: 128/256 (group FarmProto_0)", "50%");
const ALL: (&str, &str) = ("farm load: 256/256 (group FarmProto_0)", "100%");

fn membership(names: &str) -> String {
    format!("farm membership: {names} (group {GROUP})")
}

/// Waits for the messages and the resource of a load after a mark in the log.
fn wait_load(node: &Node, from: usize, names: &str, (load, share): (&str, &str)) {
    node.wait_log(MODULE, from, &[&membership(names), load]);
    let resource = format!("lbgroup.{GROUP}");
    eventually(&format!("{resource} {share} on {}", node.name()), || {
        (node.resource(MODULE, &resource).as_deref() == Some(share)).then_some(())
    });
}

fn ping(client: &Node, address: &str) -> String {
    let output = client.sh(&format!("ping -c 2 -i 0.3 -W 5 {address}"));
    assert_eq!(output.code, 0, "{address} does not answer: {output:?}");
    output.stdout
}

/// The MAC address that a machine has learnt for an address.
fn neighbour(client: &Node, address: &str) -> String {
    let output = client.sh(&format!("ip neigh show {address}"));
    let words: Vec<_> = output.stdout.split_whitespace().collect();
    let at =
        words.iter().position(|word| *word == "lladdr").unwrap_or_else(|| panic!("{address}: {output:?}"));
    words[at + 1].to_owned()
}

fn mac(node: &Node) -> String {
    node.sh("cat /sys/class/net/eth0/address").stdout.trim().to_owned()
}

/// F-4.3.4a and b: log, alias, pings and ARP (or ND) of the client.
fn virtual_address(test: &str, kind: &str, expected: impl Fn(&Cluster, &str) -> Vec<String>) {
    let cluster = Farm { kind, ..Farm::default() }.up(test, 2);
    for vip in [VIP4, VIP6] {
        for node in cluster.nodes() {
            node.assert_log(MODULE, 0, &[&format!("Virtual IP {vip} set")]);
            assert!(node.has_address(vip), "{vip} is an alias on {}", node.name());
            let own = if vip == VIP4 { node.inside().address(1) } else { node.inside().address6(1) };
            ping(cluster.client(), &own);
        }
        ping(cluster.client(), vip);
        let learnt = neighbour(cluster.client(), vip);
        assert!(expected(&cluster, vip).contains(&learnt), "{vip} is at {learnt}");
    }
    // What the nodes send themselves must not teach clients anything else.
    assert!(connect(cluster.client(), target(VIP4), 40).len() == 2);
    let learnt = neighbour(cluster.client(), VIP4);
    assert!(expected(&cluster, VIP4).contains(&learnt), "{VIP4} is at {learnt}");
}

#[test]
fn f_4_3_4a_vmac_invisible() {
    // That of the first address of the interface (CFG-VIP-09).
    virtual_address("f_4_3_4a", "vmac_invisible", |_, _| vec!["5a:fe:0a:4d:01:64".to_owned()]);
}

#[test]
fn f_4_3_4b_vmac_directed() {
    virtual_address("f_4_3_4b", "vmac_directed", |cluster, _| cluster.nodes().iter().map(mac).collect());
}

/// F-4.3.5a and b: both serve, each half; then one stops and the other serves all; in both families.
fn sessions(test: &str, kind: &str) {
    let cluster = Farm { kind, ..Farm::default() }.up(test, 2);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let marks = [0, 0];
    for (node, from) in [node1, node2].into_iter().zip(marks) {
        wait_load(node, from, "node1 node2", HALF);
    }
    for (node, number) in [(node1, 1), (node2, 2)] {
        let maps = bitmaps(node);
        assert_eq!((maps.len(), maps[0].0, bits(&maps[0].1)), (1, number, 128), "{maps:?}");
    }
    let both = |answers: &Answers| answers.len() == 2;
    for vip in [VIP4, VIP6] {
        let answers = connect(cluster.client(), target(vip), 60);
        assert!(both(&answers), "{vip}: {answers:?}");
    }
    let from = node1.mark(MODULE);
    node2.ok(&["stop", "-m", MODULE]);
    node2.wait_state(MODULE, "STOP");
    wait_load(node1, from, "node1", ALL);
    assert_eq!(bitmaps(node1), [(1, [u32::MAX; 8])]);
    for vip in [VIP4, VIP6] {
        let answers = connect(cluster.client(), target(vip), 30);
        assert_eq!(answers, Answers::from([("node1".to_owned(), 30)]), "{vip}");
        assert!(!node2.has_address(vip));
    }
    node2.ok(&["start", "-m", MODULE]);
    wait_shared(&[node1, node2]);
    assert!(both(&connect(cluster.client(), target(VIP4), 60)));
}

#[test]
fn f_4_3_5a_f_4_3_5b_vmac_directed() {
    sessions("f_4_3_5_directed", "vmac_directed");
}

#[test]
fn f_4_3_5a_f_4_3_5b_vmac_invisible() {
    sessions("f_4_3_5_invisible", "vmac_invisible");
}

/// Who answers a client by the first rule of a farm, as `safekit farm owner` says.
fn owner(node: &Node, client: &str) -> String {
    let report = node.json(&["farm", "owner", "-m", MODULE, client]);
    report["owners"][0]["node"].as_str().unwrap_or_else(|| panic!("{client}: {report}")).to_owned()
}

/// F-4.3.5c.
fn filters(test: &str, kind: &str) {
    let groups = r#"<group name="FarmProto"><rule port="8080" proto="tcp" filter="on_addr"/>
        <rule port="8081" proto="tcp" filter="on_port"/><rule port="8080" proto="udp" filter="on_ipid"/></group>"#;
    let cluster = Farm { kind, groups, ..Farm::default() }.up(test, 2);
    let (node1, client) = (cluster.node(1), cluster.client());
    let mut seen = Answers::new();
    for n in 200..212 {
        for (vip, own, length) in [(VIP4, format!("10.77.1.{n}"), 24), (VIP6, format!("fd77:1::{n}"), 64)] {
            assert_eq!(client.sh(&format!("ip addr add {own}/{length} dev eth0 nodad")).code, 0);
            let from = SocketAddr::new(own.parse().expect("an address"), 0);
            let answers: Vec<_> = (0..5).map(|_| connect_from(client, from, target(vip))).collect();
            let expected = owner(cluster.node(2), &own);
            assert!(answers.iter().all(|name| *name == expected), "{own}: {answers:?}, not {expected}");
            *seen.entry(expected).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), 2, "on_addr spreads clients: {seen:?}");
    for vip in [VIP4, VIP6] {
        let to = SocketAddr::new(target(vip).ip(), PORT2);
        assert_eq!(connect(client, to, 60).len(), 2, "on_port spreads the sessions of one client");
    }
    assert_eq!(
        send(client, SocketAddr::new(target(VIP4).ip(), PORT), 60).len(),
        2,
        "on_ipid spreads datagrams"
    );
    let v6 = send(client, SocketAddr::new(target(VIP6).ip(), PORT), 20);
    assert_eq!(v6.len(), 1, "IPv6 datagrams go by address: {v6:?}");
    let report = node1.json(&["farm", "owner", "-m", MODULE, "10.77.1.200"]);
    let unknown =
        report["owners"].as_array().expect("a list").iter().filter(|row| row["node"].is_null()).count();
    assert_eq!(unknown, 2, "without a port of the client only on_addr can be told: {report}");
}

#[test]
fn f_4_3_5c_vmac_directed() {
    filters("f_4_3_5c_directed", "vmac_directed");
}

#[test]
fn f_4_3_5c_vmac_invisible() {
    filters("f_4_3_5c_invisible", "vmac_invisible");
}

/// F-4.3.6: each side of a cut serves alone, then they share again; nothing is restarted.
fn isolation(test: &str, kind: &str) {
    let cluster = Farm { kind, ..Farm::default() }.up(test, 2);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    cluster.cut(node1, None);
    wait_load(node1, marks[0], "node1", ALL);
    wait_load(node2, marks[1], "node2", ALL);
    assert_eq!(bitmaps(node1), [(1, [u32::MAX; 8])]);
    assert_eq!(bitmaps(node2), [(2, [u32::MAX; 8])]);
    for vip in [VIP4, VIP6] {
        // A client that has learnt the MAC address of the other side is told the one of this side.
        eventually("the client reaches its side", || {
            let reached = cluster.client().sh(&format!("ping -c 1 -W 1 {vip}")).code == 0;
            reached.then_some(())
        });
        let answers = connect(cluster.client(), target(vip), 30);
        assert_eq!(answers, Answers::from([("node2".to_owned(), 30)]), "{vip}");
    }
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    cluster.heal(node1, None);
    wait_load(node1, marks[0], "node1 node2", HALF);
    wait_load(node2, marks[1], "node1 node2", HALF);
    wait_shared(&[node1, node2]);
    for vip in [VIP4, VIP6] {
        assert_eq!(connect(cluster.client(), target(vip), 60).len(), 2, "{vip}");
    }
    for node in [node1, node2] {
        let starts = node.log(MODULE).iter().filter(|line| line.contains("Script start_both")).count();
        assert_eq!(starts, 1, "the application of {} went on", node.name());
    }
}

#[test]
fn f_4_3_6_vmac_directed() {
    isolation("f_4_3_6_directed", "vmac_directed");
}

#[test]
fn f_4_3_6_vmac_invisible() {
    isolation("f_4_3_6_invisible", "vmac_invisible");
}

/// F-4.3.7: a ping reaches every node, and each answers.
#[test]
fn f_4_3_7_ping_reaches_all_nodes() {
    let cluster = Farm { kind: "vmac_invisible", ..Farm::default() }.up("f_4_3_7", 3);
    for vip in [VIP4, VIP6] {
        // The MAC addresses are learnt by then.
        ping(cluster.client(), vip);
        let said = ping(cluster.client(), vip);
        let first: Vec<_> = said.lines().filter(|line| line.contains("icmp_seq=1 ")).collect();
        let duplicates = first.iter().filter(|line| line.contains("DUP!")).count();
        assert_eq!((first.len(), duplicates), (3, 2), "{said}");
    }
}

/// Pearson's statistic of answers against the shares that were wanted.
fn chi_square(answers: &Answers, powers: &[(&str, f64)]) -> f64 {
    let total = answers.values().sum::<usize>() as f64;
    let whole: f64 = powers.iter().map(|(_, power)| power).sum();
    let term = |(name, power): &(&str, f64)| {
        let (seen, wanted) = (answers.get(*name).copied().unwrap_or(0) as f64, total * power / whole);
        (seen - wanted).powi(2) / wanted
    };
    powers.iter().map(term).sum()
}

/// Beyond it one of a hundred thousand good samples lies, with two degrees of freedom.
const UNLIKELY: f64 = 23.0;

fn hosts(powers: [u32; 3]) -> String {
    let host = |(n, power)| format!(r#"<host name="node{}" power="{power}"/>"#, n + 1);
    format!("<cluster>{}</cluster>", powers.iter().enumerate().map(host).collect::<String>())
}

/// F-15.5.3, and shares of 2:1:1 and 3:2:1 as clients see them.
#[test]
fn f_15_5_3_powers() {
    let powers = [[3, 1, 1], [2, 1, 1], [3, 2, 1], [0, 1, 1]];
    let rules = ["80", "8080", "8081", "443"];
    let group = |(n, (powers, port))| {
        let rule = format!(r#"<rule port="{port}" proto="tcp" filter="on_port"/>"#);
        format!(r#"<group name="g{n}">{}{rule}</group>"#, hosts(powers))
    };
    let groups: String = powers.into_iter().zip(rules).enumerate().map(group).collect();
    let cluster = Farm { groups: &groups, ..Farm::default() }.up("f_15_5_3", 3);
    let maps: Vec<_> = cluster.nodes().iter().map(bitmaps).collect();
    for (group, powers) in powers.iter().enumerate() {
        let whole: u32 = powers.iter().sum();
        for (node, power) in powers.iter().enumerate() {
            let (seen, wanted) = (bits(&maps[node][group].1), f64::from(256 * power) / f64::from(whole));
            assert!((f64::from(seen) - wanted).abs() <= 1.0, "node{} has {seen} of g{group}", node + 1);
            let text = format!("farm load: {seen}/256 (group g{group}_{group})");
            cluster.nodes()[node].assert_log(MODULE, 0, &[&text]);
            assert!(*power > 0 || seen == 0);
        }
    }
    for (port, powers) in [(PORT, [2.0, 1.0, 1.0]), (PORT2, [3.0, 2.0, 1.0])] {
        let mut answers = Answers::new();
        for (client, vip) in cluster.clients().iter().zip([VIP4, VIP6]) {
            for (name, times) in connect(client, SocketAddr::new(target(vip).ip(), port), 200) {
                *answers.entry(name).or_default() += times;
            }
        }
        let powers: Vec<_> = ["node1", "node2", "node3"].into_iter().zip(powers).collect();
        let chi_square = chi_square(&answers, &powers);
        assert!(chi_square < UNLIKELY, "{answers:?} for {powers:?}: {chi_square}");
    }
}

#[test]
fn wrong_shares_would_be_found() {
    let answers = |counts: [usize; 3]| -> Answers {
        ["a", "b", "c"].iter().map(|name| (*name).to_owned()).zip(counts).collect()
    };
    let powers = [("a", 2.0), ("b", 1.0), ("c", 1.0)];
    assert!(chi_square(&answers([205, 98, 97]), &powers) < UNLIKELY);
    assert!(chi_square(&answers([134, 133, 133]), &powers) > UNLIKELY);
    assert!(chi_square(&answers([270, 130, 0]), &powers) > UNLIKELY);
}
