//! Blocking client of the local socket: no runtime, so that `safekit` starts in a millisecond.

use super::frame::{self, Frame, FrameError, Hello, Kind};
use super::{Failure, FailureKind, GROUP, Reply, Request};
use crate::log::Lang;
use crate::told::Tell;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Pause between two attempts to connect.
const RETRY: Duration = Duration::from_millis(50);
/// The daemon gives a sign of life every 5 s; after that much silence it hangs.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens (CLI-003).
    #[error("safeadmin administrator daemon not running")]
    NotRunning,
    /// The socket may not be opened.
    #[error("permission denied: run as root or as a member of group {GROUP}")]
    Denied,
    /// The socket cannot be opened for another reason.
    #[error("cannot connect to safeadmin: {0}")]
    Connect(io::Error),
    /// Versions differ.
    #[error(
        "safekit {our_release} speaks version {our_protocol} of the local protocol, the running safeadmin {release} version {protocol}: restart safeadmin after an upgrade"
    )]
    Version {
        /// Protocol of this program.
        our_protocol: u32,
        /// Release of this program.
        our_release: String,
        /// Protocol of the daemon.
        protocol: u32,
        /// Release of the daemon.
        release: String,
    },
    /// The answer ends before its end.
    #[error(
        "safeadmin closed the connection before the answer was complete: look at its journal with journalctl -u safeadmin"
    )]
    Lost,
    /// No sign of life for so long.
    #[error("safeadmin has given no sign of life for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// What was sent or received is not of the protocol.
    #[error(transparent)]
    Frame(FrameError),
}

impl From<FrameError> for ClientError {
    fn from(e: FrameError) -> Self {
        match e {
            FrameError::Io(e) => match e.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    ClientError::Lost
                }
                // Sockets with a limit of their own are those of the blocking client.
                ErrorKind::WouldBlock | ErrorKind::TimedOut => ClientError::Silent(SILENCE),
                _ => ClientError::Frame(FrameError::Io(e)),
            },
            e => ClientError::Frame(e),
        }
    }
}

impl Tell for ClientError {
    fn french(&self) -> String {
        use ClientError as E;
        match self {
            E::NotRunning => "le démon d'administration safeadmin ne s'exécute pas".to_owned(),
            E::Denied => {
                format!("permission refusée : exécutez en tant que root ou membre du groupe {GROUP}")
            }
            E::Connect(e) => format!("impossible de se connecter à safeadmin : {e}"),
            E::Version { our_protocol, our_release, protocol, release } => format!(
                "safekit {our_release} parle la version {our_protocol} du protocole local, le safeadmin {release} \
                 qui s'exécute la version {protocol} : redémarrez safeadmin après une mise à niveau"
            ),
            E::Lost => "safeadmin a fermé la connexion avant la fin de la réponse : voir son journal par \
                journalctl -u safeadmin"
                .to_owned(),
            E::Silent(wait) => {
                format!("safeadmin n'a pas donné signe de vie depuis {} s", wait.as_secs_f32())
            }
            E::Frame(e) => e.french(),
        }
    }
}

impl ClientError {
    /// The same as what is told of a request that was not carried out.
    pub fn failure(&self, lang: Lang) -> Failure {
        Failure { kind: FailureKind::Busy, text: self.text(lang) }
    }
}

/// A connection to the daemon, good for one request.
#[derive(Debug)]
pub struct Client(UnixStream);

impl From<UnixStream> for Client {
    fn from(connected: UnixStream) -> Self {
        Client(connected)
    }
}

impl Client {
    /// Connects; if nobody listens calls `waiting` once and tries again until `patience` ends.
    pub fn connect(path: &Path, patience: Duration, waiting: impl FnOnce()) -> Result<Self, ClientError> {
        let until = Instant::now() + patience;
        let mut waiting = Some(waiting);
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => return Ok(Client(stream)),
                Err(e) if e.kind() == ErrorKind::PermissionDenied => return Err(ClientError::Denied),
                Err(e) if !matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                    return Err(ClientError::Connect(e));
                }
                Err(_) => {}
            }
            if let Some(tell) = waiting.take() {
                tell();
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ClientError::NotRunning);
            }
            std::thread::sleep(RETRY.min(left));
        }
    }

    /// Sends the request and its attachment.
    ///
    /// A daemon that refuses answers before it has read everything, so an error of sending is
    /// kept back until the answer has been looked for.
    pub fn call(mut self, request: &Request, attachment: Option<&[u8]>) -> Result<Answer, ClientError> {
        self.0.set_read_timeout(Some(SILENCE)).map_err(FrameError::Io)?;
        self.0.set_write_timeout(Some(SILENCE)).map_err(FrameError::Io)?;
        let mut head = frame::encode_json(&Hello::ours())?;
        head.extend(frame::encode_json(request)?);
        let mut sent = frame::write(&mut self.0, &head);
        for frame in attachment.into_iter().flat_map(frame::encode_attachment) {
            if sent.is_err() {
                break;
            }
            sent = frame.and_then(|bytes| frame::write(&mut self.0, &bytes));
        }
        match (self.hello(), sent) {
            (Ok(()), _) => Ok(Answer { stream: self.0, attachment: Vec::new(), code: None }),
            (Err(ClientError::Lost), Err(e)) => Err(e.into()),
            (Err(e), _) => Err(e),
        }
    }

    fn hello(&mut self) -> Result<(), ClientError> {
        same_version(frame::read(&mut self.0)?.json()?)
    }
}

/// Refuses a daemon of another version.
pub(super) fn same_version(theirs: Hello) -> Result<(), ClientError> {
    let ours = Hello::ours();
    if ours.protocol == theirs.protocol {
        return Ok(());
    }
    Err(ClientError::Version {
        our_protocol: ours.protocol,
        our_release: ours.release,
        protocol: theirs.protocol,
        release: theirs.release,
    })
}

/// The answer to a request, piece by piece.
#[derive(Debug)]
pub struct Answer {
    stream: UnixStream,
    attachment: Vec<u8>,
    code: Option<i32>,
}

impl Answer {
    /// The next piece, `None` after the end. Blocks until there is one.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ClientError> {
        while self.code.is_none() {
            let frame: Frame = frame::read(&mut self.stream)?;
            match frame.kind {
                Kind::Alive | Kind::LastChunk => {}
                Kind::Chunk => frame::append(&mut self.attachment, &frame.payload)?,
                Kind::Json => match frame.json()? {
                    Reply::End { code } => self.code = Some(code),
                    reply => return Ok(Some(reply)),
                },
            }
        }
        Ok(None)
    }

    /// Exit code, once the end has come.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// What came attached.
    pub fn into_attachment(self) -> Vec<u8> {
        self.attachment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_once_then_gives_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut told = 0;
        let gone = Client::connect(&dir.path().join("none.sock"), Duration::from_millis(1), || told += 1);
        assert!(matches!(gone, Err(ClientError::NotRunning)));
        assert_eq!(told, 1);
    }

    #[test]
    fn names_both_versions() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let other = Hello { protocol: 99, release: "9.9.9".to_owned(), behalf: None };
        frame::write(&mut far, &frame::encode_json(&other).unwrap()).unwrap();
        let error = Client::from(near).call(&Request::Ping, None).unwrap_err().to_string();
        assert!(error.contains("version 2 ") && error.contains("9.9.9 version 99"), "{error}");
    }

    #[test]
    fn a_lost_daemon_is_said_so() {
        let (near, mut far) = UnixStream::pair().unwrap();
        frame::write(&mut far, &frame::encode_json(&Hello::ours()).unwrap()).unwrap();
        let mut answer = Client::from(near).call(&Request::Ping, None).unwrap();
        drop(far);
        assert!(matches!(answer.next_reply(), Err(ClientError::Lost)));
    }
}
