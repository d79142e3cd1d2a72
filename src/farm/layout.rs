//! From the configuration of a module to the layout of its filter.

use super::{Layout, LayoutRule, LayoutVip};
use crate::config::module::{Group, Vip};
use crate::fsm::bucket::Reach;
use crate::fsm::membership::Node;
use crate::ids::ModuleName;
use crate::net::NetError;
use crate::net::addr::Interface;
use crate::net::vip::VipPlan;

impl Layout {
    /// The layout of a module with these virtual addresses, resolved as `plan`, on this node. No peer is known
    /// yet; the groups are numbered as in the configuration.
    ///
    /// # Errors
    /// No interface is in the network of an address.
    pub fn new(
        module: &ModuleName,
        me: Node,
        vip: &Vip,
        plan: &VipPlan,
        interfaces: &[Interface],
    ) -> Result<Layout, NetError> {
        let places = plan.places(interfaces)?;
        // Nothing has to be filtered for an address of one node under that node's own MAC address.
        let filtered = plan.addrs.iter().zip(places).filter(|(addr, _)| addr.shared || addr.vmac.is_some());
        let vips = filtered.map(|(addr, place)| LayoutVip {
            addr: addr.addr,
            device: place.ifname,
            reach: if addr.vmac.is_some() { Reach::Every } else { Reach::One },
            vmac: addr.vmac,
        });
        Ok(Layout {
            module: module.clone(),
            me,
            vips: vips.collect(),
            rules: vip.groups.iter().enumerate().flat_map(|(n, group)| rules(n, group, vip, plan)).collect(),
            peers: Vec::new(),
            // Without groups no bucket ever moves.
            keep: vip.keepconnections && !vip.groups.is_empty(),
        })
    }
}

fn rules(number: usize, group: &Group, vip: &Vip, plan: &VipPlan) -> Vec<LayoutRule> {
    // The plan has the addresses in the order of the configuration.
    let configured = vip.interfaces.iter().flat_map(|interface| &interface.addrs);
    let resolved: Vec<_> = configured.zip(&plan.addrs).map(|(a, b)| (&a.addr, b.addr)).collect();
    let rules = group.rules.iter().map(|rule| LayoutRule {
        group: number,
        vip: rule
            .virtual_addr
            .as_ref()
            .and_then(|name| resolved.iter().find(|(a, _)| *a == name).map(|(_, ip)| *ip)),
        port: rule.port,
        proto: rule.proto,
        filter: rule.filter,
    });
    rules.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::module::vip_plan;
    use crate::config::module::{Filter, Proto, load};
    use crate::net::MacAddr;
    use crate::net::addr::InterfaceAddr;

    fn interface(name: &str, addr: &str) -> Interface {
        let addresses = vec![InterfaceAddr { addr: addr.parse().unwrap(), prefix: 24, unusable: false }];
        Interface {
            index: 1,
            name: name.to_owned(),
            mac: None,
            up: true,
            running: true,
            carrier: true,
            promiscuous: false,
            addresses,
        }
    }

    #[test]
    fn addresses_and_rules_are_those_of_the_configuration() {
        let text = "<safe><service mode='farm'><farm><lan name='default'/></farm><vip keepconnections='off'>
            <interface_list><interface><virtual_interface type='vmac_invisible'>
            <virtual_addr addr='10.0.1.100'/><virtual_addr addr='10.0.1.101'/></virtual_interface></interface>
            <interface><virtual_interface><virtual_addr addr='10.0.2.100'/></virtual_interface></interface>
            </interface_list><loadbalancing_list><group name='a'><rule port='80' proto='tcp' filter='on_port'/></group>
            <group name='b'><rule virtual_addr='10.0.2.100' proto='udp' filter='on_addr'/></group>
            </loadbalancing_list></vip></service></safe>";
        let config = load(text, "u", &|_| None, None).unwrap();
        let plan = vip_plan(&config).unwrap();
        let interfaces = [interface("eth1", "10.0.2.1"), interface("eth0", "10.0.1.1")];
        let vip = config.vip.unwrap();
        let made = Layout::new(&"farm".parse().unwrap(), 2, &vip, &plan, &interfaces).unwrap();
        let vmac = Some(MacAddr([0x5a, 0xfe, 10, 0, 1, 100]));
        let addr = |addr: &str, device: &str, reach, vmac| LayoutVip {
            addr: addr.parse().unwrap(),
            device: device.to_owned(),
            reach,
            vmac,
        };
        // One virtual MAC address for an interface, made of its first address.
        let wanted = [
            addr("10.0.1.100", "eth0", Reach::Every, vmac),
            addr("10.0.1.101", "eth0", Reach::Every, vmac),
            addr("10.0.2.100", "eth1", Reach::One, None),
        ];
        assert_eq!(made.vips, wanted);
        let rule = |group, vip: Option<&str>, port, proto, filter| LayoutRule {
            group,
            vip: vip.map(|v| v.parse().unwrap()),
            port,
            proto,
            filter,
        };
        let wanted = [
            rule(0, None, Some(80), Proto::Tcp, Filter::OnPort),
            rule(1, Some("10.0.2.100"), None, Proto::Udp, Filter::OnAddr),
        ];
        assert_eq!(made.rules, wanted);
        assert!(!made.keep && made.me == 2 && made.peers.is_empty());
        assert!(Layout::new(&"farm".parse().unwrap(), 2, &vip, &plan, &interfaces[..1]).is_err());
    }
}
