//! The process `rfsbox`: all replicated directories of one module on this node, under the orders of
//! safeadmin.
//!
//! A box is closed, *writable* (ALONE or PRIM) or *following* (SECOND). What it holds and what it
//! does for the peer lives in [`directory`]; orders are in `orders`, what the peer asks in `server`,
//! the secondary's part in `join`.

mod behind;
mod channel;
mod directory;
mod join;
mod marks;
mod orders;
mod primary;
mod rate;
mod report;
mod resume;
mod server;
#[cfg(test)]
mod tests;
mod vault;
mod verify;
mod voice;

use super::control::{Fault, Line, Said, Setup, Standing, setup_path, socket_path};
use super::link::{self, Listener};
use crate::fsm::mirror::Stream;
use crate::lock::lock;
use crate::node::{keys, record};
use directory::Directory;
use nix::fcntl::{Flock, FlockArg};
pub use resume::GUARD_AWAY;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use vault::Vault;
use voice::Voice;

/// How long an earlier box of the module may take to end.
const PREDECESSOR: Duration = Duration::from_secs(5);

/// Why a box cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BoxError {
    /// Its setup or its key cannot be read.
    #[error("{0}")]
    Setup(String),
    /// Another one runs.
    #[error("another rfsbox runs for this module already")]
    Runs,
    /// The system refuses.
    #[error("cannot {0}: {1}")]
    Io(&'static str, io::Error),
}

/// What the box is doing for its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    /// Modifications are refused.
    Closed,
    /// Modifications are taken: ALONE or PRIM.
    Writable {
        /// The generation that the directories are in.
        generation: u64,
        /// The next secondary is copied in full.
        full: bool,
    },
    /// It follows the primary, which is in this generation.
    Following(u64),
}

fn standing(inner: &Inner) -> Standing {
    let writable = matches!(inner.post, Post::Writable { .. });
    Standing { mounted: inner.mounted, writable, stream: inner.stream, note: inner.note.clone() }
}

/// What changes together.
struct Inner {
    post: Post,
    mounted: bool,
    stream: Stream,
    /// Primary: connections of the session that reintegrates.
    helpers: u32,
    /// Primary: directories whose stream of the session is attached.
    attached: Vec<bool>,
    /// How it went on with the mounts of another box, until a safeadmin has heard it.
    note: Option<String>,
    /// Primary: when the session began that reintegrates, and what had been lent before.
    began: Option<(Instant, u64)>,
}

/// The process.
pub struct Service {
    setup: Setup,
    link: link::Options,
    dirs: Vec<Arc<Directory>>,
    inner: Mutex<Inner>,
    voice: Arc<Voice>,
    join: Mutex<Option<join::Joining>>,
    vault: Arc<Vault>,
    examinations: Mutex<Vec<verify::Examination>>,
    /// Bytes lent to secondaries for their reintegration.
    lent: Arc<AtomicU64>,
}

/// Runs the box whose setup lies in this file; returns when it is ordered to end.
///
/// # Errors
/// It cannot start.
pub fn run(file: &Path) -> Result<(), BoxError> {
    let setup: Setup = record::load(file)
        .map_err(|e| BoxError::Setup(e.to_string()))?
        .ok_or_else(|| BoxError::Setup(format!("{}: no setup is there", file.display())))?;
    let uservar = file.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    debug_assert_eq!(setup_path(uservar), file);
    let _lock = only_one(&uservar.join("rfs/box.lock"))?;
    let service = Service::new(setup)?;
    let threaded = |name: &str, work: Box<dyn FnOnce() + Send>| {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
        thread.map(drop).map_err(|e| BoxError::Io("start a thread", e))
    };
    if !service.setup.degraded {
        let address = (service.setup.local, service.setup.port).into();
        let listener =
            Listener::bind(address, service.link.clone()).map_err(|e| BoxError::Setup(e.to_string()))?;
        let peers = service.clone();
        threaded("accept", Box::new(move || server::accept(&peers, &listener)))?;
    }
    service.go_on();
    let (counted, looks) = (service.clone(), service.clone());
    threaded("report", Box::new(move || report::run(&counted)))?;
    threaded("guard", Box::new(move || looks.look_after_guard()))?;
    let socket = socket_path(uservar);
    let _ = std::fs::remove_file(&socket);
    let door = UnixListener::bind(&socket).map_err(|e| BoxError::Io("make its socket", e))?;
    service.obey(&door).map_err(|e| BoxError::Io("serve safeadmin", e))
}

/// The lock of the box of a module. One that was told to end may still be on its way.
fn only_one(path: &Path) -> Result<Flock<File>, BoxError> {
    let end = Instant::now() + PREDECESSOR;
    let mut file = File::create(path).map_err(|e| BoxError::Io("make its lock", e))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err(_) if Instant::now() >= end => return Err(BoxError::Runs),
            Err((unlocked, _)) => file = unlocked,
        }
        thread::sleep(Duration::from_millis(20));
    }
}

impl Service {
    fn new(setup: Setup) -> Result<Arc<Service>, BoxError> {
        let key = match &setup.key {
            Some(path) if !setup.degraded => {
                keys::load(path).map_err(|e| BoxError::Setup(e.to_string()))?.map(|k| *k.as_bytes())
            }
            _ => None,
        };
        let vault = Vault::new(setup.guard.clone(), setup.module.clone());
        let link = link::Options { key, send_timeout: setup.sendtimeout };
        let mut error = None;
        let service = Arc::new_cyclic(|me: &std::sync::Weak<Service>| {
            let mut dirs = Vec::new();
            for index in 0..setup.dirs.len() {
                let to = me.clone();
                let events = Box::new(move |event| {
                    if let Some(service) = to.upgrade() {
                        service.stream_event(index, event);
                    }
                });
                match Directory::open(&setup, index, &vault, events) {
                    Ok(dir) => dirs.push(Arc::new(dir)),
                    Err(why) => error = Some(why),
                }
            }
            let attached = vec![false; dirs.len()];
            let inner = Inner {
                post: Post::Closed,
                mounted: false,
                stream: Stream::None,
                helpers: 0,
                attached,
                note: None,
                began: None,
            };
            Service {
                setup,
                link,
                dirs,
                inner: Mutex::new(inner),
                voice: Arc::default(),
                join: Mutex::new(None),
                vault,
                examinations: Mutex::default(),
                lent: Arc::default(),
            }
        });
        match error {
            Some(why) => Err(BoxError::Setup(why)),
            None => Ok(service),
        }
    }

    /// Serves one safeadmin after the other, until one orders the end.
    fn obey(self: &Arc<Self>, door: &UnixListener) -> io::Result<()> {
        loop {
            let (stream, _) = door.accept()?;
            self.voice.turn_to(&stream)?;
            {
                // Under the lock: a change must not be told before what it changes.
                let mut inner = lock(&self.inner);
                self.voice.say(&Said::Standing(standing(&inner)));
                inner.note = None;
            }
            match self.serve(stream) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "safeadmin cannot be understood"),
            }
            self.voice.hang_up();
        }
    }

    /// True: the end was ordered and is reached.
    fn serve(self: &Arc<Self>, stream: UnixStream) -> io::Result<bool> {
        let mut reader = BufReader::new(stream);
        while let Some(request) = voice::hear(&mut reader)? {
            if orders::carry_out(self, request) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// SAFEUSERVAR of the module.
    fn uservar(&self) -> &Path {
        self.setup.state.parent().unwrap_or(Path::new("/"))
    }

    fn done(&self, id: u64, result: Result<(), Fault>) {
        self.voice.say(&Said::Done { id, result });
    }

    /// The level of the stream changes, and safeadmin is told.
    fn set_stream(&self, inner: &mut Inner, stream: Stream, why: String) {
        if inner.stream != stream {
            inner.stream = stream;
            self.voice.say(&Said::Stream(stream, why));
        }
    }

    fn error(&self, text: String) {
        self.voice.log(Line::Error(text));
    }
}
