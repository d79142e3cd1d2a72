//! Client of the local protocol for programs that wait for many answers at once: the web service.
//!
//! Dropping an [`Answer`] hangs up, which ends a follow or a wait, never a command.

use super::client::{ClientError, SILENCE, same_version};
use super::frame::{self, Frame, FrameError, HEADER, Hello, Kind, MAX_ATTACHMENT};
use super::{Behalf, Failure, FailureKind, Reply, Request};
use crate::log::Lang;
use crate::told::{Told, told};
use bytes::{Buf, BytesMut};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Bytes taken from the connection at once.
const READ: usize = 16 << 10;
/// Longest answer that is taken as a whole, bytes: an attachment and some replies.
const MOST: usize = MAX_ATTACHMENT + (8 << 20);

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// A reply.
    Reply(Reply),
    /// The next bytes of the attachment.
    Chunk(Vec<u8>),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// All replies, without the end.
    pub replies: Vec<Reply>,
    /// What came attached.
    pub attachment: Vec<u8>,
    /// Exit code.
    pub code: i32,
}

impl Finished {
    /// Why it was not done: of the kind of the first error, in the words of all.
    pub fn failure(&self, lang: Lang) -> Failure {
        self.errors()
            .unwrap_or_else(|| Failure { kind: FailureKind::Refused, text: Finished::silent().into(lang) })
    }

    /// What is told of a command that has failed without a word.
    pub fn silent() -> Told {
        told!("the command has failed", "la commande a échoué")
    }

    /// The same as far as something was said.
    pub fn errors(&self) -> Option<Failure> {
        let errors = self.replies.iter().filter_map(|reply| match reply {
            Reply::Error(failure) => Some(failure),
            _ => None,
        });
        let errors: Vec<&Failure> = errors.collect();
        let first = errors.first()?;
        let texts: Vec<&str> = errors.iter().map(|failure| failure.text.as_str()).collect();
        Some(Failure { kind: first.kind, text: texts.join("\n") })
    }
}

/// Why what was looked for in an answer has not come.
#[derive(Debug, thiserror::Error)]
pub enum Missed {
    /// The daemon says why.
    #[error("{}", .0.text)]
    Refused(Failure),
    /// It said all that it had to say.
    #[error("the answer has ended")]
    Ended,
    /// It says nothing any more.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// What a request is sent through and answered by.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// The answer to a request, piece by piece.
pub struct Answer {
    connection: Box<dyn Connection>,
    /// What was read and is not yet a frame: a dropped wait loses nothing.
    pending: BytesMut,
    /// Bytes of all frames so far.
    received: usize,
    code: Option<i32>,
    /// How long nothing may come, not even a sign of life.
    silence: Duration,
    /// Dropped with the answer.
    _held: Option<Box<dyn Send>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("code", &self.code).finish_non_exhaustive()
    }
}

/// Asks the daemon that serves `socket`. A daemon that is not there is an error at once.
pub async fn call(
    socket: &Path,
    behalf: Option<Behalf>,
    request: &Request,
    attachment: &[u8],
) -> Result<Answer, ClientError> {
    let connection = UnixStream::connect(socket).await.map_err(|e| match e.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning,
        ErrorKind::PermissionDenied => ClientError::Denied,
        _ => ClientError::Connect(e),
    })?;
    call_over(connection, behalf, request, attachment).await
}

/// Asks whoever is at the other end of `connection`.
///
/// Who refuses answers before everything has been sent, so an error of sending is kept back until
/// the answer has been looked for. The attachment goes along only with requests that have one.
pub async fn call_over(
    connection: impl Connection + 'static,
    behalf: Option<Behalf>,
    request: &Request,
    attachment: &[u8],
) -> Result<Answer, ClientError> {
    let mut answer = Answer::new(Box::new(connection));
    let sent = answer.send(&Hello::on_behalf(behalf), request, attachment).await;
    match (answer.hello().await, sent) {
        (Ok(()), _) => Ok(answer),
        (Err(ClientError::Lost), Err(e)) => Err(e),
        (Err(e), _) => Err(e),
    }
}

/// The answer of whoever has been asked already and is at the other end of `connection`.
pub async fn answer_from(connection: impl AsyncRead + Send + Unpin + 'static) -> Result<Answer, ClientError> {
    let mut answer = Answer::new(Box::new(tokio::io::join(connection, tokio::io::sink())));
    answer.hello().await?;
    Ok(answer)
}

impl Answer {
    fn new(connection: Box<dyn Connection>) -> Self {
        let pending = BytesMut::new();
        Answer { connection, pending, received: 0, code: None, silence: SILENCE, _held: None }
    }

    /// The next piece, `None` after the end. A wait that is dropped loses nothing.
    pub async fn next(&mut self) -> Result<Option<Piece>, ClientError> {
        while self.code.is_none() {
            let frame = self.frame().await?;
            match frame.kind {
                Kind::Alive | Kind::LastChunk => {}
                Kind::Chunk => return Ok(Some(Piece::Chunk(frame.payload))),
                Kind::Json => match frame.json()? {
                    Reply::End { code } => self.code = Some(code),
                    reply => return Ok(Some(Piece::Reply(reply))),
                },
            }
        }
        Ok(None)
    }

    /// Waits for the first reply of which `take` makes something; an error that the daemon tells ends the wait.
    pub async fn until<T>(&mut self, mut take: impl FnMut(Reply) -> Option<T>) -> Result<T, Missed> {
        loop {
            match self.next().await? {
                None => return Err(Missed::Ended),
                Some(Piece::Chunk(_)) => {}
                Some(Piece::Reply(Reply::Error(failure))) => return Err(Missed::Refused(failure)),
                Some(Piece::Reply(reply)) => {
                    if let Some(taken) = take(reply) {
                        return Ok(taken);
                    }
                }
            }
        }
    }

    /// The same, which keeps `held` as long as it lives.
    pub fn holding(self, held: impl Send + 'static) -> Answer {
        Answer { _held: Some(Box::new(held)), ..self }
    }

    /// The same, given up after less silence than usual; the daemon gives a sign of life every 5 s.
    pub fn within(self, silence: Duration) -> Answer {
        Answer { silence, ..self }
    }

    /// Exit code, once the end has come.
    pub fn code(&self) -> Option<i32> {
        self.code
    }

    /// The whole answer, within the limit of an attachment.
    pub async fn finish(mut self) -> Result<Finished, ClientError> {
        let (mut replies, mut attachment) = (Vec::new(), Vec::new());
        loop {
            match self.next().await? {
                Some(Piece::Chunk(chunk)) => frame::append(&mut attachment, &chunk)?,
                Some(Piece::Reply(reply)) => replies.push(reply),
                None => return Ok(Finished { replies, attachment, code: self.code.unwrap_or(1) }),
            }
            if self.received > MOST {
                return Err(FrameError::Attachment.into());
            }
        }
    }

    async fn send(&mut self, hello: &Hello, request: &Request, attachment: &[u8]) -> Result<(), ClientError> {
        let mut head = frame::encode_json(hello)?;
        head.extend(frame::encode_json(request)?);
        self.write(&head).await?;
        if !request.has_attachment() {
            return Ok(());
        }
        for frame in frame::encode_attachment(attachment) {
            self.write(&frame?).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        let written = timeout(SILENCE, self.connection.write_all(bytes)).await;
        written.map_err(|_| ClientError::Silent(SILENCE))?.map_err(|e| FrameError::Io(e).into())
    }

    async fn hello(&mut self) -> Result<(), ClientError> {
        same_version(self.frame().await?.json()?)
    }

    async fn frame(&mut self) -> Result<Frame, ClientError> {
        loop {
            if let Some(frame) = taken(&mut self.pending)? {
                self.received += HEADER + frame.payload.len();
                return Ok(frame);
            }
            self.pending.reserve(READ);
            let read = timeout(self.silence, self.connection.read_buf(&mut self.pending)).await;
            match read.map_err(|_| ClientError::Silent(self.silence))? {
                Ok(0) => return Err(ClientError::Lost),
                Ok(_) => {}
                Err(e) => return Err(FrameError::Io(e).into()),
            }
        }
    }
}

/// The first frame of what was read, once it is complete.
fn taken(pending: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(head) = pending.first_chunk::<HEADER>() else { return Ok(None) };
    let (kind, length) = frame::header(*head)?;
    if pending.len() < HEADER + length {
        return Ok(None);
    }
    pending.advance(HEADER);
    Ok(Some(Frame { kind, payload: pending.split_to(length).to_vec() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    /// The other end after it has sent what begins an answer.
    async fn asked(request: Request) -> (DuplexStream, Answer) {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(&frame::encode_json(&Hello::ours()).unwrap()).await.unwrap();
        (far, call_over(near, None, &request, &[]).await.unwrap())
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_the_end_has_the_code() {
        let (mut far, answer) = asked(Request::Ping).await;
        let mut wire = frame::encode_json(&Reply::Text("a".to_owned())).unwrap();
        wire.extend(frame::encode(Kind::Alive, &[]).unwrap());
        for frame in frame::encode_attachment(&vec![7; 3 * frame::CHUNK]) {
            wire.extend(frame.unwrap());
        }
        wire.extend(frame::encode_json(&Reply::End { code: 3 }).unwrap());
        far.write_all(&wire).await.unwrap();
        let all = answer.finish().await.unwrap();
        assert_eq!((all.replies, all.code), (vec![Reply::Text("a".to_owned())], 3));
        assert!(all.attachment == vec![7; 3 * frame::CHUNK]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_wait_loses_nothing() {
        let (mut far, mut answer) = asked(Request::Ping).await;
        let wire = frame::encode_json(&Reply::Text("whole".to_owned())).unwrap();
        let (first, second) = wire.split_at(8);
        far.write_all(first).await.unwrap();
        assert!(timeout(Duration::from_secs(1), answer.next()).await.is_err());
        far.write_all(second).await.unwrap();
        let piece = answer.next().await.unwrap();
        assert_eq!(piece, Some(Piece::Reply(Reply::Text("whole".to_owned()))));
    }

    #[tokio::test]
    async fn what_is_looked_for_comes_or_is_told_why_not() {
        let (mut far, mut answer) = asked(Request::Ping).await;
        let number = |reply| match reply {
            Reply::Text(text) => text.parse::<u8>().ok(),
            _ => None,
        };
        for reply in [
            Reply::Text("a".to_owned()),
            Reply::Text("7".to_owned()),
            Reply::error(FailureKind::Refused, "no"),
            Reply::End { code: 1 },
        ] {
            far.write_all(&frame::encode_json(&reply).unwrap()).await.unwrap();
        }
        assert_eq!(answer.until(number).await.unwrap(), 7);
        assert!(matches!(answer.until(number).await, Err(Missed::Refused(why)) if why.text == "no"));
        assert!(matches!(answer.until(number).await, Err(Missed::Ended)));
        assert_eq!(answer.code(), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_loss_are_told_apart() {
        let (far, mut answer) = asked(Request::Ping).await;
        for (limit, told) in [(None, "for 30 s"), (Some(4000), "for 4 s"), (Some(500), "for 0.5 s")] {
            if let Some(limit) = limit {
                answer = answer.within(Duration::from_millis(limit));
            }
            let (before, silent) = (Instant::now(), answer.next().await.unwrap_err());
            let limit = Duration::from_millis(limit.unwrap_or(30_000));
            assert!(matches!(silent, ClientError::Silent(told) if told == limit), "{silent}");
            assert!(silent.to_string().ends_with(told) && before.elapsed() >= limit, "{silent}");
        }
        drop(far);
        assert!(matches!(answer.next().await, Err(ClientError::Lost)));
        let dir = tempfile::tempdir().unwrap();
        let nobody = call(&dir.path().join("none.sock"), None, &Request::Ping, &[]).await;
        assert!(matches!(nobody, Err(ClientError::NotRunning)));
    }

    #[tokio::test]
    async fn the_other_end_learns_for_whom_it_is() {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(&frame::encode_json(&Hello::ours()).unwrap()).await.unwrap();
        let behalf = Behalf {
            user: "op@::1".to_owned(),
            access: super::super::Access::Monitor,
            lang: crate::log::Lang::Fr,
        };
        call_over(near, Some(behalf.clone()), &Request::Ping, &[]).await.unwrap();
        let mut wire = BytesMut::new();
        while taken(&mut wire.clone()).unwrap().is_none() {
            far.read_buf(&mut wire).await.unwrap();
        }
        let hello: Hello = taken(&mut wire).unwrap().unwrap().json().unwrap();
        assert_eq!(hello, Hello::on_behalf(Some(behalf)));
    }
}
