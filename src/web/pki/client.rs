//! The client of a CA service: `initssl req` (CLI-141).
//!
//! Nothing is sent to a server that has not proved to be the one that the administrator means: a first
//! handshake only reads its certificates and is broken off; their authority must be the installed one,
//! or have the fingerprint that was given, or be confirmed. The connection that carries the password
//! then trusts this authority and no other.

use super::certificate::{self, Certificate, Distrust};
use super::{CA_PORT, Purpose, authority};
use openidconnect::url::form_urlencoded;
use reqwest::{Response, StatusCode, Url};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time a request may take, connection included.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Longest answer, bytes.
const LONGEST: usize = 64 * 1024;

/// Why the CA server does not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address of a CA service.
    #[error("\"{url}\" is not the address of a CA service such as https://node1:{CA_PORT}: {what}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        what: String,
    },
    /// It does not answer.
    #[error("{url} does not answer: {what}; is safecaserv started there (startcaserv) and the port open?")]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened.
        what: String,
    },
    /// It has no certificate yet.
    #[error("{url} has no certificate yet: run initssl sca there first")]
    NoCertificate {
        /// Its address.
        url: String,
    },
    /// Its certificate is not good.
    #[error("{url}: {why}")]
    Distrusted {
        /// Its address.
        url: String,
        /// Why.
        why: Distrust,
    },
    /// Its authority is not the one that was meant.
    #[error(
        "the certification authority of {url} has the SHA-256 fingerprint {found}, not {wanted}: somebody else answers there, or the fingerprint is that of an older authority"
    )]
    Fingerprint {
        /// Its address.
        url: String,
        /// That of the server.
        found: String,
        /// That which was meant.
        wanted: String,
    },
    /// Nobody has confirmed its authority.
    #[error(
        "the certification authority of {url} is not confirmed, nothing was sent; compare with the fingerprint that \"checkcert -t CA\" prints on the CA server, then run again with --fingerprint {found}"
    )]
    Unconfirmed {
        /// Its address.
        url: String,
        /// Fingerprint of the server's authority.
        found: String,
    },
    /// The password is wrong.
    #[error("{0} refuses the user or the password: give CA_admin and the password of startcaserv")]
    Password(String),
    /// It refuses.
    #[error("{url} answers: {what}")]
    Refused {
        /// Its address.
        url: String,
        /// Its words.
        what: String,
    },
}

/// What a server shows of itself before anything is sent to it.
#[derive(Debug)]
pub struct Introduction {
    url: Url,
    /// Its authority.
    pub authority: Certificate,
}

impl Introduction {
    /// Connects, reads the certificates and breaks off. They are checked like those of any server, the
    /// authority taken from what the server sends.
    pub async fn of(address: &str) -> Result<Introduction, ClientError> {
        let url = parse(address)?;
        let recorder = Arc::new(Recorder::default());
        let config = ClientConfig::builder_with_provider(certificate::provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| unreachable_server(&url, &e))?
            .dangerous()
            .with_custom_certificate_verifier(recorder.clone())
            .with_no_client_auth();
        // It always fails: the recorder ends the handshake.
        let Err(ended) = http(config, &url)?.get(url.clone()).send().await else {
            return Err(ClientError::NoCertificate { url: url.to_string() });
        };
        let Some(chain) = recorder.0.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            let what = causes(&ended);
            return Err(if what.contains("alert") {
                ClientError::NoCertificate { url: url.to_string() }
            } else {
                ClientError::Unreachable { url: url.to_string(), what }
            });
        };
        let bad = |why| ClientError::Distrusted { url: url.to_string(), why };
        let chain: Result<Vec<_>, _> = chain.into_iter().map(Certificate::read).collect();
        let chain = chain.map_err(|e| bad(Distrust::Other(e.to_string())))?;
        let found = chain.iter().rev().find(|c| c.is_ca && c.subject == c.issuer);
        let authority = found.cloned().ok_or_else(|| bad(Distrust::Other("it shows no authority".into())))?;
        let host = url.host_str().unwrap_or_default();
        certificate::verify(&chain, std::slice::from_ref(&authority), host, certificate::now())
            .map_err(bad)?;
        Ok(Introduction { url, authority })
    }

    /// Its fingerprint was given on the command line.
    pub fn expect(&self, wanted: &str) -> Result<(), ClientError> {
        let bare = |text: &str| text.replace([':', ' '], "").to_ascii_uppercase();
        let found = self.authority.fingerprint();
        if bare(wanted) == bare(&found) {
            return Ok(());
        }
        Err(ClientError::Fingerprint { url: self.url.to_string(), found, wanted: wanted.to_owned() })
    }

    /// Nobody knows it.
    pub fn unconfirmed(&self) -> ClientError {
        ClientError::Unconfirmed { url: self.url.to_string(), found: self.authority.fingerprint() }
    }

    /// A connection that trusts only this authority.
    pub fn connect(self, user: &str, password: &str) -> Result<CaServer, ClientError> {
        let roots = certificate::roots(std::slice::from_ref(&self.authority))
            .map_err(|what| ClientError::Unreachable { url: self.url.to_string(), what })?;
        let config = ClientConfig::builder_with_provider(certificate::provider())
            .with_safe_default_protocol_versions()
            .map_err(|e| unreachable_server(&self.url, &e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = http(config, &self.url)?;
        Ok(CaServer { http, url: self.url, user: user.to_owned(), password: password.to_owned() })
    }
}

/// A CA server that is trusted.
pub struct CaServer {
    http: reqwest::Client,
    url: Url,
    user: String,
    password: String,
}

impl CaServer {
    /// The certificate of its authority, in PEM.
    pub async fn authority(&self) -> Result<String, ClientError> {
        let url = self.at(&format!("certs/{}.crt", authority::NAME))?;
        let request = self.http.get(url).basic_auth(&self.user, Some(&self.password));
        self.text(request).await
    }

    /// The certificate, in PEM, for a request.
    pub async fn sign(&self, purpose: &Purpose, request: &str) -> Result<String, ClientError> {
        let field = match purpose {
            Purpose::Server { .. } => "servercsr",
            Purpose::User { .. } => "usercsr",
        };
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("action", "signrequest")
            .append_pair("name", &purpose.to_string())
            .append_pair(field, request)
            .finish();
        let request = self
            .http
            .post(self.at("caserv")?)
            .basic_auth(&self.user, Some(&self.password))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.text(request).await
    }

    fn at(&self, path: &str) -> Result<Url, ClientError> {
        self.url.join(path).map_err(|e| unreachable_server(&self.url, &e))
    }

    async fn text(&self, request: reqwest::RequestBuilder) -> Result<String, ClientError> {
        let url = || self.url.to_string();
        let response = request.send().await.map_err(|e| match distrust(&e, &self.url) {
            Some(why) => ClientError::Distrusted { url: url(), why },
            None => ClientError::Unreachable { url: url(), what: causes(&e) },
        })?;
        let status = response.status();
        let text = bounded(response).await.map_err(|what| ClientError::Unreachable { url: url(), what })?;
        match status {
            StatusCode::OK => Ok(text),
            StatusCode::UNAUTHORIZED => Err(ClientError::Password(url())),
            _ => {
                let words: String = text.trim().chars().filter(|c| !c.is_control()).take(400).collect();
                Err(ClientError::Refused { url: url(), what: format!("{status}: {words}") })
            }
        }
    }
}

async fn bounded(mut response: Response) -> Result<String, String> {
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| causes(&e))? {
        all.extend_from_slice(&chunk);
        if all.len() > LONGEST {
            return Err(format!("an answer longer than {LONGEST} bytes"));
        }
    }
    String::from_utf8(all).map_err(|_| "an answer that is no text".into())
}

fn parse(address: &str) -> Result<Url, ClientError> {
    let bad = |what: String| ClientError::Url { url: address.to_owned(), what };
    let mut url = Url::parse(address).map_err(|e| bad(e.to_string()))?;
    if url.scheme() != "https" || url.host_str().is_none() {
        return Err(bad("it must begin with https://".into()));
    }
    if !url.username().is_empty() || url.password().is_some() || !["", "/"].contains(&url.path()) {
        return Err(bad("only a host and a port are expected; user and password follow it".into()));
    }
    if url.port().is_none() {
        url.set_port(Some(CA_PORT)).map_err(|()| bad("it has no port".into()))?;
    }
    Ok(url)
}

/// Proxies are taken from HTTPS_PROXY and HTTP_PROXY; redirects are not followed, as they would carry the
/// password elsewhere.
fn http(config: ClientConfig, url: &Url) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(config)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT)
        .build()
        .map_err(|e| unreachable_server(url, &e))
}

fn unreachable_server(url: &Url, error: &dyn std::error::Error) -> ClientError {
    ClientError::Unreachable { url: url.to_string(), what: causes(error) }
}

/// An error with its causes, without the URL that each of them repeats.
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What TLS says of the server's certificate, if that is the cause.
fn distrust(error: &reqwest::Error, url: &Url) -> Option<Distrust> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(e) = cause {
        let inner = e.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = e.downcast_ref().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
        if let Some(tls @ rustls::Error::InvalidCertificate(_)) = tls {
            return Some(Distrust::of(tls, url.host_str().unwrap_or_default()));
        }
        cause = e.source();
    }
    None
}

/// Remembers the certificates of a server and refuses them.
#[derive(Debug, Default)]
struct Recorder(Mutex<Option<Vec<CertificateDer<'static>>>>);

/// The certificates have come: nothing more is wanted of this connection.
fn enough() -> rustls::Error {
    rustls::Error::General("only the certificates were wanted".into())
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(between).map(|c| c.clone().into_owned()).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(chain);
        Err(enough())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(enough())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(enough())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        certificate::provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_ca_service() {
        assert_eq!(parse("https://node1:9001").unwrap().as_str(), "https://node1:9001/");
        assert_eq!(parse("https://[fd00::1]").unwrap().port(), Some(CA_PORT));
        for bad in ["node1", "http://node1:9001", "https://", "https://u:p@node1", "https://node1/caserv"] {
            assert!(matches!(parse(bad), Err(ClientError::Url { .. })), "{bad}");
        }
    }
}
