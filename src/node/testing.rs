//! A node in a temporary directory, for the tests of this room.

use crate::config::archive;
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The node; its files vanish with it.
pub struct Node {
    /// Parent of everything.
    pub root: tempfile::TempDir,
    /// SAFE and SAFEVAR below it.
    pub paths: Paths,
}

/// Name of a module.
pub fn name(text: &str) -> ModuleName {
    text.parse().unwrap()
}

/// A userconfig.xml with scripts: `service` are attributes of the service, `timeout` of the heart.
pub fn userconfig(service: &str, timeout: u32) -> String {
    format!(
        "<!DOCTYPE safe>\n<safe>\n<service mode=\"mirror\" {service}>\n\
         <heart pulse=\"700\" timeout=\"{timeout}\"><heartbeat name=\"default\"/></heart>\n\
         <user><var name=\"COLOUR\" value=\"blue\"/></user>\n</service>\n</safe>\n"
    )
}

/// A cluster.xml of two nodes.
pub const CLUSTER: &str = "<cluster><lans><lan name=\"default\">\
    <node name=\"node1\" addr=\"192.0.2.1\"/><node name=\"node2\" addr=\"[2001:db8::2]\" laddr=\"10.0.0.2\"/>\
    </lan></lans></cluster>";

impl Node {
    /// An empty node.
    pub fn new() -> Node {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        Node { root, paths }
    }

    /// Writes an executable script.
    pub fn script(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The archive of a module with that configuration and one script.
    pub fn archive(&self, userconfig: &str) -> Vec<u8> {
        let dir = self.root.path().join("source");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("conf")).unwrap();
        fs::write(dir.join("conf/userconfig.xml"), userconfig).unwrap();
        self.script(&dir.join("bin/start_prim"), "exit 0");
        archive::bytes(&dir).unwrap()
    }

    /// Every regular name under a directory of this node, hidden ones too.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
