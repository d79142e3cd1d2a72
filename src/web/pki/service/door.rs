//! What the CA service answers: certificates, and signatures, to who knows the password.

use crate::web::auth::limit::Limits;
use crate::web::pki::authority::{self, Authority, LONGEST_REQUEST};
use crate::web::pki::files::{self, Tree};
use crate::web::pki::{CA_USER, PkiError, Purpose};
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Longest header with a password, bytes.
const LONGEST_HEADER: usize = 1024;

/// What all requests share.
pub(super) struct Door {
    tree: Tree,
    /// Of this process alone: what is kept of the password is of no use elsewhere.
    salt: [u8; 32],
    password: blake3::Hash,
    limits: Limits,
    /// One signature at a time: two for one name must not mix.
    signing: Mutex<()>,
}

impl Door {
    pub(super) fn new(tree: Tree, password: &str) -> Result<Door, PkiError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|e| PkiError::Random(e.to_string()))?;
        let password = blake3::keyed_hash(&salt, format!("{CA_USER}:{password}").as_bytes());
        Ok(Door { tree, salt, password, limits: Limits::default(), signing: Mutex::default() })
    }

    /// The address of a client that knows the password, or the refusal.
    fn enter(&self, request: &HttpRequest) -> Result<IpAddr, Box<HttpResponse>> {
        let from = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip().to_canonical());
        // Without a header it is not a wrong password, but a client that waits to be asked.
        if let Some(header) = request.headers().get(AUTHORIZATION) {
            if let Err(wait) = self.limits.attempt(CA_USER, from, Instant::now()) {
                let answer = HttpResponse::TooManyRequests()
                    .insert_header((RETRY_AFTER, wait.as_secs() + 1))
                    .body("too many wrong passwords: try again later\n");
                return Err(Box::new(answer));
            }
            // Hashes compare in constant time.
            let given = credentials(header.as_bytes()).map(|given| blake3::keyed_hash(&self.salt, &given));
            if given == Some(self.password) {
                self.limits.succeeded(CA_USER, from, Instant::now());
                return Ok(from);
            }
            tracing::warn!("{from}: wrong user or password");
        }
        let answer = HttpResponse::Unauthorized()
            .insert_header((WWW_AUTHENTICATE, "Basic realm=\"SafeKit CA\", charset=\"UTF-8\""))
            .body("user and password of the CA service are needed\n");
        Err(Box::new(answer))
    }

    /// Signs and keeps the certificate.
    fn sign(&self, purpose: &Purpose, request: &str) -> Result<String, PkiError> {
        let _one = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        let name = purpose.to_string();
        if self.tree.key(&name).exists() {
            return Err(PkiError::Request(format!("{name} is a certificate of the CA server itself")));
        }
        // Read each time: it may have been made after the start, or taken away to a safe place.
        let pem = Authority::load(&self.tree)?.sign_request(purpose, request)?;
        files::store_public(&self.tree.certificate(&name), &pem)?;
        Ok(pem)
    }
}

/// `user:password` of a header.
fn credentials(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if header.len() > LONGEST_HEADER || !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    STANDARD.decode(rest.trim_ascii()).ok()
}

/// The form of a signature request (WEB-53).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    action: String,
    name: String,
    servercsr: Option<String>,
    usercsr: Option<String>,
}

impl Form {
    /// For what a certificate is asked, and the request.
    fn understood(self) -> Result<(Purpose, String), PkiError> {
        if self.action != "signrequest" {
            return Err(PkiError::Request("the only action is signrequest".into()));
        }
        let purpose = Purpose::of_name(&self.name)?;
        match (&purpose, self.servercsr, self.usercsr) {
            (Purpose::Server { .. }, Some(request), None) | (Purpose::User { .. }, None, Some(request)) => {
                Ok((purpose, request))
            }
            _ => Err(PkiError::Request(
                "a name server_<host> needs servercsr, a name user_<role>_<name> needs usercsr".into(),
            )),
        }
    }
}

/// The paths of the service.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::FormConfig::default().limit(4 * LONGEST_REQUEST).error_handler(|e, _| {
            let answer = text(StatusCode::BAD_REQUEST, &e.to_string());
            actix_web::error::InternalError::from_response(e, answer).into()
        }))
        .route("/certs/{file}", web::get().to(certificate))
        .route("/caserv", web::post().to(sign));
}

async fn certificate(request: HttpRequest, file: web::Path<String>, door: web::Data<Door>) -> HttpResponse {
    if let Err(refusal) = door.enter(&request) {
        return *refusal;
    }
    let name = file.rsplit_once('.').filter(|(_, kind)| ["cert", "crt"].contains(kind)).map(|(name, _)| name);
    let known = name.filter(|name| *name == authority::NAME || Purpose::of_name(name).is_ok());
    let Some(path) = known.map(|name| door.tree.certificate(name)) else {
        return text(StatusCode::NOT_FOUND, "no such certificate");
    };
    match web::block(move || files::read(&path)).await {
        Ok(Ok(pem)) => HttpResponse::Ok().content_type("application/x-pem-file").body(pem),
        _ => text(StatusCode::NOT_FOUND, "no such certificate"),
    }
}

async fn sign(request: HttpRequest, form: web::Form<Form>, door: web::Data<Door>) -> HttpResponse {
    let from = match door.enter(&request) {
        Ok(from) => from,
        Err(refusal) => return *refusal,
    };
    let name = form.name.escape_debug().to_string();
    let signed = match form.into_inner().understood() {
        Ok((purpose, csr)) => web::block(move || door.sign(&purpose, &csr)).await,
        Err(e) => Ok(Err(e)),
    };
    match signed {
        Ok(Ok(pem)) => {
            tracing::info!("{from}: signed {name}");
            HttpResponse::Ok().content_type("application/x-pem-file").body(pem)
        }
        Ok(Err(e)) => {
            tracing::warn!("{from}: refused {name}: {e}");
            let bad = matches!(e, PkiError::Request(_) | PkiError::Name(_));
            let status = if bad { StatusCode::BAD_REQUEST } else { StatusCode::SERVICE_UNAVAILABLE };
            text(status, &e.to_string())
        }
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "too busy"),
    }
}

fn text(status: StatusCode, text: &str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(format!("{text}\n"))
}
