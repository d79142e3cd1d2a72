//! userconfig.xml as checked types (spec/config.md 2 to 13).

mod balance;
mod check;
mod check_read;
mod errd;
mod failover;
mod farm;
mod heart;
mod rfs;
mod service;
mod user;
mod vhost;
mod vip;

#[cfg(test)]
mod default_tests;
#[cfg(test)]
mod error_tests;

pub use balance::{Filter, Group, Host, LbRule, Proto};
pub use check::{Check, RuleAction, When};
pub use errd::{Errd, Proc, ProcAction};
pub use failover::{FailoverConfig, RulesText};
pub use farm::{Farm, FarmLan};
pub use heart::{FLOW, Heart, Heartbeat};
pub use rfs::{Async, Flow, Replicated, Rfs};
pub use service::{Boot, DefaultPrim, Mode, Service};
pub use user::{Logging, User};
pub use vhost::{VhostWhen, VirtualHostname};
pub use vip::{Interface, InterfaceKind, Line, Vip, VirtualAddr, Where};

use crate::config::cluster::ClusterConfig;
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::extract::{Findings, Tag};
use crate::config::xml::{self, Element};
use crate::config::{macros, units};
use crate::told::told;
use std::cell::Cell;

/// A checked userconfig.xml, every default filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleConfig {
    /// `<service>`.
    pub service: Service,
    /// `<heart>`: always there in mode mirror, never elsewhere.
    pub heart: Option<Heart>,
    /// `<farm>`: always there in mode farm, never elsewhere.
    pub farm: Option<Farm>,
    /// `<vip>`.
    pub vip: Option<Vip>,
    /// `<rfs>`, mode mirror only.
    pub rfs: Option<Rfs>,
    /// `<user>`; without it no script is called (CFG-USR-06).
    pub user: Option<User>,
    /// `<vhost>`: its virtual host names.
    pub vhost: Vec<VirtualHostname>,
    /// `<errd>`; never without `<user>`.
    pub errd: Option<Errd>,
    /// The checkers of `<check>`, then those that `<vip>` generates (CFG-VIP-02, CFG-VIP-12).
    pub checks: Vec<Check>,
    /// `<failover>`; the defaults if the file has none.
    pub failover: FailoverConfig,
    unsupported: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
}

impl ModuleConfig {
    /// What this version reads but cannot execute: such a module must not be configured.
    pub fn unsupported(&self) -> Vec<ConfigError> {
        self.unsupported.clone()
    }

    /// What was accepted and ignored, to be shown to the operator (CFG-RFS-27).
    pub fn warnings(&self) -> &[ConfigError] {
        &self.warnings
    }

    /// A replication flow without replication: the module blocks in WAIT at start (CFG-HB-07).
    pub fn flow_without_rfs(&self) -> bool {
        let flow = |h: &Heart| h.heartbeats.iter().any(|b| b.ident == FLOW);
        self.rfs.is_none() && self.heart.as_ref().is_some_and(flow)
    }
}

/// What the readers of parts must know of the whole.
struct Context<'a> {
    mode: Mode,
    cluster: Option<&'a ClusterConfig>,
    /// First line that uses the syntax before 7.2, and the first that uses the one since.
    legacy: Cell<Option<u32>>,
    current: Cell<Option<u32>>,
}

impl Context<'_> {
    /// `name` of a network, which is mandatory unless `old_child` shows the syntax before 7.2. It
    /// must be a lan of the cluster, when there is one to compare with.
    fn lan_name(&self, tag: &Tag<'_>, old_child: &'static str) -> Option<String> {
        if tag.has("name") {
            self.mixed(tag, &self.current, &self.legacy);
        } else if tag.element.children.iter().any(|c| c.name == old_child) {
            return None;
        }
        let name = tag.need("name", units::name);
        if let (Some(name), Some(cluster)) = (&name, self.cluster)
            && cluster.lan(name).is_none()
        {
            let lans: Vec<&str> = cluster.lans.iter().map(|l| l.name.as_str()).collect();
            let lans = lans.join(", ");
            tag.fault_of(
                "name",
                told!(
                    "not a <lan> of cluster.xml, which has {lans}",
                    "ce n'est pas un <lan> de cluster.xml, qui a {lans}"
                ),
            );
        }
        name
    }

    /// Notes an element in the syntax before 7.2.
    fn legacy(&self, tag: &Tag<'_>) {
        self.mixed(tag, &self.legacy, &self.current);
    }

    fn mixed(&self, tag: &Tag<'_>, mine: &Cell<Option<u32>>, other: &Cell<Option<u32>>) {
        if let Some(line) = other.get() {
            tag.fault(told!("the syntaxes before and since 7.2 are mixed, see line {line}: use name= everywhere", "les syntaxes d'avant et depuis 7.2 sont mélangées, voir la ligne {line} : utilisez name= partout"));
        }
        mine.set(mine.get().or(Some(tag.element.line)));
    }
}

/// Reads a userconfig.xml; `file` names it in the errors, which are all of the file's. `env` gives
/// environment variables for `%identifier%`. Names of lans and nodes are compared with `cluster`.
pub fn load(
    text: &str,
    file: &str,
    env: &dyn Fn(&str) -> Option<String>,
    cluster: Option<&ClusterConfig>,
) -> Result<ModuleConfig, ConfigErrors> {
    let mut root = xml::parse(text, file)?;
    let findings = Findings::new(file);
    macros::expand(&mut root, env, &findings);
    let config = read_root(&findings, &root, cluster);
    let (mut config, unsupported, warnings) = findings.finish(config)?;
    config.unsupported = unsupported;
    config.warnings = warnings;
    Ok(config)
}

fn read_root<'a>(
    findings: &'a Findings<'a>,
    root: &'a Element,
    cluster: Option<&ClusterConfig>,
) -> Option<ModuleConfig> {
    if root.name != "safe" {
        findings.fault(
            root,
            None,
            told!(
                "the first tag of userconfig.xml is <safe>",
                "la première balise de userconfig.xml est <safe>"
            ),
        );
        return None;
    }
    let safe = findings.open(root, &[], &["macro", "service"]);
    let parts = ["heart", "farm", "rfs", "vip", "user", "vhost", "errd", "check", "failover"];
    let tag = safe.open(safe.one_needed("service")?, service::ATTRIBUTES, &parts);
    let service = service::read(&tag, cluster)?;
    let context = Context { mode: service.mode, cluster, legacy: Cell::default(), current: Cell::default() };
    check_modes(&tag, service.mode);
    let vip = tag.one("vip").and_then(|e| vip::read(&tag, e, &context));
    let mut checks = tag.one("check").map(|e| check_read::read(&tag, e, &context)).unwrap_or_default();
    add_generated(&tag, vip.as_ref(), &mut checks);
    let config = ModuleConfig {
        heart: tag.one("heart").and_then(|e| heart::read(&tag, e, &context)),
        farm: tag.one("farm").and_then(|e| farm::read(&tag, e, &context)),
        vip,
        rfs: tag.one("rfs").and_then(|e| rfs::read(&tag, e, &context)),
        user: tag.one("user").and_then(|e| user::read(&tag, e)),
        vhost: tag.one("vhost").map(|e| vhost::read(&tag, e)).unwrap_or_default(),
        errd: tag.one("errd").and_then(|e| errd::read(&tag, e)),
        checks,
        failover: tag.one("failover").map(|e| failover::read(&tag, e)).unwrap_or_default(),
        service,
        unsupported: Vec::new(),
        warnings: Vec::new(),
    };
    if config.errd.is_some() && config.user.is_none() {
        tag.fault_in_child(
            "errd",
            told!(
                "<errd> needs <user>, whose scripts enable and disable it",
                "<errd> a besoin de <user>, dont les scripts l'activent et le désactivent"
            ),
        );
    }
    Some(config)
}

/// Tags that only one mode has, and those that it cannot do without.
fn check_modes(tag: &Tag<'_>, mode: Mode) {
    for (name, of) in [("heart", Mode::Mirror), ("rfs", Mode::Mirror), ("farm", Mode::Farm)] {
        if mode != of {
            tag.fault_in_child(
                name,
                told!("<{name}> is for mode {of} only", "<{name}> est pour le mode {of} seulement"),
            );
        }
    }
    let needed = match mode {
        Mode::Mirror => "heart",
        Mode::Farm => "farm",
        Mode::Light => return,
    };
    if tag.all(needed).next().is_none() {
        tag.fault(told!("<{needed}> is missing", "<{needed}> manque"));
    }
}

/// Adds the checkers of `<vip>` to those of `<check>`, which must not take their names.
fn add_generated(tag: &Tag<'_>, vip: Option<&Vip>, checks: &mut Vec<Check>) {
    let generated = vip.map(check_read::generated).unwrap_or_default();
    for new in &generated {
        if let Some(resource) = new.resource()
            && checks.iter().any(|c| c.resource().as_ref() == Some(&resource))
        {
            let what = told!(
                "a checker already has the resource {resource}, which <vip> makes: remove one",
                "un checker a déjà la ressource {resource}, que <vip> crée : supprimez l'un des deux"
            );
            tag.fault_in_child("vip", what);
        }
    }
    checks.extend(generated);
}
