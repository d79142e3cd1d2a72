//! The way to an identity provider: bounded in time and size, without redirects.

use crate::config::paths::Paths;
use crate::web::tls;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};
use std::pin::Pin;
use std::time::Duration;

/// Time one answer may take, connection included.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer, bytes: key sets have some thousand.
const LONGEST: usize = 1 << 20;

/// Why the provider gives no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection.
    #[error("{0}")]
    Connection(String),
    /// Too long.
    #[error("its answer is longer than {LONGEST} bytes")]
    Long,
    /// The answer cannot be passed on.
    #[error("its answer cannot be read: {0}")]
    Answer(#[from] http::Error),
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> HttpError {
        if error.is_timeout() {
            return HttpError::Connection(format!("no answer within {} s", TIMEOUT.as_secs()));
        }
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        HttpError::Connection(cause.to_string())
    }
}

/// A client of a provider.
#[derive(Debug)]
pub struct Http(reqwest::Client);

impl Http {
    /// Trusts the authorities of the system and that of SAFE/web/conf. Proxies come from the environment.
    pub fn new(paths: &Paths) -> Result<Http, String> {
        let config = tls::outgoing_config(paths).map_err(|e| e.to_string())?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            // A redirect could lead into this machine.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(TIMEOUT)
            .timeout(TIMEOUT)
            .build();
        client.map(Http).map_err(|e| e.to_string())
    }

    /// One request, one bounded answer.
    pub async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut answer = self.0.execute(reqwest::Request::try_from(request)?).await?;
        let mut whole = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            whole = whole.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err(HttpError::Long);
            }
        }
        Ok(whole.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}
