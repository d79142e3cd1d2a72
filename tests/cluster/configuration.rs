//! cluster.xml and userconfig.xml through the commands that read them (spec/acceptance.md D-12, D-13).

use crate::support::{Cluster, MODULE, Mirror, Node};

fn confcheck(node: &Node, xml: &str) -> (i32, String) {
    let file = node.inside().dir().join("checked.xml");
    std::fs::write(&file, xml).expect("the disk of the node");
    let output = node.safekit(&["cluster", "confcheck", &file.to_string_lossy()]);
    (output.code, format!("{}{}", output.stdout, output.stderr))
}

#[test]
fn d_12_1_cluster_configurations() {
    let cluster = Cluster::new("d_12_1");
    let node1 = cluster.node(1);
    let before = node1.json(&["cluster", "confinfo"]);
    let lan = |attributes: &str, nodes: &[&str]| {
        let node = |(n, address): (usize, &&str)| format!("<node name=\"node{}\" {address}/>", n + 1);
        let nodes: String = nodes.iter().enumerate().map(node).collect();
        format!("<lan {attributes}>{nodes}</lan>\n")
    };
    let cluster_of = |lans: &[String]| format!("<cluster>\n<lans>\n{}</lans>\n</cluster>\n", lans.concat());
    let names = [r#"addr="node1.example""#, r#"addr="node2.example""#];
    let nat = [r#"addr="10.0.0.1" laddr="192.168.7.1""#, r#"addr="10.0.0.2""#];
    let v6 = [r#"addr="[fd77:1::1]""#, r#"addr="[fd77:1::2]""#];
    for good in [
        vec![lan(r#"name="a""#, &names)],
        vec![lan(r#"name="a""#, &v6), lan(r#"name="b""#, &nat)],
        vec![lan(r#"name="a" console="on""#, &v6), lan(r#"name="b" command="on" framework="on""#, &nat)],
        vec![lan(r#"name="a" command="on""#, &nat), lan(r#"name="b""#, &v6[..1])],
    ] {
        let (code, said) = confcheck(node1, &cluster_of(&good));
        assert_eq!(code, 0, "{good:?}: {said}");
    }
    for (bad, line, reason) in [
        (
            vec![lan(r#"name="a" command="on""#, &v6), lan(r#"name="b" command="on""#, &nat)],
            ":2:",
            "only one <lan>",
        ),
        (vec![lan(r#"name="a""#, &nat), lan(r#"name="b" command="on""#, &v6[..1])], ":2:", "it lacks node2"),
        (vec![lan(r#"name="a""#, &[r#"addr="[fd77:1::1""#, v6[1]])], ":3:", "<node> addr="),
    ] {
        let (code, said) = confcheck(node1, &cluster_of(&bad));
        assert_ne!(code, 0, "{bad:?}");
        assert!(said.contains(line) && said.contains(reason), "{bad:?}: {said}");
    }
    assert_eq!(node1.json(&["cluster", "confinfo"]), before, "a check applies nothing");
}

#[test]
fn d_13_1_macros_and_durations() {
    let cluster = Cluster::new("d_13_1");
    let node1 = cluster.node(1);
    // SAFEKIT_NODE is in the environment of safeadmin, and SAFEVAR too.
    let user = r#"<user nicestoptimeout="%LIMIT%">
      <var name="OF_MACRO" value="%GREETING%"/>
      <var name="OF_ENVIRONMENT" value="%SAFEKIT_NODE%"/>
      <var name="OF_BOTH" value="%SAFEVAR%"/>
    </user>"#;
    let macros = r#"<safe>
  <macro name="GREETING" value="hello"/>
  <macro name="SAFEVAR" value="macro"/>
  <macro name="LIMIT" value="10s"/>"#;
    let xml = |failover: &str| {
        let mirror = Mirror { user, failover, service: r#"boot="off""#, ..Mirror::default() };
        mirror.xml().replacen("<safe>", macros, 1)
    };
    let say = r#"echo "$OF_MACRO $OF_ENVIRONMENT $OF_BOTH" >"$SAFEUSERVAR/variables""#;
    let short = r#"period="200" handle_time="400""#;
    cluster.install_on(&cluster.nodes()[..1], MODULE, &xml(short), &[("start_prim", say)]);
    node1.ok(&["prim", "-m", MODULE]);
    node1.wait_state(MODULE, "ALONE");
    assert_eq!(node1.written(MODULE, "variables"), "hello node1 macro\n");
    // The times of <failover> may not change while the module runs: so these are the same.
    for same in [r#"period="200ms" handle_time="400ms""#, r#"period="200ms" handle_time="400""#] {
        node1.edit(MODULE, &xml(same));
        node1.ok(&["config", "-m", MODULE]);
    }
    for (other, code) in [(r#"period="1s" handle_time="2s""#, 1), (r#"period="1000" handle_time="2000""#, 1)]
    {
        node1.edit(MODULE, &xml(other));
        let output = node1.safekit(&["config", "-m", MODULE]);
        assert_eq!(output.code, code, "{output:?}");
        assert!(output.stderr.contains("only dynamic changes are allowed"), "{output:?}");
    }
    node1.edit(MODULE, &xml(r#"period="10x" handle_time="400""#));
    let output = node1.safekit(&["config", "-m", MODULE]);
    assert_ne!(output.code, 0);
    assert!(output.stderr.contains("<failover> period=\"10x\""), "{output:?}");
    node1.wait_state(MODULE, "ALONE");
}
