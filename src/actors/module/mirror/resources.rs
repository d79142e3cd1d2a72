//! Resources that only mirror modules have.

use super::{Mirror, remote_of};
use crate::actors::module::{Module, name};
use crate::control::LogChoice;
use crate::fsm::resource::Value;
use crate::node::rfssync::{self, Policy};

impl Module<Mirror> {
    /// Those that stand from the beginning.
    pub(super) fn initial_mirror_resources(&mut self) {
        let failover = if self.state.failover { "on" } else { "off" };
        self.assign(&name("usersetting", "failover"), Value::Text(failover.to_owned()));
        self.show_rfssync();
        if self.fsm.data {
            let degraded = if self.state.degraded { Value::Up } else { Value::Down };
            self.assign(&name("rfs", "degraded"), degraded);
            self.assign(&name("rfs", "reintegre_failed"), Value::Text("false".to_owned()));
            self.show_dates();
            self.check_policies();
        }
        let remote = remote_of(&self.state);
        self.assign(&name("state", "remote"), Value::Text(remote));
        let idents: Vec<_> = self.own.pair.networks.iter().map(|n| n.0.clone()).collect();
        for ident in idents {
            self.assign(&name("heartbeat", &ident), Value::Init);
        }
    }

    /// RES-08 to RES-10.
    pub(super) fn show_rfssync(&mut self) {
        if self.setup.config.rfs.is_none() {
            return;
        }
        let policy = self.own.pair.rfssync.clone().unwrap_or(Policy::Full);
        for (id, value) in rfssync::resources(&policy) {
            self.assign(&name("usersetting", id), Value::Text(value.to_owned()));
        }
        self.show_applicable();
    }

    /// RES-35: an external synchronization needs the other half of its procedure on the other node.
    pub(super) fn show_applicable(&mut self) {
        if self.setup.config.rfs.is_none() {
            return;
        }
        let remote = |id: &str| {
            let resources = self.own.remote.as_ref()?;
            resources.get(&name("usersetting", id)).map(ToString::to_string)
        };
        let policy = self.own.pair.rfssync.as_ref().unwrap_or(&Policy::Full);
        let value = if rfssync::applicable(policy, &remote) { Value::Up } else { Value::Down };
        let resource = name("rfs", "rfssync");
        if self.values.get(&resource).is_none_or(|(old, _)| *old != value) {
            self.set(&resource, value, "set_rfssync", LogChoice::Always);
        }
    }
}
