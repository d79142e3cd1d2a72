//! `getipandnames`: the addresses and names that the certificate of this node is made for (CLI-138).
//!
//! They lie in `SAFE/web/conf/ipv4.json`, `ipv6.json` and `ipnames.json`, one JSON list each, where an
//! administrator may add others, e.g. the public address behind which a cloud hides the node.

use super::PkiError;
use crate::config::cluster::{self, ClusterConfig};
use crate::config::paths::Paths;
use crate::node::identity::{self, Machine};
use crate::node::record;
use crate::told::{Told, told};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

/// Most addresses and names of a certificate.
pub const MOST_NAMES: usize = 256;
/// Longest DNS name.
const LONGEST_NAME: usize = 253;
const LARGEST: u64 = 256 * 1024;

/// Addresses and names of a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// DNS names, in lower case.
    pub names: BTreeSet<String>,
}

impl Names {
    /// What this node is asked by: the addresses of its interfaces, its host name, and its name and
    /// addresses in cluster.xml, as far as it is configured. `localhost` is for its own checkers.
    pub fn of_this_node(paths: &Paths) -> Result<Names, PkiError> {
        let machine = Machine::this_one().map_err(|e| PkiError::Node(e.to_string()))?;
        let mut found = Names::default();
        found.addresses.extend([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]);
        found.addresses.extend(machine.addresses.iter().copied().filter(|a| !scoped(*a)));
        found.add("localhost");
        found.add(&machine.hostname);
        if let Some(cluster) = configured(paths)? {
            found.add_cluster(&cluster, &machine)?;
        }
        Ok(found)
    }

    /// The name and addresses of this node in cluster.xml.
    fn add_cluster(&mut self, cluster: &ClusterConfig, machine: &Machine) -> Result<(), PkiError> {
        let me = identity::this_node(cluster, machine).map_err(|e| PkiError::Node(e.to_string()))?;
        self.add(me.as_str());
        for node in cluster.lans.iter().filter_map(|lan| lan.node(&me)) {
            self.add(&node.addr);
            self.addresses.extend(node.laddr);
        }
        Ok(())
    }

    /// Adds an address or a name; what cannot stand in a certificate is left out.
    fn add(&mut self, text: &str) {
        match text.parse() {
            Ok(address) => drop(self.addresses.insert(address)),
            Err(_) if is_name(text) => drop(self.names.insert(text.to_ascii_lowercase())),
            Err(_) => {}
        }
    }

    /// What the three files hold; `None` if none of them exists.
    pub fn load(paths: &Paths) -> Result<Option<Names>, PkiError> {
        let mut found = Names::default();
        let mut any = false;
        for (at, file) in files(paths).into_iter().enumerate() {
            let Some(bytes) = record::load_bytes(&file, LARGEST)? else { continue };
            any = true;
            let content = |what: String| PkiError::Content { path: file.clone(), what: Told::same(what) };
            let list: Vec<String> = serde_json::from_slice(&bytes)
                .map_err(|e| content(format!("not a JSON list of texts such as [\"10.0.0.1\"]: {e}")))?;
            for text in list {
                found.read(at, &text).map_err(content)?;
            }
        }
        if found.addresses.len() + found.names.len() > MOST_NAMES {
            return Err(PkiError::Content {
                path: paths.web_conf(),
                what: told!(
                    "more than {MOST_NAMES} addresses and names in ipv4.json, ipv6.json and ipnames.json",
                    "plus de {MOST_NAMES} adresses et noms dans ipv4.json, ipv6.json et ipnames.json"
                ),
            });
        }
        Ok(any.then_some(found))
    }

    /// Reads an entry of the file `at` of [`files`].
    fn read(&mut self, at: usize, text: &str) -> Result<(), String> {
        match (at, text.parse::<IpAddr>()) {
            (0, Ok(v4 @ IpAddr::V4(_))) => drop(self.addresses.insert(v4)),
            (0, _) => return Err(format!("\"{text}\" is not an IPv4 address")),
            (1, Ok(v6 @ IpAddr::V6(_))) => drop(self.addresses.insert(v6)),
            (1, _) => return Err(format!("\"{text}\" is not an IPv6 address")),
            (_, Err(_)) if is_name(text) => drop(self.names.insert(text.to_ascii_lowercase())),
            (_, _) => return Err(format!("\"{text}\" is not a DNS name")),
        }
        Ok(())
    }

    /// Writes the three files and returns them.
    pub fn store(&self, paths: &Paths) -> Result<[PathBuf; 3], PkiError> {
        let texts =
            |v4: bool| self.addresses.iter().filter(move |a| a.is_ipv4() == v4).map(IpAddr::to_string);
        let lists: [Vec<String>; 3] =
            [texts(true).collect(), texts(false).collect(), self.names.iter().cloned().collect()];
        let files = files(paths);
        for (file, list) in files.iter().zip(lists) {
            // A list of texts is always JSON.
            let json = serde_json::to_string_pretty(&list).unwrap_or_default();
            record::store_bytes(file, format!("{json}\n").as_bytes(), 0o644)?;
        }
        Ok(files)
    }

    /// Those of the files, which are made when they do not exist.
    pub fn load_or_make(paths: &Paths) -> Result<Names, PkiError> {
        if let Some(names) = Names::load(paths)? {
            return Ok(names);
        }
        let names = Names::of_this_node(paths)?;
        names.store(paths)?;
        Ok(names)
    }

    /// What is in `self` and not in `other`, as texts.
    pub fn without(&self, other: &Names) -> Vec<String> {
        let addresses = self.addresses.difference(&other.addresses).map(IpAddr::to_string);
        addresses.chain(self.names.difference(&other.names).cloned()).collect()
    }
}

/// The addresses of this node in cluster.xml, by which the others ask it and which its certificate must
/// hold therefore (WEB-55); none while the cluster is not configured or this machine is no node of it.
pub fn needed(paths: &Paths) -> Vec<String> {
    let (Ok(Some(cluster)), Ok(machine)) = (configured(paths), Machine::this_one()) else {
        return Vec::new();
    };
    let Ok(me) = identity::this_node(&cluster, &machine) else { return Vec::new() };
    let mut needed: Vec<String> =
        cluster.lans.iter().filter_map(|lan| lan.node(&me)).map(|node| node.addr.clone()).collect();
    needed.sort();
    needed.dedup();
    needed
}

/// Addresses of one link or of nobody are no way to ask a node.
fn scoped(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_unicast_link_local(),
    }
}

fn configured(paths: &Paths) -> Result<Option<ClusterConfig>, PkiError> {
    let file = paths.cluster_xml();
    let Some(bytes) = record::load_bytes(&file, LARGEST * 4)? else { return Ok(None) };
    let name = file.display().to_string();
    Ok(Some(cluster::load(&String::from_utf8_lossy(&bytes), &name)?))
}

fn files(paths: &Paths) -> [PathBuf; 3] {
    ["ipv4.json", "ipv6.json", "ipnames.json"].map(|name| paths.web_conf().join(name))
}

/// Whether a DNS name can stand in a certificate: labels of letters, digits, hyphens and underscores,
/// the first may be `*`.
pub fn is_name(text: &str) -> bool {
    let label = |(at, label): (usize, &str)| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (at == 0 && label == "*") || (plain && (1..=63).contains(&label.len()))
    };
    text.len() <= LONGEST_NAME && text.split('.').enumerate().all(label) && text != "*"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(root: &tempfile::TempDir) -> Paths {
        Paths::new(root.path().join("safe"), root.path().join("var"))
    }

    #[test]
    fn names_that_a_certificate_can_hold() {
        for good in ["node1", "a.b.example.com", "*.example.com", "my_host"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "*", "a..b", "a b", "../x", "é.fr", "a.*.c", &"a".repeat(64), &"a.".repeat(130)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn this_node_is_asked_by_its_names_and_addresses_in_the_cluster() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(&root);
        std::fs::create_dir_all(paths.cluster()).unwrap();
        let xml = "<cluster><lans><lan name=\"l\"><node name=\"Node1\" addr=\"One.example\" laddr=\"127.0.0.1\"/>\
            <node name=\"node2\" addr=\"203.0.113.2\"/></lan></lans></cluster>";
        std::fs::write(paths.cluster_xml(), xml).unwrap();
        let machine =
            Machine { named: Some("Node1".into()), addresses: BTreeSet::new(), hostname: "one".into() };
        let mut names = Names::default();
        names.add_cluster(&configured(&paths).unwrap().unwrap(), &machine).unwrap();
        assert_eq!(names.without(&Names::default()), ["127.0.0.1", "node1", "one.example"]);
    }

    #[test]
    fn edited_files_are_read_and_faults_named() {
        let root = tempfile::tempdir().unwrap();
        let paths = paths(&root);
        assert_eq!(Names::load(&paths).unwrap(), None);
        let mut names = Names::load_or_make(&paths).unwrap();
        assert!(names.names.contains("localhost"), "{names:?}");
        std::fs::write(paths.web_conf().join("ipnames.json"), "[\"Public.Example\"]").unwrap();
        let edited = Names::load_or_make(&paths).unwrap();
        assert_eq!(edited.names.iter().collect::<Vec<_>>(), ["public.example"]);
        names.names.clear();
        assert_eq!(names.addresses, edited.addresses);
        for (file, bad) in [
            ("ipv4.json", "[\"::1\"]"),
            ("ipv6.json", "[\"x\"]"),
            ("ipnames.json", "[\"a b\"]"),
            ("ipv4.json", "{}"),
        ] {
            let before = std::fs::read(paths.web_conf().join(file)).unwrap();
            std::fs::write(paths.web_conf().join(file), bad).unwrap();
            let error = Names::load(&paths).unwrap_err().to_string();
            assert!(error.contains(file), "{error}");
            std::fs::write(paths.web_conf().join(file), before).unwrap();
        }
    }
}
