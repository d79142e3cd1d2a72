//! The web service of this node: start, stop, and start at boot (CLI-031, CLI-032). Blocking.

use super::record::{self, RecordError};
use super::service::{Manager, ServiceError};
use super::webconf;
use crate::config::paths::Paths;
use crate::control::WebserverOp;
use crate::told::Tell;
use crate::web::settings::{Settings, SettingsError};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde::Deserialize;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Its name.
pub const SERVICE: &str = "safewebserver";

/// Time until it answers.
const ANSWER: Duration = Duration::from_secs(30);
/// Of one attempt.
const ATTEMPT: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Why the web service does not do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum WebserverError {
    /// It would not start with these settings; a running one goes on.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It cannot be started or stopped.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Its sessions cannot be ended.
    #[error(transparent)]
    Sessions(#[from] RecordError),
    /// It was started.
    #[error(
        "{SERVICE} does not answer on port {port} within {} s: see SAFEVAR/httpd.log and its journal (journalctl -u {SERVICE})",
        ANSWER.as_secs()
    )]
    Silent {
        /// Where it should listen.
        port: u16,
    },
    /// It has no port.
    #[error(
        "{SERVICE} cannot listen: another program answers on port {port}: end that one (ss -ltnp names it), or define another port in SAFE/web/conf/httpd.conf"
    )]
    Taken {
        /// Where it should listen.
        port: u16,
    },
    /// Nobody can look whether it answers.
    #[error("cannot look whether {SERVICE} answers: {0}")]
    Look(String),
}

impl Tell for WebserverError {
    fn french(&self) -> String {
        match self {
            // Whoever starts it stands before a shell, not before a page.
            WebserverError::Settings(_) => self.to_string(),
            WebserverError::Service(e) => e.french(),
            WebserverError::Sessions(e) => e.french(),
            WebserverError::Silent { port } => format!(
                "{SERVICE} ne répond pas sur le port {port} en {} s : voir SAFEVAR/httpd.log et son journal (journalctl \
                 -u {SERVICE})",
                ANSWER.as_secs()
            ),
            WebserverError::Taken { port } => format!(
                "{SERVICE} ne peut pas écouter : un autre programme répond sur le port {port} : arrêtez-le (ss -ltnp le \
                 nomme), ou définissez un autre port dans SAFE/web/conf/httpd.conf"
            ),
            WebserverError::Look(e) => format!("impossible de voir si {SERVICE} répond : {e}"),
        }
    }
}

/// Does it; gives what is to be printed, and the exit code.
///
/// # Errors
/// [`WebserverError`]. Before a restart the settings are read: a mistake in them stops nothing.
pub fn operate(
    manager: &Manager,
    paths: &Paths,
    op: WebserverOp,
) -> Result<(Option<&'static str>, i32), WebserverError> {
    let on_off = |on| if on { "on" } else { "off" };
    match op {
        WebserverOp::Start => start(manager, paths)?,
        WebserverOp::Stop => {
            manager.stop(SERVICE)?;
            // A restart keeps who is logged in, a stop ends all sessions.
            record::remove(&paths.web_sessions())?;
        }
        WebserverOp::Restart => {
            port(paths)?;
            manager.stop(SERVICE)?;
            start(manager, paths)?;
        }
        WebserverOp::Status if manager.runs(SERVICE)? => return Ok((Some("running"), 0)),
        WebserverOp::Status => return Ok((Some("stopped"), 1)),
        WebserverOp::BootOn => manager.set_boot(SERVICE, true)?,
        WebserverOp::BootOff => manager.set_boot(SERVICE, false)?,
        WebserverOp::BootStatus => return Ok((Some(on_off(manager.at_boot(SERVICE)?)), 0)),
    }
    Ok((None, 0))
}

fn start(manager: &Manager, paths: &Paths) -> Result<(), WebserverError> {
    let (port, https) = place(paths)?;
    if let Err(error) = webconf::make_logs(paths) {
        // It serves all the same.
        tracing::warn!(%error, "the web service may have no log");
    }
    manager.start(SERVICE)?;
    let look = Look::new(port, https)?;
    let end = Instant::now() + ANSWER;
    loop {
        match (look.who(), manager.runs(SERVICE)?) {
            (Who::Ours, true) => return Ok(()),
            // It has ended, because it cannot listen there.
            (Who::Another, false) => return Err(WebserverError::Taken { port }),
            (Who::Another, true) if Instant::now() >= end => return Err(WebserverError::Taken { port }),
            _ if Instant::now() >= end => return Err(WebserverError::Silent { port }),
            _ => std::thread::sleep(LOOK_AGAIN),
        }
    }
}

/// Who answers on a port of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// This product's web service.
    Ours,
    /// Something else.
    Another,
    /// Nobody yet.
    Nobody,
}

/// Looks who answers where the web service should.
struct Look {
    runtime: Runtime,
    http: Client,
    url: String,
}

/// What only its session has, of what it says.
#[derive(Deserialize)]
#[allow(dead_code, reason = "that they are there is all")]
struct Session {
    authenticated: bool,
    methods: Vec<String>,
    version: String,
}

impl Look {
    fn new(port: u16, https: bool) -> Result<Look, WebserverError> {
        // Another part of the process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Whether others trust its certificate is not asked here.
        let http = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(ATTEMPT)
            .tls_danger_accept_invalid_certs(true)
            .build();
        let scheme = if https { "https" } else { "http" };
        Ok(Look {
            runtime: runtime.map_err(|e| WebserverError::Look(e.to_string()))?,
            http: http.map_err(|e| WebserverError::Look(e.to_string()))?,
            url: format!("{scheme}://{}:{port}/api/v1/session", Ipv4Addr::LOCALHOST),
        })
    }

    fn who(&self) -> Who {
        self.runtime.block_on(async {
            let Ok(response) = self.http.get(&self.url).send().await else { return Who::Nobody };
            match response.json::<Session>().await {
                Ok(_) => Who::Ours,
                Err(_) => Who::Another,
            }
        })
    }
}

/// Where it listens: on the port of HTTPS if that is switched on (WEB-46), else on that of HTTP.
///
/// # Errors
/// httpd.conf is wrong.
pub fn port(paths: &Paths) -> Result<u16, SettingsError> {
    Ok(place(paths)?.0)
}

/// The same, and whether it is that of HTTPS.
fn place(paths: &Paths) -> Result<(u16, bool), SettingsError> {
    let (settings, https) = (Settings::read(&paths.httpd_conf())?, paths.https_switch().exists());
    settings.check_https(https)?;
    Ok((if https { settings.https_port } else { settings.http_port }, https))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::fs::PermissionsExt;

    /// Something that answers everything on a port of its own.
    fn answering(status: &'static str, body: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close");
                let _ = write!(stream, "{head}\r\n\r\n{body}");
            }
        });
        port
    }

    #[test]
    fn another_program_on_its_port_is_not_taken_for_it() {
        let session = r#"{"authenticated":false,"user":null,"methods":["password"],"version":"1"}"#;
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path().join("safe"), dir.path().join("var"));
        fs::create_dir_all(paths.web_conf()).unwrap();
        let program = dir.path().join("systemctl");
        let start = |port: u16, runs: bool| {
            fs::write(paths.httpd_conf(), format!("Define usefile\nDefine httpport {port}\n")).unwrap();
            let code = i32::from(!runs);
            fs::write(&program, format!("#!/bin/sh\n[ $1 = start ] || exit {code}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            operate(&Manager::Systemd(program.clone()), &paths, WebserverOp::Start)
        };
        let others = [("404 Not Found", "no"), ("200 OK", "{}"), ("200 OK", "<html/>")];
        for (status, body) in others {
            let error = start(answering(status, body), false).unwrap_err();
            assert!(matches!(error, WebserverError::Taken { .. }), "{error}");
            assert!(error.to_string().contains("another program"), "{error}");
        }
        start(answering("200 OK", session), true).unwrap();
        let look = Look::new(answering("200 OK", session), true).unwrap();
        assert_eq!(look.who(), Who::Nobody, "it does not speak HTTPS");
    }
}
