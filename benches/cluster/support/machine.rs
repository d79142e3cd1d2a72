//! A cluster and the switch between its machines.

use super::helper;
use crate::cluster::{Cluster, Node};
use safekit::sandbox::{self, DEFAULT_DIR, Options, Sandbox};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

/// A cluster of two nodes, with or without the daemons of the product.
pub fn cluster(name: &str, lans: &[&str], daemons: bool) -> Cluster {
    let lans = lans.iter().map(|lan| (*lan).to_owned()).collect();
    Cluster::with(name, |options| Options { lans, daemons, ..options })
}

/// The switch of the cluster of this name: whoever listens there sees every cable, by one clock.
pub fn switch(name: &str) -> sandbox::Node {
    let full = format!("{name}-{}", std::process::id());
    let (sandbox, state) = Sandbox::open(Path::new(DEFAULT_DIR), &full).unwrap_or_else(|e| panic!("{e}"));
    sandbox.machine_or_switch(&state, "switch").unwrap_or_else(|e| panic!("{e}"))
}

/// The number of a node: the last part of its addresses and the first byte of its application's answers.
pub fn number(node: &Node) -> u8 {
    let number = node.name().trim_start_matches(|c: char| !c.is_ascii_digit()).parse();
    number.expect("nodes are numbered")
}

/// A mirror module around the helper as its application: its userconfig.xml and its scripts.
pub fn application(
    vip: Ipv4Addr,
    pulse: Duration,
    timeout: Duration,
) -> (String, [(&'static str, String); 2]) {
    let pid = "\"$SAFEUSERVAR/application.pid\"";
    let program = helper::itself();
    let start = format!("{program} serve </dev/null >/dev/null 2>&1 &\necho $! >{pid}");
    let stop = format!("read -r pid <{pid} && kill \"$pid\"; rm -f {pid}");
    (mirror(vip, pulse, timeout), [("start_prim", start), ("stop_prim", stop)])
}

/// A mirror module with a virtual address and a heartbeat on the first lan.
pub fn mirror(vip: Ipv4Addr, pulse: Duration, timeout: Duration) -> String {
    let (pulse, timeout) = (pulse.as_millis(), timeout.as_millis());
    format!(
        r#"<?xml version="1.0"?>
<safe>
  <service mode="mirror" boot="auto">
    <heart pulse="{pulse}ms" timeout="{timeout}ms">
      <heartbeat name="default"/>
    </heart>
    <vip>
      <interface_list>
      <interface arpreroute="on">
        <real_interface>
          <virtual_addr addr="{vip}" where="one_side_alias"/>
        </real_interface>
      </interface>
      </interface_list>
    </vip>
    <user/>
  </service>
</safe>
"#
    )
}
