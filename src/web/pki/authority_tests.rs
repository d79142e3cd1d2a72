use super::*;
use crate::config::paths::Paths;
use crate::control::access::Access;
use certificate::Distrust;
use rcgen::{CertificateSigningRequest, PKCS_ECDSA_P384_SHA384};
use tempfile::TempDir;

fn tree(root: &TempDir) -> Tree {
    Tree::open(&Paths::new(root.path().join("safe"), root.path().join("var"))).unwrap()
}

fn authority(root: &TempDir) -> Authority {
    Authority::create(&tree(root), &SUBJECT.parse().unwrap()).unwrap()
}

fn names() -> Names {
    let mut names = Names::default();
    names.addresses.insert("10.0.0.1".parse().unwrap());
    names.names.insert("node1".into());
    names
}

fn one(pem: &str) -> Certificate {
    certificate::from_pem(pem.as_bytes()).unwrap().swap_remove(0)
}

#[test]
fn an_authority_is_made_once_and_read_again() {
    let root = tempfile::tempdir().unwrap();
    let made = authority(&root);
    assert!(made.certificate.is_ca);
    assert_eq!(made.certificate.subject, "CN=SafeKit Local Certificate Authority");
    let years = (made.certificate.not_after - made.certificate.not_before) / (365 * 24 * 3600);
    assert_eq!(years, 20);
    assert_eq!(Authority::load(&tree(&root)).unwrap().pem, made.pem);
    let again = Authority::create(&tree(&root), &SUBJECT.parse().unwrap());
    assert!(matches!(again, Err(PkiError::AuthorityExists(_))));
    std::fs::remove_file(tree(&root).key(NAME)).unwrap();
    assert!(matches!(Authority::load(&tree(&root)), Err(PkiError::NoAuthority)));
}

#[test]
fn a_server_certificate_is_trusted_for_its_names_and_time_only() {
    let root = tempfile::tempdir().unwrap();
    let authority = authority(&root);
    let key = KeyPair::generate().unwrap();
    let own = one(&authority.sign_server("node1", &names(), &key).unwrap());
    let (own, roots) = ([own], [authority.certificate]);
    let now = certificate::now();
    for good in ["node1", "10.0.0.1"] {
        certificate::verify(&own, &roots, good, now).unwrap();
    }
    let bad = |name, at| certificate::verify(&own, &roots, name, at).unwrap_err();
    assert_eq!(bad("node2", now), Distrust::Name("node2".into()));
    assert_eq!(bad("10.0.0.2", now), Distrust::Name("10.0.0.2".into()));
    assert_eq!(bad("node1", now - 3600), Distrust::NotYetValid);
    assert_eq!(bad("node1", own[0].not_after + 1), Distrust::Expired);
    assert!(bad("node1", now - 3600).to_string().starts_with("Certificate is not yet valid"));
    let other = tempfile::tempdir().unwrap();
    let stranger = [self::authority(&other).certificate];
    assert_eq!(certificate::verify(&own, &stranger, "node1", now), Err(Distrust::Issuer));
}

/// A request as `initssl` makes it, changed.
fn csr(
    subject: &str,
    key: &KeyPair,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateSigningRequest {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject.parse::<Subject>().unwrap().distinguished();
    change(&mut params);
    params.serialize_request(key).unwrap()
}

fn server() -> Purpose {
    Purpose::server("node1").unwrap()
}

fn user() -> Purpose {
    Purpose::user(Access::Control, "manager").unwrap()
}

#[test]
fn requests_of_servers_and_users_are_signed_for_their_purpose() {
    let root = tempfile::tempdir().unwrap();
    let authority = authority(&root);
    let key = KeyPair::generate().unwrap();
    let request = csr("/CN=node1", &key, |params| params.subject_alt_names = alternatives(&names()).unwrap());
    let signed = one(&authority.sign_request(&server(), &request.pem().unwrap()).unwrap());
    assert_eq!((signed.subject.as_str(), signed.is_ca), ("CN=node1", false));
    assert!(signed.covers("NODE1") && signed.covers("10.0.0.1") && !signed.covers("node2"));
    let request = csr("/OU=Control/CN=manager", &key, |_| ());
    let signed = one(&authority.sign_request(&user(), &request.pem().unwrap()).unwrap());
    assert_eq!(
        (signed.common_name.as_deref(), &signed.units[..]),
        (Some("manager"), &["Control".to_owned()][..])
    );
    let as_server = certificate::verify(&[signed], &[authority.certificate], "manager", certificate::now());
    assert!(as_server.is_err(), "a user is no server");
}

#[test]
fn a_request_that_asks_for_more_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let authority = authority(&root);
    let key = KeyPair::generate().unwrap();
    let names = || alternatives(&names()).unwrap();
    type Change = Box<dyn Fn(&mut CertificateParams)>;
    let cases: Vec<(Purpose, &str, Change, &str)> = vec![
        (server(), "/CN=node2", Box::new(move |p| p.subject_alt_names = names()), "its subject is /CN=node2"),
        (user(), "/OU=Admin/CN=manager", Box::new(|_| ()), "its subject is /OU=Admin/CN=manager"),
        (user(), "/OU=Control/CN=manager/O=x", Box::new(|_| ()), "its subject"),
        (
            user(),
            "/OU=Control/CN=manager",
            Box::new(move |p| p.subject_alt_names = names()),
            "no alternative names",
        ),
        (server(), "/CN=node1", Box::new(|_| ()), "neither addresses nor names"),
        (
            server(),
            "/CN=node1",
            Box::new(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "authority",
        ),
        (
            server(),
            "/CN=node1",
            Box::new(|p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
            "a key usage other than",
        ),
        (
            user(),
            "/OU=Control/CN=manager",
            Box::new(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            "an extended key usage",
        ),
        (
            server(),
            "/CN=node1",
            Box::new(|p| p.subject_alt_names = vec![SanType::URI("https://x".try_into().unwrap())]),
            "neither an address nor a DNS name",
        ),
    ];
    for (purpose, subject, change, wanted) in cases {
        let request = csr(subject, &key, change).pem().unwrap();
        let error = authority.sign_request(&purpose, &request).unwrap_err().to_string();
        assert!(error.contains(wanted), "{subject}: {error}");
    }
}

#[test]
fn forged_and_foreign_requests_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let authority = authority(&root);
    let key = KeyPair::generate().unwrap();
    let good = csr("/OU=Control/CN=manager", &key, |_| ());
    // Another key below the same signature.
    let mut forged = good.der().to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &forged);
    let forged = format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let foreign = csr("/OU=Control/CN=manager", &other, |_| ()).pem().unwrap();
    for bad in [forged, foreign, String::new(), "x".repeat(LONGEST_REQUEST + 1)] {
        assert!(matches!(authority.sign_request(&user(), &bad), Err(PkiError::Request(_))), "{bad:.80}");
    }
    authority.sign_request(&user(), &good.pem().unwrap()).unwrap();
}

proptest::proptest! {
    #[test]
    fn no_text_panics_a_signature(text in "(?s).{0,300}") {
        let body = format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----");
        proptest::prop_assert!(checked(&user(), &body).is_err());
    }
}
