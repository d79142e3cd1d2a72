//! The HTTP port while HTTPS is on: sends browsers over, and answers health checks (NET-51).

use super::{Web, headers, limits, pace, ready};
use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use std::io;
use std::net::TcpListener;
use std::time::Duration;

/// Connections: none of them lasts.
const CONNECTIONS: usize = 512;

/// The server of the HTTP port.
pub(super) fn server(web: Web, socket: TcpListener) -> io::Result<Server> {
    pace::close_stalled(&socket)?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(web.clone()))
            .wrap(from_fn(limits::bound))
            .wrap(from_fn(headers::secure))
            .configure(ready::routes)
            .default_service(web::to(over))
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(Duration::from_secs(5))
        .keep_alive(Duration::from_secs(5))
        .shutdown_timeout(1)
        .listen(socket)?;
    Ok(server.run())
}

/// To the same path by HTTPS. Nothing is kept by the browser: HTTPS may be turned off again.
async fn over(request: HttpRequest, web: web::Data<Web>) -> HttpResponse {
    let info = request.connection_info().clone();
    let Some(host) = host(info.host()) else { return HttpResponse::BadRequest().finish() };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = format!("https://{host}:{}{path}", web.settings.https_port);
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, to)).finish()
}

/// The name or address of a `Host` header, without its port.
pub(super) fn host(header: &str) -> Option<&str> {
    let host = match header.strip_prefix('[') {
        Some(rest) => &header[..rest.find(']')? + 2],
        None => header.split(':').next()?,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-_[]:".contains(c);
    (!host.is_empty() && host.len() < 256 && host.chars().all(fits)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_their_port_and_nothing_strange_is_sent_back() {
        for (header, expected) in [
            ("node1:9010", Some("node1")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("[fd77::1]:9010", Some("[fd77::1]")),
            ("[fd77::1", None),
            ("", None),
            ("a b", None),
            ("evil/..", None),
        ] {
            assert_eq!(host(header), expected, "{header}");
        }
    }
}
