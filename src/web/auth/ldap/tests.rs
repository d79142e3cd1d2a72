//! Against a real directory: slapd of Debian, on a high port of the loopback.

use super::*;
use crate::log::Lang;
use crate::web::auth::{Auth, tokens};
use crate::web::pki::steps;
use ldap3::{Ldap, LdapConnAsync, Mod};
use std::collections::HashSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const ROOT: &str = "cn=root,dc=example,dc=com";
const SECRET: &str = "root secret";
const PEOPLE: &str = "ou=people,dc=example,dc=com";
const GROUPS: &str = "ou=groups,dc=example,dc=com";

/// A directory that lives as long as the test.
struct Slapd {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
    tls_port: u16,
}

impl Drop for Slapd {
    fn drop(&mut self) {
        // It may have ended; the port is free then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn paths(dir: &Path) -> Paths {
    Paths::new(dir.join("safe"), dir.join("var"))
}

impl Slapd {
    async fn start() -> Slapd {
        let dir = tempfile::tempdir().unwrap();
        steps::create(&paths(dir.path()), None).unwrap();
        let conf = paths(dir.path()).web_conf();
        std::fs::create_dir(dir.path().join("db")).unwrap();
        let at = dir.path().display();
        let text = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
            include /etc/ldap/schema/inetorgperson.schema\ninclude /etc/ldap/schema/nis.schema\n\
            modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
            pidfile {at}/pid\nTLSCACertificateFile {conf}/cacert.crt\nTLSCertificateFile {conf}/server.crt\n\
            TLSCertificateKeyFile {conf}/server.key\n\
            database mdb\nsuffix \"dc=example,dc=com\"\nrootdn \"{ROOT}\"\nrootpw \"{SECRET}\"\n\
            directory {at}/db\noverlay memberof\n\
            access to attrs=userPassword by anonymous auth by * none\naccess to * by users read by * none\n",
            conf = conf.display()
        );
        std::fs::write(dir.path().join("slapd.conf"), text).unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let urls = format!("ldap://127.0.0.1:{port} ldaps://127.0.0.1:{tls_port}");
        let child = Command::new("/usr/sbin/slapd")
            .args(["-d", "0", "-h", &urls, "-f"])
            .arg(dir.path().join("slapd.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("slapd is missing: run scripts/install-packages.sh --tests");
        let slapd = Slapd { child, dir, port, tls_port };
        slapd.fill().await;
        slapd
    }

    /// Connected as its administrator, as soon as it answers.
    async fn root(&self) -> Ldap {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok((connection, mut ldap)) =
                LdapConnAsync::new(&format!("ldap://127.0.0.1:{}", self.port)).await
            {
                actix_web::rt::spawn(connection.drive());
                ldap.simple_bind(ROOT, SECRET).await.unwrap().success().unwrap();
                return ldap;
            }
            assert!(Instant::now() < end, "slapd does not answer");
            actix_web::rt::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn fill(&self) {
        let mut root = self.root().await;
        let mut add = async |dn: String, attributes: Vec<(&str, Vec<String>)>| {
            let set = |values: Vec<String>| values.into_iter().collect::<HashSet<String>>();
            let attributes = attributes.into_iter().map(|(n, v)| (n.to_owned(), set(v))).collect();
            root.add(&dn, attributes).await.unwrap().success().unwrap();
        };
        let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        add(
            "dc=example,dc=com".into(),
            vec![
                ("objectClass", texts(&["organization", "dcObject"])),
                ("o", texts(&["x"])),
                ("dc", texts(&["example"])),
            ],
        )
        .await;
        for ou in [PEOPLE, GROUPS] {
            add(ou.into(), vec![("objectClass", texts(&["organizationalUnit"]))]).await;
        }
        for user in ["boss", "operator", "watcher", "nobody", "od*d(1)"] {
            let dn = format!("uid={},{PEOPLE}", ldap3::dn_escape(user));
            add(
                dn,
                vec![
                    ("objectClass", texts(&["inetOrgPerson"])),
                    ("uid", texts(&[user])),
                    ("cn", texts(&[user])),
                    ("sn", texts(&["x"])),
                    ("userPassword", vec![format!("{user} secret")]),
                ],
            )
            .await;
        }
        for user in ["boss", "operator"] {
            add(
                format!("cn={user}s,{GROUPS}"),
                vec![
                    ("objectClass", texts(&["groupOfNames"])),
                    ("member", vec![format!("uid={user},{PEOPLE}")]),
                ],
            )
            .await;
        }
        add(
            format!("cn=watchers,{GROUPS}"),
            vec![
                ("objectClass", texts(&["posixGroup"])),
                ("gidNumber", texts(&["100"])),
                ("memberUid", texts(&["watcher"])),
            ],
        )
        .await;
        root.unbind().await.unwrap();
    }

    /// httpd.conf of a web service with this directory.
    fn settings(&self, server: &str, extension: &str, more: &str) -> String {
        format!(
            "Define useldap\nDefine searchurl \"{server}/{PEOPLE}?uid,memberOf?sub?(objectClass=person){extension}\"\n\
            Define binddn \"{ROOT}\"\nDefine bindpwd \"{SECRET}\"\n{more}"
        )
    }

    fn plain(&self, more: &str) -> Directory {
        let text = self.settings(&format!("ldap://127.0.0.1:{}", self.port), "", more);
        directory(self.dir.path(), &text).unwrap()
    }
}

fn directory(dir: &Path, text: &str) -> Result<Directory, String> {
    let settings = Settings::parse(Path::new("/conf/httpd.conf"), text).map_err(|e| e.to_string())?;
    Directory::new(&paths(dir), &settings).map_err(|e| e.to_string())
}

/// The three groups.
fn groups() -> String {
    // Written as people write them.
    format!(
        "Define admingroup \"CN=bosss, OU=groups,DC=example,DC=com\"\nDefine controlgroup \"cn=operators,{GROUPS}\"\n\
        Define monitorgroup \"cn=watchers,{GROUPS}\"\n"
    )
}

async fn login(directory: &Directory, user: &str) -> Result<Login, AuthError> {
    directory.check(user, &format!("{user} secret")).await
}

fn as_user(user: &str, access: Option<Access>) -> Result<Login, AuthError> {
    Ok(Login { user: user.to_owned(), access })
}

#[actix_web::test]
async fn w_11d_ldap_without_groups_everybody_is_admin() {
    let slapd = Slapd::start().await;
    let directory = slapd.plain("");
    for user in ["boss", "nobody", "od*d(1)"] {
        assert_eq!(login(&directory, user).await, as_user(user, Some(Access::Admin)));
    }
    for (user, password) in [
        ("boss", "wrong"),
        ("boss", ""),
        ("stranger", "stranger secret"),
        ("*", "boss secret"),
        ("boss)(uid=*", "boss secret"),
        ("od*", "od*d(1) secret"),
        ("", "x"),
    ] {
        assert_eq!(directory.check(user, password).await, Err(AuthError::Wrong), "{user} {password}");
    }
    assert!(directory.problems()[0].to_string().contains("in clear"));
}

#[actix_web::test]
async fn w_11d_ldap_groups_give_roles() {
    let slapd = Slapd::start().await;
    let directory = slapd.plain(&groups());
    // By memberOf.
    assert_eq!(login(&directory, "boss").await, as_user("boss", Some(Access::Admin)));
    assert_eq!(login(&directory, "operator").await, as_user("operator", Some(Access::Control)));
    // By the members of a Unix group.
    assert_eq!(login(&directory, "watcher").await, as_user("watcher", Some(Access::Monitor)));
    assert_eq!(login(&directory, "nobody").await, as_user("nobody", None));
    // The groups change: so does the next login.
    let mut root = slapd.root().await;
    let member = HashSet::from([format!("uid=nobody,{PEOPLE}")]);
    let group = format!("cn=operators,{GROUPS}");
    root.modify(&group, vec![Mod::Add("member".to_owned(), member)]).await.unwrap().success().unwrap();
    assert_eq!(login(&directory, "nobody").await, as_user("nobody", Some(Access::Control)));
    let gone = directory_without_group(&slapd);
    assert_eq!(login(&gone, "boss").await, as_user("boss", None));
}

/// A group that the directory does not have gives no role to anybody.
fn directory_without_group(slapd: &Slapd) -> Directory {
    slapd.plain("Define admingroup \"cn=gone,dc=example,dc=com\"\n")
}

#[actix_web::test]
async fn w_11d_ldap_protected_connections_check_the_certificate() {
    let slapd = Slapd::start().await;
    let (plain, tls) =
        (format!("ldap://127.0.0.1:{}", slapd.port), format!("ldaps://127.0.0.1:{}", slapd.tls_port));
    for (server, extension) in [(&tls, ""), (&plain, "?StartTLS")] {
        let text = slapd.settings(server, extension, "");
        let trusting = directory(slapd.dir.path(), &text).unwrap();
        assert_eq!(login(&trusting, "boss").await, as_user("boss", Some(Access::Admin)), "{server}");
        assert_eq!(trusting.problems(), Vec::new());
        // Without the authority in cacert.crt nothing is sent.
        let stranger = tempfile::tempdir().unwrap();
        let refusing = directory(stranger.path(), &text).unwrap();
        assert!(matches!(login(&refusing, "boss").await, Err(AuthError::Unavailable(_))), "{server}");
    }
}

#[actix_web::test]
async fn a_reader_that_is_refused_is_told() {
    let slapd = Slapd::start().await;
    let text = slapd.settings(&format!("ldap://127.0.0.1:{}", slapd.port), "", "").replace(SECRET, "wrong");
    let directory = directory(slapd.dir.path(), &text).unwrap();
    match login(&directory, "boss").await {
        Err(AuthError::Unavailable(why)) => assert!(why.to_string().contains("binddn and bindpwd"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// Status and body of a login over HTTP.
async fn post(web: &crate::web::Web, user: &str, password: &str) -> (u16, String) {
    use actix_web::test::{TestRequest, call_service, init_service, read_body};
    let data = actix_web::web::Data::new(web.clone());
    let app = init_service(actix_web::App::new().app_data(data).configure(crate::web::configure)).await;
    let body = serde_json::json!({ "user": user, "password": password });
    let request = TestRequest::post().uri("/api/v1/session").set_json(body).to_request();
    let response = call_service(&app, request).await;
    let status = response.status().as_u16();
    (status, String::from_utf8(read_body(response).await.to_vec()).unwrap())
}

fn service(dir: &Path, text: &str) -> crate::web::Web {
    let settings = Settings::parse(Path::new("/conf/httpd.conf"), text).unwrap();
    crate::web::Web::new(paths(dir), settings, false).unwrap()
}

#[actix_web::test]
async fn w_11d_a_directory_that_does_not_search_is_no_wrong_password() {
    let slapd = Slapd::start().await;
    let good = slapd.settings(&format!("ldap://127.0.0.1:{}", slapd.port), "", &groups());
    let web = service(slapd.dir.path(), &good);
    let (status, session) = post(&web, "operator", "operator secret").await;
    assert!(status == 200 && session.contains("\"role\":\"Control\""), "{status} {session}");
    assert_eq!(post(&web, "operator", "wrong").await.0, 401);
    let reader = format!("Define binddn \"{ROOT}\"\nDefine bindpwd \"{SECRET}\"\n");
    for (text, wanted) in [
        (good.replace("/ou=people,dc=example", "/ou=people,dc=exmaple"), "correct the base in searchurl"),
        // Who is not logged in may not read there.
        (good.replace(&reader, ""), "code 32"),
        (good.replace(SECRET, "wrong"), "refuses binddn and bindpwd"),
    ] {
        let web = service(slapd.dir.path(), &text);
        // Nobody is slowed down by it, however often he tries.
        for _ in 0..30 {
            let (status, answer) = post(&web, "operator", "operator secret").await;
            assert_eq!(status, 503, "{answer}");
            assert!(answer.contains("cannot be checked now"), "{answer}");
            assert!(!answer.contains("127.0.0.1") && !answer.contains("binddn"), "{answer}");
        }
        let problems = web.auth.report(Lang::En).problems;
        assert!(problems[0].contains(wanted), "{problems:?}");
    }
}

/// A service that asks the directory each time, and a token that one of its users has made.
fn maker(slapd: &Slapd, user: &str) -> (crate::web::Web, String) {
    let text = slapd.settings(&format!("ldap://127.0.0.1:{}", slapd.port), "", &groups());
    let mut web = service(slapd.dir.path(), &text);
    match std::sync::Arc::get_mut(&mut web.auth) {
        Some(Auth::Ldap(directory)) => directory.again = Duration::ZERO,
        other => panic!("{other:?}"),
    }
    let maker = tokens::Maker { user: user.to_owned(), method: Auth::LDAP.to_owned() };
    let making = tokens::Making { maker, proof: None, most_days: 30 };
    let (token, _) = web.tokens.create(("backup", Access::Control, 30), making, tokens::now()).unwrap();
    (web, token.expose().to_owned())
}

#[actix_web::test]
async fn who_is_taken_out_of_the_directory_loses_his_role_while_he_is_logged_in() {
    let slapd = Slapd::start().await;
    let mut directory = slapd.plain(&groups());
    directory.again = Duration::ZERO;
    assert_eq!(login(&directory, "boss").await, as_user("boss", Some(Access::Admin)));
    directory.refresh("boss").await;
    assert_eq!(directory.still("boss", Some(Access::Admin)), Some(Some(Access::Admin)));
    let (web, token) = maker(&slapd, "boss");
    assert!(web.token(web.tokens.find(&token, tokens::now())).await.is_some());
    let mut root = slapd.root().await;
    root.delete(&format!("cn=bosss,{GROUPS}")).await.unwrap().success().unwrap();
    directory.refresh("boss").await;
    assert_eq!(directory.still("boss", Some(Access::Admin)), Some(None), "no role");
    assert!(web.token(web.tokens.find(&token, tokens::now())).await.is_none(), "his token has none either");
    root.delete(&format!("uid=boss,{PEOPLE}")).await.unwrap().success().unwrap();
    directory.refresh("boss").await;
    assert_eq!(directory.still("boss", Some(Access::Admin)), None, "no user");
    assert!(web.token(web.tokens.find(&token, tokens::now())).await.is_none());
    web.look_for_makers().await.unwrap();
    let a_day_later = web.tokens.list(tokens::now() + tokens::DAY).unwrap();
    assert!(a_day_later[0].gone, "whoever has his name then");
    // Not asked again before its time, and as it was while the directory is gone.
    directory.again = AGAIN;
    assert_eq!(login(&directory, "operator").await, as_user("operator", Some(Access::Control)));
    root.delete(&format!("uid=operator,{PEOPLE}")).await.unwrap().success().unwrap();
    directory.refresh("operator").await;
    assert_eq!(directory.still("operator", None), Some(Some(Access::Control)));
    drop(slapd);
    directory.again = Duration::ZERO;
    directory.refresh("operator").await;
    assert_eq!(directory.still("operator", None), Some(Some(Access::Control)));
    assert!(directory.problems()[0].to_string().contains("the directory ldap://127.0.0.1"));
}

#[actix_web::test]
async fn servers_that_hang_lie_or_are_not_there_are_no_login() {
    let dir = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let liar = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let lies = liar.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in liar.incoming().flatten().take(1) {
            // Whoever has had enough goes away.
            let _ = std::io::Write::write_all(&mut stream, &[b'x'; 1000]);
        }
    });
    let begin = Instant::now();
    for port in [silent.local_addr().unwrap().port(), lies, free_port()] {
        let text = format!("Define useldap\nDefine searchurl \"ldap://127.0.0.1:{port}/dc=x\"\n");
        let directory = directory(dir.path(), &text).unwrap();
        let answer = login(&directory, "boss").await;
        assert!(matches!(answer, Err(AuthError::Unavailable(_))), "{port}: {answer:?}");
    }
    assert!(begin.elapsed() < 3 * WHOLE, "{:?}", begin.elapsed());
    drop(silent);
}

#[test]
fn faults_of_httpd_conf_are_told_with_their_line() {
    let dir = tempfile::tempdir().unwrap();
    for (text, wanted) in [
        ("\nDefine useldap\n", "/conf/httpd.conf:2: useldap needs a line Define searchurl"),
        (
            "Define useldap\nDefine searchurl \"http://x\"\n",
            "/conf/httpd.conf:2: searchurl \"http://x\": it begins",
        ),
        (
            "Define useldap\nDefine searchurl \"ldap://h/dc=x\"\nDefine binddn \"cn=x\"\n",
            "/conf/httpd.conf:3: binddn needs",
        ),
        (
            "Define useldap\nDefine searchurl \"ldap://h/dc=x\"\nDefine bindpwd x\n",
            "/conf/httpd.conf:3: bindpwd needs",
        ),
    ] {
        let said = directory(dir.path(), text).unwrap_err();
        assert!(said.starts_with(wanted), "{said}");
    }
}
