//! Users of an identity provider: OpenID Connect, authorization code with PKCE (WEB-44).
//!
//! [`pages`] sends the browser to the provider and takes it back; this asks the provider for the user's
//! tokens and believes nothing in them that is not signed, for this client, for this login and fresh.

pub mod claims;
mod error;
mod flight;
mod http;
pub mod pages;

use super::group::Groups;
use super::{Login, is_name};
use crate::config::paths::Paths;
use crate::control::Access;
use crate::told::Told;
use crate::web::settings::{Define, Settings, SettingsError};
use ::openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreProviderMetadata,
    CoreTokenResponse,
};
use ::openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::RoleClaim;
pub use error::OpenIdError;
use flight::{Flight, LIFE_S, Seal};
use http::{Http, HttpError};
use serde_json::{Map, Value};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// What the address of the metadata ends with (OpenID Connect Discovery 4).
const METADATA: &str = "/.well-known/openid-configuration";
/// What the provider says of itself is asked again after this time: its keys change.
const FRESH: Duration = Duration::from_secs(600);
/// Time the whole conversation with the provider at one end of a login may take.
const WHOLE: Duration = Duration::from_secs(15);
/// The claim with a mail address (OpenID Connect Core 5.1).
const EMAIL: &str = "email";
/// Logins that talk to the provider at the same time.
const TALKS: usize = 16;

/// A client that knows where the provider is.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The provider of the settings.
pub struct OpenId {
    issuer: String,
    client: ClientId,
    secret: Option<ClientSecret>,
    scopes: Vec<Scope>,
    /// Claim that is the user's name.
    user_claim: String,
    /// What gives roles; if empty, group.conf does, and without it every user is Admin.
    roles: Vec<RoleClaim>,
    groups: PathBuf,
    http: Http,
    known: Mutex<Option<(Instant, CoreProviderMetadata)>>,
    talks: Semaphore,
    seal: Seal,
}

/// Without the secret.
impl fmt::Debug for OpenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenId")
            .field("issuer", &self.issuer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl OpenId {
    /// Checks the settings; errors name file and line.
    pub fn new(paths: &Paths, settings: &Settings) -> Result<OpenId, SettingsError> {
        let chosen = |name: &str| settings.define(name).filter(|define| !define.value.is_empty());
        let line = settings.define("useopenid").cloned().unwrap_or(Define { value: String::new(), line: 1 });
        let needed = |name: &str| {
            chosen(name)
                .ok_or_else(|| settings.wrong(&line, format!("useopenid needs a line Define {name} <value>")))
        };
        let url = needed("OIDCProviderMetadataURL")?;
        let issuer = issuer(&url.value).map_err(|what| settings.wrong(url, what))?;
        let scope = chosen("OIDCScope").map_or("openid email", |define| &define.value);
        if !scope.split_whitespace().any(|word| word == "openid") {
            let what = "OIDCScope must contain openid".to_owned();
            return Err(settings.wrong(chosen("OIDCScope").unwrap_or(&line), what));
        }
        let mut roles = Vec::new();
        let named = [
            ("AdminClaim", Access::Admin),
            ("ControlClaim", Access::Control),
            ("MonitorClaim", Access::Monitor),
        ];
        for (define, access) in named.into_iter().filter_map(|(name, access)| Some((chosen(name)?, access))) {
            roles.push(RoleClaim::parse(access, &define.value).map_err(|what| settings.wrong(define, what))?);
        }
        Ok(OpenId {
            issuer,
            client: ClientId::new(needed("OIDCClientID")?.value.clone()),
            secret: chosen("OIDCClientSecret").map(|define| ClientSecret::new(define.value.clone())),
            // The library asks for openid itself.
            scopes: scope
                .split_whitespace()
                .filter(|w| *w != "openid")
                .map(|w| Scope::new(w.to_owned()))
                .collect(),
            user_claim: chosen("OIDCRemoteUserClaim").map_or("sub", |define| &define.value).to_owned(),
            roles,
            groups: paths.web_conf().join("group.conf"),
            http: Http::new(paths).map_err(|what| settings.wrong(url, what))?,
            known: Mutex::default(),
            talks: Semaphore::new(TALKS),
            seal: Seal::new().map_err(|e| settings.wrong(&line, format!("no random numbers: {e}")))?,
        })
    }

    /// For administrators.
    pub fn problems(&self) -> Vec<Told> {
        self.groups().map(|(_, problems)| problems).unwrap_or_default()
    }

    /// Begins a login that the provider ends at `redirect`: its page, and the cookie that goes with it.
    async fn begin(&self, redirect: &str, next: String, now: i64) -> Result<(String, String), OpenIdError> {
        let client = self.bounded(self.client(redirect)).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let request = request.set_pkce_challenge(challenge).add_scopes(self.scopes.iter().cloned());
        let (url, state, nonce) = request.url();
        let flight = Flight {
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
            redirect: redirect.to_owned(),
            next,
            until: now + LIFE_S,
        };
        let cookie = self.seal.close(&flight);
        cookie
            .map(|cookie| (url.to_string(), cookie))
            .ok_or_else(|| OpenIdError::Provider("no cookie".into()))
    }

    /// The login that ends with this cookie and state.
    fn flight(&self, cookie: Option<&str>, state: &str, now: i64) -> Result<Flight, OpenIdError> {
        let flight = cookie.and_then(|cookie| self.seal.open(cookie, now)).ok_or(OpenIdError::Foreign)?;
        // Of hashes, in constant time.
        if blake3::hash(flight.state.as_bytes()) == blake3::hash(state.as_bytes()) {
            Ok(flight)
        } else {
            Err(OpenIdError::Foreign)
        }
    }

    /// Ends a login: who it is.
    async fn end(&self, flight: Flight, code: String) -> Result<Login, OpenIdError> {
        let claims = self.bounded(self.claims(flight, code)).await?;
        let user = claims.get(&self.user_claim).and_then(Value::as_str).filter(|user| is_name(user));
        let user = user.ok_or_else(|| OpenIdError::Nameless(self.user_claim.clone()))?;
        let groups = self.groups();
        // Anybody may claim any address: without the provider's word it gives no role.
        if self.user_claim == EMAIL && groups.is_some() && !verified(&claims) {
            return Err(OpenIdError::Unverified(user.to_owned()));
        }
        Ok(Login { user: user.to_owned(), access: self.role(user, groups, &claims) })
    }

    fn role(
        &self,
        user: &str,
        groups: Option<(Groups, Vec<Told>)>,
        claims: &Map<String, Value>,
    ) -> Option<Access> {
        if self.roles.is_empty() && groups.is_none() {
            return Some(Access::Admin);
        }
        let by_group = groups.and_then(|(groups, _)| groups.role(user));
        claims::role(&self.roles, claims).max(by_group)
    }

    /// The role of a user now, where group.conf alone gives roles; `None` where the provider has a say.
    pub fn listed(&self, user: &str) -> Option<Option<Access>> {
        let (groups, _) = self.groups().filter(|_| self.roles.is_empty())?;
        Some(groups.role(user))
    }

    /// group.conf, if there is one, and what is wrong with it. One that cannot be read gives no role.
    fn groups(&self) -> Option<(Groups, Vec<Told>)> {
        match std::fs::read_to_string(&self.groups) {
            Ok(text) => Some(Groups::parse(&text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => Some((Groups::default(), vec![Told::same(format!("{}: {e}", self.groups.display()))])),
        }
    }

    /// All that the provider says about the user: in the token, and where it has a place for more.
    async fn claims(&self, flight: Flight, code: String) -> Result<Map<String, Value>, OpenIdError> {
        let client = self.client(&flight.redirect).await?;
        let provider = |what: String| OpenIdError::Provider(what);
        let request =
            client.exchange_code(AuthorizationCode::new(code)).map_err(|e| provider(e.to_string()))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(flight.verifier));
        let response: CoreTokenResponse = request.request_async(&self.http).await.map_err(|e| refused(&e))?;
        let token = response.id_token().ok_or_else(|| OpenIdError::Token("it is missing".into()))?;
        if let Err(error) = verify(&client, token, &Nonce::new(flight.nonce), response.access_token()) {
            // Its keys may have changed since they were asked.
            *self.known.lock().await = None;
            return Err(error);
        }
        let mut claims = payload(token)?;
        if let Some(more) = self.user_info(response.access_token()).await?
            // Another user's would be a trick (OpenID Connect Core 5.3.2).
            && more.get("sub") == claims.get("sub")
        {
            for (name, value) in more {
                claims.entry(name).or_insert(value);
            }
        }
        Ok(claims)
    }

    async fn user_info(&self, token: &AccessToken) -> Result<Option<Map<String, Value>>, OpenIdError> {
        let Some(url) = self.metadata().await?.userinfo_endpoint().cloned() else { return Ok(None) };
        let provider = |what: String| OpenIdError::Provider(format!("{}: {what}", url.as_str()));
        let request = ::openidconnect::http::Request::builder()
            .uri(url.as_str())
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", token.secret()))
            .body(Vec::new())
            .map_err(|e| provider(e.to_string()))?;
        let answer = self.http.ask(request).await.map_err(|e| provider(e.to_string()))?;
        if !answer.status().is_success() {
            return Err(provider(format!("status {}", answer.status())));
        }
        // One that is signed or encrypted on its own is left alone: the token has the user.
        Ok(serde_json::from_slice(answer.body()).ok())
    }

    async fn client(&self, redirect: &str) -> Result<Client, OpenIdError> {
        let metadata = self.metadata().await?;
        let redirect =
            RedirectUrl::new(redirect.to_owned()).map_err(|e| OpenIdError::Provider(e.to_string()))?;
        let methods = metadata.token_endpoint_auth_methods_supported().cloned().unwrap_or_default();
        let client = CoreClient::from_provider_metadata(metadata, self.client.clone(), self.secret.clone());
        let only_post = methods.contains(&CoreClientAuthMethod::ClientSecretPost)
            && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic);
        let client = if only_post { client.set_auth_type(AuthType::RequestBody) } else { client };
        Ok(client.set_redirect_uri(redirect))
    }

    /// What the provider says of itself: its addresses and keys. Its name must be that of the settings.
    async fn metadata(&self) -> Result<CoreProviderMetadata, OpenIdError> {
        let mut known = self.known.lock().await;
        if let Some((_, metadata)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(metadata.clone());
        }
        let found = match self.discover(&self.issuer).await {
            // Some end their names with a slash.
            Err(DiscoveryError::Validation(_)) => self.discover(&format!("{}/", self.issuer)).await,
            found => found,
        };
        let metadata = found.map_err(|e| OpenIdError::Provider(causes(&e)))?;
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    async fn discover(&self, issuer: &str) -> Result<CoreProviderMetadata, DiscoveryError<HttpError>> {
        let issuer = IssuerUrl::new(issuer.to_owned()).map_err(DiscoveryError::UrlParse)?;
        CoreProviderMetadata::discover_async(issuer, &self.http).await
    }

    /// Within the bounds of time and number.
    async fn bounded<T>(&self, talk: impl Future<Output = Result<T, OpenIdError>>) -> Result<T, OpenIdError> {
        let Ok(_turn) = self.talks.try_acquire() else { return Err(OpenIdError::Busy) };
        let slow = || OpenIdError::Provider(format!("no answer within {} s", WHOLE.as_secs()));
        tokio::time::timeout(WHOLE, talk).await.unwrap_or_else(|_| Err(slow()))
    }
}

/// Whether the provider has made sure that the address is the user's.
fn verified(claims: &Map<String, Value>) -> bool {
    claims.get("email_verified") == Some(&Value::Bool(true))
}

/// Signature, issuer, audience, expiry and nonce; and the access token, if the token says which.
fn verify(
    client: &Client,
    token: &CoreIdToken,
    nonce: &Nonce,
    access: &AccessToken,
) -> Result<(), OpenIdError> {
    let bad = |what: String| OpenIdError::Token(what);
    let verifier = client.id_token_verifier();
    let claims = token.claims(&verifier, nonce).map_err(|e| bad(causes(&e)))?;
    let Some(wanted) = claims.access_token_hash() else { return Ok(()) };
    let algorithm = token.signing_alg().map_err(|e| bad(e.to_string()))?;
    let key = token.signing_key(&verifier).map_err(|e| bad(e.to_string()))?;
    let found = AccessTokenHash::from_token(access, algorithm, key).map_err(|e| bad(e.to_string()))?;
    if found == *wanted { Ok(()) } else { Err(bad("it belongs to another access token".into())) }
}

/// All claims of a token that has been verified.
fn payload(token: &CoreIdToken) -> Result<Map<String, Value>, OpenIdError> {
    let text = token.to_string();
    let body = text.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    body.and_then(|body| serde_json::from_slice(&body).ok())
        .ok_or_else(|| OpenIdError::Token("its claims cannot be read".into()))
}

/// Name of the provider, from the address of its metadata.
fn issuer(url: &str) -> Result<String, String> {
    let bad = |what: &str| Err(format!("OIDCProviderMetadataURL \"{url}\" {what}"));
    let Some(issuer) = url.strip_suffix(METADATA) else {
        return bad(&format!("does not end with {METADATA}"));
    };
    match reqwest::Url::parse(issuer) {
        Ok(parsed) if ["https", "http"].contains(&parsed.scheme()) && parsed.has_host() => {
            Ok(issuer.to_owned())
        }
        _ => bad("does not begin with https:// and a host"),
    }
}

type TokenError = ::openidconnect::RequestTokenError<
    HttpError,
    ::openidconnect::StandardErrorResponse<::openidconnect::core::CoreErrorResponseType>,
>;

fn refused(error: &TokenError) -> OpenIdError {
    match error {
        ::openidconnect::RequestTokenError::ServerResponse(said) => OpenIdError::Refused(said.to_string()),
        // What it sent may hold a token: only that it could not be read.
        ::openidconnect::RequestTokenError::Parse(..) => {
            OpenIdError::Token("the answer of the token endpoint cannot be read".into())
        }
        other => OpenIdError::Provider(causes(other)),
    }
}

/// An error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod provider_tests;
