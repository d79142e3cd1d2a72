//! What a sandbox looks like at present.

use super::Sandbox;
use super::console::{self, Console};
use super::disk::Faults;
use super::error::Result;
use super::init::ServiceStatus;
use super::node::Node;
use super::state::State;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;

/// A sandbox as `safekit sandbox status` shows it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its LANs; the first is 10.77.1.0/24.
    pub lans: Vec<String>,
    /// The nodes, then the clients.
    pub machines: Vec<MachineStatus>,
    /// Web consoles of the nodes, as a browser on this machine finds them.
    pub consoles: Vec<Console>,
    /// Password of `admin` there.
    pub password: String,
}

/// One machine of it.
#[derive(Debug, Serialize)]
pub struct MachineStatus {
    /// Its name.
    pub name: String,
    /// Whether it is powered on.
    pub on: bool,
    /// Its first process, if it is on.
    pub pid: Option<i32>,
    /// The id of its present boot.
    pub boot_id: Option<String>,
    /// Its own IPv4 addresses, in the order of the LANs.
    pub addresses: Vec<String>,
    /// LANs from which it is cut.
    pub cut: Vec<String>,
    /// What is wrong with its lossy disk, if it has one and is on.
    pub disk: Option<Faults>,
    /// The programs it keeps running.
    pub services: Vec<ServiceStatus>,
}

impl Sandbox {
    /// What it looks like at present.
    pub fn status(&self) -> Result<Status> {
        let (_, state) = Sandbox::at(self.dir())?;
        let machines = self.machines(&state).iter().map(|m| machine(m, &state)).collect::<Result<_>>()?;
        let consoles = console::list(self, &state)?;
        let dir = self.dir().to_path_buf();
        Ok(Status { name: state.name, dir, lans: state.lans, machines, consoles, password: state.password })
    }
}

fn machine(machine: &Node, state: &State) -> Result<MachineStatus> {
    let boot = machine.boot()?;
    let on = boot.is_some();
    let cut = state.cuts.iter().filter(|c| c.machine == machine.name());
    Ok(MachineStatus {
        name: machine.name().to_owned(),
        on,
        pid: boot.as_ref().map(|b| b.pid),
        boot_id: boot.map(|b| b.id),
        addresses: (1..=state.lans.len()).map(|lan| machine.address(lan)).collect(),
        cut: cut.filter_map(|c| state.lans.get(c.lan).cloned()).collect(),
        disk: if on { machine.disk_faults()? } else { None },
        services: if on { machine.services()? } else { Vec::new() },
    })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sandbox {} in {}", self.name, self.dir.display())?;
        for (at, lan) in self.lans.iter().enumerate() {
            writeln!(f, "lan {lan}: 10.77.{}.0/24", at + 1)?;
        }
        for machine in &self.machines {
            let power = if machine.on { "on" } else { "off" };
            write!(f, "{:<8} {power:<4} {}", machine.name, machine.addresses.join(" "))?;
            if !machine.cut.is_empty() {
                write!(f, "  cut from {}", machine.cut.join(", "))?;
            }
            if let Some(faults) = &machine.disk {
                write!(f, "  {faults}")?;
            }
            for service in &machine.services {
                match service.pid {
                    Some(pid) => write!(f, "  {} {pid}", service.name)?,
                    None => write!(f, "  {} not running", service.name)?,
                }
            }
            writeln!(f)?;
        }
        for Console { node, url } in &self.consoles {
            writeln!(f, "console of {node}: {url}")?;
        }
        if !self.consoles.is_empty() {
            writeln!(f, "user admin, password {}", self.password)?;
        }
        Ok(())
    }
}
