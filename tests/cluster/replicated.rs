//! Replicated directories on the disk of a node, and the policy of their synchronization.

use crate::support::{Cluster, MODULE, Mirror};
use safekit::sandbox::Options;

/// R-13.6a, R-13.6b, RFS-11.
#[test]
fn directories_on_the_disk() {
    let top = format!("/data-{}", std::process::id());
    let cluster = Cluster::with("rfs_disk", |o| Options { private: vec![top.clone().into()], ..o });
    let node1 = cluster.node(1);
    let says = |script: &str| {
        let output = node1.sh(&format!("cd {top} && {script}"));
        assert_eq!(output.code, 0, "{script}: {output:?}");
        output.stdout.trim().to_owned()
    };
    let rfs = format!(r#"<rfs><replicated dir="{top}/app" mode="read_only"/></rfs>"#);
    node1.unpack(MODULE, 1, &Mirror { more: &rfs, ..Mirror::default() }.xml(), &[]);
    let refusal = |reason: &str| {
        let output = node1.safekit(&["config", "-m", MODULE]);
        assert!(output.code == 1 && output.stderr.contains(reason), "{reason}: {output:?}");
    };
    refusal("app: no such directory: make it on both nodes");
    says("mkdir app && mount -t tmpfs none app");
    refusal("Error: Device or resource busy\n");
    says("umount app && echo data > app/file");
    node1.ok(&["config", "-m", MODULE]);
    assert_eq!(says("readlink app; cat app/file"), "app_For_SafeKit_Replication\ndata");

    assert_eq!(node1.resource(MODULE, "usersetting.rfssyncmode").as_deref(), Some("full"));
    node1.ok(&["rfssync", "external", "second", "monday", "-m", MODULE]);
    assert_eq!(node1.resource(MODULE, "usersetting.rfssyncrole").as_deref(), Some("second"));
    let from = node1.mark(MODULE);
    says("rm app");
    cluster.poweroff(node1);
    cluster.poweron(node1);
    node1.wait_admin();
    node1.wait_log(MODULE, from, &[&format!("Link {top}/app restored after an unexpected halt")]);
    assert_eq!(says("cat app/file"), "data");
    assert_eq!(node1.resource(MODULE, "usersetting.rfssyncuid").as_deref(), Some("monday"));
    assert!(node1.ok(&["rfssync", "-m", MODULE]).contains("external"));

    node1.ok(&["deconfig", "-m", MODULE]);
    assert_eq!(says("ls -A; cat app/file"), "app\ndata");
}
