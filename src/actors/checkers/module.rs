//! Is another module ready, and since which of its starts (CFG-MOD)? Its node's web service says so.

use super::{Finding, Observation, Probe, Probing, blocking};
use crate::config::address::Address;
use crate::ids::ModuleName;
use crate::log::Message as LogMessage;
use crate::net::tls::TlsFault;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, crypto};
use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Header of the answer that changes with each start of the application (NET-50).
const START: &str = "SafeKit-Start";

/// The other module and how it is examined.
#[derive(Clone, Debug)]
pub struct Other {
    /// Its name.
    pub name: ModuleName,
    /// Its node, or its virtual address.
    pub addr: Address,
    /// Port of the web service there.
    pub port: u16,
    /// HTTPS: the file of certificates that may sign that of the web service.
    pub cacert: Option<PathBuf>,
    /// Between two questions.
    pub interval: Duration,
    /// For finding the address, connecting and the answer together.
    pub timeout: Duration,
}

/// Why nothing can be asked.
#[derive(Debug)]
enum NoClient {
    /// The certificates cannot be used: their file, and why.
    Authority(String),
    /// TLS or HTTP refuses to begin.
    Setup(String),
}

impl Probe for Other {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn probe(&self) -> Probing {
        let other = self.clone();
        Box::pin(async move {
            let (cacert, timeout) = (other.cacert.clone(), other.timeout);
            // A connection of its own for each question: an address may have moved to another node.
            match blocking(move || client(cacert.as_deref(), timeout)).await {
                Some(Ok(client)) => ask(&client, &other).await,
                Some(Err(NoClient::Authority(why))) => other.distrusted(TlsFault::Authority(why)),
                Some(Err(NoClient::Setup(error))) => {
                    tracing::warn!(module = %other.name, error, "another module cannot be examined");
                    Observation::Found(Finding::Down)
                }
                None => Observation::Unchanged,
            }
        })
    }
}

impl Other {
    /// The web service that is asked.
    fn origin(&self) -> String {
        let scheme = if self.cacert.is_some() { "https" } else { "http" };
        let host = match self.addr.ip() {
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
            _ => self.addr.to_string(),
        };
        format!("{scheme}://{host}:{}", self.port)
    }

    fn url(&self) -> String {
        format!("{}/var/modules/{}/ready.txt", self.origin(), self.name)
    }

    fn distrusted(&self, fault: TlsFault) -> Observation {
        Observation::Because(LogMessage::OtherDistrusted(self.origin(), fault))
    }
}

/// Ready is 200; anything else, and no answer in time, is not.
async fn ask(client: &Client, other: &Other) -> Observation {
    match client.get(other.url()).send().await {
        Ok(answer) if answer.status() == StatusCode::OK => match answer.headers().get(START) {
            Some(start) => Observation::Begun(number(start.as_bytes())),
            None => Observation::Found(Finding::Up),
        },
        Ok(_) => Observation::Found(Finding::Down),
        Err(error) if is_own(&error) => {
            tracing::warn!(module = %other.name, %error, "another module could not be examined");
            Observation::Unchanged
        }
        Err(error) => match TlsFault::find(&error) {
            Some(fault) => other.distrusted(fault),
            None => {
                tracing::debug!(module = %other.name, ?error, "another module does not answer");
                Observation::Found(Finding::Down)
            }
        },
    }
}

/// Equal texts have equal numbers, for as long as this process lives.
fn number(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Whether this node, not the other module, is short of something.
fn is_own(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.raw_os_error().is_some_and(|code| super::tcp::OWN.contains(&code))
        {
            return true;
        }
        source = cause.source();
    }
    false
}

/// Reads the certificates, so that new ones count from the next question on. Blocks.
fn client(cacert: Option<&Path>, timeout: Duration) -> Result<Client, NoClient> {
    let setup = |error: String| NoClient::Setup(error);
    let mut roots = RootCertStore::empty();
    if let Some(file) = cacert {
        let wrong = |what: String| NoClient::Authority(format!("{}: {what}", file.display()));
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(e.to_string()))? {
            let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
            roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("it holds no certificate".to_owned()));
        }
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| setup(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(Policy::none())
        .timeout(timeout)
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|e| setup(e.to_string()))
}

#[cfg(test)]
#[path = "module_tests.rs"]
mod tests;
