//! The commands `initssl`, `makeusercert` and `getipandnames` of `SAFE/web/bin`, step by step.
//!
//! Each returns what it has to say, a line each.

use super::authority::{self, Authority};
use super::certificate::{self, Certificate};
use super::client::{ClientError, Introduction};
use super::files::{self, Tree};
use super::names::Names;
use super::prompt::Ask;
use super::subject::Subject;
use super::{PkiError, Purpose, check};
use crate::config::paths::Paths;
use crate::control::access::Access;
use crate::node::level;
use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rcgen::{IsCa, PKCS_ECDSA_P256_SHA256};
use std::path::Path;

/// Whom `initssl req` asks, and how it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address of the CA service.
    pub url: String,
    /// Its user.
    pub user: String,
    /// Its password; asked when missing.
    pub password: Option<String>,
    /// SHA-256 fingerprint of its authority; asked when missing and not known yet.
    pub fingerprint: Option<String>,
}

/// `getipandnames` (CLI-138).
pub fn get_ip_and_names(paths: &Paths) -> Result<Vec<String>, PkiError> {
    let before = Names::load(paths).unwrap_or_default().unwrap_or_default();
    let names = Names::of_this_node(paths)?;
    let files = names.store(paths)?;
    let mut lines: Vec<String> = files.iter().map(|file| format!("{} is written", file.display())).collect();
    lines.push(format!("addresses and names: {}", names.without(&Names::default()).join(", ")));
    let gone = before.without(&names);
    if !gone.is_empty() {
        lines.push(format!("no longer there: {}; add again what you had added", gone.join(", ")));
    }
    Ok(lines)
}

/// `initssl sca` (CLI-139).
pub fn create(paths: &Paths, subject: Option<&str>) -> Result<Vec<String>, PkiError> {
    let subject: Subject = subject.unwrap_or(authority::SUBJECT).parse()?;
    // What could be wrong with the names is known before an authority is made.
    Names::load_or_make(paths)?;
    let tree = Tree::open(paths)?;
    let authority = Authority::create(&tree, &subject)?;
    let mut lines =
        vec![format!("certification authority {}: {}", authority.certificate.subject, shown(&tree))];
    lines.extend(issue(paths, &tree, &authority)?);
    Ok(lines)
}

/// `initssl rca` (CLI-140).
pub fn renew(paths: &Paths) -> Result<Vec<String>, PkiError> {
    let tree = Tree::open(paths)?;
    let authority = Authority::load(&tree)?;
    issue(paths, &tree, &authority)
}

fn shown(tree: &Tree) -> String {
    tree.certificate(authority::NAME).display().to_string()
}

/// Makes the certificate of this node's web service and installs it.
fn issue(paths: &Paths, tree: &Tree, authority: &Authority) -> Result<Vec<String>, PkiError> {
    let names = Names::load_or_make(paths)?;
    let host = level::hostname();
    let purpose = Purpose::server(&host)?;
    let key = new_key()?;
    let pem = authority.sign_server(&host, &names, &key)?;
    files::store_secret(&tree.key(&purpose.to_string()), key.serialize_pem().as_bytes())?;
    files::store_public(&tree.certificate(&purpose.to_string()), &pem)?;
    install(paths, &authority.pem, &pem, &key)
}

/// Installs authority, certificate and key, and checks what is installed.
fn install(paths: &Paths, authority: &str, pem: &str, key: &KeyPair) -> Result<Vec<String>, PkiError> {
    files::install(&files::authorities(paths), authority)?;
    files::install(&files::server_key(paths), &key.serialize_pem())?;
    files::install(&files::server_certificate(paths), pem)?;
    check::installed(paths)
}

fn new_key() -> Result<KeyPair, PkiError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

/// A new key and a request for `purpose`, stored in the tree.
fn request(tree: &Tree, purpose: &Purpose, names: Option<&Names>) -> Result<(KeyPair, String), PkiError> {
    let key = new_key()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name = purpose.subject().distinguished();
    params.is_ca = IsCa::NoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match purpose {
        Purpose::Server { .. } => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Purpose::User { .. } => vec![ExtendedKeyUsagePurpose::ClientAuth],
    };
    if let Some(names) = names {
        params.subject_alt_names = authority::alternatives(names)?;
    }
    let pem = params.serialize_request(&key)?.pem()?;
    let name = purpose.to_string();
    files::store_secret(&tree.key(&name), key.serialize_pem().as_bytes())?;
    files::store_public(&tree.request(&name), &pem)?;
    Ok((key, pem))
}

/// `initssl req` (CLI-141): without `server` only the requests are made.
pub async fn request_certificates(
    paths: &Paths,
    server: Option<&Server>,
    ask: &mut dyn Ask,
) -> Result<Vec<String>, PkiError> {
    let names = Names::load_or_make(paths)?;
    let tree = Tree::open(paths)?;
    if tree.key(authority::NAME).exists() {
        return Err(PkiError::AuthorityExists(tree.key(authority::NAME)));
    }
    let host = level::hostname();
    let purposes = [Purpose::server(&host)?, Purpose::user(Access::Admin, &host)?];
    let Some(server) = server else {
        let mut lines = Vec::new();
        for (purpose, names) in purposes.iter().zip([Some(&names), None]) {
            request(&tree, purpose, names)?;
            lines.push(format!("certificate request: {}", tree.request(&purpose.to_string()).display()));
        }
        return Ok(lines);
    };
    let known = certificate::load(&files::authorities(paths)).unwrap_or_default();
    let introduction = confirmed(server, &known, ask).await?;
    let fingerprint = introduction.authority.fingerprint();
    let password = match &server.password {
        Some(password) => password.clone(),
        None => ask.needed(&format!("Password of {} on {}", server.user, server.url))?,
    };
    let ca = introduction.connect(&server.user, &password)?;
    let authority = ca.authority().await?;
    if !first(&authority)?.fingerprint().eq(&fingerprint) {
        let (found, url) = (first(&authority)?.fingerprint(), server.url.clone());
        return Err(ClientError::Fingerprint { url, found, wanted: fingerprint }.into());
    }
    let mut signed = Vec::new();
    for (purpose, names) in purposes.iter().zip([Some(&names), None]) {
        let (key, csr) = request(&tree, purpose, names)?;
        let pem = ca.sign(purpose, &csr).await?;
        first(&pem)?;
        files::store_public(&tree.certificate(&purpose.to_string()), &pem)?;
        signed.push((pem, key));
    }
    files::store_public(&tree.certificate(authority::NAME), &authority)?;
    let (pem, key) = &signed[0];
    install(paths, &authority, pem, key)
}

/// The CA server, if its authority is the installed one, the one of the command line, or confirmed.
async fn confirmed(
    server: &Server,
    known: &[Certificate],
    ask: &mut dyn Ask,
) -> Result<Introduction, PkiError> {
    let introduction = Introduction::of(&server.url).await?;
    if let Some(wanted) = &server.fingerprint {
        introduction.expect(wanted)?;
        return Ok(introduction);
    }
    if known.iter().any(|c| c.der == introduction.authority.der) {
        return Ok(introduction);
    }
    let authority = &introduction.authority;
    let question = format!(
        "The certification authority of {} is {}\nSHA-256 fingerprint: {}\nIs it that of the CA server, as \"checkcert -t CA\" prints it there (yes|no)?",
        server.url,
        authority.subject,
        authority.fingerprint()
    );
    if ask.line(&question)?.trim().eq_ignore_ascii_case("yes") {
        return Ok(introduction);
    }
    Err(introduction.unconfirmed().into())
}

/// The first certificate of a text that comes from the CA server.
fn first(pem: &str) -> Result<Certificate, PkiError> {
    let mut chain = certificate::from_pem(pem.as_bytes())
        .map_err(|what| PkiError::Request(format!("the CA server answers something else: {what}")))?;
    Ok(chain.swap_remove(0))
}

/// `makeusercert` (CLI-142): a request, and on the CA server the certificate and its .p12 file.
pub fn make_user(
    paths: &Paths,
    name: &str,
    role: Access,
    ask: &mut dyn Ask,
) -> Result<Vec<String>, PkiError> {
    let purpose = Purpose::user(role, name)?;
    let tree = Tree::open(paths)?;
    let file_name = purpose.to_string();
    if !tree.key(authority::NAME).exists() {
        request(&tree, &purpose, None)?;
        let request = tree.request(&file_name);
        return Ok(vec![
            format!("certificate request: {}", request.display()),
            "this node is not the CA server: have the request signed there".into(),
        ]);
    }
    let authority = Authority::load(&tree)?;
    let password = ask.twice(&format!("Password of {}", tree.p12(&file_name).display()))?;
    let (key, _) = request(&tree, &purpose, None)?;
    let pem = authority.sign_user(name, &role.to_string(), &key)?;
    files::store_public(&tree.certificate(&file_name), &pem)?;
    let p12 = p12(&file_name, &key, &[first(&pem)?, authority.certificate], &password)?;
    files::store_secret(&tree.p12(&file_name), &p12)?;
    let made = |path: &Path| path.display().to_string();
    Ok(vec![
        format!("certificate: {}", made(&tree.certificate(&file_name))),
        format!("certificate and key for a browser: {}", made(&tree.p12(&file_name))),
    ])
}

/// Key and certificates in one file for browsers, protected by a password.
fn p12(name: &str, key: &KeyPair, chain: &[Certificate], password: &str) -> Result<Vec<u8>, PkiError> {
    let bad = |e: p12_keystore::error::Error| PkiError::P12(e.to_string());
    let private = PrivateKey::from_der(key.serialized_der()).map_err(bad)?;
    let certs: Result<Vec<_>, _> =
        chain.iter().map(|c| p12_keystore::Certificate::from_der(&c.der)).collect();
    let mut store = KeyStore::new();
    let entry = PrivateKeyChain::new(name, private, certs.map_err(bad)?);
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(entry));
    store.writer(password).write().map_err(bad)
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
