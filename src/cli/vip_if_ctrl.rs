//! The special command `vip_if_ctrl` of SAFEBIN (CLI-123, CLI-124): this program under another name.

use super::args::ModuleArg;
use super::job::{CliError, Context, Job};
use super::local::put;
use super::table::table;
use crate::control::Request;
use crate::net::addr::{Interface, interfaces as all_interfaces, network};
use clap::Parser;
use std::ffi::{OsStr, OsString};
use std::path::Path;

const NAME: &str = "vip_if_ctrl";

const HELP: &str = "\
Examples:
  safekit -r vip_if_ctrl -l
  safekit -r vip_if_ctrl -L";

/// What the packet filter of a farm accepts on this node, and the interfaces of this node
#[derive(Debug, Parser)]
#[command(name = NAME, after_help = HELP, arg_required_else_help = true)]
struct Line {
    /// Print the bitmap of each load balancing group: the buckets of clients that this node answers
    #[arg(short = 'l', conflicts_with = "interfaces")]
    list: bool,
    /// List the interfaces with network and first address
    #[arg(short = 'L')]
    interfaces: bool,
    #[command(flatten)]
    module: ModuleArg,
}

/// Whether the program is called by this name.
pub fn is_name(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// The job of a command line, program name first.
pub fn job(args: &[OsString], context: &Context) -> Result<Job, CliError> {
    let line = Line::try_parse_from(args)?;
    if line.interfaces {
        return Ok(Job::Interfaces);
    }
    if !line.list {
        return Err(CliError::usage("-l or -L is needed: see vip_if_ctrl --help"));
    }
    let module = line.module.optional(context)?;
    Ok(Job::text(Request::FarmBitmaps { module }))
}

/// `-L`.
pub fn interfaces() -> Result<i32, CliError> {
    put(show(&all_interfaces()?).as_bytes())?;
    Ok(0)
}

/// One line for each network of an interface, with its first address there.
fn show(interfaces: &[Interface]) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for interface in interfaces {
        let mut seen = Vec::new();
        for own in &interface.addresses {
            let network = format!("{}/{}", network(own.addr, own.prefix), own.prefix);
            if !seen.contains(&network) {
                rows.push([interface.name.clone(), network.clone(), own.addr.to_string()]);
                seen.push(network);
            }
        }
    }
    table(Some(["Interface", "Network", "First IP address"]), &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addr::InterfaceAddr;

    fn parse(line: &str) -> Result<Job, CliError> {
        super::super::parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>(), &Context::default())
    }

    #[test]
    fn it_is_this_program_under_another_name() {
        let wanted =
            |module: Option<&str>| Request::FarmBitmaps { module: module.map(|m| m.parse().unwrap()) };
        for (line, module) in
            [("/opt/safekit/private/bin/vip_if_ctrl -l", None), ("vip_if_ctrl -l -m f", Some("f"))]
        {
            match parse(line) {
                Ok(Job::Ask(ask)) => assert_eq!(ask.request, wanted(module)),
                other => panic!("{line}: {other:?}"),
            }
        }
        assert!(matches!(parse("vip_if_ctrl -L"), Ok(Job::Interfaces)));
        for bad in ["vip_if_ctrl", "vip_if_ctrl -l -L", "vip_if_ctrl -m f", "vip_if_ctrl x", "safekit -l"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    /// NET-41.
    #[test]
    fn each_network_has_its_first_address() {
        let own = |addr: &str, prefix| InterfaceAddr { addr: addr.parse().unwrap(), prefix, unusable: false };
        let eth0 = Interface {
            index: 2,
            name: "eth0".to_owned(),
            mac: None,
            up: true,
            running: true,
            carrier: true,
            promiscuous: false,
            addresses: vec![own("192.168.1.228", 24), own("192.168.1.32", 24), own("fd00::7", 64)],
        };
        assert_eq!(
            show(&[eth0]),
            "\
Interface  Network         First IP address
eth0       192.168.1.0/24  192.168.1.228
eth0       fd00::/64       fd00::7
"
        );
    }
}
