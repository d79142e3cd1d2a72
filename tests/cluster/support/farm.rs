//! The farm that the scenarios of load balancing run: its application says who answers.

use super::{Cluster, MODULE, Node, eventually};
use std::net::SocketAddr;

/// Its virtual addresses.
pub const VIP4: &str = "10.77.1.100";
pub const VIP6: &str = "fd77:1::100";
/// Where its application answers.
pub const PORT: u16 = 8080;
pub const PORT2: u16 = 8081;

const APPLICATION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo/farm/bin/answer.py");
const START: &str = include_str!("../../../scripts/demo/farm/bin/start_both");
const STOP: &str = include_str!("../../../scripts/demo/farm/bin/stop_both");

/// A configuration: what is not named here is the same in all scenarios.
pub struct Farm<'a> {
    /// `vmac_directed` or `vmac_invisible`.
    pub kind: &'a str,
    /// Attributes of `<vip>`.
    pub vip: &'a str,
    /// What is in `<loadbalancing_list>`.
    pub groups: &'a str,
    /// Attributes of `<virtual_addr>`.
    pub address: &'a str,
}

impl Default for Farm<'_> {
    fn default() -> Self {
        Farm { kind: "vmac_directed", vip: "", groups: ON_PORT, address: "" }
    }
}

/// Every connection goes to any node.
pub const ON_PORT: &str =
    r#"<group name="FarmProto"><rule port="8080" proto="tcp" filter="on_port"/></group>"#;

/// Name of that group in messages and resources.
pub const GROUP: &str = "FarmProto_0";

impl Farm<'_> {
    /// As userconfig.xml.
    pub fn xml(&self) -> String {
        let Farm { kind, vip, groups, address } = self;
        format!(
            r#"<?xml version="1.0"?>
<safe>
  <service mode="farm" boot="auto">
    <farm pulse="100ms" mlost_count="10" slost_count="20">
      <lan name="default"/>
    </farm>
    <vip {vip}>
      <interface_list>
        <interface check="off" arpreroute="on">
          <virtual_interface type="{kind}">
            <virtual_addr addr="{VIP4}" check="off" {address}/>
            <virtual_addr addr="{VIP6}" check="off" {address}/>
          </virtual_interface>
        </interface>
      </interface_list>
      <loadbalancing_list>{groups}</loadbalancing_list>
    </vip>
    <user nicestoptimeout="30" forcestoptimeout="10">
      <var name="APPLICATION" value="{APPLICATION}"/>
      <var name="PORT" value="{PORT},{PORT2}"/>
      <var name="ADDRESSES" value="{VIP4} {VIP6}"/>
    </user>
    <failover period="200" handle_time="400"/>
  </service>
</safe>
"#
        )
    }

    /// A cluster of so many nodes and two clients, on which the module is installed and stopped.
    pub fn installed(&self, test: &str, nodes: u8) -> Cluster {
        let lans = vec!["default".to_owned()];
        let cluster = Cluster::with(test, |o| safekit::sandbox::Options { nodes, clients: 2, lans, ..o });
        cluster.install(MODULE, &self.xml(), &[("start_both", START), ("stop_both", STOP)]);
        cluster
    }

    /// The same with the module UP on all nodes, sharing the clients.
    pub fn up(&self, test: &str, nodes: u8) -> Cluster {
        let cluster = self.installed(test, nodes);
        cluster.nodes().iter().for_each(|node| drop(node.ok(&["start", "-m", MODULE])));
        cluster.nodes().iter().for_each(|node| node.wait_state(MODULE, "UP"));
        wait_shared(&cluster.nodes().iter().collect::<Vec<_>>());
        cluster
    }
}

/// The virtual address with the port of the application.
pub fn target(vip: &str) -> SocketAddr {
    SocketAddr::new(vip.parse().expect("an address"), PORT)
}

/// The bitmaps that `vip_if_ctrl -l` prints, and the number before each.
pub fn bitmaps(node: &Node) -> Vec<(usize, [u32; 8])> {
    let text = node.ok(&["-r", "vip_if_ctrl", "-l"]);
    let parse = |line: &str| {
        let mut words = line.strip_prefix("Bitmap ")?.split(':');
        let number = words.next()?.parse().ok()?;
        let words: Option<Vec<u32>> =
            words.map(|w| u32::from_str_radix(w, 16).ok().filter(|_| w.len() == 8)).collect();
        Some((number, <[u32; 8]>::try_from(words?).ok()?))
    };
    text.lines().map(|line| parse(line).unwrap_or_else(|| panic!("no bitmap: {line}"))).collect()
}

/// How many buckets a bitmap has.
pub fn bits(bitmap: &[u32; 8]) -> u32 {
    bitmap.iter().map(|word| word.count_ones()).sum()
}

/// Each bucket of each group is accepted by exactly one of these nodes.
fn shared(nodes: &[&Node]) -> bool {
    let all: Vec<_> = nodes.iter().map(|node| bitmaps(node)).collect();
    let groups = all[0].len();
    let whole = |group: usize| {
        let mut union = [0; 8];
        let mut count = 0;
        for (_, bitmap) in all.iter().filter_map(|maps| maps.get(group)) {
            union.iter_mut().zip(bitmap).for_each(|(a, b)| *a |= b);
            count += bits(bitmap);
        }
        bits(&union) == 256 && count == 256
    };
    groups > 0 && (0..groups).all(whole)
}

/// Waits until the buckets are shared among these nodes, and each has some.
pub fn wait_shared(nodes: &[&Node]) {
    let names: Vec<_> = nodes.iter().map(|node| node.name()).collect();
    eventually(&format!("each bucket has one owner among {names:?}"), || {
        let some = |node: &&Node| bitmaps(node).iter().any(|(_, bitmap)| bits(bitmap) > 0);
        (shared(nodes) && nodes.iter().all(some)).then_some(())
    });
}
