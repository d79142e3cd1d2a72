//! The web service of this node: start, stop, and start at boot (CLI-031, CLI-032). Blocking.

use super::service::{Manager, ServiceError};
use super::webconf;
use crate::config::paths::Paths;
use crate::control::WebserverOp;
use crate::told::Tell;
use crate::web::settings::{Settings, SettingsError};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

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
    /// It was started.
    #[error(
        "{SERVICE} does not answer on port {port} within {} s: see SAFEVAR/httpd.log and its journal (journalctl -u {SERVICE})",
        ANSWER.as_secs()
    )]
    Silent {
        /// Where it should listen.
        port: u16,
    },
}

impl Tell for WebserverError {
    fn french(&self) -> String {
        match self {
            // Whoever starts it stands before a shell, not before a page.
            WebserverError::Settings(_) => self.to_string(),
            WebserverError::Service(e) => e.french(),
            WebserverError::Silent { port } => format!(
                "{SERVICE} ne répond pas sur le port {port} en {} s : voir SAFEVAR/httpd.log et son journal (journalctl \
                 -u {SERVICE})",
                ANSWER.as_secs()
            ),
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
        WebserverOp::Stop => manager.stop(SERVICE)?,
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
    let port = port(paths)?;
    if let Err(error) = webconf::make_logs(paths) {
        // It serves all the same.
        tracing::warn!(%error, "the web service may have no log");
    }
    manager.start(SERVICE)?;
    let end = Instant::now() + ANSWER;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect_timeout(&address, ATTEMPT).is_err() || !manager.runs(SERVICE)? {
        if Instant::now() >= end {
            return Err(WebserverError::Silent { port });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Where it listens: on the port of HTTPS if that is switched on (WEB-46), else on that of HTTP.
///
/// # Errors
/// httpd.conf is wrong.
pub fn port(paths: &Paths) -> Result<u16, SettingsError> {
    let (settings, https) = (Settings::read(&paths.httpd_conf())?, paths.https_switch().exists());
    settings.check_https(https)?;
    Ok(if https { settings.https_port } else { settings.http_port })
}
