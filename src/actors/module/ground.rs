//! What the virtual addresses of a module need of the kernel.

use super::Setup;
use crate::actors::vip::{Ground, VipPlan};
use crate::farm::Layout;
use crate::farm::nft::Nft;
use crate::fsm::membership::Node;
use crate::net::addr::Interface;
use crate::node::sysctl::Settings;

/// Settings, and the filter of a mirror that answers with a virtual MAC address (NET-16); that of a farm
/// belongs to its group.
pub(super) fn of(setup: &Setup, plan: &VipPlan) -> Ground {
    let ground = Ground::with_settings(Settings::new(&setup.paths, &setup.boot, &setup.name));
    let alone = plan.addrs.iter().any(|vip| vip.vmac.is_some() && !vip.shared);
    let Some(vip) = setup.config.vip.clone().filter(|_| alone) else { return ground };
    let (module, me, plan) = (setup.name.clone(), Node::from(setup.me.0), plan.clone());
    let make = move |interfaces: &[Interface]| Layout::new(&module, me, &vip, &plan, interfaces);
    ground.and_filter(Box::new(Nft::new(&setup.name)), Box::new(make))
}
