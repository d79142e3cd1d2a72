//! The web service of a node, in this process and on a port of its own.

use reqwest::{Client, Method, RequestBuilder, Response};
use safekit::config::paths::Paths;
use safekit::web::pki::steps;
use safekit::web::settings::Settings;
use safekit::web::{Web, server, tls};
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// `secret`, as htpasswd -s writes it: it costs nothing to check.
pub const SECRET: &str = "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=";

/// `other`.
pub const OTHER: &str = "{SHA}0JQeaNqPOBUf+Gph/Fn3xc+fyqI=";

/// A service; it ends when dropped.
pub struct Service {
    pub address: SocketAddr,
    pub paths: Paths,
    pub http: Client,
    handle: actix_web::dev::ServerHandle,
    thread: Option<JoinHandle<()>>,
    root: Option<tempfile::TempDir>,
}

/// A logged in user as his browser knows him.
pub struct Browser {
    pub cookie: String,
    pub csrf: String,
}

impl Service {
    /// With this httpd.conf and these files of SAFE/web/conf.
    pub fn start(httpd_conf: &str, files: &[(&str, &str)]) -> Service {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        fs::create_dir_all(paths.web_conf()).unwrap();
        fs::create_dir_all(paths.run()).unwrap();
        for (name, text) in files {
            fs::write(paths.web_conf().join(name), text).unwrap();
        }
        Service::serve(root, httpd_conf, false)
    }

    /// With HTTPS, and no user.
    pub fn https() -> Service {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        fs::create_dir_all(paths.web_conf()).unwrap();
        steps::create(&paths, None).unwrap();
        Service::serve(root, "Define usefile\n", true)
    }

    /// The same after a restart, with this httpd.conf.
    pub fn again(mut self, httpd_conf: &str) -> Service {
        let root = self.root.take().unwrap();
        drop(self);
        Service::serve(root, httpd_conf, false)
    }

    fn serve(root: tempfile::TempDir, httpd_conf: &str, https: bool) -> Service {
        // Another test may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        fs::write(paths.httpd_conf(), httpd_conf).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let settings = Settings::read(&paths.httpd_conf()).unwrap();
        let web = Web::new(paths.clone(), settings, https).unwrap();
        let tls = https.then(|| tls::server_config(&paths).unwrap());
        let (send, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                let running = server(web, None, socket, tls).unwrap();
                send.send(running.handle()).unwrap();
                running.await.unwrap();
            });
        });
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (handle, root) = (started.recv().unwrap(), Some(root));
        Service { address, paths, http, handle, thread: Some(thread), root }
    }

    /// With the users `admin`, `manager` and `operator1` of W-11a, all with the password `secret`.
    pub fn with_roles() -> Service {
        let users: String =
            ["admin", "manager", "operator1", "guest"].map(|user| format!("{user}:{SECRET}\n")).concat();
        let groups = "Admin : admin\nControl : manager\nMonitor : operator1 operator2\n";
        Service::start("Define usefile\n", &[("user.conf", &users), ("group.conf", groups)])
    }

    /// The socket of its safeadmin.
    pub fn socket(&self) -> PathBuf {
        self.paths.admin_socket()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn log_in(&self, user: &str, password: &str) -> Response {
        let body = serde_json::json!({ "user": user, "password": password });
        self.request(Method::POST, "/api/v1/session").json(&body).send().await.unwrap()
    }

    /// Logs in a user of whom it must work.
    pub async fn browser(&self, user: &str) -> Browser {
        let response = self.log_in(user, "secret").await;
        assert_eq!(response.status(), 200);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let session: Value = response.json().await.unwrap();
        Browser { cookie, csrf: session["csrf"].as_str().unwrap().to_owned() }
    }

    pub async fn session(&self, browser: &Browser) -> Value {
        let asked = self.request(Method::GET, "/api/v1/session").header("Cookie", &browser.cookie);
        asked.send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        self.thread.take().unwrap().join().unwrap();
    }
}
