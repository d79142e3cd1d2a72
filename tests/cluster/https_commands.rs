//! Commands on other nodes by HTTPS: ports, nodes with and without it, and certificates that are not to be
//! trusted (spec/acceptance.md D-9.1a, W-11b).

use crate::support::{Authority, Cluster, Node, Output, VALID, eventually, set_https};

const PASSWORD: &str = "word for the console";

/// The lines between the answers of nodes.
fn headers(output: &Output) -> Vec<&str> {
    output.stdout.lines().filter(|line| line.starts_with("---- ") && line.contains("http")).collect()
}

/// The one line of error, of a command that one node has answered and one has not.
fn half(output: &Output) -> String {
    assert_eq!((output.code, output.stdout.matches("SafeKit : ").count()), (1, 1), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    output.stderr.trim_end().to_owned()
}

fn level(node: &Node, hosts: &str) -> Output {
    node.safekit(&["-H", hosts, "level"])
}

#[test]
fn d_9_1a_https_on_a_port_of_its_own() {
    let cluster = Cluster::new("d_9_1a_https");
    cluster.with_https(&Authority::new("one"), &[], "Define httpsport 9500");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    for hosts in ["[https:9500],node1", "[https],node1", "node1"] {
        let output = level(node1, hosts);
        assert_eq!((output.code, headers(&output)), (0, vec!["---- node1 https://10.77.1.1:9500 ----"]));
        assert_eq!(output.stdout.matches("SafeKit : ").count(), 1, "{hosts}: {output:?}");
    }
    let both = ["---- node1 https://10.77.1.1:9500 ----", "---- node2 https://10.77.1.2:9500 ----"];
    let output = level(node2, "*");
    assert_eq!((output.code, headers(&output)), (0, both.to_vec()), "{output:?}");
    let refused = level(node1, "[https:9501],node1");
    assert_eq!((refused.code, headers(&refused)), (1, vec!["---- node1 https://10.77.1.1:9501 ----"]));
    assert!(refused.stderr.starts_with("Error: node1 (10.77.1.1:9501): Connection refused: "), "{refused:?}");

    // Browsers are sent from 9010 to HTTPS; a command is told where to ask.
    for hosts in ["http://10.77.1.1:9010,https://10.77.1.2:9500", "[http],node1"] {
        let output = level(node1, hosts);
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains("this node serves HTTPS at https://10.77.1.1:9500: "), "{output:?}");
    }
    let plain = level(node1, "https://10.77.1.2:9010,node1");
    assert!(half(&plain).contains("https://10.77.1.2:9010: what answers there does not speak HTTPS: "));

    // HTTPS on one node only.
    set_https(node2, false, "");
    let error = half(&level(node1, "*"));
    let wanted = "Error: node2 (10.77.1.2:9500): Connection refused: is its web service running?";
    assert!(error.starts_with(wanted) && error.contains("on or off on all nodes alike"), "{error}");
    let error = half(&level(node2, "*"));
    assert!(
        error.contains("node1 (10.77.1.1:9010): this node serves HTTPS at https://10.77.1.1:9500"),
        "{error}"
    );
    for (node, hosts) in
        [(node1, "https://10.77.1.1:9500,http://10.77.1.2:9010"), (node2, "[https:9500],node1")]
    {
        let output = level(node, hosts);
        assert_eq!(output.code, 0, "{output:?}");
    }
}

#[test]
fn w_11b_certificates_that_are_not_to_be_trusted() {
    let cluster = Cluster::with("w_11b_distrust", |mut options| {
        options.password = Some(PASSWORD.to_owned());
        options
    });
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    cluster.with_https(&one, &[], "");
    let (node1, node2) = (cluster.node(1), cluster.node(2));
    assert_eq!(level(node1, "*").code, 0);
    // A certificate counts as soon as it is installed; the other node answers all the while.
    let address = ["10.77.1.2"];
    let faults: [(&dyn Fn(), &str); 4] = [
        (
            &|| other.certify(node2, &address, VALID),
            "is not signed by an authority of SAFE/web/conf/cacert.crt",
        ),
        (&|| one.certify(node2, &address, -9..-2), "has expired: make a new one there (initssl rca"),
        (&|| one.certify(node2, &address, 2..9), "is not yet valid: the clocks of the two nodes differ"),
        (
            &|| one.certify(node2, &["10.77.1.3", "elsewhere"], VALID),
            "is not for this name or address: add 10.77.1.2 to SAFE/web/conf/ipnames.json, ipv4.json",
        ),
    ];
    for (install, what) in faults {
        install();
        eventually(what, || level(node1, "*").stderr.contains(what).then_some(()));
        let error = half(&level(node1, "*"));
        assert!(error.starts_with("Error: node2 (10.77.1.2:9453): its certificate "), "{error}");
    }
    other.certify(node2, &address, VALID);
    console_of_node1(node1, |said| said.contains("not signed by an authority"));
    // Without a restart on node1: its web service and its commands trust what cacert.crt holds now.
    other.trusted_by(node1);
    console_of_node1(node1, |said| said.contains("\"safekit\""));
    eventually("another authority", || (level(node1, "node2").code == 0).then_some(()));
    let gone = node1.sh("rm \"$SAFE/web/conf/cacert.crt\"");
    assert_eq!(gone.code, 0, "{gone:?}");
    let error = level(node1, "node2").stderr;
    assert!(error.contains("HTTPS needs the certificate of the certification authority in "), "{error}");
    assert!(error.contains("cacert.crt: No such file"), "{error}");
}

/// What the web service of node1 says of node2.
fn console_of_node1(node1: &Node, look: impl Fn(&str) -> bool) {
    let url = "https://127.0.0.1:9453/api/v1/nodes/node2/level";
    eventually("node1 about node2", || {
        look(&node1.sh(&format!("curl -sk -m 10 -u 'admin:{PASSWORD}' {url}")).stdout).then_some(())
    });
}
