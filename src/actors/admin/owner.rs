//! How the farm modules of this node share their clients (CLI-123).

use super::{Admin, AdminError, answered, off};
use crate::actors::group::GetShares;
use crate::actors::module::GetGroup;
use crate::config::address::Address;
use crate::config::module::{Filter, Group, LbRule, Mode, ModuleConfig, Proto};
use crate::control::server::Call;
use crate::control::{BitmapRow, FarmReport, OwnerRow, Reply};
use crate::farm::nft::Nft;
use crate::farm::{Backend, Owner, owner};
use crate::fsm::bucket::Share;
use crate::fsm::state::Role;
use crate::ids::{ModuleName, NodeName};
use std::net::IpAddr;
use std::sync::Arc;

/// A client as it was asked for.
#[derive(Clone, Copy)]
struct Client {
    addr: IpAddr,
    port: Option<u16>,
}

impl Admin {
    pub(super) async fn bitmaps(&self, call: &Call, module: Option<&ModuleName>) -> Result<i32, AdminError> {
        let running = match module {
            Some(module) => vec![(module.clone(), self.farm_config(module)?)],
            None => self.running_farms(),
        };
        let rank = usize::from(self.place()?.me().0) + 1;
        let mut rows = Vec::new();
        for (module, config) in running {
            let (name, number) = (module.clone(), groups(&config).count());
            let shown = off(move || Nft::new(&name).shown(number)).await??;
            rows.extend(groups(&config).zip(shown).map(|(group, bitmap)| BitmapRow {
                module: module.clone(),
                group: group.name.clone(),
                rank,
                bitmap: bitmap.to_string(),
            }));
        }
        self.say(call, Reply::Farm(FarmReport::Bitmaps(rows))).await;
        Ok(0)
    }

    pub(super) async fn farm_owner(
        &self,
        call: &Call,
        module: &ModuleName,
        addr: IpAddr,
        port: Option<u16>,
    ) -> Result<i32, AdminError> {
        let config = self.farm_config(module)?;
        let shares = self.shares(module).await?;
        let nodes = self.place()?.config.nodes();
        let rows = owners(&config, &shares, &nodes, Client { addr, port });
        self.say(call, Reply::Farm(FarmReport::Owners(rows))).await;
        Ok(0)
    }

    /// The configuration of a farm module.
    fn farm_config(&self, module: &ModuleName) -> Result<Arc<ModuleConfig>, AdminError> {
        let config = self.slot(module, |s| s.config.clone())?;
        let config = config.ok_or_else(|| AdminError::NotConfigured(module.clone()))?;
        if config.service.mode == Mode::Farm { Ok(config) } else { Err(AdminError::NoFarm(module.clone())) }
    }

    fn running_farms(&self) -> Vec<(ModuleName, Arc<ModuleConfig>)> {
        let slots = self.0.slots.borrow();
        let up = slots.iter().filter(|(_, slot)| slot.role() == Role::Up);
        let farms = up.filter_map(|(name, slot)| Some((name.clone(), slot.config.clone()?)));
        farms.filter(|(_, config)| config.service.mode == Mode::Farm).collect()
    }

    /// The shares that the nodes of a farm have agreed on, by group.
    async fn shares(&self, module: &ModuleName) -> Result<Vec<Share>, AdminError> {
        let handle = self.instance(module).await?.handle;
        let farm = handle.addr.farm().ok_or_else(|| AdminError::NoFarm(module.clone()))?;
        let down = || AdminError::NotUp(module.clone());
        let group = answered(&handle, farm.send(GetGroup)).await?.ok_or_else(down)?;
        let shares = answered(&handle, group.send(GetShares)).await?;
        if shares.is_empty() { Err(down()) } else { Ok(shares.into_iter().map(|(_, share)| share).collect()) }
    }
}

fn groups(config: &ModuleConfig) -> impl Iterator<Item = &Group> {
    config.vip.iter().flat_map(|vip| &vip.groups)
}

/// A row for each rule that may be about the client.
fn owners(config: &ModuleConfig, shares: &[Share], nodes: &[NodeName], client: Client) -> Vec<OwnerRow> {
    let same_family = |rule: &&LbRule| {
        let addr = rule.virtual_addr.as_ref().and_then(Address::ip);
        addr.is_none_or(|addr| addr.is_ipv4() == client.addr.is_ipv4())
    };
    let of_group = |(group, share): (_, &Share)| -> Vec<OwnerRow> {
        let group: &Group = group;
        group.rules.iter().filter(same_family).map(|rule| row(group, rule, share, nodes, client)).collect()
    };
    groups(config).zip(shares).flat_map(of_group).collect()
}

fn row(group: &Group, rule: &LbRule, share: &Share, nodes: &[NodeName], client: Client) -> OwnerRow {
    let name = |node: usize| nodes.get(node).cloned();
    let (bucket, node, established, unknown) = match owner(rule.filter, share, client.addr, client.port) {
        Owner::Node { bucket, node, established } => {
            (Some(bucket), name(node), established.and_then(name), None)
        }
        Owner::Nobody { bucket } => (Some(bucket), None, None, Some("no node of this group is up")),
        Owner::ByPort => (None, None, None, Some("give the port of the client too: ADDRESS:PORT")),
        Owner::ByDatagram => (None, None, None, Some("each datagram on its own")),
    };
    let any = || "*".to_owned();
    OwnerRow {
        group: group.name.clone(),
        virtual_addr: rule.virtual_addr.as_ref().map_or_else(any, ToString::to_string),
        port: rule.port.map_or_else(any, |port| port.to_string()),
        proto: proto(rule.proto).to_owned(),
        filter: filter(rule.filter).to_owned(),
        bucket,
        node,
        established,
        unknown: unknown.map(str::to_owned),
    }
}

fn proto(proto: Proto) -> &'static str {
    match proto {
        Proto::Tcp => "tcp",
        Proto::Udp => "udp",
        Proto::Arp => "arp",
    }
}

fn filter(filter: Filter) -> &'static str {
    match filter {
        Filter::OnAddr => "on_addr",
        Filter::OnPort => "on_port",
        Filter::OnIpid => "on_ipid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::bucket::Owners;

    #[test]
    fn each_rule_says_who_answers() {
        let text = "<safe><service mode='farm'><farm><lan name='default'/></farm><vip><interface_list><interface>
            <virtual_interface><virtual_addr addr='10.0.1.100'/><virtual_addr addr='fd00::100'/></virtual_interface>
            </interface></interface_list><loadbalancing_list>
            <group name='a'><rule port='80' proto='tcp' filter='on_addr'/><rule port='81' proto='tcp' filter='on_port'/>
            </group><group name='b'><rule virtual_addr='fd00::100' proto='tcp' filter='on_addr'/>
            <rule proto='udp' filter='on_ipid'/></group></loadbalancing_list></vip></service></safe>";
        let config = crate::config::module::load(text, "u", &|_| None, None).unwrap();
        let all = |node| Share::settled(Owners::new(|_| Some(node)));
        let nodes = ["n1", "n2"].map(|n| n.parse().unwrap());
        let asked = |addr: &str, port| -> Vec<String> {
            let client = Client { addr: addr.parse().unwrap(), port };
            let rows = owners(&config, &[all(1), all(0)], &nodes, client);
            let who = |r: &OwnerRow| r.node.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            rows.iter().map(|r| format!("{} {} {} {}", r.group, r.port, r.filter, who(r))).collect()
        };
        let v4 = ["a 80 on_addr n2", "a 81 on_port -", "b * on_ipid -"];
        assert_eq!(asked("10.0.1.7", None), v4);
        let v6 = ["a 80 on_addr n2", "a 81 on_port n2", "b * on_addr n1", "b * on_ipid n1"];
        assert_eq!(asked("fd00::7", Some(5000)), v6);
    }
}
