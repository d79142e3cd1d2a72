//! TLS 1.3 with raw public keys (RFC 7250). Both sides derive the same Ed25519 key pair from the module's
//! key: to sign for its public half is to have the module's key. There is no certificate, so there is
//! nothing to renew and no date to be wrong about.

use super::socket::{Socket, Until};
use super::{Key, LinkError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName,
    Error, ServerConfig, ServerConnection, SignatureScheme,
};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Where the key pair comes from; another text is another key pair.
const CONTEXT: &str = "SafeKit replication v1: Ed25519 key pair of a module";

/// A private Ed25519 key in PKCS#8 (RFC 8410) but for its 32 bytes, which follow.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// Most plaintext and ciphertext that waits in a connection, bytes.
const BUFFER: usize = 256 << 10;

/// The client's half of the handshake.
pub(super) fn connect(socket: &Socket, key: &Key, deadline: Instant) -> Result<Connection, LinkError> {
    let (provider, own) = own(key).map_err(unusable)?;
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SameKey::new(&provider, &own)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own)));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    let name = ServerName::try_from("safekit").map_err(|error| LinkError::Handshake(error.to_string()))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(unusable)?;
    shake(socket, connection.into(), deadline)
}

/// The server's half.
pub(super) fn accept(socket: &Socket, key: &Key, deadline: Instant) -> Result<Connection, LinkError> {
    let (provider, own) = own(key).map_err(unusable)?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(Arc::new(SameKey::new(&provider, &own)))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let connection = ServerConnection::new(Arc::new(config)).map_err(unusable)?;
    shake(socket, connection.into(), deadline)
}

fn unusable(error: Error) -> LinkError {
    LinkError::Handshake(error.to_string())
}

/// The key pair of a module.
fn own(key: &Key) -> Result<(Arc<CryptoProvider>, Arc<CertifiedKey>), Error> {
    let provider = Arc::new(ring::default_provider());
    let mut private = PKCS8.to_vec();
    private.extend_from_slice(&blake3::derive_key(CONTEXT, key));
    let signing = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(private).into())?;
    let public = signing.public_key().ok_or_else(|| Error::General("a key without a public half".into()))?;
    let public = CertificateDer::from(public.as_ref().to_vec());
    Ok((provider, Arc::new(CertifiedKey::new(vec![public], signing))))
}

/// Both halves of a handshake, to its end.
fn shake(socket: &Socket, mut connection: Connection, deadline: Instant) -> Result<Connection, LinkError> {
    connection.set_buffer_limit(Some(BUFFER));
    let mut until = Until { socket, deadline };
    while connection.is_handshaking() {
        connection.complete_io(&mut until).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => LinkError::Timeout,
            io::ErrorKind::UnexpectedEof => LinkError::Handshake("the peer ended the connection".into()),
            _ => LinkError::Handshake(error.to_string()),
        })?;
    }
    socket.set_read_timeout(None).map_err(LinkError::Broken)?;
    Ok(connection)
}

/// Accepts the one peer that signs with our own key.
#[derive(Debug)]
struct SameKey {
    provider: Arc<CryptoProvider>,
    public: Vec<CertificateDer<'static>>,
}

impl SameKey {
    fn new(provider: &Arc<CryptoProvider>, own: &CertifiedKey) -> SameKey {
        SameKey { provider: provider.clone(), public: own.cert.clone() }
    }

    fn check(&self, end: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<(), Error> {
        let same = rest.is_empty() && self.public.first().is_some_and(|own| own.as_ref() == end.as_ref());
        if same { Ok(()) } else { Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) }
    }

    fn check_signature(
        &self,
        message: &[u8],
        peer: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let peer = SubjectPublicKeyInfoDer::from(peer.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &peer, signature, algorithms)
    }
}

/// Only TLS 1.3 is offered, so nobody asks for a signature of 1.2.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2 is not spoken here".into()))
}

impl ServerCertVerifier for SameKey {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end, rest).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        peer: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, peer, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for SameKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end, rest).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        peer: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, peer, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
