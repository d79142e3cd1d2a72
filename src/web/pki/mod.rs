//! The SafeKit PKI: certificates of the web service and of its users (spec/web.md 4).
//!
//! One node is the CA server: [`authority`] holds its key and signs, [`service`] lets the other nodes
//! ask for signatures while they are set up. [`steps`] are the commands of `SAFE/web/bin`.

pub mod authority;
pub mod certificate;
pub mod check;
pub mod client;
pub mod files;
pub mod names;
pub mod prompt;
pub mod service;
pub mod steps;
pub mod subject;

use crate::config::error::ConfigErrors;
use crate::control::access::Access;
use crate::log::Lang;
use crate::node::firewall::FirewallError;
use crate::node::record::RecordError;
use crate::told::{Tell, Told};
use crate::web::settings::SettingsError;
use certificate::Distrust;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use subject::Subject;

/// TCP port of the CA service (WEB-53), unless httpd.caserv.conf says another.
pub const CA_PORT: u16 = 9001;
/// User of the CA service (WEB-53).
pub const CA_USER: &str = "CA_admin";
/// Longest name of a user or host in a certificate.
const LONGEST_NAME: usize = 64;

/// What a certificate is for. Its name is that of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The web service of a node: `server_<host>`.
    Server {
        /// Host name of the node.
        host: String,
    },
    /// A user of the web service: `user_<role>_<name>`.
    User {
        /// Its role.
        role: Access,
        /// Its name.
        name: String,
    },
}

impl Purpose {
    /// The web service of the node with this host name.
    pub fn server(host: &str) -> Result<Purpose, PkiError> {
        if plain(host) {
            Ok(Purpose::Server { host: host.to_owned() })
        } else {
            Err(PkiError::Name(host.into()))
        }
    }

    /// A user with a role.
    pub fn user(role: Access, name: &str) -> Result<Purpose, PkiError> {
        if plain(name) {
            Ok(Purpose::User { role, name: name.to_owned() })
        } else {
            Err(PkiError::Name(name.into()))
        }
    }

    /// That of the name of a certificate, e.g. `user_Control_manager`.
    pub fn of_name(name: &str) -> Result<Purpose, PkiError> {
        let bad = || PkiError::Name(name.to_owned());
        if let Some(host) = name.strip_prefix("server_") {
            return Purpose::server(host);
        }
        let (role, user) =
            name.strip_prefix("user_").and_then(|rest| rest.split_once('_')).ok_or_else(bad)?;
        Purpose::user(role_named(role).ok_or_else(bad)?, user)
    }

    /// The subject of its certificate.
    pub fn subject(&self) -> Subject {
        match self {
            Purpose::Server { host } => Subject::from(&[("CN", host)]),
            Purpose::User { role, name } => Subject::from(&[("OU", &role.to_string()), ("CN", name)]),
        }
    }
}

/// Name of the certificate and of its files.
impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Purpose::Server { host } => write!(f, "server_{host}"),
            Purpose::User { role, name } => write!(f, "user_{role}_{name}"),
        }
    }
}

/// The role of that name.
pub fn role_named(name: &str) -> Option<Access> {
    [Access::Admin, Access::Control, Access::Monitor].into_iter().find(|role| role.to_string() == name)
}

/// A name that is safe in a path, a subject and a log line.
fn plain(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-@".contains(&b);
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Why a command or a start with certificates fails.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// cluster.xml is wrong.
    #[error(transparent)]
    Cluster(#[from] ConfigErrors),
    /// Which node this is cannot be told.
    #[error("{0}")]
    Node(String),
    /// A file that must be there is not.
    #[error(
        "{} is missing: make it with initssl in SAFE/web/bin, or install that of your own certification authority",
        .0.display()
    )]
    Missing(PathBuf),
    /// A file has a wrong content.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: Told,
    },
    /// A certificate and a key do not go together.
    #[error("{} is not the key of {}: install both files of one certificate", key.display(), certificate.display())]
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// An installed certificate is not good.
    #[error("{}: {why}", path.display())]
    Distrusted {
        /// The certificate.
        path: PathBuf,
        /// Why.
        why: Distrust,
    },
    /// There is no authority here.
    #[error(
        "this node has no certification authority: run initssl sca on the CA server, initssl req elsewhere"
    )]
    NoAuthority,
    /// There is one already.
    #[error(
        "{} exists: initssl rca makes a new server certificate with this authority; to begin afresh erase SAFE/web/conf/ca on all nodes",
        .0.display()
    )]
    AuthorityExists(PathBuf),
    /// A name that cannot be that of a certificate.
    #[error(
        "\"{0}\" cannot be the name of a certificate: up to 64 letters, digits and the characters . _ - @ are allowed, after server_ or user_Admin_, user_Control_, user_Monitor_"
    )]
    Name(String),
    /// The subject of the authority.
    #[error(transparent)]
    Subject(#[from] subject::BadSubject),
    /// A request that is not signed.
    #[error("the certificate request is refused: {0}")]
    Request(String),
    /// Making a certificate failed.
    #[error("cannot make the certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Making a .p12 file failed.
    #[error("cannot make the .p12 file: {0}")]
    P12(String),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// Nobody answers a question.
    #[error("{0}")]
    Unanswered(String),
    /// The CA server.
    #[error(transparent)]
    Client(#[from] client::ClientError),
    /// The firewall.
    #[error("TCP port {port} of the CA service: {source}")]
    Firewall {
        /// The port.
        port: u16,
        /// Why it is neither opened nor closed.
        source: FirewallError,
    },
    /// httpd.caserv.conf is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The CA service runs already.
    #[error("safecaserv runs already, since {}; stop it with stopcaserv", up(.0))]
    Running(Duration),
    /// The CA service did not start.
    #[error("safecaserv did not start: {0}")]
    Start(String),
    /// The CA service did not end.
    #[error("safecaserv was not stopped: {0}")]
    Stop(String),
    /// Only root may.
    #[error("run it as root: the keys of the certification authority are root's")]
    NotRoot,
}

impl Tell for PkiError {
    fn french(&self) -> String {
        use PkiError as E;
        match self {
            E::Record(e) => e.french(),
            E::Cluster(e) => e.french(),
            E::Missing(path) => format!(
                "{} manque : créez-le avec initssl dans SAFE/web/bin, ou installez celui de votre autorité de \
                 certification",
                path.display()
            ),
            E::Content { path, what } => format!("{} : {}", path.display(), what.of(Lang::Fr)),
            E::KeyMismatch { certificate, key } => format!(
                "{} n'est pas la clé de {} : installez les deux fichiers d'un même certificat",
                key.display(),
                certificate.display()
            ),
            // Commands alone say the rest, and those speak English.
            E::Node(_)
            | E::Distrusted { .. }
            | E::NoAuthority
            | E::AuthorityExists(_)
            | E::Name(_)
            | E::Subject(_)
            | E::Request(_)
            | E::Make(_)
            | E::P12(_)
            | E::Random(_)
            | E::Unanswered(_)
            | E::Client(_)
            | E::Firewall { .. }
            | E::Settings(_)
            | E::Running(_)
            | E::Start(_)
            | E::Stop(_)
            | E::NotRoot => self.to_string(),
        }
    }
}

/// A time for people: `3 h 12 min`.
pub fn up(time: &Duration) -> String {
    match (time.as_secs() / 3600, time.as_secs() / 60 % 60) {
        (0, 0) => format!("{} s", time.as_secs()),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_certificates_say_what_they_are_for() {
        for name in ["server_node1", "user_Admin_node-1.example", "user_Monitor_a_b", "user_Control_x@y"] {
            assert_eq!(Purpose::of_name(name).unwrap().to_string(), name);
        }
        assert_eq!(
            Purpose::of_name("user_Monitor_a_b").unwrap(),
            Purpose::User { role: Access::Monitor, name: "a_b".into() }
        );
        for bad in [
            "",
            "cacert",
            "server_",
            "server_../x",
            "user_Root_x",
            "user_Admin",
            "user_Admin_",
            "server_.x",
            "server_a/b",
        ] {
            assert!(Purpose::of_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_told_for_people() {
        let told = |secs| up(&Duration::from_secs(secs));
        assert_eq!([told(5), told(61), told(7325)], ["5 s", "1 min", "2 h 2 min"]);
    }
}
