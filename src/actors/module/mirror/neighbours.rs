//! Permanent ARP entries of the heartbeat addresses (CFG-HB-04): a heartbeat then never waits for
//! address resolution. An entry lasts as long as its link: a peer that comes back with another
//! network card must be found again.

use super::Mirror;
use crate::actors::module::Module;
use crate::net::{NetError, addr, neighbour};
use actix::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

/// Time between two settings of the entries.
pub const PERIOD: Duration = Duration::from_secs(60);
/// Time for the kernel to resolve an address by the heartbeats themselves.
const RESOLUTION: Duration = Duration::from_secs(2);

impl Module<Mirror> {
    fn permanent_arp(&self) -> bool {
        self.setup.config.heart.as_ref().is_some_and(|h| h.permanent_arp)
    }

    /// Forgets the entry of each link, and sets it a moment later from what the kernel has found
    /// meanwhile: a card that was replaced is never kept for longer than a period.
    pub(super) fn renew_neighbours(&self, ctx: &mut Context<Self>) {
        for link in 0..self.own.pair.networks.len() {
            self.forget_neighbour(link);
        }
        ctx.run_later(RESOLUTION, |module, _| module.set_neighbours());
    }

    /// Sets the entry of each link that is up.
    fn set_neighbours(&self) {
        let up = |ident: &String| {
            let value = self.values.get(&crate::actors::module::name("heartbeat", ident));
            value.is_some_and(|(v, _)| *v == crate::fsm::resource::Value::Up)
        };
        if self.permanent_arp() {
            let links: Vec<_> =
                self.own.pair.networks.iter().filter(|n| up(&n.0)).map(|n| (n.1, n.2)).collect();
            in_background(links, set);
        }
    }

    /// Forgets the entry of a link that is down.
    pub(super) fn forget_neighbour(&self, link: usize) {
        if self.permanent_arp()
            && let Some((_, local, peer)) = self.own.pair.networks.get(link)
        {
            in_background(vec![(*local, *peer)], |index, peer| neighbour::remove(index, peer).map(drop));
        }
    }
}

fn set(index: u32, peer: IpAddr) -> Result<(), NetError> {
    match neighbour::mac_of(index, peer)? {
        Some(mac) => neighbour::set_permanent(index, peer, mac),
        None => Ok(()),
    }
}

/// Does it for each link (own address, peer's) on another thread; a failure costs nothing but the
/// resolution of an address now and then.
fn in_background(links: Vec<(IpAddr, IpAddr)>, change: fn(u32, IpAddr) -> Result<(), NetError>) {
    tokio::task::spawn_blocking(move || {
        let Ok(interfaces) = addr::interfaces() else { return };
        for (local, peer) in links {
            for place in addr::whereabouts(&interfaces, local) {
                if let Err(error) = change(place.ifindex, peer) {
                    tracing::debug!(%peer, %error, "the permanent arp entry of a heartbeat address is not changed");
                }
            }
        }
    });
}
