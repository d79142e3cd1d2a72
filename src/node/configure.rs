//! `safekit config`, `deconfig`, `confcheck` and `confinfo` of a module (CLI-090 to CLI-094).
//!
//! The active configuration is a copy of SAFE/modules/AM in SAFE/private/modules/AM. `config` puts
//! a complete, durable copy in its place in one step, then runs the module's `config` script, and
//! puts the old one back if the script fails. A copy counts as applied once it holds the file
//! [`PROOF`], written last; [`recover`] undoes what a crash left without it. So this node always has
//! the old configuration or the new one.

use super::boot;
use super::cluster::{self, ClusterError};
use super::crontab::{self, CrontabError};
use super::firewall::System;
use super::lastconfig;
use super::record::{self, RecordError};
use super::replicated::{self, Directory, ReplicatedError};
use super::rfssync;
use super::script::{self, ScriptError};
use super::tree;
use crate::config::archive::{self, ArchiveError};
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::module::{self, ModuleConfig};
use crate::config::paths::Paths;
use crate::config::{plan, signature};
use crate::ids::ModuleName;
use crate::told::attempt::Attempt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Mark of an applied configuration, in its directory: its signature and date.
pub const PROOF: &str = ".applied.json";
/// Largest userconfig.xml.
const LARGEST_CONFIG: u64 = 4 * 1024 * 1024;

/// State of the module when it is configured: what may change depends on it (CFG-GEN-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleSituation {
    /// STOP NotReady, or not yet configured: everything may change.
    Stopped,
    /// ALONE Ready: only what is dynamic may change.
    Alone,
    /// WAIT NotReady: only what is dynamic may change.
    Wait,
    /// Any other state: no configuration (AMB-36).
    Running,
}

/// A configuration that was checked, or checked and applied.
#[derive(Clone, Debug)]
pub struct Configured {
    /// The configuration.
    pub config: ModuleConfig,
    /// What was active before; `None` if nothing that is still valid was, and after a mere check.
    pub before: Option<ModuleConfig>,
    /// Accepted and ignored settings, to be shown to the operator.
    pub warnings: Vec<ConfigError>,
    /// Output of the module's script, if it has one.
    pub output: Option<String>,
}

/// Signature and date of a configuration (CLI-093).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfInfo {
    /// Equal signatures = equal configurations.
    pub signature: String,
    /// Last modification, in seconds since 1970; of an active configuration, when it was applied.
    pub date: u64,
}

/// Checks that other rooms add: the rules of `<failover>` and of checkers.
pub type ExtraChecks<'a> = &'a dyn Fn(&ModuleConfig) -> Vec<ConfigError>;

/// Why a module cannot be configured. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// Not there.
    #[error("module {0} is not installed: install it with \"safekit module install -m {0}\"")]
    NotInstalled(ModuleName),
    /// The module has no configuration file.
    #[error("{path}: no such file: a module is configured there", path = .0.display())]
    NoFile(PathBuf),
    /// The state does not allow it.
    #[error("module {0} can be configured in the stable states STOP, ALONE and WAIT only: stop it first")]
    Busy(ModuleName),
    /// It must be stopped first.
    #[error("module {0} is running: stop it first")]
    Running(ModuleName),
    /// The file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Changes that need STOP.
    #[error("only dynamic changes are allowed while the module runs; stop it to change: {}", .0.join(", "))]
    NotDynamic(Vec<String>),
    /// The cluster configuration, whose networks and nodes the module names, is wrong.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A script of the module failed.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The successful configuration cannot be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The schedule of `syncat` cannot be kept.
    #[error(transparent)]
    Crontab(#[from] CrontabError),
    /// A replicated directory cannot be taken or given back.
    #[error(transparent)]
    Replicated(#[from] ReplicatedError),
    /// A file of the node cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// `confcheck`: checks SAFE/modules/AM without applying it and runs its `confcheck` script.
pub fn confcheck(
    paths: &Paths,
    module: &ModuleName,
    extra: ExtraChecks<'_>,
) -> Result<Configured, ConfigureError> {
    let dir = paths.module(module);
    let mut checked = check(paths, module, &dir, None, extra)?;
    replicated::check(paths, module, &Directory::of(checked.config.rfs.as_ref()))?;
    checked.output = run_script(paths, module, "confcheck", &dir, &checked.config)?;
    Ok(checked)
}

/// Checks the text of a userconfig.xml that may become that of `module`: everything that `confcheck` checks
/// but its script. Gives what is accepted and ignored.
pub fn check_text(
    paths: &Paths,
    module: Option<&ModuleName>,
    text: &str,
    extra: ExtraChecks<'_>,
) -> Result<Vec<ConfigError>, ConfigureError> {
    let checked = checked(read(paths, text)?, None, extra)?;
    if let Some(module) = module {
        replicated::check(paths, module, &Directory::of(checked.config.rfs.as_ref()))?;
    }
    Ok(checked.warnings)
}

/// `config`: checks SAFE/modules/AM, makes it the active configuration and runs its `config` script.
pub fn config(
    paths: &Paths,
    module: &ModuleName,
    situation: ModuleSituation,
    extra: ExtraChecks<'_>,
) -> Result<Configured, ConfigureError> {
    if situation == ModuleSituation::Running {
        return Err(ConfigureError::Busy(module.clone()));
    }
    recover(paths, module)?;
    let before = match active(paths, module) {
        // A change of the cluster may have made the old one wrong: the new one puts that right.
        Err(ConfigureError::Config(_)) if situation == ModuleSituation::Stopped => None,
        other => other?,
    };
    let scheduled = syncat(before.as_ref()).map(str::to_owned);
    let (source, target) = (paths.module(module), paths.active(module));
    if !source.is_dir() {
        return Err(ConfigureError::NotInstalled(module.clone()));
    }
    // What is checked is the copy that will be active, whatever happens to the original meanwhile.
    let fresh = fresh_dir(paths, module);
    tree::copy(&source, &fresh)?;
    record::remove(&fresh.join(PROOF))?;
    let applied = check(paths, module, &fresh, before, extra).and_then(|mut checked| {
        refuse_static_changes(situation, &checked)?;
        let info = info(&fresh)?;
        let bytes = archive::bytes(&fresh)?;
        let directories = Directory::of(checked.config.rfs.as_ref());
        replicated::check(paths, module, &directories)?;
        let wanted = syncat(Some(&checked.config));
        if wanted != scheduled.as_deref() || wanted.is_some() {
            crontab::schedule(paths, module, wanted, &mut System)?;
        }
        tree::swap(&fresh, &target)?;
        replicated::configure(paths, module, &directories)?;
        checked.output = run_script(paths, module, "config", &target, &checked.config)?;
        if situation == ModuleSituation::Stopped {
            forget_commands(paths, module)?;
        }
        let now = ConfInfo { date: seconds(SystemTime::now()), ..info };
        record::store(&target.join(PROOF), &now)?;
        Ok((checked, bytes))
    });
    if applied.is_err()
        && let Err(error) = crontab::schedule(paths, module, scheduled.as_deref(), &mut System)
    {
        tracing::warn!(%module, %error, "the schedule of syncat is that of a configuration that failed");
    }
    // Without the proof this puts the old configuration back, with it this deletes the old one.
    recover(paths, module)?;
    let settled = restore_directories(paths, module);
    let (mut checked, bytes) = applied?;
    if let Err(error) = settled {
        // The new configuration holds; what it left behind is tried again at the next one.
        let told = format!("warning: a replicated directory is not in order: {error}\n");
        checked.output = Some(checked.output.unwrap_or_default() + &told);
    }
    if let Err(error) = lastconfig::keep(&paths.lastconfig(), module, jiff::Zoned::now().datetime(), &bytes) {
        // The configuration is applied; a copy of it for the support is not worth an error.
        tracing::warn!(%module, %error, "successful configuration not kept in lastconfig");
    }
    Ok(checked)
}

fn syncat(config: Option<&ModuleConfig>) -> Option<&str> {
    config?.rfs.as_ref()?.syncat.as_deref()
}

/// After a configuration in STOP the failover attribute of the file holds again (RES-07), and the next
/// synchronization is a full one (RFS-56).
fn forget_commands(paths: &Paths, module: &ModuleName) -> Result<(), RecordError> {
    rfssync::forget(paths, module)?;
    let settings = boot::user_settings(paths, module)?;
    if settings.failover.is_none() {
        return Ok(());
    }
    boot::set_user_settings(paths, module, &boot::UserSettings { failover: None, ..settings })
}

/// `deconfig`: runs the `deconfig` script and removes the active configuration. False if there was none.
pub fn deconfig(paths: &Paths, module: &ModuleName, running: bool) -> Result<bool, ConfigureError> {
    if running {
        return Err(ConfigureError::Running(module.clone()));
    }
    recover(paths, module)?;
    let target = paths.active(module);
    if !target.is_dir() {
        return Ok(false);
    }
    // A configuration that can no longer be read must still be removable: its script then gets no
    // variables of its own.
    let vars = match active(paths, module) {
        Ok(Some(config)) => config.user.map(|user| user.vars),
        _ => Some(BTreeMap::new()),
    };
    if let Some(vars) = vars {
        script::run(paths, module, &target.join("bin"), "deconfig", &vars, script::TIMEOUT)?;
    }
    crontab::schedule(paths, module, None, &mut System)?;
    // First the directories: if one cannot be given back, the module stays configured.
    replicated::settle(paths, module, &[])?;
    rfssync::forget(paths, module)?;
    tree::take_away(&target)?;
    Ok(true)
}

/// The active configuration; `None` if the module is not configured. While a new one is being
/// applied it is still the old one. Names of the file are compared with the cluster's.
pub fn active(paths: &Paths, module: &ModuleName) -> Result<Option<ModuleConfig>, ConfigureError> {
    in_force(paths, module).map(|dir| load(paths, &dir)).transpose()
}

/// Directory of the last configuration that was applied to its end.
fn in_force(paths: &Paths, module: &ModuleName) -> Option<PathBuf> {
    [paths.active(module), fresh_dir(paths, module)].into_iter().find(|dir| dir.join(PROOF).exists())
}

/// `confinfo`: the active configuration (`None`: not configured) and the current one (CLI-093).
pub fn confinfo(paths: &Paths, module: &ModuleName) -> Result<(Option<ConfInfo>, ConfInfo), ConfigureError> {
    Ok((applied(paths, module)?, current(paths, module)?))
}

/// Signature and date of the current configuration, that of SAFE/modules/AM (CLI-093).
pub fn current(paths: &Paths, module: &ModuleName) -> Result<ConfInfo, ConfigureError> {
    let source = paths.module(module);
    if source.is_dir() { info(&source) } else { Err(ConfigureError::NotInstalled(module.clone())) }
}

/// Signature and date of the active configuration as it was applied; `None`: not configured (CLI-046).
pub fn applied(paths: &Paths, module: &ModuleName) -> Result<Option<ConfInfo>, RecordError> {
    in_force(paths, module).map_or(Ok(None), |dir| record::load(&dir.join(PROOF)))
}

/// Runs a script of the active configuration that a command calls, `level` or `state`, and returns its
/// output; `None` if the module is not configured or has no such script (CLI-080, CLI-082).
pub fn ask(paths: &Paths, module: &ModuleName, script: &str) -> Result<Option<String>, ConfigureError> {
    match active(paths, module)? {
        None => Ok(None),
        Some(config) => Ok(run_script(paths, module, script, &paths.active(module), &config)?),
    }
}

/// Finishes or undoes a `config` that a crash interrupted: call it when `safeadmin` starts.
pub fn recover(paths: &Paths, module: &ModuleName) -> Result<(), RecordError> {
    let (target, other) = (paths.active(module), fresh_dir(paths, module));
    if !target.join(PROOF).exists() && target.is_dir() {
        if other.join(PROOF).exists() {
            tree::swap(&other, &target)?;
        } else {
            // The first configuration of the module was interrupted.
            tree::take_away(&target)?;
        }
    }
    tree::remove(&other)
}

/// Gives back the replicated directories that the active configuration does not have, and puts back the
/// links that a crash has cost (RFS-11): their directories are returned. Call it after [`recover`] when
/// `safeadmin` starts, before the module is launched.
pub fn restore_directories(paths: &Paths, module: &ModuleName) -> Result<Vec<PathBuf>, ConfigureError> {
    let wanted = match in_force(paths, module) {
        None => Vec::new(),
        Some(dir) => match load(paths, &dir) {
            Ok(config) => Directory::of(config.rfs.as_ref()),
            // Until it can be read again, the module keeps what it has.
            Err(error) => {
                tracing::warn!(%module, %error, "the replicated directories are not known");
                replicated::held(paths, module)?
            }
        },
    };
    Ok(replicated::settle(paths, module, &wanted)?)
}

fn fresh_dir(paths: &Paths, module: &ModuleName) -> PathBuf {
    tree::beside(&paths.active(module), "new")
}

/// Checks the configuration in `dir`.
fn check(
    paths: &Paths,
    module: &ModuleName,
    dir: &Path,
    before: Option<ModuleConfig>,
    extra: ExtraChecks<'_>,
) -> Result<Configured, ConfigureError> {
    if !paths.module(module).is_dir() {
        return Err(ConfigureError::NotInstalled(module.clone()));
    }
    checked(load(paths, dir)?, before, extra)
}

fn checked(
    config: ModuleConfig,
    before: Option<ModuleConfig>,
    extra: ExtraChecks<'_>,
) -> Result<Configured, ConfigureError> {
    let mut faults = config.unsupported();
    faults.extend(extra(&config));
    if !faults.is_empty() {
        return Err(ConfigErrors(faults).into());
    }
    Ok(Configured { warnings: config.warnings().to_vec(), config, before, output: None })
}

fn load(paths: &Paths, dir: &Path) -> Result<ModuleConfig, ConfigureError> {
    let path = dir.join("conf/userconfig.xml");
    let bytes =
        record::load_bytes(&path, LARGEST_CONFIG)?.ok_or_else(|| ConfigureError::NoFile(path.clone()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| RecordError::Damaged { path: path.clone(), what: record::not_utf8() })?;
    read(paths, &text)
}

fn read(paths: &Paths, text: &str) -> Result<ModuleConfig, ConfigureError> {
    let cluster = cluster::load(paths)?;
    let env = |name: &str| std::env::var(name).ok();
    Ok(module::load(text, "userconfig.xml", &env, cluster.as_ref())?)
}

fn refuse_static_changes(situation: ModuleSituation, checked: &Configured) -> Result<(), ConfigureError> {
    let Some(before) = checked.before.as_ref().filter(|_| situation != ModuleSituation::Stopped) else {
        return Ok(());
    };
    let forbidden = plan::forbidden_changes(before, &checked.config);
    if forbidden.is_empty() {
        return Ok(());
    }
    Err(ConfigureError::NotDynamic(forbidden.iter().map(ToString::to_string).collect()))
}

/// Without `<user>` no script is called (CFG-USR-06).
fn run_script(
    paths: &Paths,
    module: &ModuleName,
    name: &str,
    dir: &Path,
    config: &ModuleConfig,
) -> Result<Option<String>, ScriptError> {
    match &config.user {
        None => Ok(None),
        Some(user) => script::run(paths, module, &dir.join("bin"), name, &user.vars, script::TIMEOUT),
    }
}

fn info(dir: &Path) -> Result<ConfInfo, ConfigureError> {
    let date = tree::modified(dir)?.map_or(0, seconds);
    let signature = signature::of_module(dir).map_err(record::io_error(Attempt::Sign, dir))?;
    Ok(ConfInfo { signature, date })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[path = "configure_tests.rs"]
mod tests;
