//! The node itself (spec/acceptance.md I and T), and what must survive the death of its daemons.

use crate::support::{Cluster, MODULE, Mirror, VIP, eventually};

#[test]
fn i_4_1_1_environment() {
    let cluster = Cluster::new("i_4_1_1");
    let node1 = cluster.node(1);
    let text = node1.ok(&["-p"]);
    for line in [
        format!("SAFE={}", node1.inside().safe().display()),
        format!("SAFEVAR={}", node1.inside().safevar().display()),
        format!("SAFEBIN={}", node1.inside().safe().join("private/bin").display()),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
    }
}

#[test]
fn i_4_1_3a_without_safeadmin() {
    let cluster = Cluster::new("i_4_1_3a");
    let node1 = cluster.node(1);
    node1.inside().stop_service("safeadmin").expect("stop it");
    let output = node1.safekit(&["state"]);
    assert_ne!(output.code, 0);
    let said = format!("{}{}", output.stdout, output.stderr);
    assert!(said.contains("Waiting for safeadmin"), "{said}");
    assert!(said.contains("Error: safeadmin administrator daemon not running"), "{said}");
    node1.inside().start_service("safeadmin").expect("start it");
    node1.wait_admin();
}

#[test]
fn i_4_1_3c_modules_after_their_installation() {
    let cluster = Cluster::new("i_4_1_3c");
    cluster.install(MODULE, &Mirror { service: "", ..Mirror::default() }.xml(), &[]);
    let ids: Vec<_> = cluster.nodes().iter().map(|node| node.ok(&["module", "listid"])).collect();
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].contains(MODULE), "{ids:?}");
    for node in cluster.nodes() {
        assert_eq!(node.state(MODULE), "STOP");
        assert!(node.ok(&["boot", "status", "-m", MODULE]).contains("off"));
    }
}

#[test]
fn t_7_11_loop_counter() {
    let cluster = Cluster::new("t_7_11");
    cluster.install(MODULE, &Mirror { service: r#"maxloop="3""#, ..Mirror::default() }.xml(), &[]);
    let node1 = cluster.node(1);
    let incloop = || node1.safekit(&["incloop", "-m", MODULE, "-i", "h"]).code;
    let checkloop = || node1.safekit(&["checkloop", "-m", MODULE]).code;
    assert_eq!((incloop(), incloop(), checkloop()), (0, 0, 0));
    assert_eq!((incloop(), checkloop(), incloop(), checkloop()), (0, 1, 1, 1));
    node1.ok(&["resetloop", "-m", MODULE]);
    assert_eq!(checkloop(), 0);
}

/// DESIGN 3: the control plane may die and come back without touching the application.
#[test]
fn safeadmin_killed_on_the_primary_leaves_the_application_alone() {
    let cluster = Cluster::pair("adopt", &Mirror::default(), &[]);
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    let marks = [node1.mark(MODULE), node2.mark(MODULE)];
    let pid = || {
        let services = node1.inside().services().expect("list");
        services.into_iter().find(|service| service.name == "safeadmin").and_then(|service| service.pid)
    };
    let first = pid().expect("it runs");
    assert_eq!(node1.sh(&format!("kill -9 {first}")).code, 0);
    eventually("another safeadmin", || pid().filter(|now| *now != first));
    assert!(node1.has_address(VIP));
    node1.wait_admin();
    node1.wait_state(MODULE, "PRIM");
    node2.wait_state(MODULE, "SECOND");
    assert!(node1.has_address(VIP));
    node1.assert_not_logged(MODULE, marks[0], "Script stop_prim");
    node1.assert_not_logged(MODULE, marks[0], "Script start_prim");
    node2.assert_not_logged(MODULE, marks[1], "Script start_prim");
}
