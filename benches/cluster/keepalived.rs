//! keepalived on a node without our daemons: the yardstick for moving bare addresses.

use crate::cluster::{Node, eventually};
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

/// The same on both, so that nobody takes an address back: the holder keeps it.
const PRIORITY: u32 = 100;

/// Whether there is something to compare with.
pub fn is_installed() -> bool {
    std::process::Command::new("keepalived").arg("--version").output().is_ok()
}

/// The silence after which the backup takes over (RFC 5798: three advertisements and the skew).
pub fn timeout(every: Duration) -> Duration {
    every * 3 + every * (256 - PRIORITY) / 256
}

/// Starts it with an instance per address, and waits until it is the backup or the master of all.
pub fn start(node: &Node, every: Duration, addresses: &[Ipv4Addr]) {
    let dir = node.inside().dir();
    let (conf, said) = (dir.join("keepalived.conf"), dir.join("keepalived.out"));
    std::fs::write(&conf, configuration(every, addresses)).expect("write its configuration");
    // Left from before a power failure: a process of the new life may have the number of the old one.
    for left in [&said, &dir.join("main.pid"), &dir.join("vrrp.pid")] {
        let _ = std::fs::remove_file(left);
    }
    let files = format!("-f {} -p {1}/main.pid -r {1}/vrrp.pid", conf.display(), dir.display());
    let begin = format!("setsid keepalived -n -l -P -D {files} </dev/null >{} 2>&1 &", said.display());
    assert_eq!(node.sh(&begin).code, 0);
    let entered = |text: &str| text.matches("Entering BACKUP STATE").count() >= addresses.len();
    eventually("keepalived", || {
        std::fs::read_to_string(&said).is_ok_and(|text| entered(&text)).then_some(())
    });
}

fn configuration(every: Duration, addresses: &[Ipv4Addr]) -> String {
    let mut text = String::from("global_defs {\n  vrrp_version 3\n}\n");
    for (at, address) in addresses.iter().enumerate() {
        let id = at + 1;
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "vrrp_instance i{id} {{\n  state BACKUP\n  nopreempt\n  interface eth0\n  \
             virtual_router_id {id}\n  priority {PRIORITY}\n  advert_int {}\n  \
             virtual_ipaddress {{\n    {address}/24\n  }}\n}}\n",
            every.as_secs_f64()
        );
    }
    text
}
