//! The cluster: configuration, keys, views (CLI-041 to CLI-048).

use super::{Admin, AdminError, Change, Instance, Place, off};
use crate::actors::cluster::{ClusterSetup, Reconfigure};
use crate::actors::module::vip_plan;
use crate::config::cluster::{ClusterConfig, LanNode};
use crate::config::module::ModuleConfig;
use crate::config::paths::Paths;
use crate::config::signature;
use crate::control::server::Call;
use crate::control::{CheckStatus, ClusterNodeRow, ClusterSource, ClusterStateRow, Fault, Reply};
use crate::fsm::state::Role;
use crate::ids::{ModuleName, NodeName};
use crate::node::check::{self, CheckInputs};
use crate::node::cluster::{self, ClusterError, ClusterInfo, Lock, Source};
use crate::node::identity::{self, Machine};
use crate::node::{cluster_zip, keys};
use crate::told::{Tell, told};
use std::sync::Arc;

/// This node in its cluster, as the files say. Blocks, may ask the resolver.
pub(super) fn read_place(paths: &Paths) -> Result<(Place, ClusterSetup), AdminError> {
    let config = cluster::load(paths)?.ok_or(ClusterError::NotConfigured)?;
    let me = identity::this_node(&config, &Machine::this_one()?)?;
    let info = read_info(paths)?.ok_or(ClusterError::NotConfigured)?;
    let setup = ClusterSetup::new(&config, &me, keys::cluster_key(paths)?, &info.signature)?;
    Ok((Place { config, me, info }, setup))
}

/// Date, signature and lock of the configuration, if there is one. Blocks.
fn read_info(paths: &Paths) -> Result<Option<ClusterInfo>, AdminError> {
    match cluster::info(paths)? {
        None if paths.cluster_xml().exists() => unstamped(paths).map(Some),
        info => Ok(info),
    }
}

/// Of a configuration that was put there by hand, as a sandbox does.
fn unstamped(paths: &Paths) -> Result<ClusterInfo, AdminError> {
    let dir = paths.cluster();
    let signature = signature::of_files(&dir, &["cluster.xml", keys::CLUSTER_KEY]);
    let signature = signature.map_err(|e| AdminError::Io(dir.clone(), e))?;
    let changed = std::fs::metadata(paths.cluster_xml()).and_then(|m| m.modified());
    let changed = changed.map_err(|e| AdminError::Io(paths.cluster_xml(), e))?;
    let date = jiff::Timestamp::try_from(changed).unwrap_or_default();
    Ok(ClusterInfo { signature, date: super::view::stamp(date), locked: false })
}

/// This node in a configuration that is not applied yet. Blocks.
pub(super) fn place_in(config: ClusterConfig) -> Result<Place, AdminError> {
    let me = identity::this_node(&config, &Machine::this_one()?)?;
    let info = ClusterInfo { signature: String::new(), date: String::new(), locked: false };
    Ok(Place { config, me, info })
}

/// The configuration that would be applied, if it is another one.
fn proposed(source: Source<'_>) -> Result<Option<ClusterConfig>, AdminError> {
    match source {
        Source::Xml(xml) => Ok(Some(cluster::confcheck(xml, "cluster.xml")?)),
        Source::Zip(bytes) => {
            let (xml, _) = cluster_zip::unpack(bytes)?;
            Ok(Some(cluster::confcheck(&xml, "cluster.xml")?))
        }
        Source::Present | Source::LockOnly => Ok(None),
    }
}

/// What is to be applied.
fn named(source: ClusterSource, lock: Option<Lock>, bytes: &[u8]) -> Result<Source<'_>, AdminError> {
    Ok(match (source, lock) {
        (ClusterSource::Xml, _) => Source::Xml(text_of(bytes)?),
        (ClusterSource::Zip, _) => Source::Zip(bytes),
        (ClusterSource::Keep, Some(_)) => Source::LockOnly,
        (ClusterSource::Keep, None) => Source::Present,
    })
}

fn text_of(bytes: &[u8]) -> Result<&str, AdminError> {
    std::str::from_utf8(bytes).map_err(|_| {
        AdminError::NoPlace(told!(
            "cluster.xml is not UTF-8 text: correct the file",
            "cluster.xml n'est pas un texte UTF-8 : corrigez le fichier"
        ))
    })
}

impl Admin {
    /// Reads the cluster's files again and tells everybody.
    pub(super) async fn reload_cluster(&self) -> Result<(), AdminError> {
        let paths = self.0.paths.clone();
        let read = off(move || (read_place(&paths), read_info(&paths).ok().flatten()));
        let (read, info) = read.await?;
        *self.0.cluster_info.borrow_mut() = info;
        let (place, setup) = match read {
            Ok((place, setup)) => (Ok(Arc::new(place)), Some(setup)),
            Err(error) => (Err(error.told()), None),
        };
        if let Err(why) = &place {
            tracing::warn!(%why, "this node takes part in no cluster");
        }
        *self.0.place.borrow_mut() = place;
        let told = self.0.cluster.send(Reconfigure(setup));
        let told = tokio::time::timeout(std::time::Duration::from_secs(super::ANSWER_S), told).await;
        self.changed();
        if matches!(told, Ok(Ok(()))) { Ok(()) } else { Err(AdminError::NoCluster) }
    }

    pub(super) fn running_instances(&self) -> Vec<(ModuleName, Instance)> {
        let slots = self.0.slots.borrow();
        let running = slots.iter().filter(|(_, slot)| slot.role() != Role::Stop);
        running.filter_map(|(name, slot)| Some((name.clone(), slot.instance.clone().ok()?))).collect()
    }

    pub(super) async fn cluster_config(
        &self,
        call: &Call,
        source: ClusterSource,
        lock: Option<bool>,
        if_signature: Option<&[String]>,
    ) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        if let Some(expected) = if_signature {
            let paths = self.0.paths.clone();
            let info = off(move || read_info(&paths)).await??;
            let signature = info.map(|info| info.signature).unwrap_or_default();
            let what = told!("the cluster configuration", "la configuration du cluster");
            self.refuse_other(call, expected, signature, what).await?;
        }
        let lock = lock.map(|lock| if lock { Lock::Lock } else { Lock::Unlock });
        let (paths, bytes) = (self.0.paths.clone(), call.attachment.clone());
        // Checked as a whole before anything is stopped.
        let config = off(move || -> Result<Option<ClusterConfig>, AdminError> {
            cluster::refuse_locked(&paths, lock)?;
            let config = proposed(named(source, lock, &bytes)?)?;
            if let Some(config) = &config {
                config.resolved(&LanNode::resolve).map_err(ClusterError::from)?;
            }
            Ok(config)
        });
        self.make_way(call, config.await??).await?;
        let (paths, bytes) = (self.0.paths.clone(), call.attachment.clone());
        off(move || -> Result<(), AdminError> {
            cluster::config(&paths, named(source, lock, &bytes)?, lock)?;
            Ok(())
        })
        .await??;
        self.after_cluster_change().await?;
        let text = match self.place() {
            Ok(place) => {
                let me = &place.me;
                told!(
                    "the cluster is configured, this node is {me}; every node must get the same (safekit -H \"*\" -G)",
                    "le cluster est configuré, ce nœud est {me} ; chaque nœud doit recevoir la même configuration \
                     (safekit -H \"*\" -G)"
                )
            }
            Err(why) => {
                let mut text = told!(
                    "the cluster is configured, but this node takes no part in it: ",
                    "le cluster est configuré, mais ce nœud n'y participe pas : "
                );
                text += why.told();
                text
            }
        };
        self.tell(call, text).await;
        Ok(0)
    }

    async fn after_cluster_change(&self) -> Result<(), AdminError> {
        self.reload_cluster().await?;
        self.follow_cluster().await;
        self.0.store.commands().event(jiff::Timestamp::now(), None, "update cluster state");
        Ok(())
    }

    pub(super) async fn cluster_confcheck(&self, call: &Call) -> Result<i32, AdminError> {
        let checked = cluster::confcheck(text_of(&call.attachment)?, "cluster.xml");
        let faults = checked
            .as_ref()
            .err()
            .map(|errors| Fault::all(&errors.0, &[], call.caller.lang))
            .unwrap_or_default();
        self.say(call, Reply::Faults(faults)).await;
        let config = checked?;
        let nodes: Vec<String> = config.nodes().iter().map(ToString::to_string).collect();
        let nodes = nodes.join(", ");
        self.tell(call, told!("cluster.xml is valid: {nodes}", "cluster.xml est valide : {nodes}")).await;
        Ok(0)
    }

    pub(super) async fn cluster_deconfig(&self, call: &Call) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        // No start comes between; the instances see that they are out of date once the marks are gone.
        let mut marks = Vec::new();
        for module in self.names() {
            marks.push(self.mark(&module, Change::Configuration).await?);
        }
        if let Some((module, _)) = self.running_instances().into_iter().next() {
            let why =
                told!("without a cluster no module can run", "sans cluster, aucun module ne peut s'exécuter");
            return Err(AdminError::Running(module, why));
        }
        let paths = self.0.paths.clone();
        let there = off(move || cluster::deconfig(&paths)).await??;
        self.after_cluster_change().await?;
        drop(marks);
        let text = match there {
            true => told!("the cluster is deconfigured", "le cluster est déconfiguré"),
            false => told!("the cluster was not configured", "le cluster n'était pas configuré"),
        };
        self.tell(call, text).await;
        Ok(0)
    }

    /// `cluster genkey` and `cluster delkey`.
    pub(super) async fn cluster_key(&self, call: &Call, make: bool) -> Result<i32, AdminError> {
        let _turn = self.turn().await?;
        let paths = self.0.paths.clone();
        off(move || if make { cluster::genkey(&paths) } else { cluster::delkey(&paths) }).await??;
        self.after_cluster_change().await?;
        let text = match make {
            true => told!(
                "the cluster has a new key: this node hears the others again once all have it (safekit -H \"*\" -G)",
                "le cluster a une nouvelle clé : ce nœud entend de nouveau les autres quand tous l'ont (safekit -H \"*\" -G)"
            ),
            false => told!(
                "the cluster has no key: this node hears the others again once none has one (safekit -H \"*\" -G)",
                "le cluster n'a pas de clé : ce nœud entend de nouveau les autres quand aucun n'en a (safekit -H \"*\" -G)"
            ),
        };
        self.tell(call, text).await;
        Ok(0)
    }

    /// The nodes that are online, this one included.
    pub(super) async fn cluster_confinfo(&self, call: &Call) -> Result<i32, AdminError> {
        self.place()?;
        let online = self.members().await?.into_iter().filter(|m| m.online);
        let row = |m: crate::actors::cluster::Member| {
            let view = m.view?;
            Some(ClusterNodeRow {
                node: m.name,
                signature: view.cluster_signature,
                date: view.cluster_date,
                lock: view.cluster_locked,
            })
        };
        self.say(call, Reply::ClusterNodes(online.filter_map(row).collect())).await;
        Ok(0)
    }

    pub(super) async fn cluster_check(&self, call: &Call) -> Result<i32, AdminError> {
        let configs: Vec<_> = {
            let slots = self.0.slots.borrow();
            slots.iter().filter_map(|(name, slot)| Some((name.clone(), slot.config.clone()?))).collect()
        };
        let plan = |(name, config): (ModuleName, Arc<ModuleConfig>)| match vip_plan(&config) {
            Ok(plan) => Some((name, plan)),
            Err(error) => {
                tracing::warn!(module = %name, %error, "its virtual addresses are not checked");
                None
            }
        };
        let vips = off(move || configs.into_iter().filter_map(plan).collect()).await?;
        let rows = check::check(self.0.cluster.clone(), CheckInputs { vips }, call.caller.lang).await;
        let bad = rows.iter().any(|row| row.status == CheckStatus::Error);
        self.say(call, Reply::Checks(rows)).await;
        Ok(i32::from(bad))
    }

    pub(super) async fn cluster_state(&self, call: &Call) -> Result<i32, AdminError> {
        self.place()?;
        let online = self.members().await?.into_iter().filter(|m| m.online);
        let rows = |m: crate::actors::cluster::Member| {
            let node: NodeName = m.name;
            m.view.unwrap_or_default().modules.into_iter().map(move |module| ClusterStateRow {
                node: node.clone(),
                module: module.name,
                mode: module.mode,
                id: module.id,
                date: module.config_date,
                signature: module.config_signature,
            })
        };
        self.say(call, Reply::ClusterState(online.flat_map(rows).collect())).await;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::record;

    const XML: &str = "<cluster><lans><lan name='default'><node name='a' addr='10.77.1.1'/>\
                       <node name='b' addr='10.77.1.2'/></lan></lans></cluster>";

    #[test]
    fn a_configuration_put_there_by_hand_is_signed_and_dated() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        record::store_bytes(&paths.cluster_xml(), XML.as_bytes(), 0o644).unwrap();
        let info = unstamped(&paths).unwrap();
        assert!(!info.signature.is_empty() && info.date.contains('T'), "{info:?}");
    }

    #[test]
    fn without_configuration_the_way_out_is_told() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path().join("safe"), root.path().join("var"));
        let Err(error) = read_place(&paths) else { panic!("there is no cluster") };
        assert!(error.to_string().contains("safekit cluster config"), "{error}");
    }

    #[test]
    fn only_new_files_are_compared_with_what_runs() {
        assert!(proposed(Source::Present).unwrap().is_none());
        assert_eq!(proposed(Source::Xml(XML)).unwrap().unwrap().nodes().len(), 2);
        assert!(proposed(Source::Xml("<cluster/>")).is_err());
        assert!(proposed(Source::Zip(b"no zip")).is_err());
    }
}
