//! TLS of the web service, with the certificate of SAFE/web/conf (WEB-55).

use crate::config::paths::Paths;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", file.display())]
pub struct TlsError {
    /// The file.
    file: PathBuf,
    /// What is wrong with it.
    what: String,
}

/// The configuration of a server with server.crt and server.key: TLS 1.2 and 1.3.
pub fn server_config(paths: &Paths) -> Result<ServerConfig, TlsError> {
    let (certificate, key) = (paths.web_conf().join("server.crt"), paths.web_conf().join("server.key"));
    let wrong = |file: &PathBuf, what: String| TlsError { file: file.clone(), what };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(|all| all.collect::<Result<Vec<_>, _>>())
        .map_err(|e| wrong(&certificate, e.to_string()))?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|e| wrong(&key, e.to_string()))?;
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&certificate, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| wrong(&certificate, e.to_string()))
}
