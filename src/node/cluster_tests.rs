use super::super::testing::{CLUSTER, Node};
use super::*;
use std::fs;

fn key(node: &Node) -> Option<[u8; 32]> {
    keys::cluster_key(&node.paths).unwrap().map(|key| *key.as_bytes())
}

fn signature_of(node: &Node) -> String {
    info(&node.paths).unwrap().unwrap().signature
}

#[test]
fn d_9_3a_a_locked_configuration_refuses_changes_until_unlocked() {
    let node = Node::new();
    let run = |source, lock| config(&node.paths, source, lock);
    let locked = || info(&node.paths).unwrap().unwrap().locked;
    assert!(matches!(run(Source::LockOnly, Some(Lock::Lock)), Err(ClusterError::NotConfigured)));
    run(Source::Xml(CLUSTER), None).unwrap();
    assert!(!locked());
    let first = key(&node);
    run(Source::LockOnly, Some(Lock::Lock)).unwrap();
    assert!(locked());
    assert_eq!(key(&node), first, "locking keeps the key");
    assert!(matches!(run(Source::Xml(CLUSTER), None), Err(ClusterError::Locked)));
    assert!(matches!(run(Source::Present, Some(Lock::Lock)), Err(ClusterError::Locked)));
    assert!(matches!(genkey(&node.paths), Err(ClusterError::Locked)));
    assert!(matches!(delkey(&node.paths), Err(ClusterError::Locked)));
    assert!(matches!(deconfig(&node.paths), Err(ClusterError::Locked)));
    run(Source::LockOnly, Some(Lock::Unlock)).unwrap();
    assert!(!locked());
    run(Source::Xml(CLUSTER), Some(Lock::Lock)).unwrap();
    assert!(locked());
    run(Source::Xml(CLUSTER), Some(Lock::Unlock)).unwrap();
    assert!(!locked());
}

#[test]
fn keys_are_made_replaced_and_deleted() {
    let node = Node::new();
    assert!(matches!(genkey(&node.paths), Err(ClusterError::NotConfigured)));
    config(&node.paths, Source::Xml(CLUSTER), None).unwrap();
    let first = key(&node).unwrap();
    config(&node.paths, Source::Present, None).unwrap();
    let second = key(&node).unwrap();
    assert_ne!(first, second);
    let signature = signature_of(&node);
    genkey(&node.paths).unwrap();
    assert_ne!(key(&node).unwrap(), second);
    assert_ne!(signature_of(&node), signature, "another key is another configuration");
    delkey(&node.paths).unwrap();
    assert_eq!(key(&node), None);
    assert_eq!(load(&node.paths).unwrap().unwrap().source, CLUSTER);
}

#[test]
fn a_package_makes_another_node_the_same() {
    let (one, two) = (Node::new(), Node::new());
    config(&one.paths, Source::Xml(CLUSTER), None).unwrap();
    let deploy = || config(&two.paths, Source::Zip(&package(&one.paths).unwrap()), None).unwrap();
    assert_eq!(deploy().source, CLUSTER);
    assert_eq!(signature_of(&one), signature_of(&two));
    assert_eq!(key(&one), key(&two));
    delkey(&one.paths).unwrap();
    deploy();
    assert_eq!(key(&two), None, "no key travels too");
    assert_eq!(signature_of(&one), signature_of(&two));
    assert_eq!(one.names(&one.paths.safevar), ["cluster"], "nothing is left over");
    assert_eq!(two.names(&two.paths.safevar), ["cluster"], "nothing is left over");
}

#[test]
fn a_wrong_file_changes_nothing() {
    let node = Node::new();
    config(&node.paths, Source::Xml(CLUSTER), None).unwrap();
    let before = info(&node.paths).unwrap();
    for wrong in ["", "<cluster/>", "<cluster><lans></lans></cluster>"] {
        assert!(
            matches!(config(&node.paths, Source::Xml(wrong), None), Err(ClusterError::Config(_))),
            "{wrong}"
        );
        assert!(confcheck(wrong, "f.xml").unwrap_err().to_string().starts_with("f.xml"), "{wrong}");
    }
    let unknown = CLUSTER.replace("192.0.2.1", "no-such-host.invalid");
    let error = config(&node.paths, Source::Xml(&unknown), None).unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
    assert!(matches!(config(&node.paths, Source::Zip(b"PK"), None), Err(ClusterError::Zip(_))));
    assert_eq!(info(&node.paths).unwrap(), before);
}

#[test]
fn the_resolved_addresses_are_written_beside() {
    let node = Node::new();
    config(&node.paths, Source::Xml(CLUSTER), None).unwrap();
    let text = fs::read_to_string(node.paths.cluster_ip_xml()).unwrap();
    assert!(text.contains("\"192.0.2.1\"") && text.contains("2001:db8::2"), "{text}");
    // Of cluster.xml, so its reader takes it.
    assert_eq!(confcheck(&text, "cluster_ip.xml").unwrap().nodes().len(), 2);
    assert!(deconfig(&node.paths).unwrap());
    assert!(load(&node.paths).unwrap().is_none());
    assert!(!deconfig(&node.paths).unwrap());
}

#[test]
fn default_targets_are_separated_by_commas_or_lines() {
    let node = Node::new();
    assert!(default_targets(&node.paths).unwrap().is_empty());
    fs::create_dir_all(&node.paths.safevar).unwrap();
    fs::write(node.paths.safevar.join("default_cluster.txt"), "node1, http://192.0.2.2:9010\r\n\nnode3\n")
        .unwrap();
    assert_eq!(default_targets(&node.paths).unwrap(), ["node1", "http://192.0.2.2:9010", "node3"]);
}
