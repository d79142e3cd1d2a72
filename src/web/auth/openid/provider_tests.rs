//! A whole login with a certified provider: oidc-provider, from npm, and a browser that follows.

use crate::config::paths::Paths;
use crate::web::Web;
use crate::web::serve::server;
use crate::web::settings::Settings;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The provider, as long as the test.
struct Provider {
    child: Child,
    url: String,
    /// Held open: it says more later.
    _says: BufReader<ChildStdout>,
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Provider {
    fn start(redirect: &str) -> Provider {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/oidc");
        assert!(
            dir.join("node_modules").is_dir(),
            "oidc-provider is missing: run scripts/install-packages.sh --tests"
        );
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .args(["provider.mjs", &free.to_string(), redirect])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is missing: run scripts/install-packages.sh --tests");
        let (mut line, mut says) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
        // Warnings come before, or it ends.
        while line.trim() != "ready" {
            line.clear();
            assert_ne!(says.read_line(&mut line).unwrap(), 0, "the provider has ended");
        }
        Provider { child, _says: says, url: format!("http://127.0.0.1:{free}") }
    }
}

/// A browser: keeps the cookies of each server and follows where it is sent.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<(u16, String), String>,
}

impl Browser {
    async fn get(&mut self, url: &str) -> (StatusCode, Option<String>, String) {
        let parsed = Url::parse(url).unwrap();
        let port = parsed.port().unwrap();
        let own = self.cookies.iter().filter(|((of, _), _)| *of == port);
        let cookies: Vec<String> = own.map(|((_, name), value)| format!("{name}={value}")).collect();
        // It is asked for the same host, so that a provider of plain HTTP does not mind.
        let client = Client::builder()
            .tls_backend_preconfigured(
                crate::web::tls::outgoing_config(&Paths::new("/none", "/none")).unwrap(),
            )
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = client.get(url).header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.insert((port, name.to_owned()), value);
        }
        let to = answer.headers().get("location").map(|to| parsed.join(to.to_str().unwrap()).unwrap().into());
        (answer.status(), to, answer.text().await.unwrap())
    }

    /// Logs in as this user of the provider; the page of ours where that leads.
    async fn log_in(&mut self, service: &str, user: &str) -> String {
        let begin = format!("{service}/api/v1/openid/login?next=/console/fr/monitoring");
        let (status, to, text) = self.get(&begin).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let mut url = format!("{}&user={user}", to.unwrap());
        for _ in 0..10 {
            let (status, to, text) = self.get(&url).await;
            url = to.unwrap_or_else(|| panic!("{url}: {status} {text}"));
            if url.starts_with(&format!("{service}/console/")) {
                return url;
            }
        }
        panic!("the login never ends: {url}");
    }

    async fn session(&mut self, service: &str) -> Value {
        let (_, _, text) = self.get(&format!("{service}/api/v1/session")).await;
        serde_json::from_str(&text).unwrap()
    }
}

/// A web service with a provider and these settings; what the session of each user says.
async fn sessions(more: &str, users: &[&str]) -> Vec<(String, Value)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let service = format!("http://{}", listener.local_addr().unwrap());
    let provider = Provider::start(&format!("{service}/openid"));
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "Define useopenid\nDefine OIDCProviderMetadataURL {}/.well-known/openid-configuration\n\
        Define OIDCClientID safekit\nDefine OIDCClientSecret \"a secret\"\nDefine OIDCScope \"openid roles profile\"\n{more}",
        provider.url
    );
    let settings = Settings::parse(Path::new("/conf/httpd.conf"), &text).unwrap();
    let web = Web::new(Paths::new(dir.path().join("safe"), dir.path().join("var")), settings, false).unwrap();
    actix_web::rt::spawn(server(web, None, listener, None).unwrap());
    let mut found = Vec::new();
    for user in users {
        let mut browser = Browser::default();
        let page = browser.log_in(&service, user).await;
        assert_eq!(page, format!("{service}/console/fr/monitoring"), "{user}");
        let session = browser.session(&service).await;
        found.push((session["user"].as_str().unwrap_or_default().to_owned(), session["role"].clone()));
    }
    // What comes from nowhere ends at the login page, with the reason: no text of its own.
    let (status, to, _) = Browser::default().get(&format!("{service}/openid?code=x&state=y")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(to.unwrap().contains("/console/en/login?error=foreign"));
    found
}

fn is(user: &str, role: Option<&str>) -> (String, Value) {
    (user.to_owned(), role.map_or(Value::Null, Into::into))
}

#[actix_web::test]
async fn w_11d_certified_provider_with_claims() {
    let more = "Define AdminClaim roles:SKAdmin\nDefine ControlClaim realm.roles:SKControl\n\
        Define MonitorClaim roles:SKMonitor\nDefine OIDCRemoteUserClaim preferred_username\n";
    let found = sessions(more, &["boss", "operator", "guest"]).await;
    assert_eq!(found, [is("boss", Some("Admin")), is("operator", Some("Control")), is("guest", None)]);
}

#[actix_web::test]
async fn w_11d_certified_provider_without_claims() {
    assert_eq!(sessions("", &["guest"]).await, [is("guest", Some("Admin"))]);
}
