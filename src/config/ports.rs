//! Ports of the services and of each module (spec/network.md 7, CLI-099).

use crate::config::cluster::{ClusterConfig, DEFAULT_PORT};
use crate::config::module::{Mode, ModuleConfig};
use crate::ids::ModuleId;
use std::fmt;

/// Web service without TLS.
pub const WEB_PORT: u16 = 9010;

/// One line of `module getports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// First column.
    pub process: &'static str,
    /// Name of the port inside the process.
    pub name: &'static str,
    /// `UDP` or `TCP`.
    pub proto: &'static str,
    /// The number.
    pub number: u16,
}

/// Second column: `port UDP 8888`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.proto, self.number)
    }
}

/// Numbers of modules begin with 1; 0 counts as 1.
fn rank(id: ModuleId) -> u16 {
    u16::from(id.saturating_sub(1))
}

/// UDP port of the heartbeats of a module (CFG-HB-01).
pub fn heart(id: ModuleId) -> u16 {
    8888 + rank(id)
}

/// TCP port of the replication of a module.
pub fn rfs(id: ModuleId) -> u16 {
    5600 + 4 * rank(id)
}

/// UDP port of the membership of a farm (CFG-FA-01).
pub fn farm(id: ModuleId) -> u16 {
    4803 + 3 * rank(id)
}

/// Ports of a module that is not known, only its number and perhaps its mode; without a mode, those
/// of every mode.
pub fn ports(id: ModuleId, mode: Option<Mode>) -> Vec<Port> {
    let udp = |process, number| Port { process, name: "port", proto: "UDP", number };
    let mut all = vec![
        udp("safeadmin", DEFAULT_PORT),
        Port { process: "webconsole", name: "port", proto: "TCP", number: WEB_PORT },
    ];
    if mode.is_none_or(|m| m == Mode::Mirror) {
        all.push(udp("heart", heart(id)));
        all.push(Port { process: "rfs", name: "safenfs_port", proto: "TCP", number: rfs(id) });
    }
    if mode.is_none_or(|m| m == Mode::Farm) {
        all.push(udp("farm", farm(id)));
    }
    all
}

/// Ports of an installed module, as its configuration and that of the cluster change them. Each
/// port once, the heartbeats' in the order of the file.
pub fn of_module(id: ModuleId, module: &ModuleConfig, cluster: Option<&ClusterConfig>) -> Vec<Port> {
    let mut all = Vec::new();
    for port in ports(id, Some(module.service.mode)) {
        let numbers: Vec<u16> = match (port.process, &module.heart, &module.farm) {
            ("safeadmin", _, _) => vec![cluster.map_or(port.number, |c| c.port)],
            ("heart", Some(heart), _) => {
                heart.heartbeats.iter().map(|h| h.port.unwrap_or(port.number)).collect()
            }
            ("farm", _, Some(farm)) => vec![farm.port.unwrap_or(port.number)],
            _ => vec![port.number],
        };
        for number in numbers {
            let port = Port { number, ..port };
            if !all.contains(&port) {
                all.push(port);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::module::load;

    fn lines(ports: &[Port]) -> Vec<String> {
        ports.iter().map(|p| format!("{} {p}", p.process)).collect()
    }

    #[test]
    fn d_9_6c_ports_follow_the_number() {
        let mirror = [
            "safeadmin port UDP 4800",
            "webconsole port TCP 9010",
            "heart port UDP 8888",
            "rfs safenfs_port TCP 5600",
        ];
        assert_eq!(lines(&ports(1, Some(Mode::Mirror))), mirror);
        assert_eq!(lines(&ports(2, Some(Mode::Farm)))[2..], ["farm port UDP 4806"]);
        let third = ["heart port UDP 8890", "rfs safenfs_port TCP 5608", "farm port UDP 4809"];
        assert_eq!(lines(&ports(3, None))[2..], third);
    }

    #[test]
    fn configured_ports_win() {
        let text =
            "<safe><service mode='mirror'><heart port='7000'><heartbeat name='a'/><heartbeat name='b'/>
                    <heartbeat name='c' port='7001'/></heart></service></safe>";
        let module = load(text, "u", &|_| None, None).unwrap();
        let found = lines(&of_module(1, &module, None));
        assert_eq!(found[2..], ["heart port UDP 7000", "heart port UDP 7001", "rfs safenfs_port TCP 5600"]);
    }
}
