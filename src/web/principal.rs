//! Who asks: found by the session cookie, or by a password sent along.

use super::Web;
use super::audit;
use super::auth::tokens::{self, Bearer};
use super::auth::{self, AuthError, Login};
use super::hosts;
use super::problem::Problem;
use super::session::COOKIE;
use super::sessions::{self, Key, Proof, Secret};
use super::tls::ClientCertificate;
use crate::control::{Access, Behalf};
use crate::log::Lang;
use crate::told::{Tell, told};
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::time::Instant;

/// Header with the token of the session, on everything that changes something.
pub const CSRF: &str = "X-SafeKit-CSRF";

/// How a user has proved who he is.
#[derive(Clone, Debug)]
pub enum How {
    /// By the cookie of a session.
    Session(Key),
    /// By a password with this request, known so if this service knows the passwords.
    Credentials(Option<Proof>),
    /// By a token with this request: its hash.
    Token(String),
    /// By a certificate that his browser shows.
    Certificate(ClientCertificate),
    /// Not at all: there is no login (WEB-45).
    Nobody,
}

/// Somebody who has proved who he is, with a role or without.
#[derive(Clone, Debug)]
pub struct Identity {
    /// His name.
    pub user: String,
    /// His role now.
    pub access: Option<Access>,
    /// Where he is.
    pub address: IpAddr,
    /// How he proved it.
    pub how: How,
    /// The token that a page of his session sends.
    pub csrf: Option<Secret>,
}

/// A user with a role. As an extractor: 401 without a login, 403 without a role or for what another
/// page makes his browser send.
#[derive(Clone, Debug)]
pub struct Principal {
    /// His name.
    pub user: String,
    /// His role.
    pub access: Access,
    /// Where he is.
    pub address: IpAddr,
    /// How he proved who he is.
    pub how: How,
    /// The language that he reads.
    pub lang: Lang,
}

impl Principal {
    /// Refuses whom the role does not reach.
    pub fn require(&self, access: Access) -> Result<(), Problem> {
        if self.access >= access {
            return Ok(());
        }
        let Principal { user, access: has, .. } = self;
        Err(Problem::forbidden(told!(
            "this needs the role {access}, {user} has {has}",
            "cela demande le rôle {access}, {user} a {has}"
        )))
    }

    /// For whom safeadmin does it.
    pub fn behalf(&self) -> Behalf {
        Behalf { user: auth::at(&self.user, self.address), access: self.access, lang: self.lang }
    }
}

impl FromRequest for Principal {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Principal, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let web = web_of(&request)?;
            let identity = identify(&web, &request).await?;
            let identity = identity.ok_or_else(|| Problem::unauthorized(web.auth.invitation()))?;
            genuine(&web, &request, Some(&identity))?;
            let Identity { user, access, address, how, .. } = identity;
            let Some(access) = access else {
                return Err(Problem::forbidden(told!(
                    "{user} has no role here: an administrator can give one in group.conf",
                    "{user} n'a pas de rôle ici : un administrateur peut lui en donner un dans group.conf"
                )));
            };
            Ok(Principal { user, access, address, how, lang: lang(&request) })
        })
    }
}

/// The server that got a request.
pub fn web_of(request: &HttpRequest) -> Result<Web, Problem> {
    let web = request.app_data::<web::Data<Web>>();
    web.map(|web| web.get_ref().clone())
        .ok_or_else(|| Problem::internal(told!("the server has no state", "le serveur n'a pas d'état")))
}

/// The language of texts in the answer: the one of English and French that the browser likes better.
pub fn lang(request: &HttpRequest) -> Lang {
    let wanted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    wanted.map_or(Lang::En, preferred)
}

/// Reads `fr-CH, en;q=0.8`.
fn preferred(wanted: &str) -> Lang {
    let weighed = wanted.split(',').filter_map(|one| {
        let (tag, weight) = one.split_once(';').unwrap_or((one, "q=1"));
        let lang = match tag.trim().split('-').next()? {
            "en" => Lang::En,
            "fr" => Lang::Fr,
            _ => return None,
        };
        Some((lang, weight.trim().strip_prefix("q=")?.parse::<f32>().ok()?))
    });
    // Of two with the same weight the first one counts.
    let best = weighed.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map_or(Lang::En, |(lang, _)| lang)
}

/// Where a request comes from.
pub fn address(request: &HttpRequest) -> IpAddr {
    // Only a test has no peer.
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip().to_canonical())
}

/// Who sends a request; `None` for somebody who says nothing of himself.
pub async fn identify(web: &Web, request: &HttpRequest) -> Result<Option<Identity>, Problem> {
    let address = address(request);
    if let Some(header) = request.headers().get(header::AUTHORIZATION) {
        let header = header.to_str().unwrap_or_default();
        if let Some(token) = header.strip_prefix("Bearer ") {
            return bearer(web, token.trim(), address).await.map(Some);
        }
        let (user, password) = basic(header).ok_or_else(|| {
            Problem::unauthorized(told!(
                "the Authorization header cannot be read",
                "l'en-tête Authorization ne peut pas être lu"
            ))
        })?;
        let proof = web.auth.proof(&user);
        let login = match web.auth.remembered(&user, &password) {
            Some(login) => login,
            None => log_in(web, &user, &password, address).await.map_err(refused)?,
        };
        let Login { user, access } = login;
        return Ok(Some(Identity { user, access, address, how: How::Credentials(proof), csrf: None }));
    }
    let session = request.cookie(COOKIE).and_then(|cookie| {
        let (key, session) = web.sessions.find(cookie.value(), Instant::now())?;
        Some((key, session, sessions::csrf(cookie.value())))
    });
    if let Some((key, session, csrf)) = session {
        web.note_use();
        web.auth.refresh(&session.user).await;
        let Some(access) = web.auth.still(&session.user, session.access, session.proof) else {
            web.sessions.end(key);
            web.store_sessions();
            return Ok(None);
        };
        let how = How::Session(key);
        return Ok(Some(Identity { user: session.user, access, address, how, csrf: Some(csrf) }));
    }
    let shown = request.conn_data::<ClientCertificate>();
    if let Some((users, shown)) = web.certificates.as_ref().zip(shown) {
        let Login { user, access } = users.login(shown);
        let how = How::Certificate(shown.clone());
        return Ok(Some(Identity { user, access, address, how, csrf: Some(web.page.clone()) }));
    }
    let Some(access) = web.auth.everybody() else { return Ok(None) };
    web.hosts.check(&web.asker, request).await?;
    Ok(Some(Identity {
        user: "web".to_owned(),
        access: Some(access),
        address,
        how: How::Nobody,
        csrf: Some(web.page.clone()),
    }))
}

/// The owner of a token. Nobody guesses one: attempts are held up so that they do not fill the log.
async fn bearer(web: &Web, token: &str, address: IpAddr) -> Result<Identity, Problem> {
    let Some(found) = web.token(web.tokens.find(token, tokens::now())).await else {
        web.limits
            .attempt("token", address, Instant::now())
            .map_err(|wait| refused(AuthError::Slower(wait)))?;
        let why = told!(
            "this token is unknown, revoked or has expired, or who made it is gone, has another password or has its role no more",
            "ce jeton est inconnu, révoqué ou expiré, ou qui l'a créé n'est plus là, a un autre mot de passe ou n'en a plus le rôle"
        );
        audit::refused(web, "token", address, &why);
        return Err(Problem::unauthorized(why));
    };
    if found.stale {
        let tokens = web.tokens.clone();
        // When it was used is for people only: the answer does not wait for the disk.
        actix_web::rt::task::spawn_blocking(move || {
            if let Err(error) = tokens.store_uses() {
                tracing::warn!(%error, "the use of a token is not stored");
            }
        });
    }
    let Bearer { name, role, key, .. } = found;
    let user = format!("{}{name}", tokens::LABEL);
    Ok(Identity { user, access: Some(role), address, how: How::Token(key), csrf: None })
}

/// Checks a password within the limits, and leaves a line about it.
pub async fn log_in(web: &Web, user: &str, password: &str, address: IpAddr) -> Result<Login, AuthError> {
    if let Err(wait) = web.limits.attempt(user, address, Instant::now()) {
        let slower = AuthError::Slower(wait);
        audit::refused(web, user, address, &slower);
        return Err(slower);
    }
    let checked = web.auth.password(user, password).await;
    match &checked {
        Ok(_) => web.limits.succeeded(user, address, Instant::now()),
        // Nothing was tried.
        Err(AuthError::Slower(_) | AuthError::NoPassword | AuthError::Unavailable(_)) => {
            web.limits.take_back(user, address, Instant::now());
        }
        Err(AuthError::Wrong) => {}
    }
    if let Err(why) = &checked {
        audit::refused(web, user, address, why);
    }
    checked
}

/// A refused login as an answer. Whoever asks is nobody yet: why the users cannot be checked is in the log.
pub fn refused(why: AuthError) -> Problem {
    let detail = why.told();
    match why {
        AuthError::Slower(wait) => Problem::too_many(detail, wait),
        AuthError::Unavailable(_) => Problem::unavailable(told!(
            "names and passwords cannot be checked now: an administrator finds the reason in SAFEVAR/httpd.log",
            "les noms et mots de passe ne peuvent pas être vérifiés maintenant : un administrateur en trouve la raison dans SAFEVAR/httpd.log"
        )),
        AuthError::Wrong | AuthError::NoPassword => Problem::unauthorized(detail),
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (kind, encoded) = header.split_once(' ')?;
    if !kind.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Refuses what another site makes a browser send.
///
/// A cookie, and the absence of a login, prove nothing about the page that asks: such a request needs
/// the token that only our page can read. Where a browser says which page asks, that must be ours.
pub fn genuine(web: &Web, request: &HttpRequest, identity: Option<&Identity>) -> Result<(), Problem> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return Ok(());
    }
    let text = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap_or_default());
    if let Some(origin) = text("Origin") {
        let host = origin.split_once("://").map(|(_, host)| host);
        if host.is_none() || host != hosts::asked(request) {
            return Err(Problem::forbidden(told!(
                "this request comes from a page of another site",
                "cette requête vient d'une page d'un autre site"
            )));
        }
    }
    let from_browser = text("Origin").is_some() || text("Sec-Fetch-Site").is_some();
    let wanted = match identity.map(|identity| &identity.how) {
        None | Some(How::Credentials(_) | How::Token(_)) => None,
        Some(How::Session(_)) => identity.and_then(|identity| identity.csrf.as_ref()),
        // A script on an unprotected service, or with a certificate, needs nothing; a page does.
        Some(How::Nobody | How::Certificate(_)) => from_browser.then_some(&web.page),
    };
    match wanted {
        Some(token) if !token.is(text(CSRF).unwrap_or_default()) => Err(Problem::forbidden(told!(
            "this needs the header {CSRF} with the value csrf of GET /api/v1/session",
            "cela demande l'en-tête {CSRF} avec la valeur csrf de GET /api/v1/session"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_that_a_browser_likes_better_is_taken() {
        for (header, lang) in [
            ("fr", Lang::Fr),
            ("fr-CH, fr;q=0.9, en;q=0.8", Lang::Fr),
            ("en-US,en;q=0.9,fr;q=0.8", Lang::En),
            ("de, en;q=0.3, fr;q=0.7", Lang::Fr),
            ("de", Lang::En),
            ("fr;q=much", Lang::En),
            ("", Lang::En),
        ] {
            assert_eq!(preferred(header), lang, "{header}");
        }
    }
}
