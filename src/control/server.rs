//! Server side of the local socket: who may call, limits, and one task for each connection.

use super::frame::{self, FrameError, Hello, Kind};
use super::peers::Peers;
use super::sink::{self, ReplySink};
use super::{Access, Caller, FailureKind, GROUP, PROTOCOL, Reply, Request};
use crate::log::Lang;
use crate::told::{Tell, Told};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Commands served at the same time; most of them may be watches of the web service.
pub const CONNECTIONS: usize = 512;
/// Attachments held in memory at the same time, 64 MiB each.
const ATTACHMENTS: usize = 4;
/// Time to send the whole request.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Time to write a refusal.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Pause after a failed accept, e.g. without descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One request with all that belongs to it.
#[derive(Debug)]
pub struct Call {
    /// Who asks; the server passes on only those who are allowed.
    pub caller: Caller,
    /// What is asked; its texts have been checked.
    pub request: Request,
    /// Its attachment, empty without one.
    pub attachment: Vec<u8>,
    /// Where the answer goes.
    pub sink: ReplySink,
}

/// What answers requests. Runs on the thread of the server; blocking work goes elsewhere.
pub trait Backend {
    /// Answers one request and returns its exit code. The future is not dropped when the user
    /// goes away: long ones look at [`ReplySink::closed`].
    fn handle(&self, call: Call) -> impl Future<Output = i32>;
}

/// Why a connection was ended without its request being carried out.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("permission denied: run as root or as a member of group {GROUP}")]
    Denied,
    #[error("{CONNECTIONS} commands are under way already: try again when one has ended")]
    Busy,
    #[error("the request was not complete within {} s", REQUEST_TIME.as_secs())]
    Late,
    #[error(
        "safekit {release} speaks version {protocol} of the local protocol, the running safeadmin {} version {PROTOCOL}: restart safeadmin after an upgrade",
        env!("CARGO_PKG_VERSION")
    )]
    Version { protocol: u32, release: String },
    #[error("permission denied: {command} needs the role {needs}, {user} has {has}")]
    Role { command: String, needs: Access, user: String, has: Access },
    #[error("{0}")]
    Invalid(Told),
    #[error("unreadable request: {0}")]
    Frame(#[from] FrameError),
}

impl Tell for Refusal {
    fn french(&self) -> String {
        match self {
            Refusal::Denied => {
                format!("permission refusée : exécutez en tant que root ou membre du groupe {GROUP}")
            }
            Refusal::Busy => {
                format!("{CONNECTIONS} commandes sont déjà en cours : réessayez quand l'une sera terminée")
            }
            Refusal::Late => {
                format!("la requête n'était pas complète en {} s", REQUEST_TIME.as_secs())
            }
            Refusal::Version { protocol, release } => format!(
                "safekit {release} parle la version {protocol} du protocole local, le safeadmin {} qui s'exécute la \
                 version {PROTOCOL} : redémarrez safeadmin après une mise à niveau",
                env!("CARGO_PKG_VERSION")
            ),
            Refusal::Role { command, needs, user, has } => {
                format!("permission refusée : {command} demande le rôle {needs}, {user} a {has}")
            }
            Refusal::Invalid(why) => why.of(Lang::Fr).to_owned(),
            Refusal::Frame(error) => format!("requête illisible : {}", error.french()),
        }
    }
}

impl Refusal {
    fn kind(&self) -> FailureKind {
        match self {
            Refusal::Denied | Refusal::Role { .. } => FailureKind::Denied,
            Refusal::Busy | Refusal::Late => FailureKind::Busy,
            Refusal::Version { .. } | Refusal::Invalid(_) | Refusal::Frame(_) => FailureKind::Refused,
        }
    }
}

/// Listens at `path`, for root and the members of group safekit only.
///
/// A socket that nobody serves is replaced; if a daemon serves it, the error is `AddrInUse`.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("another safeadmin serves {}", path.display()),
        ));
    }
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    if let Some(group) = nix::unistd::Group::from_name(GROUP)? {
        nix::unistd::chown(path, None, Some(group.gid))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Serves until the task is dropped. Needs a `LocalSet` (an actix system has one).
pub async fn serve<B: Backend + 'static>(listener: UnixListener, backend: Rc<B>) {
    accept(listener, backend, Rc::new(Peers::default())).await;
}

async fn accept<B: Backend + 'static>(listener: UnixListener, backend: Rc<B>, peers: Rc<Peers>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let attachments = Arc::new(Semaphore::new(ATTACHMENTS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection of the local socket");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            turn_away(stream);
            continue;
        };
        let (backend, attachments, peers) = (backend.clone(), attachments.clone(), peers.clone());
        tokio::task::spawn_local(async move {
            match peers.caller(&stream).await {
                Ok(caller) => converse(stream, caller, &*backend, attachments).await,
                Err(error) => tracing::warn!(%error, "cannot tell who uses the local socket"),
            }
            drop(slot);
        });
    }
}

/// Tells a client that there is no room, without waiting: the socket buffer is empty and takes it.
fn turn_away(stream: UnixStream) {
    tracing::warn!("a command was refused: {CONNECTIONS} are under way");
    if let Ok(bytes) = refusal_bytes(&Refusal::Busy, Lang::En) {
        let _ = stream.try_write(&bytes);
    }
}

/// One connection, from the first frame to the last.
async fn converse<B: Backend>(
    stream: UnixStream,
    mut caller: Caller,
    backend: &B,
    attachments: Arc<Semaphore>,
) {
    let (mut read, write) = stream.into_split();
    let received = if caller.allowed {
        timeout(REQUEST_TIME, receive(&mut read, &mut caller, attachments))
            .await
            .unwrap_or(Err(Refusal::Late))
    } else {
        Err(Refusal::Denied)
    };
    let Received { request, attachment, room } = match received {
        Ok(received) => received,
        Err(refusal) => return refuse(write, &caller, &refusal).await,
    };
    let (sink, outlet) = sink::channel();
    let writer = tokio::task::spawn_local(outlet.run(read, write));
    let code = backend.handle(Call { caller, request, attachment, sink: sink.clone() }).await;
    // The user may be gone: then there is nobody to tell.
    let _ = sink.send(Reply::End { code }).await;
    drop((sink, room));
    let _ = writer.await;
}

async fn refuse(mut write: OwnedWriteHalf, caller: &Caller, refusal: &Refusal) {
    tracing::warn!(user = caller.name(), pid = caller.pid, %refusal, "a command was refused");
    if let Ok(bytes) = refusal_bytes(refusal, caller.lang) {
        let _ = timeout(REFUSAL_TIME, write.write_all(&bytes)).await;
    }
}

fn refusal_bytes(refusal: &Refusal, lang: Lang) -> Result<Vec<u8>, FrameError> {
    let mut bytes = frame::encode_json(&Hello::ours())?;
    bytes.extend(frame::encode_json(&Reply::error(refusal.kind(), refusal.text(lang)))?);
    bytes.extend(frame::encode_json(&Reply::End { code: 1 })?);
    Ok(bytes)
}

/// A request as it came.
struct Received {
    request: Request,
    attachment: Vec<u8>,
    /// Held as long as the attachment is in memory.
    room: Option<OwnedSemaphorePermit>,
}

async fn receive(
    read: &mut OwnedReadHalf,
    caller: &mut Caller,
    attachments: Arc<Semaphore>,
) -> Result<Received, Refusal> {
    let hello: Hello = frame::read_from(read).await?.json()?;
    if hello.protocol != PROTOCOL {
        return Err(Refusal::Version { protocol: hello.protocol, release: hello.release });
    }
    if let Some(behalf) = hello.behalf {
        behalf.check().map_err(Refusal::Invalid)?;
        caller.speak_for(behalf);
    }
    let request: Request = frame::read_from(read).await?.json()?;
    permitted(caller, &request)?;
    request.check().map_err(Refusal::Invalid)?;
    let mut attachment = Vec::new();
    if !request.has_attachment() {
        return Ok(Received { request, attachment, room: None });
    }
    // The semaphore is never closed, so only the time of the request can end this wait.
    let room = attachments.acquire_owned().await.ok();
    loop {
        let frame = frame::read_from(read).await?;
        match frame.kind {
            Kind::Chunk => frame::append(&mut attachment, &frame.payload)?,
            Kind::LastChunk => return Ok(Received { request, attachment, room }),
            other => return Err(FrameError::Place(other).into()),
        }
    }
}

/// Refuses what needs a greater role than the caller has, before its attachment is read.
fn permitted(caller: &Caller, request: &Request) -> Result<(), Refusal> {
    let (needs, has) = (request.needs(), caller.access);
    if needs <= has {
        return Ok(());
    }
    Err(Refusal::Role { command: request.name(), needs, user: caller.name().to_owned(), has })
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
