//! A safeadmin that speaks the local protocol and does nothing: it shows what it is told, and remembers
//! what it was asked.

use safekit::control::frame::{self, Hello, Kind};
use safekit::control::{
    Behalf, FailureKind, LogLine, ModuleOverview, Overview, Reply, Request, SavedKey, Stamp, StateReport,
};
use safekit::fsm::state::{Readiness, Role};
use safekit::ids::ModuleName;
use safekit::log::Level;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What all connections share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    overview: Option<Overview>,
    /// Counts changes of the overview.
    version: u64,
    asked: Vec<(Option<Behalf>, Request)>,
    /// Size of the archive of every module.
    archive: usize,
    /// Bytes that every message of a log has besides its own.
    padding: usize,
    /// The command that fails.
    refused: Option<&'static str>,
    /// Answers of this life are over.
    dead: bool,
}

/// The double; it ends when dropped.
pub struct Double {
    socket: PathBuf,
    shared: Arc<Shared>,
}

impl Double {
    /// One that serves a socket.
    pub fn start(socket: &Path, overview: Overview) -> Double {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let shared = Arc::new(Shared::default());
        shared.state.lock().unwrap().overview = Some(overview);
        let of_thread = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = of_thread.clone();
                if shared.state.lock().unwrap().dead {
                    return;
                }
                std::thread::spawn(move || serve(stream.unwrap(), &shared));
            }
        });
        Double { socket: socket.to_owned(), shared }
    }

    /// Shows something else from now on.
    pub fn show(&self, overview: Overview) {
        let mut state = self.shared.state.lock().unwrap();
        state.overview = Some(overview);
        state.version += 1;
        self.shared.changed.notify_all();
    }

    /// Has archives of this size from now on, bytes.
    pub fn archive(&self, size: usize) {
        self.shared.state.lock().unwrap().archive = size;
    }

    /// Has messages in its logs that are longer by so much from now on, bytes.
    pub fn padding(&self, size: usize) {
        self.shared.state.lock().unwrap().padding = size;
    }

    /// Refuses this command, and no other, from now on.
    pub fn refuse(&self, command: &'static str) {
        self.shared.state.lock().unwrap().refused = Some(command);
    }

    /// For whom what was asked.
    pub fn asked(&self) -> Vec<(Option<Behalf>, Request)> {
        self.shared.state.lock().unwrap().asked.clone()
    }

    /// How often it was asked to watch.
    pub fn watches(&self) -> usize {
        self.asked().iter().filter(|(_, r)| matches!(r, Request::Watch { .. })).count()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().dead = true;
        self.shared.changed.notify_all();
        // Ends the wait for connections.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn serve(mut stream: UnixStream, shared: &Shared) {
    // Who connects only to look asks nothing.
    let Ok(hello) = frame::read(&mut stream) else { return };
    let behalf = hello.json::<Hello>().unwrap().behalf;
    let request: Request = frame::read(&mut stream).unwrap().json().unwrap();
    while request.has_attachment() && frame::read(&mut stream).unwrap().kind != Kind::LastChunk {}
    shared.state.lock().unwrap().asked.push((behalf, request.clone()));
    let _ = frame::write(&mut stream, &frame::encode_json(&Hello::ours()).unwrap());
    let mut say = |reply: &Reply| {
        let bytes = frame::encode_json(reply).unwrap();
        frame::write(&mut stream, &bytes).is_ok()
    };
    if shared.state.lock().unwrap().refused == Some(request.name().as_str()) {
        say(&Reply::error(FailureKind::Refused, "refused by the double"));
        say(&Reply::End { code: 1 });
        return;
    }
    match request {
        Request::Watch { module: None } => {
            let mut state = shared.state.lock().unwrap();
            let mut seen = None;
            while !state.dead {
                if seen != Some(state.version) {
                    seen = Some(state.version);
                    let now = state.overview.clone().unwrap();
                    if !say(&Reply::Overview(now)) {
                        return;
                    }
                }
                state = shared.changed.wait_timeout(state, Duration::from_millis(500)).unwrap().0;
            }
        }
        Request::Watch { module: Some(module) } => watch_module(&module, shared, say),
        Request::Log { count, .. } => {
            let last = LOG_LINES - i64::from(count.unwrap_or(u32::MAX)).min(LOG_LINES);
            let padding = "x".repeat(shared.state.lock().unwrap().padding);
            let ids: Vec<i64> = (last + 1..=LOG_LINES).collect();
            let batch = |ids: &[i64]| Reply::Log(ids.iter().map(|id| log_line(*id, &padding)).collect());
            if ids.chunks(200).all(|ids| say(&batch(ids))) {
                say(&Reply::End { code: 0 });
            }
        }
        Request::ModulePackage { .. } => {
            let archive = vec![7; shared.state.lock().unwrap().archive];
            for bytes in frame::encode_attachment(&archive) {
                if frame::write(&mut stream, &bytes.unwrap()).is_err() {
                    return;
                }
            }
            let _ = frame::write(&mut stream, &frame::encode_json(&Reply::End { code: 0 }).unwrap());
        }
        _ => {
            say(&Reply::End { code: 0 });
        }
    }
}

/// Tells how a module is, until it is not installed any more.
fn watch_module(module: &ModuleName, shared: &Shared, mut say: impl FnMut(&Reply) -> bool) {
    let mut state = shared.state.lock().unwrap();
    let mut seen = None;
    while !state.dead {
        if seen != Some(state.version) {
            seen = Some(state.version);
            let now = state.overview.as_ref().unwrap().modules.iter().find(|m| m.module == *module);
            let Some(now) = now else {
                let why = format!("module {module} is not installed");
                say(&Reply::error(FailureKind::NotFound, why));
                say(&Reply::End { code: 1 });
                return;
            };
            if !say(&Reply::State(now.configured.then(|| report(now)).into_iter().collect())) {
                return;
            }
        }
        state = shared.changed.wait_timeout(state, Duration::from_millis(500)).unwrap().0;
    }
}

/// Messages in the log of every module.
pub const LOG_LINES: i64 = 12_345;

fn log_line(id: i64, padding: &str) -> LogLine {
    let (date, origin) = ("2024-02-13 09:03:12.000001".to_owned(), "heart".to_owned());
    LogLine { id, date, origin, level: Level::E, text: format!("message {id}{padding}") }
}

fn report(module: &ModuleOverview) -> StateReport {
    StateReport {
        module: module.module.clone(),
        mode: module.mode.clone().unwrap_or_default(),
        role: module.role,
        readiness: module.readiness,
        remote: None,
        since: String::new(),
        reason: None,
        resources: Vec::new(),
        script: None,
    }
}

/// A node with one mirror module in a state.
pub fn overview(role: Role, readiness: Readiness, starts: u64) -> Overview {
    let stamp = Stamp { signature: "ab".to_owned(), date: 0 };
    Overview {
        node: Some("node1".parse().unwrap()),
        host: "host1".to_owned(),
        safekit: "1.0".to_owned(),
        time: i64::try_from(starts).unwrap() * 1000,
        cluster: None,
        modules: vec![ModuleOverview {
            module: "mirror".parse().unwrap(),
            id: 1,
            mode: Some("mirror".to_owned()),
            configured: true,
            role,
            readiness,
            remote: None,
            since: String::new(),
            reason: None,
            uptodate: Some(true),
            degraded: false,
            shares: Vec::new(),
            progress: None,
            encrypted: true,
            saved_key: SavedKey::Active,
            boot: "off".to_owned(),
            active: Some(stamp.clone()),
            current: stamp,
            commands: Vec::new(),
            starts,
        }],
    }
}
