//! Which node answers a client.

use super::bucket;
use crate::config::module::Filter;
use crate::fsm::bucket::Share;
use crate::fsm::membership::Node;
use std::net::{IpAddr, SocketAddr};

/// Who answers a client by a load balancing rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This node.
    Node {
        /// Of the 256.
        bucket: u8,
        /// Who answers new connections.
        node: Node,
        /// Who goes on with the established ones, while that is another node.
        established: Option<Node>,
    },
    /// No node that could is there.
    Nobody {
        /// Of the 256.
        bucket: u8,
    },
    /// The port of the client decides, and was not given.
    ByPort,
    /// Each datagram has an owner of its own.
    ByDatagram,
}

/// Who answers a client, by a rule with this filter of a group with this share.
pub fn owner(filter: Filter, share: &Share, client: IpAddr, port: Option<u16>) -> Owner {
    let port = match (filter, port) {
        // IPv6 has no identification: the address decides.
        (Filter::OnIpid, _) if client.is_ipv4() => return Owner::ByDatagram,
        (Filter::OnPort, None) => return Owner::ByPort,
        (_, port) => port.unwrap_or(0),
    };
    let bucket = bucket(filter, SocketAddr::new(client, port), 0);
    match share.owners.of(bucket) {
        None => Owner::Nobody { bucket },
        Some(node) => {
            let established = share.previous.of(bucket).filter(|old| *old != node);
            Owner::Node { bucket, node, established }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsm::bucket::Owners;

    #[test]
    fn the_bucket_of_the_client_decides() {
        let (v4, v6): (IpAddr, IpAddr) = ("10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap());
        let at = bucket(Filter::OnAddr, SocketAddr::new(v4, 0), 0);
        let only = |node: Option<Node>| Owners::new(|b| if b == at { node } else { Some(9) });
        let mut share = Share::settled(only(Some(2)));
        let node = |established| Owner::Node { bucket: at, node: 2, established };
        for port in [None, Some(80)] {
            assert_eq!(owner(Filter::OnAddr, &share, v4, port), node(None));
        }
        share.previous = only(Some(1));
        assert_eq!(owner(Filter::OnAddr, &share, v4, None), node(Some(1)));
        share.owners = only(None);
        assert_eq!(owner(Filter::OnAddr, &share, v4, None), Owner::Nobody { bucket: at });
        assert_eq!(owner(Filter::OnPort, &share, v4, None), Owner::ByPort);
        assert!(matches!(
            owner(Filter::OnPort, &share, v4, Some(80)),
            Owner::Node { .. } | Owner::Nobody { .. }
        ));
        assert_eq!(owner(Filter::OnIpid, &share, v4, Some(80)), Owner::ByDatagram);
        assert!(matches!(owner(Filter::OnIpid, &share, v6, None), Owner::Node { node: 9, .. }));
    }
}
