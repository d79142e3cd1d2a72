//! Nodes to reach: what `-H` says (CLI-010 to CLI-013).

use crate::config::cluster::ClusterConfig;
use crate::config::paths::Paths;
use crate::ids::NodeName;
use crate::web::settings::{Settings, SettingsError};
use std::fmt;

/// Port of the web service over HTTP.
pub const HTTP_PORT: u16 = 9010;
/// Its port over HTTPS.
pub const HTTPS_PORT: u16 = 9453;
/// Most nodes of one command.
pub const MOST_TARGETS: usize = 256;

/// How web services are reached, unless something else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// HTTPS rather than HTTP.
    pub https: bool,
    /// The port.
    pub port: u16,
}

impl Service {
    /// That of this node, which all nodes have (CLI-011): HTTPS if its switch is there, and the ports of
    /// httpd.conf.
    pub fn here(paths: &Paths) -> Result<Service, SettingsError> {
        let settings = Settings::read(&paths.httpd_conf())?;
        let https = paths.https_switch().exists();
        Ok(Service { https, port: if https { settings.https_port } else { settings.http_port } })
    }
}

/// A node to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name, or the URL if that was given.
    pub name: String,
    /// HTTPS rather than HTTP.
    pub https: bool,
    /// Name or address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why `-H` cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Nothing is named.
    #[error("-H names no node: write -H \"*\", -H \"node1,node2\" or -H \"http://10.0.0.1:9010\"")]
    Empty,
    /// `[` without a good protocol and port.
    #[error("-H \"{0}\": write [http], [https] or [https:9453] before the nodes")]
    Prefix(String),
    /// A URL that is none.
    #[error("-H \"{0}\": not a URL: write http://10.0.0.1:9010 or https://10.0.0.1:9453")]
    Url(String),
    /// Neither URL nor node.
    #[error("-H \"{name}\": {why}")]
    Unknown {
        /// What was given.
        name: String,
        /// Why it is no node.
        why: String,
    },
    /// More than can be asked at once.
    #[error("-H names more than {MOST_TARGETS} nodes")]
    Many,
}

impl Target {
    /// A node of the cluster.
    pub fn node(name: &NodeName, host: &str, service: Service) -> Target {
        let Service { https, port } = service;
        Target { name: name.to_string(), https, host: host.to_owned(), port }
    }

    /// The beginning of all its URLs.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.https { "https" } else { "http" }, self.address())
    }

    /// Host and port.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.url() {
            f.write_str(&self.name)
        } else {
            write!(f, "{} ({})", self.name, self.address())
        }
    }
}

/// The nodes that `-H` names, each once, in its order. `service` is that of this node, and `cluster`
/// its configuration, or why there is none.
pub fn parse(
    text: &str,
    service: Service,
    cluster: &Result<ClusterConfig, String>,
) -> Result<Vec<Target>, TargetError> {
    let (service, names) = prefix(text.trim(), service)?;
    let mut targets: Vec<Target> = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        for target in named(name, service, cluster)? {
            if !targets.iter().any(|t| t.url() == target.url()) {
                targets.push(target);
            }
        }
    }
    match targets.len() {
        0 => Err(TargetError::Empty),
        1..=MOST_TARGETS => Ok(targets),
        _ => Err(TargetError::Many),
    }
}

/// `[<protocol>:<port>]` at the beginning (CLI-013).
fn prefix(text: &str, service: Service) -> Result<(Service, &str), TargetError> {
    let Some(rest) = text.strip_prefix('[') else { return Ok((service, text)) };
    let wrong = || TargetError::Prefix(text.to_owned());
    let (inside, names) = rest.split_once(']').ok_or_else(wrong)?;
    let names = match names.trim_start() {
        "" => "",
        more => more.strip_prefix(',').ok_or_else(wrong)?,
    };
    let (protocol, port) = match inside.split_once(':') {
        None => (inside, None),
        Some((protocol, port)) => (protocol, Some(port)),
    };
    let https = match protocol.trim() {
        "http" => false,
        "https" => true,
        _ => return Err(wrong()),
    };
    let port = match port {
        Some(port) => port_of(port).ok_or_else(wrong)?,
        // The port that this node uses for the same protocol, else the usual one.
        None if https == service.https => service.port,
        None => usual(https),
    };
    Ok((Service { https, port }, names))
}

fn usual(https: bool) -> u16 {
    if https { HTTPS_PORT } else { HTTP_PORT }
}

fn port_of(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port != 0)
}

fn named(
    name: &str,
    service: Service,
    cluster: &Result<ClusterConfig, String>,
) -> Result<Vec<Target>, TargetError> {
    if name.contains("://") {
        return url(name).map(|target| vec![target]).ok_or_else(|| TargetError::Url(name.to_owned()));
    }
    let unknown = |why: String| TargetError::Unknown { name: name.to_owned(), why };
    let config = cluster.as_ref().map_err(|why| unknown(why.clone()))?;
    let nodes = config.command_lan().map(|lan| lan.nodes.as_slice()).unwrap_or_default();
    let meant: Vec<Target> = nodes
        .iter()
        .filter(|node| name == "*" || node.name.as_str() == name)
        .map(|node| Target::node(&node.name, &node.addr, service))
        .collect();
    if meant.is_empty() {
        let known: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(unknown(format!(
            "not a node of cluster.xml ({}): give its name or its URL",
            known.join(", ")
        )));
    }
    Ok(meant)
}

/// `http://host[:port]`, nothing behind it but a slash.
fn url(text: &str) -> Option<Target> {
    let (https, rest) = match text.split_once("://")? {
        ("http", rest) => (false, rest),
        ("https", rest) => (true, rest),
        _ => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => match rest.split_once(':') {
            None => (rest, None),
            Some((host, port)) => (host, Some(port)),
        },
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    let port = port.map_or(Some(usual(https)), port_of)?;
    let target = Target { name: String::new(), https, host: host.to_owned(), port };
    Some(Target { name: target.url(), ..target })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HTTP: Service = Service { https: false, port: 9010 };
    const HTTPS: Service = Service { https: true, port: 9500 };

    fn cluster() -> Result<ClusterConfig, String> {
        let xml = "<cluster><lans><lan name='a'><node name='node1' addr='10.77.0.1'/><node name='node2' addr='n2.lan'/>\
                   </lan><lan name='b' command='on'><node name='node2' addr='[fd00::2]'/>\
                   <node name='node1' addr='one.lan'/></lan></lans></cluster>";
        Ok(crate::config::cluster::load(xml, "cluster.xml").unwrap())
    }

    fn urls(text: &str, service: Service) -> Vec<String> {
        parse(text, service, &cluster()).unwrap().iter().map(Target::url).collect()
    }

    #[test]
    fn all_forms_of_the_guide() {
        let (one, two) = ("one.lan", "[fd00::2]");
        for (text, service, wanted) in [
            ("*", HTTP, vec![format!("http://{two}:9010"), format!("http://{one}:9010")]),
            ("*", HTTPS, vec![format!("https://{two}:9500"), format!("https://{one}:9500")]),
            ("node1,node2", HTTP, vec![format!("http://{one}:9010"), format!("http://{two}:9010")]),
            ("[http],*", HTTPS, vec![format!("http://{two}:9010"), format!("http://{one}:9010")]),
            ("[https],node1", HTTPS, vec![format!("https://{one}:9500")]),
            ("[https],node1", HTTP, vec![format!("https://{one}:9453")]),
            (
                "[https:9500],node1, node2",
                HTTP,
                vec![format!("https://{one}:9500"), format!("https://{two}:9500")],
            ),
            ("http://192.168.0.2:9010,http://192.168.0.3:9010", HTTPS, {
                vec!["http://192.168.0.2:9010".into(), "http://192.168.0.3:9010".into()]
            }),
            (
                "https://[fd00::7]/,http://n",
                HTTP,
                vec!["https://[fd00::7]:9453".into(), "http://n:9010".into()],
            ),
            ("node1,*,node1", HTTP, vec![format!("http://{one}:9010"), format!("http://{two}:9010")]),
        ] {
            assert_eq!(urls(text, service), wanted, "{text}");
        }
    }

    #[test]
    fn people_see_names_and_addresses() {
        let shown: Vec<String> =
            parse("node2,http://10.0.0.9", HTTP, &cluster()).unwrap().iter().map(Target::to_string).collect();
        assert_eq!(shown, ["node2 ([fd00::2]:9010)", "http://10.0.0.9:9010"]);
    }

    #[test]
    fn what_is_no_node_is_refused() {
        let error = |text: &str| parse(text, HTTP, &cluster()).unwrap_err();
        for text in ["", " , ", "[http]", "[http],"] {
            assert_eq!(error(text), TargetError::Empty, "{text}");
        }
        for text in ["[ftp],*", "[http", "[https:0],*", "[https:x],*", "[http]*", "[http]node1"] {
            assert!(matches!(error(text), TargetError::Prefix(_)), "{text}");
        }
        for text in [
            "ftp://x",
            "http://",
            "http://a b",
            "http://x/y",
            "http://x:0",
            "http://[::1",
            "http://[x]:1",
            "http://u@x",
        ] {
            assert!(matches!(error(text), TargetError::Url(_)), "{text}");
        }
        let unknown = error("node3").to_string();
        assert!(unknown.contains("node3") && unknown.contains("node2, node1"), "{unknown}");
        let none =
            parse("*", HTTP, &Err("the cluster is not configured".to_owned())).unwrap_err().to_string();
        assert_eq!(none, "-H \"*\": the cluster is not configured");
        assert_eq!(parse("http://a", HTTP, &Err(String::new())).unwrap().len(), 1, "a URL needs no cluster");
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in "[-a-z0-9\\[\\]:/.,* ]{0,40}") {
            let _ = parse(&text, HTTP, &cluster());
        }
    }
}
