//! Three nodes, a client and the switch between them.

use crate::serve::Server;
use crate::support::{Space, at, wait_for};
use safekit::config::module::{Filter, Proto};
use safekit::farm::nft::Nft;
use safekit::farm::{Backend, FarmError, Layout, LayoutRule, LayoutVip, Peer};
use safekit::fsm::bucket::{Bitmap, Owners, Reach, Share};
use safekit::net::MacAddr;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// The virtual addresses.
pub const VIPS: [&str; 2] = ["10.9.0.100", "fd09::100"];
/// Of every server.
pub const PORT: u16 = 7000;
const NODES: usize = 3;

/// A node: its namespace, its filter, and what it serves.
pub struct Node {
    pub space: Space,
    pub server: Server,
    nft: Arc<Mutex<Nft>>,
}

/// All of it; it ends with this.
pub struct World {
    pub nodes: Vec<Node>,
    pub client: Space,
    switch: Space,
}

impl World {
    /// Three nodes with the virtual addresses, serving, without a filter. The client has, beside its own
    /// addresses, all of 10.10.0.0/16 and fd10::/64.
    pub fn new() -> World {
        let (switch, client) = (Space::new(), Space::new());
        switch.ip("link add br0 type bridge mcast_snooping 0");
        switch.ip("link set br0 up");
        let spaces: Vec<Space> = (0..NODES).map(|_| Space::new()).collect();
        for (n, space) in spaces.iter().chain([&client]).enumerate() {
            space.sysctl("ipv6/conf/default/accept_dad", "0");
            let end = if n == NODES { 200 } else { n + 1 };
            switch.cable(&format!("port{n}"), space, "eth0");
            switch.ip(&format!("link set port{n} master br0"));
            space.address("eth0", &format!("10.9.0.{end}/24"));
            space.address("eth0", &format!("fd09::{end}/64"));
        }
        client.sysctl("ipv6/ip_nonlocal_bind", "1");
        client.ip("route add local 10.10.0.0/16 dev lo");
        client.ip("-6 route add local fd10::/64 dev lo");
        let node = |(n, space): (usize, Space)| {
            space.ip("route add 10.10.0.0/16 via 10.9.0.200");
            space.ip("-6 route add fd10::/64 via fd09::200");
            VIPS.iter().for_each(|vip| space.address("eth0", &format!("{vip}/{}", width(at(vip)))));
            let server = Server::start(&space, n);
            let nft = Arc::new(Mutex::new(Nft::new(&"farm".parse().unwrap())));
            Node { space, server, nft }
        };
        let world = World { nodes: spaces.into_iter().enumerate().map(node).collect(), client, switch };
        wait_for("all cables", || world.nodes.iter().all(|n| n.space.interface("eth0").carrier));
        world
    }

    /// A world that filters by these rules.
    pub fn with(reach: Reach, rules: Vec<LayoutRule>, keep: bool, shares: &[Share]) -> World {
        let world = World::new();
        for me in 0..NODES {
            let (layout, shares) = (world.layout(me, reach, rules.clone(), keep), shares.to_vec());
            world.filter(me, move |nft| nft.load(&layout, &shares)).unwrap();
        }
        world
    }

    /// The layout of a node.
    pub fn layout(&self, me: usize, reach: Reach, rules: Vec<LayoutRule>, keep: bool) -> Layout {
        let vip = |addr: &&str| LayoutVip { addr: at(addr), device: "eth0".to_owned(), reach, vmac: None };
        let peer = |node| Peer { node, macs: BTreeMap::from([("eth0".to_owned(), self.mac(node))]) };
        Layout {
            module: "farm".parse().unwrap(),
            me,
            vips: VIPS.iter().map(vip).collect(),
            rules,
            peers: (0..NODES).filter(|node| *node != me).map(peer).collect(),
            keep,
        }
    }

    /// The MAC address of a node.
    pub fn mac(&self, node: usize) -> MacAddr {
        self.nodes[node].space.interface("eth0").mac.unwrap()
    }

    /// Does something with the filter of a node.
    pub fn filter<R: Send + 'static>(
        &self,
        node: usize,
        work: impl FnOnce(&mut Nft) -> R + Send + 'static,
    ) -> R {
        let nft = self.nodes[node].nft.clone();
        self.nodes[node].space.run(move || work(&mut nft.lock().unwrap()))
    }

    /// The same shares for all nodes, one after the other.
    pub fn switch(&self, shares: &[Share]) {
        for node in 0..NODES {
            let shares = shares.to_vec();
            self.filter(node, move |nft| nft.switch(&shares)).unwrap();
        }
    }

    /// What a node shows of its filter, of so many groups.
    pub fn shown(&self, node: usize, groups: usize) -> Result<Vec<Bitmap>, FarmError> {
        self.filter(node, move |nft| nft.shown(groups))
    }

    /// To whom of the nodes and the client the switch sends what it has no port for.
    #[allow(dead_code, reason = "for benchmarks")]
    pub fn flood(&self, ports: [bool; NODES + 1]) {
        for (n, on) in ports.into_iter().enumerate() {
            let on = if on { "on" } else { "off" };
            self.switch.ip(&format!("link set port{n} type bridge_slave flood {on}"));
        }
    }

    /// How many requests each node has had, and forgets them.
    pub fn served(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.server.take_count()).collect()
    }
}

fn width(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { 24 } else { 64 }
}

/// A rule of the first group for all ports of all addresses.
pub fn rule(proto: Proto, filter: Filter) -> LayoutRule {
    LayoutRule { group: 0, vip: None, port: None, proto, filter }
}

/// TCP and UDP, both by this filter.
pub fn rules(filter: Filter) -> Vec<LayoutRule> {
    vec![rule(Proto::Tcp, filter), rule(Proto::Udp, filter)]
}

/// The buckets in these proportions, each node's scattered over all.
pub fn owners(weights: [usize; NODES]) -> Owners {
    let total: usize = weights.iter().sum();
    Owners::new(|bucket| {
        let place = (usize::from(bucket) * 77 % 256) * total / 256;
        let mut ends = weights.iter().scan(0, |end, weight| {
            *end += weight;
            Some(*end)
        });
        ends.position(|end| place < end)
    })
}

/// As `owners`, and nothing moves.
pub fn share(weights: [usize; NODES]) -> Share {
    Share::settled(owners(weights))
}
