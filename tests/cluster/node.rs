//! The node itself (spec/acceptance.md I and T).

use crate::support::{Cluster, MODULE, Mirror};

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
