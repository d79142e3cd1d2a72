//! `/safekit/mosaic.html`: shows which nodes answer behind a load balanced address (NET-26).
//!
//! The page opens one connection after another and paints a tile for the node that answered each.

use super::Web;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpResponse, web};
use serde::Serialize;

/// The page and its parts, as files of this server.
const FILES: [(&str, &str, &str); 3] = [
    ("/safekit/mosaic.html", "text/html; charset=utf-8", include_str!("mosaic/mosaic.html")),
    ("/safekit/mosaic.js", "text/javascript; charset=utf-8", include_str!("mosaic/mosaic.js")),
    ("/safekit/mosaic.css", "text/css; charset=utf-8", include_str!("mosaic/mosaic.css")),
];

/// Who has answered.
#[derive(Serialize)]
struct Tile {
    /// Name in the cluster, or the host name.
    node: String,
}

/// Adds the paths; they need no login.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    for (path, kind, text) in FILES {
        config.route(path, web::get().to(move || async move { file(kind, text) }));
    }
    config.route("/safekit/tile", web::get().to(tile));
}

fn file(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}

/// The answer ends the connection, so that the next one is balanced anew.
async fn tile(web: Data<Web>) -> HttpResponse {
    let node = web.here.now().map(|now| now.node.as_ref().map_or(now.host.clone(), ToString::to_string));
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .force_close()
        .json(Tile { node: node.unwrap_or_else(|| "?".to_owned()) })
}
