//! TLS of the web service: its certificate, those of its clients, and whom it trusts outside of the cluster.
//!
//! The files are those of WEB-55, whoever has made them: server.crt, server.key and cacert.crt in
//! SAFE/web/conf. They are read again when they change, so that a renewed certificate needs no restart.

mod clients;
mod file;
mod status;

pub use clients::{ClientCertificate, on_connect};
pub(in crate::web) use file::Watched;
pub use status::{CertificateWatch, status};

use super::pki::certificate::{self, Certificate};
use super::pki::{PkiError, check, files};
use crate::config::paths::Paths;
use crate::told::Told;
use clients::Clients;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The TLS configuration of the web service, with what is installed in SAFE/web/conf.
///
/// Errors name what is missing or does not fit. A certificate that has expired or lacks names is served:
/// clients refuse it by themselves, and [`status`] says so.
pub fn server_config(paths: &Paths) -> Result<ServerConfig, PkiError> {
    installed(paths)?.server_config()
}

/// The same; users may show certificates of the installed authorities instead of logging in
/// ([`on_connect`]).
pub fn server_config_with_users(paths: &Paths) -> Result<ServerConfig, PkiError> {
    let mut identity = installed(paths)?;
    // Read now, so that a fault shows at the start.
    certificate::load(&files::authorities(paths))?;
    identity.clients = Some(files::authorities(paths));
    identity.server_config()
}

fn installed(paths: &Paths) -> Result<Identity, PkiError> {
    let certificate = files::server_certificate(paths);
    check::key(paths, &certificate::load(&certificate)?[0])?;
    Ok(Identity::new(certificate, files::server_key(paths)))
}

/// The TLS configuration of a client of servers of others, such as directories and identity providers:
/// trusts the authorities of this system, and those of SAFE/web/conf/cacert.crt if there is one.
pub fn outgoing_config(paths: &Paths) -> Result<ClientConfig, PkiError> {
    let path = files::authorities(paths);
    let content = |what: String| PkiError::Content { path: path.clone(), what: Told::same(what) };
    let mut roots = RootCertStore::empty();
    // What is unreadable among hundreds of authorities is no reason to trust none.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if path.exists() {
        roots.add_parsable_certificates(certificate::load(&path)?.into_iter().map(|c| c.der));
    }
    Ok(ClientConfig::builder_with_provider(certificate::provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| content(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The certificate of a service, in files that may change or come later.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    /// Sent along, for clients that know no authority yet.
    authority: Option<PathBuf>,
    /// Authorities of clients' certificates.
    clients: Option<PathBuf>,
}

impl Identity {
    /// In these PEM files.
    pub fn new(certificate: PathBuf, key: PathBuf) -> Identity {
        Identity { certificate, key, authority: None, clients: None }
    }

    /// Sends the certificates of this file along.
    pub fn with_authority(mut self, authority: PathBuf) -> Identity {
        self.authority = Some(authority);
        self
    }

    /// The configuration of a server with it: TLS 1.2 and 1.3. While the files are missing or wrong,
    /// handshakes fail.
    pub fn server_config(self) -> Result<ServerConfig, PkiError> {
        let wrong = {
            let path = self.certificate.clone();
            move |e: rustls::Error| PkiError::Content { path, what: Told::same(e.to_string()) }
        };
        let builder = ServerConfig::builder_with_provider(certificate::provider())
            .with_safe_default_protocol_versions()
            .map_err(wrong)?;
        let builder = match self.clients.clone() {
            Some(authorities) => builder.with_client_cert_verifier(Arc::new(Clients::new(authorities))),
            None => builder.with_client_cert_verifier(WebPkiClientVerifier::no_client_auth()),
        };
        let Identity { certificate, key, authority, .. } = self;
        let all = [Some(certificate.clone()), Some(key.clone()), authority.clone()].into_iter().flatten();
        let load = move || certified(&certificate, &key, authority.as_deref());
        Ok(builder.with_cert_resolver(Arc::new(Own(Watched::new(all.collect(), load)))))
    }
}

/// The certificate of a handshake: always that of the files.
#[derive(Debug)]
struct Own(Watched<CertifiedKey>);

impl ResolvesServerCert for Own {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.get()
    }
}

fn certified(path: &Path, key: &Path, authority: Option<&Path>) -> Result<CertifiedKey, PkiError> {
    let mut chain: Vec<Certificate> = certificate::load(path)?;
    if let Some(authority) = authority {
        chain.extend(certificate::load(authority)?);
    }
    let content =
        |e: rustls::Error| PkiError::Content { path: key.to_owned(), what: Told::same(e.to_string()) };
    let signing =
        rustls::crypto::ring::sign::any_supported_type(&certificate::load_key(key)?).map_err(content)?;
    let certified = CertifiedKey::new(chain.into_iter().map(|c| c.der).collect(), signing);
    certified
        .keys_match()
        .map_err(|_| PkiError::KeyMismatch { certificate: path.to_owned(), key: key.to_owned() })?;
    Ok(certified)
}
