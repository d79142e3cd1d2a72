//! userconfig.xml as checked types (spec/config.md 2 to 13).

mod check;
mod errd;
mod failover;
mod farm;
mod heart;
mod rfs;
mod service;
mod user;
mod vhost;
mod vip;

pub use check::{Check, RuleAction, When};
pub use errd::{Errd, Proc, ProcAction};
pub use failover::{FailoverConfig, RulesText};
pub use farm::{Farm, FarmLan};
pub use heart::{FLOW, Heart, Heartbeat};
pub use rfs::{Async, Flow, Replicated, Rfs};
pub use service::{Boot, DefaultPrim, Mode, Service};
pub use user::{Logging, User};
pub use vhost::{VhostWhen, VirtualHostname};
pub use vip::{Filter, Group, Host, Interface, InterfaceKind, LbRule, Proto, Vip, VirtualAddr, Where};

use crate::config::error::ConfigError;

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
