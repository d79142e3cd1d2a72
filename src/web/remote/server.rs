//! The tunnel's end at the web service: takes a sealed request and asks the `safeadmin` of this node.

use super::channel::{self, ChannelError, Greeting, MOST_HANDSHAKE, Opener, Sealer};
use super::opened::Opened;
use super::secret::{Secret, SecretError};
use super::table::{ChannelId, Full, Table};
use crate::config::paths::Paths;
use crate::control::async_client::{Answer, Piece};
use crate::control::frame::{self, FrameError, Hello, Kind, MAX_ATTACHMENT, MAX_FRAME};
use crate::control::{Access, Behalf, Failure, FailureKind, PROTOCOL, Reply, Request};
use crate::hex;
use crate::lock::lock;
use crate::log::Lang;
use crate::told::{Tell, Told, told};
use crate::web::ask::{Asker, Place};
use crate::web::events::{Hub, Told as Watched};
use crate::web::problem::Problem;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Path, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{StreamExt, stream};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::io::AsyncRead;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Where a client shakes hands.
pub const PATH: &str = "/api/v1/rcmd";
/// Attachments held in memory at the same time, 64 MiB each.
const UPLOADS: usize = 4;
/// Longest body of a request, bytes: the attachment, other frames, and some for the seal.
const MOST_BODY: usize = MAX_ATTACHMENT + 2 * MAX_FRAME + (1 << 20);
/// Time to send a handshake, or the next frame of a request.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time to send a whole request.
const REQUEST_TIME: Duration = Duration::from_secs(900);
/// Pieces of an answer that wait for a slow client.
const QUEUE: usize = 16;
/// Time that a client may take for one piece before it is dropped.
const SLOW: Duration = Duration::from_secs(30);
/// Sign of life while a command is under way; who watches knows soon that the node is gone.
const ALIVE: Duration = Duration::from_secs(1);

/// What the handlers share.
pub struct Remote {
    paths: Paths,
    asker: Asker,
    hub: Hub,
    table: Arc<Mutex<Table>>,
    uploads: Arc<Semaphore>,
}

/// Why there is no channel. All that has to do with the secret is one answer, [`Refusal::Denied`].
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(
        "the handshake is refused: this node has another password of rcmdadmin, or the message was damaged; run \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" on all nodes, with the same password"
    )]
    Denied,
    #[error("{0}; this node has release {release}", release = env!("CARGO_PKG_VERSION"))]
    Version(ChannelError),
    #[error(transparent)]
    Full(#[from] Full),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the web service is being stopped")]
    Stopping,
}

impl From<ChannelError> for Refusal {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::Refused => Refusal::Denied,
            version => Refusal::Version(version),
        }
    }
}

impl Tell for Refusal {
    fn french(&self) -> String {
        match self {
            Refusal::Denied => "la négociation est refusée : ce nœud a un autre mot de passe de rcmdadmin, ou le \
                message a été endommagé ; exécutez \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" sur tous \
                les nœuds, avec le même mot de passe"
                .to_owned(),
            Refusal::Version(error) => {
                format!("{} ; ce nœud a la version {}", error.french(), env!("CARGO_PKG_VERSION"))
            }
            Refusal::Full(error) => error.french(),
            Refusal::Secret(error) => error.french(),
            Refusal::Stopping => "le service web est en cours d'arrêt".to_owned(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = match refusal {
            Refusal::Denied => StatusCode::FORBIDDEN,
            Refusal::Version(_) => StatusCode::CONFLICT,
            Refusal::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Secret(_) | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, refusal.told())
    }
}

/// Adds the two paths of the tunnel. They need the app data [`Remote`] and no login.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(web::resource(PATH).route(web::post().to(handshake)))
        .service(web::resource(format!("{PATH}/{{channel}}")).route(web::post().to(exchange)));
}

impl Remote {
    /// For the node with these paths, which `asker` asks; `hub` has what others watch of it.
    pub fn new(paths: Paths, asker: Asker, hub: Hub) -> Self {
        Remote { paths, asker, hub, table: Arc::default(), uploads: Arc::new(Semaphore::new(UPLOADS)) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }

    /// What this node answers. Who watches shares the watch of all others: safeadmin is asked once, however
    /// many nodes look.
    async fn answer(&self, behalf: Behalf, request: Request, attachment: Vec<u8>) -> Source {
        let lang = behalf.lang;
        if let Some(told) = self.hub.answer(&request, lang) {
            return Source::Watch(told);
        }
        match self.asker.ask(&Place::Here, behalf, request, attachment).await {
            Ok(answer) => Source::Answer(answer, lang),
            Err(error) => Source::Refused(error.failure(lang)),
        }
    }

    /// Counts a failure and hides what it was.
    fn failed(&self, peer: IpAddr, why: &dyn std::fmt::Display) -> Refusal {
        self.table().failed(peer, Instant::now());
        unheard(peer, why)
    }
}

/// Hides what was wrong, and does not count it: a network that is slow or breaks off knows no wrong password.
fn unheard(peer: IpAddr, why: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%peer, %why, "a distributed command was refused");
    Refusal::Denied
}

/// First message against second message.
async fn handshake(
    remote: Data<Remote>,
    request: HttpRequest,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let peer = peer(&request);
    remote.table().admit(peer, Instant::now()).map_err(Refusal::from)?;
    let message = match timeout(PATIENCE, body.to_bytes_limited(MOST_HANDSHAKE)).await {
        Ok(Ok(Ok(message))) => message,
        Ok(Err(_)) => return Err(remote.failed(peer, &"the handshake is too long").into()),
        Ok(Ok(Err(_))) | Err(_) => return Err(unheard(peer, &"the handshake did not come whole").into()),
    };
    let paths = remote.paths.clone();
    let secret = web::block(move || Secret::load(&paths)).await.map_err(|_| Refusal::Stopping)?;
    let secret = secret.map_err(Refusal::from)?;
    let mut id = ChannelId::default();
    getrandom::fill(&mut id).map_err(|e| Refusal::from(SecretError::Derive(e.to_string())))?;
    match channel::respond(&secret, &message, &Greeting::ours(Some(hex::encode(&id)))) {
        Ok((channel, _, answer)) => {
            if !channel::ephemeral(&message).is_some_and(|key| remote.table().is_new(key)) {
                return Err(remote.failed(peer, &"the handshake was here before").into());
            }
            remote.table().keep(id, channel, peer, Instant::now());
            Ok(HttpResponse::Ok().content_type("application/octet-stream").body(answer))
        }
        Err(error) => {
            remote.failed(peer, &error);
            Err(Refusal::from(error).into())
        }
    }
}

/// The sealed request against the sealed answer.
async fn exchange(
    remote: Data<Remote>,
    request: HttpRequest,
    path: Path<String>,
    body: Payload,
) -> Result<HttpResponse, Problem> {
    let peer = peer(&request);
    let taken = channel_id(&path).and_then(|id| remote.table().take(&id, Instant::now()));
    let Some((channel, address)) = taken else {
        return Err(unheard(peer, &"no such channel, or too late for it").into());
    };
    let slot = Slot { table: remote.table.clone(), address };
    let mut lang = Lang::En;
    let received = receive(body, channel.opener, remote.uploads.clone(), &mut lang).await;
    let received = match received {
        Ok(received) => Ok(received),
        Err(Bad::Broken(why)) => return Err(remote.failed(peer, &why).into()),
        Err(Bad::Cut(why)) => return Err(unheard(peer, &why).into()),
        Err(Bad::Told(text)) => Err(text.into(lang)),
    };
    let answer = match received {
        Ok(Received { behalf, request, attachment, room: _room }) => {
            let behalf = behalf.unwrap_or_else(|| Behalf {
                user: format!("rcmdadmin@{peer}"),
                access: Access::Admin,
                lang: Lang::En,
            });
            remote.answer(behalf, request, attachment).await
        }
        Err(text) => Source::Refused(Failure { kind: FailureKind::Refused, text }),
    };
    let (sender, mut pieces) = mpsc::channel(QUEUE);
    actix_web::rt::spawn(async move {
        pump(answer, channel.sealer, sender).await;
        drop(slot);
    });
    let body = stream::poll_fn(move |cx| pieces.poll_recv(cx)).map(Ok::<_, std::convert::Infallible>);
    Ok(HttpResponse::Ok().content_type("application/octet-stream").streaming(body))
}

/// A request under way, for the limits.
struct Slot {
    table: Arc<Mutex<Table>>,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.table).ended(self.address);
    }
}

/// A request as it came.
struct Received {
    behalf: Option<Behalf>,
    request: Request,
    attachment: Vec<u8>,
    /// Held as long as the attachment is in memory.
    room: Option<OwnedSemaphorePermit>,
}

/// Why a request cannot be carried out.
enum Bad {
    /// The seal is broken: nobody is told why.
    Broken(String),
    /// The request did not come whole: nobody is told that either.
    Cut(String),
    /// The client knows the secret, so it may know.
    Told(Told),
}

impl From<FrameError> for Bad {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) if error.kind() == ErrorKind::InvalidData => Bad::Broken(error.to_string()),
            FrameError::Io(error) => Bad::Cut(error.to_string()),
            other => {
                let mut text = told!("unreadable request: ", "requête illisible : ");
                text += other.told();
                Bad::Told(text)
            }
        }
    }
}

/// `lang` becomes the language of whoever asks, as soon as it is known.
async fn receive(
    body: Payload,
    opener: Opener,
    uploads: Arc<Semaphore>,
    lang: &mut Lang,
) -> Result<Received, Bad> {
    let mut from = Opened::new(body, opener, MOST_BODY);
    timeout(REQUEST_TIME, read_request(&mut from, uploads, lang))
        .await
        .unwrap_or_else(|_| Err(Bad::Cut("the request takes too long".to_owned())))
}

async fn read_request(
    from: &mut (impl AsyncRead + Unpin),
    uploads: Arc<Semaphore>,
    lang: &mut Lang,
) -> Result<Received, Bad> {
    let hello: Hello = read_frame(from).await?.json()?;
    *lang = hello.behalf.as_ref().map(|behalf| behalf.lang).unwrap_or_default();
    if hello.protocol != PROTOCOL {
        let Hello { protocol: ours, release: our_release, .. } = Hello::ours();
        let Hello { protocol, release, .. } = hello;
        return Err(Bad::Told(told!(
            "release {release} speaks version {protocol} of the protocol, this node has release {our_release} with version {ours}: install the same release on all nodes",
            "la version {release} parle la version {protocol} du protocole, ce nœud a la version {our_release} avec la version {ours} : installez la même version sur tous les nœuds"
        )));
    }
    let behalf = hello.behalf;
    let request: Request = read_frame(from).await?.json()?;
    let mut attachment = Vec::new();
    if !request.has_attachment() {
        return Ok(Received { behalf, request, attachment, room: None });
    }
    // The semaphore is never closed, so only the time of the request can end this wait.
    let room = uploads.acquire_owned().await.ok();
    loop {
        let frame = read_frame(from).await?;
        match frame.kind {
            Kind::Chunk => frame::append(&mut attachment, &frame.payload)?,
            Kind::LastChunk => return Ok(Received { behalf, request, attachment, room }),
            other => return Err(FrameError::Place(other).into()),
        }
    }
}

async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> Result<frame::Frame, Bad> {
    let read = timeout(PATIENCE, frame::read_from(from)).await;
    Ok(read.map_err(|_| Bad::Cut("the request stands still".to_owned()))??)
}

/// Where the answer to a request comes from.
enum Source {
    /// Said by safeadmin to somebody who reads this language.
    Answer(Answer, Lang),
    Watch(Watched),
    Refused(Failure),
}

/// Seals an answer piece by piece until it ends or nobody takes it any more. Dropping the answer
/// tells `safeadmin` that nobody is interested.
async fn pump(mut from: Source, mut sealer: Sealer, to: mpsc::Sender<Bytes>) {
    let mut tick = interval(ALIVE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = frame::encode_json(&Hello::ours());
    let mut ended = false;
    loop {
        let Some(bytes) = next.ok().and_then(|frame| sealer.seal(&frame).ok()) else { return };
        match timeout(SLOW, to.send(bytes.into())).await {
            Ok(Ok(())) if !ended => {}
            Ok(_) => return,
            Err(_) => {
                return tracing::warn!("a client of a distributed command was dropped: it reads nothing");
            }
        }
        next = tokio::select! {
            piece = piece(&mut from) => {
                ended = piece.1;
                piece.0
            }
            _ = tick.tick() => frame::encode(Kind::Alive, &[]),
            () = to.closed() => return,
        };
    }
}

/// The next frame of an answer, and whether it is the last one. Losing interest in it loses nothing.
async fn piece(from: &mut Source) -> (Result<Vec<u8>, FrameError>, bool) {
    let failure = match from {
        Source::Answer(running, lang) => match running.next().await {
            Ok(Some(Piece::Reply(reply))) => return (frame::encode_json(&reply), false),
            Ok(Some(Piece::Chunk(bytes))) => return (frame::encode(Kind::Chunk, &bytes), false),
            Ok(None) => {
                let code = running.code().unwrap_or(1);
                return (frame::encode_json(&Reply::End { code }), true);
            }
            Err(error) => error.failure(*lang),
        },
        Source::Watch(told) => match told.next().await {
            Some(Ok(reply)) => return (frame::encode_json(&reply), false),
            Some(Err(why)) => Failure::clone(&why),
            None => return (frame::encode_json(&Reply::End { code: 0 }), true),
        },
        Source::Refused(why) => why.clone(),
    };
    let mut frames = frame::encode_json(&Reply::Error(failure));
    if let (Ok(frames), Ok(end)) = (&mut frames, frame::encode_json(&Reply::End { code: 1 })) {
        frames.extend(end);
    }
    (frames, true)
}

fn channel_id(text: &str) -> Option<ChannelId> {
    hex::decode(text)?.try_into().ok()
}

/// Address of the client; a local socket has none.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip().to_canonical())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
