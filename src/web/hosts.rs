//! By which names this service is asked, where no login protects it (WEB-45).
//!
//! A page of another site can give its own name the address of this node: for the browser it is the same
//! site then, and all that is here is open to it. Its requests carry that name. Addresses are no names:
//! nobody but this service answers at its own.

use super::ask::Asker;
use super::problem::Problem;
use super::redirect;
use crate::control::NodeRow;
use crate::log::Lang;
use crate::node::level;
use crate::told::{Told, told};
use actix_web::HttpRequest;
use actix_web::http::{StatusCode, header};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How often the cluster is asked for its names, at most.
const AGAIN: Duration = Duration::from_secs(5);

/// The names.
#[derive(Debug)]
pub struct Hosts {
    own: BTreeSet<String>,
    cluster: Mutex<(Option<Instant>, BTreeSet<String>)>,
}

impl Hosts {
    /// Those of this node, and further ones.
    pub fn new(more: &[String]) -> Hosts {
        let host = level::hostname();
        let short = host.split('.').next().unwrap_or_default().to_owned();
        let own = ["localhost".to_owned(), host, short].into_iter().chain(more.iter().cloned());
        Hosts { own: own.map(|name| plain(&name)).collect(), cluster: Mutex::default() }
    }

    /// Refuses a request that was sent to another name.
    pub async fn check(&self, asker: &Asker, request: &HttpRequest) -> Result<(), Problem> {
        // Browsers always say whom they ask.
        let Some(header) = asked(request) else { return Ok(()) };
        let name = redirect::host(header).map(plain);
        if let Some(name) = &name
            && (is_address(name) || self.own.contains(name) || self.is_in_cluster(asker, name).await)
        {
            return Ok(());
        }
        let asked = name.map_or_else(|| told!("what was asked", "ce qui a été demandé"), Told::same);
        let (en, fr) = (asked.of(Lang::En), asked.of(Lang::Fr));
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            told!(
                "this service needs no login, and answers only to its own names, not to {en}: ask its address, or add a line Define servernames \"<name>\" to httpd.conf",
                "ce service ne demande pas de connexion et ne répond qu'à ses propres noms, pas à {fr} : demandez son adresse, ou ajoutez une ligne Define servernames \"<nom>\" à httpd.conf"
            ),
        ))
    }

    /// Whether it is a name of a node, or one by which cluster.xml finds it.
    async fn is_in_cluster(&self, asker: &Asker, name: &str) -> bool {
        let mut known = self.cluster.lock().await;
        if known.0.is_none_or(|at| at.elapsed() >= AGAIN) {
            known.0 = Some(Instant::now());
            // While safeadmin does not say, the names of before count.
            if let Ok(rows) = asker.nodes().await {
                known.1 = names(&rows);
            }
        }
        known.1.contains(name)
    }
}

/// Whom a request asks, by its own words: HTTP/2 has no header for it.
pub(super) fn asked(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    header.or(request.uri().authority().map(|authority| authority.as_str()))
}

fn names(rows: &[NodeRow]) -> BTreeSet<String> {
    let of = |row: &NodeRow| {
        let addresses = row.addresses.iter().map(|address| plain(&address.addr)).collect::<Vec<_>>();
        [plain(row.node.as_str())].into_iter().chain(addresses)
    };
    rows.iter().flat_map(of).collect()
}

/// A name as it is compared.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn is_address(name: &str) -> bool {
    let inside = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.map_or_else(|| name.parse::<IpAddr>().is_ok(), |address| address.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_addresses_are_none() {
        let hosts = Hosts::new(&["HA.example.com.".to_owned()]);
        assert!(hosts.own.contains("ha.example.com") && hosts.own.contains("localhost"));
        for (text, address) in
            [("10.0.0.1", true), ("[fd77::1]", true), ("[x]", false), ("10.0.0.1.evil", false)]
        {
            assert_eq!(is_address(text), address, "{text}");
        }
    }
}
