//! Reading certificates: what they say, whether a key belongs to one, whether it is to be trusted.

use super::PkiError;
use crate::net::tls::TlsFault;
use crate::told::{Told, told};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// Largest file of certificates or of a key, bytes.
pub(super) const LARGEST: u64 = 1024 * 1024;
/// Most certificates of a chain.
const MOST: usize = 32;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate itself.
    pub der: CertificateDer<'static>,
    /// Whose it is, e.g. `CN=node1`.
    pub subject: String,
    /// Common name of the subject.
    pub common_name: Option<String>,
    /// Organisational units of the subject.
    pub units: Vec<String>,
    /// Who has signed it.
    pub issuer: String,
    /// Addresses for which it is valid.
    pub addresses: BTreeSet<IpAddr>,
    /// Names for which it is valid, in lower case.
    pub names: BTreeSet<String>,
    /// First second of its validity, since 1970.
    pub not_before: i64,
    /// Last second of its validity, since 1970.
    pub not_after: i64,
    /// Whether it may sign others.
    pub is_ca: bool,
}

impl Certificate {
    /// Reads one in DER.
    pub fn read(der: CertificateDer<'static>) -> Result<Certificate, Told> {
        let (_, parsed) = X509Certificate::from_der(&der)
            .map_err(|e| told!("not a certificate: {e}", "ce n'est pas un certificat : {e}"))?;
        let text = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            attribute.as_str().map(str::to_owned).unwrap_or_default()
        };
        let (addresses, names) = alternative_names(&parsed);
        let read = Certificate {
            subject: parsed.subject().to_string(),
            common_name: parsed.subject().iter_common_name().next().map(text),
            units: parsed.subject().iter_organizational_unit().map(text).collect(),
            issuer: parsed.issuer().to_string(),
            addresses,
            names,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            is_ca: parsed.is_ca(),
            der: CertificateDer::from(Vec::new()),
        };
        Ok(Certificate { der, ..read })
    }

    /// SHA-256 of the certificate as browsers and openssl show it: `AB:CD:...`.
    pub fn fingerprint(&self) -> String {
        let mut text = String::new();
        for byte in Sha256::digest(&self.der) {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{byte:02X}", if text.is_empty() { "" } else { ":" });
        }
        text
    }

    /// Whether it is valid for this name or address: exactly, or by a wildcard for one label.
    pub fn covers(&self, name: &str) -> bool {
        if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
            return self.addresses.contains(&address);
        }
        let name = name.to_ascii_lowercase();
        let wildcard = name.split_once('.').map(|(_, domain)| format!("*.{domain}"));
        self.names.contains(&name) || wildcard.is_some_and(|wildcard| self.names.contains(&wildcard))
    }

    /// Where `now` lies.
    pub fn validity(&self, now: i64) -> Validity {
        if now < self.not_before {
            Validity::NotYet
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::Valid { days_left: (self.not_after - now) / (24 * 3600) }
        }
    }
}

/// Where the present lies in the validity of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Before: a clock is wrong.
    NotYet,
    /// Within.
    Valid {
        /// Whole days to its end.
        days_left: i64,
    },
    /// After.
    Expired,
}

fn alternative_names(parsed: &X509Certificate<'_>) -> (BTreeSet<IpAddr>, BTreeSet<String>) {
    let (mut addresses, mut names) = (BTreeSet::new(), BTreeSet::new());
    let Ok(Some(alternatives)) = parsed.subject_alternative_name() else { return (addresses, names) };
    for name in &alternatives.value.general_names {
        match name {
            GeneralName::DNSName(name) => drop(names.insert(name.to_ascii_lowercase())),
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
                addresses.extend(v4.ok().into_iter().chain(v6.ok()));
            }
            // Nobody asks a node by anything else.
            _ => {}
        }
    }
    (addresses, names)
}

/// The certificates of a PEM file, in its order: at least one.
pub fn load(path: &Path) -> Result<Vec<Certificate>, PkiError> {
    from_pem(&super::files::read(path)?).map_err(|what| PkiError::Content { path: path.to_owned(), what })
}

/// The certificates of a PEM text: at least one.
pub fn from_pem(pem: &[u8]) -> Result<Vec<Certificate>, Told> {
    let mut all = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem).take(MOST) {
        let der =
            der.map_err(|e| told!("not a PEM certificate: {e}", "ce n'est pas un certificat PEM : {e}"))?;
        all.push(Certificate::read(der)?);
    }
    let nothing = || told!("holds no PEM certificate", "ne contient aucun certificat PEM");
    if all.is_empty() { Err(nothing()) } else { Ok(all) }
}

/// The private key of a PEM file, which must not be encrypted.
pub fn load_key(path: &Path) -> Result<PrivateKeyDer<'static>, PkiError> {
    let pem = super::files::read(path)?;
    let content = |what: Told| PkiError::Content { path: path.to_owned(), what };
    if String::from_utf8_lossy(&pem).contains("ENCRYPTED") {
        return Err(content(told!(
            "the key is protected by a password: install it without (openssl pkey)",
            "la clé est protégée par un mot de passe : installez-la sans (openssl pkey)"
        )));
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|e| content(told!("not a PEM private key: {e}", "ce n'est pas une clé privée PEM : {e}")))
}

/// The cryptography of the product.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Certification authorities for rustls.
pub fn roots(authorities: &[Certificate]) -> Result<Arc<RootCertStore>, String> {
    let mut store = RootCertStore::empty();
    for authority in authorities {
        store.add(authority.der.clone()).map_err(|e| format!("{}: {e}", authority.subject))?;
    }
    Ok(Arc::new(store))
}

/// Checks that `chain`, the certificate of a server first, is signed by one of `authorities` and valid
/// at `now` (seconds since 1970) for `name`.
pub fn verify(
    chain: &[Certificate],
    authorities: &[Certificate],
    name: &str,
    now: i64,
) -> Result<(), Distrust> {
    let other = |e: String| Distrust::Other(e);
    let [own, between @ ..] = chain else { return Err(other("no certificate".into())) };
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots(authorities).map_err(other)?, provider())
            .build()
            .map_err(|e| other(e.to_string()))?;
    let between: Vec<CertificateDer<'_>> = between.iter().map(|c| c.der.clone()).collect();
    let server = ServerName::try_from(name.trim_matches(['[', ']'])).map_err(|e| other(e.to_string()))?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.try_into().unwrap_or(0)));
    match verifier.verify_server_cert(&own.der, &between, &server, &[], now) {
        Ok(_) => Ok(()),
        Err(e) => Err(Distrust::of(&e, name)),
    }
}

/// Why a chain of certificates is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The clocks of the two machines differ (CLI-141).
    #[error(
        "Certificate is not yet valid: the clock of this node is behind that of the CA server; synchronize the clocks and run the command again"
    )]
    NotYetValid,
    /// It was valid.
    #[error(
        "the certificate has expired: make a new one (initssl rca on the CA server, initssl req elsewhere)"
    )]
    Expired,
    /// Signed by somebody else.
    #[error("the certificate is not signed by the installed certification authority")]
    Issuer,
    /// Made for other names.
    #[error(
        "the certificate is not valid for {0}: add it to SAFE/web/conf/ipnames.json, ipv4.json or ipv6.json there and make a new one"
    )]
    Name(String),
    /// Anything else.
    #[error("the certificate is refused: {0}")]
    Other(String),
}

impl Distrust {
    /// What rustls says of a server asked by `name`.
    pub fn of(error: &rustls::Error, name: &str) -> Distrust {
        match TlsFault::of(error) {
            TlsFault::NotYetValid => Distrust::NotYetValid,
            TlsFault::Expired => Distrust::Expired,
            TlsFault::Issuer => Distrust::Issuer,
            TlsFault::Name => Distrust::Name(name.to_owned()),
            TlsFault::Plain | TlsFault::Authority(_) | TlsFault::Other(_) => {
                Distrust::Other(error.to_string())
            }
        }
    }
}

/// Whether `key` is the private key of `certificate`.
pub fn belongs(key: &PrivateKeyDer<'_>, certificate: &Certificate) -> Result<bool, Told> {
    let signing = rustls::crypto::ring::sign::any_supported_type(key).map_err(|e| {
        told!("a key that is not supported: {e}", "une clé qui n'est pas prise en charge : {e}")
    })?;
    let (_, parsed) = X509Certificate::from_der(&certificate.der).map_err(|e| Told::same(e.to_string()))?;
    Ok(signing.public_key().is_some_and(|public| public.as_ref() == parsed.public_key().raw))
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A moment as people read it, in UTC.
pub fn date(second: i64) -> String {
    jiff::Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}
