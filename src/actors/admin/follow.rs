//! What lasts: following a log, waiting for a state (CLI-051 to CLI-055, CLI-083 to CLI-086).

use super::launch::settled;
use super::observe::{BATCH, precise_date};
use super::{Admin, AdminError, off};
use crate::actors::module::Shown;
use crate::control::server::Call;
use crate::control::{FailureKind, Gone, LogLine, Reply, Until};
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::log::{Lang, LogPage};
use crate::store::{Entry, ModuleStore};
use crate::told::told;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// How often a wait says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);
/// How often a wait looks whether its module has another instance.
const LOOK: Duration = Duration::from_millis(500);
/// Messages of a log that are read at a time.
const PART: u32 = 1000;
/// Messages that are read again when a follower was too slow.
const CAUGHT_UP: u32 = 5000;

impl Admin {
    /// Sends a page of a log; to `follow`, then what is new too.
    pub(super) async fn log(
        &self,
        call: &Call,
        module: &ModuleName,
        page: LogPage,
        follow: bool,
    ) -> Result<i32, AdminError> {
        let view = View { all: page.all, lang: page.lang };
        self.slot(module, |_| ())?;
        let uservar = self.0.paths.uservar(module);
        let made = uservar.clone();
        off(move || std::fs::create_dir_all(made)).await?.map_err(|e| AdminError::Io(uservar.clone(), e))?;
        let store = self.0.store.module(module, &uservar);
        let mut live = store.subscribe();
        let mut last = 0;
        let mut open = past(call, &store, &mut last, page).await?;
        let mut shown = self.shown(module).ok().flatten();
        while follow && open.is_ok() {
            let progress = shown.as_mut().and_then(|s| s.borrow_and_update().progress);
            if let Some(measure) = progress {
                self.say(call, Reply::Progress(measure.bar())).await;
            }
            let nobody = shown.is_none();
            let entries = tokio::select! {
                entry = live.recv() => match entry {
                    Ok(entry) => vec![entry],
                    Err(RecvError::Lagged(_)) => tail(&store, CAUGHT_UP, view.all).await?,
                    Err(RecvError::Closed) => break,
                },
                gone = changed(&mut shown) => {
                    if gone {
                        // The module has another instance, or none.
                        shown = None;
                    }
                    continue;
                }
                () = tokio::time::sleep(PROGRESS), if nobody => {
                    shown = self.shown(module).ok().flatten();
                    continue;
                }
                () = call.sink.closed() => break,
            };
            open = send_log(call, &entries, &mut last, view).await;
        }
        Ok(0)
    }

    /// Waits for a state, for as long as the user does.
    pub(super) async fn wait(
        &self,
        call: &Call,
        module: &ModuleName,
        until: Until,
    ) -> Result<i32, AdminError> {
        let begun = tokio::time::Instant::now();
        let mut said = 0;
        loop {
            let mut shown = self.shown(module)?;
            let (role, readiness) = match &mut shown {
                // Seen from here on: what changes after this wakes.
                Some(shown) => {
                    let now = shown.borrow_and_update();
                    (now.role, now.readiness)
                }
                None => (Role::Stop, Readiness::Transient),
            };
            if let Some(code) = reached(until, role, readiness) {
                if code != 0 {
                    let text = told!(
                        "module {module} has not started: safekit explain -m {module}",
                        "le module {module} n'a pas démarré : safekit explain -m {module}"
                    );
                    self.say(call, Reply::error(FailureKind::Refused, text.into(call.caller.lang))).await;
                }
                return Ok(code);
            }
            let passed = begun.elapsed().as_secs();
            if passed / PROGRESS.as_secs() > said {
                said = passed / PROGRESS.as_secs();
                let text = format!("module {module} is {role} {readiness}, waiting for {passed} s");
                self.say(call, Reply::Progress(text)).await;
            }
            let progress = shown.as_ref().and_then(|s| s.borrow().progress);
            if let Some(measure) = progress {
                self.say(call, Reply::Progress(measure.bar())).await;
            }
            tokio::select! {
                _gone = changed(&mut shown) => {}
                () = tokio::time::sleep(LOOK) => {}
                () = call.sink.closed() => return Ok(1),
            }
        }
    }

    /// What shows the state of a configured module; none while its instance is replaced.
    fn shown(&self, module: &ModuleName) -> Result<Option<watch::Receiver<Shown>>, AdminError> {
        self.slot(module, |slot| match &slot.instance {
            _ if slot.applied.is_none() => Err(AdminError::NotConfigured(module.clone())),
            Ok(instance) => Ok(Some(instance.handle.shown.clone())),
            Err(_) if slot.busy.is_some() => Ok(None),
            Err(why) => Err(AdminError::NotLaunched(module.clone(), why.clone())),
        })?
    }
}

/// Waits for a change of what is shown; true if it will not change any more.
async fn changed(shown: &mut Option<watch::Receiver<Shown>>) -> bool {
    match shown {
        Some(shown) => shown.changed().await.is_err(),
        None => std::future::pending().await,
    }
}

/// Exit code of a wait that is over; none while it goes on.
fn reached(until: Until, role: Role, readiness: Readiness) -> Option<i32> {
    match until {
        Until::Start if !settled(readiness) => None,
        Until::Start => Some(i32::from(role == Role::Stop)),
        Until::Stop => (role == Role::Stop && settled(readiness)).then_some(0),
        Until::State(wanted) => {
            let stable = match wanted {
                Role::Stop | Role::Wait => Readiness::NotReady,
                _ => Readiness::Ready,
            };
            ((role, readiness) == (wanted, stable)).then_some(0)
        }
    }
}

/// Sends what is there already. A log may be long and its reader slow: a part at a time is in memory.
async fn past(
    call: &Call,
    store: &ModuleStore,
    last: &mut i64,
    page: LogPage,
) -> Result<Result<(), Gone>, AdminError> {
    let view = View { all: page.all, lang: page.lang };
    let (asked, page) = (store.clone(), Arc::new(page));
    let of = page.clone();
    let Some((mut first, end)) = off(move || asked.span(&of)).await?? else {
        return Ok(Ok(()));
    };
    loop {
        let (asked, of) = (store.clone(), page.clone());
        let entries = off(move || asked.part((first, end), PART, &of)).await??;
        let Some(newest) = entries.last() else { return Ok(Ok(())) };
        first = newest.id + 1;
        let sent = send_log(call, &entries, last, view).await;
        if sent.is_err() {
            return Ok(sent);
        }
    }
}

async fn tail(store: &ModuleStore, count: u32, all: bool) -> Result<Vec<Entry>, AdminError> {
    let store = store.clone();
    Ok(off(move || store.tail(count, all)).await??)
}

/// How messages are shown.
#[derive(Clone, Copy)]
struct View {
    /// Verbose ones too.
    all: bool,
    lang: Lang,
}

/// Sends what is newer than `last` and to be seen.
async fn send_log(call: &Call, entries: &[Entry], last: &mut i64, view: View) -> Result<(), Gone> {
    let new: Vec<&Entry> =
        entries.iter().filter(|e| e.id > *last && (view.all || e.level.is_main())).collect();
    for batch in new.chunks(BATCH) {
        let line = |entry: &&Entry| LogLine {
            id: entry.id,
            date: precise_date(entry.time),
            origin: entry.origin.clone(),
            level: entry.level,
            text: entry.text(view.lang).to_owned(),
        };
        call.sink.send(Reply::Log(batch.iter().map(line).collect())).await?;
    }
    *last = entries.last().map_or(*last, |e| e.id.max(*last));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_in_stable_states_only() {
        use Readiness::{NotReady, Ready, Transient};
        assert_eq!(reached(Until::Start, Role::Wait, Transient), None);
        assert_eq!(reached(Until::Start, Role::Alone, Ready), Some(0));
        assert_eq!(reached(Until::Start, Role::Wait, NotReady), Some(0));
        assert_eq!(reached(Until::Start, Role::Stop, NotReady), Some(1));
        assert_eq!(reached(Until::Stop, Role::Stop, Transient), None);
        assert_eq!(reached(Until::Stop, Role::Stop, NotReady), Some(0));
        assert_eq!(reached(Until::State(Role::Prim), Role::Prim, Transient), None);
        assert_eq!(reached(Until::State(Role::Prim), Role::Prim, Ready), Some(0));
        assert_eq!(reached(Until::State(Role::Wait), Role::Wait, NotReady), Some(0));
        assert_eq!(reached(Until::State(Role::Alone), Role::Prim, Ready), None);
    }
}
