//! What is wrong is refused through the command line as a whole and with all reasons; nothing changes.

use crate::support::{Cluster, MODULE, Mirror, Output, SCRIPTS, VIP};
use std::io::Write;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn refused(output: &Output, reasons: &[&str]) {
    assert_ne!(output.code, 0, "{output:?}");
    for reason in reasons {
        assert!(output.stderr.contains(reason), "{reason} is not in {output:?}");
    }
}

#[test]
fn malformed_userconfig() {
    let cluster = Cluster::alone("bad_config", &Mirror::default(), &[]);
    let node1 = cluster.node(1);
    let info = || node1.json(&["confinfo", "-m", MODULE])["active"].clone();
    let (before, from) = (info(), node1.mark(MODULE));
    let faulty = r#"<safe>
<service mode="mirror" boot="maybe" color="red">
 <heart pulse="10x">
  <heartbeat name="default"/>
  <heartbeat name="elsewhere"/>
 </heart>
 <user logging="syslog"/>
 <check>
  <tcp ident="a" when="prim"><to addr="127.0.0.1" port="99999"/></tcp>
 </check>
</service></safe>"#;
    let reasons = [
        r#"userconfig.xml:2: <service> boot="maybe""#,
        r#"userconfig.xml:2: <service> color="red""#,
        r#"userconfig.xml:3: <heart> pulse="10x""#,
        r#"userconfig.xml:5: <heartbeat> name="elsewhere""#,
        r#"userconfig.xml:7: <user> logging="syslog""#,
        r#"userconfig.xml:9: <to> port="99999""#,
    ];
    node1.edit(MODULE, faulty);
    for command in ["confcheck", "config"] {
        refused(&node1.safekit(&[command, "-m", MODULE]), &reasons);
    }
    node1.edit(MODULE, "<safe><service mode='mirror'>\n<heart></service></safe>");
    refused(&node1.safekit(&["config", "-m", MODULE]), &["userconfig.xml:2:"]);
    let rules = "<failover><![CDATA[\nbroken: if (tcp.x = down) then restart();\n]]></failover>";
    let xml = Mirror::default().xml();
    let (head, _) = xml.split_once("<failover").expect("it has rules");
    node1.edit(MODULE, &format!("{head}{rules}</service></safe>"));
    refused(&node1.safekit(&["config", "-m", MODULE]), &["<failover>: column"]);
    assert_eq!(info(), before);
    assert_eq!(node1.state(MODULE), "ALONE");
    for text in ["Script", "Local state", "Action"] {
        node1.assert_not_logged(MODULE, from, text);
    }
}

#[test]
fn what_is_not_supported_yet() {
    let cluster = Cluster::new("not_yet");
    let node1 = cluster.node(1);
    let rfs = r#"<rfs scripts="on"><replicated dir="/replicated" mode="read_only"/></rfs>"#;
    node1.unpack(MODULE, 1, &Mirror { more: rfs, ..Mirror::default() }.xml(), &[]);
    let output = node1.safekit(&["config", "-m", MODULE]);
    refused(&output, &["userconfig.xml:", "<rfs>: not supported yet: scripts=\"on\""]);
    assert_ne!(node1.safekit(&["start", "-m", MODULE]).code, 0, "it is not configured");
    refused(&node1.safekit(&["errd", "list", "-m", MODULE]), &["not supported yet"]);
}

#[test]
fn archives_that_reach_out() {
    let cluster = Cluster::new("zip");
    let node1 = cluster.node(1);
    let archive = node1.inside().dir().join("evil.safe");
    let path = archive.to_string_lossy().into_owned();
    for name in ["../evil", "bin/../../../evil", "/evil"] {
        let mut zip = ZipWriter::new(std::fs::File::create(&archive).expect("the disk of the node"));
        for (name, content) in [("conf/userconfig.xml", Mirror::default().xml()), (name, "evil".to_owned())] {
            zip.start_file(name, SimpleFileOptions::default()).expect("a zip takes any name");
            zip.write_all(content.as_bytes()).expect("write it");
        }
        zip.finish().expect("write it");
        refused(&node1.safekit(&["module", "install", "-m", "evil", &path]), &["refused archive"]);
        assert_eq!(node1.ok(&["module", "list"]), "");
        let found = node1.sh("find $SAFE $SAFEVAR -name 'evil*' | grep -v evil.safe");
        assert_eq!(found.stdout, "", "something was unpacked");
    }
    std::fs::write(&archive, "no zip at all").expect("the disk of the node");
    refused(&node1.safekit(&["module", "install", "-m", "evil", &path]), &["not a readable .safe archive"]);
}

/// NET-07.
#[test]
fn net_07_two_modules_never_have_the_same_virtual_address() {
    let cluster = Cluster::new("net_07");
    let node = cluster.node(1);
    let first = Mirror::default().xml();
    node.install(MODULE, 1, &first, &SCRIPTS);
    node.unpack("other", 2, &first, &SCRIPTS);
    let refused = node.safekit(&["config", "-m", "other"]);
    let line = first.lines().position(|line| line.contains("<virtual_addr")).expect("it has one") + 1;
    let wanted = format!(
        "userconfig.xml:{line}: <virtual_addr> addr=\"{VIP}\": module {MODULE} has this virtual address: choose another one"
    );
    assert!(refused.code == 1 && refused.stderr.contains(&wanted), "{refused:?}");
    node.edit("other", &first.replace(VIP, "10.77.1.101"));
    node.ok(&["config", "-m", "other"]);
    node.edit("other", &first.replace(VIP, "10.77.1.1"));
    let refused = node.safekit(&["config", "-m", "other"]);
    assert!(
        refused.code == 1 && refused.stderr.contains("the address of node1 in cluster.xml"),
        "{refused:?}"
    );
}
