//! The console: files embedded in the program, pages that are all one page (WEB-01 to WEB-07).

use super::problem::Problem;
use crate::told::told;
use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, VARY,
};
use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::{Embed, EmbeddedFile};
use std::borrow::Cow;

/// What `npm run build` makes. Debug builds read it from the disk.
#[derive(Embed)]
#[folder = "console/dist/"]
#[allow_missing = true]
struct Files;

/// The page of the console.
const PAGE: &str = "index.html";
/// Where a browser begins: the page knows the language that was chosen there, or that the browser prefers.
const HOME: &str = "/console/";
/// Shown when the program was built without the console.
const MISSING: &str = "<!doctype html><title>SafeKit</title><p>This program was built without its console. \
    The API is there: <a href=\"/swagger-ui/index.html\">/swagger-ui/index.html</a>.";

/// Adds the paths; they need no login.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    for path in ["/", "/console"] {
        config.route(path, web::get().to(home));
    }
    config.service(
        web::resource("/console/{path:.*}").route(web::get().to(console)).route(web::head().to(console)),
    );
}

async fn home() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, HOME)).finish()
}

async fn console(request: HttpRequest, path: Path<String>) -> Result<HttpResponse, Problem> {
    if let Some(file) = Files::get(&path) {
        return Ok(plain(&request, &path, &file));
    }
    // What looks like a file and is none is not a page.
    let last = path.rsplit('/').next().unwrap_or_default();
    if path.starts_with("assets/")
        || [".js", ".css", ".svg", ".map", ".txt", ".html"].iter().any(|end| last.ends_with(end))
    {
        return Err(Problem::not_found(told!(
            "the console has no such file: reload the page",
            "la console n'a pas ce fichier : rechargez la page"
        )));
    }
    Ok(page(&request))
}

/// The page, whatever its path: the console reads it itself.
fn page(request: &HttpRequest) -> HttpResponse {
    match Files::get(PAGE) {
        Some(page) => plain(request, PAGE, &page),
        None => HttpResponse::Ok().insert_header((CONTENT_TYPE, kind(PAGE))).body(MISSING),
    }
}

/// A file, compressed if the build has made that, and not at all if the browser has it.
fn plain(request: &HttpRequest, path: &str, file: &EmbeddedFile) -> HttpResponse {
    let tag = tag(file.metadata.sha256_hash());
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut response = HttpResponse::Ok();
    // Names of built files change with what is in them.
    let lasts = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.insert_header((CACHE_CONTROL, lasts)).insert_header((ETAG, tag.clone()));
    response.insert_header((VARY, "Accept-Encoding"));
    if header(IF_NONE_MATCH).split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return response.status(actix_web::http::StatusCode::NOT_MODIFIED).finish();
    }
    response.insert_header((CONTENT_TYPE, kind(path)));
    let takes = header(ACCEPT_ENCODING).split(',').any(|code| code.trim().split(';').next() == Some("gzip"));
    match Files::get(&format!("{path}.gz")).filter(|_| takes) {
        Some(small) => response.insert_header((CONTENT_ENCODING, "gzip")).body(bytes(&small)),
        None => response.body(bytes(file)),
    }
}

/// In the program already, except in debug builds.
fn bytes(file: &EmbeddedFile) -> Bytes {
    match &file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data.clone()),
    }
}

/// The tag of a file with this hash.
fn tag(hash: [u8; 32]) -> String {
    format!("\"{}\"", crate::hex::encode(&hash[..16]))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" | "webmanifest" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
