//! From the configuration of a module to its rules and its checkers.

use super::custom::{Custom, Enter, Program};
use super::interface::Intf;
use super::ip::Ip;
use super::module::Other;
use super::ping::Ping;
use super::tcp::Tcp;
use super::{Checker, CheckerReport, Reporter, Stop};
use crate::config::module::{Check, ModuleConfig, RuleAction, When};
use crate::fsm::anew::MODULECHECK;
use crate::fsm::resource::ResourceName;
use crate::fsm::rules::ast::Action;
use crate::fsm::rules::parse::RuleError;
use crate::fsm::rules::{FORCE_UPTODATE, Generated, Ruleset, SYNCAT_WAIT, Sources, UserText};
use crate::ids::ModuleName;
use actix::Recipient;
use std::path::{Path, PathBuf};

/// All failover rules of a module.
///
/// # Errors
/// Every error of the rules in `<failover>`, with its place in userconfig.xml.
pub fn ruleset(config: &ModuleConfig) -> Result<Ruleset, Vec<RuleError>> {
    let user =
        config.failover.rules.iter().map(|rules| UserText { text: &rules.text, base_line: rules.line });
    let late = |check: &&Check| check.when() != When::Pre;
    Ruleset::build(Sources {
        extends: config.failover.extends,
        user: user.collect(),
        generated: config.checks.iter().filter_map(generated).collect(),
        plug_ins: plug_ins(config),
        late: config.checks.iter().filter(late).filter_map(resource).collect(),
    })
}

/// The rules that replication brings (CFG-FO-09).
fn plug_ins(config: &ModuleConfig) -> Vec<&'static str> {
    let Some(rfs) = &config.rfs else { return Vec::new() };
    let delta = rfs.tolerance().map(|_| FORCE_UPTODATE);
    delta.into_iter().chain(rfs.syncat.as_ref().map(|_| SYNCAT_WAIT)).collect()
}

/// The rule of a checker that has an action (CFG-TCP-04, CFG-PNG-02, CFG-CUS-04).
fn generated(check: &Check) -> Option<Generated> {
    let (prefix, ident, action) = match check {
        Check::Tcp { ident, action, .. } => ("t", ident, *action),
        Check::Ping { ident, action, .. } => ("p", ident, *action),
        Check::Custom { ident, action, .. } => ("c", ident, (*action)?),
        Check::Intf { .. } | Check::Ip { .. } | Check::Module { .. } | Check::SplitBrain { .. } => {
            return None;
        }
    };
    let action = match action {
        RuleAction::Stop => Action::Stop,
        RuleAction::StopStart => Action::StopStart,
        RuleAction::Wait => Action::Wait,
        RuleAction::Restart => Action::Restart,
    };
    Some(Generated { label: format!("{prefix}_{ident}"), resource: resource(check)?, action })
}

/// Resource of a checker; none for an interface whose network must be read first.
fn resource(check: &Check) -> Option<ResourceName> {
    check.ident().map(|ident| ResourceName::new(check.class(), ident))
}

/// What all checkers of a module share.
#[derive(Clone)]
pub struct Surroundings {
    /// The window in which the checkers are started.
    pub epoch: u64,
    /// The module.
    pub module: ModuleName,
    /// Certificates of those who may answer for other modules over HTTPS.
    pub cacert: PathBuf,
    /// SAFEUSERBIN: where custom checkers are.
    pub userbin: PathBuf,
    /// Variables of custom checkers (ST-93).
    pub env: Vec<(String, String)>,
    /// Puts custom checkers into the module's process group.
    pub enter: Enter,
    /// Where reports go.
    pub report: Recipient<CheckerReport>,
}

/// Resource of a checker. For an interface checker that `<vip>` generates this is the network of
/// the interface as it is now, or the virtual address while there is no such network. Reads the
/// interfaces and may ask the resolver: call it from a blocking thread, when the module starts.
pub fn identify(check: &Check) -> ResourceName {
    let ident = match (check, check.ident()) {
        (_, Some(ident)) => ident.to_owned(),
        (Check::Intf { intf, local_addr, .. }, None) => {
            let probe = Intf { name: intf.clone(), addr: local_addr.clone(), is_virtual: true };
            probe.network().map_or_else(
                |error| {
                    tracing::warn!(%error, "the network of an interface checker is not known");
                    local_addr.to_string()
                },
                |network| network.to_string(),
            )
        }
        // Only an interface checker may lack its identity.
        (_, None) => String::new(),
    };
    ResourceName::new(check.class(), &ident)
}

/// Starts a checker in the current arbiter; `resource` is from [`identify`]. Gives what stops it.
/// None for `<splitbrain>`, which is no probe of this node.
pub fn start(check: &Check, resource: ResourceName, around: &Surroundings) -> Option<Recipient<Stop>> {
    let reporter = |origin: &str| Reporter {
        epoch: around.epoch,
        resource,
        origin: origin.to_owned(),
        to: around.report.clone(),
    };
    Some(match check.clone() {
        Check::Tcp { addr, port, interval, timeout, .. } => {
            Checker::launch(reporter("tcpcheck"), Tcp { addr, port, interval, timeout })
        }
        Check::Ping { addr, interval, timeout, .. } => {
            Checker::launch(reporter("pingcheck"), Ping { addr, interval, timeout })
        }
        Check::Intf { ident, intf: name, local_addr: addr, .. } => {
            Checker::launch(reporter("intfcheck"), Intf { name, addr, is_virtual: ident.is_none() })
        }
        Check::Ip { addr, interval, .. } => Checker::launch(reporter("ipcheck"), Ip { addr, interval }),
        Check::Custom { exec, args, .. } => {
            let origin = Path::new(&exec).file_name().unwrap_or_default().to_string_lossy();
            // An absolute `exec` replaces the directory.
            let program = Program {
                module: around.module.clone(),
                exec: around.userbin.join(&exec),
                args,
                env: around.env.clone(),
                enter: around.enter.clone(),
            };
            Custom::launch(reporter(&origin), program)
        }
        Check::Module { name, addr, port, secure, interval, timeout, .. } => {
            let cacert = secure.then(|| around.cacert.clone());
            Checker::launch(reporter(MODULECHECK), Other { name, addr, port, cacert, interval, timeout })
        }
        Check::SplitBrain { .. } => return None,
    })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
