//! The virtual addresses of a module, set and removed all or none (NET-01 to NET-05).
//!
//! Nothing here remembers what was set: removal looks for the addresses on every interface, so
//! that what a crashed process left behind goes too (an orphan address answers clients for ever).

use super::addr::{self, Placement};
use super::arp::Announcer;
use super::{NetError, sockets};
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
    let place = |v: &VipAddr| addr::place(&interfaces, v.addr, v.interface.as_deref(), v.prefix);
    // Everything that can be refused without touching the system is refused first.
    let places = plan.addrs.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    for place in &places {
        for other in addr::whereabouts(&interfaces, place.addr).iter().filter(|p| *p != place) {
            addr::remove(other)?;
        }
        addr::add(place)?;
        announce(announcer, place);
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

/// Announces an address with the MAC address that its interface has now; false when it could not
/// be sent, which is logged. An interface without MAC addresses has nothing to announce.
pub fn announce(announcer: &Announcer, place: &Placement) -> bool {
    let sent = addr::interface(place.ifindex).and_then(|interface| {
        let mac = interface.and_then(|i| i.mac);
        mac.map_or(Ok(()), |mac| announcer.announce(place.ifindex, mac, place.addr))
    });
    if let Err(error) = &sent {
        tracing::warn!(%error, interface = place.ifname, "a virtual address is not announced");
    }
    sent.is_ok()
}
