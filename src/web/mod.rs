//! The web service: what people and other nodes ask over HTTP.
//!
//! `safewebserver` runs without any privilege: all it knows and does, it asks of safeadmin on behalf of
//! a user with a role ([`ask`], [`principal`]).

pub mod api;
pub mod ask;
mod assets;
mod audit;
pub mod auth;
mod connection;
mod digest;
pub mod events;
mod headers;
mod here;
mod hosts;
pub mod kept;
mod limits;
mod logs;
mod metrics;
mod mosaic;
mod pace;
pub mod pki;
pub mod principal;
pub mod problem;
pub mod ready;
mod redirect;
pub mod remote;
mod serve;
pub mod session;
pub mod sessions;
pub mod settings;
mod takeover;
pub mod tls;
mod user;
mod vouch;

pub use logs::LogFile;
pub use serve::{WebError, configure, run, server};

use crate::config::paths::Paths;
use crate::told::{Told, told};
use ask::Asker;
use auth::Auth;
use auth::certificates::CertificateUsers;
use auth::limit::Limits;
use auth::tokens::{self, Tokens};
use here::Here;
use hosts::Hosts;
use kept::Kept;
use metrics::Figures;
use remote::target::Service;
use sessions::{Secret, Sessions};
use settings::Settings;
use std::sync::Arc;
use std::time::Instant;
use tls::CertificateWatch;

/// What all handlers share. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Web {
    /// Where the files are.
    pub paths: Arc<Paths>,
    /// httpd.conf as it was at the start.
    pub settings: Arc<Settings>,
    /// Who is logged in.
    pub sessions: Arc<Sessions>,
    /// The way to the nodes.
    pub asker: Asker,
    /// Who may log in.
    pub auth: Arc<Auth>,
    /// Tokens of scripts.
    pub tokens: Arc<Tokens>,
    /// Users with certificates, if they are let in.
    pub certificates: Option<Arc<CertificateUsers>>,
    /// How often somebody may try.
    pub limits: Arc<Limits>,
    /// What consoles look at.
    pub hub: events::Hub,
    /// Event streams of browsers.
    pub streams: events::Streams,
    /// Browsers come by HTTPS.
    pub https: bool,
    watch: Arc<CertificateWatch>,
    /// What a page sends when there is no login.
    page: Secret,
    here: Here,
    hosts: Arc<Hosts>,
    audit: Arc<audit::Audit>,
    figures: Figures,
}

impl Web {
    /// The state of a server with these settings.
    pub fn new(paths: Paths, settings: Settings, https: bool) -> Result<Web, WebError> {
        let auth = Auth::new(&paths, &settings, https)?;
        let port = if https { settings.https_port } else { settings.http_port };
        let asker = Asker::new(&paths, Service { https, port });
        let watch = Arc::new(CertificateWatch::new(paths.clone(), https));
        let tokens = Arc::new(Tokens::new(&paths.web_conf()));
        let longest = auth.longest_session();
        let sessions = Sessions::new(longest, Kept::new(&paths, &settings, https));
        let users = || Arc::new(CertificateUsers::new(&paths.web_conf()));
        Ok(Web {
            certificates: (https && settings.client_certificates).then(users),
            tokens,
            paths: Arc::new(paths),
            hosts: Arc::new(Hosts::new(&settings.server_names)),
            settings: Arc::new(settings),
            sessions: Arc::new(sessions),
            here: Here::default(),
            audit: Arc::default(),
            figures: Figures::default(),
            hub: events::Hub::new(&asker),
            asker,
            auth: Arc::new(auth),
            limits: Arc::default(),
            streams: events::Streams::default(),
            https,
            watch,
            page: Secret::random().map_err(WebError::Random)?,
        })
    }

    /// Name of this node; empty while it is in no cluster.
    pub fn node_name(&self) -> String {
        self.here.node().unwrap_or_default()
    }

    /// Whether somebody whose request goes on may still have it: his session counts as used by it.
    pub async fn still_valid(&self, principal: &principal::Principal) -> bool {
        let (at_login, proof) = match &principal.how {
            principal::How::Session(key) => match self.sessions.touch(*key, Instant::now()) {
                Some(session) => {
                    self.note_use();
                    self.auth.refresh(&session.user).await;
                    (session.access, session.proof)
                }
                None => return false,
            },
            principal::How::Token(key) => {
                let now = self.token(self.tokens.still(key, tokens::now())).await;
                return now.is_some_and(|bearer| bearer.role >= principal.access);
            }
            principal::How::Certificate(shown) => {
                let now = self.certificates.as_ref().and_then(|users| users.login(shown).access);
                return now.is_some_and(|access| access >= principal.access);
            }
            principal::How::Credentials(proof) => (Some(principal.access), *proof),
            principal::How::Nobody => (Some(principal.access), None),
        };
        let now = self.auth.still(&principal.user, at_login, proof).flatten();
        now.is_some_and(|access| access >= principal.access)
    }

    /// Stores who is logged in, on a thread that may wait for the disk.
    pub fn store_sessions(&self) -> tokio::task::JoinHandle<()> {
        let sessions = self.sessions.clone();
        tokio::task::spawn_blocking(move || sessions.store())
    }

    /// Stores that sessions are used, now and then.
    fn note_use(&self) {
        if self.sessions.stale(Instant::now()) {
            self.store_sessions();
        }
    }

    /// What an administrator should do about the security of this service.
    pub fn warnings(&self) -> Vec<Told> {
        let mut warnings = Vec::new();
        if let Some(access) = self.auth.everybody() {
            warnings.push(auth::no_login(access));
        }
        if !self.https {
            warnings.push(told!(
                "connections are not encrypted: HTTPS is not configured",
                "les connexions ne sont pas chiffrées : HTTPS n'est pas configuré"
            ));
        }
        warnings.extend(self.watch.latest().warning);
        warnings
    }
}
