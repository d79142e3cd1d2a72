//! What the nodes tell each other, and what the command log says about it (RES-54, MSG-CMD-02).

use super::launch::settled;
use super::{Admin, Slot, off};
use crate::actors::cluster::{ClusterEvent, Member, ModuleView, NodeView, SetLocal};
use crate::actors::heart::PeerHolds;
use crate::fsm::state::{Readiness, Role};
use crate::ids::ModuleName;
use crate::wire::codec::VERSION;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::time::Duration;

/// Changes that come together are told together.
const GATHER: Duration = Duration::from_millis(50);
/// How long the cluster's actor may take for one.
const TELL: Duration = Duration::from_secs(10);

/// States of the modules of the other nodes, by place of the node.
pub(super) type Seen = BTreeMap<usize, BTreeMap<ModuleName, (Role, Readiness)>>;

/// `2016-05-20T17:06:45`, local time.
pub(super) fn stamp(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Mode of a module as it is printed; empty if it is not known.
pub(super) fn mode(slot: &Slot) -> String {
    slot.config.as_ref().map(|c| c.service.mode.to_string()).unwrap_or_default()
}

fn module_view(name: &ModuleName, slot: &Slot) -> ModuleView {
    let applied = slot.applied.as_ref();
    let date = |seconds: u64| {
        let seconds = i64::try_from(seconds).unwrap_or_default();
        stamp(Timestamp::from_second(seconds).unwrap_or_default())
    };
    ModuleView {
        name: name.clone(),
        id: slot.id,
        mode: mode(slot),
        config_date: applied.map(|a| date(a.date)).unwrap_or_default(),
        config_signature: applied.map(|a| a.signature.clone()).unwrap_or_default(),
        configured: applied.is_some(),
        state: slot.shown(),
    }
}

impl Admin {
    /// Tells the cluster what changes here, for as long as the node lives.
    pub(super) async fn tell_cluster(self) {
        let ids = off(|| {
            let user = nix::unistd::User::from_name("safekit").ok().flatten();
            let group = nix::unistd::Group::from_name("safekit").ok().flatten();
            (user.map(|u| u.uid.as_raw()), group.map(|g| g.gid.as_raw()))
        });
        let ids = ids.await.unwrap_or_default();
        loop {
            let view = self.node_view(ids);
            match tokio::time::timeout(TELL, self.0.cluster.send(SetLocal(view))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => {
                    tracing::error!("the cluster's actor does not take the state of this node")
                }
            }
            self.0.news.notified().await;
            tokio::time::sleep(GATHER).await;
        }
    }

    /// What this node says of itself.
    pub(super) fn node_view(&self, (safekit_uid, safekit_gid): (Option<u32>, Option<u32>)) -> NodeView {
        let place = self.place().ok();
        let info = place.as_ref().map(|p| &p.info);
        NodeView {
            safekit_version: env!("CARGO_PKG_VERSION").to_owned(),
            wire_version: VERSION,
            cluster_signature: info.map(|i| i.signature.clone()).unwrap_or_default(),
            cluster_date: info.map(|i| i.date.clone()).unwrap_or_default(),
            cluster_locked: info.is_some_and(|i| i.locked),
            modules: self.0.slots.borrow().iter().map(|(name, slot)| module_view(name, slot)).collect(),
            boot_id: self.0.boot.clone(),
            safekit_uid,
            safekit_gid,
        }
    }

    /// A module of this node shows another state.
    pub(super) fn own_change(&self, module: &ModuleName, readiness: Readiness) {
        if let (true, Ok(place)) = (settled(readiness), self.place()) {
            self.note_change(module, place.me.as_str());
        }
    }

    fn note_change(&self, module: &ModuleName, node: &str) {
        let text = format!("module state change on node {node}");
        self.0.store.commands().event(Timestamp::now(), Some(module.as_str()), &text);
    }

    /// Something has changed on another node.
    pub(super) async fn cluster_event(&self, event: ClusterEvent) {
        let node = match event {
            ClusterEvent::MemberUp(node) | ClusterEvent::MemberDown(node) => {
                self.0.store.commands().event(Timestamp::now(), None, "update cluster state");
                node
            }
            ClusterEvent::ViewChanged(node) => node,
        };
        let Ok(members) = self.members().await else { return };
        self.tell_holders(&members);
        let Some(member) = members.into_iter().find(|m| m.node == node) else { return };
        let now = states(&member);
        let before = self.0.seen.borrow_mut().insert(node, now.clone()).unwrap_or_default();
        for module in changed(&before, &now) {
            self.note_change(&module, member.name.as_str());
        }
        self.launch_waiting().await;
    }
}

impl Admin {
    /// Tells each module whether its peer holds it: if not, no heartbeat of it will ever come, and that
    /// its node is heard says nothing.
    pub(super) fn tell_holders(&self, members: &[Member]) {
        for (module, slot) in self.0.slots.borrow().iter() {
            let Ok(instance) = &slot.instance else { continue };
            let (Some(pair), Some(mirror)) = (&instance.pair, instance.handle.addr.mirror()) else {
                continue;
            };
            let peer = usize::from(pair.peer.0);
            let view = members.iter().find(|m| m.node == peer).and_then(|m| m.view.as_ref());
            let holds = view.is_none_or(|v| v.modules.iter().any(|m| m.name == *module && m.configured));
            if mirror.try_send(PeerHolds(holds)).is_err() {
                tracing::warn!(%module, "the module is busy: it is told with the next change of the cluster");
            }
        }
    }
}

fn states(member: &Member) -> BTreeMap<ModuleName, (Role, Readiness)> {
    let modules = member.view.iter().flat_map(|view| &view.modules);
    modules.map(|m| (m.name.clone(), m.state)).collect()
}

/// Modules whose stable state is another one than before.
fn changed(
    before: &BTreeMap<ModuleName, (Role, Readiness)>,
    now: &BTreeMap<ModuleName, (Role, Readiness)>,
) -> Vec<ModuleName> {
    let other = |(name, state): &(&ModuleName, &(Role, Readiness))| {
        settled(state.1) && before.get(*name) != Some(*state)
    };
    now.iter().filter(other).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_stable_states_are_noted_once() {
        let of =
            |role, readiness| BTreeMap::from([("mirror".parse::<ModuleName>().unwrap(), (role, readiness))]);
        let stop = of(Role::Stop, Readiness::NotReady);
        let moving = of(Role::Wait, Readiness::Transient);
        let alone = of(Role::Alone, Readiness::Ready);
        assert_eq!(changed(&BTreeMap::new(), &stop).len(), 1);
        assert!(changed(&stop, &stop).is_empty());
        assert!(changed(&stop, &moving).is_empty());
        assert_eq!(changed(&moving, &alone).len(), 1);
    }
}
