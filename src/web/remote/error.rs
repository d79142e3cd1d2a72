//! Why another node could not be asked, and what to do about it.

use super::channel::ChannelError;
use super::target::Target;
use crate::control::PROTOCOL;
use crate::control::client::ClientError;
use crate::log::Lang;
use crate::net::tls::TlsFault;
use crate::told::{Tell, Told, told};
use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode, Url};
use std::error::Error as _;

/// Why a node was not asked, or did not answer. Every text names the node.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("{target}: {why}: {}", look(target).of(Lang::En))]
    Unreachable {
        /// The node.
        target: Target,
        /// What the system says.
        why: Told,
    },
    /// HTTPS with it is not to be trusted, or not possible.
    #[error("{target}: {fault}: {}", advice(target, fault).of(Lang::En))]
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
        why: Told,
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

impl Tell for RemoteError {
    fn french(&self) -> String {
        use RemoteError as E;
        match self {
            E::Unreachable { target, why } => {
                format!("{target} : {} : {}", why.of(Lang::Fr), look(target).of(Lang::Fr))
            }
            E::Distrusted { target, fault } => {
                format!("{target} : {} : {}", fault.french(), advice(target, fault).of(Lang::Fr))
            }
            E::Secure { target, url } => format!(
                "{target} : ce nœud sert HTTPS à {url} : demandez-le-lui là, ou avec -H \"[https],...\" ; activez ou \
                 désactivez HTTPS sur tous les nœuds de la même façon"
            ),
            E::Denied(target) => format!(
                "{target} : le nœud refuse le mot de passe de rcmdadmin : exécutez \"SAFE/private/bin/webservercfg \
                 -rcmdpasswd <password>\" sur tous les nœuds, avec le même mot de passe"
            ),
            E::Refused { target, detail } => format!("{target} : {detail}"),
            E::Version { target, release, protocol } => format!(
                "{target} a la version {release} avec la version {protocol} du protocole, ce nœud a la version {} \
                 avec la version {PROTOCOL} : installez la même version sur tous les nœuds",
                env!("CARGO_PKG_VERSION")
            ),
            E::Foreign { target, why } => format!(
                "{target} : ce qui y répond n'est pas le service web d'un nœud SafeKit ({})",
                why.of(Lang::Fr)
            ),
            E::Answer { target, error } => format!("{target} : {}", error.french()),
            E::Seal(error) => format!("impossible de sceller une requête : {}", error.french()),
            E::Http => {
                "ce nœud ne peut pas faire de requêtes HTTP avec SAFE/web/conf/cacert.crt : voir le journal \
                de son service web"
                    .to_owned()
            }
        }
    }
}

/// Where to look when there is no connection.
fn look(target: &Target) -> Told {
    let mut text = told!(
        "is its web service running? Look there with \"safekit webserver status\"",
        "son service web s'exécute-t-il ? Regardez-y avec \"safekit webserver status\""
    );
    if target.https {
        text += told!(
            ", and at whether HTTPS is on: it is to be on or off on all nodes alike (HTTP: -H \"[http],...\")",
            ", et si HTTPS est activé : il doit l'être sur tous les nœuds ou sur aucun (HTTP : -H \"[http],...\")"
        );
    }
    text
}

/// What to do about HTTPS that is not possible.
fn advice(target: &Target, fault: &TlsFault) -> Told {
    match fault {
        TlsFault::Authority(_) => told!(
            "install it, or ask by HTTP with -H \"[http],...\"",
            "installez-le, ou demandez par HTTP avec -H \"[http],...\""
        ),
        TlsFault::Issuer => told!(
            "give all nodes certificates of one authority (initssl)",
            "donnez à tous les nœuds des certificats d'une même autorité (initssl)"
        ),
        TlsFault::Expired => told!(
            "make a new one there (initssl rca on the CA server, initssl req elsewhere)",
            "créez-en un nouveau là-bas (initssl rca sur le serveur CA, initssl req ailleurs)"
        ),
        TlsFault::NotYetValid => told!("synchronize the clocks", "synchronisez les horloges"),
        TlsFault::Name => {
            let host = &target.host;
            told!(
                "add {host} to SAFE/web/conf/ipnames.json, ipv4.json or ipv6.json there and make a new one (initssl)",
                "ajoutez-y {host} à SAFE/web/conf/ipnames.json, ipv4.json ou ipv6.json et créez-en un nouveau (initssl)"
            )
        }
        TlsFault::Plain => told!(
            "name the port of HTTPS, or ask by HTTP with -H \"[http],...\"",
            "donnez le port de HTTPS, ou demandez par HTTP avec -H \"[http],...\""
        ),
        TlsFault::Other(_) => told!(
            "see the log of its web service (SAFEVAR/httpd.log)",
            "voir le journal de son service web (SAFEVAR/httpd.log)"
        ),
    }
}

/// What is said of a request that was not answered.
pub(super) fn unanswered(target: &Target, error: &reqwest::Error) -> RemoteError {
    let target = target.clone();
    if let Some(fault) = TlsFault::find(error) {
        return RemoteError::Distrusted { target, fault };
    }
    let why = match error.is_timeout() {
        true => told!("no answer in time", "pas de réponse à temps"),
        false => Told::same(cause(error)),
    };
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
        None => RemoteError::Foreign { target: target.clone(), why: says(response.status()) },
    }
}

/// How it shows that something else answers.
pub(super) fn says(status: StatusCode) -> Told {
    told!("it says {status}", "il dit {status}")
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
