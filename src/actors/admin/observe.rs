//! What users look at: level, state, explain, the command log (CLI-038, CLI-080 to CLI-082).

use super::{Admin, AdminError, ask, off};
use crate::actors::module::{Explain, GetResources};
use crate::control::server::Call;
use crate::control::{CommandRow, ExplainReport, LevelReport, Reply, ResourceRow, StateReport};
use crate::fsm::resource::ResourceName;
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::log::Lang;
use crate::node::configure;
use crate::node::level::Level;
use crate::store::CommandEntry;
use crate::told::{Told, told};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Lines of the command log that are shown.
const COMMANDS: u32 = 1000;
/// Lines of the command log that come in this time are told together.
const GATHER: Duration = Duration::from_millis(100);
/// Lines in one piece of an answer.
pub(super) const BATCH: usize = 200;

/// What the scripts that run will say, by module: none yet, or their output if they have one.
pub(super) type Scripts = BTreeMap<ModuleName, watch::Receiver<Option<Option<String>>>>;

/// `2024-02-13 09:03:12`, local time.
pub(super) fn date(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2021-07-27 14:37:33.205122`, local time; `micros` since 1970.
pub(super) fn precise_date(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

impl Admin {
    pub(super) async fn level(&self, call: &Call, module: Option<&ModuleName>) -> Result<i32, AdminError> {
        if let Some(module) = module {
            self.slot(module, |_| ())?;
        }
        let (paths, wanted) = (self.0.paths.clone(), module.cloned());
        let (level, output) = off(move || {
            let output = wanted.map(|m| configure::ask(&paths, &m, "level")).transpose();
            (Level::of_this_node(), output)
        })
        .await?;
        let report = LevelReport {
            host: level.host,
            os: level.os,
            safekit: level.safekit,
            license: told!("none required", "aucune n'est nécessaire").into(call.caller.lang),
            module: output?.flatten(),
        };
        self.say(call, Reply::Level(report)).await;
        Ok(0)
    }

    pub(super) async fn state(
        &self,
        call: &Call,
        module: Option<&ModuleName>,
        verbose: bool,
    ) -> Result<i32, AdminError> {
        let mut reports = Vec::new();
        match module {
            Some(module) => reports.push(self.report(module, verbose, call.caller.lang).await?),
            None => {
                for module in self.names() {
                    if self.slot(&module, |s| s.applied.is_some()).unwrap_or(false) {
                        reports.push(self.report(&module, verbose, call.caller.lang).await?);
                    }
                }
            }
        }
        self.say(call, Reply::State(reports)).await;
        Ok(0)
    }

    async fn report(
        &self,
        module: &ModuleName,
        verbose: bool,
        lang: Lang,
    ) -> Result<StateReport, AdminError> {
        let mut report = self.resources(module, verbose, lang).await?;
        if verbose {
            report.script = self.state_script(module).await;
        }
        Ok(report)
    }

    /// What the `state` script of a module says. It runs once at a time: one that runs answers everybody who
    /// asks meanwhile, however many they are.
    async fn state_script(&self, module: &ModuleName) -> Option<String> {
        let running = self.0.scripts.borrow().get(module).cloned();
        let mut said = running.unwrap_or_else(|| self.run_state_script(module));
        // Without an answer the daemon ends.
        said.wait_for(Option::is_some).await.ok().and_then(|said| said.clone().flatten())
    }

    /// Runs it to its end, also when nobody waits for it any more.
    fn run_state_script(&self, module: &ModuleName) -> watch::Receiver<Option<Option<String>>> {
        let (sender, receiver) = watch::channel(None);
        self.0.scripts.borrow_mut().insert(module.clone(), receiver.clone());
        let (admin, module) = (self.clone(), module.clone());
        actix::spawn(async move {
            let (paths, name) = (admin.0.paths.clone(), module.clone());
            // A script that fails must not hide the state.
            let said = match off(move || configure::ask(&paths, &name, "state")).await {
                Ok(Ok(said)) => said,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            // Who asks from now on wants another run.
            admin.0.scripts.borrow_mut().remove(&module);
            sender.send_replace(Some(said));
        });
        receiver
    }

    /// State of a configured module, with its resources if `verbose`.
    pub(super) async fn resources(
        &self,
        module: &ModuleName,
        verbose: bool,
        lang: Lang,
    ) -> Result<StateReport, AdminError> {
        let (mode, applied, instance) =
            self.slot(module, |s| (super::view::mode(s), s.applied.clone(), s.instance.clone()))?;
        let applied = applied.ok_or_else(|| AdminError::NotConfigured(module.clone()))?;
        let seconds = i64::try_from(applied.date).unwrap_or_default();
        let mut report = StateReport {
            module: module.clone(),
            mode,
            role: Role::Stop,
            readiness: Readiness::NotReady,
            remote: None,
            since: date(Timestamp::from_second(seconds).unwrap_or_default()),
            reason: instance.as_ref().err().map(|why| why.of(lang).to_owned()),
            resources: Vec::new(),
            script: None,
        };
        if let Ok(instance) = &instance {
            let shown = instance.handle.shown.borrow().clone();
            (report.role, report.readiness) = (shown.role, shown.readiness);
            report.remote = shown.remote;
            report.since = date(shown.since);
            report.reason = Some(shown.reason.into(lang)).filter(|_| shown.readiness != Readiness::Ready);
            if verbose {
                let rows = ask(&instance.handle, GetResources).await?;
                report.resources = rows
                    .into_iter()
                    .map(|(resource, value, time)| ResourceRow {
                        label: label(&resource).into(lang),
                        resource,
                        value,
                        date: Some(date(time)),
                    })
                    .collect();
            }
        }
        Ok(report)
    }

    pub(super) async fn explain(&self, call: &Call, module: &ModuleName) -> Result<i32, AdminError> {
        let lang = call.caller.lang;
        let instance = match self.instance(module).await {
            Err(AdminError::NotLaunched(_, why)) => {
                let mut reason = told!("the module cannot run: ", "le module ne peut pas s'exécuter : ");
                reason += why;
                let advice = told!(
                    "correct that, then run safekit config -m {module}",
                    "corrigez cela, puis exécutez safekit config -m {module}"
                );
                let report = ExplainReport {
                    module: module.clone(),
                    state: format!("{} {}", Role::Stop, Readiness::NotReady),
                    since: String::new(),
                    reasons: vec![reason.into(lang)],
                    advice: vec![advice.into(lang)],
                };
                self.say(call, Reply::Explain(report)).await;
                return Ok(0);
            }
            other => other?,
        };
        let explanation = ask(&instance.handle, Explain).await?;
        let shown = instance.handle.shown.borrow().clone();
        let mut advice = explanation.advice;
        advice.extend(self.unread_rescues(module).await);
        if self.outdated(&instance) {
            advice.push(told!(
                "the cluster has changed since the module started: it uses the new addresses after a stop and a start",
                "le cluster a changé depuis le démarrage du module : il utilisera les nouvelles adresses après un \
                 arrêt et un démarrage"
            ));
        }
        let report = ExplainReport {
            module: module.clone(),
            state: format!("{} {}", shown.role, shown.readiness),
            since: date(shown.since),
            reasons: explanation.reasons.into_iter().map(|told| told.into(lang)).collect(),
            advice: advice.into_iter().map(|told| told.into(lang)).collect(),
        };
        self.say(call, Reply::Explain(report)).await;
        Ok(0)
    }

    pub(super) async fn command_log(
        &self,
        call: &Call,
        count: Option<u32>,
        follow: bool,
    ) -> Result<i32, AdminError> {
        let mut written = self.0.store.commands().subscribe();
        let mut last = i64::MIN;
        let mut count = count.unwrap_or(COMMANDS);
        loop {
            let commands = self.0.store.commands().clone();
            let entries = off(move || commands.since(last, count)).await??;
            for batch in entries.chunks(BATCH) {
                let rows = Reply::Commands(batch.iter().map(command_row).collect());
                if call.sink.send(rows).await.is_err() {
                    return Ok(0);
                }
            }
            if !follow {
                return Ok(0);
            }
            (last, count) = (entries.last().map_or(last.max(0), |entry| entry.id), COMMANDS);
            tokio::time::sleep(GATHER).await;
            tokio::select! {
                changed = written.changed() => if changed.is_err() { return Ok(0) },
                () = call.sink.closed() => return Ok(0),
            }
        }
    }
}

fn command_row(entry: &CommandEntry) -> CommandRow {
    CommandRow {
        date: precise_date(entry.time),
        kind: entry.kind.clone(),
        module: entry.module.clone(),
        pid: i32::try_from(entry.pid).unwrap_or_default(),
        event: entry.keyword.clone(),
        text: entry.arguments.clone(),
    }
}

/// Name of a resource for people (column Label of the table of resources).
fn label(resource: &ResourceName) -> Told {
    let (en, fr) = match (resource.class.as_str(), resource.id.as_str()) {
        ("state", "local") => ("Local state", "État local"),
        ("state", "remote") => ("Remote state", "État distant"),
        ("usersetting", "boot") => ("Module start at boot", "Démarrage du module au boot"),
        ("usersetting", "checker") => ("Monitoring by checkers", "Surveillance par les checkers"),
        ("usersetting", "encryption") => ("Encrypted communication", "Communication chiffrée"),
        ("usersetting", "errd") => {
            ("Processes/Services monitoring", "Surveillance des processus et services")
        }
        ("usersetting", "failover") => ("Automatic failover", "Reprise automatique"),
        ("heart", "maxloop") => ("Stop on maxloop", "Arrêt sur maxloop"),
        ("heartbeat", _) => ("Heartbeat link", "Lien de heartbeat"),
        ("heartbeatlocaladdr", _) => ("Heartbeat interface", "Interface de heartbeat"),
        ("intf", _) => ("Interface checker", "Checker d'interface"),
        ("ip", _) => ("IP checker", "Checker d'adresse IP"),
        ("ping", _) => ("Ping checker", "Checker ping"),
        ("tcp", _) => ("TCP checker", "Checker TCP"),
        ("custom", _) => ("Custom checker", "Checker personnalisé"),
        ("module", _) => ("Module checker", "Checker de module"),
        ("proc", _) => ("Process/service monitoring", "Surveillance de processus ou service"),
        ("rfs", "uptodate") => ("Uptodate replicated data", "Données répliquées à jour"),
        ("rfs", "degraded") => ("Degraded mode for replication", "Mode dégradé de la réplication"),
        ("rfs", "reintegre_failed") => ("Last synchronization status", "État de la dernière synchronisation"),
        _ => return Told::default(),
    };
    Told::new(en.to_owned(), fr.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_the_table_have_their_labels() {
        let of = |name: &str| label(&name.parse().unwrap()).to_string();
        assert_eq!(of("state.local"), "Local state");
        assert_eq!(of("ip.192.168.1.99"), "IP checker");
        assert_eq!(of("rfs.uptodate"), "Uptodate replicated data");
        assert_eq!(of("mine.x"), "");
    }
}
