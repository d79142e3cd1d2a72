//! The certification authority of the SafeKit PKI: makes itself, and signs what it has checked.

use super::certificate::{self, Certificate, Validity};
use super::files::{self, Tree};
use super::names::{MOST_NAMES, Names, is_name};
use super::subject::Subject;
use super::{PkiError, Purpose};
use crate::told::Told;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
    date_time_ymd,
};
use std::net::IpAddr;
use std::time::Duration;

/// Name of the authority's certificate and key.
pub const NAME: &str = "cacert";
/// Subject of an authority for which none is given.
pub const SUBJECT: &str = "/CN=SafeKit Local Certificate Authority";
/// Validity in days: 20 years (WEB-54).
const DAYS: u64 = 20 * 365 + 5;
/// A certificate is valid this long before it is made, seconds: clocks differ a little.
const BACKDATED: i64 = 300;
/// Bytes of an uncompressed point of P-256.
const P256_POINT: usize = 65;
/// Longest request, bytes.
pub const LONGEST_REQUEST: usize = 16 * 1024;

/// An authority that can sign.
pub struct Authority {
    /// Its certificate.
    pub certificate: Certificate,
    /// The same in PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a new one and stores it; refused when there is one, because nothing that it has signed
    /// would be trusted any more.
    pub fn create(tree: &Tree, subject: &Subject) -> Result<Authority, PkiError> {
        let (key_file, file) = (tree.key(NAME), tree.certificate(NAME));
        if let Some(there) = [&key_file, &file].into_iter().find(|path| path.exists()) {
            return Err(PkiError::AuthorityExists(there.clone()));
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(certificate::now())?;
        params.distinguished_name = subject.distinguished();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key)?.pem();
        files::store_secret(&key_file, key.serialize_pem().as_bytes())?;
        files::store_public(&file, &pem)?;
        Authority::load(tree)
    }

    /// That of this node.
    pub fn load(tree: &Tree) -> Result<Authority, PkiError> {
        let (file, key_file) = (tree.certificate(NAME), tree.key(NAME));
        if !file.exists() || !key_file.exists() {
            return Err(PkiError::NoAuthority);
        }
        let pem = String::from_utf8_lossy(&files::read(&file)?).into_owned();
        let content = |path: &std::path::Path, what: Told| PkiError::Content { path: path.to_owned(), what };
        let certificate = certificate::load(&file)?.swap_remove(0);
        let secret = String::from_utf8_lossy(&files::read(&key_file)?).into_owned();
        let key = KeyPair::from_pem(&secret).map_err(|e| content(&key_file, Told::same(e.to_string())))?;
        if !certificate::belongs(&certificate::load_key(&key_file)?, &certificate)
            .map_err(|e| content(&key_file, e))?
        {
            return Err(PkiError::KeyMismatch { certificate: file, key: key_file });
        }
        if certificate.validity(certificate::now()) == Validity::Expired {
            return Err(PkiError::Distrusted { path: file, why: certificate::Distrust::Expired });
        }
        let issuer =
            Issuer::from_ca_cert_pem(&pem, key).map_err(|e| content(&file, Told::same(e.to_string())))?;
        Ok(Authority { certificate, pem, issuer })
    }

    /// The certificate, in PEM, of a server with these names and key.
    pub fn sign_server(
        &self,
        host: &str,
        names: &Names,
        key: &impl PublicKeyData,
    ) -> Result<String, PkiError> {
        let mut params = params(certificate::now())?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.subject_alt_names = alternatives(names)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, key)
    }

    /// The certificate, in PEM, of a user: the common name is the user, the unit its role.
    pub fn sign_user(&self, user: &str, role: &str, key: &impl PublicKeyData) -> Result<String, PkiError> {
        let mut params = params(certificate::now())?;
        params.distinguished_name.push(DnType::OrganizationalUnitName, role);
        params.distinguished_name.push(DnType::CommonName, user);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, key)
    }

    fn sign(&self, mut params: CertificateParams, key: &impl PublicKeyData) -> Result<String, PkiError> {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// Signs a request for `purpose`, if it asks for just that. Nothing of the request is taken over
    /// but its key, its name and its addresses; what it asks beyond is refused, not left out, so that
    /// who asks does not take it for granted.
    pub fn sign_request(&self, purpose: &Purpose, request: &str) -> Result<String, PkiError> {
        let request = checked(purpose, request).map_err(PkiError::Request)?;
        match purpose {
            Purpose::Server { host } => {
                let names = requested_names(&request.params).map_err(PkiError::Request)?;
                self.sign_server(host, &names, &request.public_key)
            }
            Purpose::User { role, name } => self.sign_user(name, &role.to_string(), &request.public_key),
        }
    }
}

/// A request whose signature, key, subject and usages are those of `purpose`.
fn checked(purpose: &Purpose, request: &str) -> Result<CertificateSigningRequestParams, String> {
    if request.len() > LONGEST_REQUEST {
        return Err(format!("longer than {LONGEST_REQUEST} bytes"));
    }
    let request = CertificateSigningRequestParams::from_pem(request)
        .map_err(|e| format!("not a certificate request, or its signature is wrong: {e}"))?;
    let (key, params) = (&request.public_key, &request.params);
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 || key.der_bytes().len() != P256_POINT {
        return Err(
            "its key is not one of the curve P-256: make the request with initssl or makeusercert".into()
        );
    }
    let subject = purpose.subject();
    let asked = Subject::of(&params.distinguished_name);
    if asked != subject {
        return Err(format!("its subject is {asked}, but {purpose} has the subject {subject}"));
    }
    if !matches!(params.is_ca, IsCa::NoCa | IsCa::ExplicitNoCa) {
        return Err("it asks for a certification authority".into());
    }
    if params.key_usages.iter().any(|usage| *usage != KeyUsagePurpose::DigitalSignature) {
        return Err("it asks for a key usage other than digital signature".into());
    }
    let usage = match purpose {
        Purpose::Server { .. } => ExtendedKeyUsagePurpose::ServerAuth,
        Purpose::User { .. } => ExtendedKeyUsagePurpose::ClientAuth,
    };
    if params.extended_key_usages.iter().any(|asked| *asked != usage) {
        return Err(format!("it asks for an extended key usage that {purpose} does not have"));
    }
    if matches!(purpose, Purpose::User { .. }) && !params.subject_alt_names.is_empty() {
        return Err("a user has no alternative names".into());
    }
    Ok(request)
}

/// The alternative names of a server's request: addresses and DNS names only.
fn requested_names(params: &CertificateParams) -> Result<Names, String> {
    let mut names = Names::default();
    for alternative in &params.subject_alt_names {
        match alternative {
            SanType::IpAddress(address) => drop(names.addresses.insert(*address)),
            SanType::DnsName(name) if is_name(name.as_str()) => {
                names.names.insert(name.as_str().to_ascii_lowercase());
            }
            _ => {
                return Err(
                    "it asks for an alternative name that is neither an address nor a DNS name".into()
                );
            }
        }
    }
    match names.addresses.len() + names.names.len() {
        0 => Err("it has neither addresses nor names".into()),
        1..=MOST_NAMES => Ok(names),
        count => Err(format!("it has {count} addresses and names, more than {MOST_NAMES}")),
    }
}

/// The alternative names of a certificate.
pub(super) fn alternatives(names: &Names) -> Result<Vec<SanType>, PkiError> {
    let addresses = names.addresses.iter().map(|address: &IpAddr| Ok(SanType::IpAddress(*address)));
    let dns = names.names.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
    addresses.chain(dns).collect()
}

/// Validity and serial number of a certificate made at `now`, seconds since 1970.
fn params(now: i64) -> Result<CertificateParams, PkiError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(|e| PkiError::Random(e.to_string()))?;
    // Positive and never shorter.
    serial[0] = serial[0] & 0x3f | 0x40;
    let epoch = date_time_ymd(1970, 1, 1);
    let second = |at: i64| epoch + Duration::from_secs(at.max(0).unsigned_abs());
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = second(now - BACKDATED);
    params.not_after = second(now) + Duration::from_secs(DAYS * 24 * 3600);
    Ok(params)
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
