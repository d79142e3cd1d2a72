use super::*;
use crate::log::Lang;
use crate::web::pki::check::{Question, check};
use crate::web::pki::prompt::Scripted;
use crate::web::tls;
use p12_keystore::Pkcs12ImportPolicy;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

fn paths(root: &TempDir) -> Paths {
    Paths::new(root.path().join("safe"), root.path().join("var"))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The console is told, in both languages, that the certificate is not good.
#[track_caller]
fn warns(paths: &Paths, what: &str) {
    let warning = tls::status(paths, true).warning.unwrap();
    assert!(warning.to_string().contains(what), "{warning}");
    crate::told::proof::assert_translated(&warning);
}

/// WEB-50.
#[test]
fn initssl_sca_makes_and_installs_what_the_web_service_needs() {
    let root = tempfile::tempdir().unwrap();
    let paths = paths(&root);
    let lines = create(&paths, None).unwrap().join("\n");
    assert!(lines.contains("SafeKit Local Certificate Authority") && lines.contains("SHA-256"), "{lines}");
    let (conf, host) = (paths.web_conf(), level::hostname());
    for (file, wanted) in [
        ("server.crt".to_owned(), 0o440),
        ("server.key".to_owned(), 0o440),
        ("cacert.crt".to_owned(), 0o440),
        ("ca/certs/cacert.crt".to_owned(), 0o444),
        ("ca/private/cacert.key".to_owned(), 0o400),
        (format!("ca/certs/server_{host}.crt"), 0o444),
        (format!("ca/private/server_{host}.key"), 0o400),
        ("ca/private".to_owned(), 0o700),
    ] {
        assert_eq!(mode(&conf.join(&file)), wanted, "{file}");
    }
    assert_eq!(check(&paths, &Question::All).failures, 0);
    assert_eq!(check(&paths, &Question::Covers("LOCALHOST".into())).failures, 0);
    assert_eq!(check(&paths, &Question::Covers("wrongname".into())).failures, 1);
    let status = tls::status(&paths, true).report(Lang::En);
    assert_eq!((status.warning, status.days_left), (None, Some(7305)));
    tls::server_config_with_users(&paths).unwrap();
    let before = std::fs::read(conf.join("server.crt")).unwrap();
    renew(&paths).unwrap();
    assert_ne!(std::fs::read(conf.join("server.crt")).unwrap(), before);
    assert!(matches!(create(&paths, None), Err(PkiError::AuthorityExists(_))));
}

#[test]
fn what_is_wrong_with_installed_files_is_told() {
    let root = tempfile::tempdir().unwrap();
    let paths = paths(&root);
    let conf = paths.web_conf();
    assert!(matches!(tls::server_config(&paths), Err(PkiError::Missing(_))));
    warns(&paths, "server.crt is missing");
    create(&paths, None).unwrap();
    let other = tempfile::tempdir().unwrap();
    let foreign = self::paths(&other);
    create(&foreign, None).unwrap();
    // Replaced as the product does it, by rename.
    let replace =
        |name: &str, text: &[u8]| files::install(&conf.join(name), std::str::from_utf8(text).unwrap());
    let key = std::fs::read(conf.join("server.key")).unwrap();
    replace("server.key", &std::fs::read(foreign.web_conf().join("server.key")).unwrap()).unwrap();
    assert!(matches!(tls::server_config(&paths), Err(PkiError::KeyMismatch { .. })));
    warns(&paths, "is not the key of");
    replace(
        "server.key",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    let error = tls::server_config(&paths).unwrap_err().to_string();
    assert!(error.contains("server.key: the key is protected by a password"), "{error}");
    replace("server.key", &key).unwrap();
    replace("cacert.crt", &std::fs::read(foreign.web_conf().join("cacert.crt")).unwrap()).unwrap();
    let found = check(&paths, &Question::All);
    assert!(found.lines.iter().any(|line| line.contains("is not signed by the installed")), "{found:?}");
    replace("cacert.crt", b"nothing").unwrap();
    assert_eq!(check(&paths, &Question::Authority).failures, 1);
    assert!(
        tls::server_config_with_users(&paths).unwrap_err().to_string().contains("holds no PEM certificate")
    );
}

/// The addresses of this node in cluster.xml must be in its certificate (WEB-55).
#[test]
fn a_certificate_without_an_address_of_the_cluster_is_told() {
    let root = tempfile::tempdir().unwrap();
    let paths = paths(&root);
    create(&paths, None).unwrap();
    std::fs::create_dir_all(paths.cluster()).unwrap();
    // Known by its host name.
    let xml = format!(
        "<cluster><lans><lan name=\"l\"><node name=\"{}\" addr=\"198.51.100.7\"/>\
        <node name=\"other\" addr=\"203.0.113.2\"/></lan></lans></cluster>",
        level::hostname()
    );
    std::fs::write(paths.cluster_xml(), xml).unwrap();
    let found = check(&paths, &Question::Server);
    assert!(found.lines.iter().any(|line| line.contains("not valid for 198.51.100.7")), "{found:?}");
    warns(&paths, "198.51.100.7");
    get_ip_and_names(&paths).unwrap();
    renew(&paths).unwrap();
    assert_eq!(check(&paths, &Question::Server).failures, 0);
}

/// WEB-52.
#[test]
fn makeusercert_makes_a_file_for_the_browser_on_the_ca_server_only() {
    let root = tempfile::tempdir().unwrap();
    let paths = paths(&root);
    let lines = make_user(&paths, "manager", Access::Control, &mut Scripted(vec![])).unwrap().join("\n");
    assert!(lines.contains("user_Control_manager.csr") && lines.contains("not the CA server"), "{lines}");
    create(&paths, None).unwrap();
    assert!(make_user(&paths, "manager", Access::Control, &mut Scripted(vec!["a", "b"])).is_err());
    assert!(make_user(&paths, "../x", Access::Control, &mut Scripted(vec!["a", "a"])).is_err());
    make_user(&paths, "manager", Access::Control, &mut Scripted(vec!["secret", "secret"])).unwrap();
    let private = paths.web_conf().join("ca/private");
    assert_eq!(mode(&private.join("user_Control_manager.p12")), 0o400);
    let p12 = std::fs::read(private.join("user_Control_manager.p12")).unwrap();
    assert!(KeyStore::from_pkcs12(&p12, "wrong", Pkcs12ImportPolicy::Strict).is_err());
    let store = KeyStore::from_pkcs12(&p12, "secret", Pkcs12ImportPolicy::Strict).unwrap();
    let (_, chain) = store.private_key_chain().unwrap();
    assert_eq!(chain.certs().len(), 2);
    let der = chain.certs()[0].as_der().to_vec();
    let user = tls::ClientCertificate::of(&Certificate::read(der.into()).unwrap()).unwrap();
    assert_eq!(user, tls::ClientCertificate { user: "manager".into(), role: Some(Access::Control) });
    assert_eq!(check(&paths, &Question::All).failures, 0);
}

#[actix_web::test]
async fn initssl_req_without_server_makes_requests() {
    let root = tempfile::tempdir().unwrap();
    let paths = paths(&root);
    let lines = request_certificates(&paths, None, &mut Scripted(vec![])).await.unwrap();
    let host = level::hostname();
    for name in [format!("server_{host}"), format!("user_Admin_{host}")] {
        let request = paths.web_conf().join(format!("ca/private/{name}.csr"));
        let text = std::fs::read_to_string(&request).unwrap();
        assert!(text.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{text}");
        assert!(lines.iter().any(|line| line.contains(&name)), "{lines:?}");
    }
}
