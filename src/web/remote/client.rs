//! The tunnel's end at who asks: `safekit -H`, and the web service for another node.

use super::channel::{Channel, ChannelError, Greeting, MOST_HANDSHAKE, Offer, Sealer};
use super::opened::Opened;
use super::secret::Secret;
use super::server::PATH;
use super::target::Target;
use crate::config::paths::Paths;
use crate::control::async_client::{self, Answer};
use crate::control::client::ClientError;
use crate::control::frame::{self, CHUNK, FrameError, Hello, Kind};
use crate::control::{Behalf, PROTOCOL, Request};
use futures_util::stream;
use reqwest::{Body, Certificate, Response, StatusCode};
use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Time for the whole handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Time to send a request without attachment until the answer begins.
const SEND: Duration = Duration::from_secs(60);
/// Slowest network on which an attachment can be sent, bytes/s.
const SLOWEST: usize = 100_000;
/// Longest text of a refusal that is read, bytes.
const MOST_DETAIL: usize = 16 << 10;

/// Why a node was not asked, or did not answer. Every text names the node.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nothing to verify the node's certificate with.
    #[error("{target}: HTTPS needs the certificate of the certification authority in {}: {why}", file.display())]
    Authority {
        /// The node.
        target: Target,
        /// Where it should be.
        file: PathBuf,
        /// Why it cannot be used.
        why: String,
    },
    /// No connection.
    #[error("{target}: {why}: is its web service running? Look there with \"safekit webserver status\"")]
    Unreachable {
        /// The node.
        target: Target,
        /// What the system or TLS says.
        why: String,
    },
    /// Another password.
    #[error(
        "{0}: the node refuses the password of rcmdadmin: run \"SAFE/private/bin/webservercfg -rcmdpasswd <password>\" on all nodes, with the same password"
    )]
    Denied(Target),
    /// The node says no.
    #[error("{target}: {detail}")]
    Refused {
        /// The node.
        target: Target,
        /// Its words.
        detail: String,
    },
    /// Another release.
    #[error(
        "{target} has release {release} with version {protocol} of the protocol, this node has release {} with version {PROTOCOL}: install the same release on all nodes",
        env!("CARGO_PKG_VERSION")
    )]
    Version {
        /// The node.
        target: Target,
        /// Its release.
        release: String,
        /// Its protocol.
        protocol: u32,
    },
    /// Something else answers there.
    #[error("{target}: what answers there is not the web service of a SafeKit node ({why})")]
    Foreign {
        /// The node.
        target: Target,
        /// How that shows.
        why: String,
    },
    /// The connection was lost.
    #[error("{target}: {error}")]
    Answer {
        /// The node.
        target: Target,
        /// What is wrong.
        error: ClientError,
    },
    /// This node has no random numbers.
    #[error("cannot seal a request: {0}")]
    Seal(#[from] ChannelError),
    /// The HTTP client of this node.
    #[error("cannot make HTTP requests: {0}")]
    Http(String),
}

/// Asks other nodes. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Where the certification authority is, and why it cannot be used.
    authority: PathBuf,
    distrust: Option<String>,
}

impl Client {
    /// For this node: its certification authority is the one of all (WEB-55).
    pub fn new(paths: &Paths) -> Result<Client, RemoteError> {
        // Another part of the process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = paths.safe.join("web/conf/cacert.crt");
        let read = std::fs::read(&authority).map_err(|e| e.to_string());
        let read = read.and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|e| cause(&e)));
        let (certificates, distrust) = match read {
            Ok(certificates) => (certificates, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        // Between the nodes there is no proxy, and a node sends nobody elsewhere.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .tls_certs_only(certificates)
            .build()
            .map_err(|e| RemoteError::Http(cause(&e)))?;
        Ok(Client { http, authority, distrust })
    }

    /// Sends a request to a node. The answer comes as from the local socket; what the node's
    /// `safeadmin` refuses is in it. `behalf`: who asks, the user `rcmdadmin` without.
    pub async fn call(
        &self,
        target: &Target,
        secret: &Secret,
        behalf: Option<Behalf>,
        request: &Request,
        attachment: Vec<u8>,
    ) -> Result<Answer, RemoteError> {
        let lost = |error| RemoteError::Answer { target: target.clone(), error };
        let (channel, id) = self.shake_hands(target, secret).await?;
        let attachment = if request.has_attachment() { Some(attachment) } else { None };
        let patience = SEND + Duration::from_secs((attachment.as_ref().map_or(0, Vec::len) / SLOWEST) as u64);
        let mut head = frame::encode_json(&Hello::on_behalf(behalf)).map_err(|e| lost(e.into()))?;
        head.extend(frame::encode_json(request).map_err(|e| lost(e.into()))?);
        let upload = Upload { sealer: channel.sealer, head: Some(head), attachment, sent: 0 };
        let sending = self.http.post(format!("{}{PATH}/{id}", target.url())).body(upload.body()).send();
        let response = match timeout(patience, sending).await {
            Err(_) => return Err(lost(ClientError::Silent)),
            Ok(Err(error)) => return Err(unreachable(target, &error)),
            Ok(Ok(response)) => expect(target, response).await?,
        };
        let body = Box::pin(response.bytes_stream());
        async_client::answer_from(Opened::new(body, channel.opener, usize::MAX)).await.map_err(lost)
    }

    async fn shake_hands(&self, target: &Target, secret: &Secret) -> Result<(Channel, String), RemoteError> {
        if target.https
            && let Some(why) = &self.distrust
        {
            let (target, file, why) = (target.clone(), self.authority.clone(), why.clone());
            return Err(RemoteError::Authority { target, file, why });
        }
        let (offer, first) = Offer::new(secret)?;
        let post = self.http.post(format!("{}{PATH}", target.url())).timeout(HANDSHAKE).body(first);
        let response = post.send().await.map_err(|e| unreachable(target, &e))?;
        let response = expect(target, response).await?;
        let second = read(target, response, MOST_HANDSHAKE).await?;
        // Only who knows the secret can have made the second message.
        let (channel, greeting) = offer.accept(&second).map_err(|_| RemoteError::Denied(target.clone()))?;
        match greeting {
            Greeting { protocol: PROTOCOL, channel: Some(id), .. } => Ok((channel, id)),
            Greeting { protocol, release, .. } => {
                Err(RemoteError::Version { target: target.clone(), release, protocol })
            }
        }
    }
}

/// A request on its way, sealed as it is sent.
struct Upload {
    sealer: Sealer,
    head: Option<Vec<u8>>,
    attachment: Option<Vec<u8>>,
    /// Bytes of the attachment that are gone.
    sent: usize,
}

impl Upload {
    fn body(self) -> Body {
        Body::wrap_stream(stream::unfold(self, |mut upload| async move {
            let frame = upload.next()?;
            Some((frame.map_err(std::io::Error::other), upload))
        }))
    }

    /// The next sealed frame.
    fn next(&mut self) -> Option<Result<Vec<u8>, UploadError>> {
        let frame = match (self.head.take(), &self.attachment) {
            (Some(head), _) => Ok(head),
            (None, None) => return None,
            (None, Some(all)) if self.sent < all.len() => {
                let end = all.len().min(self.sent + CHUNK);
                let chunk = frame::encode(Kind::Chunk, &all[self.sent..end]);
                self.sent = end;
                chunk
            }
            (None, Some(_)) => {
                self.attachment = None;
                frame::encode(Kind::LastChunk, &[])
            }
        };
        Some(frame.map_err(UploadError::from).and_then(|frame| Ok(self.sealer.seal(&frame)?)))
    }
}

/// Why a request cannot be sent.
#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

/// The response, if the node has taken the request.
async fn expect(target: &Target, response: Response) -> Result<Response, RemoteError> {
    let status = response.status();
    match status {
        StatusCode::OK => Ok(response),
        StatusCode::FORBIDDEN => Err(RemoteError::Denied(target.clone())),
        StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            let body = read(target, response, MOST_DETAIL).await?;
            let problem: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
            let detail = problem.as_ref().and_then(|p| p["detail"].as_str()).unwrap_or(status.as_str());
            // It goes to a terminal.
            let detail = detail.replace(char::is_control, " ");
            Err(RemoteError::Refused { target: target.clone(), detail })
        }
        other => Err(RemoteError::Foreign { target: target.clone(), why: format!("it says {other}") }),
    }
}

/// A whole short body.
async fn read(target: &Target, mut response: Response, most: usize) -> Result<Vec<u8>, RemoteError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| unreachable(target, &e))? {
        if body.len() + chunk.len() > most {
            let why = "its answer is too long".to_owned();
            return Err(RemoteError::Foreign { target: target.clone(), why });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn unreachable(target: &Target, error: &reqwest::Error) -> RemoteError {
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) };
    RemoteError::Unreachable { target: target.clone(), why }
}

/// The first cause: what the system or TLS says, without the URLs and layers around it.
fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    // "Connection refused (os error 111)": the number helps nobody.
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
