//! The system journal (MSG-J): identifier `safekit`, text `<module> | <origin> | <message>`.

use crate::log::{Level, Message};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where journald or syslogd listens.
const SOCKET: &str = "/dev/log";
/// Names another socket, for tests and containers.
const VARIABLE: &str = "SAFEKIT_SYSLOG";
/// Facility `daemon`, shifted as in RFC 3164.
const DAEMON: u8 = 3 << 3;

/// A sender to the system journal. It never blocks: what the journal does not take is lost and counted.
pub struct Syslog {
    path: PathBuf,
    /// Not connected: the journal may be restarted at any time. None if the system has no more sockets.
    socket: Option<UnixDatagram>,
    lost: AtomicU64,
}

impl Syslog {
    /// The journal of the system, or the socket named by `SAFEKIT_SYSLOG`.
    pub fn from_env() -> Self {
        Syslog::new(std::env::var_os(VARIABLE).map_or_else(|| SOCKET.into(), PathBuf::from))
    }

    /// The journal that listens on this socket.
    pub fn new(path: PathBuf) -> Self {
        let open = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        Syslog { path, socket: open().ok(), lost: AtomicU64::new(0) }
    }

    /// Sends a message of a module, if it belongs to the main log.
    pub fn send(&self, module: &str, message: &Message) {
        if !message.level().is_main() {
            return;
        }
        let priority = DAEMON | severity(message);
        let (origin, pid) = (message.origin(), std::process::id());
        let line = format!("<{priority}>safekit[{pid}]: {module} | {origin} | {message}");
        let sent = self.socket.as_ref().is_some_and(|s| s.send_to(line.as_bytes(), &self.path).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many messages the journal did not take.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Severity of RFC 3164: err for C, warning for a takeover, info for the rest (MSG-J-03).
fn severity(message: &Message) -> u8 {
    match message {
        Message::AloneRemoteStop | Message::AloneNoHeartbeat => 4,
        other if other.level() == Level::C => 3,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::state::{Readiness, Role};

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn sends_the_main_log_with_its_severity() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let journal = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::new(path);
        syslog.send("mirror", &Message::LocalState(Role::Alone, Readiness::Transient));
        syslog.send("mirror", &Message::LocalState(Role::Alone, Readiness::Ready));
        syslog.send("mirror", &Message::AloneRemoteStop);
        syslog.send("mirror", &Message::Maxloop);
        let pid = std::process::id();
        assert_eq!(
            received(&journal),
            format!("<30>safekit[{pid}]: mirror | heart | Local state ALONE Ready")
        );
        assert!(received(&journal).starts_with("<28>"));
        assert!(received(&journal).starts_with("<27>"));
        assert_eq!(syslog.lost(), 0);
    }

    #[test]
    fn a_full_or_missing_journal_never_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let syslog = Syslog::new(path.clone());
        syslog.send("mirror", &Message::Maxloop);
        assert_eq!(syslog.lost(), 1);
        let _journal = UnixDatagram::bind(&path).unwrap();
        for _ in 0..10_000 {
            syslog.send("mirror", &Message::Maxloop);
        }
        assert!(syslog.lost() > 1, "nobody reads, so the socket must be full");
    }
}
