//! The server: its ports, its workers, its end.

use super::auth::openid;
use super::logs::{self, LogFile};
use super::pki::PkiError;
use super::problem::{self, Problem};
use super::remote::server::{self as remote, Remote};
use super::settings::{Settings, SettingsError};
use super::tls;
use super::user::{self, UserError};
use super::{Web, api, assets, connection, headers, kept, limits, metrics, mosaic, pace, ready, redirect};
use crate::config::paths::Paths;
use crate::ids::ModuleName;
use crate::told::told;
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpServer, web};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

/// Threads that serve.
const WORKERS: usize = 2;
/// Connections of each of them.
const CONNECTIONS: usize = 2048;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Time for the head of a request: a slow client is let go.
const HEAD: Duration = Duration::from_secs(10);
/// What a body over HTTP/2 may send before it is read, bytes; a connection four times as much.
const WINDOW: u32 = 256 << 10;
/// A connection without a request is closed after that time.
const KEPT: Duration = Duration::from_secs(75);
/// How long requests may go on after SIGTERM, seconds. Event streams never end by themselves.
const GRACE: u64 = 2;
/// Variable with the level of the log, instead of that of httpd.conf.
const LEVEL: &str = "SAFEKIT_LOG";

/// Why the web service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// httpd.conf is wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A port cannot be opened.
    #[error("cannot listen on port {port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// It cannot give up the rights of root.
    #[error(transparent)]
    User(#[from] UserError),
    /// HTTPS is wanted and not possible.
    #[error(
        "HTTPS cannot be served: {0}; install a certificate with initssl, or remove ssl/httpd.webconsolessl.conf"
    )]
    Tls(#[from] PkiError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The server ended.
    #[error("the server has ended: {0}")]
    Serve(#[from] io::Error),
}

/// Runs the service until SIGTERM or SIGINT.
pub fn run(paths: Paths) -> Result<(), WebError> {
    let settings = Settings::read(&paths.httpd_conf())?;
    let https = paths.https_switch().exists();
    let user = user::wanted()?;
    let open = |name: &str| LogFile::open(&paths.safevar.join(name), user.as_ref());
    let (own, access) = (open("httpd.log"), settings.access_log.then(|| open("access.log")));
    trace(&settings, own);
    let access = access.and_then(|log| log.map_err(|error| no_log("access.log", &error)).ok());
    let owner = user.as_ref().map(|user| (user.uid.as_raw(), user.gid.as_raw()));
    if let Some(Err(error)) = owner.map(|owner| kept::make_directory(&paths, owner)) {
        tracing::warn!(%error, "a restart of the service will end all sessions: no SAFEVAR/web");
    }
    let http = listen(settings.http_port)?;
    let secure = if https { Some(listen(settings.https_port)?) } else { None };
    if let Some(user) = &user {
        user::become_user(user)?;
    }
    user::forgo_rights()?;
    let config = match (https, settings.client_certificates) {
        (false, _) => None,
        (true, false) => Some(tls::server_config(&paths)?),
        (true, true) => Some(tls::server_config_with_users(&paths)?),
    };
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| {
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        Ok(most)
    });
    tracing::info!(http = settings.http_port, https, ?descriptors, "safewebserver starts");
    let web = Web::new(paths, settings, https)?;
    let ended: Result<(), io::Error> = actix_web::rt::System::new().block_on(async move {
        match (secure, config) {
            (Some(socket), Some(config)) => {
                let redirect = redirect::server(web.clone(), http)?;
                let main = server(web, access, socket, Some(config))?;
                let (main, redirect) = futures_util::future::join(main, redirect).await;
                main.and(redirect)
            }
            _ => server(web, access, http, None)?.await,
        }
    });
    tracing::info!("safewebserver ends");
    Ok(ended?)
}

/// A server on a socket; it runs when it is awaited.
pub fn server(
    web: Web,
    access: Option<LogFile>,
    socket: TcpListener,
    tls: Option<ServerConfig>,
) -> io::Result<Server> {
    pace::close_stalled(&socket)?;
    web.here.keep(&web.hub, &web.asker);
    web.watch.keep();
    web.watch_makers();
    let access = logs::shared(&web, access);
    let remote = web::Data::new(Remote::new(Paths::clone(&web.paths), web.asker.clone(), web.hub.clone()));
    let server = HttpServer::new(move || {
        let app = App::new().app_data(web::Data::new(web.clone())).app_data(remote.clone());
        let app = match &access {
            Some(log) => app.app_data(log.clone()),
            None => app,
        };
        app.wrap(from_fn(pace::bound))
            .wrap(from_fn(problem::translate))
            .wrap(from_fn(limits::bound))
            .wrap(from_fn(headers::secure))
            .wrap(from_fn(logs::access))
            .configure(configure)
            .default_service(web::to(unknown))
    })
    .on_connect(|stream, data| {
        tls::on_connect(stream, data);
        connection::on_connect(stream, data);
    })
    .workers(WORKERS)
    .max_connections(CONNECTIONS)
    // Who hangs up is not waited for: the answer may be a stream of hours.
    .h1_allow_half_closed(false)
    .client_request_timeout(HEAD)
    .h2_initial_window_size(WINDOW)
    .h2_initial_connection_window_size(4 * WINDOW)
    .client_disconnect_timeout(Duration::from_secs(2))
    .keep_alive(KEPT)
    .shutdown_timeout(GRACE);
    let server = match tls {
        Some(config) => server.listen_rustls_0_23(socket, config)?,
        None => server.listen(socket)?,
    };
    Ok(server.run())
}

/// Everything that is served, and how what is wrong with a request is told.
pub fn configure(config: &mut web::ServiceConfig) {
    let json = web::JsonConfig::default().limit(limits::LARGE).error_handler(|e, _| bad_body(&e).into());
    config
        .app_data(web::PayloadConfig::new(limits::LARGE))
        .app_data(json)
        .app_data(web::PathConfig::default().error_handler(|e, request| bad_path(&e, request).into()))
        .app_data(web::QueryConfig::default().error_handler(|e, _| bad_query(&e).into()));
    for routes in [
        remote::routes,
        ready::routes,
        metrics::routes,
        mosaic::routes,
        assets::routes,
        openid::pages::routes,
    ] {
        config.configure(routes);
    }
    // Last: the scope of the API takes all that is left below its path.
    config.configure(api::describe).configure(api::configure);
}

async fn unknown() -> Result<&'static str, Problem> {
    Err(Problem::not_found(told!("there is nothing of this name", "il n'y a rien de ce nom")))
}

/// A body that is not the JSON of the endpoint.
fn bad_body(error: &actix_web::error::JsonPayloadError) -> Problem {
    use actix_web::error::JsonPayloadError as Json;
    use actix_web::http::StatusCode;
    match error {
        Json::Overflow { .. } | Json::OverflowKnownLength { .. } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, limits::too_long())
        }
        Json::Payload(error) => limits::unread(error),
        Json::ContentType => Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            told!("send application/json", "envoyez application/json"),
        ),
        // In the words of the parser, which knows English only; so are those of the two others.
        Json::Deserialize(e) | Json::Serialize(e) => Problem::bad_request(told!(
            "the body is not what is expected: {e}",
            "le corps n'est pas ce qui est attendu : {e}"
        )),
        other => Problem::bad_request(told!(
            "the body cannot be read: {other}",
            "le corps ne peut pas être lu : {other}"
        )),
    }
}

/// A path with something else than what belongs there.
fn bad_path(error: &actix_web::error::PathError, request: &HttpRequest) -> Problem {
    if let Some(Err(bad)) = request.match_info().get("module").map(str::parse::<ModuleName>) {
        return Problem::bad_request(bad.into());
    }
    let why = match error {
        actix_web::error::PathError::Deserialize(e) => e.to_string(),
        other => other.to_string(),
    };
    Problem::bad_request(told!("the path cannot be read: {why}", "le chemin ne peut pas être lu : {why}"))
}

/// Parameters that are not those of the endpoint.
fn bad_query(error: &actix_web::error::QueryPayloadError) -> Problem {
    let why = match error {
        actix_web::error::QueryPayloadError::Deserialize(e) => e.to_string(),
        other => other.to_string(),
    };
    Problem::bad_request(told!(
        "the parameters cannot be read: {why}",
        "les paramètres ne peuvent pas être lus : {why}"
    ))
}

/// Opens a port for IPv6 and IPv4; for IPv4 alone where there is no IPv6.
pub(super) fn listen(port: u16) -> Result<TcpListener, WebError> {
    let both = open(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into());
    let opened = match both {
        Err(e) if e.kind() != io::ErrorKind::AddrInUse && e.kind() != io::ErrorKind::PermissionDenied => {
            open(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into())
        }
        opened => opened,
    };
    opened.map_err(|source| WebError::Listen { port, source })
}

fn open(domain: Domain, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Into SAFEVAR/httpd.log, and on standard error for the journal.
fn trace(settings: &Settings, file: io::Result<LogFile>) {
    let usual = || EnvFilter::new(format!("warn,safekit={}", settings.log_level));
    let filter = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| usual());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    // A subscriber that is there already is that of a test.
    let _set = match file {
        Ok(log) => builder.with_writer(io::stderr.and(move || log.clone())).try_init(),
        Err(error) => {
            let set = builder.with_writer(io::stderr).try_init();
            no_log("httpd.log", &error);
            set
        }
    };
}

/// What cannot be logged is served all the same.
fn no_log(name: &str, error: &io::Error) {
    tracing::warn!(%error, "cannot open SAFEVAR/{name}: \"safekit webserver restart\" makes it");
}
