//! Has an interface its link and its address (CFG-INT, NET-06, C-4.4.4)?

use super::{DEFAULT_INTERVAL, Finding, Observation, Probe, Probing, blocking, tcp::resolve};
use crate::config::address::Address;
use crate::net::NetError;
use crate::net::addr::{Interface, interfaces, network, place};
use crate::net::link::LinkState;
use std::net::IpAddr;
use std::time::Duration;

/// How the interface is found.
#[derive(Clone, Debug)]
pub struct Intf {
    /// Its name, if the configuration gives it.
    pub name: Option<String>,
    /// An address of the interface, or a virtual one in its network.
    pub addr: Address,
    /// The address is virtual: its presence says nothing, the interface needs another one.
    pub is_virtual: bool,
}

impl Intf {
    /// Network of the interface, e.g. `192.168.0.0`: the identity of a checker that `<vip>`
    /// generates. Blocks.
    ///
    /// # Errors
    /// The name cannot be resolved, or no interface has an address in that network.
    pub fn network(&self) -> Result<IpAddr, NetworkError> {
        let addr = self
            .addr
            .resolve()
            .map_err(|source| NetworkError::Resolve { addr: self.addr.clone(), source })?;
        let place = place(&interfaces()?, addr, self.name.as_deref(), None)?;
        Ok(network(addr, place.prefix))
    }
}

/// Why the network of an interface checker is not known.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The address is a name that has no address.
    #[error("cannot resolve {addr}: {source}")]
    Resolve {
        /// The name.
        addr: Address,
        /// The resolver's reason.
        source: std::io::Error,
    },
    /// No such interface or network here.
    #[error(transparent)]
    Net(#[from] NetError),
}

impl Probe for Intf {
    fn interval(&self) -> Duration {
        DEFAULT_INTERVAL
    }

    fn watches_links(&self) -> bool {
        true
    }

    fn probe(&self) -> Probing {
        let Intf { name, addr, is_virtual } = self.clone();
        Box::pin(async move {
            let Some(ip) = resolve(addr.clone()).await else {
                tracing::warn!(%addr, "the address of an interface checker cannot be resolved");
                return Observation::Unchanged;
            };
            match blocking(interfaces).await {
                Some(Ok(list)) => Observation::Found(judge(&list, name.as_deref(), ip, is_virtual)),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the interfaces of this node cannot be read");
                    Observation::Unchanged
                }
                None => Observation::Unchanged,
            }
        })
    }
}

fn judge(list: &[Interface], name: Option<&str>, addr: IpAddr, is_virtual: bool) -> Finding {
    let holds = |interface: &&Interface| {
        interface.addresses.iter().any(|own| match is_virtual {
            true => own.addr != addr && own.contains(addr),
            false => own.addr == addr,
        })
    };
    let named = |interface: &&Interface| name.is_none_or(|name| interface.name == name);
    // Of several in the same network the best one counts, as when the virtual address is placed.
    let links = list.iter().filter(named).filter(holds).map(Interface::link);
    match links.min_by_key(|link| rank(*link)) {
        Some(LinkState::Up) => Finding::Up,
        Some(LinkState::NoCarrier) => Finding::Down,
        Some(LinkState::Disabled) | None => Finding::NoLocalAddress,
    }
}

fn rank(link: LinkState) -> u8 {
    match link {
        LinkState::Up => 0,
        LinkState::NoCarrier => 1,
        LinkState::Disabled => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addr::InterfaceAddr;

    fn interface(name: &str, up: bool, carrier: bool, addrs: &[&str]) -> Interface {
        let addresses = addrs
            .iter()
            .map(|addr| InterfaceAddr { addr: addr.parse().unwrap(), prefix: 24, unusable: false })
            .collect();
        Interface {
            index: 1,
            name: name.to_owned(),
            mac: None,
            up,
            running: carrier,
            carrier,
            promiscuous: false,
            addresses,
        }
    }

    #[test]
    fn c_4_4_4_link_disabled_and_address() {
        let own = "10.0.0.1".parse().unwrap();
        let virtual_addr = "10.0.0.99".parse().unwrap();
        for (up, carrier, addrs, physical, virtual_one) in [
            (true, true, &["10.0.0.1"][..], Finding::Up, Finding::Up),
            (true, false, &["10.0.0.1"], Finding::Down, Finding::Down),
            (false, false, &["10.0.0.1"], Finding::NoLocalAddress, Finding::NoLocalAddress),
            (true, true, &[], Finding::NoLocalAddress, Finding::NoLocalAddress),
            (true, true, &["10.0.0.99"], Finding::NoLocalAddress, Finding::NoLocalAddress),
            (true, true, &["10.0.0.2"], Finding::NoLocalAddress, Finding::Up),
        ] {
            let list = [interface("eth0", up, carrier, addrs)];
            assert_eq!(judge(&list, None, own, false), physical, "{list:?}");
            assert_eq!(judge(&list, Some("eth0"), virtual_addr, true), virtual_one, "{list:?}");
            assert_eq!(judge(&list, Some("eth1"), own, false), Finding::NoLocalAddress);
        }
        let two = [interface("a", true, false, &["10.0.0.1"]), interface("b", true, true, &["10.0.0.2"])];
        assert_eq!(judge(&two, None, virtual_addr, true), Finding::Up);
    }

    #[tokio::test]
    async fn the_loopback_is_up() {
        let intf = |addr: &str| Intf { name: None, addr: addr.parse().unwrap(), is_virtual: false };
        assert_eq!(intf("127.0.0.1").probe().await, Observation::Found(Finding::Up));
        assert_eq!(intf("203.0.113.77").probe().await, Observation::Found(Finding::NoLocalAddress));
        let in_net = Intf { name: None, addr: "127.9.9.9".parse().unwrap(), is_virtual: true };
        assert_eq!(in_net.network().unwrap().to_string(), "127.0.0.0");
        assert!(intf("203.0.113.77").network().is_err());
    }
}
