//! The two addresses of a login with the provider: where it begins, and `/openid`, where it ends.

use super::flight::LIFE_S;
use super::{OpenId, OpenIdError};
use crate::told::{Told, told};
use crate::web::auth::Auth;
use crate::web::principal::{address, web_of};
use crate::web::problem::Problem;
use crate::web::{Web, audit, hosts, session};
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use std::time::Instant;

/// Where the provider sends the browser back (WEB-44).
const CALLBACK: &str = "/openid";
/// Name of the cookie of a login under way.
const COOKIE: &str = "safekit_openid";
/// Longest text of the provider that is logged.
const SHOWN: usize = 300;
/// Name under which failed logins of an address count.
const USER: &str = "openid";

/// The page that wants a login.
#[derive(Deserialize)]
pub struct Begin {
    next: Option<String>,
}

/// What the provider says by way of the browser.
#[derive(Deserialize)]
pub struct End {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// The addresses.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/api/v1/openid/login", web::get().to(begin)).route(CALLBACK, web::get().to(end));
}

/// Sends the browser to the provider.
async fn begin(request: HttpRequest, query: web::Query<Begin>) -> Result<HttpResponse, Problem> {
    let web = web_of(&request)?;
    let provider = provider(&web)?;
    let next = query.into_inner().next.filter(|next| is_page(next));
    let next = next.unwrap_or_else(|| "/console/".to_owned());
    let begun = match callback(&request) {
        Some(redirect) => provider.begin(&redirect, next.clone(), now()).await,
        None => Err(OpenIdError::Provider("this request does not say which host it asks".into())),
    };
    match begun {
        Ok((url, flight)) => Ok(to(&url, cookie(&web, flight))),
        Err(e) => Ok(failed(&web, &request, &next, &e)),
    }
}

/// Takes the browser back from the provider: logged in, or at the login page with the reason.
async fn end(request: HttpRequest, query: web::Query<End>) -> Result<HttpResponse, Problem> {
    let web = web_of(&request)?;
    let provider = provider(&web)?;
    let End { code, state, error, error_description } = query.into_inner();
    let sealed = request.cookie(COOKIE);
    let flight = provider.flight(sealed.as_ref().map(Cookie::value), &state.unwrap_or_default(), now());
    let flight = match flight {
        Ok(flight) => flight,
        Err(e) => return Ok(failed(&web, &request, "", &e)),
    };
    let (next, from) = (flight.next.clone(), address(&request));
    if let Some(error) = error {
        let said = error_description.map_or(error.clone(), |text| format!("{error}: {text}"));
        return Ok(failed(&web, &request, &next, &OpenIdError::Refused(said)));
    }
    if web.limits.attempt(USER, from, Instant::now()).is_err() {
        return Ok(failed(&web, &request, &next, &OpenIdError::Busy));
    }
    match provider.end(flight, code.unwrap_or_default()).await {
        Ok(login) => {
            web.limits.succeeded(USER, from, Instant::now());
            let begun = session::begin(&web, &request, login, None)?;
            let mut answer = to(&next, gone(&web));
            for cookie in begun.cookies() {
                answer.add_cookie(&cookie).map_err(|e| Problem::internal(Told::same(e.to_string())))?;
            }
            Ok(answer)
        }
        Err(e) => Ok(failed(&web, &request, &next, &e)),
    }
}

fn provider(web: &Web) -> Result<&OpenId, Problem> {
    match &*web.auth {
        Auth::OpenId(provider) => Ok(provider),
        _ => Err(Problem::not_found(told!(
            "there is no login with an identity provider here",
            "il n'y a pas ici de connexion par un fournisseur d'identité"
        ))),
    }
}

/// Where this browser finds this service.
fn callback(request: &HttpRequest) -> Option<String> {
    let host = hosts::asked(request)?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    let scheme = if request.app_config().secure() { "https" } else { "http" };
    (!host.is_empty() && host.bytes().all(allowed)).then(|| format!("{scheme}://{host}{CALLBACK}"))
}

/// A page of the console: nobody is sent anywhere else.
fn is_page(next: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~%?=&".contains(&b);
    next.len() <= 512 && next.starts_with("/console/") && next.bytes().all(allowed) && !next.contains("//")
}

/// The login page says why, the log in detail.
fn failed(web: &Web, request: &HttpRequest, next: &str, error: &OpenIdError) -> HttpResponse {
    let why: String = error.to_string().chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    audit::refused(web, USER, address(request), &why);
    let language = if next.starts_with("/console/fr/") { "fr" } else { "en" };
    to(&format!("/console/{language}/login?error={}", error.code()), gone(web))
}

fn to(url: &str, cookie: Cookie<'static>) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, url))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .cookie(cookie)
        .finish()
}

/// The provider's page leads back here: the cookie must come along from there.
fn cookie(web: &Web, value: String) -> Cookie<'static> {
    Cookie::build(COOKIE, value)
        .path(CALLBACK)
        .http_only(true)
        .secure(web.https)
        .same_site(SameSite::Lax)
        .max_age(CookieDuration::seconds(LIFE_S))
        .finish()
}

fn gone(web: &Web) -> Cookie<'static> {
    let mut cookie = cookie(web, String::new());
    cookie.make_removal();
    cookie
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
