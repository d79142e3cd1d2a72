//! The cables: one bridge per LAN in the switch, and a pair of virtual Ethernet ends per machine and LAN.

use super::bounded::wait_bounded;
use super::error::{During, Result, SandboxError};
use super::node::Node;
use super::state::{Cut, State};
use nix::net::if_::if_nametoindex;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The switch's end of the cable between a machine and the LAN at `lan`.
fn port(machine: &Node, lan: usize) -> String {
    format!("p{}l{}", machine.number, lan + 1)
}

fn bridge(lan: usize) -> String {
    format!("lan{}", lan + 1)
}

/// Makes the bridges.
pub(super) fn install_switch(switch: &Node, state: &State) -> Result<()> {
    let mut script = String::new();
    for lan in 0..state.lans.len() {
        let bridge = bridge(lan);
        // No snooping: a farm's multicast must reach everybody at once, as from a plain switch.
        script += &format!(
            "link add {bridge} type bridge forward_delay 0 mcast_snooping 0\nlink set {bridge} up\n"
        );
    }
    ip(switch, &script)
}

/// Plugs a machine into every LAN, except where its cable is cut, and gives it its addresses.
pub(super) fn attach(switch: &Node, machine: &Node, state: &State) -> Result<()> {
    let pid = machine.running()?.pid;
    let mut outside = String::new();
    let mut inside = String::from("link set lo up\n");
    for lan in 0..state.lans.len() {
        let port = port(machine, lan);
        outside += &format!("link add {port} type veth peer name eth{lan} netns {pid}\n");
        let cut = state.cuts.iter().find(|cut| cut.machine == machine.name && cut.lan == lan);
        outside += &plug(&port, lan, cut);
        inside += &format!("addr add {}/24 dev eth{lan}\n", machine.address(lan + 1));
        if has_ipv6() {
            // The addresses are ours by construction: without the probe they work at once.
            inside += &format!("addr add {}/64 dev eth{lan} nodad\n", machine.address6(lan + 1));
        }
        inside += &format!("link set eth{lan} up\n");
    }
    ip(switch, &outside)?;
    ip(machine, &inside)
}

/// Takes all cables out of the switch: the machine's network is gone, though it sees a carrier.
pub(super) fn detach(switch: &Node, machine: &Node, state: &State) -> Result<()> {
    let lines = (0..state.lans.len()).map(|lan| format!("link set {} nomaster\n", port(machine, lan)));
    ip(switch, &lines.collect::<String>())
}

/// Removes the cables of a machine that is powered off. They may have gone with it already.
pub(super) fn remove_cables(switch: &Node, machine: &Node, state: &State) -> Result<()> {
    switch.in_network(|| {
        for lan in 0..state.lans.len() {
            let port = port(machine, lan);
            let there = || if_nametoindex(port.as_str()).is_ok();
            if there()
                && let Err(e) = ip_here(switch, &format!("link del {port}\n"))
                && there()
            {
                return Err(e);
            }
        }
        Ok(())
    })?
}

/// Brings the cable between a machine and a LAN into the state it has in `state.cuts`.
pub(super) fn replug(switch: &Node, machine: &Node, lan: usize, cut: Option<&Cut>) -> Result<()> {
    ip(switch, &plug(&port(machine, lan), lan, cut))
}

fn plug(port: &str, lan: usize, cut: Option<&Cut>) -> String {
    match cut {
        None => format!("link set {port} master {}\nlink set {port} up\n", bridge(lan)),
        // Off the bridge but up: the machine's end keeps its carrier.
        Some(Cut { carrier: false, .. }) => format!("link set {port} nomaster\nlink set {port} up\n"),
        Some(Cut { carrier: true, .. }) => format!("link set {port} nomaster\nlink set {port} down\n"),
    }
}

fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6").exists()
}

/// Runs `ip` in the network of a machine, once for a whole script.
fn ip(machine: &Node, script: &str) -> Result<()> {
    machine.in_network(|| ip_here(machine, script))?
}

fn ip_here(machine: &Node, script: &str) -> Result<()> {
    let started = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Err(SandboxError::Missing { tool: "ip", package: "iproute2" });
        }
        other => other.during(|| "run ip".into())?,
    };
    if let Some(mut stdin) = child.stdin.take() {
        // If it ends before it has read everything, its own message says more than a broken pipe.
        let _ = stdin.write_all(script.as_bytes());
    }
    wait_bounded(&mut child, PATIENCE, "ip")?;
    let output = child.wait_with_output().during(|| "read the answer of ip".into())?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(SandboxError::Tool {
        command: format!("ip ({})", script.trim().replace('\n', "; ")),
        machine: machine.name.clone(),
        reason,
    })
}
