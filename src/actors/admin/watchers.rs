//! What a console watches: the node, or one module with its resources. Each watcher has one task, which waits
//! for changes and tells those that came together at once.

use super::disk::OnDisk;
use super::{Admin, AdminError, Slot};
use crate::actors::module::{ModuleAddr, Shown};
use crate::control::server::Call;
use crate::control::{ClusterOverview, ModuleOverview, Overview, ProgressReport, Reply, Stamp};
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::node::level;
use crate::rfs::control::Measure;
use crate::told::Told;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Watchers at a time: the web service needs one for the node and one for each module that is looked at, of
/// which a node has 255 at most; the others are for those who look once.
pub(super) const WATCHERS: usize = 320;
/// Changes that come in this time are told together.
const GATHER: Duration = Duration::from_millis(100);
/// Pause after a module did not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// A watcher, for as long as it lives.
struct Watching(watch::Sender<usize>);

impl Watching {
    fn begin(watchers: &watch::Sender<usize>) -> Result<Watching, AdminError> {
        let room = watchers.send_if_modified(|count| {
            let room = *count < WATCHERS;
            *count += usize::from(room);
            room
        });
        if room { Ok(Watching(watchers.clone())) } else { Err(AdminError::Watchers) }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// What a report of a module is made from: while it is the same, there is nothing to tell.
#[derive(PartialEq)]
struct Ground {
    instance: Result<(ModuleAddr, Shown), Told>,
    configured: bool,
}

impl Admin {
    /// Something that consoles show has changed.
    pub(super) fn stir(&self) {
        self.0.stirred.send_replace(());
    }

    /// Tells the overview of this node whenever it changes, until the caller hangs up.
    pub(super) async fn watch_node(&self, call: &Call) -> Result<i32, AdminError> {
        let _watching = Watching::begin(&self.0.watchers)?;
        let (mut stirred, mut disk) = (self.0.stirred.subscribe(), self.0.disk.subscribe());
        self.look_at_disk().await;
        let mut last: Option<Overview> = None;
        loop {
            stirred.borrow_and_update();
            let on_disk = disk.borrow_and_update().clone();
            let now = self.overview(&on_disk, call.caller.lang);
            if last.as_ref().is_none_or(|last| !last.shows_same(&now)) {
                if call.sink.send(Reply::Overview(now.clone())).await.is_err() {
                    return Ok(0);
                }
                last = Some(now);
            }
            tokio::time::sleep(GATHER).await;
            tokio::select! {
                changed = stirred.changed() => if changed.is_err() { return Ok(0) },
                changed = disk.changed() => if changed.is_err() { return Ok(0) },
                () = call.sink.closed() => return Ok(0),
            }
        }
    }

    /// Tells the state and the resources of a module whenever they change, until the caller hangs up.
    pub(super) async fn watch_module(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let _watching = Watching::begin(&self.0.watchers)?;
        let mut stirred = self.0.stirred.subscribe();
        let mut last: Option<Ground> = None;
        loop {
            stirred.borrow_and_update();
            let (ground, mut shown) = self.slot(module, ground)?;
            let mut again = false;
            // Between two instances it goes on as it was told last.
            let launching = self.slot(module, |slot| slot.between.is_some())?;
            if !launching && last.as_ref() != Some(&ground) {
                match self.watched(module, &ground, call.caller.lang).await? {
                    Some(reports) => {
                        if call.sink.send(Reply::State(reports)).await.is_err() {
                            return Ok(0);
                        }
                        last = Some(ground);
                    }
                    None => again = true,
                }
            }
            tokio::time::sleep(GATHER).await;
            tokio::select! {
                changed = stirred.changed() => if changed.is_err() { return Ok(0) },
                () = changed(&mut shown) => {}
                () = tokio::time::sleep(AGAIN), if again => {}
                () = call.sink.closed() => return Ok(0),
            }
        }
    }

    /// The reports of a module; none if it does not answer now, as while it is launched again.
    async fn watched(
        &self,
        module: &ModuleName,
        ground: &Ground,
        lang: Lang,
    ) -> Result<Option<Vec<crate::control::StateReport>>, AdminError> {
        if !ground.configured {
            return Ok(Some(Vec::new()));
        }
        match self.resources(module, true, lang).await {
            Ok(report) => Ok(Some(vec![report])),
            Err(AdminError::NoAnswer(_)) => Ok(None),
            Err(AdminError::NotConfigured(_)) => Ok(Some(Vec::new())),
            Err(error) => Err(error),
        }
    }

    /// The node as it is now.
    fn overview(&self, on_disk: &BTreeMap<ModuleName, OnDisk>, lang: Lang) -> Overview {
        let place = self.0.place.borrow();
        let cluster = self.0.cluster_info.borrow();
        let modules = self.0.slots.borrow();
        let modules = modules.iter().map(|(name, slot)| module(name, slot, on_disk.get(name), lang));
        Overview {
            node: place.as_ref().ok().map(|place| place.me.clone()),
            host: level::hostname(),
            safekit: env!("CARGO_PKG_VERSION").to_owned(),
            time: Timestamp::now().as_millisecond(),
            cluster: cluster.as_ref().map(|info| ClusterOverview {
                signature: info.signature.clone(),
                date: info.date.clone(),
                lock: info.locked,
                trouble: place.as_ref().err().map(|why| why.of(lang).to_owned()),
            }),
            modules: modules.collect(),
        }
    }
}

/// What a report of a module would be made from, and what wakes when that changes.
fn ground(slot: &Slot) -> (Ground, Option<watch::Receiver<Shown>>) {
    let configured = slot.applied.is_some();
    match &slot.instance {
        Ok(instance) => {
            let mut shown = instance.handle.shown.clone();
            let now = Shown { evaluations: 0, ..shown.borrow_and_update().clone() };
            (Ground { instance: Ok((instance.handle.addr.clone(), now)), configured }, Some(shown))
        }
        Err(why) => (Ground { instance: Err(why.clone()), configured }, None),
    }
}

/// Waits for a change of what is shown. Of an instance that has ended none comes: the node tells the next one.
async fn changed(shown: &mut Option<watch::Receiver<Shown>>) {
    let ended = match shown {
        Some(shown) => shown.changed().await.is_err(),
        None => true,
    };
    if ended {
        std::future::pending().await
    }
}

/// A module as it is now.
fn module(name: &ModuleName, slot: &Slot, on_disk: Option<&OnDisk>, lang: Lang) -> ModuleOverview {
    let unread = Stamp { signature: String::new(), date: 0 };
    let configured = slot.applied.is_some();
    let mut row = ModuleOverview {
        module: name.clone(),
        id: slot.id,
        mode: Some(super::view::mode(slot))
            .filter(|mode| !mode.is_empty())
            .or_else(|| on_disk.and_then(|on_disk| on_disk.mode.clone())),
        configured,
        role: Role::Stop,
        readiness: Readiness::NotReady,
        remote: None,
        since: slot.applied.as_ref().map(|a| super::observe::date(seconds(a.date))).unwrap_or_default(),
        reason: slot.instance.as_ref().err().filter(|_| configured).map(|why| why.of(lang).to_owned()),
        uptodate: None,
        degraded: false,
        shares: Vec::new(),
        progress: None,
        encrypted: slot.encrypted,
        saved_key: on_disk.map(|on_disk| on_disk.key).unwrap_or_default(),
        boot: boot(slot, on_disk.is_some_and(|on_disk| on_disk.boot)),
        active: slot.applied.clone().map(super::configure::stamp),
        current: on_disk.map_or(unread, |on_disk| on_disk.current.clone()),
        commands: Vec::new(),
        starts: 0,
    };
    let shown = match &slot.instance {
        Ok(instance) => Some(instance.handle.shown.borrow().clone()),
        // Between two instances the module goes on as it was.
        Err(_) => slot.between.clone(),
    };
    if let Some(shown) = shown {
        show(&mut row, shown, lang);
    }
    row
}

fn show(row: &mut ModuleOverview, shown: Shown, lang: Lang) {
    (row.role, row.readiness, row.remote) = (shown.role, shown.readiness, shown.remote);
    row.since = super::observe::date(shown.since);
    row.reason = Some(shown.reason.into(lang)).filter(|reason| !reason.is_empty());
    (row.uptodate, row.degraded, row.shares) = (shown.uptodate, shown.degraded, shown.shares);
    row.progress = shown.progress.as_ref().map(progress);
    row.commands = shown.commands.into_iter().map(|command| command.known().name.to_owned()).collect();
    row.starts = shown.starts;
}

fn progress(measure: &Measure) -> ProgressReport {
    ProgressReport {
        text: measure.bar(),
        files: measure.done,
        files_known: measure.known,
        copied: measure.copied,
        compared: measure.compared,
        rate: measure.rate,
        left: measure.left,
    }
}

/// What starts it at boot: userconfig.xml, or the setting of `safekit boot` where that rules.
fn boot(slot: &Slot, setting: bool) -> String {
    use crate::config::module::Boot;
    let rules = slot.config.as_ref().map(|config| config.service.boot).filter(|boot| *boot != Boot::Ignore);
    rules.unwrap_or(if setting { Boot::On } else { Boot::Off }).to_string()
}

fn seconds(since_1970: u64) -> Timestamp {
    i64::try_from(since_1970).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::SavedKey;
    use crate::told::Told;

    #[test]
    fn watchers_have_a_bound_and_make_room_when_they_end() {
        let count = watch::Sender::new(0);
        let mut all: Vec<_> = (0..WATCHERS).map(|_| Watching::begin(&count).unwrap()).collect();
        assert!(matches!(Watching::begin(&count), Err(AdminError::Watchers)));
        all.pop();
        let last = Watching::begin(&count).unwrap();
        drop((all, last));
        assert_eq!(*count.borrow(), 0);
    }

    #[test]
    fn a_module_is_shown_as_it_is_configured_and_as_it_runs() {
        let name: ModuleName = "web".parse().unwrap();
        let mut slot = Slot {
            id: 3,
            config: None,
            applied: None,
            instance: Err(Told::same("it is not configured")),
            between: None,
            encrypted: false,
            busy: None,
        };
        let current = Stamp { signature: "aa".to_owned(), date: 7 };
        let (mode, key) = (Some("light".to_owned()), SavedKey::New);
        let on_disk = OnDisk { current: current.clone(), mode, boot: true, key };
        let row = module(&name, &slot, Some(&on_disk), Lang::En);
        assert_eq!((row.mode.as_deref(), row.boot.as_str(), &row.current), (Some("light"), "on", &current));
        assert_eq!((row.configured, row.reason, row.since.as_str()), (false, None, ""));
        assert_eq!((row.encrypted, row.saved_key), (false, SavedKey::New));
        assert_eq!(module(&name, &slot, None, Lang::En).current.signature, "");

        // Why it cannot run is told; between two instances it goes on as it was.
        slot.applied = Some(crate::node::configure::ConfInfo { signature: "aa".to_owned(), date: 7 });
        slot.instance = Err(crate::told::told!("no cluster", "pas de cluster"));
        for (lang, reason) in [(Lang::En, "no cluster"), (Lang::Fr, "pas de cluster")] {
            assert_eq!(module(&name, &slot, None, lang).reason.as_deref(), Some(reason));
        }
        slot.between = Some(Shown {
            role: Role::Up,
            readiness: Readiness::Ready,
            remote: None,
            since: Timestamp::UNIX_EPOCH,
            reason: Told::same("the application runs"),
            progress: None,
            uptodate: None,
            degraded: false,
            shares: Vec::new(),
            commands: vec![crate::fsm::command::Command::Checker(false)],
            starts: 9,
            changes: 0,
            evaluations: 0,
        });
        let row = module(&name, &slot, None, Lang::En);
        assert_eq!((row.role, row.starts, row.commands), (Role::Up, 9, vec!["checker off".to_owned()]));
        assert_eq!(row.reason.as_deref(), Some("the application runs"));
    }
}
