//! The process `safecaserv`.

use super::door::{self, Door};
use super::{NAME, READY, Running, Setup, lock};
use crate::config::paths::Paths;
use crate::node::level;
use crate::web::pki::files::Tree;
use crate::web::pki::{PkiError, Purpose, authority, certificate};
use crate::web::tls::Identity;
use crate::web::{connection, limits};
use actix_web::middleware::from_fn;
use actix_web::rt::System;
use actix_web::{App, HttpServer, web};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::time::Duration;

/// Most connections at a time.
const MOST_CONNECTIONS: usize = 64;
/// Time a client has to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time running requests have when the service ends, seconds.
const GRACE_S: u64 = 2;
/// Period of the reminder that it still runs.
const REMINDER: Duration = Duration::from_secs(3600);
/// Longest setup, bytes.
const LONGEST_SETUP: u64 = 4096;

/// Runs the service until SIGTERM; returns its exit code. Its setup comes on standard input; the word that
/// it listens, or why it does not, goes to standard output.
pub fn run(paths: &Paths) -> i32 {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    match serve(paths) {
        Ok(()) => 0,
        Err(e) => {
            // Whoever started it may have gone; the log has it too.
            let _ = writeln!(std::io::stdout(), "{e}");
            tracing::error!("{NAME} ends: {e}");
            1
        }
    }
}

fn serve(paths: &Paths) -> Result<(), PkiError> {
    let setup = read_setup()?;
    // A session of its own: the end of the terminal is not its end. It may lead one already.
    let _ = nix::unistd::setsid();
    let running =
        Running { pid: nix::unistd::getpid().as_raw(), since: certificate::now(), port: setup.port };
    let _lock = take_lock(paths, &running)?;
    let listener = crate::web::serve::listen(setup.port).map_err(|e| PkiError::Start(e.to_string()))?;
    let tree = Tree::open(paths)?;
    let own = Purpose::server(&level::hostname())?.to_string();
    let identity = Identity::new(tree.certificate(&own), tree.key(&own))
        .with_authority(tree.certificate(authority::NAME));
    let door = web::Data::new(Door::new(tree, &setup.password)?);
    let failed = |e: std::io::Error| PkiError::Start(e.to_string());
    System::new().block_on(async move {
        let app =
            move || App::new().app_data(door.clone()).wrap(from_fn(limits::bound)).configure(door::routes);
        let server = HttpServer::new(app)
            .on_connect(connection::on_connect)
            .workers(1)
            .max_connections(MOST_CONNECTIONS)
            .client_request_timeout(REQUEST_TIMEOUT)
            .shutdown_timeout(GRACE_S)
            .listen_rustls_0_23(listener, identity.server_config()?)
            .map_err(failed)?
            .run();
        tracing::info!("{NAME} listens on TCP port {}", setup.port);
        actix_web::rt::spawn(remind(running));
        say_ready().map_err(failed)?;
        server.await.map_err(failed)?;
        tracing::info!("{NAME} has ended");
        Ok(())
    })
}

fn read_setup() -> Result<Setup, PkiError> {
    let mut text = String::new();
    let read = std::io::stdin().take(LONGEST_SETUP).read_to_string(&mut text);
    read.map_err(|e| PkiError::Start(e.to_string()))?;
    serde_json::from_str(&text).map_err(|_| PkiError::Start("startcaserv starts it, with its setup".into()))
}

/// The lock, for the life of this process, with who has it.
fn take_lock(paths: &Paths, running: &Running) -> Result<nix::fcntl::Flock<File>, PkiError> {
    let failed = |e: std::io::Error| PkiError::Start(e.to_string());
    let mut lock = lock(paths).map_err(failed)?.map_err(|other| PkiError::Running(other.up()))?;
    // Two numbers are always JSON.
    let text = serde_json::to_string(running).unwrap_or_default();
    let written = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(text.as_bytes()));
    written.map_err(failed)?;
    Ok(lock)
}

/// Tells whoever has started it, and lets go of its pipe.
fn say_ready() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{READY}")?;
    out.flush()?;
    let null = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(&null)?)
}

/// A service that should run for minutes only says that it still does.
async fn remind(running: Running) {
    loop {
        actix_web::rt::time::sleep(REMINDER).await;
        let up = crate::web::pki::up(&running.up());
        tracing::warn!("{NAME} has been up for {up}: stop it with stopcaserv when all certificates are made");
    }
}
