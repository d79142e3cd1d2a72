//! The tunnel's end at who asks: `safekit -H`, and the web service for another node.

use super::channel::{Channel, ChannelError, Greeting, MOST_HANDSHAKE, Offer, Sealer};
use super::error::{RemoteError, cause, says, sent_elsewhere, unanswered};
use super::opened::Opened;
use super::secret::Secret;
use super::server::PATH;
use super::target::Target;
use crate::config::paths::Paths;
use crate::control::async_client::{self, Answer};
use crate::control::client::ClientError;
use crate::control::frame::{self, CHUNK, FrameError, Hello, Kind};
use crate::control::{Behalf, PROTOCOL, Request};
use crate::log::Lang;
use crate::net::tls::TlsFault;
use crate::told::{Told, told};
use crate::web::pki::PkiError;
use crate::web::tls::Watched;
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::ACCEPT_LANGUAGE;
use reqwest::{Body, Certificate, Response, StatusCode};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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

/// Asks other nodes. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    trust: Arc<Watched<Trust>>,
    authority: PathBuf,
}

/// Requests of HTTP and HTTPS with the certification authority as it is now.
#[derive(Debug)]
struct Trust {
    http: reqwest::Client,
    /// Why the authority cannot be used: without it there is no HTTPS.
    distrust: Option<String>,
}

impl Client {
    /// For this node: its certification authority is the one of all (WEB-55). Another one counts as soon
    /// as it is installed.
    pub fn new(paths: &Paths) -> Client {
        // Another part of the process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority = paths.web_conf().join("cacert.crt");
        let file = authority.clone();
        let trust = Watched::new(vec![authority.clone()], move || trust(&file));
        Client { trust: Arc::new(trust), authority }
    }

    /// Sends a request to a node. The answer comes as from the local socket; what the node's
    /// `safeadmin` refuses is in it. `behalf`: who asks, the user `rcmdadmin` without.
    pub async fn call(
        &self,
        target: &Target,
        secret: &Secret,
        behalf: Option<Behalf>,
        request: &Request,
        attachment: impl Into<Bytes>,
    ) -> Result<Answer, RemoteError> {
        let lost = |error| RemoteError::Answer { target: target.clone(), error };
        let http = self.http(target)?;
        let lang = behalf.as_ref().map(|behalf| behalf.lang).unwrap_or_default();
        let (channel, id) = shake_hands(&http, target, secret, lang).await?;
        let attachment = if request.has_attachment() { Some(attachment.into()) } else { None };
        let patience =
            SEND + Duration::from_secs((attachment.as_ref().map_or(0, Bytes::len) / SLOWEST) as u64);
        let mut head = frame::encode_json(&Hello::on_behalf(behalf)).map_err(|e| lost(e.into()))?;
        head.extend(frame::encode_json(request).map_err(|e| lost(e.into()))?);
        let upload = Upload { sealer: channel.sealer, head: Some(head), attachment, sent: 0 };
        let sending = http.post(format!("{}{PATH}/{id}", target.url())).body(upload.body()).send();
        let response = match timeout(patience, sending).await {
            Err(_) => return Err(lost(ClientError::Silent(patience))),
            Ok(Err(error)) => return Err(unanswered(target, &error)),
            Ok(Ok(response)) => expect(target, response).await?,
        };
        let body = Box::pin(response.bytes_stream());
        async_client::answer_from(Opened::new(body, channel.opener, usize::MAX)).await.map_err(lost)
    }

    /// What to ask a node with.
    fn http(&self, target: &Target) -> Result<reqwest::Client, RemoteError> {
        let trust = self.trust.get().ok_or(RemoteError::Http)?;
        match &trust.distrust {
            Some(why) if target.https => {
                let fault = TlsFault::Authority(format!("{}: {why}", self.authority.display()));
                Err(RemoteError::Distrusted { target: target.clone(), fault })
            }
            _ => Ok(trust.http.clone()),
        }
    }
}

/// Reads the authority. That it cannot be used matters to HTTPS only.
fn trust(authority: &Path) -> Result<Trust, PkiError> {
    let read = std::fs::read(authority).map_err(|e| e.to_string());
    let read = read.and_then(|pem| Certificate::from_pem_bundle(&pem).map_err(|e| cause(&e)));
    let (certificates, distrust) = match read {
        Ok(certificates) if certificates.is_empty() => (certificates, Some("it holds no certificate".into())),
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
        .map_err(|e| PkiError::Content { path: authority.to_owned(), what: Told::same(cause(&e)) })?;
    Ok(Trust { http, distrust })
}

async fn shake_hands(
    http: &reqwest::Client,
    target: &Target,
    secret: &Secret,
    lang: Lang,
) -> Result<(Channel, String), RemoteError> {
    let (offer, first) = Offer::new(secret)?;
    let post = http.post(format!("{}{PATH}", target.url())).timeout(HANDSHAKE).body(first);
    // A refusal comes before the node knows for whom it is.
    let post = post.header(ACCEPT_LANGUAGE, lang.tag());
    let response = post.send().await.map_err(|e| unanswered(target, &e))?;
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

/// A request on its way, sealed as it is sent.
struct Upload {
    sealer: Sealer,
    head: Option<Vec<u8>>,
    attachment: Option<Bytes>,
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
        moved if moved.is_redirection() => Err(sent_elsewhere(target, &response)),
        other => Err(RemoteError::Foreign { target: target.clone(), why: says(other) }),
    }
}

/// A whole short body.
async fn read(target: &Target, mut response: Response, most: usize) -> Result<Vec<u8>, RemoteError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| unanswered(target, &e))? {
        if body.len() + chunk.len() > most {
            let why = told!("its answer is too long", "sa réponse est trop longue");
            return Err(RemoteError::Foreign { target: target.clone(), why });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
