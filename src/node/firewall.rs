//! `safekit firewallcfg`: opens and closes this node's ports in its firewall (CLI-039, CLI-040).
//!
//! firewalld where it runs, else iptables, else nftables with the usual `inet filter input` chain.
//! Adding twice opens once, deleting what is not there is no error.

use super::script;
use crate::config::cluster::{ClusterConfig, DEFAULT_PORT};
use crate::config::module::ModuleConfig;
use crate::config::ports::{self, Port};
use crate::ids::ModuleId;
use crate::told::Tell;
use std::process::Command;
use std::time::Duration;

/// Time a command of the firewall has.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Ports of `safeadmin` and `safewebserver`, whose two are `web` (CLI-039).
pub fn core_ports(cluster: Option<&ClusterConfig>, web: [u16; 2]) -> Vec<Port> {
    let port = |process, proto, number| Port { process, name: "port", proto, number };
    vec![
        port("safeadmin", "UDP", cluster.map_or(DEFAULT_PORT, |cluster| cluster.port)),
        port("webconsole", "TCP", web[0]),
        port("webconsole", "TCP", web[1]),
    ]
}

/// Ports of a module itself (CLI-040).
pub fn module_ports(id: ModuleId, module: &ModuleConfig) -> Vec<Port> {
    let mut all = ports::of_module(id, module, None);
    // Nothing listens on the port of the replication without replicated directories.
    let unused = if module.rfs.is_none() { "rfs" } else { "" };
    all.retain(|port| !["safeadmin", "webconsole", unused].contains(&port.process));
    all
}

/// What to do with the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `firewallcfg add`.
    Add,
    /// `firewallcfg del`.
    Delete,
}

/// The firewall of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// firewalld: kept across reboots.
    Firewalld,
    /// iptables and ip6tables: until the reboot, unless the system saves them.
    Iptables,
    /// nftables, chain `inet filter input`: until the reboot, unless the system saves it.
    Nftables,
}

/// Why the firewall was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// None of the three is there.
    #[error(
        "no firewall to configure: neither firewalld, nor iptables, nor nftables with a chain \"inet filter input\" is in use"
    )]
    None,
    /// A command failed.
    #[error("\"{command}\" failed: {reason}")]
    Command {
        /// The command line.
        command: String,
        /// Its error output, or why it was not started.
        reason: String,
    },
}

impl Tell for FirewallError {
    fn french(&self) -> String {
        match self {
            FirewallError::None => {
                "aucun pare-feu à configurer : ni firewalld, ni iptables, ni nftables avec une \
                chaîne \"inet filter input\" n'est utilisé"
                    .to_owned()
            }
            FirewallError::Command { command, reason } => format!("échec de \"{command}\" : {reason}"),
        }
    }
}

/// How commands reach the system: tests and dry runs record them instead.
pub trait Runner {
    /// Runs a command line; the standard output if it ended well, else the reason.
    fn run(&mut self, command: &[&str]) -> Result<String, String>;
}

/// Runs commands for good.
pub struct System;

impl Runner for System {
    fn run(&mut self, command: &[&str]) -> Result<String, String> {
        let (program, args) = command.split_first().ok_or("empty command")?;
        script::output(Command::new(program).args(args), TIMEOUT)
    }
}

/// Runs what only looks, through `R`, and records what would change the firewall.
pub struct DryRun<R> {
    look: R,
    /// The command lines that were not run.
    pub planned: Vec<String>,
}

impl<R: Runner> DryRun<R> {
    /// Looks through `look`.
    pub fn new(look: R) -> Self {
        DryRun { look, planned: Vec::new() }
    }
}

impl<R: Runner> Runner for DryRun<R> {
    fn run(&mut self, command: &[&str]) -> Result<String, String> {
        if command.iter().any(|word| ["--state", "-C", "-S", "list"].contains(word)) {
            return self.look.run(command);
        }
        self.planned.push(command.join(" "));
        Ok(String::new())
    }
}

/// Finds the firewall in use.
pub fn detect(runner: &mut dyn Runner) -> Result<Firewall, FirewallError> {
    let candidates: [(&[&str], Firewall); 3] = [
        (&["firewall-cmd", "--state"], Firewall::Firewalld),
        (&["iptables", "-w", "-S", "INPUT"], Firewall::Iptables),
        (&["nft", "list", "chain", "inet", "filter", "input"], Firewall::Nftables),
    ];
    let found = candidates.into_iter().find(|(command, _)| runner.run(command).is_ok());
    found.map(|(_, firewall)| firewall).ok_or(FirewallError::None)
}

/// Opens or closes `ports` in the firewall in use, and says which firewall that was.
pub fn apply(runner: &mut dyn Runner, change: Change, ports: &[Port]) -> Result<Firewall, FirewallError> {
    let firewall = detect(runner)?;
    for port in ports {
        match firewall {
            Firewall::Firewalld => firewalld(runner, change, *port)?,
            Firewall::Iptables => {
                iptables(runner, "iptables", change, *port)?;
                // A system without IPv6 has no such table, and then nothing to open.
                if runner.run(&["ip6tables", "-w", "-S", "INPUT"]).is_ok() {
                    iptables(runner, "ip6tables", change, *port)?;
                }
            }
            Firewall::Nftables => nftables(runner, change, *port)?,
        }
    }
    Ok(firewall)
}

fn must(runner: &mut dyn Runner, command: &[&str]) -> Result<String, FirewallError> {
    runner.run(command).map_err(|reason| FirewallError::Command { command: command.join(" "), reason })
}

/// At once and for later boots; firewalld itself takes a repetition for a success.
fn firewalld(runner: &mut dyn Runner, change: Change, port: Port) -> Result<(), FirewallError> {
    let verb = if change == Change::Add { "--add-port" } else { "--remove-port" };
    let option = format!("{verb}={}/{}", port.number, port.proto.to_lowercase());
    must(runner, &["firewall-cmd", &option])?;
    must(runner, &["firewall-cmd", "--permanent", &option])?;
    Ok(())
}

fn iptables(runner: &mut dyn Runner, tool: &str, change: Change, port: Port) -> Result<(), FirewallError> {
    let (transport, number) = (port.proto.to_lowercase(), port.number.to_string());
    let comment = ["-m", "comment", "--comment", "safekit", "-j", "ACCEPT"];
    let command = |verb| {
        let mut words = vec![tool, "-w", verb, "INPUT", "-p", &transport, "--dport", &number];
        words.extend(comment);
        words
    };
    let there = runner.run(&command("-C")).is_ok();
    match change {
        Change::Add if !there => must(runner, &command("-I")).map(drop),
        Change::Delete if there => must(runner, &command("-D")).map(drop),
        _ => Ok(()),
    }
}

fn nftables(runner: &mut dyn Runner, change: Change, port: Port) -> Result<(), FirewallError> {
    let (transport, number) = (port.proto.to_lowercase(), port.number.to_string());
    let rules = must(runner, &["nft", "-a", "list", "chain", "inet", "filter", "input"])?;
    let ours = format!("{transport} dport {number} accept comment \"safekit\" # handle ");
    let handles: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix(&ours)).collect();
    if change == Change::Add && handles.is_empty() {
        let mut command = vec!["nft", "insert", "rule", "inet", "filter", "input"];
        command.extend([transport.as_str(), "dport", &number, "accept", "comment", "\"safekit\""]);
        must(runner, &command)?;
    } else if change == Change::Delete {
        for handle in handles {
            must(runner, &["nft", "delete", "rule", "inet", "filter", "input", "handle", handle])?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEART: Port = Port { process: "heart", name: "port", proto: "UDP", number: 8888 };
    const NFT: &str = "table inet filter {\n\tchain input {\n\t\tudp dport 8888 accept comment \"safekit\" # handle 7\n\t}\n}\n";

    /// Answers as a machine on which only these commands succeed.
    struct Machine(Vec<(&'static str, &'static str)>);

    impl Runner for Machine {
        fn run(&mut self, command: &[&str]) -> Result<String, String> {
            let line = command.join(" ");
            let known = self.0.iter().find(|(start, _)| line.starts_with(start));
            known.map(|(_, output)| (*output).to_owned()).ok_or_else(|| "not installed".to_owned())
        }
    }

    fn planned(machine: &[(&'static str, &'static str)], change: Change) -> (Firewall, Vec<String>) {
        let mut dry = DryRun::new(Machine(machine.to_vec()));
        let firewall = apply(&mut dry, change, &[HEART]).unwrap();
        (firewall, dry.planned)
    }

    #[test]
    fn firewalld_is_preferred_and_changed_now_and_for_later() {
        let machine = [("firewall-cmd --state", "running"), ("iptables -w -S", "")];
        let (firewall, commands) = planned(&machine, Change::Add);
        assert_eq!(firewall, Firewall::Firewalld);
        assert_eq!(
            commands,
            ["firewall-cmd --add-port=8888/udp", "firewall-cmd --permanent --add-port=8888/udp"]
        );
    }

    #[test]
    fn iptables_rules_are_added_once_and_deleted_only_if_there() {
        let rule = "INPUT -p udp --dport 8888 -m comment --comment safekit -j ACCEPT";
        let closed = [("iptables -w -S", "")];
        let open = [("iptables -w -S", ""), ("iptables -w -C", "")];
        assert_eq!(planned(&closed, Change::Add).1, [format!("iptables -w -I {rule}")]);
        assert!(planned(&open, Change::Add).1.is_empty());
        assert_eq!(planned(&open, Change::Delete).1, [format!("iptables -w -D {rule}")]);
        assert!(planned(&closed, Change::Delete).1.is_empty());
        let both = [("iptables -w -S", ""), ("ip6tables -w -S", "")];
        assert_eq!(planned(&both, Change::Add).1.len(), 2);
    }

    #[test]
    fn nftables_rules_are_found_by_comment_and_deleted_by_handle() {
        let open = [("nft list", NFT), ("nft -a list", NFT)];
        let closed = [("nft list", ""), ("nft -a list", "")];
        assert!(planned(&open, Change::Add).1.is_empty());
        assert_eq!(planned(&open, Change::Delete).1, ["nft delete rule inet filter input handle 7"]);
        assert_eq!(
            planned(&closed, Change::Add).1,
            ["nft insert rule inet filter input udp dport 8888 accept comment \"safekit\""]
        );
        assert!(planned(&closed, Change::Delete).1.is_empty());
    }

    #[test]
    fn core_and_module_have_ports_of_their_own() {
        let numbers = |ports: Vec<Port>| ports.iter().map(|port| port.number).collect::<Vec<_>>();
        assert_eq!(numbers(core_ports(None, [9010, 443])), [4800, 9010, 443]);
        let text = super::super::testing::userconfig("", 30_000);
        let load = |text: &str| crate::config::module::load(text, "userconfig.xml", &|_| None, None).unwrap();
        assert_eq!(numbers(module_ports(3, &load(&text))), [8890]);
        let replicating = text.replace("<user>", "<rfs><replicated dir=\"/d\"/></rfs><user>");
        assert_eq!(numbers(module_ports(3, &load(&replicating))), [8890, 5608]);
    }

    #[test]
    fn a_machine_without_firewall_says_so() {
        let error = apply(&mut DryRun::new(Machine(vec![])), Change::Add, &[HEART]).unwrap_err();
        assert!(matches!(error, FirewallError::None));
        let failing = apply(&mut Machine(vec![("firewall-cmd --state", "")]), Change::Add, &[HEART]);
        let error = failing.unwrap_err().to_string();
        assert_eq!(error, "\"firewall-cmd --add-port=8888/udp\" failed: not installed");
    }
}
