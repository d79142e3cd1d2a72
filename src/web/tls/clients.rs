//! Certificates of users: verified in the handshake, their role read from what the authority has signed.

use super::file::Watched;
use crate::control::access::Access;
use crate::told::Told;
use crate::web::auth::tokens;
use crate::web::pki::certificate::{self, Certificate};
use crate::web::pki::{PkiError, role_named};
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

/// A user who has shown a certificate of the installed authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its common name.
    pub user: String,
    /// The role that the certificate carries: its organisational unit, as `makeusercert` writes it, or the
    /// form `user_<role>_<name>` of its common name.
    pub role: Option<Access>,
}

impl ClientCertificate {
    /// What a verified certificate says; `None` without a name.
    pub fn of(certificate: &Certificate) -> Option<ClientCertificate> {
        let common = certificate.common_name.as_deref().filter(|name| !name.is_empty())?;
        let named = common.strip_prefix("user_").and_then(|rest| rest.split_once('_'));
        let (user, by_name) = match named.and_then(|(role, user)| Some((role_named(role)?, user))) {
            Some((role, user)) if !user.is_empty() => (user, Some(role)),
            _ => (common, None),
        };
        // Whoever has signed it, it must not look like a token in logs.
        if user.starts_with(tokens::LABEL) {
            return None;
        }
        // Two roles are none: which one counts must not depend on an order.
        let mut roles: Vec<Access> = certificate.units.iter().filter_map(|unit| role_named(unit)).collect();
        roles.extend(by_name);
        roles.dedup();
        let role = if let [role] = roles[..] { Some(role) } else { None };
        Some(ClientCertificate { user: user.to_owned(), role })
    }
}

/// For `HttpServer::on_connect`: notes the certificate of a connection, if its user has shown one.
pub fn on_connect(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = chain.first().and_then(|der| Certificate::read(der.clone().into_owned()).ok());
    if let Some(user) = certificate.as_ref().and_then(ClientCertificate::of) {
        data.insert(user);
    }
}

/// Verifies certificates of users with the authorities of a file. Showing one is never needed.
#[derive(Debug)]
pub(super) struct Clients(Watched<Arc<dyn ClientCertVerifier>>);

impl Clients {
    pub(super) fn new(authorities: PathBuf) -> Clients {
        let path = authorities.clone();
        Clients(Watched::new(vec![authorities], move || {
            let content = |what: String| PkiError::Content { path: path.clone(), what: Told::same(what) };
            let roots = certificate::roots(&certificate::load(&path)?).map_err(content)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, certificate::provider());
            verifier.allow_unauthenticated().build().map_err(|e| content(e.to_string()))
        }))
    }

    fn now(&self) -> Result<Arc<Arc<dyn ClientCertVerifier>>, rustls::Error> {
        self.0.get().ok_or_else(|| rustls::Error::General("no certification authority is installed".into()))
    }
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: clients show what they have for this server. The authorities may change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.now()?.verify_client_cert(own, between, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.now()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.now()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        certificate::provider().signature_verification_algorithms.supported_schemes()
    }
}
