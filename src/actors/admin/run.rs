//! The life of `safeadmin`: start, boot of the modules, signals, end.

use super::{Admin, AdminError, Inner, Slot, ask, off, realtime};
use crate::actors::cluster::{Cluster, ClusterEvent, Heard};
use crate::actors::guard::GuardHandle;
use crate::actors::module::Control;
use crate::config::paths::Paths;
use crate::control::server;
use crate::farm::nft;
use crate::fsm::command::{Caller, Command};
use crate::fsm::state::Role;
use crate::ids::ModuleName;
use crate::log::Message;
use crate::log::syslog::Syslog;
use crate::node::boot::{self, BOOT_ID_VARIABLE, Beginning};
use crate::node::record::RecordError;
use crate::node::{configure, modules};
use crate::store::{Retention, Store, StoreError};
use crate::told::told;
use actix::{Actor, ActorFutureExt, Arbiter, AsyncContext, Context, Handler, System, WrapFuture};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, mpsc, watch};

/// Events of the cluster that may wait.
const EVENTS: usize = 64;
/// Time for the last words to get into the logs.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Between two cleanings of the databases.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Why `safeadmin` cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory or the socket.
    #[error("{path}: {error}", path = .0.display(), error = .1)]
    Io(PathBuf, io::Error),
    /// No thread, no signal.
    #[error("the system refuses a {0}: {1}")]
    System(&'static str, io::Error),
    /// The logs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The identity of this boot.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The first work on the node failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

/// Runs `safeadmin` until a signal ends it. SIGTERM is the end of the machine: every module is
/// stopped first. SIGUSR1 ends safeadmin only: what runs goes on and is taken over by the next one.
///
/// # Errors
/// The node cannot be used; no module was touched.
pub fn run(paths: Paths) -> Result<(), StartError> {
    System::new().block_on(live(paths))
}

async fn live(paths: Paths) -> Result<(), StartError> {
    let socket = paths.admin_socket();
    std::fs::create_dir_all(paths.run()).map_err(|e| StartError::Io(paths.run(), e))?;
    let listener = server::bind(&socket).map_err(|e| StartError::Io(socket, e))?;
    let no_signal = |e| StartError::System("signal handler", e);
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut leave = signal(SignalKind::user_defined1()).map_err(no_signal)?;
    let (admin, events) = begin(paths)?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "safeadmin begins");
    admin.reload_cluster().await?;
    // Heard from now on: a module that launches slowly must not look like a missing daemon.
    let serving = actix::spawn(server::serve(listener, Rc::new(admin.clone())));
    actix::spawn(admin.clone().tell_cluster());
    actix::spawn(admin.clone().hear_cluster(events));
    actix::spawn(admin.clone().clean_daily());
    actix::spawn(admin.clone().watch_disk());
    let starting = actix::spawn(admin.clone().start_modules());
    let stop = tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => true,
        _ = leave.recv() => false,
    };
    starting.abort();
    if stop {
        tracing::info!("the machine goes down: stopping all modules");
        admin.stop_for_system().await;
    }
    serving.abort();
    let store = admin.0.store.clone();
    match tokio::time::timeout(LAST_WORDS, off(move || store.close())).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::error!(%error, "the logs are not complete"),
        Ok(Err(_)) | Err(_) => tracing::error!("the logs are not complete: the disk does not answer"),
    }
    tracing::info!("safeadmin ends");
    Ok(())
}

/// The node before anything is read from its disk.
fn begin(paths: Paths) -> Result<(Admin, mpsc::Receiver<ClusterEvent>), StartError> {
    realtime::lock_memory();
    let boot = boot::boot_id(std::env::var(BOOT_ID_VARIABLE).ok())?;
    let store = Store::start(&paths.safevar, Syslog::from_env())?;
    let guard = GuardHandle::start(paths.guard_socket()).map_err(|e| StartError::System("thread", e))?;
    let hearts = Arbiter::new();
    hearts.spawn_fn(realtime::prefer_this_thread);
    let (sender, events) = mpsc::channel(EVENTS);
    let (heard, shared) = (Heard::default(), Heard::clone);
    let subscriber = Watcher(sender).start().recipient();
    let table = shared(&heard);
    let cluster = Cluster::start_in_arbiter(&hearts.handle(), move |_| Cluster::new(None, subscriber, table));
    let inner = Inner {
        paths,
        boot,
        store,
        guard,
        hearts: hearts.handle(),
        cluster,
        heard,
        place: RefCell::new(Err(told!("the cluster is not read yet", "le cluster n'est pas encore lu"))),
        cluster_info: RefCell::new(None),
        slots: RefCell::new(BTreeMap::new()),
        seen: RefCell::default(),
        scripts: RefCell::default(),
        turn: Mutex::new(()),
        news: Notify::new(),
        stirred: watch::Sender::new(()),
        watchers: watch::Sender::new(0),
        disk: super::disk::Disk::default(),
        freed: watch::Sender::new(()),
        launched: watch::Sender::new(false),
        stopping: Cell::new(false),
        remote: Cell::new(0),
    };
    Ok((Admin(Rc::new(inner)), events))
}

impl Admin {
    /// Once a day old rows leave the databases of node and modules (ADM-26).
    async fn clean_daily(self) {
        loop {
            tokio::time::sleep(DAY).await;
            let modules: Vec<_> = (self.0.slots.borrow().values())
                .filter_map(|slot| slot.instance.as_ref().ok().map(|i| i.handle.store.clone()))
                .collect();
            let store = self.0.store.clone();
            let cleaned = off(move || {
                let (now, keep) = (jiff::Timestamp::now(), Retention::default());
                modules.iter().try_for_each(|m| m.clean(now, keep)).and(store.clean(now, keep))
            });
            if let Ok(Err(error)) = cleaned.await {
                tracing::warn!(%error, "the databases are not cleaned: the next try is tomorrow");
            }
        }
    }

    async fn hear_cluster(self, mut events: mpsc::Receiver<ClusterEvent>) {
        while let Some(event) = events.recv().await {
            self.cluster_event(event).await;
        }
    }

    /// Launches every module: what ran under a former safeadmin is taken over. After a boot of the
    /// machine those that want it are started.
    async fn start_modules(self) {
        if let Err(error) = self.launch_all().await {
            tracing::error!(%error, "not all modules are launched");
        }
        self.clean_filters().await;
        self.0.launched.send_replace(true);
        let (paths, id) = (self.0.paths.clone(), self.0.boot.clone());
        match off(move || boot::beginning(&paths, &id)).await {
            Ok(Ok(Beginning::Restart)) => {
                tracing::info!("safeadmin is back in the same life of the machine: no module is started");
            }
            Ok(Ok(Beginning::Boot)) => self.boot_modules().await,
            Ok(Err(error)) => tracing::error!(%error, "no module is started at boot"),
            Err(error) => tracing::error!(%error, "no module is started at boot"),
        }
    }

    /// Removes the packet filters of farms that do not run, which a killed safeadmin may have left. Those of
    /// a module that cannot be launched stay, as does its application.
    async fn clean_filters(&self) {
        let runs = |s: &Slot| s.instance.is_err() || s.role() != Role::Stop;
        let running: Vec<ModuleName> =
            self.names().into_iter().filter(|module| self.slot(module, runs).unwrap_or(true)).collect();
        match off(move || nft::clean(&running)).await {
            Ok(Ok(cleaned)) => cleaned.iter().for_each(|module| {
                tracing::info!(%module, "the packet filter that the module left is removed");
            }),
            Ok(Err(error)) => tracing::error!(%error, "packet filters of modules that do not run are left"),
            Err(error) => tracing::error!(%error, "packet filters of modules that do not run are left"),
        }
    }

    async fn launch_all(&self) -> Result<(), AdminError> {
        let _turn = self.turn().await?;
        let paths = self.0.paths.clone();
        for (module, _) in off(move || modules::list(&paths)).await?? {
            let (paths, name) = (self.0.paths.clone(), module.clone());
            let recovered = off(move || configure::recover(&paths, &name)).await?;
            if let Err(error) = recovered {
                tracing::error!(%module, %error, "an interrupted configuration is not undone");
            }
            if let Err(error) = self.restore_directories(&module).await {
                tracing::error!(%module, %error, "the replicated directories are not in order");
            }
            if let Err(error) = self.launch(&module).await {
                tracing::error!(%module, %error, "the module is not launched");
            }
        }
        Ok(())
    }

    /// After a crash the links of replicated directories may be missing (RFS-11).
    async fn restore_directories(&self, module: &ModuleName) -> Result<(), AdminError> {
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let restored = off(move || configure::restore_directories(&paths, &name)).await??;
        let store = self.0.store.module(module, &self.0.paths.uservar(module));
        for dir in restored {
            store.append(jiff::Timestamp::now(), &Message::LinkRestored(dir.display().to_string()));
        }
        Ok(())
    }

    /// Starts by the settings of T-7.15; then this life of the machine has begun.
    async fn boot_modules(&self) {
        let starts = self.names().into_iter().map(|module| self.boot_module(module));
        futures_util::future::join_all(starts).await;
        let (paths, id) = (self.0.paths.clone(), self.0.boot.clone());
        if let Ok(Err(error)) = off(move || boot::set_begun(&paths, &id)).await {
            tracing::error!(%error, "a restart of safeadmin will start the modules again");
        }
    }

    async fn boot_module(&self, module: ModuleName) {
        let service =
            self.slot(&module, |s| s.config.as_ref().map(|c| (c.service.boot, c.service.boot_delay)));
        let Ok(Some((configured, delay))) = service else { return };
        let (paths, name) = (self.0.paths.clone(), module.clone());
        let wanted = off(move || -> Result<bool, RecordError> {
            Ok(boot::starts(configured, boot::setting(&paths, &name)?, boot::was_started(&paths, &name)?))
        });
        match wanted.await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return,
            Ok(Err(error)) => return tracing::error!(%module, %error, "not started at boot"),
            Err(error) => return tracing::error!(%module, %error, "not started at boot"),
        }
        tokio::time::sleep(delay).await;
        if let Err(error) = self.boot_start(&module).await {
            tracing::error!(%module, %error, "not started at boot");
        }
    }

    async fn boot_start(&self, module: &ModuleName) -> Result<(), AdminError> {
        let instance = self.refresh(module).await?;
        // Somebody was faster than the delay.
        if instance.handle.shown.borrow().role != Role::Stop {
            return Ok(());
        }
        Ok(ask(&instance.handle, Control { command: Command::Start, caller: Caller::Boot }).await??)
    }
}

/// Hands the events of the cluster's thread to the main one; it waits while those before are worked on.
struct Watcher(mpsc::Sender<ClusterEvent>);

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<ClusterEvent> for Watcher {
    type Result = ();

    fn handle(&mut self, event: ClusterEvent, ctx: &mut Self::Context) {
        let queue = self.0.clone();
        let handed = async move { queue.send(event).await };
        // At the end of safeadmin nobody wants them any more.
        ctx.wait(handed.into_actor(self).map(|_gone, _, _| ()));
    }
}
