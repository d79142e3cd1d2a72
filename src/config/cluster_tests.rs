use super::*;
use std::io::ErrorKind;

fn faults(text: &str) -> Vec<String> {
    let errors = load(text, "c").unwrap_err();
    errors.0.iter().for_each(|error| crate::told::proof::assert_translated(&error.what));
    errors.to_string().lines().map(str::to_owned).collect()
}

fn lans(attributes: &str, lans: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<cluster><lans{attributes}>{lans}</lans></cluster>")
}

const NODES: &str = "<node name='n1' addr='10.0.0.1'/><node name='n2' addr='10.0.0.2'/>";

/// D-12.1: names, IPv6, NAT, two lans, the command lan, obsolete attributes.
const GOOD: &str = r#"<cluster>
 <lans port="4801" pulse="1s" mlost_count="3" slost_count="9">
  <lan name="default" console="on" framework="on">
   <node name="node1" addr="server1.dns.name" laddr="10.0.0.1"/>
   <node name="node2" addr="[2001::7334]" laddr="[fe80::2]"/>
  </lan>
  <lan name="repli" command="on">
   <node name="node1" addr="10.1.0.1"/>
   <node name="node2" addr="10.1.0.2"/>
  </lan>
 </lans>
</cluster>"#;

#[test]
fn d_12_1_is_accepted() {
    let c = load(GOOD, "cluster.xml").unwrap();
    assert_eq!((c.port, c.pulse, c.mlost_count, c.slost_count), (4801, Duration::from_secs(1), 3, 9));
    assert_eq!(join(&c.nodes()), "node1, node2");
    assert_eq!(c.command_lan().unwrap().name, "repli");
    let default = c.lan("default").unwrap();
    assert!(!default.command);
    assert_eq!(default.nodes[1].addr, "2001::7334");
    assert_eq!(default.nodes[1].resolve().unwrap(), "2001::7334".parse::<IpAddr>().unwrap());
    assert_eq!(default.nodes[0].resolve_local().unwrap(), "10.0.0.1".parse::<IpAddr>().unwrap());
    assert_eq!(c.source, GOOD);
}

#[test]
fn defaults_are_those_of_amb_15() {
    let c = load(&lans("", &format!("<lan name='a'>{NODES}</lan><lan name='b'>{NODES}</lan>")), "c").unwrap();
    assert_eq!((c.port, c.pulse), (4800, Duration::from_millis(700)));
    assert_eq!((c.mlost_count, c.slost_count), (6, 12));
    assert_eq!(c.command_lan().unwrap().name, "a");
}

#[test]
fn d_12_1_is_refused() {
    let partial = "<node name='n1' addr='10.0.0.1'/>";
    for (text, needle) in [
        (format!("<lan name='a' command='on'>{NODES}</lan><lan name='b' command='on'>{NODES}</lan>"), "only one <lan> may"),
        (format!("<lan name='a'>{NODES}</lan><lan name='b' command='on'>{partial}</lan>"), "it lacks n2"),
        (format!("<lan name='a'>{partial}</lan><lan name='b'>{NODES}</lan>"), "is the first, and none"),
        (format!("<lan name='a'>{NODES}</lan><lan name='a'>{NODES}</lan>"), "\"a\" is already used"),
        (format!("<lan name='a'>{partial}</lan>"), "at least 2 nodes"),
        (
            "<lan name='a'><node name='n1' addr='10.0.0.1'/></lan><lan name='b'><node name='n2' addr='10.0.0.2'/></lan>".into(),
            "must hold all nodes",
        ),
        ("<lan name='a'><node name='n1' addr='h'/><node name='n1' addr='i'/></lan>".into(), "\"n1\" is already used"),
        ("<lan name='a'><node name='n1' addr='h'/><node name='n2' addr='h'/></lan>".into(), "\"h\" is already used"),
        ("".into(), "at least one <lan>"),
    ] {
        let found = faults(&lans("", &text)).join("\n");
        assert!(found.contains(needle), "{text}: {found}");
    }
}

#[test]
fn all_faults_at_once() {
    let text = lans(
        " port='0' pulse='10x'",
        "\n<lan>\n<node name='a b' addr='10.0.0'/>\n<node laddr='name'/></lan>\n<langs/>",
    );
    let wanted = [
        "c:2: <lans> port=\"0\": write a whole number from 1 to 65535",
        "c:2: <lans> pulse=\"10x\": write a whole number of milliseconds, or one with its unit (ms, s, m, h, d), from 10ms to 1m",
        "c:3: <lan>: attribute name is missing",
        "c:4: <node> name=\"a b\": \"a b\" is not a node name: use 1 to 64 letters, digits, . _ and -, beginning with a letter or digit",
        "c:4: <node> addr=\"10.0.0\": write an IPv4 address, an IPv6 address or a host name",
        "c:5: <node>: attribute name is missing",
        "c:5: <node>: attribute addr is missing",
        "c:5: <node> laddr=\"name\": write an IPv4 or IPv6 address, not a name",
        "c:6: <langs>: unknown tag in <lans>: tags are lan",
    ];
    assert_eq!(faults(&text), wanted);
}

#[test]
fn cluster_ip_holds_addresses_only() {
    let c = load(GOOD, "c").unwrap();
    let fixed = |n: &LanNode| match n.addr.parse() {
        Ok(ip) => Ok(ip),
        Err(_) => Ok(IpAddr::from([192, 168, 0, 1])),
    };
    let ip = c.resolved(&fixed).unwrap();
    let wanted = r#"<?xml version="1.0"?>
<cluster>
  <lans port="4801" pulse="1000ms" mlost_count="3" slost_count="9">
    <lan name="default" command="off">
      <node name="node1" addr="192.168.0.1" laddr="10.0.0.1"/>
      <node name="node2" addr="[2001::7334]" laddr="[fe80::2]"/>
    </lan>
    <lan name="repli" command="on">
      <node name="node1" addr="10.1.0.1"/>
      <node name="node2" addr="10.1.0.2"/>
    </lan>
  </lans>
</cluster>
"#;
    assert_eq!(ip.source, wanted);
    let again = load(&ip.source, "cluster_ip.xml").unwrap();
    assert_eq!(again, ip);
    let refused = c.resolved(&|_| Err(ErrorKind::NotFound.into())).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("cannot resolve \"server1.dns.name\", the address of node1 on lan \"default\"")
    );
}

#[test]
fn three_hundred_nodes_are_too_many() {
    let nodes = |n: usize| -> String {
        (0..n).map(|n| format!("<node name='n{n}' addr='10.0.{}.{}'/>", n / 200, n % 200 + 1)).collect()
    };
    let text = |n| lans("", &format!("<lan name='a'>{}</lan>", nodes(n)));
    assert_eq!(faults(&text(300)), ["c:2: <lans>: a cluster has at most 64 nodes: these are 300"]);
    assert_eq!(load(&text(64), "c").unwrap().nodes().len(), 64);
}
