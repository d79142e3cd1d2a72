//! The virtual addresses of a module, set and removed all or none (NET-01 to NET-05).
//!
//! Nothing here remembers what was set: removal looks for the addresses on every interface, so
//! that what a crashed process left behind goes too (an orphan address answers clients for ever).

use super::addr::{self, Interface, Placement};
use super::arp::Announcer;
use super::{MacAddr, NetError, sockets};
use std::net::IpAddr;
use std::time::Duration;

/// The virtual addresses that a module sets together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VipPlan {
    /// Reset the connections of an address before it is removed (CFG-VIP-01).
    pub tcpreset: bool,
    /// The addresses, in the order of the configuration.
    pub addrs: Vec<VipAddr>,
}

/// One virtual address (CFG-VIP-03 to CFG-VIP-14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VipAddr {
    /// The address.
    pub addr: IpAddr,
    /// The interface that the configuration forces.
    pub interface: Option<String>,
    /// Prefix length, from the netmask of the configuration.
    pub prefix: Option<u8>,
    /// Go on announcing each `arpinterval` during `arpelapse`.
    pub arpreroute: bool,
    /// Between two announcements.
    pub arpinterval: Duration,
    /// How long announcements go on.
    pub arpelapse: Duration,
    /// Count the connections of the address (RES-41).
    pub connections: bool,
    /// The virtual MAC address that answers for it (NET-11); none: that of the interface.
    pub vmac: Option<MacAddr>,
    /// The other nodes of a farm have the address too (NET-10): that one of them answers is no conflict.
    pub shared: bool,
}

/// A setting of the kernel and the least value that is needed: its path below `/proc/sys`.
pub type Setting = (String, i32);

impl VipPlan {
    /// Where its addresses are to be set, in their order.
    ///
    /// # Errors
    /// No such interface or network; a prefix that cannot be.
    pub fn places(&self, interfaces: &[Interface]) -> Result<Vec<Placement>, NetError> {
        let place = |v: &VipAddr| addr::place(interfaces, v.addr, v.interface.as_deref(), v.prefix);
        self.addrs.iter().map(place).collect()
    }

    /// What of the kernel must be changed while its addresses are set: nothing for those that only this
    /// node answers for.
    ///
    /// # Errors
    /// As of [`VipPlan::places`]; or the interfaces cannot be read.
    pub fn settings(&self) -> Result<Vec<Setting>, NetError> {
        if !self.addrs.iter().any(VipAddr::is_special) {
            return Ok(Vec::new());
        }
        let interfaces = addr::interfaces()?;
        let places = self.places(&interfaces)?;
        let special = self.addrs.iter().zip(&places).filter(|(vip, _)| vip.is_special());
        Ok(special.flat_map(|(_, place)| settings(place, &interfaces)).collect())
    }
}

impl VipAddr {
    /// Other nodes answer for it too, or with another MAC address.
    fn is_special(&self) -> bool {
        self.shared || self.vmac.is_some()
    }
}

fn settings(place: &Placement, interfaces: &[Interface]) -> Vec<Setting> {
    let name = &place.ifname;
    if place.addr.is_ipv6() {
        // Else an interface that was disabled and enabled again has lost the address.
        return vec![(format!("net/ipv6/conf/{name}/keep_addr_on_down"), 1)];
    }
    // This node asks for clients with an address of its own: else they learn its MAC address for ours.
    let mut all = vec![(format!("net/ipv4/conf/{name}/arp_announce"), 2)];
    let same_link = |i: &&Interface| i.name != *name && i.addresses.iter().any(|a| a.contains(place.addr));
    // A second interface on the same link, on which nothing filters, must not answer.
    let others = interfaces.iter().filter(same_link);
    all.extend(others.map(|other| (format!("net/ipv4/conf/{}/arp_ignore", other.name), 1)));
    all
}

/// Sets every address of the plan and announces each at once. Addresses that stand elsewhere on
/// this node are moved. On any failure no address of the plan is left, whoever set it.
///
/// An announcement that fails is only logged: it is repeated soon (see `actors::vip`).
///
/// # Errors
/// The first failure, typed; nothing is half set then.
pub fn set_all(plan: &VipPlan, announcer: &Announcer) -> Result<Vec<Placement>, NetError> {
    set_each(plan, announcer).inspect_err(|_| {
        if let Err(error) = unset_all(plan) {
            tracing::error!(%error, "a virtual address stays half set");
        }
    })
}

fn set_each(plan: &VipPlan, announcer: &Announcer) -> Result<Vec<Placement>, NetError> {
    let interfaces = addr::interfaces()?;
    // Everything that can be refused without touching the system is refused first.
    let places = plan.places(&interfaces)?;
    for (vip, place) in plan.addrs.iter().zip(&places) {
        for other in addr::whereabouts(&interfaces, place.addr).iter().filter(|p| *p != place) {
            addr::remove(other)?;
        }
        addr::add(place)?;
        announce(announcer, place, vip.vmac);
    }
    Ok(places)
}

/// Removes every address of the plan wherever it stands, after its connections are reset, and
/// checks that it is gone. Goes on after a failure; what could be removed is removed.
///
/// # Errors
/// The first failure to remove an address. A reset that fails is only logged.
pub fn unset_all(plan: &VipPlan) -> Result<(), NetError> {
    let mut outcome = Ok(());
    let interfaces = addr::interfaces()?;
    for vip in &plan.addrs {
        let places = addr::whereabouts(&interfaces, vip.addr);
        if plan.tcpreset
            && !places.is_empty()
            && let Err(error) = sockets::reset(vip.addr)
        {
            tracing::warn!(%error, "the connections of a virtual address are not reset");
        }
        for place in places {
            outcome = outcome.and(addr::remove(&place).map(|_| ()));
        }
    }
    outcome?;
    let interfaces = addr::interfaces()?;
    let left = plan.addrs.iter().find_map(|vip| addr::whereabouts(&interfaces, vip.addr).pop());
    match left {
        Some(place) => Err(NetError::StillThere { addr: place.addr, interface: place.ifname }),
        None => Ok(()),
    }
}

/// Announces an address with its virtual MAC address, else with the one that its interface has now; false
/// when it could not be sent, which is logged. An interface without MAC addresses has nothing to announce.
pub fn announce(announcer: &Announcer, place: &Placement, vmac: Option<MacAddr>) -> bool {
    let sent = addr::interface(place.ifindex).and_then(|interface| {
        let mac = interface.and_then(|i| i.mac.and(vmac.or(i.mac)));
        mac.map_or(Ok(()), |mac| announcer.announce(place.ifindex, mac, place.addr))
    });
    if let Err(error) = &sent {
        tracing::warn!(%error, interface = place.ifname, "a virtual address is not announced");
    }
    sent.is_ok()
}
