//! Why another node could not be asked, and what to do about it.

use super::channel::ChannelError;
use super::target::Target;
use crate::control::PROTOCOL;
use crate::control::client::ClientError;
use crate::net::tls::TlsFault;
use reqwest::header::LOCATION;
use reqwest::{Response, Url};
use std::error::Error as _;

/// Why a node was not asked, or did not answer. Every text names the node.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("{target}: {why}: {}", look(target))]
    Unreachable {
        /// The node.
        target: Target,
        /// What the system says.
        why: String,
    },
    /// HTTPS with it is not to be trusted, or not possible.
    #[error("{target}: {fault}: {}", advice(target, fault))]
    Distrusted {
        /// The node.
        target: Target,
        /// Why.
        fault: TlsFault,
    },
    /// It was asked by HTTP.
    #[error(
        "{target}: this node serves HTTPS at {url}: ask it there, or with -H \"[https],...\"; turn HTTPS on or off on all nodes alike"
    )]
    Secure {
        /// The node.
        target: Target,
        /// Where it sends browsers.
        url: String,
    },
    /// Another password.
    #[error(
        "{0}: the node refuses the password of rcmdadmin: run \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" on all nodes, with the same password"
    )]
    Denied(Target),
    /// The node says no.
    #[error("{target}: {detail}")]
    Refused {
        /// The node.
        target: Target,
        /// Its words.
        detail: String,
    },
    /// Another release.
    #[error(
        "{target} has release {release} with version {protocol} of the protocol, this node has release {} with version {PROTOCOL}: install the same release on all nodes",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The node.
        target: Target,
        /// Its release.
        release: String,
        /// Its protocol.
        protocol: u32,
    },
    /// Something else answers there.
    #[error("{target}: what answers there is not the web service of a SafeKit node ({why})")]
    Foreign {
        /// The node.
        target: Target,
        /// How that shows.
        why: String,
    },
    /// The connection was lost.
    #[error("{target}: {error}")]
    Answer {
        /// The node.
        target: Target,
        /// What is wrong.
        error: ClientError,
    },
    /// This node has no random numbers.
    #[error("cannot seal a request: {0}")]
    Seal(#[from] ChannelError),
    /// The HTTP client of this node; the log says why.
    #[error(
        "this node cannot make HTTP requests with SAFE/web/conf/cacert.crt: see the log of its web service"
    )]
    Http,
}

/// Where to look when there is no connection.
fn look(target: &Target) -> String {
    let running = "is its web service running? Look there with \"safekit webserver status\"";
    match target.https {
        false => running.to_owned(),
        true => format!(
            "{running}, and at whether HTTPS is on: it is to be on or off on all nodes alike (HTTP: -H \"[http],...\")"
        ),
    }
}

/// What to do about HTTPS that is not possible.
fn advice(target: &Target, fault: &TlsFault) -> String {
    let what = match fault {
        TlsFault::Authority(_) => "install it, or ask by HTTP with -H \"[http],...\"",
        TlsFault::Issuer => "give all nodes certificates of one authority (initssl)",
        TlsFault::Expired => "make a new one there (initssl rca on the CA server, initssl req elsewhere)",
        TlsFault::NotYetValid => "synchronize the clocks",
        TlsFault::Name => {
            let host = &target.host;
            return format!(
                "add {host} to SAFE/web/conf/ipnames.json, ipv4.json or ipv6.json there and make a new one (initssl)"
            );
        }
        TlsFault::Plain => "name the port of HTTPS, or ask by HTTP with -H \"[http],...\"",
        TlsFault::Other(_) => "see the log of its web service (SAFEVAR/httpd.log)",
    };
    what.to_owned()
}

/// What is said of a request that was not answered.
pub(super) fn unanswered(target: &Target, error: &reqwest::Error) -> RemoteError {
    let target = target.clone();
    if let Some(fault) = TlsFault::find(error) {
        return RemoteError::Distrusted { target, fault };
    }
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) };
    RemoteError::Unreachable { target, why }
}

/// What is said of an answer that sends elsewhere: from HTTP to HTTPS, unless it is no node at all.
pub(super) fn sent_elsewhere(target: &Target, response: &Response) -> RemoteError {
    let to = response.headers().get(LOCATION).and_then(|to| Url::parse(to.to_str().ok()?).ok());
    match to.filter(|to| !target.https && to.scheme() == "https") {
        Some(to) => {
            let url = to.origin().ascii_serialization();
            RemoteError::Secure { target: target.clone(), url }
        }
        None => {
            let why = format!("it says {}", response.status());
            RemoteError::Foreign { target: target.clone(), why }
        }
    }
}

/// The first cause: what the system says, without the URLs and layers around it.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    // "Connection refused (os error 111)": the number helps nobody.
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
