//! Logging in and out: `/api/v1/session`.

use super::Web;
use super::principal::{self, How, Identity, genuine, identify, web_of};
use super::problem::Problem;
use super::sessions::{self, Proof};
use super::{audit, auth};
use crate::control::Access;
use crate::told::told;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use utoipa::ToSchema;

/// Name of the session cookie.
pub const COOKIE: &str = "safekit_session";

/// Who is logged in, and what a page must know before anybody is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionReport {
    /// Somebody is, or nobody needs to be.
    pub authenticated: bool,
    /// His name.
    pub user: Option<String>,
    /// His role; none for somebody whom nothing gives one.
    pub role: Option<Access>,
    /// What to send in the header `X-SafeKit-CSRF` with everything that changes something.
    pub csrf: Option<String>,
    /// How one can log in here: `password`, `openid`, `certificate` for nothing else, or `none` is needed.
    pub methods: Vec<&'static str>,
    /// Name of this node in the cluster.
    pub node: Option<String>,
    /// Version of SafeKit.
    pub version: &'static str,
    /// The connection is protected.
    pub https: bool,
    /// What should be done about the security of this service.
    pub warnings: Vec<String>,
}

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// His password.
    pub password: String,
}

/// Who is logged in. Refused only to who asks a service without login by a name that is not its own.
#[utoipa::path(get, path = "/session", tag = "session", responses((status = 200, body = SessionReport)))]
pub async fn show(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let web = web_of(&request)?;
    let identity = match identify(&web, &request).await {
        // A page of another site, by its own name, must not even learn that.
        Err(problem) if problem.status() == StatusCode::MISDIRECTED_REQUEST => return Err(problem),
        // Whose password is wrong is nobody here.
        found => found.unwrap_or(None),
    };
    Ok(HttpResponse::Ok().json(report(&web, &request, identity)))
}

/// Logs in.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = SessionReport), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn login(request: HttpRequest, body: web::Json<Credentials>) -> Result<HttpResponse, Problem> {
    let web = web_of(&request)?;
    genuine(&web, &request, None)?;
    let address = principal::address(&request);
    // Of before the check: a password that changes meanwhile ends the session that begins here.
    let proof = web.auth.proof(&body.user);
    let login = principal::log_in(&web, &body.user, &body.password, address).await;
    let login = login.map_err(principal::refused)?;
    begin(&web, &request, login, proof)
}

/// Begins the session of somebody who has proved who he is.
pub fn begin(
    web: &Web,
    request: &HttpRequest,
    login: auth::Login,
    proof: Option<Proof>,
) -> Result<HttpResponse, Problem> {
    let address = principal::address(request);
    let auth::Login { user, access } = login;
    // The session of before is over, whoever logs in.
    if let Some((key, _)) = request.cookie(COOKIE).and_then(|c| web.sessions.find(c.value(), Instant::now()))
    {
        web.sessions.end(key);
    }
    let begun = web.sessions.begin(&user, access, proof, address, Instant::now());
    let (cookie, _) = begun.map_err(|e| {
        Problem::unavailable(told!("no session can begin: {e}", "aucune session ne peut commencer : {e}"))
    })?;
    web.store_sessions();
    audit::login(web, &user, address, access);
    let key = web.sessions.find(cookie.expose(), Instant::now()).map(|(key, _)| key);
    let csrf = Some(sessions::csrf(cookie.expose()));
    let identity = key.map(|key| Identity { user, access, address, how: How::Session(key), csrf });
    let cookie = cookie_of(web, cookie.expose().to_owned());
    Ok(HttpResponse::Ok().cookie(cookie).json(report(web, request, identity)))
}

/// Logs out.
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 200, body = SessionReport)))]
pub async fn logout(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let web = web_of(&request)?;
    let identity = identify(&web, &request).await?;
    genuine(&web, &request, identity.as_ref())?;
    if let Some(Identity { how: How::Session(key), user, address, .. }) = identity {
        web.sessions.end(key);
        // Not even a crash brings back who has logged out.
        let _ = web.store_sessions().await;
        audit::logout(&web, &user, address);
    }
    let nobody = web.auth.everybody().is_none();
    let identity = if nobody { None } else { identify(&web, &request).await? };
    let mut gone = cookie_of(&web, String::new());
    gone.make_removal();
    Ok(HttpResponse::Ok().cookie(gone).json(report(&web, &request, identity)))
}

fn cookie_of(web: &Web, value: String) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path("/")
        .http_only(true)
        .secure(web.https)
        .same_site(SameSite::Strict)
        .max_age(CookieDuration::seconds(web.sessions.longest().as_secs().cast_signed()))
        .finish()
}

fn report(web: &Web, request: &HttpRequest, identity: Option<Identity>) -> SessionReport {
    let lang = principal::lang(request);
    let (user, role, csrf) = match &identity {
        None => (None, None, None),
        Some(who) => {
            let csrf = who.csrf.as_ref().map(|token| token.expose().to_owned());
            (Some(who.user.clone()), who.access, csrf)
        }
    };
    let mut warnings = web.warnings();
    if role == Some(Access::Admin) {
        warnings.extend(web.auth.trouble());
    }
    SessionReport {
        authenticated: identity.is_some(),
        user,
        role,
        csrf,
        methods: web.auth.methods(),
        node: web.here.node(),
        version: env!("CARGO_PKG_VERSION"),
        https: request.app_config().secure(),
        warnings: warnings.into_iter().map(|warning| warning.into(lang)).collect(),
    }
}
